//! The database file: is it ours, may it be used, is it up to date.
//!
//! Everything here happens once, at start. A file that is refused is left as it was: what can be
//! told from its first 100 bytes is told before SQLite ever opens it, as opening alone may replay
//! a journal.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use rustix::process::{FlockType, fcntl_getlk};

use super::{Fault, WRITE_PATIENCE};
use crate::store::{Error, HALF_COPIED, HALF_COPIED_TEXT};

/// "vest", in the header of every file of ours.
pub(in crate::store) const APPLICATION_ID: i32 = 0x7665_7374;

/// The tables of a new file.
const SCHEMA: &str = include_str!("../../../schema.sql");

/// What brings an older file up to date: step `n` leads from schema `n + 1` to `n + 2`. Steps are
/// never changed once released; schema.sql always shows where the last one leads.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/2.sql"),
    include_str!("../migrations/3.sql"),
    include_str!("../migrations/4.sql"),
    include_str!("../migrations/5.sql"),
    include_str!("../migrations/6.sql"),
    include_str!("../migrations/7.sql"),
];

/// SQLite before this version can corrupt a file that two connections write and checkpoint at the
/// same time (the WAL-reset bug, 2026-03).
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// A file larger than this is not checked whole after a crash: it would take seconds.
const CHECKED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What a connection that reads may keep of the file in memory. What is read for 20,000 people at once, of a
/// million sessions: with 8 MiB each look-up reads three pages anew. A small file never fills it.
pub const READER_CACHE_KIB: usize = 32 * 1_024;

/// Statements that a connection keeps prepared; there are about thirty.
const STATEMENTS_MAX: usize = 64;

/// What a file is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Use {
    /// To be served: after a crash it is read whole once.
    ToServe,
    /// For a moment, beside a server that may be running.
    Beside,
    /// To be copied into: nobody else may be using it, and it may be copied in half.
    ToFill,
}

/// Opens the file at `path` for writing, making or upgrading it where needed. Comes back with its
/// absolute path and the one connection that writes.
pub(super) fn open(path: &Path, purpose: Use) -> crate::store::Result<(PathBuf, Connection)> {
    prepare(path, purpose).map_err(|refusal| {
        let say = |cause| format!("cannot open the database {}: {cause}", path.display());
        refusal.0.saying(say)
    })
}

/// Why a file is not opened. Unlike [`Error`] it can be made from the library's errors by `?`.
struct Refusal(Error);

type Result<T> = std::result::Result<T, Refusal>;

impl From<rusqlite::Error> for Refusal {
    fn from(err: rusqlite::Error) -> Self {
        Self(Fault::from(err).into())
    }
}

impl From<std::io::Error> for Refusal {
    fn from(err: std::io::Error) -> Self {
        Self(Error::Broken(err.to_string()))
    }
}

fn prepare(path: &Path, purpose: Use) -> Result<(PathBuf, Connection)> {
    let version = rusqlite::version_number();
    if version < SQLITE_VERSION_MIN {
        return broken(format!("SQLite {version} can corrupt files; 3.51.3 is needed"));
    }
    let path = absolute(path)?;
    let found = inspect(&path, newest(MIGRATIONS))?;
    refuse_network(&path)?;
    if purpose == Use::ToFill && is_in_use(&path)? {
        return unavailable("another process uses it; stop its server first");
    }
    narrow_modes(&path)?;
    let conn = connect(&path, found, purpose)?;
    Ok((path, conn))
}

/// A connection that only reads. It shares nothing with other connections.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    configure(&conn)?;
    // Negative: KiB, and not pages.
    conn.pragma_update(None, "cache_size", format!("-{READER_CACHE_KIB}"))?;
    Ok(conn)
}

/// A file of ours to read from, which nothing is done to.
pub(super) fn inspected(path: &Path) -> crate::store::Result<Connection> {
    let opened = || -> Result<Connection> {
        let whole = path.canonicalize().or_else(broken)?;
        if inspect(&whole, newest(MIGRATIONS))? == Found::New {
            return broken("it is empty");
        }
        Ok(open_reader(&whole)?)
    };
    opened()
        .map_err(|refusal| Error::Broken(format!("cannot read {}: {}", path.display(), refusal.0)))
}

/// Whether nobody else has the database at `path` open; then it is left in one file.
pub(super) fn is_alone(path: &Path) -> crate::store::Result<bool> {
    let tried = || -> rusqlite::Result<String> {
        let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        conn.busy_timeout(Duration::ZERO)?;
        // SQLite leaves the log on while another connection is there.
        conn.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))
    };
    match tried() {
        Ok(mode) => Ok(mode == "delete"),
        Err(err) if err.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(false),
        Err(err) => Err(Fault::from(err).into()),
    }
}

