//! The database file: whether it is vestibule's, and whether it may be used.
//!
//! Everything here happens once, at start. A file that is refused is left as it was: whatever its first 100 bytes
//! show is checked before SQLite opens it, since opening alone may replay a journal. What a power cut during the very
//! first start leaves behind holds no data, and is created again.

use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{ErrorKind, Read, Seek};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::process::{FlockType, fcntl_getlk};

use super::place::{FilePlace, has_log_of_another};
use super::{READ_ONLY_TEXT, SqliteFault, WRITE_PATIENCE, backup, schema};
use crate::base::file_fault::{reading, writing};
use crate::base::new_file::{folder_of, with_suffix};
use crate::store::engine::OpenMode;
use crate::store::{Error, HALF_COPIED_TEXT, Patience};

/// How long another process is left to finish opening or closing a file, before it is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// "vest", in the header of every file of ours.
pub(crate) const APPLICATION_ID: i32 = 0x7665_7374;

/// SQLite before this version can corrupt a file that two connections write and checkpoint at the
/// same time (the WAL-reset bug, 2026-03).
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// A file larger than this is not checked whole after a crash: it would take seconds.
const CHECKED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The page cache of a connection that reads. With 20,000 users at once among a million sessions, a cache of 8 MiB
/// would read three pages of the file for each look-up. A small file never fills it.
pub const READER_CACHE_KIB: usize = 32 * 1_024;

/// The largest file of zeros that an interrupted first start can leave.
const ZEROS_MAX: u64 = 16 * 1024 * 1024;

/// How every rollback journal begins.
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// The error for a file of an older schema that another process uses.
const OLDER_IN_USE_TEXT: &str = "it has an older schema, and another process uses it: stop the server that runs on it \
                                 first (vestibule upgrades a file that it has to itself)";

/// How often opening is tried if the file is replaced at that very moment.
const OPENINGS_MAX: usize = 3;

/// Statements that a connection keeps prepared; there are about thirty.
const STATEMENTS_MAX: usize = 64;

/// A file that is open.
pub(super) struct Opened {
    /// Its path, absolute and without symbolic links.
    pub(super) path: PathBuf,
    /// Its identity, which shows later whether the path still refers to it.
    pub(super) place: FilePlace,
    /// The one connection that writes.
    pub(super) conn: Connection,
    /// The random key of a file with an older schema that was left as it is, although it is to be changed.
    pub(super) key_of_older: Option<[u8; 32]>,
    /// The version of the schema that it had, if opening it has upgraded it.
    pub(super) upgraded_from: Option<u32>,
}

/// Opens the file at `path` for writing, and creates or upgrades it if that is needed and `mode` asks for it.
pub(super) fn open(path: &Path, mode: OpenMode) -> crate::store::Result<Opened> {
    prepare(path, mode).map_err(|refusal| {
        let say = |cause| format!("cannot open the database {}: {cause}", path.display());
        refusal.0.saying(say)
    })
}

/// Why a file is not opened. Unlike [`Error`] it can be made from the library's errors by `?`.
pub(super) struct OpenRefusal(pub(super) Error);

pub(super) type FileResult<T> = std::result::Result<T, OpenRefusal>;

impl From<rusqlite::Error> for OpenRefusal {
    fn from(err: rusqlite::Error) -> Self {
        Self(SqliteFault::from(err).into())
    }
}

impl From<SqliteFault> for OpenRefusal {
    fn from(fault: SqliteFault) -> Self {
        Self(fault.into())
    }
}

impl From<std::io::Error> for OpenRefusal {
    fn from(err: std::io::Error) -> Self {
        Self(Error::Broken(reading(&err)))
    }
}

