//! Import and export of many users.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use mysql::prelude::Queryable;
use mysql::{Params, Value};

use super::{
    Mysql, MysqlFault, MysqlResult, Tries, Tx, TxKind, audit, blob, has_user, marks, rows_of_marks,
    values,
};
use crate::base::clock::Moment;
use crate::base::email_address;
use crate::base::token::TokenHash;
use crate::store::import_status::{Present, standing};
use crate::store::outcomes::Refused;
use crate::store::passkeys::passkey_columns;
use crate::store::progress::tell;
use crate::store::rows::{
    Cell, FromCells, ToCells, cells, key_columns, session_columns, user_columns,
};
use crate::store::{
    Bulk, ExportedUser, ImportStatus, ImportedUser, Key, KeyId, NameHash, Passkey, Progress,
    RecordOfImport, Result, SecondFactor, Session, Totp, UserId,
};

/// Users who are looked up, passed on or added at once.
const BATCH: usize = 500;

/// The most rows in one statement, and about the most bytes: servers reject longer statements (16 MiB by
/// default).
const ROWS: usize = 500;
const STATEMENT_BYTES: usize = 1024 * 1024;

/// How often the existing rows are read again because a name or a key was taken during the import.
const LOOKS_MAX: u32 = 5;

impl Bulk for Mysql {
    fn import_status(&self, arrivals: &[ImportedUser], now: Moment) -> Result<Vec<ImportStatus>> {
        let mut all = Vec::with_capacity(arrivals.len());
        for batch in arrivals.chunks(BATCH) {
            all.extend(self.read(|tx| standings(tx, &self.handle_key, batch, now))?);
        }
        Ok(all)
    }

    fn import_users(
        &self,
        arrivals: &[ImportedUser],
        skip_conflicts: bool,
        now: Moment,
        record: RecordOfImport<'_>,
        progress: Progress<'_>,
    ) -> Result<Vec<ImportStatus>> {
        let (mut found, mut looks) = (Vec::new(), 0);
        self.write_large(|tx| {
            if tx.may_be_applied && is_written(tx, arrivals, &found)? {
                return Ok(());
            }
            found.clear();
            for batch in arrivals.chunks(BATCH) {
                found.extend(standings(tx, &self.handle_key, batch, now)?);
            }
            if !skip_conflicts && found.iter().any(ImportStatus::is_conflict) {
                return Ok(());
            }
            looks += 1;
            insert_all(tx, new_of(arrivals, &found).collect(), progress).map_err(|fault| {
                match fault {
                    // It was taken after the existing rows were read.
                    MysqlFault::Refused(Refused::Duplicate) if looks < LOOKS_MAX => {
                        MysqlFault::Conflict("a name or a key was taken meanwhile".to_owned())
                    }
                    fault => fault,
                }
            })?;
            record(&found).map_or(Ok(()), |it| audit::append(tx, &[it]).map(drop))
        })?;
        Ok(found)
    }

    fn each_user(
        &self,
        living: Option<Moment>,
        each: &mut dyn FnMut(ExportedUser) -> bool,
    ) -> Result<()> {
        self.as_of_now(|tx| {
            let mut last = String::new();
            loop {
                let people = departures_after(tx, &last, living)?;
                let Some(end) = people.last() else { return Ok(()) };
                end.user.id.as_str().clone_into(&mut last);
                for it in people {
                    if !each(it) {
                        return Ok(());
                    }
                }
            }
        })
    }
}

impl Mysql {
    /// Reads on one connection, as of one moment, and without another try: the caller may have passed rows
    /// on already.
    pub(super) fn as_of_now<T>(
        &self,
        mut show: impl FnMut(&mut Tx<'_>) -> MysqlResult<T>,
    ) -> Result<T> {
        let done = self.until_done(Tries::One, TxKind::Read, |tx| {
            tx.conn.query_drop("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")?;
            tx.conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")?;
            let shown = show(tx);
            if !matches!(shown, Err(MysqlFault::Unavailable { .. })) {
                tx.conn.query_drop("ROLLBACK")?;
            }
            shown
        });
        Ok(done?)
    }
}

/// The users of whom nothing exists yet.
fn new_of<'a>(
    arrivals: &'a [ImportedUser],
    found: &[ImportStatus],
) -> impl Iterator<Item = &'a ImportedUser> {
    let is_new = |(arrival, it): (&'a ImportedUser, &ImportStatus)| {
        (*it == ImportStatus::New).then_some(arrival)
    };
    arrivals.iter().zip(found).filter_map(is_new)
}