/// Whether another process has the file at `path` open as a database. Nobody is disturbed.
///
/// To be asked before this process opens it: closing any descriptor of a file gives up the locks that
/// the process has on it.
pub(in crate::store) fn is_in_use(path: &Path) -> std::io::Result<bool> {
    // Whoever uses a file with a log holds a lock on it for as long as it is open.
    let lock = fcntl_getlk(File::open(path)?, &FlockType::WriteLock.into())?;
    Ok(lock.is_some())
}

/// The number of the schema of the file at `path`, and the newest one. Nothing is changed.
pub(in crate::store) fn schema(path: &Path) -> crate::store::Result<(u32, u32)> {
    let conn = inspected(path)?;
    Ok((version(&conn).map_err(Fault::from)?, newest(MIGRATIONS).unsigned_abs()))
}

/// Brings the file at `path` to the newest schema, and says from which number to which.
pub(in crate::store) fn migrate(path: &Path) -> crate::store::Result<(u32, u32)> {
    let (before, _) = schema(path)?;
    let (_, conn) = open(path, Use::Beside)?;
    Ok((before, version(&conn).map_err(Fault::from)?))
}

fn version(conn: &Connection) -> rusqlite::Result<u32> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// What stands at the path before anything was done to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    /// Nothing, or an empty file: it is to be made.
    New,
    /// A file of ours. `clean` if its last user closed it.
    Ours { clean: bool },
}

/// Names the file without symbolic links on the way, so that a relative path means the same file
/// for good, a name like `:memory:` means a file at all, and SQLite's companions of the file are
/// looked for where SQLite keeps them.
fn absolute(path: &Path) -> Result<PathBuf> {
    if let Ok(whole) = path.canonicalize() {
        return Ok(whole);
    }
    if path.is_symlink() {
        return broken("it is a symbolic link to a file that is not there");
    }
    let Some(name) = path.file_name() else {
        return broken("the path names no file");
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match folder.canonicalize() {
        Ok(folder) => Ok(folder.join(name)),
        Err(err) => broken(format!("its folder {} is not there: {err}", folder.display())),
    }
}

/// Looks at the file's first 100 bytes, which hold what SQLite's file format calls the header.
fn inspect(path: &Path, newest: i32) -> Result<Found> {
    // Asked before it is opened, as opening a pipe would wait for somebody to write to it.
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(err) if err.kind() == ErrorKind::NotFound => return make(path),
        Err(err) => return broken(err),
    };
    if !about.is_file() {
        return broken("it is not a regular file");
    }
    if about.len() == 0 {
        return Ok(Found::New);
    }
    let mut file = File::open(path)?;
    let mut header = [0; 100];
    if file.read_exact(&mut header).is_err() || !header.starts_with(b"SQLite format 3\0") {
        return broken("it is not a SQLite database; it was left as it is");
    }
    let number = |at: usize| {
        i32::from_be_bytes(header[at..at + 4].try_into().expect("four bytes are four bytes"))
    };
    if number(68) != APPLICATION_ID {
        return broken("it belongs to another program; it was left as it is");
    }
    refuse_newer(number(60), newest)?;
    let log = fs::metadata(beside(path, "-wal")).map_or(0, |about| about.len());
    Ok(Found::Ours { clean: log == 0 })
}

/// Makes an empty file that nobody else may read. SQLite gives its companions the same mode.
fn make(path: &Path) -> Result<Found> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(Found::New),
        // Another process was quicker; what it makes is ours as well.
        Err(err) if err.kind() == ErrorKind::AlreadyExists => Ok(Found::New),
        Err(err) => broken(err),
    }
}

/// WAL needs shared memory, which network file systems do not have.
fn refuse_network(path: &Path) -> Result<()> {
    // The magic numbers of NFS, SMB 1 (CIFS) and SMB 2, from statfs(2).
    const NETWORKS: [i64; 3] = [0x6969, 0xff53_4d42, 0xfe53_4d42];
    let kind = rustix::fs::statfs(path).map_err(std::io::Error::from)?.f_type;
    if NETWORKS.contains(&(kind & 0xffff_ffff)) {
        return broken("it lies on a network file system; SQLite needs a local one");
    }
    Ok(())
}

