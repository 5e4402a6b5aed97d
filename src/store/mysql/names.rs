//! Names that rest, as they are written down.

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

/// [`Refused::Resting`] if this name rests, unless it is this user who had it. To be asked once the name is
/// written: whoever deletes its user at the same moment has let it rest by then.
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

/// Leaves nothing that tells whose the names were that this user had.
pub(super) fn forget_owner(tx: &mut Tx<'_>, id: &UserId) -> MysqlResult<()> {
    tx.run("UPDATE resting_name SET user_id = NULL WHERE user_id = ?", (id.as_str(),))?;
    Ok(())
}

/// Lets a name rest. One that rests already does so for as long as either says.
pub(super) fn upsert(tx: &mut Tx<'_>, it: &RestingName) -> MysqlResult<()> {
    tx.run(
        "INSERT INTO resting_name (id, user_id, expires_at) VALUES (?, ?, ?)
         ON DUPLICATE KEY UPDATE user_id = VALUES(user_id),
                                 expires_at = GREATEST(expires_at, VALUES(expires_at))",
        values(&it.cells()),
    )?;
    Ok(())
}
