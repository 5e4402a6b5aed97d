//! Backup and restore of the file.
//!
//! Whatever happens in between, each path has either its old content or the complete new one.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::geteuid;

use super::names::Kept;
use super::{SqliteFault, SqliteResult, audit, file, names, schema};
use crate::base::clock::Moment;
use crate::base::file_fault::writing;
use crate::base::new_file::{NewFile, folder_of, sync_folder, with_suffix};
use crate::store::engine::OpenMode;
use crate::store::tables::{ALL, FORMERLY_ENDED_BY_RESTORE};
use crate::store::{Error, Record, Result};

/// The suffixes of the files that SQLite keeps beside a database: the log, its index, and the rollback
/// journal.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Pages that are copied between two progress reports.
const PAGES_AT_ONCE: i32 = 2_048;

/// Receives how many pages of how many are copied.
pub type PageProgress<'a> = &'a mut dyn FnMut(u64, u64);

/// Writes a copy of the database `from`, as of one moment, to a new file that only its owner can read.
/// Returns the version of its schema and that of the newest one; an older schema is copied as it is.
///
/// Other processes can go on meanwhile. If `to` exists it is refused and left as it is, and a failed copy
/// is removed. `progress` receives reports meanwhile.
pub fn back_up(from: &Path, to: &Path, progress: PageProgress<'_>) -> Result<(u32, u32)> {
    let failed = |cause: String| Error::Broken(format!("cannot write {}: {cause}", to.display()));
    let source = file::open(from, OpenMode::ToBackUp)?.conn;
    let version = schema::version(&source).map_err(SqliteFault::from)?;
    let copy = NewFile::create(to).map_err(|err| failed(writing(&err)))?;
    copy_into(&source, copy.part(), progress, |_| Ok(())).map_err(|err| failed(err.to_string()))?;
    copy.finish().map_err(|err| failed(writing(&err)))?;
    Ok((version, schema::newest()))
}

/// The outcome of [`restore`].
#[derive(Debug)]
pub struct Restored {
    /// How many sessions were left out.
    pub sessions: usize,
    /// Where the replaced files are now.
    pub kept: Vec<PathBuf>,
    /// How many names are reserved because an account had them in the replaced database. `None`: that
    /// database could not be read.
    pub names: Option<usize>,
    /// The version of the schema that the backup has, that the database has now, and the newest one: one that is too
    /// old to reserve names is upgraded where there are some.
    pub schemas: [u32; 3],
}

/// Replaces the database `to` by a copy of the backup `from`, with the owner, group and mode of the
/// existing file, or else those of the folder, and with a record of it in the audit log. Sessions, access
/// tokens, reset links and invitations are left out unless they are to be kept, since some may have been
/// ended after the backup. No name becomes free: what is reserved in the replaced database stays so, and
/// the names of its accounts that the backup lacks are reserved until `rests_until`.
///
/// The replaced file is moved aside, even if it is damaged. Nothing is changed unless the backup is intact
/// and vestibule's, and no other process uses the database.
pub fn restore(
    from: &Path,
    to: &Path,
    keeps_sessions: bool,
    rests_until: Option<Moment>,
    record: &dyn Fn(usize) -> Record,
    progress: PageProgress<'_>,
    now: Moment,
) -> Result<Restored> {
    let source = file::inspected(from)?;
    let damage = file::damage(&source).map_err(SqliteFault::from)?;
    if let Some(damage) = damage {
        return Err(Error::Broken(format!("the backup is damaged: {damage}")));
    }
    let to = &file::destination(to)?;
    let failed = |err: io::Error| {
        Error::Broken(format!("cannot replace {}: {}", to.display(), writing(&err)))
    };
    refuse_to_replace(from, to)?;
    // Checked before anything is written, and again at the end.
    drop(take_over(to)?);
    let names = kept_names(to, &source);
    let fresh = NewFile::beside(to).map_err(failed)?;
    let before = schema::version(&source).map_err(SqliteFault::from)?;
    let (sessions, names, after) = copy_into(&source, fresh.part(), progress, |copy| {
        let sessions = if keeps_sessions { 0 } else { leave_sessions_out(copy)? };
        put_on_record(copy, &record(sessions))?;
        let names = names.as_ref().map(|names| keep_names(copy, names, rests_until)).transpose()?;
        Ok((sessions, names, schema::version(copy)?))
    })
    .map_err(|err| failed(io::Error::other(err.to_string())))?;
    give_owner(&fresh, to).map_err(failed)?;
    let held = take_over(to)?;
    let kept = move_aside(to, now).map_err(failed)?;
    fresh.replace().map_err(failed)?;
    drop(held);
    Ok(Restored { sessions, kept, names, schemas: [before, after, schema::newest()] })
}

/// Adds a record to the audit log, which the first schema does not have.
fn put_on_record(copy: &mut Connection, record: &Record) -> SqliteResult<()> {
    if !copy.table_exists(None, "audit")? {
        return Ok(());
    }
    let tx = copy.transaction()?;
    audit::insert(&tx, record)?;
    Ok(tx.commit()?)
}

