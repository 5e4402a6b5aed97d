//! Requests over the network, and the responses as plain values.
//!
//! Decides which certificates are trusted, which address a host name has and how the names of headers
//! are spelled on the wire. Follows no redirect, keeps no cookie and judges no response.
//!
//! LIMIT: it speaks only HTTP/1.1, so what a proxy does only with HTTP/2 or HTTP/3 is not seen.

use std::io::Read;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use ureq::config::Config;
use ureq::http::{self, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};
use ureq::{Agent, Error};
use url::Url;

use super::silence::Silence;
use crate::base::tls_fault::{CertificateFlaw, TlsFault};

/// The most bytes that are read of a response's body.
const BODY_BYTES_MAX: u64 = 256 * 1_024;

/// Some gates redirect a client to their sign-in page only if it looks like a browser.
const USER_AGENT: &str = concat!("Mozilla/5.0 (vestibule doctor ", env!("CARGO_PKG_VERSION"), ")");

/// The address of a host and port, which takes precedence over DNS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pin {
    /// The host name, in lower case.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The address to connect to.
    pub address: IpAddr,
}

/// How the names of headers are spelled on the wire. They are case-insensitive, but not every program
/// that filters them treats them so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Casing {
    /// `remote-user`
    Lower,
    /// `Remote-User`
    Title,
    /// `REMOTE-USER`
    Upper,
}

/// A request.
pub(super) struct Question {
    pub method: &'static str,
    pub url: Url,
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
    pub casing: Casing,
}

impl Question {
    /// The request of a browser whose user follows a link.
    pub fn navigation(url: &Url) -> Self {
        let accept = "text/html,application/xhtml+xml,*/*;q=0.8";
        let headers = [
            ("Accept", accept),
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Dest", "document"),
            ("Sec-Fetch-Site", "none"),
        ];
        Self::bare("GET", url).with(&headers)
    }

    /// A request without headers and body.
    pub fn bare(method: &'static str, url: &Url) -> Self {
        let (headers, body) = (Vec::new(), None);
        Self { method, url: url.clone(), headers, body, casing: Casing::Title }
    }

    /// The same request with more headers.
    pub fn with<T: AsRef<str>>(mut self, headers: &[(T, T)]) -> Self {
        let owned = headers.iter().map(|(name, it)| (name.as_ref().into(), it.as_ref().into()));
        self.headers.extend(owned);
        self
    }

    /// The same request with an encoded form as its body.
    pub fn form(mut self, body: String) -> Self {
        self.body = Some(body);
        self.with(&[("Content-Type", "application/x-www-form-urlencoded")])
    }

    /// The same request with the names of its headers spelled like this.
    pub fn spelled(mut self, casing: Casing) -> Self {
        self.casing = casing;
        self
    }
}

/// A response. It may hold a session cookie, so it cannot be printed.
pub(super) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    /// The values of a header, in the order in which they were sent.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |it: &&(String, String)| it.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(named).map(|(_, value)| value.as_str())
    }
}

/// The HTTP client.
pub(super) struct Wire {
    /// Tried in turn until one trusts the server.
    roots: Vec<RootCerts>,
    pins: Vec<Pin>,
    timeout: Duration,
}

impl Wire {
    /// A client that trusts the authorities that browsers trust, and those in `ca`, which is PEM. An error
    /// means that `ca` holds none.
    pub fn new(ca: Option<&[u8]>, pins: Vec<Pin>, timeout: Duration) -> Result<Self, String> {
        let mut roots = Vec::new();
        if let Some(pem) = ca {
            let certificate = |item| match item {
                Ok(PemItem::Certificate(it)) => Some(it),
                _ => None,
            };
            let own: Vec<_> = parse_pem(pem).filter_map(certificate).collect();
            if own.is_empty() {
                return Err("there is no PEM certificate in the file of --ca".to_owned());
            }
            roots.push(RootCerts::from(own));
        }
        roots.push(RootCerts::WebPki);
        Ok(Self { roots, pins, timeout })
    }

