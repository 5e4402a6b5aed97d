//! The schema: whether the tables are vestibule's and up to date, and upgrading them.
//!
//! DDL commits by itself on these engines, so an upgrade cannot be one transaction. Instead, each step is
//! harmless when it is run twice, one process at a time holds a lease for running them, and the version of
//! the schema is incremented last.

use std::time::{Duration, Instant};

use mysql::prelude::Queryable;

use super::{LONG_ANSWER_TIMEOUT, Mysql, MysqlFault, MysqlResult, Tx, audit, blob, pause};
use crate::base::token;
use crate::store::{Cluster, Error, Result, newer, older};

/// The tables of a new database, at version [`NEWEST`].
const SCHEMA: &str = include_str!("schema.sql");

/// The newest version of the schema, the same as that of a file.
pub(super) const NEWEST: u32 = 14;

/// The first version that existed on this engine.
const FIRST: u32 = 7;

/// The upgrades, with the version that each leads to. Steps are never changed once released, and remove nothing
/// that processes of the version before, which go on running, need.
const MIGRATIONS: &[(u32, &str)] = &[
    (8, include_str!("migrations/8.sql")),
    (9, include_str!("migrations/9.sql")),
    (10, include_str!("migrations/10.sql")),
    (11, include_str!("migrations/11.sql")),
    (12, include_str!("migrations/12.sql")),
    (13, include_str!("migrations/13.sql")),
    (14, include_str!("migrations/14.sql")),
];

/// The version from which on the audit log names users by handles: SQL cannot compute them.
const HASHES_NAMES: u32 = 11;

/// How long a process may take for the upgrade before another one may take over.
const LEASE_SECONDS: u32 = 60;

/// How long to wait for the upgrade of another process.
const PATIENCE: Duration = Duration::from_secs(90);

/// Checks that the tables are vestibule's, and creates them as needed. Older ones are upgraded if the caller
/// `upgrades` them, and else refused: other servers may be running on them, and a command that is refused later
/// must not have changed them. Returns the version before, if they were upgraded here.
pub(super) fn prepare(store: &Mysql, cluster: &Cluster, upgrades: bool) -> Result<Option<u32>> {
    let found = store.read(look)?;
    match found.version {
        NEWEST if found.has_ours => Ok(None),
        FIRST.. if !upgrades => Err(Error::Broken(older(found.version, NEWEST))),
        // Changing a large table takes longer than any answer that a server waits for.
        _ => bring_up(&Mysql::reach(cluster, LONG_ANSWER_TIMEOUT)?),
    }
}

/// Checks that the tables exist and are up to date. Nothing is changed.
pub(super) fn check(store: &Mysql) -> Result<()> {
    match store.read(look)?.version {
        NEWEST => Ok(()),
        0 => Err(Error::Broken(
            "it has no tables yet; vestibule serve or vestibule migrate makes them".to_owned(),
        )),
        version => Err(Error::Broken(older(version, NEWEST))),
    }
}

/// The version of the database's schema, and that of the newest one; 0: there are no tables.
pub(super) fn schema(cluster: &Cluster) -> Result<(u32, u32)> {
    Ok((Mysql::reach(cluster, LONG_ANSWER_TIMEOUT)?.read(look)?.version, NEWEST))
}

/// Upgrades the tables, and returns the versions before and after.
pub(super) fn migrate(cluster: &Cluster) -> Result<(u32, u32)> {
    let store = Mysql::reach(cluster, LONG_ANSWER_TIMEOUT)?;
    let before = store.read(look)?.version;
    if before < NEWEST {
        bring_up(&store)?;
    }
    handle_key(&store)?;
    Ok((before, NEWEST))
}

/// What exists before the upgrade.
struct SchemaState {
    has_ours: bool,
    version: u32,
}

/// Reads the state of the schema. A database of another program, or with a newer schema, is refused.
fn look(tx: &mut Tx<'_>) -> MysqlResult<SchemaState> {
    let names: Vec<String> = tx.all(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()",
        (),
    )?;
    if !names.iter().any(|it| it == "vestibule_schema") {
        return match names.iter().find(|it| is_ours(it)) {
            Some(name) => broken(format!(
                "it has a table {name} of another program, and was left as it is; give vestibule a \
                 database of its own"
            )),
            None => Ok(SchemaState { has_ours: false, version: 0 }),
        };
    }
    let found = tx.first("SELECT version FROM vestibule_schema WHERE id = 1", ())?;
    let version = found.unwrap_or(0);
    match version {
        0 | FIRST..=NEWEST => Ok(SchemaState { has_ours: true, version }),
        _ => broken(newer(version, NEWEST)),
    }
}