/// Whether the new users exist by now: then all of them do, as it was one transaction.
fn is_written(
    tx: &mut Tx<'_>,
    arrivals: &[ImportedUser],
    found: &[ImportStatus],
) -> MysqlResult<bool> {
    match new_of(arrivals, found).next() {
        Some(first) => has_user(tx, &first.user.id),
        None => Ok(false),
    }
}

/// Adds users in the order of their ids, in which they are stored.
fn insert_all(
    tx: &mut Tx<'_>,
    mut people: Vec<&ImportedUser>,
    progress: Progress<'_>,
) -> MysqlResult<()> {
    people.sort_unstable_by(|one, other| one.user.id.as_str().cmp(other.user.id.as_str()));
    let mut written = 0;
    for batch in people.chunks(BATCH) {
        insert(tx, batch)?;
        for _ in batch {
            written += 1;
            tell(progress, "users written", written);
        }
    }
    Ok(())
}

/// Adds users with their keys and sessions.
fn insert(tx: &mut Tx<'_>, people: &[&ImportedUser]) -> MysqlResult<()> {
    let addresses: Vec<_> =
        people.iter().map(|it| email_address::canonical(&it.user.email)).collect();
    let users = people.iter().zip(&addresses).map(|(it, canonical_email)| {
        [&it.user.cells()[..], &cells![&it.attributes, canonical_email]].concat()
    });
    insert_rows(
        tx,
        "user (id, username, canonical_username, created_at, group_names, email, email_verified_at,
               disabled_at, disabled_reason, second_factor_since, attributes, canonical_email)",
        users,
    )?;
    let keys = people.iter().flat_map(|it| &it.keys).map(|it| it.cells().to_vec());
    insert_rows(tx, "user_key (id, user_id, hashed_password)", keys)?;
    let sessions = people.iter().flat_map(|it| &it.sessions).map(|it| it.cells().to_vec());
    insert_rows(
        tx,
        "user_session (id, user_id, active_expires, idle_expires, absolute_expires, created_at,
                       proven_at, seen_at, is_transient, browser, address, second_at)",
        sessions,
    )?;
    let factors = || people.iter().filter_map(|it| Some((&it.user, it.second_factor.as_ref()?)));
    let apps = factors().filter_map(|(_, it)| Some(it.totp.as_ref()?.cells().to_vec()));
    insert_rows(tx, "totp (user_id, secret, last_step, created_at)", apps)?;
    let codes = factors().flat_map(|(user, it)| {
        let (user, made) = (&user.id, user.second_factor_since.unwrap_or(user.created_at));
        it.recovery_codes.iter().map(move |id| cells![id, user, made].to_vec())
    });
    insert_rows(tx, "recovery_code (id, user_id, created_at)", codes)?;
    let passkeys = people.iter().flat_map(|it| &it.passkeys).map(|it| it.cells().to_vec());
    insert_rows(
        tx,
        "passkey (id, user_id, user_handle, public_key, sign_count, rp_id, verifies_user,
                  is_backed_up, transports, name, created_at, used_at)",
        passkeys,
    )
}

/// Adds rows with many rows to a statement. `table` names the table and its columns.
fn insert_rows<'a>(
    tx: &mut Tx<'_>,
    table: &str,
    rows: impl Iterator<Item = Vec<Cell<'a>>>,
) -> MysqlResult<()> {
    let mut cells: Vec<Cell<'a>> = Vec::new();
    let (mut count, mut bytes) = (0, 0);
    for row in rows {
        let length = row.iter().map(Cell::length).sum::<usize>();
        if count == ROWS || (count > 0 && bytes + length > STATEMENT_BYTES) {
            insert_cells(tx, table, count, &cells)?;
            cells.clear();
            (count, bytes) = (0, 0);
        }
        cells.extend(row);
        (count, bytes) = (count + 1, bytes + length);
    }
    if count == 0 { Ok(()) } else { insert_cells(tx, table, count, &cells) }
}

fn insert_cells(tx: &mut Tx<'_>, table: &str, rows: usize, cells: &[Cell<'_>]) -> MysqlResult<()> {
    let marks = rows_of_marks(rows, cells.len() / rows);
    tx.run(&format!("INSERT INTO {table} VALUES {marks}"), values(cells)).map(drop)
}

/// The existing rows that a batch of users could conflict with.
struct ExistingRows<'a> {
    /// The key with which resting names are hashed.
    key: &'a [u8; 32],
    resting: HashSet<NameHash>,
    names: HashMap<String, String>,
    users: HashMap<String, String>,
    keys: HashMap<String, String>,
    sessions: HashMap<[u8; 32], String>,
    passkeys: HashMap<Vec<u8>, String>,
}

