//! The statements for passkeys.

use super::second_factors::refuse_unless;
use super::sessions::{PROVE, end_beyond, has_session, insert_session};
use super::users::lock_user;
use super::{Mysql, MysqlFault, MysqlResult, Tx, blob, mail, values};
use crate::base::token::TokenHash;
use crate::store::contract::{ADD_USED_CHALLENGE, USE_PASSKEY};
use crate::store::outcomes::Refused;
use crate::store::rows::{ToCells, cells};
use crate::store::{
    Letter, Passkey, PasskeyAccepted, PasskeyAdded, PasskeyRemoved, PasskeyUse, Passkeys, Result,
    Session, SessionStart, UsedChallenge, UserId,
};

// Every method locks the row of the user first. Servers on other nodes write the same challenge, or the same passkey,
// and one of them has a conflict and is run again.
impl Passkeys for Mysql {
    fn add_passkey(
        &self,
        passkey: &Passkey,
        challenge: &UsedChallenge,
        session: &TokenHash,
        most: u32,
        letter: Option<&Letter>,
    ) -> Result<PasskeyAdded> {
        let user = &passkey.user_id;
        PasskeyAdded::of(self.write(|tx| {
            lock_user(tx, user.as_str())?;
            let sql = "SELECT 1 FROM passkey WHERE id = ? AND user_id = ? AND public_key = ?";
            let same = cells![&*passkey.id, user, &*passkey.public_key];
            if tx.may_be_applied && tx.exists(sql, values(&same))? {
                return Ok(());
            }
            refuse_unless(is_live(tx, session, user)?, Refused::NoUser)?;
            use_challenge(tx, challenge)?;
            let sql = "SELECT 1 FROM passkey WHERE user_id = ?";
            let count = tx.rows(sql, (user.as_str(),))?.len();
            refuse_unless(count < most as usize, Refused::TooMany)?;
            let sql = "SELECT 1 FROM passkey WHERE id = ?";
            refuse_unless(!tx.exists(sql, (blob(&passkey.id),))?, Refused::Duplicate)?;
            let sql =
                "INSERT INTO passkey (id, user_id, user_handle, public_key, sign_count, rp_id,
                           verifies_user, is_backed_up, transports, name, created_at, used_at)
                       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
            tx.run(sql, values(&passkey.cells()))?;
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
        PasskeyRemoved::of(self.write(|tx| {
            let is_there = lock_user(tx, user.as_str())?.is_some();
            let sql = "DELETE FROM passkey WHERE id = ? AND user_id = ?";
            if tx.run(sql, values(&cells![id, user]))? == 0 {
                // An earlier try has removed it.
                return refuse_unless(is_there && tx.may_be_applied, Refused::NoUser);
            }
            let sql = "SELECT 1 FROM user WHERE id = ? AND (second_factor_since IS NULL
                           OR EXISTS (SELECT 1 FROM totp WHERE user_id = user.id)
                           OR EXISTS (SELECT 1 FROM passkey WHERE user_id = user.id
                                         AND rp_id = ifnull(?, rp_id)))";
            refuse_unless(tx.exists(sql, (user.as_str(), rp_id))?, Refused::LastFactor)?;
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
        PasskeyAccepted::of(self.write(|tx| {
            if tx.may_be_applied && has_session(tx, &session.id)? {
                return Ok(());
            }
            lock_user(tx, session.user_id.as_str())?;
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
        PasskeyAccepted::of(self.write(|tx| {
            lock_user(tx, user.as_str())?;
            refuse_unless(is_live(tx, session, user)?, Refused::NoUser)?;
            let sql = "SELECT 1 FROM user_session WHERE id = ? AND proven_at = ?";
            if tx.may_be_applied && tx.exists(sql, values(&cells![session, passkey_use.at]))? {
                return Ok(());
            }
            use_passkey(tx, user, passkey_use)?;
            let (at, latest) = (passkey_use.at, passkey_use.at.latest_past());
            let params = cells![latest, at, at, latest, at, at, session];
            tx.run(PROVE, values(&params)).map(drop)
        }))
    }
}

/// Whether this is a session of the user, under their present credentials.
fn is_live(tx: &mut Tx<'_>, session: &TokenHash, user: &UserId) -> MysqlResult<bool> {
    let sql = "SELECT 1 FROM user_session JOIN user ON user.id = user_session.user_id
                      AND user.epoch = user_session.epoch
                WHERE user_session.id = ? AND user.id = ?";
    tx.exists(sql, values(&cells![session, user]))
}

/// Notes a use of a passkey, which proves its owner.
pub(super) fn use_passkey(
    tx: &mut Tx<'_>,
    user: &UserId,
    passkey_use: &PasskeyUse,
) -> MysqlResult<()> {
    use_challenge(tx, &passkey_use.challenge)?;
    let params = cells![
        passkey_use.sign_count,
        passkey_use.is_backed_up,
        passkey_use.at,
        &*passkey_use.id,
        user,
        passkey_use.known_count
    ];
    refuse_unless(tx.run(USE_PASSKEY, values(&params))? > 0, Refused::UsedCode)
}

fn use_challenge(tx: &mut Tx<'_>, challenge: &UsedChallenge) -> MysqlResult<()> {
    match tx.run(ADD_USED_CHALLENGE, values(&challenge.cells())) {
        Err(MysqlFault::Refused(Refused::Duplicate)) => Err(MysqlFault::Refused(Refused::UsedCode)),
        done => done.map(drop),
    }
}
