//! A relay that takes mail by SMTP: its address, the connection to it, and the conversation about one mail.

use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    Certificate, CertificateStore, SmtpConnection, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::Delivery;
use super::refusal::{self, SmtpStep};
use crate::base::tls_fault::TlsFault;

/// How long the relay may take for the connection and for each answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// How long it may take to say goodbye, when the mail is no longer at stake.
const GOODBYE_MAX: Duration = Duration::from_secs(2);

/// What is said of an address of a relay that cannot be read.
const WRITE_IT: &str = "write it as in smtps://USER@mail.example.com (port 465) or smtp://USER@mail.example.com \
                        (STARTTLS, port 587)";

/// A relay. It may hold a password and so has no `Debug`.
#[derive(Clone)]
pub struct Relay {
    host: String,
    port: u16,
    tls: RelayTls,
    credentials: Option<Credentials>,
    /// Where it is, without a user: for the log.
    place: String,
}

/// When TLS begins.
#[derive(Clone)]
enum RelayTls {
    Never,
    AtOnce(TlsParameters),
    /// With STARTTLS, without which nothing is sent.
    Later(TlsParameters),
}

/// The address of a relay as the operator writes it, not yet with its password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelayAddress {
    scheme: RelayScheme,
    host: String,
    port: u16,
    pub user: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum RelayScheme {
    /// TLS from the first byte.
    Smtps,
    /// STARTTLS, without which nothing is sent.
    Smtp,
    /// No TLS, to this machine alone.
    Plain,
}

impl RelayAddress {
    /// Reads an address. The error says what would do.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|_| WRITE_IT.to_owned())?;
        let (scheme, port) = match url.scheme() {
            "smtps" => (RelayScheme::Smtps, 465),
            "smtp" => (RelayScheme::Smtp, 587),
            "smtp+plain" => (RelayScheme::Plain, 25),
            _ => return Err(WRITE_IT.to_owned()),
        };
        if url.password().is_some() {
            return Err(
                "every user of this machine can read a password in an argument; put it into \
                        --mail-password-file, or set VESTIBULE_MAIL_PASSWORD"
                    .to_owned(),
            );
        }
        let is_bare = url.path().trim_start_matches('/').is_empty()
            && url.query().is_none()
            && url.fragment().is_none();
        let host = url.host_str().filter(|it| !it.is_empty() && is_bare).ok_or(WRITE_IT)?;
        // The library for URLs reads the host of a scheme that it does not know as it is.
        let host = match Host::parse(host).map_err(|_| WRITE_IT.to_owned())? {
            Host::Domain(name) => name,
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let is_here = host == "localhost" || host.parse().is_ok_and(|it: IpAddr| it.is_loopback());
        if scheme == RelayScheme::Plain && !is_here {
            return Err(format!(
                "smtp+plain sends mail and password in clear, and is for this machine alone; use smtps://{host} or \
                 smtp://{host}"
            ));
        }
        let user = percent_decode_str(url.username()).decode_utf8().map_err(|_| WRITE_IT)?;
        let user = (!user.is_empty()).then(|| user.into_owned());
        Ok(Self { scheme, host, port: url.port().unwrap_or(port), user })
    }

    /// The relay with this password for its user, and with these certificates of authorities instead of the
    /// built-in ones.
    pub fn open(
        self,
        password: Option<String>,
        authorities: Option<&[u8]>,
    ) -> Result<Relay, String> {
        let credentials = match (self.user, password) {
            (Some(user), Some(password)) => Some(Credentials::new(user, password)),
            (Some(user), None) => {
                return Err(format!(
                    "the password of {user} is missing; put it into --mail-password-file, or set \
                     VESTIBULE_MAIL_PASSWORD"
                ));
            }
            (None, Some(_)) => {
                return Err("there is a password, and --mail names no user; write the user before the host, as in \
                            smtps://USER@HOST"
                    .to_owned());
            }
            (None, None) => None,
        };
        let tls = match self.scheme {
            RelayScheme::Plain => RelayTls::Never,
            RelayScheme::Smtps => RelayTls::AtOnce(tls(&self.host, authorities)?),
            RelayScheme::Smtp => RelayTls::Later(tls(&self.host, authorities)?),
        };
        let place = match self.host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]:{}", self.port),
            Err(_) => format!("{}:{}", self.host, self.port),
        };
        Ok(Relay { host: self.host, port: self.port, tls, credentials, place })
    }
}

