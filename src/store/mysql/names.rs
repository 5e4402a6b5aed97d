//! The statements for resting names.

use super::{Mysql, MysqlFault, MysqlResult, Tx, blob, values};
use crate::base::clock::Moment;
use crate::store::outcomes::Refused;
use crate::store::rows::ToCells;
use crate::store::{NameHash, Names, RestingName, UserId};

impl Names for Mysql {}

impl Mysql {
    pub(super) fn name_hash(&self, canonical: &str) -> NameHash {
        NameHash::of(&self.handle_key, canonical)
    }
}

/// [`Refused::Resting`] if this name rests and is not this user's former name. To be called after the name
/// was written: a simultaneous deletion of its owner has reserved the name by then.
pub(super) fn refuse_resting(
    tx: &mut Tx<'_>,
    id: NameHash,
    user: &UserId,
    now: Moment,
) -> MysqlResult<()> {
    let rests = tx.exists(
        "SELECT 1 FROM resting_name
          WHERE id = ? AND expires_at >= ? AND (user_id IS NULL OR user_id <> ?)",
        (blob(&id.0), now.millis(), user.as_str()),
    )?;
    if rests { Err(MysqlFault::Refused(Refused::Resting)) } else { Ok(()) }
}

pub(super) fn delete(tx: &mut Tx<'_>, id: NameHash) -> MysqlResult<usize> {
    tx.run("DELETE FROM resting_name WHERE id = ?", (blob(&id.0),))
}

/// Removes the owner from the former names of a deleted user, so that nothing tells whose they were.
pub(super) fn forget_owner(tx: &mut Tx<'_>, id: &UserId) -> MysqlResult<()> {
    tx.run("UPDATE resting_name SET user_id = NULL WHERE user_id = ?", (id.as_str(),))?;
    Ok(())
}

/// Reserves a name. If it rests already, the later end counts.
pub(super) fn upsert(tx: &mut Tx<'_>, it: &RestingName) -> MysqlResult<()> {
    tx.run(
        "INSERT INTO resting_name (id, user_id, expires_at) VALUES (?, ?, ?)
         ON DUPLICATE KEY UPDATE user_id = VALUES(user_id),
                                 expires_at = GREATEST(expires_at, VALUES(expires_at))",
        values(&it.cells()),
    )?;
    Ok(())
}
