//! Connections to the servers: which one is used, how a connection is made, and when another server is used
//! instead.

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mysql::consts::CapabilityFlags;
use mysql::prelude::Queryable;
use mysql::{Conn, Opts, OptsBuilder, SslOpts};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::fault::{MysqlFault, MysqlResult, advice};
use crate::base::file_fault::reading;
use crate::base::tls_fault::TlsFault;
use crate::store::{Cluster, Error, Result, Tls};

/// How long connecting to a server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_500);

/// How long a server may then take to send its greeting: one that hangs accepts connections and sends
/// nothing.
const GREETING_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a server may take to answer a request's query. A cluster that drops a dead node answers nothing
/// for 6 s.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// How long a server may take to answer a command, which may read and count everything.
pub(super) const LONG_ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

/// How long no server may be reachable before requests stop waiting for one: a cluster that drops a dead
/// node is unreachable for 6 s.
const LOST_AFTER_MILLIS: u64 = 10_000;

/// The most prepared statements that a connection keeps.
pub(super) const STATEMENTS_MAX: usize = 128;

/// The settings of every connection, each with its reason.
const FIRST: [&str; 2] = [
    // Without strict mode, values that are too long are cut with a mere warning. A lock that is not free
    // after 5 s may belong to a transaction that hangs.
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 5",
    // The isolation level on which all engines of this protocol agree best.
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
];

/// Makes a node wait before every statement until it has applied what the other nodes have acknowledged.
/// Without it, one in six sessions is not found when another node is asked for it right away. The value 1
/// covers reads only, and an INSERT … SELECT missed a user who had just been created.
const CAUSAL: &str = "SET SESSION wsrep_sync_wait = 7";

/// Releases the locks of a client that has lost its power after this many seconds. Servers without this
/// setting keep them for hours.
const LOCKS: &str = "SET SESSION idle_write_transaction_timeout = 10";

/// How long the preferred server is not used after it failed: the least and the most. If it soon fails
/// again, the pause is doubled.
const RETURN_MILLIS: (u64, u64) = (5_000, 300_000);

/// Where systems keep the certificates of trusted authorities.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A connection that is in use.
pub(super) struct Lease {
    pub(super) conn: Conn,
    /// The statements that the server has prepared for it, and keeps.
    pub(super) prepared: HashSet<String>,
    /// The index of its server.
    pub(super) host: usize,
    /// Whether it was used before, so that the server may have closed it meanwhile.
    is_used: bool,
    since: Instant,
}

impl Lease {
    fn of(conn: Conn, host: usize) -> Self {
        Self { conn, prepared: HashSet::new(), host, is_used: false, since: Instant::now() }
    }
}

/// The servers. All threads use the same one, until it fails.
pub(super) struct ClusterPool {
    servers: Vec<Server>,
    /// The index of the server in use.
    present: AtomicUsize,
    /// Idle connections to it.
    spare: Mutex<Vec<Lease>>,
    /// Since when no server could be reached, in milliseconds since `beginning`; 0: the last attempt
    /// succeeded.
    lost_since: AtomicU64,
    beginning: Instant,
    answer_timeout: Duration,
    /// When the preferred server last failed, and how long it is then not used; in milliseconds.
    left_at: AtomicU64,
    leave_for: AtomicU64,
}

struct Server {
    host: String,
    port: u16,
    opts: Opts,
    /// The last attempt to use it ran into a timeout.
    is_doubtful: AtomicBool,
}