fn tls(host: &str, authorities: Option<&[u8]>) -> Result<TlsParameters, String> {
    let mut builder: TlsParametersBuilder = TlsParameters::builder(host.to_owned());
    if let Some(pem) = authorities {
        builder = builder.certificate_store(CertificateStore::None);
        let bad = "--mail-ca has no certificate in PEM that can be read";
        let text = String::from_utf8_lossy(pem);
        let all: Vec<_> = text.split_inclusive("-----END CERTIFICATE-----").collect();
        let all = all.iter().filter(|it| it.contains("-----BEGIN CERTIFICATE-----"));
        let mut count = 0;
        for one in all {
            let certificate = Certificate::from_pem(one.as_bytes()).map_err(|_| bad.to_owned())?;
            builder = builder.add_root_certificate(certificate);
            count += 1;
        }
        if count == 0 {
            return Err(bad.to_owned());
        }
    }
    builder.build().map_err(|err| format!("cannot use TLS: {}", chain(&err)))
}

impl Relay {
    /// Where it is: host and port.
    pub fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn try_out(&self) -> Result<(), String> {
        let mut connection = self.connect().map_err(|it| it.said)?;
        let _ = connection.set_timeout(Some(GOODBYE_MAX));
        let _ = connection.command(Quit);
        Ok(())
    }

    /// Sends a message, and tells what became of it before saying goodbye: what is not noted by then is sent again
    /// should the server be killed.
    pub(super) fn send(&self, message: &lettre::Message, tell: impl FnOnce(Delivery)) {
        match self.connect() {
            Ok(mut connection) => {
                let done = hand_over(&mut connection, message);
                tell(done.map_or_else(SmtpFault::into_delivery, |()| Delivery::Sent));
                let _ = connection.set_timeout(Some(GOODBYE_MAX));
                connection.abort();
            }
            Err(fault) => tell(fault.into_delivery()),
        }
    }

    /// Connects, with TLS and the sign-in as they were asked for.
    fn connect(&self) -> Result<SmtpConnection, SmtpFault> {
        let at = |step| move |err: Error| SmtpFault::of(step, &err);
        let hello = ClientId::default();
        let at_once = match &self.tls {
            RelayTls::AtOnce(tls) => Some(tls),
            RelayTls::Never | RelayTls::Later(_) => None,
        };
        let host = (&*self.host, self.port);
        let mut connection = SmtpConnection::connect(host, Some(ANSWER_MAX), &hello, at_once, None)
            .map_err(at(SmtpStep::Connect))?;
        if let RelayTls::Later(tls) = &self.tls {
            connection.starttls(tls, &hello).map_err(at(SmtpStep::Connect))?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).map_err(at(SmtpStep::SignIn))?;
        }
        Ok(connection)
    }
}

/// The conversation about one mail. Each answer has the code that belongs to it: one too many, put in front of the
/// answers while they were not encrypted yet, would move all that follow.
fn hand_over(connection: &mut SmtpConnection, message: &lettre::Message) -> Result<(), SmtpFault> {
    let envelope = message.envelope();
    let sender = Mail::new(envelope.from().cloned(), Vec::new());
    expect(SmtpStep::Sender, "250", connection.command(sender))?;
    for recipient in envelope.to() {
        let recipient = Rcpt::new(recipient.clone(), Vec::new());
        expect(SmtpStep::Recipient, "25", connection.command(recipient))?;
    }
    expect(SmtpStep::Data, "354", connection.command(Data))?;
    expect(SmtpStep::Text, "2", connection.message(&message.formatted()))
}

