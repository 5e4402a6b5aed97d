//! The database as a whole: its state, its size, its closing.

use std::time::Duration;

use super::{Mysql, MysqlResult, PATIENCE, Tx};
use crate::store::tables::ALL;
use crate::store::{Error, Maintenance, Result, Strain, Tended, odd_names, shared_names};

impl Maintenance for Mysql {
    fn handle_key(&self) -> &[u8; 32] {
        &self.handle_key
    }

    fn probe(&self) -> Result<()> {
        if self.pool.is_reached() {
            return Ok(());
        }
        Err(Error::Unavailable("no server of the database can be reached".to_owned()))
    }

    fn asks_servers(&self) -> bool {
        true
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }

    fn tend(&self) -> Tended {
        self.pool.tend();
        Tended::Unchanged
    }

    fn strain(&self) -> Strain {
        self.strain.total()
    }

    fn upgraded(&self) -> Option<(u32, u32)> {
        self.upgraded_from.map(|before| (before, super::schema::NEWEST))
    }

    fn versions(&self) -> Result<[(&'static str, String); 2]> {
        let first = |sql: &str| self.read_one::<String>(sql, ());
        let schema = first("SELECT CAST(version AS CHAR) FROM vestibule_schema WHERE id = 1")?;
        let mariadb = first("SELECT VERSION()")?;
        Ok([("schema", schema.unwrap_or_default()), ("mariadb", mariadb.unwrap_or_default())])
    }

    fn faults(&self) -> Result<Vec<String>> {
        self.read(|tx| {
            let mut faults = Vec::new();
            for table in ALL.iter().filter(|it| it.has_owner).map(|it| it.name) {
                let sql = format!(
                    "SELECT count(*) FROM {table} AS it
                      WHERE NOT EXISTS (SELECT 1 FROM user WHERE user.id = it.user_id)"
                );
                match count(tx, &sql)? {
                    0 => {}
                    rows => faults.push(format!("{rows} rows of {table} belong to no user")),
                }
            }
            let shared = count(
                tx,
                "SELECT count(*) FROM user
                   JOIN user_key ON user_key.id = CONCAT('username:', user.canonical_username)
                  WHERE user_key.user_id <> user.id",
            )?;
            faults.extend(shared_names(shared));
            faults.extend(loses_writes(tx)?);
            Ok(faults)
        })
    }

    fn oddities(&self) -> Result<Vec<String>> {
        self.read(|tx| {
            let others = count(
                tx,
                "SELECT count(DISTINCT user_id) FROM user_key AS it
                  WHERE id >= 'username:' AND id < 'username;' AND NOT EXISTS
                        (SELECT 1 FROM user_key JOIN user ON user.id = user_key.user_id
                          WHERE user.id = it.user_id
                            AND user_key.id = CONCAT('username:', user.canonical_username))",
            )?;
            let nameless = count(
                tx,
                "SELECT count(*) FROM user WHERE NOT EXISTS
                   (SELECT 1 FROM user_key WHERE user_id = user.id
                       AND user_key.id >= 'username:' AND user_key.id < 'username;')",
            )?;
            Ok(odd_names(others, nameless))
        })
    }

    fn close(&self) -> Result<()> {
        self.pool.close();
        Ok(())
    }
}

/// A warning if the server's settings allow acknowledged writes to be lost in a power cut.
fn loses_writes(tx: &mut Tx<'_>) -> MysqlResult<Option<String>> {
    let sql = "SELECT CAST(@@innodb_flush_log_at_trx_commit AS CHAR)";
    let found: Option<String> = tx.first(sql, ())?;
    Ok(found.filter(|it| it != "1").map(|value| {
        format!(
            "innodb_flush_log_at_trx_commit is {value}: a power cut may take back what was answered; \
             set it to 1 on every server"
        )
    }))
}

fn count(tx: &mut Tx<'_>, sql: &str) -> MysqlResult<i64> {
    Ok(tx.first(sql, ())?.unwrap_or(0))
}
