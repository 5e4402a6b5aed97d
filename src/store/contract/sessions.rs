//! Secrets that give access: sessions, access tokens, one-time tokens and invitations.

use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::token::TokenHash;
use crate::store::rows::{
    self, FromCells, Statements, access_token_columns, cells, invite_columns, session_columns,
    user_columns,
};
use crate::store::{
    AccessToken, AccessTokenAdded, Invite, Letter, OneTimeToken, OneTimeTokenAdded, Purpose,
    Result, Session, SessionStart, SessionStarted, Use, User, UserId,
};

/// The address that a token verifies, with its id, its user and a moment that is given twice.
pub(in crate::store) const ADDRESS_OF_TOKEN: &str = "SELECT it.detail FROM one_time_token AS it
       JOIN user ON user.id = it.user_id AND user.epoch = it.epoch
      WHERE it.id = ? AND it.user_id = ? AND it.purpose = 'verify_email'
        AND it.expires_at >= ? AND it.created_at <= ? AND user.disabled_at IS NULL";

/// Sessions of signed-in browsers.
pub trait Sessions: Statements {
    /// Adds a session and does what `entry` says. The user's sessions that were dead when it was created
    /// are deleted; then, until `most` are left in all, those of the future (see [`Moment::has_passed`])
    /// and the oldest. [`SessionStarted::ProofOutdated`] if the user is gone or disabled, or has another
    /// epoch than the proof in `entry`.
    fn start_session(
        &self,
        session: &Session,
        most: u32,
        entry: &SessionStart,
    ) -> Result<SessionStarted>;

    /// The session with this id, dead or alive, and its user.
    fn user_of_session(&self, id: &TokenHash) -> Result<Option<(User, Session)>>;

    /// All sessions of a user, dead or alive, oldest first; empty if there is no such user.
    fn sessions_of(&self, id: &UserId) -> Result<Vec<Session>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                session_columns!(),
                " FROM user_session JOIN user ON user.id = user_session.user_id
                       AND user.epoch = user_session.epoch
                 WHERE user_session.user_id = ?
                 ORDER BY user_session.created_at, user_session.id"
            ),
            &cells![id],
        )
    }

    /// The ids of all sessions, dead or alive, that `is_it` says yes to.
    fn session_ids(&self, is_it: &dyn Fn(&TokenHash) -> bool) -> Result<Vec<TokenHash>> {
        let mut found = Vec::new();
        self.query("SELECT id FROM user_session", &[], &mut |row| {
            let id = TokenHash::read(row)?;
            found.extend(is_it(&id).then_some(id));
            Ok(())
        })?;
        Ok(found)
    }

    /// Notes that a session was used and moves its expiries later, never earlier, whatever else renews it
    /// at the same time. A time of last use in the future is corrected. `false` if the session is gone.
    /// Gives up as [`crate::store::Error::Unavailable`] after [`crate::store::RENEWAL_PATIENCE`].
    fn renew_session(
        &self,
        id: &TokenHash,
        active_expires: Moment,
        idle_expires: Moment,
        now: Moment,
    ) -> Result<bool>;

    /// Notes that a session was used. The time of last use never moves back, unless it lies in the future
    /// (see [`Moment::has_passed`]). `false` if the session is gone. Gives up as
    /// [`crate::store::Error::Unavailable`] after [`crate::store::RENEWAL_PATIENCE`].
    fn touch_session(&self, id: &TokenHash, now: Moment) -> Result<bool>;

    /// Notes that the password was given in a session, and that the session was used, with the rule for
    /// times of [`Sessions::touch_session`]. `false` if the session is gone. Waits as long as any write,
    /// since the request depends on it.
    fn note_reauthentication(&self, id: &TokenHash, now: Moment) -> Result<bool>;

    /// Notes many uses, of sessions and of access tokens, in one transaction or in one each. Those whose
    /// session or token is gone are left out. Waits as long as any write: it is meant for a background
    /// thread.
    fn note_uses(&self, uses: &[Use]) -> Result<()>;

    /// Deletes a session. `false` if there was none.
    fn end_session(&self, id: &TokenHash) -> Result<bool> {
        Ok(self.execute("DELETE FROM user_session WHERE id = ?", &cells![id])? > 0)
    }

    /// Ends all sessions of a user but one, and returns how many.
    fn end_other_sessions(&self, user: &UserId, kept: &TokenHash) -> Result<usize> {
        let sql = "DELETE FROM user_session WHERE user_id = ? AND id <> ?";
        self.execute(sql, &cells![user, kept])
    }

    /// Deletes all sessions of a user, and returns how many.
    fn end_sessions_of(&self, id: &UserId) -> Result<usize> {
        self.execute("DELETE FROM user_session WHERE user_id = ?", &cells![id])
    }

    /// Deletes up to `limit` sessions of any users that expired before `now`, and returns how many: fewer
    /// than `limit` means that none is left.
    fn delete_dead_sessions(&self, now: Moment, limit: u32) -> Result<usize> {
        self.sweep("user_session", "idle_expires", now, limit)
    }

    /// Deletes the sessions of one user that expired before `now`, and returns how many.
    fn delete_dead_sessions_of(&self, id: &UserId, now: Moment) -> Result<usize> {
        let sql = "DELETE FROM user_session WHERE user_id = ? AND idle_expires < ?";
        self.execute(sql, &cells![id, now])
    }
}

