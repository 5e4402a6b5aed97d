//! What operators need, and limits on attempts: failure counts, the audit log, import, export, copies, and
//! the database as a whole.

use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::rows::{self, Cell, Statements, cells, record_columns};
use crate::store::{
    Census, Count, CountId, Device, ExportedUser, ImportStatus, ImportedUser, KeyId, Letter,
    ListedRecord, Progress, Record, RecordFilter, Result, Row, Strain, TABLES, UserId,
    name_handles, tables,
};

/// What limits attempts: given the index of an attempt and the count of those before, it returns the count with this
/// one, or `None` if the attempt is not allowed and the count stays.
pub type Allowance<'a> = &'a dyn Fn(usize, Option<Count>) -> Option<Count>;

/// Counts of failures, and of attempts that are limited.
pub trait Throttle: Statements {
    /// The count under this id, if there is one.
    fn count(&self, id: &CountId) -> Result<Option<Count>> {
        let sql = "SELECT failures, last_at, until FROM throttle WHERE id = ?";
        rows::one(self, sql, &cells![id])
    }

    /// Deletes the count under this id.
    fn clear_count(&self, id: &CountId) -> Result<()> {
        if self.count(id)?.is_none() {
            return Ok(());
        }
        self.execute("DELETE FROM throttle WHERE id = ?", &cells![id]).map(drop)
    }

    /// Replaces the counts under these ids by what `after` returns, in one transaction; `after` is given
    /// the index in `ids` and the count before. Simultaneous failures are each counted. Beyond `most` rows
    /// in the table, the least important ones are deleted.
    fn change_counts(
        &self,
        ids: &[CountId],
        after: &dyn Fn(usize, Option<Count>) -> Count,
        most: u32,
    ) -> Result<()>;

    /// Counts each of these attempts if the allowance lets it through, in one transaction, and returns which it has let
    /// through. Of many simultaneous attempts under one id each sees the count of those before. An attempt may bring a
    /// letter: it is queued, unless too many wait, and in the place of one that is not let through another of kind
    /// [`Letter::NOTHING`], so that either costs the same. The allowance is asked about the attempts in their order, and
    /// from the first one on if the transaction is run again. Beyond `most` rows in the table, the least important
    /// ones are deleted.
    fn count_if_allowed(
        &self,
        attempts: &[(CountId, Option<Letter>)],
        allowance: Allowance<'_>,
        most: u32,
    ) -> Result<Vec<bool>>;

    /// Up to `limit` ids whose last failure is later than this moment.
    fn counts_after(&self, latest: Moment, limit: u32) -> Result<Vec<CountId>> {
        // No count ends before its last failure, so this can use the index on `until`.
        rows::all(
            self,
            "SELECT id FROM throttle WHERE until > ? AND last_at > ? LIMIT ?",
            &cells![latest, latest, limit],
        )
    }

    /// Deletes up to `limit` counts that ended, and whose last failure was, before `earliest`, and returns
    /// how many.
    fn delete_old_counts(&self, earliest: Moment, limit: u32) -> Result<usize>;
}

/// Devices: browsers that have signed in to an account before.
pub trait Devices: Statements {
    /// Whether this device has signed in to the account of this key since `earliest`, and not in the
    /// future: see [`Moment::has_passed`].
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

    /// This device, if it has signed in to the account of this user since `earliest`, and not in the future.
    fn device_of(
        &self,
        id: &TokenHash,
        user: &UserId,
        earliest: Moment,
        now: Moment,
    ) -> Result<Option<Device>> {
        rows::one(
            self,
            "SELECT id, user_id, last_used_at, second_at FROM device
              WHERE id = ? AND user_id = ? AND last_used_at BETWEEN ? AND ?",
            &cells![id, user, earliest, now.latest_past()],
        )
    }

    /// Whether this device token was issued, for any account.
    fn knows_device(&self, id: &TokenHash) -> Result<bool> {
        rows::exists(self, "SELECT 1 FROM device WHERE id = ? LIMIT 1", &cells![id])
    }

    /// The devices that have signed in to the account of this key.
    fn devices_of_key(&self, key: &KeyId) -> Result<Vec<TokenHash>> {
        rows::all(
            self,
            "SELECT device.id FROM user_key JOIN device ON device.user_id = user_key.user_id
              WHERE user_key.id = ?",
            &cells![key],
        )
    }

    /// Deletes up to `limit` devices that were last used before `earliest`, and returns how many.
    fn delete_unused_devices(&self, earliest: Moment, limit: u32) -> Result<usize>;

    /// The browsers that have signed in to the account of this user, the last used first.
    fn devices_of(&self, user: &UserId) -> Result<Vec<Device>> {
        rows::all(
            self,
            "SELECT id, user_id, last_used_at, second_at FROM device WHERE user_id = ?
              ORDER BY last_used_at DESC, id",
            &cells![user],
        )
    }
}

