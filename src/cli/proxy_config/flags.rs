//! The settings of `vestibule proxy-config`: a part of those of `serve`, and what the proxy needs.

use std::iter;
use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;
use url::{Url, form_urlencoded};

use super::{GuardedPath, ProxyKind, ProxyPlan, SharedHost, shared_host};
use crate::auth::users;
use crate::base::base_url::BaseUrl;
use crate::base::origin::{Domain, Origin};
use crate::cli::serve::identity_headers::{IdentityField, identity_header, identity_headers};
use crate::cli::serve::parse::{app, base_url, domain, listen, network};
use crate::cli::serve::refuse_foreign;
use crate::server::gate::Listen;
use crate::web::SECOND_FACTOR_REQUIRED;
use crate::web::http::session_cookie;

/// Where Debian's web servers and the guides of certbot have their files.
const ACME_ROOT: &str = "/var/www/html";

/// `vestibule proxy-config`. What `serve` has too is read from the same environment.
// A comment here is the text of a flag in --help, where angle brackets would be noise.
#[allow(rustdoc::bare_urls)]
#[derive(Args)]
#[command(
    override_usage = "vestibule proxy-config [OPTIONS] --origin <URL> <--app <URL,...>|--same-host> <PROXY>"
)]
pub struct ProxyArgs {
    /// The reverse proxy.
    #[arg(value_enum)]
    proxy: ProxyKind,

    /// Print the Lua script that the configuration of HAProxy or Apache loads, in place of the configuration.
    #[arg(long)]
    pub(super) script: bool,

    /// The file to write. An existing file is replaced only when the new one is complete. Without it, or with -,
    /// standard output.
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// URL of the sign-in, as for serve: https://auth.example.com, or with a path as in https://example.com/auth.
    #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL", value_parser = base_url)]
    origin: BaseUrl,

    /// Domain whose hosts share the sign-in, as for serve.
    #[arg(long, env = "VESTIBULE_COOKIE_DOMAIN", value_name = "DOMAIN", value_parser = domain)]
    cookie_domain: Option<Domain>,

    /// Apps to guard, comma-separated, as for serve; names before the URLs are ignored.
    #[arg(long, env = "VESTIBULE_APP", value_name = "URL,...", value_parser = app)]
    #[arg(value_delimiter = ',', required_unless_present_any = ["same_host", "guard"])]
    app: Vec<Origin>,

    /// The sign-in is on the host of your app: the addresses of vestibule go to vestibule, and all others to the one
    /// --upstream.
    #[arg(long, conflicts_with_all = ["app", "cookie_domain"])]
    same_host: bool,

    /// With --same-host, the paths that are guarded, comma-separated: /admin with all that begins like it, as
    /// /admin/users and /admins, and /admin/ with what is below it alone. A request for any path with a semicolon, a
    /// backslash or an encoded slash is checked too. The rest of the app is open to everyone, and asks GET /session by
    /// itself. [default: the whole app is guarded]
    #[arg(long, value_name = "PATH,...", value_parser = GuardedPath::parse, value_delimiter = ',')]
    guard: Vec<GuardedPath>,

    /// Addresses at which the proxy reaches the apps: one for each, in the same order.
    #[arg(long, value_name = "URL,...", value_parser = upstream, value_delimiter = ',')]
    #[arg(default_value = "http://127.0.0.1:3000")]
    upstream: Vec<String>,

    /// Where vestibule listens, as for serve. Of several addresses the proxy is given the first that it can reach: not
    /// every one can use Unix sockets.
    #[arg(long, env = "VESTIBULE_LISTEN", value_name = "ADDRESS,...", value_parser = listen)]
    #[arg(default_value = "127.0.0.1:8080", value_delimiter = ',')]
    listen: Vec<Listen>,