/// Access tokens, which users create for scripts.
pub trait AccessTokens: Statements {
    /// Adds an access token that is created in `session`. [`AccessTokenAdded::TooMany`] if its user has
    /// `most` of them already; [`AccessTokenAdded::SessionEnded`] if the session has ended, so that a user
    /// who is disabled, or whose password changes, at the same time keeps no token. Queues a letter about it.
    fn add_access_token(
        &self,
        token: &AccessToken,
        session: &TokenHash,
        most: u32,
        letter: Option<&Letter>,
    ) -> Result<AccessTokenAdded>;

    /// All access tokens of a user, valid or expired, oldest first.
    fn access_tokens_of(&self, id: &UserId) -> Result<Vec<AccessToken>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                access_token_columns!(),
                " FROM access_token JOIN user ON user.id = access_token.user_id
                       AND user.epoch = access_token.epoch
                 WHERE access_token.user_id = ?
                 ORDER BY access_token.created_at, access_token.id"
            ),
            &cells![id],
        )
    }

    /// The access token with this id, valid or expired, and its user.
    fn user_of_access_token(&self, id: &TokenHash) -> Result<Option<(User, AccessToken)>> {
        rows::one(
            self,
            concat!(
                "SELECT ",
                user_columns!(),
                ", ",
                access_token_columns!(),
                " FROM access_token JOIN user ON user.id = access_token.user_id
                       AND user.epoch = access_token.epoch
                 WHERE access_token.id = ?"
            ),
            &cells![id],
        )
    }

    /// Notes that an access token was used. The time of last use never moves back, unless it lies in the
    /// future (see [`Moment::has_passed`]). `false` if the token is gone. Gives up as
    /// [`crate::store::Error::Unavailable`] after [`crate::store::RENEWAL_PATIENCE`].
    fn touch_access_token(&self, id: &TokenHash, now: Moment) -> Result<bool>;

    /// Deletes an access token of this user. `false` if there was none.
    fn delete_access_token(&self, user: &UserId, id: &TokenHash) -> Result<bool> {
        let sql = "DELETE FROM access_token WHERE id = ? AND user_id = ?";
        Ok(self.execute(sql, &cells![id, user])? > 0)
    }

    /// Deletes up to `limit` access tokens that expired before `earliest`, and returns how many.
    fn delete_ended_access_tokens(&self, earliest: Moment, limit: u32) -> Result<usize> {
        self.sweep("access_token", "expires_at", earliest, limit)
    }
}

/// One-time tokens: each does one thing for its user, once.
pub trait OneTimeTokens: Statements {
    /// Adds a one-time token, replacing all others of its user with its purpose. It is valid only while its
    /// user has the current epoch. [`OneTimeTokenAdded::NoUser`] if the user is gone.
    fn add_one_time_token(&self, token: &OneTimeToken) -> Result<OneTimeTokenAdded>;

