//! Second factors: authenticator apps, recovery codes, and sign-ins that wait for one of them.

use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::rows::{self, Statements, cells};
use crate::store::{
    CountId, Epoch, FactorProof, Letter, OneTimeToken, OneTimeTokenAdded, Result, SealRow,
    SecondFactorOn, SecondFactorSet, SecondStepDone, SecretChange, Session, SessionStart, Totp,
    UserId,
};

/// The most sign-ins of one user that wait for the second factor. Beyond it the earliest ends.
pub(in crate::store) const SECOND_STEPS_MAX: u32 = 10;

/// Takes a step of a user's app, with the step, the user and the step again: it and all before it are used up.
pub(in crate::store) const USE_STEP: &str =
    "UPDATE totp SET last_step = ? WHERE user_id = ? AND last_step < ?";

/// Takes a recovery code of a user.
pub(in crate::store) const USE_RECOVERY_CODE: &str =
    "DELETE FROM recovery_code WHERE id = ? AND user_id = ?";

/// Takes a sign-in that waits, with its id, its user and a moment that is given twice.
pub(in crate::store) const USE_SECOND_STEP: &str = "DELETE FROM one_time_token
      WHERE id = ? AND user_id = ? AND purpose = 'second_step' AND expires_at >= ? AND created_at <= ?
        AND epoch = (SELECT epoch FROM user WHERE user.id = one_time_token.user_id)";

/// Writes a secret in another form, with that, the user and the form before.
pub(in crate::store) const CHANGE_SECRET: &str =
    "UPDATE totp SET secret = ? WHERE user_id = ? AND secret = ?";

/// Adds a row of `secret`, with its name and value.
pub(in crate::store) const ADD_SEAL: &str = "INSERT INTO secret (name, value) VALUES (?, ?)";

/// Deletes what is known of the key that seals secrets.
pub(in crate::store) const DELETE_SEAL: &str =
    "DELETE FROM secret WHERE name IN ('seal', 'seal_before')";

/// What ends when a user's second factor is turned on or off: each statement is given the user.
pub(in crate::store) const END_OTHER_FACTORS: [&str; 6] = [
    "DELETE FROM totp WHERE user_id = ?",
    "DELETE FROM recovery_code WHERE user_id = ?",
    "DELETE FROM one_time_token WHERE purpose = 'second_step' AND user_id = ?",
    FORGET_BROWSERS,
    // Both factors of before prove nothing where a second factor is demanded.
    "UPDATE user_session SET second_at = 0 WHERE user_id = ?",
    "UPDATE access_token SET second_at = 0 WHERE user_id = ?",
];

/// What ends with a user's second factor: passkeys that are nothing else. The statement is given the user.
pub(in crate::store) const END_MERE_SECOND_FACTORS: &str =
    "DELETE FROM passkey WHERE verifies_user = 0 AND user_id = ?";

/// Lets the password alone be enough in no browser of a user any more.
pub(in crate::store) const FORGET_BROWSERS: &str =
    "UPDATE device SET second_at = 0 WHERE user_id = ?";

/// Second factors. Each method that writes is one transaction, so that of any number of simultaneous calls with
/// one code, on any number of servers, one succeeds.
pub trait SecondFactors: Statements {
    /// The authenticator app of a user. `None` if they have none.
    fn totp_of(&self, user: &UserId) -> Result<Option<Totp>> {
        let sql = "SELECT user_id, secret, last_step, created_at FROM totp WHERE user_id = ?";
        rows::one(self, sql, &cells![user])
    }

    /// The unused recovery codes of a user, in the order of their hashes.
    fn recovery_codes_of(&self, user: &UserId) -> Result<Vec<TokenHash>> {
        let sql = "SELECT id FROM recovery_code WHERE user_id = ? ORDER BY id";
        rows::all(self, sql, &cells![user])
    }

    /// Adds a token for [`crate::store::Purpose::SecondStep`], and clears a failure count. Those before it stay
    /// valid, ten at most. [`OneTimeTokenAdded::NoUser`] if the user is gone or disabled, or has another epoch than
    /// `proof`.
    fn begin_second_step(
        &self,
        token: &OneTimeToken,
        proof: Epoch,
        cleared: Option<&CountId>,
    ) -> Result<OneTimeTokenAdded>;

