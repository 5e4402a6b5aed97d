//! The statements for mail that waits.

use super::{Mysql, MysqlFault, MysqlResult, Tx, lock_user, one_time_tokens, values};
use crate::base::clock::Moment;
use crate::store::contract::{
    DUE_LETTER, EMPTY_SLOT, LETTERS_MAX, LETTERS_OF_USER_MAX, SLOTS_OF_TOKENS, token_slot,
};
use crate::store::outcomes::Refused;
use crate::store::rows::{ToCells, cells, letter_columns};
use crate::store::{Letter, Mail, OneTimeToken, OneTimeTokenAdded, Result};

impl Mail for Mysql {
    fn add_letters(&self, letters: &[Letter]) -> Result<usize> {
        Ok(self
            .write(|tx| letters.iter().try_fold(0, |sum, it| Ok(sum + insert_if_room(tx, it)?)))?)
    }

    fn take_letter(&self, lease: &str, until: Moment, now: Moment) -> Result<Option<Letter>> {
        let (due_until, now) = ((now.millis(), now.millis()), now.millis());
        if self.read_one::<Letter>(DUE_LETTER, due_until)?.is_none() {
            return Ok(None);
        }
        Ok(self.write(|tx| {
            let ours = concat!("SELECT ", letter_columns!(), " FROM mail WHERE lease = ?");
            if tx.may_be_applied
                && let Some(letter) = tx.first(ours, (lease,))?
            {
                return Ok(Some(letter));
            }
            let found: Option<Letter> = tx.first(DUE_LETTER, due_until)?;
            let Some(letter) = found else { return Ok(None) };
            let sql = "UPDATE mail SET lease = ?, lease_until = ?
                        WHERE id = ? AND lease_until < ? AND due_at <= ?";
            match tx.run(sql, (lease, until.millis(), &letter.id, now, now))? {
                0 => Err(MysqlFault::Conflict("another server takes the same mail".to_owned())),
                _ => Ok(Some(letter)),
            }
        })?)
    }

    fn add_mailed_token(&self, token: &OneTimeToken, most: u32) -> Result<OneTimeTokenAdded> {
        let (user, purpose) = (token.user_id.as_str(), token.purpose.as_str());
        OneTimeTokenAdded::of(self.write(|tx| {
            lock_user(tx, user)?;
            let slots: Vec<u32> = tx.all(SLOTS_OF_TOKENS, (user, purpose))?;
            let slot = token_slot(&slots, most);
            tx.run(EMPTY_SLOT, (user, purpose, slot))?;
            one_time_tokens::insert(tx, token, slot)
        }))
    }
}

/// Adds a letter, if there is one, unless too many wait. One that an earlier try has added stays.
pub(super) fn insert(tx: &mut Tx<'_>, letter: Option<&Letter>) -> MysqlResult<()> {
    letter.map_or(Ok(()), |it| insert_if_room(tx, it).map(drop))
}

fn insert_if_room(tx: &mut Tx<'_>, letter: &Letter) -> MysqlResult<usize> {
    let user = letter.user_id.as_str();
    let more = cells![LETTERS_MAX, user, user, LETTERS_OF_USER_MAX];
    let params = [&letter.cells()[..], &more].concat();
    let added = tx.run(
        "INSERT INTO mail (id, kind, user_id, address, language, detail, created_at, due_at, tries, last_outcome)
         SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM DUAL
          WHERE (SELECT count(*) FROM mail) < ?
            AND (? = '' OR (SELECT count(*) FROM mail WHERE user_id = ?) < ?)",
        values(&params),
    );
    match added {
        Err(MysqlFault::Refused(Refused::Duplicate)) => Ok(1),
        added => added,
    }
}