/// Takes everybody else's access to the file and its companions away: they hold password hashes.
fn narrow_modes(path: &Path) -> Result<()> {
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")] {
        let Ok(about) = fs::metadata(&file) else { continue };
        if about.permissions().mode() & 0o077 != 0
            && let Err(err) = fs::set_permissions(&file, Permissions::from_mode(0o600))
        {
            let file = file.display();
            return broken(format!("others may read {file}, and its mode cannot be set: {err}"));
        }
    }
    Ok(())
}

fn connect(path: &Path, found: Found, purpose: Use) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    // SQLite opens a file that it may only read without a word, and its companions with it.
    if conn.is_readonly("main")? {
        return broken("it cannot be written: see its mode, its owner and where it is mounted");
    }
    configure(&conn)?;
    if found == (Found::Ours { clean: false }) {
        // If it is refused, closing it must not fold the log into it.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        if purpose != Use::Beside {
            check_whole(&conn, path)?;
        }
    }
    upgrade(&mut conn, SCHEMA, MIGRATIONS)?;
    if purpose != Use::ToFill && is_half_copied(&conn)? {
        return broken(HALF_COPIED_TEXT);
    }
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    patiently(|| use_wal(&conn))?;
    Ok(conn)
}

/// The settings of every connection, each with its reason.
fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(WRITE_PATIENCE)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Without it SQLite parses a join anew at each use of its prepared statement.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // No SQL, not even our own, may write to the schema tables or take "x" for a string.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    // FULL: with NORMAL a power cut may take back what was committed, and somebody who signed out
    // would be signed in again. The cache is 8 MiB. Deleted rows are overwritten with zeros.
    conn.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA cell_size_check = ON;
         PRAGMA secure_delete = ON;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA cache_size = -8192;
         PRAGMA temp_store = MEMORY;
         PRAGMA mmap_size = 0;",
    )
}

/// Reads the whole file once, if its last user did not close it.
fn check_whole(conn: &Connection, path: &Path) -> Result<()> {
    if fs::metadata(path)?.len() > CHECKED_BYTES_MAX {
        return Ok(());
    }
    let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    match found.as_str() {
        "ok" => Ok(()),
        damage => broken(format!("it is damaged: {damage}; restore it from a backup")),
    }
}

/// Makes the tables, or runs the migrations that are missing, and sees that all is there, in one
/// transaction.
fn upgrade(conn: &mut Connection, schema: &str, migrations: &[&str]) -> Result<()> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i32 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    refuse_newer(version, newest(migrations))?;
    match usize::try_from(version) {
        Ok(0) => {
            tx.execute_batch(schema)?;
            // Within the transaction: no crash leaves a file that has tables but no owner.
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        Ok(version) => {
            for step in &migrations[version - 1..] {
                tx.execute_batch(step)?;
            }
        }
        Err(_) => return broken(format!("its schema number is {version}")),
    }
    if version < newest(migrations) {
        tx.pragma_update(None, "user_version", newest(migrations))?;
    }
    check_shape(&tx, schema)?;
    Ok(tx.commit()?)
}

fn newest(migrations: &[&str]) -> i32 {
    i32::try_from(migrations.len()).expect("there are few migrations") + 1
}

fn refuse_newer(version: i32, newest: i32) -> Result<()> {
    if version > newest {
        return broken(format!(
            "a newer vestibule made it (schema {version}, this one knows up to {newest}); \
             it was left as it is"
        ));
    }
    Ok(())
}

/// Whether a copy into it has begun and has not ended.
pub(super) fn is_half_copied(conn: &Connection) -> rusqlite::Result<bool> {
    conn.prepare("SELECT 1 FROM secret WHERE name = ?1")?.exists([HALF_COPIED])
}

/// Sees that every table of schema.sql is there with its columns, so that a file that somebody
/// altered is refused at start and not in the middle of a sign-up.
fn check_shape(conn: &Connection, schema: &str) -> Result<()> {
    let model = Connection::open_in_memory()?;
    model.execute_batch(schema)?;
    let have = columns(conn)?;
    for column in columns(&model)? {
        if !have.contains(&column) {
            return broken(format!("its tables were altered: {column} is not as it should be"));
        }
    }
    Ok(())
}

/// `table.column TYPE` with its constraints, for every column there is.
fn columns(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    conn.prepare(
        "SELECT format('%s.%s %s notnull=%d pk=%d', t.name, c.name, c.type, c.\"notnull\", c.pk)
           FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
          WHERE t.type = 'table' ORDER BY t.name, c.cid",
    )?
    .query_map([], |row| row.get(0))?
    .collect()
}

fn use_wal(conn: &Connection) -> rusqlite::Result<()> {
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
}

