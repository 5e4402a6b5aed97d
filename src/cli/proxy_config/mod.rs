//! The configuration of a reverse proxy that guards apps.
//!
//! Decides what a proxy has to be told so that no request reaches an app without a check: which headers it
//! has to overwrite or drop, in every location and every spelling, and where it sends browsers without a
//! session. Values in, text out.

mod apache;
mod caddy;
mod envoy;
mod flags;
mod haproxy;
mod nginx;
mod shared_host;
mod traefik;

use std::fmt::Write;
use std::fs::Permissions;
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;

use super::Failure;
use super::change_report::ChangeReport;
use super::output::Output;
use crate::base::base_url::BaseUrl;
use crate::base::file_fault::writing;
use crate::base::new_file::NewFile;
use crate::base::origin::Origin;
use crate::server::gate::Listen;
use crate::web::{IdentityHeaders, SECOND_FACTOR_REQUIRED, check_paths};

pub use flags::ProxyArgs;
pub use shared_host::{GuardedPath, SharedHost};

/// A reverse proxy for which there is a configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ProxyKind {
    /// nginx with auth_request.
    Nginx,
    /// Caddy 2.
    Caddy,
    /// Traefik's file provider.
    Traefik,
    /// HAProxy with Lua.
    Haproxy,
    /// Apache httpd with mod_lua.
    Apache,
    /// Envoy with ext_authz over HTTP.
    Envoy,
}

impl ProxyKind {
    /// The name that its project uses.
    const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "Caddy",
            Self::Traefik => "Traefik",
            Self::Haproxy => "HAProxy",
            Self::Apache => "Apache httpd",
            Self::Envoy => "Envoy",
        }
    }

    /// Whether it can ask for a check over a Unix socket.
    const fn asks_unix_sockets(self) -> bool {
        match self {
            Self::Nginx | Self::Caddy | Self::Haproxy => true,
            Self::Traefik | Self::Apache | Self::Envoy => false,
        }
    }

    /// The script that its configuration loads.
    fn script(self) -> Option<String> {
        match self {
            Self::Haproxy => Some(haproxy::script()),
            Self::Apache => Some(apache::script()),
            Self::Nginx | Self::Caddy | Self::Traefik | Self::Envoy => None,
        }
    }
}

/// The fields of a request that a check reads: these are passed on to it, and no other that the client has sent.
const CHECK_FIELDS: [&str; 14] = [
    "accept",
    "accept-language",
    "access-control-request-method",
    "authorization",
    "cookie",
    "origin",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-websocket-key",
    "sec-websocket-version",
    "upgrade",
    "user-agent",
    "x-requested-with",
];

/// What a configuration is to guard, and how.
pub struct ProxyPlan {
    /// Where browsers reach the sign-in.
    pub own: BaseUrl,
    /// Where vestibule listens, as the proxy reaches it.
    pub listen: Listen,
    /// The app on the host of the sign-in, if there is one; then there are no others.
    pub shared: Option<SharedHost>,
    /// The apps on other hosts, each with the address at which the proxy reaches it.
    pub apps: Vec<(Origin, String)>,
    /// The name of the session cookie, which is kept from apps.
    pub cookie: &'static str,
    /// The identity headers, which tell apps who the user is.
    pub identity: IdentityHeaders,
    /// The parameters of the checks: who is admitted; empty: every signed-in user.
    pub query: String,
    /// Whether they demand a second factor, which the response to a script says without a redirect.
    pub needs_second_factor: bool,
    /// Whether checks take passwords and access tokens.
    pub basic_auth: bool,
    /// Certificate and key, if the proxy does not obtain them itself.
    pub certificate: Option<(String, String)>,
    /// The folder below which answers to HTTP-01 challenges are.
    pub acme_root: String,
    /// The addresses and networks where TLS ends, if that is before the proxy; otherwise none.
    pub tls_before: Vec<String>,
    /// The `vestibule serve` command that the configuration is for.
    pub command: String,
}

impl ProxyArgs {
    /// `vestibule proxy-config`: prints the configuration, or writes it into a file.
    pub(super) fn run(self, as_json: bool, out: &mut Output) -> Result<ExitCode, Failure> {
        let (is_script, file) = (self.script, self.output.clone());
        let (kind, plan) = self.check().map_err(Failure::usage)?;
        let script = kind.script().filter(|_| is_script);
        let text = script.unwrap_or_else(|| write(kind, &plan));
        let file = file.filter(|it| it.as_os_str() != "-");
        if file.is_none() && !as_json {
            out.print(text);
            return Ok(ExitCode::SUCCESS);
        }
        let place = file.as_ref().map(|it| it.display().to_string()).unwrap_or_default();
        let what = if is_script { "script" } else { "configuration" };
        let report = ChangeReport::new(format!("{place} holds the {what} for {}", kind.name()))
            .with("proxy", kind.to_possible_value().map(|it| it.get_name().to_owned()))
            .with("serve", plan.command);
        let report = match file {
            Some(file) => {
                write_file(&file, &text)?;
                report.with("file", place)
            }
            None => report.with("configuration", text),
        };
        out.print(report.text(as_json));
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes a configuration into a file that other users may read, or that is as readable as the one it replaces.
fn write_file(path: &Path, text: &str) -> Result<(), String> {
    let failed = |err: io::Error| format!("cannot write {}: {}", path.display(), writing(&err));
    // A link stays one, as in a folder of what is enabled.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mode = match path.metadata() {
        Ok(about) if about.is_dir() => return Err(failed(ErrorKind::IsADirectory.into())),
        Ok(about) if !about.is_file() => return Err(failed(io::Error::other("it is no file"))),
        Ok(about) => about.permissions().mode() & 0o777,
        Err(_) => 0o644,
    };
    let file = NewFile::beside(&path).map_err(failed)?;
    let mut to = file.file();
    to.write_all(text.as_bytes()).map_err(failed)?;
    to.set_permissions(Permissions::from_mode(mode)).map_err(failed)?;
    file.replace().map_err(failed)
}

/// The configuration for this proxy.
pub fn write(kind: ProxyKind, plan: &ProxyPlan) -> String {
    match kind {
        ProxyKind::Nginx => nginx::write(plan),
        ProxyKind::Caddy => caddy::write(plan),
        ProxyKind::Traefik => traefik::write(plan),
        ProxyKind::Haproxy => haproxy::write(plan),
        ProxyKind::Apache => apache::write(plan),
        ProxyKind::Envoy => envoy::write(plan),
    }
}

impl ProxyPlan {
    /// Whether TLS ends before the proxy.
    const fn is_clear(&self) -> bool {
        !self.tls_before.is_empty()
    }

