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
const NEWEST: u32 = 13;

/// The first version that existed on this engine.
const FIRST: u32 = 7;

/// The upgrades: each is one statement, with the version it leads to. Steps are never changed once
/// released, and remove nothing that processes of the version before, which go on running, need.
const STEPS: &[(u32, &str)] = &[
    (
        8,
        "CREATE TABLE IF NOT EXISTS resting_name (
             id         VARBINARY(16)  NOT NULL PRIMARY KEY,
             user_id    VARBINARY(255),
             expires_at BIGINT         NOT NULL,
             KEY resting_name_by_user (user_id),
             KEY resting_name_by_end (expires_at)
         ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    ),
    (
        9,
        "CREATE TABLE IF NOT EXISTS one_time_token (
             id         VARBINARY(32)  NOT NULL PRIMARY KEY,
             user_id    VARBINARY(255) NOT NULL,
             purpose    VARBINARY(64)  NOT NULL,
             created_at BIGINT         NOT NULL,
             expires_at BIGINT         NOT NULL,
             epoch      BIGINT         NOT NULL,
             detail     VARCHAR(4096)  NOT NULL DEFAULT '',
             UNIQUE KEY one_time_token_by_user (user_id, purpose),
             KEY one_time_token_by_end (expires_at)
         ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    ),
    // Reset links move to the new table, so that none can be used by an older process and again by a newer
    // one. The old table stays, empty: an older process deletes from it whenever a password is set.
    (
        9,
        "REPLACE INTO one_time_token (id, user_id, purpose, created_at, expires_at, epoch, detail)
         SELECT ticket.id, user_id, 'reset_password', ticket.created_at, expires_at, user.epoch, ''
           FROM ticket JOIN user ON user.id = ticket.user_id",
    ),
    (9, "DELETE FROM ticket"),
    (
        10,
        "CREATE TABLE IF NOT EXISTS clock (
             id          TINYINT NOT NULL PRIMARY KEY,
             believed_at BIGINT  NOT NULL
         ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    ),
    (10, "INSERT INTO clock (id, believed_at) VALUES (1, 0) ON DUPLICATE KEY UPDATE id = id"),
    (12, "ALTER TABLE user ADD COLUMN canonical_email VARBINARY(1024) NOT NULL DEFAULT ''"),
    (12, "ALTER TABLE user ADD COLUMN email_verified_at BIGINT"),
    (12, "ALTER TABLE user ADD KEY user_by_email (canonical_email)"),
    // Until now operators have set all addresses, and apps were told them: they are verified.
    (
        12,
        "UPDATE user SET canonical_email = IF(CHAR_LENGTH(email) <= 254, LOWER(email), ''),
                email_verified_at = created_at
          WHERE email <> '' AND email_verified_at IS NULL AND canonical_email = ''",
    ),
    (12, "ALTER TABLE one_time_token ADD COLUMN slot INT NOT NULL DEFAULT 0"),
    (
        12,
        "ALTER TABLE one_time_token ADD UNIQUE KEY one_time_token_by_slot (user_id, purpose, slot)",
    ),
    (12, "ALTER TABLE one_time_token DROP KEY one_time_token_by_user"),
    (
        12,
        "CREATE TABLE IF NOT EXISTS mail (
             id           VARBINARY(32)  NOT NULL PRIMARY KEY,
             kind         VARBINARY(64)  NOT NULL,
             user_id      VARBINARY(255) NOT NULL,
             address      VARCHAR(512)   NOT NULL,
             language     VARBINARY(32)  NOT NULL,
             detail       VARCHAR(8192)  NOT NULL,
             created_at   BIGINT         NOT NULL,
             due_at       BIGINT         NOT NULL,
             tries        INT UNSIGNED   NOT NULL DEFAULT 0,
             last_outcome VARCHAR(255)   NOT NULL DEFAULT '',
             lease        VARBINARY(64)  NOT NULL DEFAULT '',
             lease_until  BIGINT         NOT NULL DEFAULT 0,
             KEY mail_by_due (due_at),
             KEY mail_by_user (user_id)
         ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    ),
    (13, "ALTER TABLE user ADD COLUMN second_factor_since BIGINT"),
    (13, "ALTER TABLE user_session ADD COLUMN second_at BIGINT NOT NULL DEFAULT 0"),
    (13, "ALTER TABLE access_token ADD COLUMN second_at BIGINT NOT NULL DEFAULT 0"),
    (13, "ALTER TABLE device ADD COLUMN second_at BIGINT NOT NULL DEFAULT 0"),
    (
        13,
        "CREATE TABLE IF NOT EXISTS totp (
             user_id    VARBINARY(255) NOT NULL PRIMARY KEY,
             secret     VARBINARY(128) NOT NULL,
             last_step  BIGINT         NOT NULL,
             created_at BIGINT         NOT NULL
         ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    ),
    (
        13,
        "CREATE TABLE IF NOT EXISTS recovery_code (
             id         VARBINARY(32)  NOT NULL PRIMARY KEY,
             user_id    VARBINARY(255) NOT NULL,
             created_at BIGINT         NOT NULL,
             KEY recovery_code_by_user (user_id)
         ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    ),
];

/// The version from which on the audit log names users by handles: SQL cannot compute them.
const HASHES_NAMES: u32 = 11;

/// How long a process may take for the upgrade before another one may take over.
const LEASE_SECONDS: u32 = 60;

/// How long to wait for the upgrade of another process.
const PATIENCE: Duration = Duration::from_secs(90);

/// Checks that the tables are vestibule's, and creates them as needed. Older ones are upgraded if the caller
/// `upgrades` them, and else refused: other servers may be running on them, and a command that is refused later
/// must not have changed them.
pub(super) fn prepare(store: &Mysql, upgrades: bool) -> Result<()> {
    let found = store.read(look)?;
    match found.version {
        NEWEST if found.has_ours => Ok(()),
        FIRST.. if !upgrades => Err(Error::Broken(older(found.version, NEWEST))),
        _ => bring_up(store).map(drop),
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

fn bring_up(store: &Mysql) -> Result<()> {
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
    let owner = token::random_text(20);
    let deadline = Instant::now() + PATIENCE;
    while store.read(look)?.version < NEWEST {
        let has_lease = store.write_one(
            "UPDATE vestibule_schema SET owner = ?, lease = UNIX_TIMESTAMP() + ?
              WHERE id = 1 AND version < ? AND (lease < UNIX_TIMESTAMP() OR owner = ?)",
            (&owner, LEASE_SECONDS, NEWEST, &owner),
        )?;
        if has_lease > 0 {
            take_steps(store)?;
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
    Ok(())
}

fn take_steps(store: &Mysql) -> Result<()> {
    match store.read(look)?.version {
        0 => {
            let text: Vec<_> = SCHEMA.lines().filter(|line| !line.starts_with("--")).collect();
            let text = text.join("\n");
            text.split(";\n")
                .map(str::trim)
                .filter(|it| !it.is_empty())
                .try_for_each(|it| run(store, it))
        }
        before => {
            let missing = STEPS.iter().filter(|(number, _)| *number > before);
            missing.map(|(_, statement)| *statement).try_for_each(|it| run(store, it))?;
            if before < HASHES_NAMES {
                audit::hash_names(store, &handle_key(store)?)
            } else {
                Ok(())
            }
        }
    }
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
