//! What a server will do to a file when it starts on it: nothing, make it, or upgrade its schema.

use std::path::Path;

use rustix::fs::{Access, access};

use super::SqliteFault;
use super::file::{
    FileResult, FileState, broken, damage, damaged, find, inspect, is_damage, read_only,
    refuse_network,
};
use super::schema;
use crate::base::file_fault::writing;
use crate::base::new_file::folder_of;
use crate::store::HALF_COPIED_TEXT;
use crate::store::engine::Preparation;

/// What a server does to the file at `path` when it starts. Nothing is changed. A file that cannot be made, or that is
/// to be upgraded and is damaged or half copied, is refused.
pub(super) fn preparation(path: &Path) -> crate::store::Result<Preparation> {
    looked_at(path).map_err(|refusal| {
        refusal.0.saying(|cause| format!("cannot open the database {}: {cause}", path.display()))
    })
}

fn looked_at(asked: &Path) -> FileResult<Preparation> {
    let path = find(asked)?;
    let FileState::Ours { .. } = inspect(&path)? else {
        see_that_it_can_be_made(&path)?;
        return Ok(Preparation::Make);
    };
    let conn = read_only(&path)?;
    let version = match schema::version(&conn) {
        Err(err) if is_damage(&err) => return damaged(&path, &err.to_string()),
        version => version?,
    };
    // The log may have another version than the file, which was read first.
    schema::refuse_newer(version.cast_signed())?;
    let preparation = Preparation::of((version, schema::newest()));
    if preparation != Preparation::Nothing {
        if schema::is_half_copied(&conn)? {
            return broken(HALF_COPIED_TEXT);
        }
        if let Some(found) = damage(&conn).map_err(SqliteFault::from)? {
            return damaged(&path, &found);
        }
    }
    Ok(preparation)
}

/// Refuses the place of a file, missing or empty, that a server could not write to.
fn see_that_it_can_be_made(path: &Path) -> FileResult<()> {
    let folder = folder_of(path);
    refuse_network(folder)?;
    let may = |path, wanted| access(path, wanted).or_else(|err| broken(writing(&err.into())));
    may(folder, Access::WRITE_OK | Access::EXEC_OK)?;
    if path.exists() { may(path, Access::READ_OK | Access::WRITE_OK) } else { Ok(()) }
}
