//! The store in an SQLite file.
//!
//! Decides what a transaction is: it takes the write lock at once, waits for it for a limited time, and
//! counts as written only if the path still refers to the file afterwards.

mod access_tokens;
mod audit;
mod backup;
mod bulk;
mod copy;
mod devices;
pub(super) mod file;
mod invitations;
mod keys;
mod mail;
mod maintenance;
mod names;
mod one_time_tokens;
mod passkeys;
mod place;
mod preparation;
mod schema;
mod second_factors;
mod sessions;
mod throttle;
mod users;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rusqlite::types::{FromSql, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{
    Connection, ErrorCode, Row, Transaction, TransactionBehavior, ffi, params_from_iter,
};

use super::engine::{Engine, OpenMode, Preparation};
use super::outcomes::{Refused, TxFailure};
use super::rows::{Cell, Cells, FromCells, Statements, cells};
use super::strain::StrainCounter;
use super::tables::{self, StoredTable};
use super::{Error, Patience, RENEWAL_PATIENCE, Result, Store, UserId, WRITE_PATIENCE};
use crate::base::clock::Moment;
pub use backup::{PageProgress, Restored, back_up, refuse_in_use, restore};
pub use file::READER_CACHE_KIB;
use keys::{insert_key, put_password};
use place::FilePlace;
use sessions::{insert_session, insert_session_row};
use users::insert_user;

/// An SQLite file. Shared by all threads.
///
/// Reads run on connections of their own, one for each thread that reads at the same moment, and never
/// wait. Writes queue for one connection, each for a limited time.
pub struct Sqlite {
    path: PathBuf,
    place: RwLock<FilePlace>,
    readers: Mutex<Readers>,
    reader_returned: Condvar,
    writer: Mutex<Option<Connection>>,
    writer_returned: Condvar,
    handle_key: [u8; 32],
    /// Whether the file has an older schema. Then every transaction begins with the upgrade, and the first one
    /// that changes something keeps it.
    is_older: AtomicBool,
    upgraded_from: Option<u32>,
    /// Failures counted since the rows were last counted.
    uncounted: AtomicU32,
    strain: StrainCounter,
}

/// The connections for reading.
#[derive(Default)]
struct Readers {
    spare: Vec<Connection>,
    lent: usize,
    /// The path no longer refers to the file: open connections are still read, none is opened, nothing is
    /// written.
    is_lost: bool,
    /// No connection is open: the file is back, but could not be opened yet.
    is_closed: bool,
}

impl Sqlite {
    /// Opens the database at `path` for a server, creating it if it does not exist (mode 0600).
    ///
    /// A file that belongs to another program, has a newer schema, is damaged, half copied or read-only is
    /// refused and left as it was; the error says which. Several processes may open the same file.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_for(path, OpenMode::ToServe)
    }

    fn open_for(path: &Path, mode: OpenMode) -> Result<Self> {
        let opened = file::open(path, mode)?;
        let handle_key = match opened.key_of_older {
            Some(key) => key,
            None => schema::handle_key(&opened.conn).map_err(SqliteFault::from)?,
        };
        Ok(Self {
            handle_key,
            is_older: AtomicBool::new(opened.key_of_older.is_some()),
            upgraded_from: opened.upgraded_from,
            // Lets the first failure check the number of rows.
            uncounted: AtomicU32::new(u32::MAX / 2),
            strain: StrainCounter::default(),
            path: opened.path,
            place: RwLock::new(opened.place),
            readers: Mutex::default(),
            reader_returned: Condvar::new(),
            writer: Mutex::new(Some(opened.conn)),
            writer_returned: Condvar::new(),
        })
    }

    /// Runs one read on a connection that no other thread uses meanwhile. After an error the connection is
    /// closed.
    fn read<T>(&self, query: impl FnOnce(&Connection) -> SqliteResult<T>) -> Result<T> {
        self.read_uncounted(query).inspect_err(|err| self.strain.note(err))
    }