    /// Other names for the identity headers, as for serve.
    #[arg(long, env = "VESTIBULE_IDENTITY_HEADER", value_name = "WHAT=NAME,...")]
    #[arg(value_delimiter = ',', value_parser = identity_header)]
    identity_header: Vec<(IdentityField, &'static str)>,

    /// Pass passwords and access tokens to the checks, as for serve.
    #[arg(long, env = "VESTIBULE_BASIC_AUTH", value_parser = FalseyValueParser::new())]
    basic_auth: bool,

    #[command(flatten)]
    admitted: AdmittedUsers,

    /// Folder below which the ACME client puts the answers to HTTP-01 challenges, for nginx and Apache: they are
    /// served without a check, on port 80 and 443. [default: /var/www/html]
    #[arg(long, value_name = "DIR", value_parser = path)]
    acme_root: Option<String>,

    /// TLS ends before the proxy, at a load balancer or a tunnel with these addresses, comma-separated: the proxy
    /// listens on port 80 without TLS, and takes client addresses from the X-Forwarded-For of these. Without a
    /// value: on this machine.
    #[arg(long, value_name = "CIDR,...", value_parser = address, value_delimiter = ',')]
    #[arg(num_args = 0.., require_equals = true, default_missing_values = ["127.0.0.1", "::1"])]
    #[arg(conflicts_with_all = ["certificate", "acme_root"])]
    tls_before: Vec<String>,

    /// Certificate for all hosts, if the proxy does not obtain its own; needs --certificate-key.
    #[arg(long, value_name = "FILE", requires = "certificate_key", value_parser = path)]
    certificate: Option<String>,

    /// Private key of the certificate.
    #[arg(long, value_name = "FILE", requires = "certificate", value_parser = path)]
    certificate_key: Option<String>,
}

/// Whom the checks let through; without any of these, every user.
#[derive(Args)]
struct AdmittedUsers {
    /// Admit only members of one of these groups, comma-separated.
    #[arg(long, value_name = "GROUP,...")]
    groups: Option<String>,

    /// Admit only these users, comma-separated.
    #[arg(long, value_name = "NAME,...")]
    users: Option<String>,

    /// Admit only users who sign in with a second factor, and access tokens made in such a session. A browser of a user
    /// without one is led to the page where it is set up.
    #[arg(long)]
    second_factor: bool,
}

impl AdmittedUsers {
    /// Who is let through, as the checks understand it. A list without a name is a mistake, and would
    /// otherwise admit every user.
    fn query(&self) -> Result<String, String> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(text) = &self.groups {
            let groups = users::groups(text).filter(|it| !it.as_str().is_empty()).ok_or(
                "--groups: name groups of 1 to 63 characters of a-z, 0-9, dots, hyphens and underscores",
            )?;
            query.append_pair("groups", groups.as_str());
        }
        if let Some(text) = &self.users {
            let names: Vec<_> =
                text.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
            if names.is_empty() {
                return Err("--users: name users, with commas between them".to_owned());
            }
            query.append_pair("users", &names.join(","));
        }
        if self.second_factor {
            let (name, value) = SECOND_FACTOR_REQUIRED;
            query.append_pair(name, value);
        }
        Ok(query.finish())
    }
}

impl ProxyArgs {
    /// Checks the settings together. An error is one line that says what would do.
    pub fn check(mut self) -> Result<(ProxyKind, ProxyPlan), String> {
        if !self.origin.origin.is_https() {
            return Err(format!("--origin {} has to be https behind a proxy", self.origin));
        }
        refuse_foreign(Some(&self.origin.origin), self.cookie_domain.as_ref(), &self.app)?;
        self.refuse_same_host()?;
        self.refuse_count()?;
        shared_host::refuse(&self.guard, &self.origin)?;
        let kind = self.proxy;
        self.refuse_for(kind)?;
        let plan = ProxyPlan {
            listen: self.asked().clone(),
            identity: identity_headers(&self.identity_header)?,
            query: self.admitted.query()?,
            needs_second_factor: self.admitted.second_factor,
            command: self.command(),
            cookie: session_cookie(true, self.cookie_domain.is_some()),
            shared: self.same_host.then(|| SharedHost {
                upstream: self.upstream.swap_remove(0),
                guarded: self.guard,
            }),
            own: self.origin,
            apps: self.app.into_iter().zip(self.upstream).collect(),
            basic_auth: self.basic_auth,
            certificate: self.certificate.zip(self.certificate_key),
            acme_root: self.acme_root.unwrap_or_else(|| ACME_ROOT.to_owned()),
            tls_before: self.tls_before,
        };
        Ok((kind, plan))
    }