/// The names of the database at `to` that stay reserved. `None`: it is damaged and cannot be read.
fn kept_names(to: &Path, backup: &Connection) -> Option<Kept> {
    if file::length(to) == 0 {
        return Some(Kept::default());
    }
    let replaced = file::open_immutable(to).ok()?;
    names::kept_of(&replaced, backup).ok()
}

/// Reserves names in a copy, which is first upgraded if its schema has no table for them.
fn keep_names(
    copy: &mut Connection,
    names: &Kept,
    rests_until: Option<Moment>,
) -> SqliteResult<usize> {
    if names.is_empty() {
        return Ok(0);
    }
    if !copy.table_exists(None, "resting_name")? {
        schema::upgrade(copy).map_err(|refusal| refusal.0)?;
    }
    let tx = copy.transaction()?;
    let count = names.keep(&tx, rests_until)?;
    tx.commit()?;
    Ok(count)
}

/// Copies everything into the empty file `part`, which no other process knows, and applies `change`.
/// Flushing it to the disk is left to the caller.
fn copy_into<T>(
    source: &Connection,
    part: &Path,
    progress: PageProgress<'_>,
    change: impl FnOnce(&mut Connection) -> SqliteResult<T>,
) -> Result<T> {
    let filled = || -> SqliteResult<T> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut copy = Connection::open_with_flags(part, flags)?;
        copy.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE;
             PRAGMA synchronous = OFF;
             PRAGMA secure_delete = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA journal_mode = MEMORY;",
        )?;
        copy_whole(source, &mut copy, progress)?;
        // The copied header says that there is a log. A server turns it on again; until then it is one
        // file.
        copy.query_row("PRAGMA journal_mode = MEMORY", [], |_| Ok(()))?;
        let value = change(&mut copy)?;
        copy.close().map_err(|(_, err)| err)?;
        Ok(value)
    };
    Ok(filled()?)
}

/// Copies everything as of one moment, some pages at a time. It is one read transaction: between several, every
/// write would restart it.
fn copy_whole(
    from: &Connection,
    to: &mut Connection,
    progress: PageProgress<'_>,
) -> rusqlite::Result<()> {
    let moment = from.unchecked_transaction()?;
    moment.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let backup = Backup::new(from, to)?;
    loop {
        match backup.step(PAGES_AT_ONCE)? {
            StepResult::Done => return Ok(()),
            StepResult::More => {
                let pages = backup.progress();
                let count = |pages: i32| u64::from(pages.unsigned_abs());
                progress(count(pages.pagecount - pages.remaining), count(pages.pagecount));
            }
            _ => {
                let busy = ffi::Error::new(ffi::SQLITE_BUSY);
                return Err(rusqlite::Error::SqliteFailure(busy, None));
            }
        }
    }
}

/// Deletes what may have been ended, revoked or used after the backup, and returns how many of that were
/// sessions.
fn leave_sessions_out(copy: &mut Connection) -> rusqlite::Result<usize> {
    let tx = copy.transaction()?;
    let tables = ALL.iter().filter(|it| it.is_ended_by_restore).map(|it| it.name);
    let mut count = 0;
    for table in tables.chain([FORMERLY_ENDED_BY_RESTORE]) {
        // An older backup may lack tables.
        if tx.table_exists(None, table)? {
            let deleted = tx.execute(&format!("DELETE FROM {table}"), [])?;
            count += if table == "user_session" { deleted } else { 0 };
        }
    }
    tx.commit()?;
    Ok(count)
}

/// Refuses to replace a file that is visibly not vestibule's database. A damaged one can be replaced.
fn refuse_to_replace(from: &Path, to: &Path) -> Result<()> {
    let refusal =
        |cause: &str| Err(Error::Broken(format!("cannot replace {}: {cause}", to.display())));
    let Ok(about) = to.metadata() else { return Ok(()) };
    if !about.is_file() {
        return refusal("it is not a regular file");
    }
    if from.metadata().is_ok_and(|it| (it.dev(), it.ino()) == (about.dev(), about.ino())) {
        return refusal("it is the backup itself");
    }
    // SQLite would delete the log of an empty file.
    let Some(header) = file::header(to).ok().flatten() else { return Ok(()) };
    let has_our_tables = || file::open_immutable(to)?.table_exists(None, "user_session");
    match has_our_tables() {
        Ok(false) if file::number(&header, 68) != file::APPLICATION_ID => {
            refusal(file::FOREIGN_TEXT)
        }
        // What cannot be read is damaged, or no database at all; it is moved aside in either case.
        _ => Ok(()),
    }
}

/// Refuses a database that another process uses, as [`restore`] does, and changes nothing.
pub fn refuse_in_use(to: &Path) -> Result<()> {
    match file::is_in_use(to) {
        Ok(true) => Err(in_use()),
        // What cannot be looked at is told when it is replaced.
        Ok(false) | Err(_) => Ok(()),
    }
}

fn in_use() -> Error {
    Error::Unavailable("the database is in use; stop the server first".to_owned())
}

