//! The way to the servers: which one is asked, how a connection is made, and when it is left.

use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mysql::consts::CapabilityFlags;
use mysql::prelude::Queryable;
use mysql::{Conn, Opts, OptsBuilder, SslOpts};

use super::{MysqlFault, MysqlResult};
use crate::store::{Cluster, Error, Result, Tls};

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_500);

/// How long it may then take to say its first word: a server that hangs accepts, and says nothing.
const GREETING_TIMEOUT: Duration = Duration::from_secs(2);

/// How long it may take to answer a visitor. A cluster that leaves a dead server answers nobody for 6 s.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// How long it may take to answer an operator, who reads and counts everything.
pub(super) const LONG_ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

/// A cluster that leaves a dead server reaches nobody for 6 s, and that is no reason to send people away.
const LOST_AFTER_MILLIS: u64 = 10_000;

/// Statements that a connection keeps prepared.
const STATEMENTS_MAX: usize = 128;

/// What is said first on every connection, each with its reason.
const FIRST: [&str; 2] = [
    // Without the strict mode what is too long is cut with a mere warning. A lock that is waited for
    // longer than this may be one of a transaction that hangs.
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', innodb_lock_wait_timeout = 5",
    // What all these engines agree on best.
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
];

/// A server of a cluster waits before every statement until it has what the others had acknowledged.
/// Without it one in six sessions is not there yet when another server is asked for it; 1 waits before
/// reads alone, and an INSERT … SELECT missed a user who was just made.
const CAUSAL: &str = "SET SESSION wsrep_sync_wait = 7";

/// The locks of a machine that lost its power are given back after so many seconds. Servers that do not
/// know it wait for hours.
const LOCKS: &str = "SET SESSION idle_write_transaction_timeout = 10";

/// How long the preferred server is left alone at least that had to be left, and at most. Each time that it
/// has to be left again soon the pause is doubled.
const RETURN_MILLIS: (u64, u64) = (5_000, 300_000);

/// Where a machine keeps the certificates of the authorities that it trusts.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A connection that is lent.
pub(super) struct Lease {
    pub(super) conn: Conn,
    /// Which server it leads to.
    pub(super) host: usize,
    /// Whether it was used before: the server may have closed it meanwhile.
    is_used: bool,
    since: Instant,
}

impl Lease {
    fn of(conn: Conn, host: usize) -> Self {
        Self { conn, host, is_used: false, since: Instant::now() }
    }
}

/// The servers, of which one is asked by everybody until it is left for the next.
pub(super) struct ClusterPool {
    servers: Vec<Server>,
    /// The one that is asked.
    present: AtomicUsize,
    /// Connections to it that nobody uses.
    spare: Mutex<Vec<Lease>>,
    /// Since when no try has reached anybody, in milliseconds after the beginning; 0: the last one has.
    lost_since: AtomicU64,
    beginning: Instant,
    answer_timeout: Duration,
    /// When the preferred server was left last, and for how long; in milliseconds.
    left_at: AtomicU64,
    leave_for: AtomicU64,
}

struct Server {
    host: String,
    port: u16,
    opts: Opts,
    /// The last time it said nothing for as long as it had.
    is_doubtful: AtomicBool,
}

impl ClusterPool {
    /// Servers that may take so long to answer.
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
                // It would move to a socket that the server names.
                .prefer_socket(false)
                .tcp_connect_timeout(Some(CONNECT_TIMEOUT))
                .read_timeout(Some(answer_timeout))
                .write_timeout(Some(answer_timeout))
                .stmt_cache_size(STATEMENTS_MAX)
                .init(FIRST.to_vec())
                // The rows that were met, as SQLite counts, and not those that were changed.
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