impl Present for ExistingRows<'_> {
    type Error = Infallible;

    fn name_of(&self, id: &str) -> std::result::Result<Option<String>, Infallible> {
        Ok(self.names.get(id).cloned())
    }

    fn user_by_name(&self, canonical: &str) -> std::result::Result<Option<String>, Infallible> {
        Ok(self.users.get(canonical).cloned())
    }

    fn name_rests(&self, canonical: &str) -> std::result::Result<bool, Infallible> {
        Ok(self.resting.contains(&NameHash::of(self.key, canonical)))
    }

    fn owner_of_key(&self, id: &KeyId) -> std::result::Result<Option<String>, Infallible> {
        Ok(self.keys.get(id.as_str()).cloned())
    }

    fn owner_of_session(&self, id: &TokenHash) -> std::result::Result<Option<String>, Infallible> {
        Ok(self.sessions.get(id.as_bytes()).cloned())
    }

    fn owner_of_passkey(&self, id: &[u8]) -> std::result::Result<Option<String>, Infallible> {
        Ok(self.passkeys.get(id).cloned())
    }
}

fn standings(
    tx: &mut Tx<'_>,
    key: &[u8; 32],
    people: &[ImportedUser],
    now: Moment,
) -> MysqlResult<Vec<ImportStatus>> {
    let known = known(tx, key, people, now)?;
    Ok(people
        .iter()
        .map(|it| {
            let Ok(found) = standing(&known, it);
            found
        })
        .collect())
}

/// Reads the existing rows that these users could conflict with.
fn known<'a>(
    tx: &mut Tx<'_>,
    key: &'a [u8; 32],
    people: &[ImportedUser],
    now: Moment,
) -> MysqlResult<ExistingRows<'a>> {
    let mut known = ExistingRows {
        key,
        resting: HashSet::new(),
        names: HashMap::new(),
        users: HashMap::new(),
        keys: HashMap::new(),
        sessions: HashMap::new(),
        passkeys: HashMap::new(),
    };
    read_names(tx, people, &mut known, now)?;
    let names = people.iter().map(|it| KeyId::username(&it.user.canonical_username));
    let keys = people.iter().flat_map(|it| &it.keys).map(|it| it.id.clone()).chain(names);
    let keys = keys.map(|it| it.as_str().into());
    each_of(tx, "SELECT id, user_id FROM user_key WHERE id IN", keys, &mut |(id, owner)| {
        known.keys.insert(id, owner);
    })?;
    let sessions = people.iter().flat_map(|it| &it.sessions).map(|it| blob(it.id.as_bytes()));
    let sql = "SELECT id, user_id FROM user_session WHERE id IN";
    each_of(tx, sql, sessions, &mut |(id, owner)| {
        known.sessions.insert(id, owner);
    })?;
    let passkeys = people.iter().flat_map(|it| &it.passkeys).map(|it| blob(&it.id));
    let sql = concat!("SELECT ", passkey_columns!(), " FROM passkey WHERE id IN");
    each_of(tx, sql, passkeys, &mut |it: Passkey| {
        known.passkeys.insert(it.id, it.user_id.as_str().to_owned());
    })?;
    Ok(known)
}

/// Reads the users who have an id or a name of these, and which of the names are reserved.
fn read_names(
    tx: &mut Tx<'_>,
    people: &[ImportedUser],
    known: &mut ExistingRows<'_>,
    now: Moment,
) -> MysqlResult<()> {
    let keys = || people.iter().flat_map(|it| &it.keys).filter_map(|it| it.id.sign_in_name());
    let names = || people.iter().map(|it| &*it.user.canonical_username).chain(keys());
    let resting = names().map(|it| blob(&NameHash::of(known.key, it).0));
    let sql = format!("SELECT id FROM resting_name WHERE expires_at >= {} AND id IN", now.millis());
    let resting_names = &mut known.resting;
    each_of(tx, &sql, resting, &mut |hash| {
        resting_names.insert(hash);
    })?;
    let mut note = |(id, name): (String, String)| {
        known.users.insert(name.clone(), id.clone());
        known.names.insert(id, name);
    };
    let ids = people.iter().map(|it| it.user.id.as_str().into());
    each_of(tx, "SELECT id, canonical_username FROM user WHERE id IN", ids, &mut note)?;
    let sql = "SELECT id, canonical_username FROM user WHERE canonical_username IN";
    each_of(tx, sql, names().map(Value::from), &mut note)
}