/// Checks that no other process uses the database at `to`, folds its log into it as far as it is intact,
/// and keeps others from opening it until the returned file is dropped. `None`: there is no file.
fn take_over(to: &Path) -> Result<Option<File>> {
    if file::is_foreign_log_in_use(to) {
        return Err(in_use());
    }
    let failed = |err: io::Error| {
        Error::Broken(format!("cannot replace {}: {}", to.display(), writing(&err)))
    };
    if !to.try_exists().map_err(failed)? {
        return Ok(None);
    }
    if file::is_in_use(to).map_err(failed)? {
        return Err(in_use());
    }
    // A log that cannot be folded in is moved aside with the file.
    let _ = fold(to);
    let held = OpenOptions::new().read(true).write(true).open(to).map_err(failed)?;
    if fcntl_lock(held.as_fd(), FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(in_use());
    }
    Ok(Some(held))
}

/// Folds the log into the file, if both are intact.
fn fold(path: &Path) -> rusqlite::Result<()> {
    let has_log = COMPANIONS.iter().any(|it| file::length(&with_suffix(path, it)) > 0);
    // SQLite would delete the log of an empty file.
    if !has_log || file::length(path) == 0 {
        return Ok(());
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    // A damaged log stays as it is.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    if file::damage(&conn)?.is_none() {
        conn.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    }
    Ok(())
}

/// Gives the file the owner, group and mode of the one that it replaces; or, if there is none, the owner
/// and group of the folder, as far as this process may.
fn give_owner(fresh: &NewFile, to: &Path) -> io::Result<()> {
    let is_root = geteuid().is_root();
    let (like, mode) = match to.metadata() {
        Ok(about) => {
            let mode = about.mode() & 0o777;
            (about, mode)
        }
        Err(_) => (folder_of(to).metadata()?, 0o600),
    };
    let file = fresh.file();
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (like.uid(), like.gid()) && (is_root || like.is_file()) {
        let given = fchown(file, Some(like.uid()), Some(like.gid()));
        // A group without any permissions can be lost.
        if given.is_err() && (own.uid() != like.uid() || mode & 0o070 != 0) {
            return Err(io::Error::other(format!(
                "it cannot be given the owner {} and group {} of the file there; run it as root, or as that \
                 user",
                like.uid(),
                like.gid()
            )));
        }
    }
    file.set_permissions(Permissions::from_mode(mode))
}

/// Gives the database at `to` a second name beside it, moves the files beside it there, and returns their
/// paths. The database keeps its first name as well, until another file takes it.
fn move_aside(to: &Path, now: Moment) -> io::Result<Vec<PathBuf>> {
    let aside = name_aside(to, now)?;
    let mut kept = Vec::new();
    if to.try_exists()? {
        if !aside.try_exists()? {
            // Where hard links are not supported, there is no file under the first name for a moment.
            fs::hard_link(to, &aside).or_else(|_| fs::rename(to, &aside))?;
        }
        kept.push(aside.clone());
    }
    for suffix in COMPANIONS {
        let left = with_suffix(to, suffix);
        if suffix == "-shm" || file::length(&left) == 0 {
            // The index contains nothing that the log does not.
            match fs::remove_file(&left) {
                Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(err),
                _ => continue,
            }
        }
        let aside = with_suffix(&aside, suffix);
        fs::rename(&left, &aside)?;
        kept.push(aside);
    }
    sync_folder(to)?;
    Ok(kept)
}

/// The name `NAME.before-restore-TIME` that an interrupted restore has given to this very file as a second
/// name; `None` if it has no such name.
pub(super) fn name_kept_of(path: &Path) -> io::Result<Option<PathBuf>> {
    let about = path.metadata()?;
    if about.nlink() < 2 {
        return Ok(None);
    }
    let start = with_suffix(path, ".before-restore-");
    let start = start.as_os_str().as_encoded_bytes();
    for entry in fs::read_dir(folder_of(path))? {
        let path = entry?.path();
        let is_it = |it: fs::Metadata| (it.dev(), it.ino()) == (about.dev(), about.ino());
        if path.as_os_str().as_encoded_bytes().starts_with(start)
            && path.symlink_metadata().is_ok_and(is_it)
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// `NAME.before-restore-TIME`: one that no file has yet, or the one that an interrupted restore has given
/// to this very file.
fn name_aside(to: &Path, now: Moment) -> io::Result<PathBuf> {
    if to.try_exists()?
        && let Some(path) = name_kept_of(to)?
    {
        return Ok(path);
    }
    let start = with_suffix(to, ".before-restore-");
    let time: String = now.rfc3339().chars().filter(|it| !matches!(it, '-' | ':')).collect();
    let time = time.split('.').next().unwrap_or_default();
    let is_free = |path: &PathBuf| {
        ["", "-wal", "-shm", "-journal"]
            .iter()
            .all(|it| with_suffix(path, it).symlink_metadata().is_err())
    };
    let number = |n: u32| if n == 1 { String::new() } else { format!("-{n}") };
    (1..100)
        .map(|n| with_suffix(&start, format!("{time}Z{}", number(n))))
        .find(is_free)
        .ok_or_else(|| io::Error::other("there are too many copies from this second"))
}