    /// Sends a request on a new connection, and returns the response, or why there is none.
    pub fn ask(&self, question: &Question) -> Result<Reply, Silence> {
        let mut asked = self.roots.iter().map(|roots| self.ask_trusting(roots, question));
        let first = asked.next().expect("browsers' authorities are always there");
        let answer = match first {
            // Only this fault of a certificate depends on which authorities are trusted.
            Err(err) if is_about_trust(&err) => asked.next().unwrap_or(Err(err)),
            other => other,
        };
        answer.map_err(|err| Silence::of(&err, &question.url, self.timeout))
    }

    /// Whether a connection to this URL may stay on this machine, over a loopback address.
    pub fn leads_to_loopback(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let is_pinned = |it: &&Pin| it.host.eq_ignore_ascii_case(host) && it.port == port;
        if let Some(pin) = self.pins.iter().find(is_pinned) {
            return pin.address.to_canonical().is_loopback();
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = (bare, port).to_socket_addrs();
        found.map_or(true, |mut all| all.any(|it| it.ip().to_canonical().is_loopback()))
    }

    fn ask_trusting(&self, roots: &RootCerts, question: &Question) -> Result<Reply, Error> {
        let mut request =
            http::Request::builder().method(question.method).uri(question.url.as_str());
        for (name, value) in &question.headers {
            request = request.header(name, value);
        }
        let agent = self.agent(roots, question.casing);
        let answer = match &question.body {
            Some(body) => agent.run(request.body(body.as_str())?)?,
            None => agent.run(request.body(())?)?,
        };
        Ok(reply(answer))
    }

    fn agent(&self, roots: &RootCerts, casing: Casing) -> Agent {
        let config = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots.clone()).build())
            // The set-up is examined, and not an outgoing proxy in between.
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(USER_AGENT)
            .timeout_global(Some(self.timeout))
            .build();
        let connector = DefaultConnector::new().chain(Pen(casing));
        Agent::with_parts(config, connector, PinnedNames { pins: self.pins.clone() })
    }
}

fn reply(answer: http::Response<ureq::Body>) -> Reply {
    let (head, body) = answer.into_parts();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers =
        head.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes())));
    let headers = headers.collect();
    let mut bytes = Vec::new();
    if !head.status.is_informational() {
        // What arrived before an error or the time limit is enough: some responses never end.
        drop(body.into_reader().take(BODY_BYTES_MAX).read_to_end(&mut bytes));
    }
    Reply { status: head.status.as_u16(), headers, body: text(&bytes) }
}

/// Whether the server's certificate is from an authority that is not trusted.
fn is_about_trust(err: &Error) -> bool {
    let fault = match err {
        Error::Rustls(err) => Some(TlsFault::of(err)),
        Error::Io(err) => TlsFault::of_io(err),
        _ => None,
    };
    matches!(fault, Some(TlsFault::Certificate(CertificateFlaw::UnknownIssuer)))
}

/// Resolves host names by DNS, except those that are pinned.
#[derive(Debug)]
struct PinnedNames {
    pins: Vec<Pin>,
}

impl Resolver for PinnedNames {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().unwrap_or_default();
        let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(default);
        let pinned = |port| {
            self.pins.iter().find(|it| it.host.eq_ignore_ascii_case(host) && it.port == port)
        };
        // A pin for https applies to port 80 of the host as well.
        let pin = pinned(port).or_else(|| pinned(443).filter(|_| port == 80));
        match pin {
            Some(pin) => {
                let mut found = self.empty();
                found.push(SocketAddr::new(pin.address, port));
                Ok(found)
            }
            None => {
                DefaultResolver::default().resolve(uri, config, timeout).map_err(|err| match err {
                    // The system's resolver reports an unknown host as an I/O error.
                    Error::Io(_) => Error::HostNotFound,
                    other => other,
                })
            }
        }
    }
}