fn prepare(asked: &Path, mode: OpenMode) -> FileResult<Opened> {
    let version = rusqlite::version_number();
    if version < SQLITE_VERSION_MIN {
        return broken(format!("SQLite {version} can corrupt files; 3.51.3 is needed"));
    }
    let path = find(asked)?;
    let found = match inspect(&path)? {
        FileState::Nothing if mode.creates() => make(&path)?,
        FileState::Zeros if mode.creates() => make_anew(&path)?,
        FileState::Nothing => return broken("it is not there"),
        FileState::New | FileState::Zeros if !mode.creates() => return broken(schema::EMPTY_TEXT),
        found => found,
    };
    refuse_network(&path)?;
    refuse_foreign_log(&path)?;
    refuse_left_log(&path)?;
    refuse_second_name(&path)?;
    let is_in_use = is_in_use_and_current(&path, found, mode)?;
    if mode == OpenMode::ToFill && is_in_use {
        return unavailable("another process uses it; stop its server first");
    }
    narrow_modes(&path)?;
    // A file that is in use was checked by the process that opened it first.
    let is_checked = found == (FileState::Ours { is_clean: false }) && !is_in_use;
    for _ in 0..OPENINGS_MAX {
        let before = FilePlace::of(asked, &path)?;
        let (conn, schema) = connect(&path, found, is_checked, mode)?;
        if before.is_there() {
            let place = FilePlace::of(asked, &path)?;
            if mode.creates() {
                place.mark_log();
            }
            let SchemaFound { key_of_older, upgraded_from } = schema;
            return Ok(Opened { path, place, conn, key_of_older, upgraded_from });
        }
    }
    unavailable("it was replaced while it was being opened")
}

