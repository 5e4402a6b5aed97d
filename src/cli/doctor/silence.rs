//! Why there was no response: one short cause, and one piece of advice. Pure.

use std::io::ErrorKind;
use std::time::Duration;

use ureq::Error;
use url::Url;

use crate::base::tls_fault::{CertificateFlaw, TlsFault};

/// The cause of a missing response, and what to do about it.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Silence {
    pub cause: String,
    pub advice: String,
}

impl Silence {
    fn new(cause: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { cause: cause.into(), advice: advice.into() }
    }

    /// The meaning of an error from a request for this URL.
    pub fn of(err: &Error, url: &Url, timeout: Duration) -> Self {
        match err {
            Error::HostNotFound => {
                let advice = format!("add it to DNS, or say where it is: {}", resolve(url));
                Self::new(format!("DNS does not know {}", host(url)), advice)
            }
            Error::Timeout(_) => Self::new(
                format!("nothing came within {} s", timeout.as_secs_f32()),
                "see that the proxy runs and that no firewall is between; --timeout waits longer",
            ),
            Error::Rustls(err) => Self::of_tls(&TlsFault::of(err), url),
            Error::Io(err) => match TlsFault::of_io(err) {
                Some(fault) => Self::of_tls(&fault, url),
                None => Self::of_io(err.kind(), url),
            },
            _ => Self::new(
                "what it answers is not HTTP",
                format!("see what listens at {}", url.authority()),
            ),
        }
    }

    fn of_io(kind: ErrorKind, url: &Url) -> Self {
        match kind {
            ErrorKind::ConnectionRefused => Self::new(
                format!("nothing listens at {}", place(url)),
                format!("start the proxy, or say at which address it listens: {}", resolve(url)),
            ),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Self::new(
                format!("no route leads to {}", host(url)),
                format!("say at which address the proxy listens: {}", resolve(url)),
            ),
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => Self::new(
                "the connection is closed before an answer",
                format!("see that the proxy speaks {} there, and its error log", url.scheme()),
            ),
            kind => Self::new(kind.to_string(), "see that the proxy runs, and its error log"),
        }
    }

    fn of_tls(fault: &TlsFault, url: &Url) -> Self {
        let advice = match fault {
            TlsFault::Certificate(flaw) => of_flaw(*flaw, url),
            TlsFault::Handshake(_) => format!(
                "let the proxy speak TLS at {} (in nginx: listen {} ssl)",
                place(url),
                port(url)
            ),
        };
        Self::new(fault.text(), advice)
    }
}

fn of_flaw(flaw: CertificateFlaw, url: &Url) -> String {
    use CertificateFlaw as It;
    let host = host(url);
    match flaw {
        It::UnknownIssuer => {
            "name the authority's certificate with --ca FILE, or get one from an authority that browsers trust".into()
        }
        It::OfAuthority | It::OldVersion | It::NotForServers | It::NoName => format!(
            "make one for {host} with CA:FALSE and a subjectAltName; docs/nginx.md has the line for openssl"
        ),
        It::OtherName | It::ImpossibleName => {
            format!("let the proxy show a certificate for {host}, and see that its server_name is right")
        }
        It::Expired => "renew it, and reload the proxy".into(),
        It::NotYetValid => "see that the clocks of both machines are right".into(),
        It::Missing | It::Revoked | It::BadSignature | It::Unreadable | It::Invalid => {
            format!("give the proxy a new certificate for {host}")
        }
    }
}

/// The flag that gives the address of a host.
fn resolve(url: &Url) -> String {
    format!("--resolve {}:ADDRESS", place(url))
}

fn place(url: &Url) -> String {
    format!("{}:{}", host(url), port(url))
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

fn port(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rustls::{AlertDescription, CertificateError};

    use super::*;

    #[test]
    fn tells_one_short_cause_and_what_to_do() {
        let io = |kind: ErrorKind| Error::Io(kind.into());
        let certificate = |err| Error::Rustls(rustls::Error::InvalidCertificate(err));
        let alert = rustls::Error::AlertReceived(AlertDescription::HandshakeFailure);
        for (err, cause, advice) in [
            (Error::HostNotFound, "DNS does not know app.test", "--resolve app.test:443:ADDRESS"),
            (
                io(ErrorKind::ConnectionRefused),
                "nothing listens at app.test:443",
                "start the proxy",
            ),
            (io(ErrorKind::ConnectionReset), "closed before an answer", "speaks https"),
            (io(ErrorKind::HostUnreachable), "no route leads to app.test", "--resolve"),
            (io(ErrorKind::PermissionDenied), "permission denied", "error log"),
            (certificate(CertificateError::UnknownIssuer), "not trusted here", "--ca FILE"),
            (certificate(CertificateError::Expired), "has expired", "renew it"),
            (certificate(CertificateError::NotValidForName), "another name", "for app.test"),
            (Error::Rustls(alert), "breaks the TLS handshake off", "listen 443 ssl"),
            (Error::ConnectionFailed, "not HTTP", "what listens at app.test"),
        ] {
            let url = Url::parse("https://app.test/x").unwrap();
            let said = Silence::of(&err, &url, Duration::from_secs(1));
            assert!(said.cause.contains(cause) && said.advice.contains(advice), "{said:?}");
            assert!(said.cause.len() < 90 && !said.advice.contains('\n'), "{said:?}");
        }
    }
}