/// Spells the names of headers as [`Casing`] says: the library writes them in lower case.
#[derive(Debug)]
struct Pen(Casing);

impl<In: Transport> Connector<In> for Pen {
    type Out = RecasedTransport;

    fn connect(
        &self,
        _details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<RecasedTransport>, Error> {
        let hand = Hand { casing: self.0, place: HeadPosition::FirstLine };
        Ok(chained.map(|inner| RecasedTransport { inner: Box::new(inner), hand }))
    }
}

#[derive(Debug)]
struct RecasedTransport {
    inner: Box<dyn Transport>,
    hand: Hand,
}

impl Transport for RecasedTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.hand.rewrite(&mut self.inner.buffers().output()[..amount]);
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// The position in the head of a request that is being written.
#[derive(Clone, Copy, Debug)]
enum HeadPosition {
    FirstLine,
    /// The beginning of a header's name, or of a word in it.
    Word,
    Name,
    Value,
    Body,
}

#[derive(Debug)]
struct Hand {
    casing: Casing,
    place: HeadPosition,
}

impl Hand {
    /// Respells the names in the next bytes of a request, which may begin and end anywhere.
    fn rewrite(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            let is_first = matches!(self.place, HeadPosition::Word);
            self.place = match (self.place, *byte) {
                (HeadPosition::FirstLine | HeadPosition::Value, b'\n')
                | (HeadPosition::Word | HeadPosition::Name, b'-' | b'_' | b'.') => {
                    HeadPosition::Word
                }
                (HeadPosition::FirstLine | HeadPosition::Value | HeadPosition::Body, _) => {
                    self.place
                }
                (HeadPosition::Word, b'\r') => HeadPosition::Body,
                (HeadPosition::Word | HeadPosition::Name, b':') => HeadPosition::Value,
                (HeadPosition::Word | HeadPosition::Name, _) => HeadPosition::Name,
            };
            let is_upper = match self.casing {
                Casing::Lower => false,
                Casing::Title => is_first,
                Casing::Upper => true,
            };
            if matches!(self.place, HeadPosition::Name) && is_upper {
                byte.make_ascii_uppercase();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(casing: Casing, cut: usize) -> String {
        let mut head =
            b"POST /a:b HTTP/1.1\r\nhost: a.test\r\nremote_user.x-y: d-e\r\n\r\nk: v".to_vec();
        let mut hand = Hand { casing, place: HeadPosition::FirstLine };
        let (front, back) = head.split_at_mut(cut);
        hand.rewrite(front);
        hand.rewrite(back);
        String::from_utf8(head).unwrap()
    }

    #[test]
    fn is_named_to_the_owner_of_the_account_it_signs_in_to() {
        assert_eq!(crate::web::user_agent::name(USER_AGENT), "vestibule doctor");
    }

    #[test]
    fn spells_the_names_of_headers_and_nothing_else_wherever_the_bytes_are_cut() {
        for (casing, host, user) in [
            (Casing::Lower, "host", "remote_user.x-y"),
            (Casing::Title, "Host", "Remote_User.X-Y"),
            (Casing::Upper, "HOST", "REMOTE_USER.X-Y"),
        ] {
            let expected =
                format!("POST /a:b HTTP/1.1\r\n{host}: a.test\r\n{user}: d-e\r\n\r\nk: v");
            for cut in 0..expected.len() {
                assert_eq!(written(casing, cut), expected, "{casing:?} {cut}");
            }
        }
    }

    #[test]
    fn refuses_an_authority_that_is_none() {
        for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\n"] {
            let refused = Wire::new(Some(pem.as_bytes()), Vec::new(), Duration::from_secs(1));
            assert!(refused.err().is_some_and(|text| text.contains("--ca")), "{pem}");
        }
    }
}
