//! Passkeys: adding, using, renaming and removing them.

use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::passkeys::passkey_columns;
use crate::store::rows::{self, Statements, cells, user_columns};
use crate::store::{
    Letter, Passkey, PasskeyAccepted, PasskeyAdded, PasskeyRemoved, PasskeyUse, Result, Session,
    SessionStart, UsedChallenge, User, UserId,
};

/// Notes a use of a passkey, with the new count, whether it is backed up, the moment, its id, its user and the count
/// before.
pub(in crate::store) const USE_PASSKEY: &str =
    "UPDATE passkey SET sign_count = ?, is_backed_up = ?, used_at = ?
      WHERE id = ? AND user_id = ? AND sign_count = ?";

/// Notes a challenge that was answered.
pub(in crate::store) const ADD_USED_CHALLENGE: &str =
    "INSERT INTO used_challenge (id, expires_at) VALUES (?, ?)";

/// Passkeys. Each method that writes is one transaction, so that of any number of simultaneous calls with one
/// challenge, on any number of servers, one succeeds.
pub trait Passkeys: Statements {
    /// The passkeys of a user, the oldest first.
    fn passkeys_of(&self, user: &UserId) -> Result<Vec<Passkey>> {
        let sql = concat!(
            "SELECT ",
            passkey_columns!(),
            " FROM passkey WHERE user_id = ? ORDER BY created_at, id"
        );
        rows::all(self, sql, &cells![user])
    }

    /// The passkey with this id, and its owner. `None` if there is none.
    fn passkey(&self, id: &[u8]) -> Result<Option<(User, Passkey)>> {
        let sql = concat!(
            "SELECT ",
            user_columns!(),
            ", ",
            passkey_columns!(),
            " FROM passkey JOIN user ON user.id = passkey.user_id WHERE passkey.id = ?"
        );
        rows::one(self, sql, &cells![id])
    }

    /// Adds a passkey in a session of its owner, uses up the challenge, and queues a letter. A user has `most` at
    /// most.
    fn add_passkey(
        &self,
        passkey: &Passkey,
        challenge: &UsedChallenge,
        session: &TokenHash,
        most: u32,
        letter: Option<&Letter>,
    ) -> Result<PasskeyAdded>;

    /// Gives a passkey of a user another name. `false` if they have no such passkey.
    fn rename_passkey(&self, user: &UserId, id: &[u8], name: &str) -> Result<bool> {
        let sql = "UPDATE passkey SET name = ? WHERE id = ? AND user_id = ?";
        Ok(self.execute(sql, &cells![name, id, user])? > 0)
    }

    /// Removes a passkey of a user, and queues a letter. [`PasskeyRemoved::LastFactor`] if the user has a second factor
    /// and would be left with neither an app nor a passkey of this RP ID; `None`: of any.
    fn remove_passkey(
        &self,
        user: &UserId,
        id: &[u8],
        rp_id: Option<&str>,
        letter: Option<&Letter>,
    ) -> Result<PasskeyRemoved>;

    /// Notes the use of a passkey, and starts a session of its owner as [`super::Sessions::start_session`] does.
    fn start_session_with_passkey(
        &self,
        passkey_use: &PasskeyUse,
        session: &Session,
        most: u32,
        entry: &SessionStart,
    ) -> Result<PasskeyAccepted>;

    /// Notes the use of a passkey that proves its owner once more in a live session of theirs, as
    /// [`super::Sessions::note_reauthentication`] does for a password.
    fn prove_with_passkey(
        &self,
        user: &UserId,
        passkey_use: &PasskeyUse,
        session: &TokenHash,
    ) -> Result<PasskeyAccepted>;

    /// Deletes up to `limit` challenges that are not accepted any more, and returns how many.
    fn delete_old_challenges(&self, now: Moment, limit: u32) -> Result<usize> {
        self.sweep("used_challenge", "expires_at", now, limit)
    }
}
