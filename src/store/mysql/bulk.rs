//! Many people at once, from elsewhere and to it.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use mysql::prelude::Queryable;
use mysql::{Params, Value};

use super::{
    Mysql, MysqlFault, MysqlResult, Tries, Tx, TxKind, blob, has_user, marks, rows_of_marks, values,
};
use crate::base::clock::Moment;
use crate::base::token::TokenHash;
use crate::store::import_status::{Present, standing};
use crate::store::progress::tell;
use crate::store::rows::{Cell, FromCells, ToCells, key_columns, session_columns, user_columns};
use crate::store::{
    Bulk, ExportedUser, ImportStatus, ImportedUser, Key, KeyId, NameHash, Progress, Result, Session,
};

/// People in one transaction: a cluster stands still while it takes in a large one.
const BATCH: usize = 500;

/// Rows in one statement.
const ROWS: usize = 500;

impl Bulk for Mysql {
    fn import_status(&self, arrivals: &[ImportedUser], now: Moment) -> Result<Vec<ImportStatus>> {
        let mut all = Vec::with_capacity(arrivals.len());
        for batch in arrivals.chunks(BATCH) {
            all.extend(self.read(|tx| standings(tx, &self.handle_key, batch, now))?);
        }
        Ok(all)
    }

    // LIMIT: not one transaction but one for so many people. Conflicts are looked for before the first; if
    // it breaks off later, or somebody signs up with one of the names meanwhile, those before are written.
    // It can be run again, as whoever is here is left as they are.
    fn import_users(
        &self,
        arrivals: &[ImportedUser],
        skip_conflicts: bool,
        now: Moment,
        progress: Progress<'_>,
    ) -> Result<Vec<ImportStatus>> {
        let standings = self.import_status(arrivals, now)?;
        if !skip_conflicts && standings.iter().any(ImportStatus::is_conflict) {
            return Ok(standings);
        }
        let new: Vec<_> = arrivals
            .iter()
            .zip(&standings)
            .filter_map(|(arrival, it)| (*it == ImportStatus::New).then_some(arrival))
            .collect();
        let mut written = 0;
        for batch in new.chunks(BATCH) {
            self.write(|tx| {
                let is_there = tx.may_be_applied && has_user(tx, &batch[0].user.id)?;
                if is_there { Ok(()) } else { insert(tx, batch) }
            })?;
            for _ in batch {
                written += 1;
                tell(progress, "users written", written);
            }
        }
        Ok(standings)
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
    /// Reads everything as of one moment, on one connection, once: what was shown cannot be taken back.
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

/// Adds people with all that is theirs.
fn insert(tx: &mut Tx<'_>, people: &[&ImportedUser]) -> MysqlResult<()> {
    let users = people.iter().map(|it| [&it.user.cells()[..], &[(&it.attributes).into()]].concat());
    insert_rows(
        tx,
        "user (id, username, canonical_username, created_at, group_names, email, disabled_at,
               disabled_reason, attributes)",
        users,
    )?;
    let keys = people.iter().flat_map(|it| &it.keys).map(|it| it.cells().to_vec());
    insert_rows(tx, "user_key (id, user_id, hashed_password)", keys)?;
    let sessions = people.iter().flat_map(|it| &it.sessions).map(|it| it.cells().to_vec());
    insert_rows(
        tx,
        "user_session (id, user_id, active_expires, idle_expires, absolute_expires, created_at,
                       proven_at, seen_at, is_transient, browser, address)",
        sessions,
    )
}

/// Adds rows to a table, which is named with its columns, many with one statement.
fn insert_rows<'a>(
    tx: &mut Tx<'_>,
    table: &str,
    rows: impl Iterator<Item = Vec<Cell<'a>>>,
) -> MysqlResult<()> {
    let rows: Vec<_> = rows.collect();
    for some in rows.chunks(ROWS) {
        let marks = rows_of_marks(some.len(), some[0].len());
        tx.run(&format!("INSERT INTO {table} VALUES {marks}"), values(&some.concat()))?;
    }
    Ok(())
}

/// What there is of some people.
struct ExistingRows<'a> {
    /// The key that names which rest are hashed with.
    key: &'a [u8; 32],
    resting: HashSet<NameHash>,
    names: HashMap<String, String>,
    users: HashMap<String, String>,
    keys: HashMap<String, String>,
    sessions: HashMap<[u8; 32], String>,
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

/// Everything that these people could meet.
fn known<'a>(
    tx: &mut Tx<'_>,
    key: &'a [u8; 32],
    people: &[ImportedUser],
    now: Moment,
) -> MysqlResult<ExistingRows<'a>> {
    let names = || people.iter().map(|it| it.user.canonical_username.as_str());
    let keys = || people.iter().flat_map(|it| &it.keys);
    let all_names = || names().chain(keys().filter_map(|it| it.id.sign_in_name()));
    let ids = people.iter().map(|it| it.user.id.as_str().into());
    let all_keys = keys().map(|it| Value::from(it.id.as_str()));
    let all_keys = all_keys.chain(names().map(|it| KeyId::username(it).as_str().into()));
    let sessions = people.iter().flat_map(|it| &it.sessions).map(|it| blob(it.id.as_bytes()));
    let mut known = ExistingRows {
        key,
        resting: HashSet::new(),
        names: HashMap::new(),
        users: HashMap::new(),
        keys: HashMap::new(),
        sessions: HashMap::new(),
    };
    let resting = all_names().map(|it| blob(&NameHash::of(key, it).0));
    let sql = format!("SELECT id FROM resting_name WHERE expires_at >= {} AND id IN", now.millis());
    each_of(tx, &sql, resting, &mut |hash| {
        known.resting.insert(hash);
    })?;
    let mut note = |(id, name): (String, String)| {
        known.users.insert(name.clone(), id.clone());
        known.names.insert(id, name);
    };
    each_of(tx, "SELECT id, canonical_username FROM user WHERE id IN", ids, &mut note)?;
    let sql = "SELECT id, canonical_username FROM user WHERE canonical_username IN";
    each_of(tx, sql, all_names().map(Value::from), &mut note)?;
    each_of(tx, "SELECT id, user_id FROM user_key WHERE id IN", all_keys, &mut |(id, owner)| {
        known.keys.insert(id, owner);
    })?;
    each_of(tx, "SELECT id, user_id FROM user_session WHERE id IN", sessions, &mut |(
        id,
        owner,
    )| {
        known.sessions.insert(id, owner);
    })?;
    Ok(known)
}

/// Shows the rows of a query that ends with IN and a list.
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

/// Shows the sessions of these users that are valid at this moment.
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

/// Some people whose ids come after this one, in their order; none: there are no more.
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
    };
    let mut people: Vec<_> = found.into_iter().map(departure).collect();
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
    for it in &mut people {
        it.keys.sort_unstable_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
        it.sessions.sort_unstable_by_key(|it| (it.created_at.millis(), *it.id.as_bytes()));
    }
    Ok(people)
}