    /// Knocks at each server until one lets us in. That they refuse to is told at once; that nobody is there
    /// may pass, and is told later.
    pub(super) fn connect_any(&self) -> Result<()> {
        // One that comes back into its cluster may not know the user or the database yet.
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

    /// Whether a server was reached lately. Asks nobody.
    pub(super) fn is_reached(&self) -> bool {
        let lost_since = self.lost_since.load(Ordering::Relaxed);
        lost_since == 0 || self.millis() < lost_since + LOST_AFTER_MILLIS
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.beginning.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn note_lost(&self) {
        let now = self.millis().max(1);
        // The first one counts.
        let _ = self.lost_since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// A connection that nobody else uses meanwhile, to the server that is asked at present.
    pub(super) fn borrow(&self) -> MysqlResult<Lease> {
        let host = self.present.load(Ordering::Acquire);
        // One that was given back while everybody left leads elsewhere.
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
                    // One that lets nobody in may be on its way back into its cluster.
                    MysqlFault::Error(Error::Broken(cause)) if self.servers.len() > 1 => {
                        MysqlFault::Unavailable { cause, may_be_written: false, is_said: true }
                    }
                    fault => fault,
                })
            }
        }
    }

    /// Takes a connection back that did its work.
    pub(super) fn give_back(&self, lease: Lease) {
        self.lost_since.store(0, Ordering::Relaxed);
        if lease.host == self.present.load(Ordering::Acquire) {
            self.spare().push(lease);
        }
    }

    /// Takes a connection back on which something went wrong.
    pub(super) fn check_in(&self, lease: Lease, fault: &MysqlFault) {
        match fault {
            MysqlFault::Unavailable { .. } => {
                let is_hung = lease.since.elapsed() >= self.answer_timeout;
                self.servers[lease.host].is_doubtful.store(is_hung, Ordering::Relaxed);
                if lease.is_used && !is_hung {
                    // The server may have been started again meanwhile, and then it is as good as before.
                    self.close();
                } else {
                    self.note_lost();
                    self.fail_over(lease.host);
                }
            }
            _ => self.give_back(lease),
        }
    }

    /// Goes back to the server that is preferred, if another one is asked at present and it is of use
    /// again; else sees that the present one answers, so that it is known when nobody does.
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

    /// Notes that the preferred server had to be left.
    fn note_left(&self) {
        let (least, most) = RETURN_MILLIS;
        let (now, pause) = (self.millis(), self.leave_for.load(Ordering::Relaxed));
        let before = self.left_at.swap(now, Ordering::Relaxed);
        let is_again = before != 0 && now < before + 4 * pause;
        let pause = if is_again { (2 * pause).min(most) } else { least };
        self.leave_for.store(pause, Ordering::Relaxed);
    }

    /// Closes the connections that nobody uses.
    pub(super) fn close(&self) {
        let spare = std::mem::take(&mut *self.spare());
        // With nobody waiting for them: a server may be slow to hear it.
        drop(spare);
    }

    /// Leaves a server, if it is still the one that is asked.
    pub(super) fn fail_over(&self, host: usize) {
        let next = (host + 1) % self.servers.len();
        // Whoever is first decides; the others have left it already.
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
    /// A connection on which everything is set up, to a server that takes part.
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
        let mut conn = Conn::new(self.opts.clone()).map_err(|err| match MysqlFault::from(err) {
            MysqlFault::Unavailable { cause, .. } => self.away(&cause),
            fault => fault,
        })?;
        // A server by itself does not know the first, and other makes do not know the second.
        let is_clustered = set_if_known(&mut conn, CAUSAL)? && says_on(&mut conn, WSREP_ON)?;
        set_if_known(&mut conn, LOCKS)?;
        // One that has lost the others says so at the first statement that reads a table.
        if is_clustered && !says_on(&mut conn, WSREP_READY)? {
            return Err(self.away(&"it takes no part in its cluster"));
        }
        Ok(conn)
    }

    /// Waits for the first word of the server, so that one that hangs costs two seconds and not as long as
    /// an answer may take. Only one that has hung is asked so: servers count what is broken off, and shut out
    /// who does it often.
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

    fn away(&self, cause: &dyn std::fmt::Display) -> MysqlFault {
        let cause = format!("{}:{} cannot be used: {cause}", self.host, self.port);
        MysqlFault::Unavailable { cause, may_be_written: false, is_said: false }
    }
}

const WSREP_ON: &str = "SHOW VARIABLES LIKE 'wsrep_on'";
const WSREP_READY: &str = "SHOW STATUS LIKE 'wsrep_ready'";

/// Sets what not every server knows, or only one in a cluster, and says whether this one does.
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
        Tls::Authority(path) if path.is_file() => Ok(of(path.clone())),
        Tls::Authority(path) => Err(Error::Broken(format!("there is no file {}", path.display()))),
        // The library trusts those that browsers do, beside these.
        Tls::System => Ok(authorities().map_or_else(|| Some(SslOpts::default()), of)),
    }
}

fn authorities() -> Option<PathBuf> {
    let given = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let known = AUTHORITIES.iter().map(PathBuf::from);
    given.into_iter().chain(known).find(|it| Path::is_file(it))
}
