//! `vestibule serve`: its settings, as flags, in the environment and in a settings file, and how the server is started
//! with them.
//!
//! The settings are checked once, into one [`Config`] (`config.rs`), and nothing
//! else reads flags or the environment.

mod branding;
mod config;
mod facts;
pub(super) mod identity_headers;
mod log;
#[cfg(feature = "mail")]
pub(super) mod mail;
mod names;
mod own_css;
pub(super) mod parse;
mod passkeys;
mod reach;
mod second_factor;
mod warnings;

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::FalseyValueParser;
use ipnet::IpNet;

pub use config::Config;
pub(super) use config::refuse_foreign;
pub(super) use facts::{HAS_MAIL, NOTICES};
pub use names::{NameKindArgs, NameRestArgs};
pub use second_factor::SealKeyArgs;

use self::branding::BrandingArgs;
use self::identity_headers::{IdentityField, identity_header};
use self::log::LogArgs;
use self::names::NameArgs;
use self::parse::{
    alias, base_url, connections, count, domain, head_bytes, listen, mode, named_app, network,
    number, origin, period, policy, remember, signup,
};
use self::passkeys::PasskeyArgs;
use self::reach::Reach;
use self::second_factor::SecondFactorArgs;
use self::warnings::ConfigWarning;
use super::Failure;
use super::database::{DatabaseArgs, is_to_be_made, made, patiently, place, told};
use super::journal;
use super::output::{Output, Printout};
use super::sealing_key;
use crate::auth::events::Event;
use crate::auth::invitations::{self, SignUps};
use crate::auth::password_policy::Policy;
use crate::base::base_url::BaseUrl;
use crate::base::clock::Moment;
use crate::base::log_fields;
use crate::base::origin::{Domain, Origin};
use crate::base::password::{Cost, Hasher};
use crate::base::token::Token;
use crate::server;
use crate::server::gate::{self, Listen, Listeners};
use crate::server::log::{LineKind, Log};
use crate::server::metrics::MetricsListener;
use crate::server::program_events::ProgramEvent;
use crate::store::{self, Record};
use crate::web::pages::Remember;
use crate::web::{Alias, App, Site};

/// The most workers, and the most hashers, by default, however many cores there are: more workers than the one thread
/// of the gate can keep busy, and hashes for some 500 sign-ins a second. The limits of contrib/vestibule.service have
/// room for so many; a test holds that.
const COUNT_DEFAULT_MAX: usize = 8;

/// How long what a terminal shows at start waits for the lines of the log before it.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// The sections of `vestibule serve --help`, in their order.
const NETWORK: &str = "Network";
pub(in crate::cli) const DATABASE: &str = "Database";
const ORIGIN: &str = "Origin";
const APPS: &str = "Apps behind the sign-in";
const ACCOUNTS: &str = "Accounts";
const SECOND_FACTOR: &str = "Second factor and passkeys";
const SESSIONS: &str = "Sessions";
const GUESSING: &str = "Throttling and audit log";
#[cfg(feature = "mail")]
pub(in crate::cli) const MAIL: &str = "Mail";
const LOG: &str = "Log";
const APPEARANCE: &str = "Appearance";
const CAPACITY: &str = "Capacity and timeouts";

/// The settings of `vestibule serve`, as they were given: a struct for each section of its help.
#[derive(Args)]
pub struct ServeArgs {
    #[command(flatten)]
    network: NetworkArgs,

    /// Where the database is.
    #[command(flatten)]
    database: DatabaseArgs,

    #[command(flatten)]
    origin: OriginArgs,

    #[command(flatten)]
    apps: AppArgs,

    #[command(flatten)]
    accounts: AccountArgs,

    #[command(flatten)]
    second_factor: SecondFactorArgs,

    #[command(flatten)]
    passkeys: PasskeyArgs,

    #[command(flatten)]
    sessions: PeriodArgs,

    #[command(flatten)]
    throttle: ThrottleArgs,

    #[cfg(feature = "mail")]
    #[command(flatten)]
    mail: mail::MailArgs,

    #[cfg(feature = "mail")]
    #[command(flatten)]
    notices: mail::NoticeArgs,

    #[cfg(feature = "mail")]
    #[command(flatten)]
    sign_up_email: mail::SignUpEmailArgs,

    #[command(flatten)]
    log: LogArgs,