/// The audit log.
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

    /// Up to `limit` records that a filter lets through and that have a higher number than `number`, in the
    /// order they were kept.
    fn records_after(
        &self,
        filter: &RecordFilter,
        number: i64,
        limit: u32,
    ) -> Result<Vec<ListedRecord>> {
        let rest = "AND audit.id > ? ORDER BY audit.id LIMIT ?";
        listed_records(self, filter, (rest, &cells![number, limit]))
    }

    /// The latest records that a filter lets through, `limit` at most, the latest first.
    fn latest_records(&self, filter: &RecordFilter, limit: u32) -> Result<Vec<ListedRecord>> {
        let rest = "ORDER BY audit.at DESC, audit.id DESC LIMIT ?";
        listed_records(self, filter, (rest, &cells![limit]))
    }

    /// The record that was added last, whatever its time; `None` if there is none.
    fn last_record(&self) -> Result<Option<Record>> {
        rows::one(
            self,
            concat!("SELECT ", record_columns!(), " FROM audit ORDER BY id DESC LIMIT 1"),
            &[],
        )
    }

    /// Deletes up to `limit` records from before `earliest`, and returns how many.
    fn delete_records(&self, earliest: Moment, limit: u32) -> Result<usize> {
        self.sweep("audit", "at", earliest, limit)
    }
}