impl ClusterPool {
    /// The servers of a cluster, with a timeout for answers.
    pub(super) fn of(cluster: &Cluster, answer_timeout: Duration) -> Result<Self> {
        let ssl = ssl(&cluster.tls)?;
        let server = |(host, port): &(String, u16)| {
            let opts = OptsBuilder::new()
                .ip_or_hostname(Some(host))
                .tcp_port(*port)
                .user(Some(&cluster.user))
                .pass(cluster.password.as_ref())
                .db_name(Some(&cluster.name))
                .ssl_opts(ssl.clone())
                // The library would switch to a Unix socket that the server names.
                .prefer_socket(false)
                .tcp_connect_timeout(Some(CONNECT_TIMEOUT))
                .read_timeout(Some(answer_timeout))
                .write_timeout(Some(answer_timeout))
                .stmt_cache_size(STATEMENTS_MAX)
                .init(FIRST.to_vec())
                // Counts the rows that matched, as SQLite does, instead of those that changed.
                .additional_capabilities(CapabilityFlags::CLIENT_FOUND_ROWS);
            let is_doubtful = AtomicBool::new(false);
            Server { host: host.clone(), port: *port, opts: opts.into(), is_doubtful }
        };
        Ok(Self {
            servers: cluster.hosts.iter().map(server).collect(),
            present: AtomicUsize::new(0),
            spare: Mutex::default(),
            lost_since: AtomicU64::new(0),
            beginning: Instant::now(),
            answer_timeout,
            left_at: AtomicU64::new(0),
            leave_for: AtomicU64::new(RETURN_MILLIS.0),
        })
    }

    /// Connects to the first server that accepts. An error if a server refuses us, as with a wrong
    /// password; if none is reachable, that may be temporary, and later statements report it.
    pub(super) fn connect_any(&self) -> Result<()> {
        // A node that is rejoining its cluster may not know the user or the database yet.
        let mut refused = Ok(());
        for (host, server) in self.servers.iter().enumerate() {
            match server.connect() {
                Ok(conn) => {
                    self.present.store(host, Ordering::Release);
                    self.give_back(Lease::of(conn, host));
                    return Ok(());
                }
                Err(MysqlFault::Unavailable { .. }) => {}
                Err(fault) => refused = Err(fault.into()),
            }
        }
        refused
    }