    #[command(flatten)]
    branding: BrandingArgs,

    #[command(flatten)]
    capacity: CapacityArgs,
}

// A doc comment on a field is the text of the flag in `--help`, in the manual pages and in docs/settings.md;
// `help_heading` is its section there.

/// Where the server listens, and whom it believes.
// Angle brackets would be noise in --help.
#[allow(rustdoc::bare_urls)]
#[derive(Args)]
struct NetworkArgs {
    /// Where to listen: ADDR:PORT, or unix:/path for a Unix socket; several are comma-separated.
    /// Sockets that systemd passes (LISTEN_FDS) are used instead.
    #[arg(long, env = "VESTIBULE_LISTEN", value_name = "ADDRESS,...", value_parser = listen)]
    #[arg(default_value = "127.0.0.1:8080", value_delimiter = ',', help_heading = NETWORK)]
    listen: Vec<Listen>,

    /// Permissions of a Unix socket, in octal: who may connect to it.
    #[arg(long, env = "VESTIBULE_SOCKET_MODE", value_name = "MODE", value_parser = mode)]
    #[arg(default_value = "660", help_heading = NETWORK)]
    socket_mode: u32,

    /// Where to show metrics in the text format of Prometheus, at /metrics: ADDR:PORT, or unix:/path for a Unix socket
    /// with the mode of --socket-mode. The address has to be a loopback address unless --insecure-http is set. Without
    /// it nothing is counted.
    #[arg(long, env = "VESTIBULE_METRICS", value_name = "ADDRESS", value_parser = listen)]
    #[arg(help_heading = NETWORK)]
    metrics: Option<Listen>,

    /// Reverse proxies whose X-Forwarded-For is trusted: addresses or networks such as 127.0.0.1 or 10.0.0.0/8,
    /// comma-separated. The client address they report is used in the log and for throttling, and `GET /whoami` shows
    /// it to a signed-in user. Without this setting, X-Forwarded-For is ignored.
    #[arg(long, env = "VESTIBULE_TRUSTED_PROXY", value_name = "CIDR,...", value_parser = network)]
    #[arg(value_delimiter = ',', help_heading = NETWORK)]
    trusted_proxy: Vec<IpNet>,

    /// Allow plain http on an address that other machines can reach. Passwords then cross the network
    /// unencrypted.
    #[arg(long, env = "VESTIBULE_INSECURE_HTTP", value_parser = FalseyValueParser::new())]
    #[arg(help_heading = NETWORK)]
    insecure_http: bool,
}

/// Where browsers reach the site, and which pages may submit forms to it.
// Angle brackets would be noise in --help.
#[allow(rustdoc::bare_urls)]
#[derive(Args)]
struct OriginArgs {
    /// URL at which browsers reach the site, as in https://auth.example.com. With https, cookies are Secure and named
    /// `__Host-auth_session`, HSTS is sent, and forms are accepted from this origin alone. If the site shares its
    /// host with an app, the URL may have a path, as in https://example.com/auth: all addresses, those of checks
    /// included, then begin with /auth, and the proxy must pass the path on unchanged. Without an origin the site is
    /// served over plain http, for trying it out.
    #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL", value_parser = base_url)]
    #[arg(help_heading = ORIGIN)]
    origin: Option<BaseUrl>,

    /// Other origins whose pages may submit forms here, comma-separated.
    #[arg(long, env = "VESTIBULE_TRUSTED_ORIGIN", value_name = "URL,...", value_parser = origin)]
    #[arg(value_delimiter = ',', help_heading = ORIGIN)]
    trusted_origin: Vec<Origin>,

    /// Refuse requests that would change something and do not say which site they come from. Browsers
    /// always say it; curl does not.
    #[arg(long, env = "VESTIBULE_STRICT_ORIGIN", value_parser = FalseyValueParser::new())]
    #[arg(help_heading = ORIGIN)]
    strict_origin: bool,
}

/// The apps behind the sign-in, and what they are told.
// Angle brackets would be noise in --help.
#[allow(rustdoc::bare_urls)]
#[derive(Args)]
struct AppArgs {
    /// Share one sign-in between all hosts of this domain, as in example.com for auth.example.com and
    /// app.example.com. The session cookie is then named `__Secure-auth_session`, carries this domain,
    /// and is sent to every app there. It has to be a domain of your own: browsers keep no cookie for a
    /// public suffix such as co.uk or duckdns.org. Without it the sign-in is for one host alone.
    #[arg(long, env = "VESTIBULE_COOKIE_DOMAIN", value_name = "DOMAIN", value_parser = domain)]
    #[arg(help_heading = APPS)]
    cookie_domain: Option<Domain>,

