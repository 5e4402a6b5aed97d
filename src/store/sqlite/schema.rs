//! The schema: whether the tables of a file are vestibule's and up to date, and upgrading them.
//!
//! An upgrade is one transaction: what fails leaves the file as it was. For a command it is the transaction of its
//! first change.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::audit;
use super::file::{APPLICATION_ID, FileResult, broken};
use crate::store::engine::OpenMode;
use crate::store::{HALF_COPIED, newer, older};

/// The tables of a new file.
const SCHEMA: &str = include_str!("../../../schema.sql");

/// The upgrades of an older file: step `n` leads from schema `n + 1` to `n + 2`. Steps are never changed once
/// released; schema.sql always has the result of the last one.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/2.sql"),
    include_str!("migrations/3.sql"),
    include_str!("migrations/4.sql"),
    include_str!("migrations/5.sql"),
    include_str!("migrations/6.sql"),
    include_str!("migrations/7.sql"),
    include_str!("migrations/8.sql"),
    include_str!("migrations/9.sql"),
    include_str!("migrations/10.sql"),
    include_str!("migrations/11.sql"),
    include_str!("migrations/12.sql"),
    include_str!("migrations/13.sql"),
    include_str!("migrations/14.sql"),
];

/// The schema from which on the audit log names users by handles: SQL cannot compute them.
const HASHES_NAMES: usize = 11;

/// The error for a file without tables, where none are created.
pub(super) const EMPTY_TEXT: &str =
    "it is empty; vestibule serve or vestibule migrate makes its tables";

/// The version of the schema; 0: there are no tables.
pub(super) fn version(conn: &Connection) -> rusqlite::Result<u32> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Checks that the tables exist, and for a reader that they are up to date. Creates none.
pub(super) fn check(conn: &Connection, mode: OpenMode) -> FileResult<()> {
    let (version, newest) = (version(conn)?.cast_signed(), newest().cast_signed());
    refuse_newer(version)?;
    if version <= 0 {
        return broken(EMPTY_TEXT);
    }
    if mode == OpenMode::ToBackUp {
        return Ok(());
    }
    if version < newest {
        return broken(older(version, newest));
    }
    check_shape(conn, SCHEMA)
}

/// Creates the tables, or runs the upgrades that are missing, and checks the result, in one transaction. Returns the
/// version before; 0: there were no tables.
pub(super) fn upgrade(conn: &mut Connection) -> FileResult<u32> {
    upgrade_by(conn, SCHEMA, MIGRATIONS)
}

/// Whether the tables are of an older version.
pub(super) fn is_older(conn: &Connection) -> rusqlite::Result<bool> {
    Ok((1..newest()).contains(&version(conn)?))
}

/// Creates the tables if there are none. An older schema that [`upgrade_in`] can upgrade is left as it is; then the
/// random key is returned that the file has or will get.
pub(super) fn create(conn: &mut Connection) -> FileResult<Option<[u8; 32]>> {
    if !is_older(conn)? {
        return upgrade(conn).map(|_| None);
    }
    // This transaction is not committed.
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    upgrade_within(&tx, SCHEMA, MIGRATIONS)?;
    Ok(Some(handle_key(&tx)?))
}

/// Upgrades an older schema within a transaction that may end without a commit. `key` is what [`create`] has
/// returned: the first schema had no key.
pub(super) fn upgrade_in(tx: &Transaction<'_>, key: &[u8; 32]) -> FileResult<()> {
    upgrade_within(tx, SCHEMA, MIGRATIONS)?;
    tx.execute("UPDATE secret SET value = ?1 WHERE name = 'handle'", [key])?;
    Ok(())
}

fn upgrade_by(conn: &mut Connection, schema: &str, migrations: &[&str]) -> FileResult<u32> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before = upgrade_within(&tx, schema, migrations)?;
    tx.commit()?;
    Ok(before)
}

