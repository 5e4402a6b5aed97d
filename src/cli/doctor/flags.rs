//! The settings of `vestibule doctor`.

use std::fs;
use std::io::BufRead;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use url::Url;

use super::{Credentials, Pin, Plan, is_near};
use crate::cli::config::{line, origin, period};
use crate::web::origin::Origin;

/// The settings of `vestibule doctor`, each for itself.
#[allow(rustdoc::bare_urls)]
#[derive(Args)]
pub struct DoctorFlags {
    /// The app as browsers reach it, as in https://app.example.com, optionally with a path. Plain http is
    /// for this machine only.
    #[arg(value_name = "URL", value_parser = app)]
    app: Url,

    /// More paths to try, comma-separated. Below the app's own path, /, /api/, /static/x, /favicon.ico,
    /// /.well-known/x and a random one are tried anyway.
    #[arg(long, value_name = "PATH,...", value_parser = path, value_delimiter = ',')]
    path: Vec<String>,

    /// Headers that tell the app who the user is, comma-separated; also written as for serve, as in
    /// `user=X-WEBAUTH-USER`.
    #[arg(long, value_name = "NAME,...", value_parser = header, value_delimiter = ',')]
    #[arg(default_value = "Remote-User,Remote-Id,Remote-Name,Remote-Groups,Remote-Email")]
    identity_header: Vec<String>,

    /// File of certificate authorities in PEM, trusted in addition to those that browsers trust.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Address of a host, whatever DNS says, as in app.example.com:443:192.0.2.1. May be given several
    /// times.
    #[arg(long, value_name = "HOST:PORT:ADDRESS", value_parser = pin)]
    resolve: Vec<Pin>,

    /// Sign in as this user, look at what the app receives, and sign out again; needs --origin. The
    /// password is read from standard input, as one line.
    #[arg(long, value_name = "NAME", requires = "origin")]
    sign_in: Option<String>,

    /// URL of the sign-in, as for serve. The password is sent nowhere else.
    #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL", value_parser = origin)]
    origin: Option<Origin>,

    /// How long one response may take.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = period)]
    timeout: Duration,
}

impl DoctorFlags {
    /// Checks the settings together and reads what they name: the file of authorities, and the
    /// password from `input`. An error is one line that says what would do.
    pub fn check(self, input: &mut impl BufRead) -> Result<Plan, String> {
        let read = |path: PathBuf| {
            fs::read(&path).map_err(|err| format!("cannot read {}: {err}", path.display()))
        };
        let credentials = |name| Ok::<_, String>(Credentials { name, password: line(input)? });
        Ok(Plan {
            app: self.app,
            paths: self.path,
            identity: self.identity_header,
            ca: self.ca.map(read).transpose()?,
            pins: self.resolve,
            credentials: self.sign_in.map(credentials).transpose()?,
            origin: self.origin.as_ref().map(ToString::to_string),
            timeout: self.timeout,
        })
    }
}

fn app(text: &str) -> Result<Url, String> {
    let wrong = || "write it as in https://app.example.com or https://example.com/app".to_owned();
    let url = Url::parse(text).map_err(|_| wrong())?;
    let is_bare = url.username().is_empty() && url.password().is_none();
    match url.scheme() {
        _ if !is_bare || url.query().is_some() || url.fragment().is_some() => Err(wrong()),
        "https" => Ok(url),
        "http" if is_near(&url) => Ok(url),
        "http" => Err("other machines are asked over https only: what is sent and answered could \
                       be read on the way"
            .to_owned()),
        _ => Err(wrong()),
    }
}

fn path(text: &str) -> Result<String, String> {
    let is_path = text.starts_with('/') && !text.contains('#');
    is_path.then(|| text.to_owned()).ok_or_else(|| "write it as in /metrics".to_owned())
}

fn header(text: &str) -> Result<String, String> {
    let text = text.split_once('=').map_or(text, |(_, name)| name);
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_header = !text.is_empty() && text.bytes().all(is_name);
    is_header.then(|| text.to_owned()).ok_or_else(|| "write it as in Remote-User".to_owned())
}

fn pin(text: &str) -> Result<Pin, String> {
    let mut parts = text.splitn(3, ':');
    let (host, port, address) = (parts.next(), parts.next(), parts.next());
    let bare = address.map(|it| it.trim_start_matches('[').trim_end_matches(']'));
    match (host, port.map(str::parse), bare.map(str::parse)) {
        (Some(host), Some(Ok(port)), Some(Ok(address))) if !host.is_empty() => {
            Ok(Pin { host: host.to_ascii_lowercase(), port, address })
        }
        _ => Err("write it as in app.example.com:443:192.0.2.1".to_owned()),
    }
}