fn expect(step: SmtpStep, code: &str, answer: Result<Response, Error>) -> Result<(), SmtpFault> {
    let answer = answer.map_err(|err| SmtpFault::of(step, &err))?;
    let given = answer.code().to_string();
    if given.starts_with(code) {
        return Ok(());
    }
    let said = format!("{}: it answers {given} where {code} belongs", step.text());
    Err(SmtpFault { step, reply: None, kind: "relay", text: String::new(), said })
}

/// Why a mail was not taken, and where the conversation was then.
struct SmtpFault {
    step: SmtpStep,
    /// The code of the reply, if the relay refused.
    reply: Option<String>,
    /// What failed, if it did not.
    kind: &'static str,
    /// What the relay said after the code.
    text: String,
    /// All of it in words.
    said: String,
}

impl SmtpFault {
    fn of(step: SmtpStep, err: &Error) -> Self {
        let reply = err.status().map(|it| it.to_string());
        let cause = std::error::Error::source(err);
        let text = cause.map(ToString::to_string).unwrap_or_default();
        let io = cause.and_then(|it| it.downcast_ref::<io::Error>());
        let tls = io.and_then(TlsFault::of_io);
        let is_late = |it: &io::Error| {
            matches!(it.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
        };
        let kind = match (err.is_tls() || tls.is_some(), err.is_client()) {
            (true, _) => "tls",
            (_, true) => "relay",
            _ => "connection",
        };
        let what = match (&reply, tls) {
            (Some(reply), _) => format!("{reply} {text}"),
            (None, Some(tls)) => tls.text().to_owned(),
            (None, None) if io.is_some_and(is_late) => {
                format!("no answer within {} seconds", ANSWER_MAX.as_secs())
            }
            (None, None) => chain(err),
        };
        let said = format!("{}: {}", step.text(), what.trim_end());
        Self { step, reply, kind, text, said }
    }

    fn into_delivery(self) -> Delivery {
        let Self { step, reply, kind, text, said } = self;
        match reply {
            Some(outcome) if refusal::is_for_good(step, &outcome, &text) => {
                Delivery::Refused { outcome, said }
            }
            Some(outcome) => Delivery::Failed { outcome, said },
            None => Delivery::Failed { outcome: kind.to_owned(), said },
        }
    }
}

/// An error with its causes, which the library keeps apart.
fn chain(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut cause = err.source();
    while let Some(it) = cause {
        if !text.contains(&it.to_string()) {
            let _ = write!(text, ": {it}");
        }
        cause = it.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_address_of_a_relay_and_says_what_would_do() {
        let relay =
            RelayAddress::parse("smtps://vestibule%40example.com@mail.example.com").unwrap();
        assert_eq!((&*relay.host, relay.port), ("mail.example.com", 465));
        assert_eq!(relay.user.as_deref(), Some("vestibule@example.com"));
        assert_eq!(RelayAddress::parse("smtp://mail.example.com").unwrap().port, 587);
        assert_eq!(RelayAddress::parse("smtp+plain://127.0.0.1:2525").unwrap().port, 2525);
        for (bad, what) in [
            ("mail.example.com", "write it as in"),
            ("https://mail.example.com", "write it as in"),
            ("smtps://", "write it as in"),
            ("smtps://mail.example.com/path", "write it as in"),
            ("smtps://ann:secret@mail.example.com", "--mail-password-file"),
            ("smtp+plain://mail.example.com", "in clear"),
        ] {
            let told = RelayAddress::parse(bad).unwrap_err();
            assert!(told.contains(what) && !told.contains("secret"), "{bad}: {told}");
        }
    }

    #[test]
    fn wants_a_password_for_a_user_and_a_user_for_a_password() {
        let open = |text: &str, password: Option<&str>| {
            RelayAddress::parse(text).unwrap().open(password.map(str::to_owned), None)
        };
        assert!(open("smtps://ann@mail.example.com", Some("secret")).is_ok());
        assert!(open("smtps://mail.example.com", None).is_ok());
        assert!(open("smtps://ann@mail.example.com", None).is_err());
        assert!(open("smtps://mail.example.com", Some("secret")).is_err());
        let relay = RelayAddress::parse("smtps://mail.example.com").unwrap();
        assert!(relay.open(None, Some(b"no certificate")).is_err());
    }
}
