//! Names that rest, as they are written down.

use mysql::{Row, Value};

use super::{Answer, Fault, Mysql, Unit, blob, bytes, get, moment};
use crate::base::clock::Moment;
use crate::store::{KeyId, NameHash, Names, RestingName, Result, UserId};

impl Names for Mysql {
    fn is_name_free(&self, canonical: &str, now: Moment) -> Result<bool> {
        let id = blob(&self.name_hash(canonical).0);
        // Sums and no OR, which would not look any further than to the user.
        let found = self.read_one(
            "SELECT (SELECT count(*) FROM user WHERE canonical_username = ?)
                  + (SELECT count(*) FROM user_key WHERE id = ?)
                  + (SELECT count(*) FROM resting_name WHERE id = ? AND expires_at >= ?)",
            (canonical, KeyId::username(canonical).as_str(), id, now.millis()),
            |row| get::<i64>(row, 0),
        )?;
        Ok(found == Some(0))
    }

    fn free_name(&self, canonical: &str) -> Result<bool> {
        let id = blob(&self.name_hash(canonical).0);
        Ok(self.write_one("DELETE FROM resting_name WHERE id = ?", (id,))? > 0)
    }

    fn delete_rested_names(&self, now: Moment, limit: u32) -> Result<usize> {
        let sql = "DELETE FROM resting_name WHERE expires_at < ? ORDER BY expires_at LIMIT ?";
        self.write_one(sql, (now.millis(), limit))
    }
}

impl Mysql {
    pub(super) fn name_hash(&self, canonical: &str) -> NameHash {
        NameHash::of(&self.handle_key, canonical)
    }
}

/// [`Fault::Resting`] if this name rests, unless it is this user who had it. To be asked once the name is
/// written: whoever deletes its user at the same moment has let it rest by then.
pub(super) fn refuse_resting(
    unit: &mut Unit<'_>,
    id: NameHash,
    user: &UserId,
    now: Moment,
) -> Answer<()> {
    let rests = unit.exists(
        "SELECT 1 FROM resting_name
          WHERE id = ? AND expires_at >= ? AND (user_id IS NULL OR user_id <> ?)",
        (blob(&id.0), now.millis(), user.as_str()),
    )?;
    if rests { Err(Fault::Resting) } else { Ok(()) }
}

pub(super) fn delete(unit: &mut Unit<'_>, id: NameHash) -> Answer<usize> {
    unit.run("DELETE FROM resting_name WHERE id = ?", (blob(&id.0),))
}

/// Leaves nothing that tells whose the names were that this user had.
pub(super) fn forget_owner(unit: &mut Unit<'_>, id: &UserId) -> Answer<()> {
    unit.run("UPDATE resting_name SET user_id = NULL WHERE user_id = ?", (id.as_str(),))?;
    Ok(())
}

/// Lets a name rest. One that rests already does so for as long as either says.
pub(super) fn upsert(unit: &mut Unit<'_>, it: &RestingName) -> Answer<()> {
    let [id, user_id, expires_at] = resting_name_values(it);
    unit.run(
        "INSERT INTO resting_name (id, user_id, expires_at) VALUES (?, ?, ?)
         ON DUPLICATE KEY UPDATE user_id = VALUES(user_id),
                                 expires_at = GREATEST(expires_at, VALUES(expires_at))",
        (id, user_id, expires_at),
    )?;
    Ok(())
}

pub(super) fn resting_name_values(it: &RestingName) -> [Value; 3] {
    [blob(&it.id.0), it.user_id.as_ref().map(UserId::as_str).into(), it.expires_at.millis().into()]
}

pub(super) fn resting_name_at(row: &mut Row) -> Answer<RestingName> {
    Ok(RestingName {
        id: NameHash(bytes(row, 0)?),
        user_id: get::<Option<String>>(row, 1)?.map(UserId),
        expires_at: moment(row, 2)?,
    })
}