    fn read_uncounted<T>(&self, query: impl FnOnce(&Connection) -> SqliteResult<T>) -> Result<T> {
        if self.is_older() {
            let mut writer = self.writer(WRITE_PATIENCE)?;
            let upgraded = self.begin(&mut writer)?;
            return Ok(query(&upgraded)?);
        }
        let Some(mut reader) = self.reader()? else {
            // No other connection can be opened by the path, and the writing one has the right file open.
            let writer = self.writer(WRITE_PATIENCE)?;
            return Ok(query(&writer)?);
        };
        let value = query(reader.conn())?;
        reader.is_well = true;
        Ok(value)
    }

    /// A connection for reading. `None` if all are in use and the path no longer refers to the file.
    fn reader(&self) -> Result<Option<Reader<'_>>> {
        let mut readers = self.readers();
        readers.lent += 1;
        let mut reader = Reader { store: self, conn: readers.spare.pop(), is_well: false };
        let is_lost = readers.is_lost;
        drop(readers);
        if reader.conn.is_none() {
            if is_lost || self.lost().is_some() {
                return Ok(None);
            }
            reader.conn = Some(self.open_reader()?);
        }
        Ok(Some(reader))
    }

    /// Opens another connection for reading the same file.
    fn open_reader(&self) -> Result<Connection> {
        let conn = file::open_reader(&self.path).map_err(SqliteFault::from)?;
        self.see_that_it_is_there()?;
        Ok(conn)
    }

    /// Why the path no longer refers to the open file; `None`: it does.
    fn lost(&self) -> Option<String> {
        self.place.read().unwrap_or_else(PoisonError::into_inner).lost()
    }

    fn see_that_it_is_there(&self) -> Result<()> {
        self.lost().map_or(Ok(()), |cause| Err(Error::Unavailable(cause)))
    }

    /// Runs a query for one record or none.
    fn read_one<T: FromCells>(&self, sql: &str, params: &[Cell<'_>]) -> Result<Option<T>> {
        self.read(|conn| first(conn, sql, params))
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one transaction. After any failure nothing of it is written.
    fn write<T>(
        &self,
        patience: Duration,
        unit: impl FnOnce(&Transaction<'_>) -> SqliteResult<T>,
    ) -> SqliteResult<T> {
        self.write_uncounted(patience, unit).inspect_err(|fault| {
            if let SqliteFault::Error(err) = fault {
                self.strain.note(err);
            }
        })
    }

    fn write_uncounted<T>(
        &self,
        patience: Duration,
        unit: impl FnOnce(&Transaction<'_>) -> SqliteResult<T>,
    ) -> SqliteResult<T> {
        if let Some(cause) = self.lost() {
            // At once: a process that is killed before the next check would leave the log beside another
            // file.
            if self.place.read().unwrap_or_else(PoisonError::into_inner).is_replaced() {
                let _ = self.leave();
            }
            return Err(Error::Unavailable(cause).into());
        }
        let waiting = self.strain.waiting();
        let mut writer = self.writer(patience)?;
        let tx = self.begin(&mut writer)?;
        drop(waiting);
        self.see_that_it_is_there()?;
        let changes = tx.total_changes();
        let value = unit(&tx)?;
        if self.is_older() && tx.total_changes() == changes {
            return Ok(value);
        }
        tx.commit()?;
        self.is_older.store(false, Ordering::Release);
        // A write to a file that was taken away meanwhile must not be acknowledged.
        self.lost().map_or(Ok(value), |cause| Err(Error::Unknown(cause).into()))
    }

    fn is_older(&self) -> bool {
        self.is_older.load(Ordering::Acquire)
    }

    /// Begins a transaction, in which the schema is the newest one.
    fn begin<'a>(&self, conn: &'a mut Connection) -> SqliteResult<Transaction<'a>> {
        // IMMEDIATE takes the lock at once: a transaction that reads first and asks for the lock later is
        // refused without waiting if another one wrote in between.
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if self.is_older() {
            schema::upgrade_in(&tx, &self.handle_key).map_err(|refusal| refusal.0)?;
        }
        Ok(tx)
    }

    /// Waits for the writing connection, and lets it spend the rest of `patience` waiting for other
    /// processes.
    fn writer(&self, patience: Duration) -> SqliteResult<Writer<'_>> {
        let patience = Patience::left(patience);
        let deadline = Instant::now() + patience;
        let slot = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut slot, _) = self
            .writer_returned
            .wait_timeout_while(slot, patience, |slot| slot.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        let Some(conn) = slot.take() else {
            return Err(SqliteFault::Error(Error::Unavailable(
                "too many writes are waiting".to_owned(),
            )));
        };
        let writer = Writer { store: self, conn: Some(conn) };
        writer.busy_timeout(deadline.saturating_duration_since(Instant::now()))?;
        Ok(writer)
    }
}

