//! The address of a database, as an operator writes it.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use url::form_urlencoded;

/// The default port of the MySQL protocol.
const PORT: u16 = 3306;

/// The address of a database. It may hold a password and so has no `Debug`; `Display` leaves the password
/// out.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    File(PathBuf),
    /// A server, or several of one cluster, that speak MySQL's protocol.
    Mysql(Cluster),
}

/// The servers of a cluster, and how to sign in to them.
#[derive(Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Each with its port, the preferred one first. Never empty.
    pub hosts: Vec<(String, u16)>,
    pub user: String,
    /// The password, if one is given.
    pub password: Option<String>,
    /// The name of the database.
    pub name: String,
    /// How connections are encrypted.
    pub tls: Tls,
}

/// How connections to a server are encrypted and the server is authenticated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Tls {
    /// No encryption.
    Off,
    /// TLS, with a certificate from an authority that this machine trusts.
    System,
    /// TLS, with a certificate from the authority in this file (PEM).
    Authority(PathBuf),
}

impl Database {
    /// Parses `mysql://USER[:PASSWORD]@HOST[:PORT],…/NAME[?tls=…]`; anything else is a file name.
    /// Percent-encoding is decoded. The error says what is wrong and does not repeat the password.
    ///
    /// The default of `tls` is [`Tls::System`], or [`Tls::Off`] if all hosts are this machine.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            Some(("mysql" | "mariadb", rest)) => cluster(rest).map(Self::Mysql),
            Some((scheme, _)) if scheme.bytes().all(|it| it.is_ascii_alphanumeric()) => {
                Err(format!(
                    "{scheme} is none of the engines there are: a path names a SQLite file, \
                 mysql://USER@HOST/NAME a server of MariaDB"
                ))
            }
            _ if text.is_empty() => Err("it is empty".to_owned()),
            _ => Ok(Self::File(PathBuf::from(text))),
        }
    }

    /// The path, if it is a file.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Mysql(_) => None,
        }
    }

    /// Whether both are the same database, as far as the addresses tell: a server may have two names.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => {
                let place = |it: &Path| it.metadata().ok().map(|it| (it.dev(), it.ino()));
                one == other || place(one).is_some_and(|it| Some(it) == place(other))
            }
            (Self::Mysql(one), Self::Mysql(other)) => {
                one.name == other.name && one.hosts.iter().any(|it| other.hosts.contains(it))
            }
            _ => false,
        }
    }
}

impl From<PathBuf> for Database {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<&Path> for Database {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl fmt::Display for Database {
    /// The address without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Mysql(Cluster { hosts, user, name, .. }) => {
                let hosts: Vec<_> =
                    hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
                write!(f, "mysql://{user}@{}/{name}", hosts.join(","))
            }
        }
    }
}

fn cluster(rest: &str) -> Result<Cluster, String> {
    // The last `@`, as the password may contain others.
    let (access, rest) = rest.rsplit_once('@').ok_or("it names no user: mysql://USER@HOST/NAME")?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, name) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, password) = match access.split_once(':') {
        Some((user, password)) => (decoded(user)?, Some(decoded(password)?)),
        None => (decoded(access)?, None),
    };
    let hosts = hosts.split(',').map(host).collect::<Result<Vec<_>, _>>()?;
    let name = decoded(name)?;
    if user.is_empty() || name.is_empty() || name.contains(['/', '`', '\0']) {
        return Err("it has to name a user and a database: mysql://USER@HOST/NAME".to_owned());
    }
    let tls = tls(query, &hosts)?;
    Ok(Cluster { hosts, user, password, name, tls })
}

fn decoded(text: &str) -> Result<String, String> {
    let text = percent_decode_str(text).decode_utf8();
    text.map(std::borrow::Cow::into_owned).map_err(|_| "what is percent-encoded is no UTF-8".into())
}

/// Parses a host name or an address, an IPv6 address in brackets, with or without a port.
fn host(text: &str) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Some(PORT), |it| it.parse().ok().filter(|it| *it > 0));
    match port {
        Some(port) if !host.is_empty() => Ok((host.to_owned(), port)),
        _ => Err("a host is given as HOST or HOST:PORT".to_owned()),
    }
}