    /// One server cannot be the sign-in and what stands behind it, nor two apps at once.
    fn refuse_same_host(&self) -> Result<(), String> {
        for (at, app) in self.app.iter().enumerate() {
            if *app == self.origin.origin {
                return Err(format!(
                    "--app {app} is the host of the sign-in; for an app there use --same-host instead of --app"
                ));
            }
            if self.app[..at].contains(app) {
                return Err(format!("--app names {app} twice"));
            }
        }
        match self.app.iter().chain([&self.origin.origin]).find(|it| !is_plain_host(it.host())) {
            Some(odd) => Err(format!("{odd} has a host that no configuration can name")),
            None => Ok(()),
        }
    }

    /// Each app has an address, and an app on the host of the sign-in is one.
    fn refuse_count(&self) -> Result<(), String> {
        let (apps, addresses) = (self.app.len(), self.upstream.len());
        match (self.same_host, addresses) {
            (true, 1) => Ok(()),
            (true, _) => Err("--same-host is for one app; give one --upstream".to_owned()),
            (false, _) if !self.guard.is_empty() => {
                Err("--guard needs --same-host, for an app on the host of the sign-in; an --app on a host of its \
                     own is guarded as a whole"
                    .to_owned())
            }
            (false, _) if apps == addresses => Ok(()),
            (false, _) => Err(format!(
                "there are {apps} apps and {addresses} addresses for them; give --upstream one for each"
            )),
        }
    }

    /// What one of the proxies cannot do.
    fn refuse_for(&self, kind: ProxyKind) -> Result<(), String> {
        let name = kind.name();
        if self.script && kind.script().is_none() {
            return Err(format!("{name} needs no script; leave --script out"));
        }
        if let Listen::Unix(place) = self.asked() {
            let place = place.display().to_string();
            if !kind.asks_unix_sockets() {
                return Err(format!("{name} cannot ask unix:{place}; listen on an address"));
            }
            path(&place).map_err(|advice| format!("--listen unix:{place}: {advice}"))?;
        }
        if self.acme_root.is_some() && !matches!(kind, ProxyKind::Nginx | ProxyKind::Apache) {
            return Err(format!(
                "{name} serves no files, or answers HTTP-01 challenges by itself, before any check; leave \
                 --acme-root out"
            ));
        }
        if self.same_host && matches!(kind, ProxyKind::Apache | ProxyKind::Envoy) {
            return Err(format!(
                "there is no configuration of {name} for one host; give the sign-in a host of its own, and leave \
                 --same-host out"
            ));
        }
        match kind {
            ProxyKind::Traefik => self.refuse_for_traefik(),
            ProxyKind::Haproxy => self.refuse_for_haproxy(),
            ProxyKind::Envoy if !self.tls_before.is_empty() => {
                Err("Envoy listens by TLS here; leave --tls-before out".to_owned())
            }
            _ => self.refuse_ports(kind),
        }
    }

    /// The address that the proxy is given: the first that it can reach, or else the first.
    fn asked(&self) -> &Listen {
        let can_ask = |it: &&Listen| matches!(it, Listen::Tcp(_)) || self.proxy.asks_unix_sockets();
        self.listen.iter().find(can_ask).unwrap_or(&self.listen[0])
    }

    fn refuse_for_traefik(&self) -> Result<(), String> {
        if self.certificate.is_some() {
            return Err("Traefik takes certificates in its own settings; leave --certificate out"
                .to_owned());
        }
        match self.app.iter().find(|app| app.host() == self.origin.origin.host()) {
            Some(app) => Err(format!("Traefik cannot tell {app} from the sign-in by its host")),
            None => Ok(()),
        }
    }