    /// Whether a server was reached lately. Asks none.
    pub(super) fn is_reached(&self) -> bool {
        let lost_since = self.lost_since.load(Ordering::Relaxed);
        lost_since == 0 || self.millis() < lost_since + LOST_AFTER_MILLIS
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.beginning.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn note_lost(&self) {
        let now = self.millis().max(1);
        // The first failure counts.
        let _ = self.lost_since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// A connection for this thread alone, to the server in use.
    pub(super) fn borrow(&self) -> MysqlResult<Lease> {
        let host = self.present.load(Ordering::Acquire);
        // A connection that was returned during a fail-over may lead to another server.
        let spare = self.spare().pop().filter(|it| it.host == host);
        if let Some(mut lease) = spare {
            (lease.is_used, lease.since) = (true, Instant::now());
            return Ok(lease);
        }
        match self.servers[host].connect() {
            Ok(conn) => Ok(Lease::of(conn, host)),
            Err(fault) => {
                self.note_lost();
                self.fail_over(host);
                Err(match fault {
                    // A server that refuses us may be rejoining its cluster.
                    MysqlFault::Error(Error::Broken(cause)) if self.servers.len() > 1 => {
                        MysqlFault::Unavailable { cause, may_be_written: false, is_said: true }
                    }
                    fault => fault,
                })
            }
        }
    }

    /// Returns a connection after success.
    pub(super) fn give_back(&self, lease: Lease) {
        self.lost_since.store(0, Ordering::Relaxed);
        if lease.host == self.present.load(Ordering::Acquire) {
            self.spare().push(lease);
        }
    }

    /// Returns a connection after a fault.
    pub(super) fn check_in(&self, lease: Lease, fault: &MysqlFault) {
        match fault {
            MysqlFault::Unavailable { .. } => {
                let is_hung = lease.since.elapsed() >= self.answer_timeout;
                self.servers[lease.host].is_doubtful.store(is_hung, Ordering::Relaxed);
                if lease.is_used && !is_hung {
                    // The server may have been restarted meanwhile, and be usable again.
                    self.close();
                } else {
                    self.note_lost();
                    self.fail_over(lease.host);
                }
            }
            _ => self.give_back(lease),
        }
    }

    /// Returns to the preferred server if another one is in use and the preferred one works again;
    /// otherwise pings the server in use, so that an outage is noticed without a request.
    pub(super) fn tend(&self) {
        if self.present.load(Ordering::Acquire) != 0
            && self.may_return()
            && let Ok(conn) = self.servers[0].connect()
        {
            self.present.store(0, Ordering::Release);
            self.close();
            self.give_back(Lease::of(conn, 0));
        } else if let Ok(mut lease) = self.borrow() {
            match lease.conn.ping().map_err(MysqlFault::from) {
                Ok(()) => self.give_back(lease),
                Err(fault) => self.check_in(lease, &fault),
            }
        }
    }

    fn may_return(&self) -> bool {
        let left_at = self.left_at.load(Ordering::Relaxed);
        self.millis() >= left_at + self.leave_for.load(Ordering::Relaxed)
    }

    /// Notes that the preferred server failed.
    fn note_left(&self) {
        let (least, most) = RETURN_MILLIS;
        let (now, pause) = (self.millis(), self.leave_for.load(Ordering::Relaxed));
        let before = self.left_at.swap(now, Ordering::Relaxed);
        let is_again = before != 0 && now < before + 4 * pause;
        let pause = if is_again { (2 * pause).min(most) } else { least };
        self.leave_for.store(pause, Ordering::Relaxed);
    }

    /// Closes the idle connections.
    pub(super) fn close(&self) {
        let spare = std::mem::take(&mut *self.spare());
        // Outside of the lock: a server may be slow to take the closing.
        drop(spare);
    }

    /// Switches to the next server, if `host` is still the one in use.
    pub(super) fn fail_over(&self, host: usize) {
        let next = (host + 1) % self.servers.len();
        // The first thread decides; for the others the switch has happened.
        let left = self.present.compare_exchange(host, next, Ordering::AcqRel, Ordering::Acquire);
        if left.is_ok() {
            if host == 0 {
                self.note_left();
            }
            self.close();
        }
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Lease>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    /// A connection with all settings, to a server that takes part in its cluster.
    fn connect(&self) -> MysqlResult<Conn> {
        if self.is_doubtful.load(Ordering::Relaxed) {
            self.greet().map_err(|err| self.away(&err))?;
        }
        let began = Instant::now();
        let connected = self.sign_in();
        let is_hung = connected.is_err() && began.elapsed() >= GREETING_TIMEOUT;
        self.is_doubtful.store(is_hung, Ordering::Relaxed);
        connected
    }

    fn sign_in(&self) -> MysqlResult<Conn> {
        let mut conn = Conn::new(self.opts.clone()).map_err(|err| self.refusal(err))?;
        // A server that is not clustered does not know the first setting, and servers other than MariaDB do
        // not know the second.
        let is_clustered = set_if_known(&mut conn, CAUSAL)? && says_on(&mut conn, WSREP_ON)?;
        set_if_known(&mut conn, LOCKS)?;
        // A node that has lost its cluster would report that only with the first statement that reads a
        // table.
        if is_clustered && !says_on(&mut conn, WSREP_READY)? {
            return Err(self.away(&"it takes no part in its cluster"));
        }
        Ok(conn)
    }

    /// Waits for the server's greeting, so that a server that hangs costs two seconds and not a whole
    /// timeout. This is done only after a timeout, since servers count broken connections, and block hosts
    /// with many of them.
    fn greet(&self) -> io::Result<()> {
        let mut last = io::Error::from(ErrorKind::NotFound);
        for address in (&*self.host, self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(GREETING_TIMEOUT))?;
                    return match stream.peek(&mut [0])? {
                        0 => Err(ErrorKind::UnexpectedEof.into()),
                        _ => Ok(()),
                    };
                }
                Err(err) => last = err,
            }
        }
        Err(last)
    }