/// SQLite does not wait for another process that changes the journal mode at the same moment, as
/// when two servers start on a new file; so we do.
fn patiently(mut step: impl FnMut() -> rusqlite::Result<()>) -> Result<()> {
    let deadline = Instant::now() + WRITE_PATIENCE;
    loop {
        match step() {
            Err(err)
                if err.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return Ok(done?),
        }
    }
}

pub(in crate::store) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn unavailable<T>(cause: &str) -> Result<T> {
    Err(Refusal(Error::Unavailable(cause.to_owned())))
}

fn broken<T>(cause: impl std::fmt::Display) -> Result<T> {
    Err(Refusal(Error::Broken(cause.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::types::Value;

    /// A file that the first release made, to be brought up by steps of our own.
    fn first() -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        upgrade(&mut conn, "CREATE TABLE t (a)", &[]).ok().unwrap();
        conn
    }

    #[test]
    fn migrates_from_every_older_schema_to_the_newest() {
        let steps = ["ALTER TABLE t ADD b", "ALTER TABLE t ADD c"];
        for done in 0..=steps.len() {
            let mut conn = first();
            upgrade(&mut conn, "", &steps[..done]).ok().unwrap();
            upgrade(&mut conn, "", &steps).ok().unwrap();
            assert_eq!(version(&conn), Ok(3));
            assert_eq!(columns(&conn).unwrap().len(), 3, "a, b and c, from step {done}");
        }
    }

    #[test]
    fn leads_from_the_first_release_to_the_schema_of_today() {
        let mut conn = Connection::open_in_memory().unwrap();
        upgrade(&mut conn, include_str!("../migrations/1.sql"), &[]).ok().unwrap();
        upgrade(&mut conn, SCHEMA, MIGRATIONS).ok().unwrap();
        let mut new = Connection::open_in_memory().unwrap();
        upgrade(&mut new, SCHEMA, MIGRATIONS).ok().unwrap();
        let everything = |conn: &Connection| {
            let sql = "SELECT type || ' ' || name FROM sqlite_schema ORDER BY 1";
            let mut statement = conn.prepare(sql).unwrap();
            let names = statement.query_map([], |row| row.get(0)).unwrap();
            names.collect::<rusqlite::Result<Vec<String>>>().unwrap()
        };
        assert_eq!(columns(&conn).unwrap(), columns(&new).unwrap());
        assert_eq!(everything(&conn), everything(&new));
        assert_eq!(version(&conn), version(&new));
    }

    #[test]
    fn leaves_the_file_as_it_was_when_a_migration_fails() {
        let mut conn = first();
        let failed = upgrade(&mut conn, "", &["ALTER TABLE t ADD b", "ALTER TABLE missing ADD c"]);
        assert!(failed.is_err());
        assert_eq!(version(&conn), Ok(1));
        assert_eq!(columns(&conn).unwrap(), ["t.a  notnull=0 pk=0"]);
    }

    #[test]
    fn sets_every_connection_up_for_safety() {
        let folder = tempfile::tempdir().unwrap();
        let (path, writer) = open(&folder.path().join("a.db"), Use::ToServe).unwrap();
        for conn in [writer, open_reader(&path).unwrap()] {
            let pragma = |name: &str| {
                let value: Value =
                    conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap();
                match value {
                    Value::Integer(number) => number.to_string(),
                    Value::Text(text) => text,
                    other => panic!("{name} is {other:?}"),
                }
            };
            for (name, expected) in [
                ("journal_mode", "wal"),
                ("synchronous", "2"),
                ("foreign_keys", "1"),
                ("secure_delete", "1"),
                ("cell_size_check", "1"),
                ("trusted_schema", "0"),
                ("mmap_size", "0"),
                ("journal_size_limit", "67108864"),
            ] {
                assert_eq!(pragma(name), expected, "{name}");
            }
            for (config, expected) in [
                (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
                (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
                (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            ] {
                assert_eq!(conn.db_config(config), Ok(expected), "{config:?}");
            }
        }
        assert!(rusqlite::version_number() >= SQLITE_VERSION_MIN);
    }

    #[test]
    fn runs_no_join_through_the_parser_twice() {
        let folder = tempfile::tempdir().unwrap();
        let (path, _writer) = open(&folder.path().join("a.db"), Use::ToServe).unwrap();
        let conn = open_reader(&path).unwrap();
        let sql = "SELECT username FROM user_session JOIN user ON user.id = user_id
                    WHERE user_session.id = ?1";
        for _ in 0..100 {
            let mut statement = conn.prepare_cached(sql).unwrap();
            assert!(!statement.exists([[0_u8; 32]]).unwrap());
        }
        let statement = conn.prepare_cached(sql).unwrap();
        assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
    }
}