impl Store for Sqlite {}

impl Engine for PathBuf {
    fn open(&self, mode: OpenMode) -> Result<Box<dyn Store>> {
        Ok(Box::new(Sqlite::open_for(self, mode)?))
    }

    fn schema(&self) -> Result<(u32, u32)> {
        file::schema(self)
    }

    fn preparation(&self) -> Result<Preparation> {
        preparation::preparation(self)
    }

    fn migrate(&self) -> Result<(u32, u32)> {
        file::migrate(self)
    }

    fn is_in_use(&self) -> Option<bool> {
        file::is_in_use(self).ok()
    }
}

impl Statements for Sqlite {
    fn query(
        &self,
        sql: &str,
        params: &[Cell<'_>],
        each: &mut dyn FnMut(&mut dyn Cells) -> Result<()>,
    ) -> Result<()> {
        self.read(|conn| {
            let mut statement = conn.prepare_cached(sql)?;
            let mut rows = statement.query(params_from_iter(params))?;
            while let Some(row) = rows.next()? {
                each(&mut SqliteCells { row, next: 0 })?;
            }
            Ok(())
        })
    }

    fn execute(&self, sql: &str, params: &[Cell<'_>]) -> Result<usize> {
        Ok(self.write(WRITE_PATIENCE, |tx| run(tx, sql, params))?)
    }

    fn sweep(&self, table: &str, column: &str, before: Moment, limit: u32) -> Result<usize> {
        let sql = format!(
            "DELETE FROM {table} WHERE id IN
               (SELECT id FROM {table} WHERE {column} < ? ORDER BY {column} LIMIT ?)"
        );
        self.execute(&sql, &cells![before, limit])
    }
}

/// The first row of a query, if there is one.
fn first<T: FromCells>(
    conn: &Connection,
    sql: &str,
    params: &[Cell<'_>],
) -> SqliteResult<Option<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(params))?;
    rows.next()?.map(record).transpose()
}

/// All rows of a query.
fn all<T: FromCells>(conn: &Connection, sql: &str, params: &[Cell<'_>]) -> SqliteResult<Vec<T>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query(params_from_iter(params))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(record(row)?);
    }
    Ok(found)
}

/// Whether a query has a row.
fn exists(conn: &Connection, sql: &str, params: &[Cell<'_>]) -> SqliteResult<bool> {
    Ok(conn.prepare_cached(sql)?.exists(params_from_iter(params))?)
}

/// Runs a statement without rows in its answer, and returns how many rows it matched.
fn run(conn: &Connection, sql: &str, params: &[Cell<'_>]) -> SqliteResult<usize> {
    Ok(conn.prepare_cached(sql)?.execute(params_from_iter(params))?)
}

/// Reads a record from a row.
fn record<T: FromCells>(row: &Row<'_>) -> SqliteResult<T> {
    Ok(T::read(&mut SqliteCells { row, next: 0 })?)
}

/// Deletes the rows of a user in the tables that match.
fn delete_rows_of(
    tx: &Transaction<'_>,
    id: &UserId,
    is_such: impl Fn(&StoredTable) -> bool,
) -> SqliteResult<()> {
    for table in tables::ALL.iter().rev().filter(|it| it.has_owner && is_such(it)) {
        let sql = format!("DELETE FROM {} WHERE user_id = ?", table.name);
        run(tx, &sql, &cells![id])?;
    }
    Ok(())
}

/// The cells of a row that are not read yet.
struct SqliteCells<'a, 'b> {
    row: &'a Row<'b>,
    next: usize,
}

impl SqliteCells<'_, '_> {
    fn take<T: FromSql>(&mut self) -> Result<T> {
        let column = self.next;
        self.next += 1;
        Ok(self.row.get(column).map_err(SqliteFault::from)?)
    }
}

impl Cells for SqliteCells<'_, '_> {
    fn int(&mut self) -> Result<i64> {
        self.take()
    }

    fn maybe_int(&mut self) -> Result<Option<i64>> {
        self.take()
    }

    fn text(&mut self) -> Result<String> {
        self.take()
    }

    fn maybe_text(&mut self) -> Result<Option<String>> {
        self.take()
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        let column = self.next;
        self.next += 1;
        match self.row.get_ref(column).map_err(SqliteFault::from)? {
            ValueRef::Blob(found) if found.len() == bytes.len() => {
                bytes.copy_from_slice(found);
                Ok(())
            }
            _ => Err(Error::Broken(format!("an id is not {} bytes long", bytes.len()))),
        }
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        self.take()
    }
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// The writing connection in use. It is returned even if the borrower panics.
struct Writer<'a> {
    store: &'a Sqlite,
    conn: Option<Connection>,
}

impl std::ops::Deref for Writer<'_> {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        self.conn.as_ref().expect("it is there until the loan ends")
    }
}

impl std::ops::DerefMut for Writer<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.conn.as_mut().expect("it is there until the loan ends")
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        *self.store.writer.lock().unwrap_or_else(PoisonError::into_inner) = self.conn.take();
        self.store.writer_returned.notify_one();
    }
}