    /// All hosts, each once, if browsers reach them at the default port, so that port 80 is theirs too.
    fn redirected_hosts(&self) -> Option<Vec<&str>> {
        let all = self.apps.iter().map(|(app, _)| app).chain([&self.own.origin]);
        let all: Vec<_> = all.collect();
        let is_usual = !self.is_clear() && all.iter().all(|it| it.is_at_default_port());
        is_usual.then(|| all.into_iter().map(Origin::host).collect())
    }

    /// How the proxy reaches vestibule: host and port, or a socket's path with this prefix.
    fn place(&self, socket: &str) -> String {
        match &self.listen {
            Listen::Tcp(address) if address.ip().is_unspecified() => {
                format!("127.0.0.1:{}", address.port())
            }
            Listen::Tcp(address) => address.to_string(),
            Listen::Unix(path) => format!("{socket}{}", path.display()),
        }
    }

    /// The comment that says what the configuration is for, and whom it admits.
    fn remark(&self) -> String {
        let (demand, _) = SECOND_FACTOR_REQUIRED;
        let names_users = |it: &str| !it.is_empty() && !it.starts_with(demand);
        let warning = match self.query.split('&').any(names_users) {
            true => "",
            false if self.needs_second_factor => {
                "# Every user with a second factor is admitted, and anyone can sign up and set one up unless --signup is\n# invite or closed. --groups and --users restrict that.\n"
            }
            false => {
                "# Every user is admitted, and anyone can sign up unless --signup is invite or closed. --groups and --users\n# restrict that.\n"
            }
        };
        format!("# It is for\n#   {}\n{warning}", self.command)
    }

    /// The path of a check endpoint, as the proxy asks for it.
    fn check_path(&self, path: &str) -> String {
        self.own.prefix.at(path).to_string()
    }

    /// A regular expression for the addresses of the sign-in on a host that it shares with an app.
    fn own_pattern(&self) -> String {
        let paths = shared_host::own_paths(&self.own);
        let paths: Vec<_> = paths.iter().map(|it| it[1..].replace('.', "\\.")).collect();
        format!("^/({})(/|$)", paths.join("|"))
    }

    /// The parameters of the check of a request: `first`, and who is admitted. On the host of an app the session cookie
    /// ends with the session, and only the response to a check can send it again where nothing else is asked of the
    /// sign-in: as a redirect, if `sends` is 302.
    fn check_query(&self, first: &str, sends: &str) -> String {
        let renew = self.shared.as_ref().map(|_| format!("renew={sends}"));
        let all = [first, renew.as_deref().unwrap_or_default(), &self.query];
        all.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join("&")
    }
}

/// The other spellings of a header that some servers take for this one: WSGI, CGI and PHP map hyphen and
/// underscore, and some the dot, to the same variable.
pub(crate) fn other_spellings(name: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for character in name.chars() {
        let written: &[char] = if character == '-' { &['-', '_', '.'] } else { &[character] };
        all = all
            .iter()
            .flat_map(|begun| written.iter().map(move |it| format!("{begun}{it}")))
            .collect();
    }
    all.retain(|it| it != name);
    all
}

/// The paths that a proxy keeps from clients: each check endpoint, or, where several are in one folder, the
/// folder with a slash at its end.
fn closed() -> Vec<&'static str> {
    let folder = |path: &'static str| &path[..=path.rfind('/').expect("a path begins with one")];
    let mut closed = Vec::new();
    for path in check_paths() {
        let is_shared = check_paths().filter(|it| folder(it) == folder(path)).count() > 1;
        let place = if is_shared { folder(path) } else { path };
        if !closed.contains(&place) {
            closed.push(place);
        }
    }
    closed
}

/// A Lua script with the fields that it passes on, below its opening comment.
fn lua(script: &str) -> String {
    let (opening, rest) = script.split_once("\n\n").expect("a script begins with a comment");
    let fields = CHECK_FIELDS.map(|it| format!("    \"{it}\",\n")).concat();
    format!(
        "{opening}

-- Of a request the check gets these fields, and no other that the client has sent.
local passed_on = {{
{fields}}}

-- Fields about the connection to vestibule.
local dropped = {{ connection = true, [\"content-length\"] = true, [\"keep-alive\"] = true, [\"transfer-encoding\"] = true }}

{rest}"
    )
}

/// The name of nginx's variable for a header.
fn word(text: &str) -> String {
    text.replace(|it: char| !it.is_ascii_alphanumeric(), "_").to_ascii_lowercase()
}

fn push(text: &mut String, part: &str) {
    text.write_str(part).expect("a string takes whatever is written to it");
}
