//! Why a transaction failed, and why a server refuses a connection: by the codes of the protocol, in words that
//! say what to do.

use std::error::Error as _;
use std::io;

use mysql::error::tls::TlsError;
use mysql::{DriverError, Opts};

use crate::base::tls_fault::{CertificateFlaw, TlsFault};
use crate::store::Error;
use crate::store::outcomes::{Refused, TxFailure};

pub(super) type MysqlResult<T> = std::result::Result<T, MysqlFault>;

/// Why a transaction did not succeed: an expected refusal, a fault after which it is tried again, or an
/// error.
pub(super) enum MysqlFault {
    Refused(Refused),
    /// Another transaction was first. Nothing was written.
    Conflict(String),
    /// The server cannot be reached, or cannot be used.
    Unavailable {
        cause: String,
        /// The connection broke during the commit, so the outcome is unknown.
        may_be_written: bool,
        /// The server reported that it cannot be used, and so wrote nothing.
        is_said: bool,
    },
    Error(Error),
}

/// What a server says that may only be read: an option prevents writing, the transaction or the whole server is
/// read-only.
const READ_ONLY: [u16; 3] = [1290, 1792, 1836];

impl MysqlFault {
    /// The fault, if it happens during a commit.
    pub(super) fn while_writing(self) -> Self {
        match self {
            Self::Unavailable { cause, is_said: false, .. } => {
                Self::Unavailable { cause, may_be_written: true, is_said: false }
            }
            other => other,
        }
    }
}

impl From<mysql::Error> for MysqlFault {
    /// By code, never by the text of a message.
    fn from(err: mysql::Error) -> Self {
        let cause = cause(&err);
        match &err {
            mysql::Error::MySqlError(refusal) => match refusal.code {
                1062 => Self::Refused(Refused::Duplicate),
                // Lost against another transaction, waited too long for a lock, was interrupted, or has to
                // be prepared again: run it again. (The last five codes are TiDB's.)
                1213 | 1205 | 1317 | 1020 | 3572 | 1615 | 8002 | 8005 | 8022 | 8028 | 9007 => {
                    Self::Conflict(cause)
                }
                // Failed to commit, is shutting down, or was killed by an operator, with the outcome
                // unknown.
                1180 => Self::Unavailable { cause, may_be_written: true, is_said: false },
                1053 | 1927 => Self::Unavailable { cause, may_be_written: false, is_said: false },
                // Not part of the cluster, too many connections, read-only, or out of disk, memory or
                // threads.
                1040 | 1047 | 1129 | 1203 | 1226 | 1290 | 1792 | 1836 | 4031 | 1021 | 1026
                | 1030 | 1037 | 1041 | 1114 | 1135 => {
                    Self::Unavailable { cause, may_be_written: false, is_said: true }
                }
                _ => Self::Error(Error::Broken(cause)),
            },
            _ if waiting_is_vain(&err) => Self::Error(Error::Broken(cause)),
            // A timeout is reported as one of the first two.
            mysql::Error::IoError(_)
            | mysql::Error::CodecError(_)
            | mysql::Error::DriverError(_)
            | mysql::Error::TlsError(_) => {
                Self::Unavailable { cause, may_be_written: false, is_said: false }
            }
            mysql::Error::UrlError(_)
            | mysql::Error::FromValueError(_)
            | mysql::Error::FromRowError(_) => Self::Error(Error::Broken(cause)),
        }
    }
}

impl From<Error> for MysqlFault {
    fn from(err: Error) -> Self {
        Self::Error(err)
    }
}

impl From<MysqlFault> for Error {
    fn from(fault: MysqlFault) -> Self {
        match fault {
            MysqlFault::Error(err) => err,
            MysqlFault::Refused(refused) => refused.into(),
            MysqlFault::Conflict(cause)
            | MysqlFault::Unavailable { cause, may_be_written: false, .. } => {
                Self::Unavailable(cause)
            }
            MysqlFault::Unavailable { cause, .. } => Self::Unknown(cause),
        }
    }
}

impl From<MysqlFault> for TxFailure {
    fn from(fault: MysqlFault) -> Self {
        match fault {
            MysqlFault::Refused(refused) => Self::Refused(refused),
            fault => Self::Error(fault.into()),
        }
    }
}

