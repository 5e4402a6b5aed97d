//! What an operator needs, and what keeps guessers out: failed tries, the audit log, import, export, copy, and
//! the database as a whole.

use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::rows::{self, Statements, cells, record_columns};
use crate::store::{
    Count, CountId, ExportedUser, ImportStatus, ImportedUser, KeyId, Progress, Record, Result, Row,
    TABLES, UserId, tables,
};

/// Failed tries.
pub trait Throttle: Statements {
    /// How often this thing has failed.
    fn count(&self, id: &CountId) -> Result<Option<Count>> {
        let sql = "SELECT failures, last_at, until FROM throttle WHERE id = ?";
        rows::one(self, sql, &cells![id])
    }

    /// Forgets the failures of this thing.
    fn clear_count(&self, id: &CountId) -> Result<()> {
        if self.count(id)?.is_none() {
            return Ok(());
        }
        self.execute("DELETE FROM throttle WHERE id = ?", &cells![id]).map(drop)
    }

    /// Replaces the counts of these things by what `after` makes of them (of the thing at this place
    /// in `ids`, and of its count before), in one transaction: of failures at the same moment each
    /// counts. When there are more than `most` rows, those go that matter least.
    fn change_counts(
        &self,
        ids: &[CountId],
        after: &dyn Fn(usize, Option<Count>) -> Count,
        most: u32,
    ) -> Result<()>;

    /// Up to `limit` things whose last failure is said to be later than this moment.
    fn counts_after(&self, latest: Moment, limit: u32) -> Result<Vec<CountId>> {
        // No count ends before its last failure, so the index on `until` finds them.
        rows::all(
            self,
            "SELECT id FROM throttle WHERE until > ? AND last_at > ? LIMIT ?",
            &cells![latest, latest, limit],
        )
    }

    /// Deletes up to `limit` counts that ended before `earliest` and devices that were not used since
    /// `earliest_use`, and says how many.
    fn delete_forgotten(&self, earliest: Moment, earliest_use: Moment, limit: u32)
    -> Result<usize>;
}

/// The browsers that keep an allowance of their own.
pub trait Devices: Statements {
    /// Whether somebody has signed in with the account of this key in this browser since `earliest`, and
    /// not in the future: see [`Moment::has_passed`].
    fn has_device(
        &self,
        id: &TokenHash,
        key: &KeyId,
        earliest: Moment,
        now: Moment,
    ) -> Result<bool> {
        rows::exists(
            self,
            "SELECT 1 FROM user_key JOIN device ON device.user_id = user_key.user_id
              WHERE user_key.id = ? AND device.id = ? AND device.last_used_at BETWEEN ? AND ?",
            &cells![key, id, earliest, now.latest_past()],
        )
    }

    /// Whether this browser's secret is one that was given out: to whomever.
    fn knows_device(&self, id: &TokenHash) -> Result<bool> {
        rows::exists(self, "SELECT 1 FROM device WHERE id = ? LIMIT 1", &cells![id])
    }

    /// The browsers in which somebody has signed in with the account of this key.
    fn devices_of_key(&self, key: &KeyId) -> Result<Vec<TokenHash>> {
        rows::all(
            self,
            "SELECT device.id FROM user_key JOIN device ON device.user_id = user_key.user_id
              WHERE user_key.id = ?",
            &cells![key],
        )
    }
}

/// What happened.
pub trait AuditLog: Statements {
    /// Adds records, all or nothing.
    fn add_records(&self, records: &[Record]) -> Result<()>;

    /// The records since a moment, oldest first, `limit` at most.
    fn records(&self, since: Moment, limit: u32) -> Result<Vec<Record>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                record_columns!(),
                " FROM audit WHERE at >= ? ORDER BY at, id LIMIT ?"
            ),
            &cells![since, limit],
        )
    }

    /// Up to `limit` records of the audit trail with their numbers: those with a higher number than
    /// `number`, and none from before `since`, in the order they were kept.
    fn records_after(&self, number: i64, since: Moment, limit: u32) -> Result<Vec<(i64, Record)>> {
        rows::all(
            self,
            concat!(
                "SELECT audit.id, ",
                record_columns!(),
                " FROM audit WHERE id > ? AND at >= ? ORDER BY id LIMIT ?"
            ),
            &cells![number, since, limit],
        )
    }

    /// The records about a user, the latest first, `limit` at most.
    fn records_of(&self, user: &UserId, limit: u32) -> Result<Vec<Record>> {
        rows::all(
            self,
            concat!(
                "SELECT ",
                record_columns!(),
                " FROM audit WHERE user_id = ? ORDER BY at DESC, id DESC LIMIT ?"
            ),
            &cells![user, limit],
        )
    }

    /// The record that was kept last, whichever moment it is of; `None`: there is none.
    fn last_record(&self) -> Result<Option<Record>> {
        rows::one(
            self,
            concat!("SELECT ", record_columns!(), " FROM audit ORDER BY id DESC LIMIT 1"),
            &[],
        )
    }

    /// Deletes up to `limit` records from before `earliest`, and says how many.
    fn delete_records(&self, earliest: Moment, limit: u32) -> Result<usize> {
        self.sweep("audit", "at", earliest, limit)
    }
}

/// Many people at once, from elsewhere and to it.
pub trait Bulk: Statements {
    /// What there is already of each of these people at this moment.
    fn import_status(&self, arrivals: &[ImportedUser], now: Moment) -> Result<Vec<ImportStatus>>;

