//! A relay that takes mail by SMTP, and the message as it is sent: the home of the library for mail.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{
    ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue,
};
use lettre::message::{Body, Mailbox, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{
    Certificate, CertificateStore, Tls, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::extension::ClientId;
use lettre::{SmtpTransport, Transport};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::{Delivery, MailMessage};
use crate::base::email_address;

/// How long the relay may take for the connection and for each answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// What is said of an address of a relay that cannot be read.
const WRITE_IT: &str = "write it as in smtps://USER@mail.example.com (port 465) or smtp://USER@mail.example.com \
                        (STARTTLS, port 587)";

/// A relay. It may hold a password and so has no `Debug`.
#[derive(Clone)]
pub struct Relay {
    transport: SmtpTransport,
    /// Where it is, without a user: for the log.
    place: String,
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
            RelayScheme::Plain => Tls::None,
            RelayScheme::Smtps => Tls::Wrapper(tls(&self.host, authorities)?),
            RelayScheme::Smtp => Tls::Required(tls(&self.host, authorities)?),
        };
        let builder = SmtpTransport::builder_dangerous(&self.host).port(self.port).tls(tls);
        let builder = builder.timeout(Some(ANSWER_MAX)).hello_name(ClientId::default());
        let builder = match credentials {
            Some(credentials) => builder.credentials(credentials),
            None => builder,
        };
        Ok(Relay { transport: builder.build(), place: format!("{}:{}", self.host, self.port) })
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
        match self.transport.test_connection() {
            Ok(true) => Ok(()),
            Ok(false) => Err("it does not answer as a relay does".to_owned()),
            Err(err) => Err(chain(&err)),
        }
    }

    pub(super) fn send(&self, message: &lettre::Message) -> Delivery {
        let Err(err) = self.transport.send(message) else { return Delivery::Sent };
        let said = chain(&err);
        let code = err.status().map(|it| it.to_string());
        if let Some(outcome) = code.as_deref().and_then(refusal) {
            return Delivery::Refused { outcome, said };
        }
        let kind = match (err.is_tls(), err.is_client()) {
            (true, _) => "tls",
            (_, true) => "relay",
            _ => "connection",
        };
        Delivery::Failed { outcome: code.unwrap_or_else(|| kind.to_owned()), said }
    }
}

/// The status by which a relay says that this recipient, or this mail, will never be taken (RFC 5321 § 4.2.3). Other
/// statuses of this class are about the relay, the sign-in to it or its set-up, and may change.
fn refusal(code: &str) -> Option<&'static str> {
    ["550", "551", "552", "553", "556"].into_iter().find(|it| *it == code)
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

/// Whom mails are from: `Name <address>`, or an address alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sender {
    mailbox: Mailbox,
}

/// Says that no person sent it, so that no program answers (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Sender {
    /// Reads a sender. `None` if it is none to which mail could be sent.
    pub fn parse(text: &str) -> Option<Self> {
        let mailbox: Mailbox = text.parse().ok()?;
        let is_good = email_address::is_deliverable(mailbox.email.as_ref())
            && text.chars().all(|it| !it.is_control());
        is_good.then_some(Self { mailbox })
    }

    /// The address alone.
    pub fn address(&self) -> &str {
        self.mailbox.email.as_ref()
    }

    pub(super) fn build(&self, message: &MailMessage<'_>) -> Result<lettre::Message, String> {
        let address = message.to.parse().map_err(|_| "the address cannot be used".to_owned())?;
        let id = format!("<{}@{}>", message.id, self.mailbox.email.domain());
        let at = u64::try_from(message.at.millis()).unwrap_or(0);
        let body = Body::new_with_encoding(
            message.text.to_owned(),
            ContentTransferEncoding::QuotedPrintable,
        );
        let body = body.map_err(|_| "the text cannot be encoded".to_owned())?;
        lettre::Message::builder()
            .from(self.mailbox.clone())
            .to(Mailbox::new(None, address))
            .subject(message.subject)
            .date(UNIX_EPOCH + Duration::from_millis(at))
            .message_id(Some(id))
            .header(AutoSubmitted)
            .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body))
            .map_err(|err| err.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Moment;

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

    #[test]
    fn writes_a_message_that_no_program_answers_and_a_reader_can_decode() {
        let from = Sender::parse("Türsteher <no-reply@example.com>").unwrap();
        let text = "Grüße an anna\n\nhttps://auth.example.com/a?b=c\n";
        let at = Moment::from_rfc3339("2026-11-24T08:00:00.000Z").unwrap();
        let message = MailMessage {
            id: "abc",
            to: "anna@example.com",
            subject: "Neues Passwort für dich",
            text,
            at,
        };
        let built = String::from_utf8(from.build(&message).unwrap().formatted()).unwrap();
        for line in [
            "To: anna@example.com\r\n",
            "Message-ID: <abc@example.com>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "MIME-Version: 1.0\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Transfer-Encoding: quoted-printable\r\n",
            "Date: Tue, 24 Nov 2026 08:00:00 +0000\r\n",
            "Gr=C3=BC=C3=9Fe an anna\r\n",
        ] {
            assert!(built.contains(line), "{line} is not in {built}");
        }
        assert!(built.is_ascii());
    }

    #[test]
    fn refuses_a_sender_that_is_none() {
        for bad in
            ["", "Vestibule", "a@localhost", "Name <a@b>", "a@example.com\r\nBcc: b@example.com"]
        {
            assert!(Sender::parse(bad).is_none(), "{bad:?}");
        }
        assert_eq!(Sender::parse("a@example.com").unwrap().address(), "a@example.com");
    }

    #[test]
    fn gives_up_what_is_refused_for_good_and_nothing_else() {
        for code in ["421", "450", "451", "452", "454", "530", "535", "554", "500"] {
            assert_eq!(refusal(code), None, "{code}");
        }
        assert_eq!(refusal("550"), Some("550"));
    }
}
