//! The store on servers that speak MySQL's protocol: a MariaDB server, or a Galera cluster of several.
//!
//! Decides what a transaction is, when it is run again, and what happens if the outcome of a commit is
//! unknown. All threads use the same server, and switch together.
//!
//! The rules of this file, each after a fault that was seen on a cluster:
//! - A statement's answer is read to its end: a cluster may report behind the rows that the transaction is
//!   lost.
//! - A transaction that loses against one on another server (1213) is run again as a whole, so that the
//!   loser of two sign-ups finds the name taken, instead of getting an error.
//! - No statement is prepared within a transaction that goes on: a node that rolls it back just then tells nobody.
//! - If the connection breaks during a commit, the write may have happened or not. The transaction is run
//!   again, and recognises by its own ids what it has already done (`may_be_applied`).
//! - Nothing relies on isolation: each statement has its own condition, and the number of rows tells
//!   whether it held.
//! - Text that identifies something is stored as bytes: under a collation `bob` and `bob ` are equal.

mod access_tokens;
mod attempts;
mod audit;
mod bulk;
mod cluster;
mod copy;
mod devices;
mod fault;
mod invitations;
mod keys;
mod mail;
mod maintenance;
mod names;
mod one_time_tokens;
mod passkeys;
mod schema;
mod second_factors;
mod sessions;
mod throttle;
mod users;

use std::collections::HashSet;
use std::sync::atomic::AtomicU32;
use std::time::{Duration, Instant};

use mysql::prelude::{FromValue, Queryable};
use mysql::{Conn, Params, Row, Value};

use super::engine::{Engine, OpenMode, Preparation};
use super::rows::{Cell, Cells, FromCells, Statements, cells};
use super::strain::StrainCounter;
use super::tables::{self, StoredTable};
use super::{Cluster, Error, HALF_COPIED_TEXT, Result, Store};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use attempts::{Attempts, PATIENCE, Tries, TxKind, pause};
use cluster::{ANSWER_TIMEOUT, ClusterPool, LONG_ANSWER_TIMEOUT, STATEMENTS_MAX};
use fault::{MysqlFault, MysqlResult};
use keys::{insert_key, put_password};
use sessions::{has_session, insert_session};
use users::{has_user, lock_user};

/// Servers that hold the database. Shared by all threads.
pub struct Mysql {
    pool: ClusterPool,
    handle_key: [u8; 32],
    upgraded_from: Option<u32>,
    /// Failures counted since the rows were last counted.
    uncounted: AtomicU32,
    strain: StrainCounter,
}

impl Mysql {
    /// Opens the database for a server, creating missing tables and upgrading older ones. Several processes
    /// may do so at once.
    ///
    /// A database that holds another program's tables, or has a newer schema, is refused and left as it
    /// was; the error says which.
    pub fn open(cluster: &Cluster) -> Result<Self> {
        Self::open_for(cluster, OpenMode::ToServe)
    }

    fn open_for(cluster: &Cluster, mode: OpenMode) -> Result<Self> {
        // A command may read and count everything, and waits for it.
        let timeout = match mode {
            OpenMode::ToServe => ANSWER_TIMEOUT,
            _ => LONG_ANSWER_TIMEOUT,
        };
        let opened = || {
            let mut store = Self::reach(cluster, timeout)?;
            if mode.creates() {
                store.upgraded_from = schema::prepare(&store, cluster, mode == OpenMode::ToServe)?;
            } else {
                schema::check(&store)?;
            }
            store.handle_key = schema::handle_key(&store)?;
            if mode != OpenMode::ToFill && copy::is_half_copied(&store)? {
                return Err(Error::Broken(HALF_COPIED_TEXT.to_owned()));
            }
            Ok(store)
        };
        let name = &cluster.name;
        opened()
            .map_err(|err| err.saying(|cause| format!("cannot use the database {name}: {cause}")))
    }

    /// A store whose tables have not been checked yet.
    fn reach(cluster: &Cluster, answer_timeout: Duration) -> Result<Self> {
        let pool = ClusterPool::of(cluster, answer_timeout)?;
        pool.connect_any()?;
        // Lets the first failure check the number of rows.
        Ok(Self {
            pool,
            handle_key: [0; 32],
            upgraded_from: None,
            uncounted: AtomicU32::new(u32::MAX / 2),
            strain: StrainCounter::default(),
        })
    }