    fn refuse_for_haproxy(&self) -> Result<(), String> {
        if self.certificate != self.certificate_key {
            return Err("HAProxy reads certificate and key from one file; put both into one, and name it with \
                        --certificate and with --certificate-key"
                .to_owned());
        }
        self.refuse_ports(ProxyKind::Haproxy)
    }

    /// HAProxy and Envoy have one listener for all hosts, which they tell apart by name.
    fn refuse_ports(&self, kind: ProxyKind) -> Result<(), String> {
        let own = &self.origin.origin;
        let is_other = |app: &&Origin| app.port() != own.port() || app.host() == own.host();
        match self.app.iter().find(is_other) {
            Some(app) if matches!(kind, ProxyKind::Haproxy | ProxyKind::Envoy) => Err(format!(
                "{} listens once for all hosts here, and {app} is at another port than the sign-in, or on its host",
                kind.name()
            )),
            _ => Ok(()),
        }
    }

    /// The command that serves what this is written for.
    fn command(&self) -> String {
        let apps: Vec<_> = self.app.iter().map(ToString::to_string).collect();
        let mut words = vec![format!("vestibule serve --origin {}", self.origin)];
        if let Some(domain) = &self.cookie_domain {
            words.push(format!("--cookie-domain {}", domain.as_str()));
        }
        let proxy = match self.asked() {
            Listen::Tcp(address) if address.is_ipv6() => "::1",
            Listen::Tcp(_) | Listen::Unix(_) => "127.0.0.1",
        };
        if !apps.is_empty() {
            words.push(format!("--app {}", apps.join(",")));
        }
        // These add an address to those that they got, and the others pass the client's on alone.
        let adds = matches!(self.proxy, ProxyKind::Caddy | ProxyKind::Traefik);
        let before = self.tls_before.iter().filter(|_| adds);
        let proxies = before.filter(|it| *it != proxy).cloned();
        let proxies: Vec<_> = iter::once(proxy.to_owned()).chain(proxies).collect();
        words.push(format!("--trusted-proxy {}", proxies.join(",")));
        let listen: Vec<_> = self.listen.iter().map(ToString::to_string).collect();
        if listen != ["127.0.0.1:8080"] {
            words.push(format!("--listen {}", listen.join(",")));
        }
        if !self.identity_header.is_empty() {
            let pair = |(told, name): &(IdentityField, &str)| format!("{}={name}", told.as_str());
            let pairs: Vec<_> = self.identity_header.iter().map(pair).collect();
            words.push(format!("--identity-header {}", pairs.join(",")));
        }
        if self.basic_auth {
            words.push("--basic-auth".to_owned());
        }
        words.join(" ")
    }
}

/// The address of an app: scheme, host and port.
fn upstream(text: &str) -> Result<String, String> {
    let bare = text.strip_suffix('/').unwrap_or(text);
    let is_origin = Origin::parse(bare).is_some() && Url::parse(bare).is_ok();
    let is_good =
        is_origin && bare.bytes().all(|it| it.is_ascii_alphanumeric() || b".:/-[]_".contains(&it));
    if is_good {
        Ok(bare.to_owned())
    } else {
        Err("write it as in http://127.0.0.1:3000".to_owned())
    }
}

/// An address or a network, as it can stand in the configuration of every proxy.
fn address(text: &str) -> Result<String, String> {
    let network = network(text)?.trunc();
    let is_one = network.prefix_len() == network.max_prefix_len();
    Ok(if is_one { network.addr().to_string() } else { network.to_string() })
}

/// Whether a host can stand in a configuration without quotes.
fn is_plain_host(host: &str) -> bool {
    host.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-' | b'_'))
}

/// The path of a file, as it can stand in a configuration without quotes.
fn path(text: &str) -> Result<String, String> {
    let is_plain = |it: u8| {
        it.is_ascii_alphanumeric() || matches!(it, b'/' | b'.' | b'-' | b'_' | b'+' | b'@')
    };
    if PathBuf::from(text).is_absolute() && text.bytes().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("write the whole path, as in /etc/ssl/example.pem, without spaces".to_owned())
    }
}
