//! The statements for mail that waits.

use rusqlite::Transaction;

use super::{Sqlite, SqliteResult, WRITE_PATIENCE, all, exists, first, run};
use crate::base::clock::Moment;
use crate::store::contract::{
    DUE_LETTER, EMPTY_SLOT, LETTERS_MAX, LETTERS_OF_USER_MAX, SLOTS_OF_TOKENS, token_slot,
};
use crate::store::rows::{ToCells, cells};
use crate::store::{Letter, Mail, OneTimeToken, OneTimeTokenAdded, Result};

/// Whether a letter is due that no server has. Without it nothing is locked.
const IS_DUE: &str = "SELECT 1 FROM mail WHERE due_at <= ? AND lease_until < ? LIMIT 1";

impl Mail for Sqlite {
    fn add_letters(&self, letters: &[Letter]) -> Result<usize> {
        Ok(self.write(WRITE_PATIENCE, |tx| {
            letters.iter().try_fold(0, |sum, it| Ok(sum + insert_if_room(tx, it)?))
        })?)
    }

    fn take_letter(&self, lease: &str, until: Moment, now: Moment) -> Result<Option<Letter>> {
        if !self.read(|conn| exists(conn, IS_DUE, &cells![now, now]))? {
            return Ok(None);
        }
        Ok(self.write(WRITE_PATIENCE, |tx| {
            let found: Option<Letter> = first(tx, DUE_LETTER, &cells![now, now])?;
            if let Some(letter) = &found {
                let sql = "UPDATE mail SET lease = ?, lease_until = ? WHERE id = ?";
                run(tx, sql, &cells![lease, until, &letter.id])?;
            }
            Ok(found)
        })?)
    }

    fn add_mailed_token(&self, token: &OneTimeToken, most: u32) -> Result<OneTimeTokenAdded> {
        OneTimeTokenAdded::of(self.write(WRITE_PATIENCE, |tx| {
            let (user, purpose) = (&token.user_id, token.purpose);
            let slots: Vec<u32> = all(tx, SLOTS_OF_TOKENS, &cells![user, purpose])?;
            let slot = token_slot(&slots, most);
            run(tx, EMPTY_SLOT, &cells![user, purpose, slot])?;
            super::one_time_tokens::insert(tx, token, slot)
        }))
    }
}

/// Adds a letter, if there is one, unless too many wait.
pub(super) fn insert(tx: &Transaction<'_>, letter: Option<&Letter>) -> SqliteResult<()> {
    letter.map_or(Ok(()), |it| insert_if_room(tx, it).map(drop))
}

fn insert_if_room(tx: &Transaction<'_>, letter: &Letter) -> SqliteResult<usize> {
    let more = cells![LETTERS_MAX, LETTERS_OF_USER_MAX];
    run(
        tx,
        "INSERT INTO mail (id, kind, user_id, address, language, detail, created_at, due_at, tries, last_outcome)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
          WHERE (SELECT count(*) FROM mail) < ?11
            AND (?3 = '' OR (SELECT count(*) FROM mail WHERE user_id = ?3) < ?12)",
        &[&letter.cells()[..], &more].concat(),
    )
}
