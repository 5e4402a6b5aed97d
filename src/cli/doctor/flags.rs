//! The settings of `vestibule doctor`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use url::Url;

use super::{DoctorCredentials, DoctorPlan, Pin, is_near};
use crate::base::base_url::BaseUrl;
use crate::base::file_fault::reading;
use crate::cli::serve::parse::{base_url, period};

/// The flags of `vestibule doctor`, before they are checked together.
#[allow(rustdoc::bare_urls)]
#[derive(Args)]
pub struct DoctorArgs {
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

    /// Sign in as this user, look at what the app receives, and sign out again; needs --origin. The password comes from a
    /// prompt, or from standard input as its first line. A code of the second factor, of the app or a recovery code, comes
    /// from a prompt, or from the line below the password; each run uses one up.
    #[arg(long, value_name = "NAME", requires = "origin")]
    sign_in: Option<String>,

    /// URL of the sign-in, as for serve. The password is sent nowhere else.
    #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL", value_parser = base_url)]
    origin: Option<BaseUrl>,

    /// How long one response may take.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = period)]
    timeout: Duration,
}

impl DoctorArgs {
    /// Checks the flags together, and reads the file of authorities and, by `read_password`, the password of the user
    /// with a code of the second factor, if there is one. An error is one line that says what would be accepted.
    pub fn check(
        self,
        read_password: impl FnOnce(&str) -> Result<(String, Option<String>), String>,
    ) -> Result<DoctorPlan, String> {
        let read = |path: PathBuf| {
            fs::read(&path)
                .map_err(|err| format!("cannot read {}: {}", path.display(), reading(&err)))
        };
        let credentials = |name: String| {
            let (password, code) = read_password(&name)?;
            Ok::<_, String>(DoctorCredentials { name, password, code })
        };
        Ok(DoctorPlan {
            app: self.app,
            paths: self.path,
            identity: self.identity_header,
            ca: self.ca.map(read).transpose()?,
            pins: self.resolve,
            credentials: self.sign_in.map(credentials).transpose()?,
            login: self.origin.as_ref().map(login),
            timeout: self.timeout,
        })
    }
}

/// The sign-in page of the site at this URL.
fn login(own: &BaseUrl) -> Url {
    Url::parse(&format!("{own}/login")).expect("the URL of a site is one with another path too")
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

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::net::IpAddr;
    use std::path::Path;

    use super::*;
    use crate::cli::Command;
    use crate::cli::command_line::{CommandLine, Unread};
    use crate::cli::secrets::password_and_code_of;

    /// The plan of `vestibule doctor` with these arguments and this standard input.
    fn examine(arguments: &[&str], input: &str) -> Result<DoctorPlan, String> {
        let words = ["vestibule", "doctor"].iter().chain(arguments).map(OsString::from);
        match CommandLine::read(words, Path::new("/nowhere")).map_err(Unread::into_text)?.command {
            Some(Command::Doctor(args)) => {
                args.check(|_| password_and_code_of(&mut input.as_bytes()))
            }
            _ => Err("another command".to_owned()),
        }
    }

    #[test]
    fn reads_what_is_to_be_examined() {
        let plan = examine(&["https://app.example.com"], "").unwrap();
        assert_eq!((plan.app.as_str(), plan.timeout.as_secs()), ("https://app.example.com/", 10));
        assert_eq!((plan.identity.len(), &*plan.identity[3]), (5, "Remote-Groups"));
        assert!(plan.credentials.is_none() && plan.ca.is_none() && plan.paths.is_empty());
        let plan = examine(
            &[
                "https://example.com/wiki/",
                "--path=/a,/b?c=1",
                "--identity-header=user=X-User",
                "--resolve=App.Example.com:443:192.0.2.1",
                "--resolve=auth.example.com:8443:[2001:db8::1]",
                "--sign-in=anna",
                "--origin=https://auth.example.com",
                "--timeout=2s",
            ],
            "correct horse \r\n",
        )
        .unwrap();
        assert_eq!(
            (plan.paths, plan.identity),
            (vec!["/a".into(), "/b?c=1".into()], vec!["X-User".into()])
        );
        let hosts: Vec<_> = plan.pins.iter().map(|it| (&*it.host, it.port)).collect();
        assert_eq!(hosts, [("app.example.com", 443), ("auth.example.com", 8443)]);
        assert_eq!(plan.pins[1].address, "2001:db8::1".parse::<IpAddr>().unwrap());
        let credentials = plan.credentials.unwrap();
        assert_eq!((&*credentials.name, &*credentials.password), ("anna", "correct horse "));
    }

    #[test]
    fn refuses_to_examine_what_makes_no_sense() {
        for (arguments, advice) in [
            (&["app.example.com"][..], "https://app.example.com"),
            (&["ftp://app.example.com"], "https://app.example.com"),
            (&["https://anna@app.example.com"], "https://app.example.com"),
            (&["https://app.example.com/?x=1"], "https://app.example.com"),
            (&["http://app.example.com"], "https only"),
            (&["https://a.test", "--path=metrics"], "/metrics"),
            (&["https://a.test", "--identity-header=Remote User"], "Remote-User"),
            (&["https://a.test", "--resolve=a.test:443"], "443:192.0.2.1"),
            (&["https://a.test", "--resolve=a.test:443:b.test"], "443:192.0.2.1"),
            (&["https://a.test", "--ca=/nowhere/ca.pem"], "/nowhere/ca.pem"),
            (&["https://a.test", "--sign-in=anna"], "--origin"),
            (&["https://a.test", "--sign-in=anna", "--origin=https://b.test"], "standard input"),
            (&["https://a.test", "--timeout=0s"], "at least 1s"),
        ] {
            let text = examine(arguments, "\n").err().unwrap_or_else(|| panic!("{arguments:?}"));
            assert!(text.contains(advice) && !text.contains('\n'), "{text}");
        }
        for near in ["http://127.0.0.1:8080", "http://[::1]/x", "http://app.localhost"] {
            assert!(examine(&[near], "").is_ok(), "{near}");
        }
    }
}
