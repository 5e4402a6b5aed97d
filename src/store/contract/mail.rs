//! Mail that waits to be sent.

use crate::base::clock::Moment;
use crate::store::rows::{self, Statements, cells, letter_columns, user_columns};
use crate::store::{Letter, OneTimeToken, OneTimeTokenAdded, Result, User};

/// The most mails that wait. More are dropped, so that no flood fills the disk.
pub(in crate::store) const LETTERS_MAX: u32 = 10_000;

/// The most mails of one user that wait.
pub(in crate::store) const LETTERS_OF_USER_MAX: u32 = 100;

/// The letter that has been due for longest and that no server has, at a moment that is given twice.
pub(in crate::store) const DUE_LETTER: &str = concat!(
    "SELECT ",
    letter_columns!(),
    " FROM mail WHERE due_at <= ? AND lease_until < ? ORDER BY due_at, id LIMIT 1"
);

/// The slots of the mailed tokens of a user with a purpose, the earliest first.
pub(in crate::store) const SLOTS_OF_TOKENS: &str =
    "SELECT slot FROM one_time_token WHERE user_id = ? AND purpose = ? AND slot > 0
      ORDER BY created_at, slot";

/// Deletes the token of a user with a purpose in a slot.
pub(in crate::store) const EMPTY_SLOT: &str =
    "DELETE FROM one_time_token WHERE user_id = ? AND purpose = ? AND slot = ?";

/// The queue of mails. Of any letter one server at a time has the lease, under a random text.
pub trait Mail: Statements {
    /// Adds letters, unless too many wait, and returns how many it has added.
    fn add_letters(&self, letters: &[Letter]) -> Result<usize>;

    /// Takes the letter that has been due for longest and that no other server has, until a moment. `None` if
    /// there is none.
    fn take_letter(&self, lease: &str, until: Moment, now: Moment) -> Result<Option<Letter>>;

    /// Deletes a letter that was sent, or is given up, by the server that has its lease. `false` if the lease has
    /// ended and another server has it.
    fn letter_done(&self, id: &str, lease: &str) -> Result<bool> {
        let sql = "DELETE FROM mail WHERE id = ? AND lease = ?";
        Ok(self.execute(sql, &cells![id, lease])? > 0)
    }

    /// Notes that a letter was not sent and why, in a word, and when it is to be tried again. `false` as for
    /// [`Mail::letter_done`].
    fn letter_failed(&self, id: &str, lease: &str, outcome: &str, due_at: Moment) -> Result<bool> {
        let sql = "UPDATE mail SET tries = tries + 1, last_outcome = ?, due_at = ?, lease = '', lease_until = 0
                    WHERE id = ? AND lease = ?";
        Ok(self.execute(sql, &cells![outcome, due_at, id, lease])? > 0)
    }

    /// Deletes a letter, whichever server has it. `false` if there is none.
    fn drop_letter(&self, id: &str) -> Result<bool> {
        Ok(self.execute("DELETE FROM mail WHERE id = ?", &cells![id])? > 0)
    }

    /// Makes a letter due at once, or all of them, and returns how many these are. One that a server is sending
    /// stays as it is.
    fn retry_letters(&self, id: Option<&str>, now: Moment) -> Result<usize> {
        let sql = "UPDATE mail SET due_at = ? WHERE (? IS NULL OR id = ?) AND lease_until < ?";
        self.execute(sql, &cells![now, id, id, now])
    }

    /// The letters that wait, those that were queued first at the beginning, `limit` at most. Those of kind
    /// [`Letter::NOTHING`] are left out.
    fn letters(&self, limit: u32) -> Result<Vec<Letter>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                letter_columns!(),
                " FROM mail WHERE kind <> 'nothing' ORDER BY created_at, id LIMIT ?"
            ),
            &cells![limit],
        )
    }

    /// The users with this canonical address, verified or not, oldest first, `limit` at most.
    fn users_by_email(&self, canonical: &str, limit: u32) -> Result<Vec<User>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                user_columns!(),
                " FROM user WHERE canonical_email = ? AND canonical_email <> ''
                  ORDER BY created_at, id LIMIT ?"
            ),
            &cells![canonical, limit],
        )
    }

    /// The canonical name with which the one user signs in who has this canonical address, verified: of several names
    /// their username, or else the first. `None` if there is no such user, if there are several, or if they sign in with
    /// no name. One look-up, whatever it finds.
    fn sign_in_name_of_email(&self, canonical: &str) -> Result<Option<String>> {
        let found: Vec<Option<String>> = rows::all(
            self,
            // `;` is the character after `:`.
            "SELECT coalesce(
                      (SELECT user_key.id FROM user_key
                        WHERE user_key.id = concat('username:', user.canonical_username)
                          AND user_key.user_id = user.id),
                      (SELECT min(user_key.id) FROM user_key
                        WHERE user_key.user_id = user.id
                          AND user_key.id >= 'username:' AND user_key.id < 'username;'))
               FROM user
              WHERE user.canonical_email = ? AND user.canonical_email <> ''
                AND user.email_verified_at IS NOT NULL LIMIT 2",
            &cells![canonical],
        )?;
        Ok(match &*found {
            [Some(id)] => id.strip_prefix("username:").map(str::to_owned),
            _ => None,
        })
    }

    /// Adds a one-time token that is mailed. Those of its user with its purpose that were made before stay valid,
    /// but of the mailed ones `most` at most, this one included; the earliest ends.
    /// [`OneTimeTokenAdded::NoUser`] if the user is gone.
    fn add_mailed_token(&self, token: &OneTimeToken, most: u32) -> Result<OneTimeTokenAdded>;
}

/// The slot of another token: a free one, or else that of the earliest. `taken` are those in use, the earliest
/// first.
pub(in crate::store) fn token_slot(taken: &[u32], most: u32) -> u32 {
    let free = (1..=most).find(|slot| !taken.contains(slot));
    free.or_else(|| taken.first().copied()).unwrap_or(1)
}
