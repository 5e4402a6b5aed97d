//! The statements for second factors.

use rusqlite::{Connection, Transaction};

use super::passkeys::use_passkey;
use super::sessions::{end_beyond, insert_session};
use super::{
    Sqlite, SqliteFault, SqliteResult, WRITE_PATIENCE, all, exists, mail, one_time_tokens, run,
};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::contract::{
    ADD_SEAL, CHANGE_SECRET, DELETE_SEAL, EMPTY_SLOT, END_MERE_SECOND_FACTORS, END_OTHER_FACTORS,
    FORGET_BROWSERS, SECOND_STEPS_MAX, SLOTS_OF_TOKENS, USE_RECOVERY_CODE, USE_SECOND_STEP,
    USE_STEP, token_slot,
};
use crate::store::outcomes::Refused;
use crate::store::rows::{ToCells, cells};
use crate::store::{
    CountId, Epoch, FactorProof, Letter, OneTimeToken, OneTimeTokenAdded, Result, SealRow,
    SecondFactor, SecondFactorOn, SecondFactorSet, SecondFactors, SecondStepDone, SecretChange,
    Session, SessionStart, Totp, UserId,
};

impl SecondFactors for Sqlite {
    fn begin_second_step(
        &self,
        token: &OneTimeToken,
        proof: Epoch,
        cleared: Option<&CountId>,
    ) -> Result<OneTimeTokenAdded> {
        let (user, purpose) = (&token.user_id, token.purpose);
        OneTimeTokenAdded::of(self.write(WRITE_PATIENCE, |tx| {
            let sql = "SELECT 1 FROM user WHERE id = ? AND epoch = ? AND disabled_at IS NULL";
            refuse_unless(exists(tx, sql, &cells![user, proof])?, Refused::NoUser)?;
            if let Some(id) = cleared {
                run(tx, "DELETE FROM throttle WHERE id = ?", &cells![id])?;
            }
            let slots: Vec<u32> = all(tx, SLOTS_OF_TOKENS, &cells![user, purpose])?;
            let slot = token_slot(&slots, SECOND_STEPS_MAX);
            run(tx, EMPTY_SLOT, &cells![user, purpose, slot])?;
            one_time_tokens::insert(tx, token, slot)
        }))
    }

    fn finish_second_step(
        &self,
        id: &TokenHash,
        proof: &FactorProof<'_>,
        session: &Session,
        most: u32,
        entry: &SessionStart,
    ) -> Result<SecondStepDone> {
        let (user, now) = (&session.user_id, session.created_at);
        SecondStepDone::of(self.write(WRITE_PATIENCE, |tx| {
            let params = cells![id, user, now, now.latest_past()];
            refuse_unless(run(tx, USE_SECOND_STEP, &params)? > 0, Refused::NoUser)?;
            use_proof(tx, user, proof)?;
            insert_session(tx, session, entry)?;
            end_beyond(tx, session, most)
        }))
    }

    fn turn_second_factor_on(
        &self,
        proof: &FactorProof<'_>,
        session: &Session,
        entry: &SessionStart,
    ) -> Result<SecondFactorOn> {
        SecondFactorOn::of(self.write(WRITE_PATIENCE, |tx| {
            let sql = "SELECT 1 FROM user_session JOIN user ON user.id = user_session.user_id
                              AND user.epoch = user_session.epoch
                        WHERE user_session.id = ? AND user.id = ?";
            let user = &session.user_id;
            let is_live = exists(tx, sql, &cells![entry.replaced.as_ref(), user])?;
            refuse_unless(is_live, Refused::NoUser)?;
            use_proof(tx, user, proof)?;
            insert_session(tx, session, entry)
        }))
    }

    fn turn_second_factor_off(
        &self,
        user: &UserId,
        proof: Option<&FactorProof<'_>>,
        letter: Option<&Letter>,
    ) -> Result<SecondFactorSet> {
        SecondFactorSet::of(self.write(WRITE_PATIENCE, |tx| {
            let sql = "UPDATE user SET second_factor_since = NULL
                        WHERE id = ? AND second_factor_since IS NOT NULL";
            refuse_unless(run(tx, sql, &cells![user])? > 0, Refused::NoUser)?;
            match proof {
                Some(proof) => use_proof(tx, user, proof)?,
                None => drop(run(tx, "DELETE FROM user_session WHERE user_id = ?", &cells![user])?),
            }
            end_factors(tx, user)?;
            run(tx, END_MERE_SECOND_FACTORS, &cells![user])?;
            mail::insert(tx, letter)
        }))
    }

    fn replace_recovery_codes(
        &self,
        user: &UserId,
        codes: &[TokenHash],
        proof: &FactorProof<'_>,
        letter: Option<&Letter>,
        now: Moment,
    ) -> Result<SecondFactorSet> {
        SecondFactorSet::of(self.write(WRITE_PATIENCE, |tx| {
            let sql = "SELECT 1 FROM user WHERE id = ? AND second_factor_since IS NOT NULL";
            refuse_unless(exists(tx, sql, &cells![user])?, Refused::NoUser)?;
            use_proof(tx, user, proof)?;
            run(tx, "DELETE FROM recovery_code WHERE user_id = ?", &cells![user])?;
            insert_codes(tx, user, codes, now)?;
            run(tx, FORGET_BROWSERS, &cells![user])?;
            mail::insert(tx, letter)
        }))
    }