    /// Apps behind this sign-in, comma-separated: the only other sites to which users are redirected after signing
    /// in. Without it, every https site under --cookie-domain. The profile page links to them, by the name before the
    /// URL, as in `Wiki=https://wiki.example.com`, or else by the host, and with
    /// `Wiki=https://wiki.example.com?groups=staff|admin` for members of these groups alone. Who gets in is up to the
    /// check of the app.
    #[arg(long, env = "VESTIBULE_APP", value_name = "[NAME=]URL[?groups=...],...", value_parser = named_app)]
    #[arg(value_delimiter = ',', help_heading = APPS)]
    app: Vec<App>,

    /// Also answer the check endpoints of these forward-auth servers, comma-separated, so that replacing one takes
    /// only a new host name: authelia, tinyauth, oauth2-proxy, vouch.
    #[arg(long, env = "VESTIBULE_ALIAS", value_name = "NAME,...", value_parser = alias)]
    #[arg(value_delimiter = ',', help_heading = APPS)]
    alias: Vec<Alias>,

    /// Other names for the headers that tell apps who the user is, as in
    /// `user=X-WEBAUTH-USER,email=X-WEBAUTH-EMAIL`; for user, id, name, groups and email.
    /// [default: Remote-User, Remote-Id, Remote-Name, Remote-Groups, Remote-Email]
    #[arg(long, env = "VESTIBULE_IDENTITY_HEADER", value_name = "WHAT=NAME,...")]
    #[arg(value_delimiter = ',', value_parser = identity_header, help_heading = APPS)]
    identity_header: Vec<(IdentityField, &'static str)>,

    /// Let scripts and mobile clients reach apps with a name and password (HTTP Basic), or with an
    /// access token that its owner creates on the account page (HTTP Basic or Bearer).
    #[arg(long, env = "VESTIBULE_BASIC_AUTH", value_parser = FalseyValueParser::new())]
    #[arg(help_heading = APPS)]
    basic_auth: bool,
}

/// Who may have an account, under which name, and with which password.
#[derive(Args)]
struct AccountArgs {
    /// Who may create an account: open (anyone), invite (anyone with a link from `vestibule invite new`)
    /// or closed (only the operator, with `vestibule user add`). With invite or closed, a start on a
    /// database without users prints a one-time link, valid for an hour, that creates the first account.
    /// It is printed on standard output and is not in the log; a service manager may keep both.
    #[arg(long, env = "VESTIBULE_SIGNUP", value_name = "CHOICE", value_parser = signup)]
    #[arg(default_value = "open", help_heading = ACCOUNTS)]
    signup: SignUps,

    /// What names are, how long they rest, and which are reserved.
    #[command(flatten)]
    names: NameArgs,

    /// Which passwords users may choose: seed (6 to 255 characters), standard (8 to 255, not a common
    /// password, not the username) or nist (15 to 255, otherwise as standard). [default: seed without
    /// --origin, standard with it]
    #[arg(long, env = "VESTIBULE_PASSWORD_POLICY", value_name = "POLICY", value_parser = policy)]
    #[arg(help_heading = ACCOUNTS)]
    password_policy: Option<Policy>,
}

/// How long a sign-in lasts.
#[derive(Args)]
struct PeriodArgs {
    /// How long a session stays active. Then it is idle, until the next request makes it active again and renews its
    /// cookie.
    #[arg(long, env = "VESTIBULE_ACTIVE", value_name = "DURATION", value_parser = period)]
    #[arg(default_value = "24h", help_heading = SESSIONS)]
    active: Duration,

    /// How long an idle session can still be used before it ends.
    #[arg(long, env = "VESTIBULE_IDLE", value_name = "DURATION", value_parser = period)]
    #[arg(default_value = "14d", help_heading = SESSIONS)]
    idle: Duration,

    /// How long after sign-in a session ends, however much it is used.
    #[arg(long, env = "VESTIBULE_ABSOLUTE", value_name = "DURATION", value_parser = period)]
    #[arg(default_value = "30d", help_heading = SESSIONS)]
    absolute: Duration,