/// Whether another process uses the file at `path`. One of an older schema is to be upgraded by no process but the only
/// one that uses it, as an older server would go on with tables that it does not know; so it is waited until that is so.
fn is_in_use_and_current(path: &Path, found: FileState, mode: OpenMode) -> FileResult<bool> {
    // A server goes on for much longer, and what else uses the file, such as another upgrade, mostly for less.
    let deadline = Instant::now() + WRITE_PATIENCE;
    loop {
        let is_in_use = is_in_use(path)?;
        let is_ours = matches!(found, FileState::Ours { .. });
        let is_shared = is_in_use && is_ours && mode.creates();
        let must_wait = is_shared && schema::is_older(&open_reader(path)?)?;
        if !must_wait {
            return Ok(is_in_use);
        }
        if Instant::now() >= deadline {
            return unavailable(OLDER_IN_USE_TEXT);
        }
        // Not always as long: of two processes that look at once, each would see the other, and again.
        let random = RandomState::new().build_hasher().finish();
        std::thread::sleep(LOOK_AGAIN + Duration::from_micros(random % 20_000));
    }
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

/// Opens a file of vestibule's for reading. It is not changed, except that a transaction which a crash has cut off is
/// rolled back, as the file cannot be read before.
pub(super) fn inspected(path: &Path) -> crate::store::Result<Connection> {
    let opened = || -> FileResult<Connection> {
        let whole = path.canonicalize()?;
        match inspect(&whole)? {
            FileState::Ours { .. } => read_only(&whole),
            FileState::Nothing | FileState::New | FileState::Zeros => broken("it is empty"),
        }
    };
    opened()
        .map_err(|refusal| Error::Broken(format!("cannot read {}: {}", path.display(), refusal.0)))
}

/// A connection to a file of vestibule's as [`inspected`] opens it. `path` is absolute and without symbolic links.
pub(super) fn read_only(path: &Path) -> FileResult<Connection> {
    refuse_left_log(path)?;
    if length(&with_suffix(path, "-journal")) > 0 {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = Connection::open_with_flags(path, flags)?;
        configure(&conn)?;
        if schema::version(&conn)? == 0 {
            return broken("it is empty");
        }
        return Ok(conn);
    }
    // SQLite would put a log beside it, and leave it there.
    let has_log = with_suffix(path, "-wal").exists();
    if !has_log && header(path)?.is_some_and(|it| it[19] == 2) {
        return Ok(open_immutable(path)?);
    }
    Ok(open_reader(path)?)
}

/// A connection that reads the file without its log or journal, and neither takes nor respects locks.
pub(crate) fn open_immutable(path: &Path) -> rusqlite::Result<Connection> {
    let encoded = percent_encode(path.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{encoded}?immutable=1"), flags)
}

/// Whether another process has the file at `path` open as a database, without disturbing it.
///
/// To be called before this process opens it: closing any descriptor of a file gives up the locks that the process
/// has on it.
pub(super) fn is_in_use(path: &Path) -> std::io::Result<bool> {
    // A process that uses a file with a log holds a lock on it for as long as it is open.
    let lock = fcntl_getlk(File::open(path)?, &FlockType::WriteLock.into())?;
    Ok(lock.is_some())
}

/// Whether another process uses the log beside `path`, but not the file at `path`: it has opened an earlier file
/// there. To be called before this process opens the file, as [`is_in_use`].
pub(super) fn is_foreign_log_in_use(path: &Path) -> bool {
    let is_used = |path: &Path| is_in_use(path).unwrap_or(false);
    // A process locks the file before it uses the log, and unlocks it last. One that is opening or closing the file
    // at this moment is not seen at every look.
    (0..3).all(|turn| {
        if turn > 0 {
            std::thread::sleep(LOOK_AGAIN);
        }
        is_used(&with_suffix(path, "-shm")) && !is_used(path)
    })
}

/// The schema version of the file at `path`, and the newest one. Nothing is changed.
pub(super) fn schema(path: &Path) -> crate::store::Result<(u32, u32)> {
    let conn = inspected(path)?;
    let version = schema::version(&conn).map_err(SqliteFault::from)?;
    // The log may have another version than the file, which was read first.
    schema::refuse_newer(version.cast_signed()).map_err(|refusal| {
        refusal.0.saying(|cause| format!("cannot read {}: {cause}", path.display()))
    })?;
    Ok((version, schema::newest()))
}

/// Upgrades the file at `path` to the newest schema, or creates it, and returns the versions before and after; 0:
/// there were no tables.
pub(super) fn migrate(path: &Path) -> crate::store::Result<(u32, u32)> {
    let has_tables = find(path)
        .and_then(|whole| inspect(&whole))
        .is_ok_and(|found| matches!(found, FileState::Ours { .. }));
    let before = if has_tables { schema(path)?.0 } else { 0 };
    let opened = open(path, OpenMode::ToServe)?;
    Ok((before, schema::version(&opened.conn).map_err(SqliteFault::from)?))
}

/// What is at the path before it is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FileState {
    Nothing,
    /// An empty file, or one whose first transaction was cut off: its tables are to be created.
    New,
    /// Zeros, which a file system may leave if the power fails while a file is created.
    Zeros,
    /// A file of vestibule's. `is_clean` if the last process that used it closed it.
    Ours {
        is_clean: bool,
    },
}

/// Resolves the path, so that a relative one keeps its meaning, a name like `:memory:` is a file, and the files that
/// SQLite keeps beside the database are looked for where they are.
pub(super) fn find(path: &Path) -> FileResult<PathBuf> {
    if let Ok(whole) = path.canonicalize() {
        return Ok(whole);
    }
    if path.is_symlink() {
        return broken("it is a symbolic link to a file that is not there");
    }
    let Some(name) = path.file_name() else {
        return broken("the path names no file");
    };
    let folder = folder_of(path);
    match folder.canonicalize() {
        Ok(folder) => Ok(folder.join(name)),
        Err(err) => {
            let why = match err.kind() {
                ErrorKind::NotFound => "is not there; make it first".to_owned(),
                _ => format!("cannot be used: {}", reading(&err)),
            };
            broken(format!("its folder {} {why}", folder.display()))
        }
    }
}

/// The path of a database that exists or is to be created. Symbolic links to a file that does not exist yet are
/// followed.
pub(super) fn destination(path: &Path) -> crate::store::Result<PathBuf> {
    let mut place = path.to_owned();
    // As many as Linux follows.
    for _ in 0..40 {
        let Ok(next) = fs::read_link(&place) else { break };
        place = folder_of(&place).join(next);
    }
    find(&place).map_err(|refusal| Error::Broken(format!("{}: {}", path.display(), refusal.0)))
}

/// Reads the file's first 100 bytes, which are the header of SQLite's file format.
pub(super) fn inspect(path: &Path) -> FileResult<FileState> {
    // Checked before it is opened, as opening a pipe would wait for a process that writes to it.
    let about = match fs::metadata(path) {
        Ok(about) => about,
        Err(err) if err.kind() == ErrorKind::NotFound => {
            return new_or_refused(path, "is not there", FileState::Nothing);
        }
        Err(err) => return broken(reading(&err)),
    };
    if about.is_dir() {
        return broken("it is a folder, not a regular file; name a file in it");
    }
    if !about.is_file() {
        return broken("it is not a regular file");
    }
    if about.len() == 0 {
        return new_or_refused(path, "is empty", FileState::New);
    }
    let header = header(path)?;
    let is_sqlite = header.is_some_and(|it| it.starts_with(b"SQLite format 3\0"));
    let id = header.map_or(0, |it| number(&it, 68));
    if !(is_sqlite && id == APPLICATION_ID) {
        return if journal_of_pages(path) == Some(0) {
            // SQLite rolls it back to nothing when it is opened.
            Ok(FileState::New)
        } else if is_zeros(path, about.len())? {
            Ok(FileState::Zeros)
        } else if is_sqlite {
            broken(FOREIGN_TEXT)
        } else {
            broken("it is not a SQLite database; it was left as it is")
        };
    }
    schema::refuse_newer(header.map_or(0, |it| number(&it, 60)))?;
    let is_clean = ["-wal", "-journal"].iter().all(|it| length(&with_suffix(path, it)) == 0);
    Ok(FileState::Ours { is_clean })
}

/// The error for another program's database.
pub(super) const FOREIGN_TEXT: &str = "it belongs to another program; it was left as it is";

/// The first 100 bytes; `None` if there are fewer.
pub(super) fn header(path: &Path) -> std::io::Result<Option<[u8; 100]>> {
    let mut header = [0; 100];
    let read = File::open(path)?.read_exact(&mut header);
    Ok(read.is_ok().then_some(header))
}

/// The number at this offset of a header.
pub(super) fn number(header: &[u8; 100], at: usize) -> i32 {
    i32::from_be_bytes(header[at..at + 4].try_into().expect("four bytes are four bytes"))
}

/// How long a file is; 0 if there is none.
pub(super) fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |about| about.len())
}