    fn change_secrets(&self, changes: &[SecretChange]) -> Result<usize> {
        let written = self.write(WRITE_PATIENCE, |tx| {
            changes.iter().try_fold(0, |sum, it| {
                let params = cells![&*it.after, &it.user_id, &*it.before];
                Ok(sum + run(tx, CHANGE_SECRET, &params)?)
            })
        });
        Ok(written?)
    }

    fn change_seal(
        &self,
        before: Option<&[u8; 32]>,
        current: Option<&[u8; 32]>,
        previous: Option<&[u8; 32]>,
    ) -> Result<bool> {
        let changed = self.write(WRITE_PATIENCE, |tx| {
            let sql = "SELECT value FROM secret WHERE name = ?";
            let found: Vec<TokenHash> = all(tx, sql, &cells![SealRow::Current.name()])?;
            if found.first().map(TokenHash::as_bytes) != before {
                return Ok(false);
            }
            run(tx, DELETE_SEAL, &[])?;
            for (row, value) in [(SealRow::Current, current), (SealRow::Previous, previous)] {
                if let Some(value) = value {
                    run(tx, ADD_SEAL, &cells![row.name(), &value[..]])?;
                }
            }
            Ok(true)
        });
        Ok(changed?)
    }
}

pub(super) fn refuse_unless(is_met: bool, refused: Refused) -> SqliteResult<()> {
    if is_met { Ok(()) } else { Err(SqliteFault::Refused(refused)) }
}

fn use_proof(tx: &Transaction<'_>, user: &UserId, proof: &FactorProof<'_>) -> SqliteResult<()> {
    let rows = match proof {
        FactorProof::Step(step) => run(tx, USE_STEP, &cells![*step, user, *step])?,
        FactorProof::RecoveryCode(id) => run(tx, USE_RECOVERY_CODE, &cells![id, user])?,
        FactorProof::Passkey(it) => return use_passkey(tx, user, it),
        FactorProof::NewApp(totp, codes) => {
            return put_factor(tx, (user, totp.created_at), Some(totp), codes);
        }
        FactorProof::NewPasskey(it, codes) => {
            use_passkey(tx, user, it)?;
            return put_factor(tx, (user, it.at), None, codes);
        }
    };
    refuse_unless(rows > 0, Refused::UsedCode)
}

/// Sets up the second factor of a user who has none. Ends all their sessions and forgets their devices.
fn put_factor(
    tx: &Transaction<'_>,
    (user, now): (&UserId, Moment),
    totp: Option<&Totp>,
    codes: &[TokenHash],
) -> SqliteResult<()> {
    let sql =
        "UPDATE user SET second_factor_since = ? WHERE id = ? AND second_factor_since IS NULL";
    let is_new = run(tx, sql, &cells![now, user])? > 0;
    refuse_unless(is_new, Refused::Duplicate)?;
    end_factors(tx, user)?;
    for sql in
        ["DELETE FROM user_session WHERE user_id = ?", "DELETE FROM device WHERE user_id = ?"]
    {
        run(tx, sql, &cells![user])?;
    }
    insert(tx, (user, now), totp, codes)
}

/// Adds an app and recovery codes of a user who has none.
pub(super) fn insert(
    tx: &Transaction<'_>,
    (user, now): (&UserId, Moment),
    totp: Option<&Totp>,
    codes: &[TokenHash],
) -> SqliteResult<()> {
    if let Some(totp) = totp {
        let sql = "INSERT INTO totp (user_id, secret, last_step, created_at) VALUES (?, ?, ?, ?)";
        run(tx, sql, &totp.cells())?;
    }
    insert_codes(tx, user, codes, now)
}

/// The second factor of a user who has one.
pub(super) fn of_user(conn: &Connection, user: &UserId) -> SqliteResult<SecondFactor> {
    let sql = "SELECT user_id, secret, last_step, created_at FROM totp WHERE user_id = ?";
    let totp = all::<Totp>(conn, sql, &cells![user])?.pop();
    let sql = "SELECT id FROM recovery_code WHERE user_id = ? ORDER BY id";
    let recovery_codes = all(conn, sql, &cells![user])?;
    Ok(SecondFactor { totp, recovery_codes })
}

fn end_factors(tx: &Transaction<'_>, user: &UserId) -> SqliteResult<()> {
    END_OTHER_FACTORS.iter().try_for_each(|sql| run(tx, sql, &cells![user]).map(drop))
}

fn insert_codes(
    tx: &Transaction<'_>,
    user: &UserId,
    codes: &[TokenHash],
    now: Moment,
) -> SqliteResult<()> {
    let sql = "INSERT INTO recovery_code (id, user_id, created_at) VALUES (?, ?, ?)";
    codes.iter().try_for_each(|id| run(tx, sql, &cells![id, user, now]).map(drop))
}