/// A reading connection in use. It is returned unless it met an error; the number in use is right even if
/// the borrower panics.
struct Reader<'a> {
    store: &'a Sqlite,
    conn: Option<Connection>,
    is_well: bool,
}

impl Reader<'_> {
    fn conn(&self) -> &Connection {
        self.conn.as_ref().expect("it is there until the loan ends")
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        let mut readers = self.store.readers();
        readers.lent -= 1;
        readers.spare.extend(self.conn.take().filter(|_| self.is_well));
        // Only the thread that reopens the file waits for this; a notification with no one waiting would
        // cost every page a system call.
        if readers.is_lost {
            self.store.reader_returned.notify_all();
        }
    }
}

type SqliteResult<T> = std::result::Result<T, SqliteFault>;

/// Why a transaction did not succeed: an expected refusal, or an error.
pub(super) enum SqliteFault {
    Refused(Refused),
    Error(Error),
}

/// The error for a write that did not get its turn.
const BUSY_TEXT: &str =
    "another process writes to it and did not finish in time; nothing was written, try again";

/// The error for a file that may not be written.
const READ_ONLY_TEXT: &str =
    "it cannot be written: see its mode, its owner, those of its folder, and where it is mounted";

impl From<rusqlite::Error> for SqliteFault {
    /// By code, never by the text of a message.
    fn from(err: rusqlite::Error) -> Self {
        let Some(code) = err.sqlite_error().copied() else {
            return Self::Error(Error::Broken(err.to_string()));
        };
        match code.extended_code {
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
                Self::Refused(Refused::Duplicate)
            }
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Self::Refused(Refused::NoUser),
            // A file or a quota may not grow, a full disk by another name; or the system has mounted the disk
            // read-only after a fault.
            ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE => Self::Error(Error::Unavailable(
                format!("{err}; make room on the disk, and see that it is not mounted read-only"),
            )),
            _ => Self::Error(match code.code {
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
                    Error::Unavailable(BUSY_TEXT.to_owned())
                }
                ErrorCode::DiskFull => Error::Unavailable("the disk is full; make room".to_owned()),
                // It could be written when it was opened, and can be again when the operator has seen to it.
                ErrorCode::ReadOnly => Error::Unavailable(READ_ONLY_TEXT.to_owned()),
                ErrorCode::CannotOpen | ErrorCode::OutOfMemory => {
                    Error::Unavailable(err.to_string())
                }
                _ => Error::Broken(err.to_string()),
            }),
        }
    }
}

