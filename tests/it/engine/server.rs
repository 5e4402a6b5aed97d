//! Servers that speak MySQL's protocol, as `STORE_MYSQL` names them: `mysql://app:app@127.0.0.1:3306/app`,
//! with several hosts for a cluster. The user may make databases that are called `t_…`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder, Row, SslOpts, Value};
use vestibule::store::{Cluster, Database, Tls};

use super::{Cell, Raw};

/// A database with this name on the servers, of which the one at `first` is preferred; there may be fewer.
pub fn database(name: &str, first: usize) -> Cluster {
    let mut cluster = servers();
    let hosts = cluster.hosts.len();
    cluster.hosts.rotate_left(first % hosts);
    name.clone_into(&mut cluster.name);
    cluster
}

/// The database of the test of this process that has this folder. It is left behind, as the server is.
pub fn of_folder(folder: &Path) -> Database {
    let mut hasher = DefaultHasher::new();
    (folder, std::process::id()).hash(&mut hasher);
    let name = format!("t_{:016x}", hasher.finish());
    make(&name);
    Database::Mysql(database(&name, 0))
}

/// Makes an empty database, if it is not there, and waits until each server has it: no connection to it
/// can be made before, and so none that would wait.
pub fn make(name: &str) {
    let mut servers = servers();
    to(&servers).run(&format!("CREATE DATABASE IF NOT EXISTS {name}"));
    let sql = format!("SELECT 1 FROM information_schema.schemata WHERE schema_name = '{name}'");
    for _ in 1..servers.hosts.len() {
        servers.hosts.rotate_left(1);
        assert_eq!(to(&servers).rows(&sql).len(), 1, "{name} at {:?}", servers.hosts[0]);
    }
}

/// Drops a database with everything in it.
pub fn drop(name: &str) {
    to(&servers()).run(&format!("DROP DATABASE {name}"));
}

/// A connection of its own, which sees what was acknowledged on whichever server.
pub fn connect(database: &Database) -> Conn {
    let Database::Mysql(cluster) = database else { panic!("{database} is on no server") };
    to(cluster)
}

fn servers() -> Cluster {
    let url = std::env::var("STORE_MYSQL").expect("STORE_MYSQL names the servers: mysql://…");
    match Database::parse(&url) {
        Ok(Database::Mysql(cluster)) => cluster,
        Ok(Database::File(path)) => panic!("STORE_MYSQL names the file {}", path.display()),
        Err(cause) => panic!("STORE_MYSQL: {cause}"),
    }
}

fn to(cluster: &Cluster) -> Conn {
    let (host, port) = &cluster.hosts[0];
    let ssl = match &cluster.tls {
        Tls::Off => None,
        Tls::System => Some(SslOpts::default()),
        Tls::Authority(path) => Some(SslOpts::default().with_root_cert_path(Some(path.clone()))),
    };
    let opts = OptsBuilder::new()
        .ip_or_hostname(Some(host))
        .tcp_port(*port)
        .user(Some(&cluster.user))
        .pass(cluster.password.as_ref())
        .db_name(Some(&cluster.name))
        .ssl_opts(ssl)
        .prefer_socket(false);
    let mut conn = Conn::new(opts).unwrap_or_else(|err| panic!("{host}:{port}: {err}"));
    conn.query_drop("SET SESSION sql_mode = 'STRICT_ALL_TABLES'").unwrap();
    match conn.query_drop("SET SESSION wsrep_sync_wait = 7") {
        // A server by itself does not know it.
        Err(mysql::Error::MySqlError(err)) if err.code == 1193 => {}
        done => done.unwrap(),
    }
    conn
}

impl Raw for Conn {
    fn run(&mut self, sql: &str) {
        self.query_drop(sql).unwrap_or_else(|err| panic!("{err}: {sql}"));
    }

    fn rows(&mut self, sql: &str) -> Vec<Vec<Cell>> {
        let rows: Vec<Row> = self.query(sql).unwrap_or_else(|err| panic!("{err}: {sql}"));
        rows.into_iter().map(|row| row.unwrap().into_iter().map(cell).collect()).collect()
    }
}

/// In this way of asking, everything arrives as text.
fn cell(value: Value) -> Cell {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(bytes),
        other => panic!("{other:?} is no text"),
    }
}