/// Returns the version before.
fn upgrade_within(tx: &Transaction<'_>, schema: &str, migrations: &[&str]) -> FileResult<u32> {
    let version = version(tx)?.cast_signed();
    refuse_newer_than(newest_of(migrations), version)?;
    match usize::try_from(version) {
        Ok(0) => {
            tx.execute_batch(schema)?;
            // Within the transaction: no crash leaves a file that has tables but no owner.
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        Ok(version) => {
            for (number, step) in (2..).zip(migrations).skip(version - 1) {
                tx.execute_batch(step)?;
                if number == HASHES_NAMES {
                    audit::hash_names(tx)?;
                }
            }
        }
        Err(_) => return broken(format!("its schema number is {version}")),
    }
    if version < newest_of(migrations) {
        tx.pragma_update(None, "user_version", newest_of(migrations))?;
    }
    check_shape(tx, schema)?;
    Ok(version.unsigned_abs())
}

/// The random key of the database, with which names and addresses are hashed.
pub(super) fn handle_key(conn: &Connection) -> rusqlite::Result<[u8; 32]> {
    conn.query_row("SELECT value FROM secret WHERE name = 'handle'", [], |row| row.get(0))
}

/// The newest version of the schema.
pub(super) fn newest() -> u32 {
    newest_of(MIGRATIONS).unsigned_abs()
}

fn newest_of(migrations: &[&str]) -> i32 {
    i32::try_from(migrations.len()).expect("there are few migrations") + 1
}

/// Refuses a file that a newer vestibule has created or upgraded.
pub(super) fn refuse_newer(version: i32) -> FileResult<()> {
    refuse_newer_than(newest_of(MIGRATIONS), version)
}

fn refuse_newer_than(newest: i32, version: i32) -> FileResult<()> {
    if version > newest {
        return broken(newer(version, newest));
    }
    Ok(())
}

/// Whether a copy into it has begun and has not ended.
pub(super) fn is_half_copied(conn: &Connection) -> rusqlite::Result<bool> {
    // The first schema has no such table.
    if !conn.table_exists(None, "secret")? {
        return Ok(false);
    }
    conn.prepare("SELECT 1 FROM secret WHERE name = ?1")?.exists([HALF_COPIED])
}

/// Checks that every table of schema.sql exists with its columns, so that a file that was altered is refused at start
/// and not in the middle of a sign-up.
fn check_shape(conn: &Connection, schema: &str) -> FileResult<()> {
    if is_written_as(conn, schema)? {
        return Ok(());
    }
    let model = Connection::open_in_memory()?;
    model.execute_batch(schema)?;
    let have = columns(conn)?;
    for column in columns(&model)? {
        if !have.contains(&column) {
            return broken(format!("its tables were altered: {column} is not as it should be"));
        }
    }
    Ok(())
}

/// Whether the statements that made the tables are those of schema.sql, word for word: then no model of the schema has
/// to be made to compare columns with. In a file that an older release made they are others.
fn is_written_as(conn: &Connection, schema: &str) -> rusqlite::Result<bool> {
    // SQLite's own tables and indexes have no statement, or are counts that ANALYZE has made.
    let mut statements = conn.prepare(
        "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*'",
    )?;
    let statements: Vec<String> =
        statements.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let wanted = schema.lines().filter(|it| it.starts_with("CREATE ")).count();
    Ok(statements.len() == wanted && statements.iter().all(|it| schema.contains(it)))
}

/// `table.column TYPE` with its constraints, for every column there is.
fn columns(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    conn.prepare(
        "SELECT format('%s.%s %s notnull=%d pk=%d', t.name, c.name, c.type, c.\"notnull\", c.pk)
           FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
          WHERE t.type = 'table' ORDER BY t.name, c.cid",
    )?
    .query_map([], |row| row.get(0))?
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::config::DbConfig;

    /// A file of the first release, to be upgraded step by step.
    fn first() -> Connection {
        let mut conn = Connection::open_in_memory().unwrap();
        upgrade_by(&mut conn, "CREATE TABLE t (a)", &[]).ok().unwrap();
        conn
    }

    #[test]
    fn migrates_from_every_older_schema_to_the_newest() {
        let steps = ["ALTER TABLE t ADD b", "ALTER TABLE t ADD c"];
        for done in 0..=steps.len() {
            let mut conn = first();
            upgrade_by(&mut conn, "", &steps[..done]).ok().unwrap();
            upgrade_by(&mut conn, "", &steps).ok().unwrap();
            assert_eq!(version(&conn), Ok(3));
            assert_eq!(columns(&conn).unwrap().len(), 3, "a, b and c, from step {done}");
        }
    }

    #[test]
    fn leads_from_the_first_release_to_the_schema_of_today() {
        let mut conn = Connection::open_in_memory().unwrap();
        upgrade_by(&mut conn, include_str!("migrations/1.sql"), &[]).ok().unwrap();
        upgrade(&mut conn).ok().unwrap();
        let mut new = Connection::open_in_memory().unwrap();
        upgrade(&mut new).ok().unwrap();
        let everything = |conn: &Connection| {
            let sql = "SELECT type || ' ' || name FROM sqlite_schema ORDER BY 1";
            let mut statement = conn.prepare(sql).unwrap();
            let names = statement.query_map([], |row| row.get(0)).unwrap();
            names.collect::<rusqlite::Result<Vec<String>>>().unwrap()
        };
        assert_eq!(columns(&conn).unwrap(), columns(&new).unwrap());
        assert_eq!(everything(&conn), everything(&new));
        assert_eq!(version(&conn), version(&new));
    }

    #[test]
    fn knows_a_new_file_by_its_statements_and_refuses_one_whose_columns_were_altered() {
        let mut conn = Connection::open_in_memory().unwrap();
        upgrade(&mut conn).ok().unwrap();
        conn.execute_batch("ANALYZE").unwrap();
        assert!(is_written_as(&conn, SCHEMA).unwrap());
        conn.execute_batch("CREATE INDEX others_index ON user (created_at)").unwrap();
        assert!(!is_written_as(&conn, SCHEMA).unwrap());
        assert!(check_shape(&conn, SCHEMA).is_ok(), "an index of the operator does no harm");
        conn.execute_batch("DROP INDEX others_index; ALTER TABLE user RENAME email TO e_mail")
            .unwrap();
        assert!(check_shape(&conn, SCHEMA).is_err());
    }

    #[test]
    fn keeps_the_reset_links_of_an_older_file_valid() {
        let mut conn = Connection::open_in_memory().unwrap();
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true).unwrap();
        upgrade_by(&mut conn, include_str!("migrations/1.sql"), &[]).ok().unwrap();
        let to_8 = &MIGRATIONS[..7];
        for step in to_8 {
            conn.execute_batch(step).unwrap();
        }
        conn.pragma_update(None, "user_version", newest_of(to_8)).unwrap();
        conn.execute_batch(
            "INSERT INTO user (id, username, canonical_username, created_at, epoch)
               VALUES ('1', 'Ann', 'ann', 1, 3), ('2', 'Bob', 'bob', 1, 0);
             INSERT INTO ticket VALUES (unhex(format('%064d', 3)), '1', 5, 50), (unhex(format('%064d', 1)), '1', 9, 54),
               (unhex(format('%064d', 2)), '1', 7, 52), (unhex(format('%064d', 4)), '2', 1, 40);",
        )
        .unwrap();
        upgrade(&mut conn).ok().unwrap();
        let sql =
            "SELECT format('%s %s %s %d %d %d %s.', hex(substr(id, 32)), user_id, purpose, created_at,
                          expires_at, epoch, detail) FROM one_time_token ORDER BY user_id";
        let mut statement = conn.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        let rows = rows.collect::<rusqlite::Result<Vec<String>>>().unwrap();
        assert_eq!(rows, ["01 1 reset_password 9 54 3 .", "04 2 reset_password 1 40 0 ."]);
        assert!(!conn.table_exists(None, "ticket").unwrap());
    }

    #[test]
    fn leaves_the_file_as_it_was_when_a_migration_fails() {
        let mut conn = first();
        let failed =
            upgrade_by(&mut conn, "", &["ALTER TABLE t ADD b", "ALTER TABLE missing ADD c"]);
        assert!(failed.is_err());
        assert_eq!(version(&conn), Ok(1));
        assert_eq!(columns(&conn).unwrap(), ["t.a  notnull=0 pk=0"]);
    }
}