/// The records that a filter lets through, and of them what `rest` says with these parameters.
fn listed_records(
    store: &(impl Statements + ?Sized),
    filter: &RecordFilter,
    (rest, params): (&str, &[Cell<'_>]),
) -> Result<Vec<ListedRecord>> {
    let one_of = |column: &str, count: usize| match count {
        0 => String::new(),
        count => format!("AND audit.{column} IN ({})", vec!["?"; count].join(", ")),
    };
    let sql = format!(
        "SELECT audit.id, user.username, {} FROM audit LEFT JOIN user ON user.id = audit.user_id
          WHERE audit.at BETWEEN ? AND ? {} {} {rest}",
        record_columns!(),
        one_of("user_id", filter.user_ids.len()),
        one_of("event", filter.events.len()),
    );
    let mut all = cells![filter.since, filter.until].to_vec();
    all.extend(filter.user_ids.iter().map(Cell::from));
    all.extend(filter.events.iter().map(|it| Cell::from(*it)));
    all.extend(params);
    let found = rows::all(store, &sql, &all)?;
    let listed = |(number, username, record)| ListedRecord { number, username, record };
    Ok(found.into_iter().map(listed).collect())
}

/// What makes the record of an import from what existed of each user; `None`: there is nothing to tell.
pub type RecordOfImport<'a> = &'a dyn Fn(&[ImportStatus]) -> Option<Record>;

/// Import and export of many users.
pub trait Bulk: Statements {
    /// What exists already of each of these users at this moment.
    fn import_status(&self, arrivals: &[ImportedUser], now: Moment) -> Result<Vec<ImportStatus>>;

    /// Adds all users of whom nothing exists yet, in one transaction, and returns what existed of each
    /// before. Users who exist are left as they are: a password that they have changed and a session that
    /// they have ended must not come back. If there is a conflict, nothing is written, unless
    /// `skip_conflicts`: then the users in conflict are left out.
    ///
    /// The record that `record` makes of what existed of each is added in the same transaction, if it makes one.
    ///
    /// No two of `arrivals` may share an id, a name, a key or a session.
    fn import_users(
        &self,
        arrivals: &[ImportedUser],
        skip_conflicts: bool,
        now: Moment,
        record: RecordOfImport<'_>,
        progress: Progress<'_>,
    ) -> Result<Vec<ImportStatus>>;

    /// The other columns that an import brought for a user: a JSON object; empty: none. `None` if there is
    /// no such user.
    fn attributes(&self, id: &UserId) -> Result<Option<String>> {
        rows::one(self, "SELECT attributes FROM user WHERE id = ?", &cells![id])
    }

    /// Calls `each` with all users in the order of their ids, as of one moment, until it returns `false`.
    /// They come with the sessions that are valid at `living`, and so not of the future (see
    /// [`Moment::has_passed`]); with `None`, without any.
    ///
    /// Only one user at a time is in memory, and other processes can read and write meanwhile.
    fn each_user(
        &self,
        living: Option<Moment>,
        each: &mut dyn FnMut(ExportedUser) -> bool,
    ) -> Result<()>;
}

/// Copying all rows from one database into another, on any engine. The copy has every row of the original,
/// with the same ids, hashes, epochs, numbers and random keys.
pub trait Copies: Statements {
    /// Calls `each` with every row of every table, as of one moment: in the order of [`TABLES`], and within
    /// a table in the order of the primary key. It stops at the first error of `each`, and returns it.
    ///
    /// Only one row at a time is in memory, and other processes can read and write meanwhile.
    fn each_row(&self, each: &mut dyn FnMut(Row) -> Result<()>) -> Result<()>;

    /// Prepares this database to be copied into: deletes all rows but the random keys, and marks that a
    /// copy has begun. With this mark it can only be opened with [`crate::store::open_for_copy`].
    ///
    /// A database with users is refused and left unchanged, unless they come from an unfinished copy.
    fn begin_copy(&self) -> Result<()>;

    /// Adds these rows, all or nothing; a random key replaces the one with its name. At most 1,000 rows
    /// should be added at once, and the rows they refer to before, in the order of [`TABLES`].
    ///
    /// [`Maintenance::handle_key`] stays the same until the database is opened again.
    fn add_rows(&self, rows: &[Row]) -> Result<()>;

    /// Removes the mark, which makes the copy complete, and adds these records with it, all or nothing.
    fn end_copy(&self, records: &[Record]) -> Result<()>;

    /// The number of rows in each of [`TABLES`], without the mark of an unfinished copy.
    fn rows(&self) -> Result<Vec<(&'static str, u64)>> {
        let counts = numbers(self, &tables::counting_all(), TABLES.len())?;
        Ok(TABLES.into_iter().zip(counts.into_iter().map(i64::unsigned_abs)).collect())
    }
}

/// What [`Maintenance::tend`] has noticed, once for each change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tended {
    /// Nothing has changed since the last call.
    Unchanged,
    /// The path no longer refers to the file that is open; the reason.
    Lost(String),
    /// The path refers to the file again, which was reopened.
    Recovered,
}

/// The database as a whole.
pub trait Maintenance: Statements {
    /// A random key of this database, the same for all servers that use it. It is the key of handles and of
    /// hashed names.
    fn handle_key(&self) -> &[u8; 32];

    /// The handle that stands for a canonical name in the logs: `h:` and eight hex digits.
    fn name_handle(&self, canonical: &str) -> String {
        name_handles::name_handle(self.handle_key(), canonical)
    }

    /// Whether the database is usable, as far as that is known without waiting: a file is read, and its
    /// path must still refer to it; for servers, it is whether the last attempt reached one.
    fn probe(&self) -> Result<()>;

    /// Whether the database is on servers, which may take time to answer. [`Maintenance::probe`] asks none
    /// of them.
    fn asks_servers(&self) -> bool;

    /// The time limit for a whole request. A request that has not been started by then is refused as busy,
    /// as the store would not wait much longer.
    fn patience(&self) -> Duration;

    /// To be called every few seconds; returns what has changed. With servers it returns to the preferred
    /// one, and finds out whether any answers. A file that its path no longer refers to is not written from
    /// then on, and reopened once it is back. May block for a few seconds.
    fn tend(&self) -> Tended;

    /// When the clock was last believed, noted by any server; `None`: never.
    fn believed_at(&self) -> Result<Option<Moment>> {
        let sql = "SELECT believed_at FROM clock WHERE id = 1";
        let found: Option<Moment> = rows::one(self, sql, &[])?;
        Ok(found.filter(|it| it.millis() != 0))
    }

    /// Notes that the clock is believed at `now`, if it was last believed at `before`. `false`: another server
    /// has noted something else meanwhile, which stays.
    fn believe(&self, before: Option<Moment>, now: Moment) -> Result<bool> {
        let sql = "UPDATE clock SET believed_at = ? WHERE id = 1 AND believed_at = ?";
        let before = before.map_or(0, Moment::millis);
        Ok(self.execute(sql, &cells![now, before])? > 0)
    }

    /// The numbers of users, keys, sessions, access tokens and resting names.
    fn counts(&self) -> Result<Vec<(&'static str, i64)>> {
        let counts = numbers(self, &tables::counting_some(), tables::counted().count())?;
        Ok(tables::counted().zip(counts).collect())
    }

    /// How much there is at this moment. Every session that has not ended is read, by an index.
    fn census(&self, now: Moment) -> Result<Census> {
        let sql = "SELECT (SELECT count(*) FROM user),
                          (SELECT count(*) FROM user_session WHERE idle_expires >= ?),
                          (SELECT count(*) FROM mail WHERE kind <> 'nothing'),
                          (SELECT min(created_at) FROM mail WHERE kind <> 'nothing')";
        Ok(rows::one(self, sql, &cells![now])?.unwrap_or_default())
    }

    /// The faults and waits since the database was opened. Waits for nothing.
    fn strain(&self) -> Strain;

    /// The versions of the schema before and after, if opening the database has upgraded it.
    fn upgraded(&self) -> Option<(u32, u32)>;

    /// The version of the schema, and that of the engine, which is `sqlite` or `mariadb`.
    fn versions(&self) -> Result<[(&'static str, String); 2]>;

    /// What is wrong with the file and its rows; empty: nothing. It reads the whole database.
    fn faults(&self) -> Result<Vec<String>>;

    /// What is allowed but may surprise an operator, such as imported users without a sign-in name; empty:
    /// nothing.
    fn oddities(&self) -> Result<Vec<String>>;

    /// Folds the write-ahead log into the file and closes it, at shutdown. A process that is killed instead
    /// loses nothing, as the next start reads the log.
    fn close(&self) -> Result<()>;
}

/// The columns of a query's only row, `count` numbers.
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