    /// What the sign-in form offers: ticked or unticked (a box "Stay signed in"), always (no box; every session
    /// outlives the browser) or never (no box; none does). A script that sends no field `remember_asked` stays signed
    /// in.
    #[arg(long, env = "VESTIBULE_REMEMBER", value_name = "CHOICE", value_parser = remember)]
    #[arg(default_value = "ticked", help_heading = SESSIONS)]
    remember: Remember,

    /// How long a session without "Stay signed in" lasts at most. The browser drops its cookie when it is closed.
    #[arg(long, env = "VESTIBULE_TRANSIENT", value_name = "DURATION", value_parser = period)]
    #[arg(default_value = "12h", help_heading = SESSIONS)]
    transient: Duration,

    /// Maximum number of live sessions per user; signing in once more ends the oldest.
    #[arg(long, env = "VESTIBULE_SESSIONS_PER_USER", value_name = "COUNT", default_value = "100")]
    #[arg(value_parser = number::<1, 10_000>, help_heading = SESSIONS)]
    sessions_per_user: u32,
}

/// How many failed attempts are allowed, and how long the audit log is kept.
#[derive(Args)]
struct ThrottleArgs {
    /// How long records are kept in the audit log, which is the table audit.
    #[arg(long, env = "VESTIBULE_AUDIT", value_name = "DURATION", value_parser = period)]
    #[arg(default_value = "90d", help_heading = GUESSING)]
    audit: Duration,

    /// Wrong passwords for one name before attempts have to wait. Each further one is followed by a wait in which
    /// attempts are refused: with 5, the sixth attempt is still checked, and the next one has to wait. A browser that
    /// has signed in to the account before has an allowance of its own.
    #[arg(long, env = "VESTIBULE_THROTTLE_FREE", value_name = "COUNT", default_value = "5")]
    #[arg(value_parser = number::<0, { u32::MAX }>, help_heading = GUESSING)]
    throttle_free: u32,

    /// The longest wait after wrong passwords for one name. The first is one second, and each further failure
    /// doubles it.
    #[arg(long, env = "VESTIBULE_THROTTLE_WAIT", value_name = "DURATION")]
    #[arg(default_value = "30m", value_parser = period, help_heading = GUESSING)]
    throttle_wait: Duration,

    /// Wrong passwords from one address, or from one IPv6 /64, for any names, before it has to wait.
    #[arg(long, env = "VESTIBULE_THROTTLE_ADDRESS_FREE", value_name = "COUNT")]
    #[arg(default_value = "20", value_parser = number::<1, 1_000_000>)]
    #[arg(help_heading = GUESSING)]
    throttle_address_free: u32,

    /// After --throttle-address-free wrong passwords, an address may make one more attempt in each such period.
    #[arg(long, env = "VESTIBULE_THROTTLE_ADDRESS_EVERY", value_name = "DURATION")]
    #[arg(default_value = "6s", value_parser = period, help_heading = GUESSING)]
    throttle_address_every: Duration,

    /// Maximum number of names and addresses whose failures are counted. Beyond it the least important
    /// counts are dropped.
    #[arg(long, env = "VESTIBULE_THROTTLE_ROWS", value_name = "COUNT")]
    #[arg(default_value = "100000", value_parser = number::<1_000, { u32::MAX }>)]
    #[arg(help_heading = GUESSING)]
    throttle_rows: u32,

    /// Accounts that may be created from one address before it has to wait; only with --origin.
    #[arg(long, env = "VESTIBULE_SIGNUP_FREE", value_name = "COUNT")]
    #[arg(default_value = "10", value_parser = number::<1, 1_000_000>)]
    #[arg(help_heading = GUESSING)]
    signup_free: u32,

    /// After --signup-free accounts, an address may create one more in each such period.
    #[arg(long, env = "VESTIBULE_SIGNUP_EVERY", value_name = "DURATION")]
    #[arg(default_value = "1m", value_parser = period, help_heading = GUESSING)]
    signup_every: Duration,
}

/// How much the server takes on at once, and how long it waits.
#[derive(Args)]
struct CapacityArgs {
    /// Worker threads that answer pages. [default: one per core, from 2 to 8]
    #[arg(long, env = "VESTIBULE_WORKERS", value_name = "COUNT", value_parser = count)]
    #[arg(help_heading = CAPACITY)]
    workers: Option<usize>,