/// How many pages the database has once the journal beside it is rolled back; `None`: there is no such journal.
fn journal_of_pages(path: &Path) -> Option<u32> {
    let mut start = [0; 20];
    File::open(with_suffix(path, "-journal")).ok()?.read_exact(&mut start).ok()?;
    let pages = u32::from_be_bytes(start[16..20].try_into().expect("four bytes are four bytes"));
    start.starts_with(&JOURNAL_MAGIC).then_some(pages)
}

/// Refuses to create a file beside the log or the journal of one that is gone: SQLite would delete these, or apply
/// them to the new file.
fn new_or_refused(path: &Path, state: &str, new: FileState) -> FileResult<FileState> {
    let log = with_suffix(path, "-wal");
    let left = if length(&log) > 0 {
        log
    } else if journal_of_pages(path).is_some_and(|pages| pages > 0) {
        with_suffix(path, "-journal")
    } else {
        return Ok(new);
    };
    if length(path) > 0 {
        // Another process has created it meanwhile.
        return inspect(path);
    }
    broken(format!(
        "it {state}, but {} is there and belongs to it: put the database back beside it, or run vestibule \
         restore, which moves it aside",
        left.display()
    ))
}

fn refuse_foreign_log(path: &Path) -> FileResult<()> {
    if is_foreign_log_in_use(path) {
        return unavailable(
            "a process is using the file that was here before, and its log is still here; stop its \
             server first",
        );
    }
    Ok(())
}

