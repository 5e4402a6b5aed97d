//! The tries of a transaction: how many, for how long, and how each is sent to a server.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;

use super::cluster::{Lease, set_if_known};
use super::{MysqlFault, MysqlResult, Tx};
use crate::store::{Error, Patience};

/// How long something may take in all, over any number of servers and tries. Longer than a cluster takes
/// to leave a dead server (6 s), and shorter than a reverse proxy waits (nginx: 60 s).
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

/// The limit when no server has been reachable for some time.
const PATIENCE_WHEN_LOST: Duration = Duration::from_secs(1);

/// The most conflicts before a transaction is given up.
const LOST_MAX: u64 = 40;

/// After this many conflicts another server is tried: what looks like a conflict may be a server that has
/// lost its cluster. (A read cannot conflict, and switches at once.)
const LOST_AT_ONE: u64 = 20;

/// Makes a cluster replicate a transaction in pieces while it grows (streaming replication, Galera 4).
///
/// The longest wait of any other write, measured with 100,000 users on three servers on one busy machine: 9
/// s if the transaction is replicated as a whole at its end, as no server accepts writes while the others
/// catch up; about 1 s in pieces of 32 to 256 KiB.
// LIMIT: if the transaction is broken off, every server has to undo the pieces it has; other writes then
// waited for 6 s. Galera 3 does not support pieces.
const STREAM: &str =
    "SET SESSION wsrep_trx_fragment_unit = 'bytes', wsrep_trx_fragment_size = 131072";
const STREAM_NO_MORE: &str = "SET SESSION wsrep_trx_fragment_size = 0";

/// How often an operation is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tries {
    /// Until [`PATIENCE`] is over.
    Many,
    One,
}

/// How the server sees the work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TxKind {
    Read,
    /// One statement that writes, committed automatically.
    Statement,
    Transaction,
    /// A transaction with very many rows. One try may take longer than [`PATIENCE`], which counts from the
    /// end of each.
    Large,
}

/// The tries of one read or one transaction.
pub(super) struct Attempts {
    tries: Tries,
    kind: TxKind,
    deadline: Instant,
    /// Whether an earlier try may have been applied: its connection broke during the commit.
    may_be_applied: bool,
    /// How many tries had a conflict, and how many found no server.
    lost: u64,
    away: u64,
    is_conflict: bool,
}

impl Attempts {
    pub(super) fn of(tries: Tries, kind: TxKind, is_reached: bool) -> Self {
        // Once it is known that no server is reachable, requests fail soon.
        let most = if is_reached { PATIENCE } else { PATIENCE_WHEN_LOST };
        let left = if kind == TxKind::Read { Patience::left_to_read } else { Patience::left };
        Self {
            tries,
            kind,
            deadline: Instant::now() + left(most),
            may_be_applied: false,
            lost: 0,
            away: 0,
            is_conflict: false,
        }
    }

    /// Runs the work once. After [`MysqlFault::Unavailable`] the connection is no longer usable.
    pub(super) fn make<T>(
        &mut self,
        lease: &mut Lease,
        work: &mut impl FnMut(&mut Tx<'_>) -> MysqlResult<T>,
    ) -> MysqlResult<T> {
        let mut tx = Tx {
            conn: &mut lease.conn,
            may_be_applied: self.may_be_applied,
            prepared: &mut lease.prepared,
            begins_anew: self.kind == TxKind::Transaction,
            has_prepared: false,
        };
        match self.kind {
            TxKind::Read => work(&mut tx),
            TxKind::Statement => work(&mut tx).map_err(MysqlFault::while_writing),
            TxKind::Transaction => transaction(&mut tx, work),
            TxKind::Large => {
                let done = streamed(&mut tx, work);
                self.deadline = Instant::now() + PATIENCE;
                done
            }
        }
    }

    /// Returns how long to wait before the next try. The error means that there is none.
    pub(super) fn note(&mut self, fault: MysqlFault) -> MysqlResult<Duration> {
        self.is_conflict = matches!(fault, MysqlFault::Conflict(_));
        let (cause, wait) = match fault {
            MysqlFault::Conflict(cause) => {
                self.lost += 1;
                (cause, pause(4 * self.lost.min(50)))
            }
            MysqlFault::Unavailable { cause, may_be_written, .. } => {
                self.may_be_applied |= may_be_written;
                self.away += 1;
                (cause, pause(30 * self.away.min(10)))
            }
            fault => return Err(fault),
        };
        let is_large = self.kind == TxKind::Large;
        let lost = self.lost + if is_large { self.away } else { 0 };
        let is_late = Instant::now() + wait >= self.deadline;
        if self.tries == Tries::Many && lost < LOST_MAX && !is_late {
            return Ok(wait);
        }
        let is_unknown = self.may_be_applied;
        let err = if is_unknown { Error::Unknown(cause) } else { Error::Unavailable(cause) };
        Err(MysqlFault::Error(err))
    }

    /// Whether what looks like a conflict may be a server that has lost its cluster.
    pub(super) fn doubt_server(&self) -> bool {
        self.is_conflict && (self.lost == LOST_AT_ONE || self.kind == TxKind::Read)
    }
}

/// Runs a transaction that a cluster replicates while it grows. A server without support for that
/// replicates it as a whole.
fn streamed<T>(
    tx: &mut Tx<'_>,
    work: &mut impl FnMut(&mut Tx<'_>) -> MysqlResult<T>,
) -> MysqlResult<T> {
    let is_streamed = set_if_known(tx.conn, STREAM)?;
    let done = transaction(tx, work);
    if is_streamed && !matches!(done, Err(MysqlFault::Unavailable { .. })) {
        // The transaction is committed, whether this succeeds or not.
        let _ = set_if_known(tx.conn, STREAM_NO_MORE);
    }
    done
}

fn transaction<T>(
    tx: &mut Tx<'_>,
    work: &mut impl FnMut(&mut Tx<'_>) -> MysqlResult<T>,
) -> MysqlResult<T> {
    loop {
        tx.has_prepared = false;
        tx.conn.query_drop("BEGIN")?;
        match work(tx) {
            Err(fault @ MysqlFault::Unavailable { .. }) => return Err(fault),
            Ok(value) if !tx.has_prepared => {
                let done = tx.conn.query_drop("COMMIT");
                done.map_err(|err| MysqlFault::from(err).while_writing())?;
                return Ok(value);
            }
            done => {
                tx.conn.query_drop("ROLLBACK")?;
                if !tx.has_prepared {
                    return done;
                }
            }
        }
    }
}

/// A random time up to this many milliseconds, so that two transactions in conflict do not meet again.
pub(super) fn pause(millis: u64) -> Duration {
    let random = RandomState::new().build_hasher().finish();
    Duration::from_micros(500 + random % (millis * 1_000))
}