    /// Passwords hashed at the same time. Each takes 19 MiB, and up to 64 MiB while it verifies an imported hash; one
    /// at a time may take 256 MiB. [default: one per core, up to 8]
    #[arg(long, env = "VESTIBULE_HASHERS", value_name = "COUNT", value_parser = count)]
    #[arg(help_heading = CAPACITY)]
    hashers: Option<usize>,

    /// Maximum number of connections; fewer if the limit on open files is too low for them. When all are
    /// taken, those that have been idle longest are closed.
    #[arg(long, env = "VESTIBULE_CONNECTIONS", value_name = "COUNT", value_parser = connections)]
    #[arg(default_value_t = gate::CONNECTIONS_MAX, help_heading = CAPACITY)]
    connections: usize,

    /// Maximum number of connections from one address, or from one IPv6 /64. This machine and
    /// --trusted-proxy are exempt.
    #[arg(long, env = "VESTIBULE_CONNECTIONS_PER_ADDRESS", value_name = "COUNT")]
    #[arg(default_value = "64", value_parser = connections, help_heading = CAPACITY)]
    connections_per_address: usize,

    /// Maximum length of all header fields of a request together, in bytes. Longer requests get 431, and so do those
    /// for an app if the proxy passes all of their fields on to the check, as Caddy and Traefik do. For apps with
    /// many or large cookies, raise it to the limit of the proxy.
    #[arg(long, env = "VESTIBULE_HEAD_BYTES", value_name = "BYTES", value_parser = head_bytes)]
    #[arg(default_value_t = gate::head::HEAD_BYTES, help_heading = CAPACITY)]
    head_bytes: usize,

    /// How long a request may take to arrive completely.
    #[arg(long, env = "VESTIBULE_REQUEST_TIMEOUT", value_name = "DURATION")]
    #[arg(default_value = "10s", value_parser = period, help_heading = CAPACITY)]
    request_timeout: Duration,

    /// How long a connection may stay open without a request.
    #[arg(long, env = "VESTIBULE_IDLE_TIMEOUT", value_name = "DURATION")]
    #[arg(default_value = "15s", value_parser = period, help_heading = CAPACITY)]
    idle_timeout: Duration,

    /// How long a client may take to read a response.
    #[arg(long, env = "VESTIBULE_ANSWER_TIMEOUT", value_name = "DURATION")]
    #[arg(default_value = "20s", value_parser = period, help_heading = CAPACITY)]
    answer_timeout: Duration,
}

impl ServeArgs {
    /// Checks the settings and serves with them. What goes wrong from then on is a line of the log, unless it is a
    /// terminal that would show it. `clock` is read whenever the time is needed.
    pub(super) fn run(self, out: &mut Output, clock: fn() -> Moment) -> Result<(), Failure> {
        let mut config = self.check().map_err(Failure::usage)?;
        config.log.has_priorities = journal::has_standard_error();
        let log = config.log;
        config.serve(out, clock).map_err(|failure| {
            if failure.is_usage() || io::stderr().is_terminal() {
                return failure;
            }
            // The exit code tells it where this cannot be written.
            drop(io::stderr().write_all(log.last_line(&failure.text, clock()).as_bytes()));
            Failure::logged(failure.code)
        })
    }
}

impl Config {
    /// Opens the database, listens, and serves until it is told to stop.
    fn serve(self, out: &mut Output, clock: fn() -> Moment) -> Result<(), Failure> {
        let is_new = is_to_be_made(&self.database);
        let opened = patiently(&self.database, || store::open(&self.database));
        let store = opened.map_err(|err| told(&self.database, &err))?;
        sealing_key::claim(&*store, self.web.sealing_key.as_ref())?;
        let listeners = Listeners::open(&self.listen, self.socket_mode)?;
        let metrics = self.metrics.as_ref();
        let metrics = metrics.map(|it| MetricsListener::open(it, self.socket_mode)).transpose()?;
        server::prove_threads(&self.server.limits)?;
        let log = Arc::new(Log::to(io::stderr(), self.log));
        let hasher = Hasher::new(self.server.limits.hashers, Cost::OWASP);
        let opening = Opening::of(&self, is_new, store.upgraded());
        let reach = Reach::of(self.server.url.as_deref(), &listeners.addresses());
        let first = invitations::create_first(&*store, self.web.sign_ups, clock());
        let site = Site::new(store, hasher, self.web);
        opening.log(&site, &log, clock());
        if let Err(err) = &first {
            tell_no_link(&log, err, clock());
        }
        let mut link = first.ok().flatten().map(|it| first_link(&reach, &it));
        let is_terminal = Output::is_terminal();
        if let Some(link) = link.take_if(|_| !is_terminal) {
            out.print(link);
            out.check().inspect_err(|_| log.flush(FLUSH_WAIT, clock()))?;
        }
        let ready = || {
            if is_terminal {
                // What is to be opened stands below the lines about the start.
                log.flush(FLUSH_WAIT, clock());
                if let Some(link) = link {
                    out.print(link);
                }
                out.print(reach.line() + "\n");
            }
        };
        let served = server::serve(listeners, metrics, self.server, site, log.clone(), ready);
        // Why it ended comes after the lines before.
        Ok(served.inspect_err(|_| log.flush(FLUSH_WAIT, clock()))?)
    }
}

/// What the log and the audit log say at start.
struct Opening {
    database: String,
    /// The note that the database was created just now.
    made: Option<String>,
    /// The versions of the schema before and after, if it was upgraded just now.
    upgraded: Option<(u32, u32)>,
    settings: Vec<(&'static str, String)>,
    warnings: Vec<ConfigWarning>,
}

impl Opening {
    fn of(config: &Config, is_new: bool, upgraded: Option<(u32, u32)>) -> Self {
        Self {
            database: place(&config.database),
            made: is_new.then(|| made(&config.database)),
            upgraded,
            settings: config.facts_at_start(),
            warnings: config.warnings(),
        }
    }