/// Refuses a file beside the log of an earlier one, which SQLite would replay on this file.
fn refuse_left_log(path: &Path) -> FileResult<()> {
    let log = with_suffix(path, "-wal");
    if length(&log) > 0 && has_log_of_another(path) {
        return broken(format!(
            "{} is the log of a file that was here before: move it away, or put that file back",
            log.display()
        ));
    }
    Ok(())
}

/// Refuses a file with two names: SQLite names the log after the path, so there would be two logs, each of which
/// overwrites what the other has.
fn refuse_second_name(path: &Path) -> FileResult<()> {
    let about = path.metadata().or_else(broken)?;
    let kept = u64::from(backup::name_kept_of(path).or_else(broken)?.is_some());
    if about.nlink() > 1 + kept {
        return broken(
            "it has another name as well (a hard link), and each name would have a log of its own; remove \
             the other name, or make it a symbolic link",
        );
    }
    Ok(())
}

fn is_zeros(path: &Path, length: u64) -> std::io::Result<bool> {
    Ok(length <= ZEROS_MAX && fs::read(path)?.iter().all(|it| *it == 0))
}

/// Creates an empty file that no other user of the machine may read. SQLite gives the files beside it the same mode.
fn make(path: &Path) -> FileResult<FileState> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(FileState::New),
        // Another process was faster, and creates the same file.
        Err(err) if err.kind() == ErrorKind::AlreadyExists => Ok(FileState::New),
        Err(err) => broken(writing(&err)),
    }
}

/// Empties a file of zeros, unless another process has begun to write to it.
fn make_anew(path: &Path) -> FileResult<FileState> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    if fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return unavailable("another process is making it");
    }
    let mut content = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut content)?;
    if content.iter().all(|it| *it == 0) {
        file.set_len(0)?;
    }
    Ok(FileState::New)
}

/// Refuses a file on a network file system: the log needs shared memory, which these do not have.
pub(super) fn refuse_network(path: &Path) -> FileResult<()> {
    // The magic numbers of NFS, SMB 1 (CIFS) and SMB 2, from statfs(2).
    const NETWORKS: [i64; 3] = [0x6969, 0xff53_4d42, 0xfe53_4d42];
    let kind = rustix::fs::statfs(path).map_err(std::io::Error::from)?.f_type;
    if NETWORKS.contains(&(kind & 0xffff_ffff)) {
        return broken("it lies on a network file system; SQLite needs a local one");
    }
    Ok(())
}