fn is_ours(table: &str) -> bool {
    SCHEMA.lines().any(|line| {
        line.strip_prefix("CREATE TABLE IF NOT EXISTS ")
            .is_some_and(|it| it.strip_suffix(" (") == Some(table))
    })
}

/// Returns the version before, if it is this process that has upgraded the tables.
fn bring_up(store: &Mysql) -> Result<Option<u32>> {
    run(
        store,
        "CREATE TABLE IF NOT EXISTS vestibule_schema (
             id      TINYINT       NOT NULL PRIMARY KEY,
             version INT           NOT NULL,
             owner   VARBINARY(64) NOT NULL,
             lease   BIGINT        NOT NULL
         ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    )?;
    run(
        store,
        "INSERT INTO vestibule_schema (id, version, owner, lease) VALUES (1, 0, '', 0)
         ON DUPLICATE KEY UPDATE id = id",
    )?;
    let mut upgraded_from = None;
    let owner = token::random_text(20);
    let deadline = Instant::now() + PATIENCE;
    while store.read(look)?.version < NEWEST {
        let has_lease = store.write_one(
            "UPDATE vestibule_schema SET owner = ?, lease = UNIX_TIMESTAMP() + ?
              WHERE id = 1 AND version < ? AND (lease < UNIX_TIMESTAMP() OR owner = ?)",
            (&owner, LEASE_SECONDS, NEWEST, &owner),
        )?;
        if has_lease > 0 {
            let before = take_steps(store)?;
            upgraded_from = (before > 0).then_some(before);
            store.write_one(
                "UPDATE vestibule_schema SET version = ?, owner = '', lease = 0
                  WHERE id = 1 AND owner = ?",
                (NEWEST, &owner),
            )?;
        } else if Instant::now() >= deadline {
            let cause = "another process has not brought its tables up to date yet";
            return Err(Error::Unavailable(cause.to_owned()));
        } else {
            // Another process is upgrading, and sets the version when it is done.
            std::thread::sleep(pause(200));
        }
    }
    Ok(upgraded_from)
}

/// Returns the version before.
fn take_steps(store: &Mysql) -> Result<u32> {
    let before = store.read(look)?.version;
    if before == 0 {
        run_each(store, SCHEMA)?;
        return Ok(before);
    }
    let missing = MIGRATIONS.iter().filter(|(number, _)| *number > before);
    missing.map(|(_, step)| *step).try_for_each(|it| run_each(store, it))?;
    if before < HASHES_NAMES {
        audit::hash_names(store, &handle_key(store)?)?;
    }
    Ok(before)
}

/// Runs the statements of a text, one at a time.
fn run_each(store: &Mysql, text: &str) -> Result<()> {
    let text: Vec<_> = text.lines().filter(|line| !line.starts_with("--")).collect();
    let statements = text.join("\n");
    let mut statements = statements.split(";\n").map(str::trim).filter(|it| !it.is_empty());
    statements.try_for_each(|it| run(store, it.trim_end_matches(';')))
}

/// Runs a DDL statement. That its result exists already is a success.
fn run(store: &Mysql, statement: &str) -> Result<()> {
    store.read(|tx| match tx.conn.query_drop(statement) {
        // The table, column or index exists, or the column is already gone.
        Err(mysql::Error::MySqlError(err)) if matches!(err.code, 1050 | 1060 | 1061 | 1091) => Ok(()),
        Err(mysql::Error::MySqlError(err)) if matches!(err.code, 1044 | 1142) => broken(format!(
            "{}; its tables are missing or older than this vestibule, and this user may not change them: \
             run vestibule migrate as one who may",
            err.message
        )),
        done => Ok(done?),
    })
}

/// The random key of this database, which the first process creates.
pub(super) fn handle_key(store: &Mysql) -> Result<[u8; 32]> {
    let select = "SELECT value FROM secret WHERE name = 'handle'";
    let find = || store.read_one(select, ());
    if let Some(key) = find()? {
        return Ok(key);
    }
    let key: [u8; 32] = token::random_bytes();
    store.write_one(
        "INSERT INTO secret (name, value) VALUES ('handle', ?) ON DUPLICATE KEY UPDATE name = name",
        (blob(&key),),
    )?;
    find()?.ok_or_else(|| Error::Broken("its random key is not kept".to_owned()))
}

fn broken<T>(cause: String) -> MysqlResult<T> {
    Err(MysqlFault::Error(Error::Broken(cause)))
}