    /// Adds everybody of whom there is nothing yet, in one transaction, and says what there was of each
    /// before. Whoever is here already is left as they are: a password that they changed since and a
    /// session that they ended must not come back. If there is a conflict, nothing is written, unless
    /// `skip_conflicts`: then those are left out.
    ///
    /// No two of `arrivals` may have an id, a name, a key or a session in common.
    fn import_users(
        &self,
        arrivals: &[ImportedUser],
        skip_conflicts: bool,
        now: Moment,
        progress: Progress<'_>,
    ) -> Result<Vec<ImportStatus>>;

    /// What else was known of a user where they came from: an object in JSON; empty: nothing. `None`
    /// if there is no such user.
    fn attributes(&self, id: &UserId) -> Result<Option<String>> {
        rows::one(self, "SELECT attributes FROM user WHERE id = ?", &cells![id])
    }

    /// Shows everybody to `each`, by their ids and as of one moment, until it says `false`. Their sessions
    /// are with them that are good at `living` still, and so are not of the future (see
    /// [`Moment::has_passed`]); `None`: no session is.
    ///
    /// One user is in memory at a time, and nobody waits.
    fn each_user(
        &self,
        living: Option<Moment>,
        each: &mut dyn FnMut(ExportedUser) -> bool,
    ) -> Result<()>;
}

/// Everything there is, from one database into another, whatever the engines: what is equal afterwards
/// is every row, with ids, hashes, epochs, numbers and random keys.
pub trait Copies: Statements {
    /// Shows every row of every table to `each`, as of one moment: table by table as in [`TABLES`], and
    /// each in the order of its key. It stops at the first error of `each`, and comes back with it.
    ///
    /// One row is in memory at a time, and nobody waits.
    fn each_row(
        &self,
        progress: Progress<'_>,
        each: &mut dyn FnMut(Row) -> Result<()>,
    ) -> Result<()>;

    /// Gets ready to be copied into: deletes what there is, but for its random keys, and notes that a copy
    /// has begun. From then on nobody can open it except with [`crate::store::open_for_copy`].
    ///
    /// A database with users is refused and left as it was, unless they are there by a copy that has begun
    /// and has not ended.
    fn begin_copy(&self) -> Result<()>;

    /// Adds these rows, all or nothing; a random key takes the place of the one with its name. No more than
    /// 1,000 rows should come at once, and none before those of [`TABLES`] it refers to.
    ///
    /// [`Maintenance::handle_key`] stays what it was until the database is opened again.
    fn add_rows(&self, rows: &[Row]) -> Result<()>;

    /// Notes that the copy has ended: the database is like any other.
    fn end_copy(&self) -> Result<()>;

    /// How many rows each of [`TABLES`] has. That a copy has begun counts for none.
    fn rows(&self) -> Result<Vec<(&'static str, u64)>> {
        let counts = numbers(self, &tables::counting_all(), TABLES.len())?;
        Ok(TABLES.into_iter().zip(counts.into_iter().map(i64::unsigned_abs)).collect())
    }
}

/// What [`Maintenance::tend`] has noticed, each change once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tended {
    /// Nothing has changed.
    Unchanged,
    /// The path no longer leads to the file that is open, and why.
    Lost(String),
    /// It leads there again.
    Recovered,
}

/// The database as a whole.
pub trait Maintenance: Statements {
    /// A random key of this database, the same for all servers on it: for handles.
    fn handle_key(&self) -> &[u8; 32];

    /// Whether the database is well, as far as that can be said at once: a file is read, and its path has to
    /// lead to it; of servers it is known whether the last try reached one.
    fn probe(&self) -> Result<()>;

    /// Whether servers are asked, which may take their time: [`Maintenance::probe`] asks none.
    fn asks_servers(&self) -> bool;

    /// How long a request may take in all before nothing is begun for it any more: somewhat longer, it waits for
    /// nothing.
    fn patience(&self) -> Duration;

    /// To be called every few seconds, and says what has changed. On servers it goes back to the one that
    /// is preferred, and looks whether any is there again. A file that its path no longer leads to is not
    /// written from then on, and opened again once it is back. May wait for a few seconds.
    fn tend(&self) -> Tended;

    /// How many rows there are of users, keys, sessions, access tokens and names that rest.
    fn counts(&self) -> Result<Vec<(&'static str, i64)>> {
        let counts = numbers(self, &tables::counting_some(), tables::counted().count())?;
        Ok(tables::counted().zip(counts).collect())
    }

    /// The schema version, and the version of the engine.
    fn versions(&self) -> Result<[(&'static str, String); 2]>;

    /// What is wrong with the file and what stands in it; empty: nothing. It reads everything.
    fn faults(&self) -> Result<Vec<String>>;

    /// What is in order and may surprise an operator, as users whom an import has brought over without a
    /// sign-in name; empty: nothing.
    fn oddities(&self) -> Result<Vec<String>>;

    /// Folds the write-ahead log into the file and closes it, when serving ends. A process that is
    /// killed instead loses nothing, as the next start reads the log.
    fn close(&self) -> Result<()>;
}

/// So many numbers, which are in the one row of a query.
fn numbers(store: &(impl Statements + ?Sized), sql: &str, count: usize) -> Result<Vec<i64>> {
    let mut found = Vec::with_capacity(count);
    store.query(sql, &[], &mut |row| {
        for _ in 0..count {
            found.push(row.int()?);
        }
        Ok(())
    })?;
    Ok(found)
}