/// Passes on the rows of a query that ends with IN and a list.
fn each_of<T: FromCells>(
    tx: &mut Tx<'_>,
    query: &str,
    list: impl Iterator<Item = Value>,
    each: &mut dyn FnMut(T),
) -> MysqlResult<()> {
    let list: Vec<_> = list.collect();
    for some in list.chunks(ROWS) {
        let sql = format!("{query} ({})", marks(some.len()));
        tx.all(&sql, Params::Positional(some.to_vec()))?.into_iter().for_each(&mut *each);
    }
    Ok(())
}

/// Passes on the sessions of these users that are valid at this moment.
fn each_living_session(
    tx: &mut Tx<'_>,
    users: impl Iterator<Item = Value>,
    now: Moment,
    each: &mut dyn FnMut(Session),
) -> MysqlResult<()> {
    let sql = concat!(
        "SELECT ",
        session_columns!(),
        " FROM user_session JOIN user ON user.id = user_session.user_id
               AND user.epoch = user_session.epoch
         WHERE user_id IN"
    );
    each_of(tx, sql, users, &mut |session: Session| {
        if session.idle_expires >= now && session.created_at.has_passed(now) {
            each(session);
        }
    })
}

/// A batch of users whose ids come after `last`, in order; empty if there are no more.
fn departures_after(
    tx: &mut Tx<'_>,
    last: &str,
    living: Option<Moment>,
) -> MysqlResult<Vec<ExportedUser>> {
    let found = tx.all(
        concat!(
            "SELECT ",
            user_columns!(),
            ", user.attributes FROM user WHERE user.id > ? ORDER BY user.id LIMIT ?"
        ),
        (last, BATCH),
    )?;
    let departure = |(user, attributes)| ExportedUser {
        user,
        attributes,
        keys: Vec::new(),
        sessions: Vec::new(),
        second_factor: None,
        passkeys: Vec::new(),
    };
    let mut people: Vec<_> = found.into_iter().map(departure).collect();
    for it in &mut people {
        let has_one = it.user.second_factor_since.is_some();
        it.second_factor = has_one.then(|| SecondFactor { totp: None, recovery_codes: Vec::new() });
    }
    let places: HashMap<String, usize> =
        people.iter().enumerate().map(|(at, it)| (it.user.id.as_str().to_owned(), at)).collect();
    let ids = || places.keys().map(|it| it.as_str().into());
    let sql = concat!("SELECT ", key_columns!(), " FROM user_key WHERE user_id IN");
    each_of(tx, sql, ids(), &mut |key: Key| {
        people[places[key.user_id.as_str()]].keys.push(key);
    })?;
    if let Some(now) = living {
        each_living_session(tx, ids(), now, &mut |session| {
            people[places[session.user_id.as_str()]].sessions.push(session);
        })?;
    }
    add_second_factors(tx, &mut people, &places)?;
    people.iter_mut().for_each(sort);
    Ok(people)
}

/// Adds the second factors and passkeys of these people, each of whom is at the place that `places` names.
fn add_second_factors(
    tx: &mut Tx<'_>,
    people: &mut [ExportedUser],
    places: &HashMap<String, usize>,
) -> MysqlResult<()> {
    let ids = || places.keys().map(|it| it.as_str().into());
    let sql = "SELECT user_id, secret, last_step, created_at FROM totp WHERE user_id IN";
    each_of(tx, sql, ids(), &mut |totp: Totp| {
        if let Some(factor) = &mut people[places[totp.user_id.as_str()]].second_factor {
            factor.totp = Some(totp);
        }
    })?;
    let sql = "SELECT user_id, id FROM recovery_code WHERE user_id IN";
    each_of(tx, sql, ids(), &mut |(user, id): (UserId, TokenHash)| {
        if let Some(factor) = &mut people[places[user.as_str()]].second_factor {
            factor.recovery_codes.push(id);
        }
    })?;
    let sql = concat!("SELECT ", passkey_columns!(), " FROM passkey WHERE user_id IN");
    each_of(tx, sql, ids(), &mut |passkey: Passkey| {
        people[places[passkey.user_id.as_str()]].passkeys.push(passkey);
    })
}

/// Puts what a user has into the order in which it is exported.
fn sort(person: &mut ExportedUser) {
    person.passkeys.sort_unstable_by(|one, other| {
        (one.created_at.millis(), &one.id).cmp(&(other.created_at.millis(), &other.id))
    });
    if let Some(factor) = &mut person.second_factor {
        factor.recovery_codes.sort_unstable_by_key(|it| *it.as_bytes());
    }
    person.keys.sort_unstable_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
    person.sessions.sort_unstable_by_key(|it| (it.created_at.millis(), *it.id.as_bytes()));
}