/// What the library says of a failure, without the names of its types.
fn cause(err: &mysql::Error) -> String {
    use mysql::Error as It;
    match err {
        It::MySqlError(it) if matches!(it.code, 1142 | 1143) => {
            format!("{} (error {}); give the user this right (GRANT)", it.message, it.code)
        }
        It::MySqlError(it) if READ_ONLY.contains(&it.code) => format!(
            "{} (error {}); make it writable (SET GLOBAL read_only = OFF), or name the primary server in the \
             address of the database",
            it.message, it.code
        ),
        It::MySqlError(it) => format!("{} (error {})", it.message, it.code),
        It::DriverError(it) => driver_cause(it),
        It::FromValueError(_) | It::FromRowError(_) => "a value is of another kind".to_owned(),
        It::UrlError(it) => it.to_string(),
        _ => match (tls_fault(err), io_error(err)) {
            (Some(fault), _) => fault.text().to_owned(),
            (None, Some(it)) => it.to_string(),
            (None, None) => "what it answers cannot be understood".to_owned(),
        },
    }
}

fn driver_cause(err: &DriverError) -> String {
    match err {
        DriverError::CouldNotConnect(Some((_, why, _))) => {
            format!("{why}; see that the server runs and can be reached from here")
        }
        DriverError::ConnectTimeout | DriverError::Timeout => {
            "nothing answers; see that the server runs and can be reached from here".to_owned()
        }
        DriverError::TlsNotSupported => {
            "it offers no TLS; set it up there, or use ?tls=off on a private network".to_owned()
        }
        DriverError::UnknownAuthPlugin(name) => format!(
            "it asks for the password by {name}, which is not supported; identify the user via ed25519 or \
             mysql_native_password"
        ),
        DriverError::OldMysqlPasswordDisabled | DriverError::CleartextPluginDisabled => {
            "it asks for the password in a way that is not safe; identify the user via ed25519 or \
             mysql_native_password"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// The failure of TLS that an error of the library stands for.
fn tls_fault(err: &mysql::Error) -> Option<TlsFault> {
    match err {
        mysql::Error::TlsError(TlsError::Tls(err)) => Some(TlsFault::of(err)),
        mysql::Error::TlsError(_) => Some(TlsFault::Certificate(CertificateFlaw::ImpossibleName)),
        _ => TlsFault::of_io(io_error(err)?),
    }
}

fn io_error(err: &mysql::Error) -> Option<&io::Error> {
    match err {
        mysql::Error::IoError(it) => Some(it),
        mysql::Error::CodecError(it) => it.source()?.downcast_ref(),
        _ => None,
    }
}

/// Whether a failure to connect is one of the settings here or there, and stays until an operator changes them.
fn waiting_is_vain(err: &mysql::Error) -> bool {
    let is_setting = matches!(
        err,
        mysql::Error::DriverError(
            DriverError::TlsNotSupported
                | DriverError::UnknownAuthPlugin(_)
                | DriverError::OldMysqlPasswordDisabled
                | DriverError::CleartextPluginDisabled
        )
    );
    is_setting || matches!(tls_fault(err), Some(TlsFault::Certificate(_)))
}

/// What to do about a server that does not let us in; `None`: what it says is clear. `demands_tls` finds out
/// whether it would with TLS.
pub(super) fn advice(
    err: &mysql::Error,
    opts: &Opts,
    demands_tls: impl FnOnce() -> bool,
) -> Option<String> {
    let mysql::Error::MySqlError(refusal) = err else {
        return tls_advice(err).map(str::to_owned);
    };
    let user = opts.get_user().unwrap_or_default();
    let name = opts.get_db_name().unwrap_or_default();
    Some(match refusal.code {
        1045 if opts.get_ssl_opts().is_none() && demands_tls() => TLS_DEMANDED.to_owned(),
        3159 => TLS_DEMANDED.to_owned(),
        1045 | 1698 if opts.get_pass().is_none() => format!(
            "no password was given for {user}: set VESTIBULE_DATABASE_PASSWORD, or name the file that \
             holds it"
        ),
        1045 => format!("see the password of {user}, and from which hosts the user may sign in"),
        1698 => format!("there is no user {user} who may sign in from here with a password"),
        1044 => format!("there is no database {name}, or {user} has no rights in it (GRANT)"),
        1049 => format!("make it on the server: CREATE DATABASE {name}"),
        1130 => format!("let {user} sign in from this machine (CREATE USER)"),
        1820 | 1862 => format!("set a new password for {user} (ALTER USER)"),
        4151 => format!("unlock {user} on the server (ALTER USER … ACCOUNT UNLOCK)"),
        _ => return None,
    })
}

const TLS_DEMANDED: &str = "the server demands TLS (require_secure_transport, or REQUIRE SSL of the user): add \
                            ?tls=system to the address, or ?tls=/path/ca.pem with the authority of its \
                            certificate";

fn tls_advice(err: &mysql::Error) -> Option<&'static str> {
    let TlsFault::Certificate(_) = tls_fault(err)? else { return None };
    Some(
        "name the file of the authority that it is from, as in ?tls=/path/ca.pem, and the server by a name that is \
         in it",
    )
}