    /// Why no connection could be made, and what to do about it.
    fn refusal(&self, err: mysql::Error) -> MysqlFault {
        let advice = advice(&err, &self.opts, || self.demands_tls());
        let say = |cause| match advice {
            Some(advice) => format!("{}:{}: {cause}; {advice}", self.host, self.port),
            None => format!("{}:{}: {cause}", self.host, self.port),
        };
        match MysqlFault::from(err) {
            MysqlFault::Unavailable { cause, may_be_written, is_said } => {
                MysqlFault::Unavailable { cause: say(cause), may_be_written, is_said }
            }
            MysqlFault::Error(err) => MysqlFault::Error(err.saying(say)),
            fault => fault,
        }
    }

    /// Whether the server accepts this user over TLS alone: without TLS, its error is the one for a wrong password.
    /// Which certificate it shows does not matter: what this tells an attacker in between, the connection without TLS
    /// has told them already.
    fn demands_tls(&self) -> bool {
        let unchecked = SslOpts::default()
            .with_danger_accept_invalid_certs(true)
            .with_danger_skip_domain_validation(true);
        match Conn::new(OptsBuilder::from_opts(self.opts.clone()).ssl_opts(Some(unchecked))) {
            Ok(_) => true,
            // Another refusal, such as that of a missing database, comes after the user was accepted.
            Err(mysql::Error::MySqlError(err)) => !matches!(err.code, 1045 | 1698),
            Err(_) => false,
        }
    }

    fn away(&self, cause: &dyn std::fmt::Display) -> MysqlFault {
        let cause = format!("{}:{}: {cause}", self.host, self.port);
        MysqlFault::Unavailable { cause, may_be_written: false, is_said: false }
    }
}

const WSREP_ON: &str = "SHOW VARIABLES LIKE 'wsrep_on'";
const WSREP_READY: &str = "SHOW STATUS LIKE 'wsrep_ready'";

/// Sets a variable, and returns whether the server knows it; some exist in a cluster only.
pub(super) fn set_if_known(conn: &mut Conn, setting: &str) -> MysqlResult<bool> {
    match conn.query_drop(setting) {
        Err(mysql::Error::MySqlError(err)) if matches!(err.code, 1193 | 1231) => Ok(false),
        done => Ok(done.map(|()| true)?),
    }
}

fn says_on(conn: &mut Conn, question: &str) -> MysqlResult<bool> {
    let rows: Vec<(String, String)> = conn.query(question)?;
    Ok(rows.iter().any(|(_, value)| value == "ON"))
}

fn ssl(tls: &Tls) -> Result<Option<SslOpts>> {
    let of = |path: PathBuf| Some(SslOpts::default().with_root_cert_path(Some(path)));
    match tls {
        Tls::Off => Ok(None),
        Tls::Authority(path) => {
            see_authority(path).map_err(|cause| {
                Error::Broken(format!("cannot use the authority {}: {cause}", path.display()))
            })?;
            Ok(of(path.clone()))
        }
        // The library trusts the authorities of browsers in addition to these.
        Tls::System => Ok(authorities().map_or_else(|| Some(SslOpts::default()), of)),
    }
}

/// Checks that a file contains certificates in PEM. The library would take any other file for a certificate in DER.
fn see_authority(path: &Path) -> std::result::Result<(), String> {
    let pem = fs::read(path).map_err(|err| reading(&err))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| "a certificate in it cannot be read")?;
        roots.add(certificate).map_err(|err| TlsFault::of(&err).text())?;
    }
    if roots.is_empty() { Err("there is no certificate (PEM) in it".to_owned()) } else { Ok(()) }
}

fn authorities() -> Option<PathBuf> {
    let given = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let known = AUTHORITIES.iter().map(PathBuf::from);
    given.into_iter().chain(known).find(|it| Path::is_file(it))
}
