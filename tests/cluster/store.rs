//! The database behind the servers, looked at past them: its tables as each node has them, and what is
//! done to the nodes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;

use crate::web::SERVERS;

/// How long a test that looks at a file, or harms it, waits for the servers.
const FILE_PATIENCE: Duration = Duration::from_secs(5);

/// What the servers share.
pub enum Store {
    /// The cluster that `tests/galera.sh` has started under the environment of this program, and the
    /// name of the database there.
    Cluster { name: String },
    /// One SQLite file, to try this program itself.
    File(PathBuf),
}

/// How the servers' lists of nodes are ordered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The same for all, as docs/mariadb.md advises: in effect one node is written to.
    Same,
    /// Another node first for each server.
    Own,
}

impl Store {
    /// A new database in the cluster.
    pub fn new_in_cluster(name: &str) -> Self {
        script(&["sql", "1", &format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}")])
            .expect("the cluster is up");
        Self::Cluster { name: name.to_owned() }
    }

    /// What a server is told as its database.
    pub fn address(&self, server: usize, order: Order) -> String {
        match self {
            Self::Cluster { name } => {
                let hosts = script(&["hosts"]).expect("it only computes");
                let mut hosts: Vec<_> = hosts.trim().split(',').collect();
                if order == Order::Own {
                    let count = hosts.len();
                    hosts.rotate_left(server % count);
                }
                format!("mysql://app:app@{}/{name}?tls=off", hosts.join(","))
            }
            Self::File(path) => path.display().to_string(),
        }
    }

    /// The nodes, by their numbers.
    pub fn nodes(&self) -> Vec<usize> {
        match self {
            Self::Cluster { .. } => (1..=SERVERS).collect(),
            Self::File(_) => vec![1],
        }
    }

    /// The rows of a query at a node, as text.
    pub fn rows(&self, node: usize, sql: &str) -> Result<Vec<Vec<String>>, String> {
        match self {
            Self::Cluster { name } => {
                let output = script(&["sql", &node.to_string(), &format!("USE {name}; {sql}")])?;
                let row = |line: &str| line.split('\t').map(str::to_owned).collect();
                Ok(output.lines().map(row).collect())
            }
            Self::File(path) => {
                rows_of_file(path, sql).map_err(|err| format!("{}: {err}", path.display()))
            }
        }
    }

    /// A number for the rows of every table, the same at two nodes that have the same.
    pub fn checksums(&self, node: usize) -> Result<Vec<Vec<String>>, String> {
        let Self::Cluster { .. } = self else { return Ok(Vec::new()) };
        let tables: Vec<_> = self.rows(node, "SHOW TABLES")?.concat();
        self.rows(node, &format!("CHECKSUM TABLE {}", tables.join(", ")))
    }

    /// The node to which most connections of the servers lead, if there are any.
    pub fn busiest(&self) -> Option<usize> {
        let sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'app'";
        let connections = |node: usize| -> u32 {
            let rows = self.rows(node, sql).unwrap_or_default();
            rows.first().and_then(|row| row[0].parse().ok()).unwrap_or(0)
        };
        let counted = self.nodes().into_iter().map(|node| (connections(node), node));
        counted.max().filter(|(count, _)| *count > 0).map(|(_, node)| node)
    }

    /// Does damage, to see whether it is found.
    pub fn harm(&self, sql: &str) {
        match self {
            Self::File(path) => {
                let conn = Connection::open(path).expect("a database");
                conn.busy_timeout(FILE_PATIENCE).expect("a duration");
                conn.execute_batch(sql).expect("the tables are there");
            }
            // At one node alone.
            Self::Cluster { name } => {
                let sql = format!("USE {name}; SET SESSION wsrep_on = OFF; {sql}");
                script(&["sql", "2", &sql]).expect("the node is up");
            }
        }
    }
}

/// Runs `tests/galera.sh`; what it printed, or what went wrong.
pub fn script(arguments: &[&str]) -> Result<String, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/galera.sh");
    let output = Command::new(path).args(arguments).output().expect("the script is there");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(format!("galera.sh {}: {}", arguments[0], text(&output.stderr).trim()))
    }
}

fn rows_of_file(path: &Path, sql: &str) -> rusqlite::Result<Vec<Vec<String>>> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(FILE_PATIENCE)?;
    let mut statement = conn.prepare(sql)?;
    let columns = statement.column_count();
    let rows = statement.query_map((), |row| (0..columns).map(|it| row.get(it)).collect())?;
    rows.collect()
}
