//! The statements for passkeys.

use rusqlite::Transaction;

use super::second_factors::refuse_unless;
use super::sessions::{end_beyond, insert_session, prove};
use super::{Sqlite, SqliteResult, WRITE_PATIENCE, exists, first, mail, run};
use crate::base::token::TokenHash;
use crate::store::contract::{ADD_USED_CHALLENGE, USE_PASSKEY};
use crate::store::outcomes::Refused;
use crate::store::rows::{ToCells, cells};
use crate::store::{
    Letter, Passkey, PasskeyAccepted, PasskeyAdded, PasskeyRemoved, PasskeyUse, Passkeys, Result,
    Session, SessionStart, UsedChallenge, UserId,
};

impl Passkeys for Sqlite {
    fn add_passkey(
        &self,
        passkey: &Passkey,
        challenge: &UsedChallenge,
        session: &TokenHash,
        most: u32,
        letter: Option<&Letter>,
    ) -> Result<PasskeyAdded> {
        PasskeyAdded::of(self.write(WRITE_PATIENCE, |tx| {
            refuse_unless(is_live(tx, session, &passkey.user_id)?, Refused::NoUser)?;
            use_challenge(tx, challenge)?;
            let sql = "SELECT count(*) FROM passkey WHERE user_id = ?";
            let count: Option<i64> = first(tx, sql, &cells![&passkey.user_id])?;
            refuse_unless(count.unwrap_or(0) < most.into(), Refused::TooMany)?;
            let sql = "SELECT 1 FROM passkey WHERE id = ?";
            refuse_unless(!exists(tx, sql, &cells![&*passkey.id])?, Refused::Duplicate)?;
            insert(tx, passkey)?;
            mail::insert(tx, letter)
        }))
    }

    fn remove_passkey(
        &self,
        user: &UserId,
        id: &[u8],
        rp_id: Option<&str>,
        letter: Option<&Letter>,
    ) -> Result<PasskeyRemoved> {
        PasskeyRemoved::of(self.write(WRITE_PATIENCE, |tx| {
            let sql = "DELETE FROM passkey WHERE id = ? AND user_id = ?";
            refuse_unless(run(tx, sql, &cells![id, user])? > 0, Refused::NoUser)?;
            let sql = "SELECT 1 FROM user WHERE id = ?1 AND (second_factor_since IS NULL
                           OR EXISTS (SELECT 1 FROM totp WHERE user_id = ?1)
                           OR EXISTS (SELECT 1 FROM passkey WHERE user_id = ?1 AND rp_id = ifnull(?2, rp_id)))";
            refuse_unless(exists(tx, sql, &cells![user, rp_id])?, Refused::LastFactor)?;
            mail::insert(tx, letter)
        }))
    }

    fn start_session_with_passkey(
        &self,
        passkey_use: &PasskeyUse,
        session: &Session,
        most: u32,
        entry: &SessionStart,
    ) -> Result<PasskeyAccepted> {
        PasskeyAccepted::of(self.write(WRITE_PATIENCE, |tx| {
            use_passkey(tx, &session.user_id, passkey_use)?;
            insert_session(tx, session, entry)?;
            end_beyond(tx, session, most)
        }))
    }

    fn prove_with_passkey(
        &self,
        user: &UserId,
        passkey_use: &PasskeyUse,
        session: &TokenHash,
    ) -> Result<PasskeyAccepted> {
        PasskeyAccepted::of(self.write(WRITE_PATIENCE, |tx| {
            refuse_unless(is_live(tx, session, user)?, Refused::NoUser)?;
            use_passkey(tx, user, passkey_use)?;
            prove(tx, session, passkey_use.at).map(drop)
        }))
    }
}

/// Whether this is a session of the user, under their present credentials.
fn is_live(tx: &Transaction<'_>, session: &TokenHash, user: &UserId) -> SqliteResult<bool> {
    let sql = "SELECT 1 FROM user_session WHERE id = ?1 AND user_id = ?2
                  AND epoch = (SELECT epoch FROM user WHERE id = ?2)";
    exists(tx, sql, &cells![session, user])
}

/// Notes a use of a passkey, which proves its owner.
pub(super) fn use_passkey(
    tx: &Transaction<'_>,
    user: &UserId,
    passkey_use: &PasskeyUse,
) -> SqliteResult<()> {
    use_challenge(tx, &passkey_use.challenge)?;
    let params = cells![
        passkey_use.sign_count,
        passkey_use.is_backed_up,
        passkey_use.at,
        &*passkey_use.id,
        user,
        passkey_use.known_count
    ];
    refuse_unless(run(tx, USE_PASSKEY, &params)? > 0, Refused::UsedCode)
}

fn use_challenge(tx: &Transaction<'_>, challenge: &UsedChallenge) -> SqliteResult<()> {
    let sql = "SELECT 1 FROM used_challenge WHERE id = ?";
    refuse_unless(!exists(tx, sql, &cells![&challenge.id[..]])?, Refused::UsedCode)?;
    run(tx, ADD_USED_CHALLENGE, &challenge.cells()).map(drop)
}

/// Adds a passkey.
pub(super) fn insert(tx: &Transaction<'_>, passkey: &Passkey) -> SqliteResult<()> {
    let sql = "INSERT INTO passkey (id, user_id, user_handle, public_key, sign_count, rp_id,
                                    verifies_user, is_backed_up, transports, name, created_at, used_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    run(tx, sql, &passkey.cells()).map(drop)
}