    /// Uses up a token for [`crate::store::Purpose::SecondStep`] and what proves the second factor, and starts a
    /// session as [`super::Sessions::start_session`] does. Nothing is used up unless all of it succeeds.
    fn finish_second_step(
        &self,
        id: &TokenHash,
        proof: &FactorProof<'_>,
        session: &Session,
        most: u32,
        entry: &SessionStart,
    ) -> Result<SecondStepDone>;

    /// Turns the second factor of a user on, with new recovery codes, by [`FactorProof::NewApp`] or
    /// [`FactorProof::NewPasskey`], which is used up. Ends all their sessions, all sign-ins that wait for a second factor,
    /// and forgets their devices; then starts a session in the place of `entry.replaced`, which must be live.
    fn turn_second_factor_on(
        &self,
        proof: &FactorProof<'_>,
        session: &Session,
        entry: &SessionStart,
    ) -> Result<SecondFactorOn>;

    /// Turns the second factor of a user off, uses up its proof and queues a letter. Their sessions and access tokens
    /// count as never having had both factors, and passkeys that do not sign in alone are removed. Without a proof, as
    /// an operator does it, all sessions of the user end as well.
    fn turn_second_factor_off(
        &self,
        user: &UserId,
        proof: Option<&FactorProof<'_>>,
        letter: Option<&Letter>,
    ) -> Result<SecondFactorSet>;

    /// Replaces the recovery codes of a user, uses up a proof of the second factor, asks for it again in every
    /// browser, and queues a letter.
    fn replace_recovery_codes(
        &self,
        user: &UserId,
        codes: &[TokenHash],
        proof: &FactorProof<'_>,
        letter: Option<&Letter>,
        now: Moment,
    ) -> Result<SecondFactorSet>;

    /// Up to `limit` apps of users whose ids come after this one, in the order of their ids.
    fn apps_after(&self, user: Option<&UserId>, limit: u32) -> Result<Vec<Totp>> {
        let sql = "SELECT user_id, secret, last_step, created_at FROM totp WHERE user_id > ?
                    ORDER BY user_id LIMIT ?";
        rows::all(self, sql, &cells![user.map_or("", UserId::as_str), limit])
    }

    /// How many apps have a secret whose first byte is this one.
    fn apps_of_kind(&self, first: u8) -> Result<i64> {
        let sql = "SELECT count(*) FROM totp WHERE substr(secret, 1, 1) = ?";
        Ok(rows::one(self, sql, &cells![&[first][..]])?.unwrap_or_default())
    }

    /// The first app, in the order of the users' ids, with a secret whose first byte is this one.
    fn first_app_of_kind(&self, first: u8) -> Result<Option<Totp>> {
        let sql = "SELECT user_id, secret, last_step, created_at FROM totp
                    WHERE substr(secret, 1, 1) = ? ORDER BY user_id LIMIT 1";
        rows::one(self, sql, &cells![&[first][..]])
    }

    /// Writes secrets in another form, each if it is stored as it was, and returns how many. All or nothing if it
    /// fails.
    fn change_secrets(&self, changes: &[SecretChange]) -> Result<usize>;

    /// What is known of the key that seals secrets. `None`: nothing.
    fn seal(&self, row: SealRow) -> Result<Option<[u8; 32]>> {
        let mut found = None;
        let sql = "SELECT value FROM secret WHERE name = ?";
        self.query(sql, &cells![row.name()], &mut |cells| {
            cells.fill(found.insert([0; 32]))?;
            Ok(())
        })?;
        Ok(found)
    }

    /// Replaces what is known of the key that seals secrets, if [`SealRow::Current`] is `before`. `false`: it is not,
    /// and nothing is changed.
    fn change_seal(
        &self,
        before: Option<&[u8; 32]>,
        current: Option<&[u8; 32]>,
        previous: Option<&[u8; 32]>,
    ) -> Result<bool>;

    /// Asks for the second factor again in every browser of a user, and returns in how many.
    fn forget_browsers(&self, user: &UserId) -> Result<usize> {
        self.execute(FORGET_BROWSERS, &cells![user])
    }
}