/// Removes the access of all other users of the machine to the file and those beside it, which hold password hashes.
fn narrow_modes(path: &Path) -> FileResult<()> {
    for file in [path.to_owned(), with_suffix(path, "-wal"), with_suffix(path, "-shm")] {
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

/// What opening a file has to do with an older schema: see [`Opened`].
#[derive(Default)]
struct SchemaFound {
    key_of_older: Option<[u8; 32]>,
    upgraded_from: Option<u32>,
}

fn connect(
    path: &Path,
    found: FileState,
    is_checked: bool,
    mode: OpenMode,
) -> FileResult<(Connection, SchemaFound)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    // SQLite opens a file that it may not write as read-only, without an error.
    if conn.is_readonly("main")? {
        return broken(READ_ONLY_TEXT);
    }
    if found == (FileState::Ours { is_clean: false }) {
        // If it is refused, closing it must not fold the log into it.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    }
    match configure(&conn) {
        Err(err) if is_damage(&err) => return damaged(path, &err.to_string()),
        configured => configured?,
    }
    if is_checked {
        check_whole(&conn, path)?;
    }
    let mut found = SchemaFound::default();
    match mode {
        OpenMode::ToServe => {
            let before = schema::upgrade(&mut conn)?;
            found.upgraded_from = (1..schema::newest()).contains(&before).then_some(before);
        }
        OpenMode::Beside | OpenMode::ToFill => found.key_of_older = schema::create(&mut conn)?,
        OpenMode::ToRead | OpenMode::ToBackUp => schema::check(&conn, mode)?,
    }
    if mode != OpenMode::ToFill && schema::is_half_copied(&conn)? {
        return broken(HALF_COPIED_TEXT);
    }
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    if mode.creates() && found.key_of_older.is_none() {
        patiently(|| use_wal(&conn))?;
    }
    // The first read opens the log, so that it is known from now on which file that is.
    schema::version(&conn)?;
    Ok((conn, found))
}

/// The settings of every connection, each with its reason.
fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(Patience::left(WRITE_PATIENCE))?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Without it SQLite parses a join anew at each use of its prepared statement.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // No SQL, not even our own, may write to the schema tables or take "x" for a string.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    // FULL: with NORMAL a power cut may take back what was committed, and a user who signed out
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

/// Reads the whole file once.
// LIMIT: where a file system has no extended attributes, the log of an earlier file is not noticed if it fits this
// one. A server removes its log when it notices that its file was replaced, so this takes a kill within the seconds
// before that.
fn check_whole(conn: &Connection, path: &Path) -> FileResult<()> {
    if fs::metadata(path)?.len() > CHECKED_BYTES_MAX {
        return Ok(());
    }
    match damage(conn) {
        Ok(None) => Ok(()),
        Ok(Some(damage)) => damaged(path, &damage),
        Err(err) if is_damage(&err) => damaged(path, &err.to_string()),
        Err(err) => Err(err.into()),
    }
}

/// Refuses a damaged file, and says so if only the log is damaged.
pub(super) fn damaged<T>(path: &Path, damage: &str) -> FileResult<T> {
    let log = with_suffix(path, "-wal");
    if length(&log) > 0 && open_immutable(path).and_then(|it| self::damage(&it)) == Ok(None) {
        return broken(format!(
            "it is in order, but with its log it is damaged ({damage}): {} may be the log of a file that was \
             here before; move it away if that is so",
            log.display()
        ));
    }
    broken(format!("it is damaged: {damage}; restore it from a backup"))
}

/// The first thing that is wrong in the file; `None`: nothing.
pub(super) fn damage(conn: &Connection) -> rusqlite::Result<Option<String>> {
    let found: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    // A line that names the database comes first; there is only one database.
    let last = found.lines().last().unwrap_or_default();
    Ok((last != "ok").then(|| last.to_owned()))
}

/// Whether an error means that the file is damaged.
pub(super) fn is_damage(err: &rusqlite::Error) -> bool {
    matches!(err.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

fn use_wal(conn: &Connection) -> rusqlite::Result<()> {
    conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
}

/// Repeats a step while another process changes the journal mode, as when two servers start on a new file: SQLite
/// does not wait for that.
fn patiently(mut step: impl FnMut() -> rusqlite::Result<()>) -> FileResult<()> {
    let deadline = Instant::now() + Patience::left(WRITE_PATIENCE);
    loop {
        match step() {
            Err(err)
                if err.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(LOOK_AGAIN);
            }
            done => return Ok(done?),
        }
    }
}

fn unavailable<T>(cause: &str) -> FileResult<T> {
    Err(OpenRefusal(Error::Unavailable(cause.to_owned())))
}

pub(super) fn broken<T>(cause: impl std::fmt::Display) -> FileResult<T> {
    Err(OpenRefusal(Error::Broken(cause.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::types::Value;

    #[test]
    fn sets_every_connection_up_for_safety() {
        let folder = tempfile::tempdir().unwrap();
        let opened = open(&folder.path().join("a.db"), OpenMode::ToServe).ok().unwrap();
        let (path, writer) = (opened.path, opened.conn);
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
        let opened = open(&folder.path().join("a.db"), OpenMode::ToServe).ok().unwrap();
        let conn = open_reader(&opened.path).unwrap();
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