impl From<Error> for SqliteFault {
    fn from(err: Error) -> Self {
        Self::Error(err)
    }
}

impl From<SqliteFault> for Error {
    fn from(fault: SqliteFault) -> Self {
        match fault {
            SqliteFault::Error(err) => err,
            SqliteFault::Refused(refused) => refused.into(),
        }
    }
}

impl From<SqliteFault> for TxFailure {
    fn from(fault: SqliteFault) -> Self {
        match fault {
            SqliteFault::Refused(refused) => Self::Refused(refused),
            SqliteFault::Error(err) => Self::Error(err),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::token::Token;
    use crate::store::{
        ClientInfo, Groups, Maintenance, Session, SessionStart, SessionStarted, Sessions, Tended,
        User, UserAdded, UserId, Users,
    };

    fn user(id: &str) -> User {
        User {
            id: UserId::new(id.to_owned()),
            username: id.to_owned(),
            canonical_username: id.to_owned(),
            created_at: Moment::from_millis(0),
            groups: Groups::default(),
            email: String::new(),
            email_verified_at: None,
            disabled_at: None,
            disabled_reason: String::new(),
            second_factor_since: None,
        }
    }

    fn session(user: &User) -> Session {
        Session {
            id: Token::random().hash(),
            user_id: user.id.clone(),
            active_expires: Moment::from_millis(1),
            idle_expires: Moment::from_millis(2),
            absolute_expires: Moment::from_millis(3),
            created_at: Moment::from_millis(0),
            proven_at: Moment::from_millis(0),
            seen_at: Moment::from_millis(0),
            place: ClientInfo::default(),
            second_at: Moment::NEVER,
        }
    }

    fn open() -> (tempfile::TempDir, Sqlite) {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("test.db")).unwrap();
        (folder, store)
    }

    fn is_busy<T>(result: &Result<T>) -> bool {
        matches!(result, Err(Error::Unavailable(_)))
    }

    #[test]
    fn keeps_reading_and_says_busy_when_the_disk_is_full_and_recovers() {
        let (_folder, store) = open();
        let ann = user("ann");
        store.add_user(&ann, &[]).unwrap();
        let limit = |pages: u32| {
            let writer = store.writer(WRITE_PATIENCE).ok().unwrap();
            writer.pragma_update(None, "max_page_count", pages).unwrap();
        };
        limit(1);
        let full = (0..100)
            .map(|_| store.start_session(&session(&ann), 1_000, &SessionStart::default()))
            .find(Result::is_err)
            .expect("a hundred sessions do not fit into the pages there are");
        assert!(is_busy(&full), "{full:?}");
        assert_eq!(store.user(&ann.id).unwrap(), Some(ann.clone()));
        limit(1_000_000);
        assert_eq!(
            store.start_session(&session(&ann), 1_000, &SessionStart::default()),
            Ok(SessionStarted::Done)
        );
    }

    #[test]
    fn keeps_reading_while_another_process_holds_the_lock_and_gives_a_renewal_up_soon() {
        let (_folder, store) = open();
        let ann = user("ann");
        store.add_user(&ann, &[]).unwrap();
        let other = Connection::open(&store.path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let soon = Moment::from_millis(5);
        let given_up = store.renew_session(&Token::random().hash(), soon, soon, soon);
        assert_eq!(given_up, Err(Error::Unavailable(BUSY_TEXT.to_owned())));
        assert_eq!(store.user(&ann.id).unwrap(), Some(ann));
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(store.renew_session(&Token::random().hash(), soon, soon, soon), Ok(false));
    }

    #[test]
    fn gives_a_write_up_that_waits_too_long_behind_others() {
        let (_folder, store) = open();
        let _held = store.writer(WRITE_PATIENCE).ok().unwrap();
        let soon = Moment::from_millis(5);
        assert!(is_busy(&store.renew_session(&Token::random().hash(), soon, soon, soon)));
    }

    #[test]
    fn acknowledges_nothing_that_went_into_a_file_which_was_taken_away_meanwhile() {
        let (folder, store) = open();
        let away = folder.path().join("away.db");
        let added = store.write(WRITE_PATIENCE, |tx| {
            insert_user(tx, &user("ann"), "")?;
            std::fs::rename(&store.path, &away).unwrap();
            Ok(())
        });
        assert!(matches!(added.map_err(Error::from), Err(Error::Unknown(_))));
        assert!(is_busy(&store.add_user(&user("bob"), &[])));
        assert!(is_busy(&store.probe()));
        assert_eq!(store.user(&user("bob").id), Ok(None), "it can be read");
        std::fs::rename(&away, &store.path).unwrap();
        assert_eq!(store.add_user(&user("bob"), &[]), Ok(UserAdded::Done));
        assert_eq!(
            store.user(&user("ann").id),
            Ok(Some(user("ann"))),
            "it was written all the same"
        );
    }

    #[test]
    fn opens_its_file_again_once_it_is_back() {
        let (folder, store) = open();
        store.add_user(&user("ann"), &[]).unwrap();
        let away = folder.path().join("away.db");
        std::fs::rename(&store.path, &away).unwrap();
        assert!(matches!(store.tend(), Tended::Lost(_)));
        assert_eq!(store.tend(), Tended::Unchanged);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "the log is in the file");
        std::fs::rename(&away, &store.path).unwrap();
        assert!(is_busy(&store.add_user(&user("bob"), &[])));
        assert_eq!(store.tend(), Tended::Recovered);
        assert_eq!(store.tend(), Tended::Unchanged);
        assert_eq!(store.add_user(&user("bob"), &[]), Ok(UserAdded::Done));
        assert_eq!(store.user(&user("ann").id), Ok(Some(user("ann"))));
        store.close().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn waits_for_no_writer_longer_than_the_request_may() {
        let (_folder, store) = open();
        let other = Connection::open(&store.path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        for (patience, most) in [
            (Patience::None, Duration::ZERO),
            (Patience::Until(Instant::now()), Duration::ZERO),
            (Patience::Until(Instant::now() + Duration::from_millis(200)), WRITE_PATIENCE / 2),
        ] {
            // Another process holds the lock, and then a thread of this one holds the connection.
            let began = Instant::now();
            assert!(is_busy(&patience.during(|| store.add_user(&user("ann"), &[]))));
            let held = store.writer(WRITE_PATIENCE).ok().unwrap();
            assert!(is_busy(&patience.during(|| store.add_user(&user("ann"), &[]))));
            drop(held);
            let waited = began.elapsed();
            assert!(waited < most.max(WRITE_PATIENCE / 2), "{patience:?}: {waited:?}");
        }
        other.execute_batch("ROLLBACK").unwrap();
        assert_eq!(store.add_user(&user("ann"), &[]), Ok(UserAdded::Done));
    }

    #[test]
    fn says_busy_when_the_file_cannot_be_written_any_more_and_what_to_see_to() {
        let (_folder, store) = open();
        store.writer(WRITE_PATIENCE).ok().unwrap().pragma_update(None, "query_only", true).unwrap();
        let refused = store.add_user(&user("ann"), &[]);
        assert_eq!(refused, Err(Error::Unavailable(READ_ONLY_TEXT.to_owned())));
    }

    #[test]
    fn writes_nothing_and_goes_on_after_a_panic_within_a_transaction() {
        let (_folder, store) = open();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.write(WRITE_PATIENCE, |tx| -> std::result::Result<(), SqliteFault> {
                insert_user(tx, &user("ann"), "")?;
                panic!("a bug");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(store.user(&user("ann").id), Ok(None));
        assert_eq!(store.add_user(&user("ann"), &[]), Ok(UserAdded::Done));
    }
}
