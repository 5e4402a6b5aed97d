//! The statements for second factors.

use super::passkeys::use_passkey;
use super::sessions::{end_beyond, has_session, insert_session};
use super::{Mysql, MysqlFault, MysqlResult, Tx, blob, lock_user, mail, one_time_tokens, values};
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
    SecondFactorOn, SecondFactorSet, SecondFactors, SecondStepDone, SecretChange, Session,
    SessionStart, Totp, UserId,
};

// Every method locks the row of the user first: that of another server waits, or has a conflict and is run again.
impl SecondFactors for Mysql {
    fn begin_second_step(
        &self,
        token: &OneTimeToken,
        proof: Epoch,
        cleared: Option<&CountId>,
    ) -> Result<OneTimeTokenAdded> {
        let (user, purpose) = (token.user_id.as_str(), token.purpose.as_str());
        OneTimeTokenAdded::of(self.write(|tx| {
            lock_user(tx, user)?;
            let sql = "SELECT 1 FROM user WHERE id = ? AND epoch = ? AND disabled_at IS NULL";
            refuse_unless(tx.exists(sql, (user, proof.0))?, Refused::NoUser)?;
            if let Some(id) = cleared {
                tx.run("DELETE FROM throttle WHERE id = ?", (blob(&id.0),))?;
            }
            let slots: Vec<u32> = tx.all(SLOTS_OF_TOKENS, (user, purpose))?;
            let slot = token_slot(&slots, SECOND_STEPS_MAX);
            tx.run(EMPTY_SLOT, (user, purpose, slot))?;
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
        SecondStepDone::of(self.write(|tx| {
            if tx.may_be_applied && has_session(tx, &session.id)? {
                return Ok(());
            }
            lock_user(tx, user.as_str())?;
            let params = cells![id, user, now, now.latest_past()];
            refuse_unless(tx.run(USE_SECOND_STEP, values(&params))? > 0, Refused::NoUser)?;
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
        SecondFactorOn::of(self.write(|tx| {
            if tx.may_be_applied && has_session(tx, &session.id)? {
                return Ok(());
            }
            let user = &session.user_id;
            lock_user(tx, user.as_str())?;
            let sql = "SELECT 1 FROM user_session JOIN user ON user.id = user_session.user_id
                              AND user.epoch = user_session.epoch
                        WHERE user_session.id = ? AND user.id = ?";
            let params = cells![entry.replaced.as_ref(), user];
            refuse_unless(tx.exists(sql, values(&params))?, Refused::NoUser)?;
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
        SecondFactorSet::of(self.write(|tx| {
            let is_there = lock_user(tx, user.as_str())?.is_some();
            let sql = "UPDATE user SET second_factor_since = NULL
                        WHERE id = ? AND second_factor_since IS NOT NULL";
            if tx.run(sql, (user.as_str(),))? == 0 {
                // An earlier try has turned it off.
                return refuse_unless(is_there && tx.may_be_applied, Refused::NoUser);
            }
            match proof {
                Some(proof) => use_proof(tx, user, proof)?,
                None => {
                    tx.run("DELETE FROM user_session WHERE user_id = ?", (user.as_str(),))?;
                }
            }
            end_factors(tx, user)?;
            tx.run(END_MERE_SECOND_FACTORS, (user.as_str(),))?;
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
        SecondFactorSet::of(self.write(|tx| {
            lock_user(tx, user.as_str())?;
            let sql = "SELECT 1 FROM recovery_code WHERE id = ?";
            if tx.may_be_applied
                && let Some(first) = codes.first()
                && tx.exists(sql, (blob(first.as_bytes()),))?
            {
                return Ok(());
            }
            let sql = "SELECT 1 FROM user WHERE id = ? AND second_factor_since IS NOT NULL";
            refuse_unless(tx.exists(sql, (user.as_str(),))?, Refused::NoUser)?;
            use_proof(tx, user, proof)?;
            tx.run("DELETE FROM recovery_code WHERE user_id = ?", (user.as_str(),))?;
            insert_codes(tx, user, codes, now)?;
            tx.run(FORGET_BROWSERS, (user.as_str(),))?;
            mail::insert(tx, letter)
        }))
    }

    fn change_secrets(&self, changes: &[SecretChange]) -> Result<usize> {
        let written = self.write(|tx| {
            changes.iter().try_fold(0, |sum, it| {
                let params = cells![&*it.after, &it.user_id, &*it.before];
                Ok(sum + tx.run(CHANGE_SECRET, values(&params))?)
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
        let changed = self.write(|tx| {
            // The row that is always there is locked, as no other can be where there is none yet.
            tx.rows("SELECT 1 FROM secret WHERE name = 'handle' FOR UPDATE", ())?;
            let sql = "SELECT value FROM secret WHERE name = ?";
            let found: Vec<TokenHash> = tx.all(sql, (SealRow::Current.name(),))?;
            let found = found.first().map(TokenHash::as_bytes);
            if tx.may_be_applied && found == current {
                return Ok(true);
            }
            if found != before {
                return Ok(false);
            }
            tx.run(DELETE_SEAL, ())?;
            for (row, value) in [(SealRow::Current, current), (SealRow::Previous, previous)] {
                if let Some(value) = value {
                    tx.run(ADD_SEAL, (row.name(), blob(value)))?;
                }
            }
            Ok(true)
        });
        Ok(changed?)
    }
}

pub(super) fn refuse_unless(is_met: bool, refused: Refused) -> MysqlResult<()> {
    if is_met { Ok(()) } else { Err(MysqlFault::Refused(refused)) }
}

fn use_proof(tx: &mut Tx<'_>, user: &UserId, proof: &FactorProof<'_>) -> MysqlResult<()> {
    let rows = match proof {
        FactorProof::Step(step) => tx.run(USE_STEP, values(&cells![*step, user, *step]))?,
        FactorProof::RecoveryCode(id) => tx.run(USE_RECOVERY_CODE, values(&cells![id, user]))?,
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
    tx: &mut Tx<'_>,
    (user, now): (&UserId, Moment),
    totp: Option<&Totp>,
    codes: &[TokenHash],
) -> MysqlResult<()> {
    let sql =
        "UPDATE user SET second_factor_since = ? WHERE id = ? AND second_factor_since IS NULL";
    let is_new = tx.run(sql, (now.millis(), user.as_str()))? > 0;
    refuse_unless(is_new, Refused::Duplicate)?;
    end_factors(tx, user)?;
    for sql in
        ["DELETE FROM user_session WHERE user_id = ?", "DELETE FROM device WHERE user_id = ?"]
    {
        tx.run(sql, (user.as_str(),))?;
    }
    if let Some(totp) = totp {
        let sql = "INSERT INTO totp (user_id, secret, last_step, created_at) VALUES (?, ?, ?, ?)";
        tx.run(sql, values(&totp.cells()))?;
    }
    insert_codes(tx, user, codes, now)
}

fn end_factors(tx: &mut Tx<'_>, user: &UserId) -> MysqlResult<()> {
    END_OTHER_FACTORS.iter().try_for_each(|sql| tx.run(sql, (user.as_str(),)).map(drop))
}

fn insert_codes(
    tx: &mut Tx<'_>,
    user: &UserId,
    codes: &[TokenHash],
    now: Moment,
) -> MysqlResult<()> {
    let sql = "INSERT INTO recovery_code (id, user_id, created_at) VALUES (?, ?, ?)";
    codes.iter().try_for_each(|id| tx.run(sql, values(&cells![id, user, now])).map(drop))
}