    fn log(&self, site: &Site, log: &Log, now: Moment) {
        let version = ("version", env!("CARGO_PKG_VERSION"));
        log.write(
            LineKind::Program,
            ProgramEvent::Start,
            &[version, ("database", &*self.database)],
            now,
        );
        if let Some(hint) = &self.made {
            log.write(LineKind::Program, ProgramEvent::DbMade, &[("hint", hint)], now);
        }
        if let Some((from, to)) = self.upgraded {
            let (from, to) = (from.to_string(), to.to_string());
            let facts = [("from", &*from), ("to", &*to)];
            log.write(LineKind::Program, ProgramEvent::DbUpgraded, &facts, now);
        }
        let settings = self.settings.iter().map(|(name, value)| (*name, value.as_str()));
        let settings: Vec<_> = settings.collect();
        log.write(LineKind::Program, Event::Settings, &settings, now);
        for ConfigWarning { event, about, hint } in &self.warnings {
            let about = about.iter().map(|(name, text)| (*name, text.as_str()));
            let facts: Vec<_> = about.chain([("hint", *hint)]).collect();
            log.write(LineKind::Program, *event, &facts, now);
        }
        server::compare_clock(site, log, now);
        let record = Record::of_program(Event::Settings.name(), log_fields::text(&settings), now);
        if let Err(err) = site.keep(&[record]) {
            // Another server may hold the lock; that is no reason not to serve.
            log.write(
                LineKind::Program,
                ProgramEvent::AuditFailed,
                &[("cause", &err.to_string())],
                now,
            );
        }
    }
}

/// Logs that there is no link for the first account. Another server may hold the lock; then it has created the link.
fn tell_no_link(log: &Log, err: &store::Error, now: Moment) {
    let cause = ("cause", &*err.to_string());
    log.write(LineKind::Program, ProgramEvent::NoFirstLink, &[cause], now);
}

/// The link for the first account, where sign-up is not open and there are no users yet. It goes to standard
/// output: a link is a secret, and the log holds none.
fn first_link(reach: &Reach, token: &Token) -> Printout {
    let (link, advice) = reach.link(&format!("/signup?invite={}", token.reveal()));
    let advice = advice.map_or(String::new(), |it| it + "\n");
    Printout {
        text: format!(
            "There are no users yet. This link creates the first account; it works once, within an hour:\n  \
             {link}\n{advice}"
        ),
        lost: Some(
            "the link for the first account was made and not shown; the next start makes another in its \
             place"
                .to_owned(),
        ),
    }
}