    /// Runs statements that change nothing.
    fn read<T>(&self, query: impl FnMut(&mut Tx<'_>) -> MysqlResult<T>) -> Result<T> {
        Ok(self.until_done(Tries::Many, TxKind::Read, query)?)
    }

    /// Runs a query for one record or none.
    fn read_one<T: FromCells>(&self, sql: &str, params: impl Into<Params>) -> Result<Option<T>> {
        let params = params.into();
        self.read(|tx| tx.first(sql, params.clone()))
    }

    /// Runs one transaction. After any failure nothing of it is written.
    fn write<T>(&self, tx: impl FnMut(&mut Tx<'_>) -> MysqlResult<T>) -> MysqlResult<T> {
        self.until_done(Tries::Many, TxKind::Transaction, tx)
    }

    /// Runs one transaction that writes very many rows, as [`Mysql::write`] does. A cluster replicates it
    /// while it grows.
    fn write_large<T>(&self, tx: impl FnMut(&mut Tx<'_>) -> MysqlResult<T>) -> MysqlResult<T> {
        self.until_done(Tries::Many, TxKind::Large, tx)
    }

    /// Runs one statement that writes, and returns how many rows it matched: at least one in a repeated
    /// try, as the first may have matched it.
    fn write_one(&self, sql: &str, params: impl Into<Params>) -> Result<usize> {
        let params = params.into();
        Ok(self.until_done(Tries::Many, TxKind::Statement, |tx| {
            let met = tx.run(sql, params.clone())?;
            Ok(if tx.may_be_applied { met.max(1) } else { met })
        })?)
    }

    /// Runs one statement on the row of `table` with this id, for what the next request can repeat: one try
    /// that does not wait for a locked row, so that no page is delayed.
    fn write_at_once(
        &self,
        (table, id): (&str, &TokenHash),
        sql: &str,
        params: impl Into<Params>,
    ) -> Result<usize> {
        let (params, id) = (params.into(), blob(id.as_bytes()));
        let lock = format!("SELECT 1 FROM {table} WHERE id = ? FOR UPDATE NOWAIT");
        Ok(self.until_done(Tries::One, TxKind::Transaction, |tx| {
            let is_there = tx.exists(&lock, (id.clone(),))?;
            if is_there { tx.run(sql, params.clone()) } else { Ok(0) }
        })?)
    }

    /// Runs a transaction, on one server after the other, until it succeeds, is refused, or runs out of
    /// time.
    fn until_done<T>(
        &self,
        tries: Tries,
        kind: TxKind,
        work: impl FnMut(&mut Tx<'_>) -> MysqlResult<T>,
    ) -> MysqlResult<T> {
        self.until_done_uncounted(tries, kind, work).inspect_err(|fault| {
            if let MysqlFault::Error(err) = fault {
                self.strain.note(err);
            }
        })
    }

    fn until_done_uncounted<T>(
        &self,
        tries: Tries,
        kind: TxKind,
        mut work: impl FnMut(&mut Tx<'_>) -> MysqlResult<T>,
    ) -> MysqlResult<T> {
        let mut attempts = Attempts::of(tries, kind, self.pool.is_reached());
        loop {
            let began = Instant::now();
            let (host, fault) = match self.pool.borrow() {
                Ok(mut lease) => {
                    let host = lease.host;
                    match attempts.make(&mut lease, &mut work) {
                        Ok(value) => {
                            self.pool.give_back(lease);
                            return Ok(value);
                        }
                        Err(fault) => {
                            self.pool.check_in(lease, &fault);
                            (Some(host), fault)
                        }
                    }
                }
                Err(fault) => (None, fault),
            };
            let is_lost = matches!(fault, MysqlFault::Conflict(_));
            let pause = attempts.note(fault);
            if is_lost {
                let pause = pause.as_ref().copied().unwrap_or_default();
                self.strain.note_wait(began.elapsed() + pause);
            }
            if let Some(host) = host.filter(|_| attempts.doubt_server()) {
                self.pool.fail_over(host);
            }
            std::thread::sleep(pause?);
        }
    }
}

impl Store for Mysql {}

impl Engine for Cluster {
    fn open(&self, mode: OpenMode) -> Result<Box<dyn Store>> {
        Ok(Box::new(Mysql::open_for(self, mode)?))
    }

    fn schema(&self) -> Result<(u32, u32)> {
        schema::schema(self)
    }

    fn preparation(&self) -> Result<Preparation> {
        schema::schema(self).map(Preparation::of)
    }

    fn migrate(&self) -> Result<(u32, u32)> {
        schema::migrate(self)
    }

    fn is_in_use(&self) -> Option<bool> {
        None
    }
}

impl Statements for Mysql {
    fn query(
        &self,
        sql: &str,
        params: &[Cell<'_>],
        each: &mut dyn FnMut(&mut dyn Cells) -> Result<()>,
    ) -> Result<()> {
        // Rows that were passed on cannot be taken back, so all of them are read first.
        let rows = self.read(|tx| tx.rows(sql, values(params)))?;
        rows.into_iter().try_for_each(|mut row| each(&mut MysqlCells { row: &mut row, next: 0 }))
    }

    fn execute(&self, sql: &str, params: &[Cell<'_>]) -> Result<usize> {
        self.write_one(sql, values(params))
    }

    fn sweep(&self, table: &str, column: &str, before: Moment, limit: u32) -> Result<usize> {
        let sql = format!("DELETE FROM {table} WHERE {column} < ? ORDER BY {column} LIMIT ?");
        self.execute(&sql, &cells![before, limit])
    }
}

/// Statements that belong together, on one connection.
struct Tx<'a> {
    conn: &'a mut Conn,
    /// Whether an earlier try may have been applied: its connection broke during the commit.
    may_be_applied: bool,
    prepared: &'a mut HashSet<String>,
    /// Whether it begins anew after a statement was prepared.
    begins_anew: bool,
    /// Whether a statement was prepared, so that it has to begin anew.
    has_prepared: bool,
}

impl Tx<'_> {
    /// Has the server prepare a statement that this connection does not have yet. A transaction begins anew then, before
    /// anything else is run: where it loses against one of another node while a statement is prepared, MariaDB 10.11
    /// rolls it back and tells nobody, and would run the rest of it outside any transaction.
    fn prepare(&mut self, sql: &str) -> MysqlResult<()> {
        if self.prepared.contains(sql) {
            return Ok(());
        }
        // The library keeps as many, and drops the one that has not been used for longest.
        if self.prepared.len() >= STATEMENTS_MAX {
            self.prepared.clear();
        }
        self.conn.prep(sql)?;
        self.prepared.insert(sql.to_owned());
        if !self.begins_anew {
            return Ok(());
        }
        self.has_prepared = true;
        Err(MysqlFault::Conflict("a statement was prepared".to_owned()))
    }

    /// All rows. The library's own functions for one row drop what the server sends behind it.
    fn rows(&mut self, sql: &str, params: impl Into<Params>) -> MysqlResult<Vec<Row>> {
        self.prepare(sql)?;
        Ok(self.conn.exec(sql, params.into())?)
    }

    /// All rows, as records.
    fn all<T: FromCells>(&mut self, sql: &str, params: impl Into<Params>) -> MysqlResult<Vec<T>> {
        self.rows(sql, params)?.iter_mut().map(record).collect()
    }

    /// The first row, as a record.
    fn first<T: FromCells>(
        &mut self,
        sql: &str,
        params: impl Into<Params>,
    ) -> MysqlResult<Option<T>> {
        self.rows(sql, params)?.first_mut().map(record).transpose()
    }

    fn exists(&mut self, sql: &str, params: impl Into<Params>) -> MysqlResult<bool> {
        Ok(!self.rows(sql, params)?.is_empty())
    }

    /// Runs a statement without rows in its answer, and returns how many rows matched: not how many
    /// changed.
    fn run(&mut self, sql: &str, params: impl Into<Params>) -> MysqlResult<usize> {
        self.prepare(sql)?;
        self.conn.exec_drop(sql, params.into())?;
        Ok(usize::try_from(self.conn.affected_rows()).unwrap_or(usize::MAX))
    }

    /// The number that the last statement set with `LAST_INSERT_ID(…)`.
    fn made(&self) -> i64 {
        i64::try_from(self.conn.last_insert_id()).unwrap_or(i64::MAX)
    }
}

/// Reads a record from a row.
fn record<T: FromCells>(row: &mut Row) -> MysqlResult<T> {
    Ok(T::read(&mut MysqlCells { row, next: 0 })?)
}

/// The cells of a row that are not read yet.
struct MysqlCells<'a> {
    row: &'a mut Row,
    next: usize,
}

impl MysqlCells<'_> {
    fn take<T: FromValue>(&mut self) -> Result<T> {
        let column = self.next;
        self.next += 1;
        if let Some(Ok(value)) = self.row.take_opt(column) {
            return Ok(value);
        }
        let name = self.row.columns_ref().get(column).map(|it| it.name_str().into_owned());
        let name = name.unwrap_or_default();
        Err(Error::Broken(format!("the column {name} holds what it cannot hold")))
    }
}

impl Cells for MysqlCells<'_> {
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
        let found: Vec<u8> = self.take()?;
        if found.len() != bytes.len() {
            return Err(Error::Broken(format!("an id is not {} bytes long", bytes.len())));
        }
        bytes.copy_from_slice(&found);
        Ok(())
    }

    fn bytes(&mut self) -> Result<Vec<u8>> {
        self.take()
    }
}

impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Null => Self::NULL,
            Cell::Int(number) => Self::Int(number),
            Cell::Text(text) => Self::Bytes(text.as_bytes().to_vec()),
            Cell::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
        }
    }
}

/// Cells as the parameters of a statement.
fn values(cells: &[Cell<'_>]) -> Params {
    match cells {
        [] => Params::Empty,
        cells => Params::Positional(cells.iter().map(|it| Value::from(*it)).collect()),
    }
}

/// Deletes the rows of a user in the tables that match.
fn delete_rows_of(
    tx: &mut Tx<'_>,
    id: &str,
    is_such: impl Fn(&StoredTable) -> bool,
) -> MysqlResult<()> {
    for table in tables::ALL.iter().rev().filter(|it| it.has_owner && is_such(it)) {
        tx.run(&format!("DELETE FROM {} WHERE user_id = ?", table.name), (id,))?;
    }
    Ok(())
}

/// `count` question marks, separated by commas.
fn marks(count: usize) -> String {
    vec!["?"; count].join(",")
}

/// `rows` groups of question marks, for the values of many rows.
fn rows_of_marks(rows: usize, columns: usize) -> String {
    vec![format!("({})", marks(columns)); rows].join(",")
}

/// A hash or another binary id as a parameter.
fn blob(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}