    /// The user, disabled or not, of a valid token of this purpose, and its detail. One created in the future is not
    /// valid: see [`Moment::has_passed`].
    fn user_of_one_time_token(
        &self,
        id: &TokenHash,
        purpose: Purpose,
        now: Moment,
    ) -> Result<Option<(User, String)>> {
        rows::one(
            self,
            concat!(
                "SELECT ",
                user_columns!(),
                ", it.detail FROM one_time_token AS it JOIN user ON user.id = it.user_id
                       AND user.epoch = it.epoch
                 WHERE it.id = ? AND it.purpose = ? AND it.expires_at >= ? AND it.created_at <= ?"
            ),
            &cells![id, purpose, now, now.latest_past()],
        )
    }

    /// Uses up a token for [`Purpose::ResetPassword`]: sets the password of its user as
    /// [`super::Keys::set_password`] does, and queues a letter about it. `false`, and nothing is queued, if the
    /// token is not valid, or if the user is disabled. Of any number of simultaneous calls, one returns `true`.
    fn reset_password(
        &self,
        id: &TokenHash,
        hash: &PasswordHash,
        letter: Option<&Letter>,
        now: Moment,
    ) -> Result<bool>;

    /// Uses up a token for [`Purpose::VerifyEmail`] of this user: the address in its detail is theirs from now on.
    /// Deletes their one-time tokens and queues a letter, as [`super::Users::set_email`] does. `false`, and nothing
    /// is queued, if the token is not valid or another user's, or if the user is disabled. Of any number of
    /// simultaneous calls, one returns `true`.
    fn verify_email(
        &self,
        id: &TokenHash,
        user: &UserId,
        letter: Option<&Letter>,
        now: Moment,
    ) -> Result<bool>;

    /// Deletes up to `limit` one-time tokens that expired before `now`, and returns how many.
    fn delete_ended_one_time_tokens(&self, now: Moment, limit: u32) -> Result<usize> {
        self.sweep("one_time_token", "expires_at", now, limit)
    }
}

/// Invitations: links with which people create accounts.
pub trait Invitations: Statements {
    /// Adds an invitation. Its id is random and must be new.
    fn add_invite(&self, invite: &Invite) -> Result<()>;

    /// Adds an invitation for the first account, replacing any other such. `false`, and nothing is written,
    /// if there is an account.
    fn add_first_invite(&self, invite: &Invite) -> Result<bool>;

    /// The invitation with this id, if it is valid at this moment. One created in the future is not: see
    /// [`Moment::has_passed`].
    fn invite(&self, id: &TokenHash, now: Moment) -> Result<Option<Invite>> {
        rows::one(
            self,
            concat!(
                "SELECT ",
                invite_columns!(),
                " FROM invite WHERE id = ? AND expires_at >= ? AND created_at <= ?
                   AND (is_first = 0 OR NOT EXISTS (SELECT 1 FROM user))"
            ),
            &cells![id, now, now.latest_past()],
        )
    }

    /// All invitations that are valid at this moment, oldest first.
    fn invites(&self, now: Moment) -> Result<Vec<Invite>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                invite_columns!(),
                " FROM invite WHERE expires_at >= ? AND created_at <= ?
                   AND (is_first = 0 OR NOT EXISTS (SELECT 1 FROM user))
                 ORDER BY created_at, id"
            ),
            &cells![now, now.latest_past()],
        )
    }

    /// Deletes an invitation. `false` if there was none.
    fn delete_invite(&self, id: &TokenHash) -> Result<bool> {
        Ok(self.execute("DELETE FROM invite WHERE id = ?", &cells![id])? > 0)
    }

    /// Deletes up to `limit` invitations that expired before `now`, and returns how many.
    fn delete_ended_invites(&self, now: Moment, limit: u32) -> Result<usize> {
        self.sweep("invite", "expires_at", now, limit)
    }
}