fn tls(query: &str, hosts: &[(String, u16)]) -> Result<Tls, String> {
    let stays_here = hosts.iter().all(|(host, _)| is_this_machine(host));
    let mut tls = if stays_here { Tls::Off } else { Tls::System };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        tls = match (&*name, &*value) {
            ("tls", "off") => Tls::Off,
            ("tls", "system") => Tls::System,
            ("tls", path) if path.contains('/') => Tls::Authority(PathBuf::from(path)),
            ("tls", _) => {
                return Err(
                    "tls is off, system or the path of a CA's file, as in ./ca.pem".to_owned()
                );
            }
            _ => {
                return Err(
                    "after the ? there is tls=off, system or FILE, and nothing else".to_owned()
                );
            }
        };
    }
    Ok(tls)
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|it: std::net::IpAddr| it.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Cluster {
        match Database::parse(text) {
            Ok(Database::Mysql(cluster)) => cluster,
            Ok(Database::File(path)) => panic!("a file {}", path.display()),
            Err(cause) => panic!("{cause}"),
        }
    }

    #[test]
    fn reads_several_hosts_and_shows_no_password() {
        let text = "mysql://ann:p%40ss:w@db1,db2:3307,[::1]:3308/front%20door";
        let it = parsed(text);
        let host = |name: &str, port| (name.to_owned(), port);
        assert_eq!(it.hosts, [host("db1", 3306), host("db2", 3307), host("::1", 3308)]);
        assert_eq!((&*it.user, it.password.as_deref()), ("ann", Some("p@ss:w")));
        assert_eq!((&*it.name, &it.tls), ("front door", &Tls::System));
        let shown = Database::Mysql(it).to_string();
        assert_eq!(shown, "mysql://ann@db1:3306,db2:3307,::1:3308/front door");
    }

    #[test]
    fn crosses_a_network_in_clear_only_where_it_is_said() {
        assert_eq!(parsed("mysql://u@127.0.0.1,localhost/v").tls, Tls::Off);
        assert_eq!(parsed("mysql://u@127.0.0.1,db2/v").tls, Tls::System);
        assert_eq!(parsed("mysql://u@db/v?tls=off").tls, Tls::Off);
        let ca = Tls::Authority(PathBuf::from("/etc/ca.pem"));
        assert_eq!(parsed("mysql://u@db/v?tls=/etc/ca.pem").tls, ca);
        assert_eq!(parsed("mysql://u@db/v?tls=%2Fetc%2Fca.pem").tls, ca);
    }

    #[test]
    fn refuses_what_names_no_database_and_repeats_no_password() {
        for text in [
            "mysql://",
            "mysql://db/v",
            "mysql://u:s3cret@/v",
            "mysql://u:s3cret@db",
            "mysql://u:s3cret@db/",
            "mysql://u:s3cret@db:port/v",
            "mysql://u:s3cret@db:0/v",
            "mysql://u:s3cret@db,,db2/v",
            "mysql://u:s3cret@db/v?tls=yes",
            "mysql://u:s3cret@db/v?sslmode=off",
            "mysql://u:%ff@db/v",
            "mysql://u:s@s3cret:c?d@db",
            "mysql://u:s/s3cret?x=s3cret@db?y",
            "postgres://u:s3cret@db/v",
            "",
        ] {
            let cause = Database::parse(text).err().unwrap_or_else(|| panic!("{text}: taken"));
            assert!(!cause.contains("s3cret"), "{cause}");
        }
    }

    #[test]
    fn knows_one_database_under_two_addresses() {
        let is_same = |one: &str, other: &str| {
            let [one, other] = [one, other].map(|it| Database::parse(it).ok().unwrap());
            one.is_same(&other) && other.is_same(&one)
        };
        assert!(is_same("mysql://a@db1,db2/v", "mysql://b@db3,db2:3306/v?tls=off"));
        assert!(!is_same("mysql://a@db1/v", "mysql://a@db1/w"));
        assert!(!is_same("mysql://a@db1/v", "mysql://a@db1:3307/v"));
        assert!(!is_same("mysql://a@db1/v", "v"));
        assert!(is_same("Cargo.toml", "./src/../Cargo.toml") && is_same("none", "none"));
        assert!(!is_same("Cargo.toml", "Cargo.lock") && !is_same("none", "no"));
    }

    #[test]
    fn takes_everything_else_for_a_file() {
        for text in ["vestibule.db", "/var/lib/x.db", "./a:b@c/d.db", "mysql:x", ":memory:"] {
            assert_eq!(Database::parse(text).ok().unwrap().file(), Some(Path::new(text)));
        }
    }
}
