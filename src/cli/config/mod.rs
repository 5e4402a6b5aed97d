//! The settings: flags and environment, checked once, and nothing of them read anywhere else.
//!
//! Decides what an operator may set and what is refused as unsafe or meaningless. There is no
//! configuration file.

mod copy;
mod invite;
mod look;
mod names;
mod operator;
mod user;

use std::ffi::OsString;
use std::io::{BufRead, Read};
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use ipnet::IpNet;

pub use copy::{CopyFlags, Copying};
pub use invite::{InviteAction, InviteFlags};
pub use names::NameRestFlag;
pub use operator::{
    AuditFlags, BackupFlags, ExportFlags, MigrateFlags, RestoreFlags, SessionAction, SessionFlags,
    TokenAction, TokenFlags,
};
pub use user::{KeyAction, UserAction, UserFlags};

pub use crate::cli::database::DatabaseFlags;
pub use crate::cli::doctor::DoctorFlags;
pub use crate::cli::import::ImportFlags;
pub use crate::cli::manual::{completions, write_manual, write_reference};
pub use crate::cli::proxy_config::ProxyFlags;

use crate::auth::invitations::SignUps;
use crate::auth::password_policy::Policy;
use crate::auth::sessions::Periods;
use crate::auth::sign_in::Rules;
use crate::auth::throttle;
use crate::cli::environment;
use crate::server::ServerConfig;
use crate::server::gate::{self, Listen};
use crate::store::Database;
use crate::web::client_ip;
use crate::web::origin::{Domain, Origin, Rule, is_public_suffix, own_domain};
use crate::web::pages::Remember;
use crate::web::{Alias, IdentityHeaders, Settings};

/// The longest period that can be set. Browsers keep no cookie for longer than 400 days anyway.
pub(super) const PERIOD_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The shortest: what cookies count in.
const PERIOD_MIN: Duration = Duration::from_secs(1);

/// The most workers of either lane.
const COUNT_MAX: usize = 256;

/// The most of them by default, however many cores there are: more than the one thread of the gate hands
/// pages to, and hashes for some 500 sign-ins a second. The limits of contrib/vestibule.service have room
/// for so many; a test holds that.
const COUNT_DEFAULT_MAX: usize = 8;

/// The command line. Its texts are what `--help` says, and docs/commands.md and docs/settings.md.
#[derive(Parser)]
#[command(
    name = "vestibule",
    version,
    about = "The entrance to your web app: signs people up, signs them in, remembers them, shows \
             them who they are and lets them out.",
    after_help = "Example:\n  # try it out on http://127.0.0.1:8080\n  vestibule serve\n\n\
                  Every command but restore and copy may run beside the server, on the same --database (or \
                  VESTIBULE_DATABASE), as the user that the server runs as, or as root while it runs. A change \
                  takes effect at the next request and is recorded in the audit log; so are backups and copies.\n\n\
                  A setting that serve has too, such as --origin, is read from the same environment variable. \
                  Passwords come from a prompt or from standard input. With --json a command prints one \
                  object per line. Exit codes: 0 done; 1 not done, or the output could not be written; 2 wrong \
                  usage. A reader that closes the pipe early, as head does, is no error, unless an export or a \
                  new link is lost.",
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program can do.
#[derive(Subcommand)]
pub enum Command {
    /// Serve the site until SIGTERM, SIGINT or SIGHUP.
    #[command(after_help = "Examples:\n  \
            # try it out on http://127.0.0.1:8080, with vestibule.db in this folder\n  \
            vestibule serve\n  \
            # behind a reverse proxy that ends TLS and passes everything on to 127.0.0.1:8080\n  \
            vestibule serve --origin https://auth.example.com --trusted-proxy 127.0.0.1 \
            --database /var/lib/vestibule/vestibule.db\n\n\
            Every flag can be set in the environment instead, as VESTIBULE_LISTEN for --listen, and a switch \
            with true or false. A flag takes precedence, and an empty variable counts as not set. A \
            VESTIBULE_ variable that is not a setting of any command is refused, except for those that Kubernetes \
            sets for services. There is no configuration file.\n\n\
            The log goes to standard error, one logfmt line per event. SIGTERM, SIGINT and SIGHUP stop the \
            server once requests in flight are answered; under nohup SIGHUP is ignored.\n\n\
            Exit codes: 0 stopped as asked; \
            1 could not start or go on; 2 a setting is wrong.")]
    Serve(Box<Flags>),

    /// Manage accounts: passwords, groups, addresses, access.
    User(Box<UserFlags>),

    /// List and end sessions.
    Session(SessionFlags),

    /// Manage invitations: links with which people create their accounts.
    Invite(InviteFlags),

    /// List and revoke access tokens.
    Token(TokenFlags),

    /// Show the audit log: what happened that matters for security.
    Audit(AuditFlags),

    /// Copy the database file while the server runs, consistent as of one moment; nobody waits for it.
    /// Keep the copy as private as the database.
    Backup(BackupFlags),

    /// Replace the database file by a backup, with the server stopped. Sessions, access tokens, invitations
    /// and reset links in it are dropped, as some may have ended since.
    Restore(RestoreFlags),

    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  \
            vestibule completions bash > /etc/bash_completion.d/vestibule")]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },

    /// Write the manual pages, one for each command.
    #[command(after_help = "Examples:\n  \
            vestibule manual /usr/local/share/man/man1\n  \
            # settings.md and commands.md, as in the project's docs\n  \
            vestibule manual --markdown docs")]
    Manual {
        /// The folder to write to.
        folder: PathBuf,
        /// Write the reference of settings and commands in Markdown instead.
        #[arg(long)]
        markdown: bool,
    },

    /// Check the settings of serve and the database: versions, integrity, orphaned rows, who else may
    /// access the file.
    #[command(after_help = "Example:\n  \
            vestibule check --origin https://auth.example.com --database /var/lib/vestibule/vestibule.db\n\n\
            Prints one line per finding. Exit codes: 0 all in order; 1 the database is not; 2 a setting is \
            wrong.")]
    Check(Box<CheckFlags>),

    /// Write all users with their password hashes as JSON lines, while the server runs and consistent as
    /// of one moment.
    Export(ExportFlags),

    /// Import users from another system, with their passwords and, where possible, their sessions.
    Import(ImportFlags),

    /// Copy everything into another database, a file or servers, so that everyone stays signed in.
    Copy(CopyFlags),

    /// Bring the tables of a database up to date, as serve does when it starts.
    Migrate(MigrateFlags),

    /// Print the configuration of a reverse proxy that guards apps.
    #[command(after_help = "Example:\n  \
            vestibule proxy-config nginx --origin https://auth.example.com --cookie-domain example.com \
            --app https://app.example.com --upstream http://127.0.0.1:3000 \
            > /etc/nginx/conf.d/vestibule.conf\n\n\
            Then `vestibule doctor https://app.example.com` checks that it holds.")]
    ProxyConfig(Box<ProxyFlags>),

    /// Check from outside whether a reverse proxy guards an app.
    #[command(after_help = "Examples:\n  \
            # ask it as an unauthenticated client: pages, forms, scripts, sockets, forged headers\n  \
            vestibule doctor https://app.example.com\n  \
            # also try two more paths, and what the app receives when ann has signed in\n  \
            vestibule doctor https://app.example.com --path /metrics,/ws \\\n    \
            --sign-in ann --origin https://auth.example.com < password\n  \
            # before DNS points there, with a private certificate authority\n  \
            vestibule doctor https://app.test --ca ca.pem --resolve app.test:443:10.0.0.5 \\\n    \
            --resolve auth.test:443:10.0.0.5\n\n\
            Prints one line per finding on standard output: ok, FAIL with what to do, or skip. \
            Exit codes: 0 nothing is wrong; 1 something is, or nothing answers; 2 a flag is wrong.")]
    Doctor(Box<DoctorFlags>),

    /// Print the help of a command, as its --help does.
    #[command(after_help = "Example:\n  vestibule help user add")]
    Help {
        /// The command; without it the program.
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },

    /// Print the version.
    #[command(after_help = "Example:\n  vestibule version")]
    Version,
}

/// `vestibule check`.
#[derive(Args)]
pub struct CheckFlags {
    /// Print JSON, for scripts.
    #[arg(long)]
    pub json: bool,

    /// The settings to check.
    #[command(flatten)]
    pub flags: Flags,
}

/// The settings of `vestibule serve`, as they were given. A doc comment here is the text of the flag
/// in `--help`, in the manual pages and in docs/settings.md; `help_heading` is its section there.
// Angle brackets would be noise in --help.
#[allow(rustdoc::bare_urls)]
#[derive(Args)]
pub struct Flags {
    /// Where to listen: ADDR:PORT, or unix:/path for a Unix socket; several are comma-separated.
    /// Sockets that systemd passes (LISTEN_FDS) are used instead.
    #[arg(long, env = "VESTIBULE_LISTEN", value_name = "ADDRESS,...", value_parser = listen)]
    #[arg(default_value = "127.0.0.1:8080", value_delimiter = ',', help_heading = NETWORK)]
    listen: Vec<Listen>,

    /// Permissions of a Unix socket, in octal: who may connect to it.
    #[arg(long, env = "VESTIBULE_SOCKET_MODE", value_name = "MODE", value_parser = mode)]
    #[arg(default_value = "660", help_heading = NETWORK)]
    socket_mode: u32,

    /// Reverse proxies whose X-Forwarded-For is trusted: addresses or networks such as 127.0.0.1 or
    /// 10.0.0.0/8, comma-separated. The client address they report is used in the log and for
    /// throttling, and `GET /whoami` shows it to a signed-in user. Without it the field is ignored.
    #[arg(long, env = "VESTIBULE_TRUSTED_PROXY", value_name = "CIDR,...", value_parser = network)]
    #[arg(value_delimiter = ',', help_heading = NETWORK)]
    trusted_proxy: Vec<IpNet>,

    /// Allow plain http on an address that other machines can reach. Passwords then cross the network
    /// unencrypted.
    #[arg(long, env = "VESTIBULE_INSECURE_HTTP", value_parser = FalseyValueParser::new())]
    #[arg(help_heading = NETWORK)]
    insecure_http: bool,

    /// Where the database is.
    #[command(flatten)]
    database: DatabaseFlags,

    /// URL at which browsers reach the site, as in https://auth.example.com. With https, cookies are
    /// Secure and named `__Host-auth_session`, HSTS is sent, and forms are accepted from this origin
    /// alone. Without an origin the site is served over plain http, for trying it out.
    #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL", value_parser = origin)]
    #[arg(help_heading = ORIGIN)]
    origin: Option<Origin>,

    /// Other origins whose pages may submit forms here, comma-separated.
    #[arg(long, env = "VESTIBULE_TRUSTED_ORIGIN", value_name = "URL,...", value_parser = origin)]
    #[arg(value_delimiter = ',', help_heading = ORIGIN)]
    trusted_origin: Vec<Origin>,

    /// Refuse requests that would change something and do not say which site they come from. Browsers
    /// always say it; curl does not.
    #[arg(long, env = "VESTIBULE_STRICT_ORIGIN", value_parser = FalseyValueParser::new())]
    #[arg(help_heading = ORIGIN)]
    strict_origin: bool,

    /// Share one sign-in between all hosts of this domain, as in example.com for auth.example.com and
    /// app.example.com. The session cookie is then named `__Secure-auth_session`, carries this domain,
    /// and is sent to every app there. It has to be a domain of your own: browsers keep no cookie for a
    /// public suffix such as co.uk or duckdns.org. Without it the sign-in is for one host alone.
    #[arg(long, env = "VESTIBULE_COOKIE_DOMAIN", value_name = "DOMAIN", value_parser = domain)]
    #[arg(help_heading = APPS)]
    cookie_domain: Option<Domain>,

    /// Apps behind this sign-in, comma-separated: the only other sites to which users are redirected
    /// after signing in. Without it, every https site under --cookie-domain.
    #[arg(long, env = "VESTIBULE_APP", value_name = "URL,...", value_parser = origin)]
    #[arg(value_delimiter = ',', help_heading = APPS)]
    app: Vec<Origin>,

    /// Also answer the check endpoints of other forward-auth servers, so that a set-up moves by changing
    /// a host name: authelia, tinyauth, oauth2-proxy, vouch; comma-separated.
    #[arg(long, env = "VESTIBULE_ALIAS", value_name = "NAME,...", value_parser = alias)]
    #[arg(value_delimiter = ',', help_heading = APPS)]
    alias: Vec<Alias>,

    /// Other names for the headers that tell apps who the user is, as in
    /// `user=X-WEBAUTH-USER,email=X-WEBAUTH-EMAIL`; for user, id, name, groups and email.
    /// [default: Remote-User, Remote-Id, Remote-Name, Remote-Groups, Remote-Email]
    #[arg(long, env = "VESTIBULE_IDENTITY_HEADER", value_name = "WHAT=NAME,...")]
    #[arg(value_delimiter = ',', value_parser = identity_header, help_heading = APPS)]
    identity_header: Vec<(Told, &'static str)>,

    /// Let scripts and mobile clients reach apps with a name and password (HTTP Basic), or with an
    /// access token that its owner creates on the account page (HTTP Basic or Bearer).
    #[arg(long, env = "VESTIBULE_BASIC_AUTH", value_parser = FalseyValueParser::new())]
    #[arg(help_heading = APPS)]
    basic_auth: bool,

    /// Who may create an account: open (anyone), invite (anyone with a link from `vestibule invite new`)
    /// or closed (only the operator, with `vestibule user add`). With invite or closed, a start on a
    /// database without users prints a one-time link, valid for an hour, that creates the first account.
    /// It is printed on standard output and is not in the log; a service manager may keep both.
    #[arg(long, env = "VESTIBULE_SIGNUP", value_name = "CHOICE", value_parser = signup)]
    #[arg(default_value = "open", help_heading = ACCOUNTS)]
    signup: SignUps,

    /// How long names rest, and which are reserved.
    #[command(flatten)]
    names: names::NameFlags,

    /// Which passwords users may choose: seed (6 to 255 characters), standard (8 to 255, not a common
    /// password, not the username) or nist (15 to 255, otherwise as standard). [default: seed without
    /// --origin, standard with it]
    #[arg(long, env = "VESTIBULE_PASSWORD_POLICY", value_name = "POLICY", value_parser = policy)]
    #[arg(help_heading = ACCOUNTS)]
    password_policy: Option<Policy>,

    /// How long a session stays active. Then it is idle; the next request makes it active again, and its
    /// cookie is sent again.
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

    /// What the sign-in form offers: ticked or unticked (a box "Stay signed in"), always (no box, every
    /// session is kept) or never (no box, none is). A script that sends no field `remember_asked` stays
    /// signed in.
    #[arg(long, env = "VESTIBULE_REMEMBER", value_name = "CHOICE", value_parser = remember)]
    #[arg(default_value = "ticked", help_heading = SESSIONS)]
    remember: Remember,

    /// How long a session lasts without "Stay signed in", where the browser drops the cookie when it is
    /// closed.
    #[arg(long, env = "VESTIBULE_TRANSIENT", value_name = "DURATION", value_parser = period)]
    #[arg(default_value = "12h", help_heading = SESSIONS)]
    transient: Duration,

    /// Maximum number of live sessions per user; signing in once more ends the oldest.
    #[arg(long, env = "VESTIBULE_SESSIONS_PER_USER", value_name = "COUNT", default_value = "100")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000), help_heading = SESSIONS)]
    sessions_per_user: u32,

    /// How long records stay in the audit log, the table audit.
    #[arg(long, env = "VESTIBULE_AUDIT", value_name = "DURATION", value_parser = period)]
    #[arg(default_value = "90d", help_heading = GUESSING)]
    audit: Duration,

    /// Wrong passwords for one name before further attempts have to wait. A browser that has signed in
    /// to the account before has an allowance of its own.
    #[arg(long, env = "VESTIBULE_THROTTLE_FREE", value_name = "COUNT", default_value = "5")]
    #[arg(help_heading = GUESSING)]
    throttle_free: u32,

    /// The longest such wait. The first is one second, and each further failure doubles it.
    #[arg(long, env = "VESTIBULE_THROTTLE_WAIT", value_name = "DURATION")]
    #[arg(default_value = "30m", value_parser = period, help_heading = GUESSING)]
    throttle_wait: Duration,

    /// Wrong passwords from one address, or from one IPv6 /64, whatever the names.
    #[arg(long, env = "VESTIBULE_THROTTLE_ADDRESS_FREE", value_name = "COUNT")]
    #[arg(default_value = "20", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    #[arg(help_heading = GUESSING)]
    throttle_address_free: u32,

    /// Once these are used up, the address is allowed one more in each period of this length.
    #[arg(long, env = "VESTIBULE_THROTTLE_ADDRESS_EVERY", value_name = "DURATION")]
    #[arg(default_value = "6s", value_parser = period, help_heading = GUESSING)]
    throttle_address_every: Duration,

    /// Maximum number of names and addresses whose failures are counted. Beyond it the least important
    /// counts are dropped.
    #[arg(long, env = "VESTIBULE_THROTTLE_ROWS", value_name = "COUNT")]
    #[arg(default_value = "100000", value_parser = clap::value_parser!(u32).range(1_000..))]
    #[arg(help_heading = GUESSING)]
    throttle_rows: u32,

    /// Accounts that may be created from one address; only with --origin.
    #[arg(long, env = "VESTIBULE_SIGNUP_FREE", value_name = "COUNT")]
    #[arg(default_value = "10", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    #[arg(help_heading = GUESSING)]
    signup_free: u32,

    /// Once these are used up, the address is allowed one more in each period of this length.
    #[arg(long, env = "VESTIBULE_SIGNUP_EVERY", value_name = "DURATION")]
    #[arg(default_value = "1m", value_parser = period, help_heading = GUESSING)]
    signup_every: Duration,

    /// How the pages look.
    #[command(flatten)]
    look: look::LookFlags,

    /// Worker threads that answer pages. [default: one per core, from 2 to 8]
    #[arg(long, env = "VESTIBULE_WORKERS", value_name = "COUNT", value_parser = count)]
    #[arg(help_heading = CAPACITY)]
    workers: Option<usize>,

    /// Passwords hashed at the same time. Each takes 19 MiB, and 32 MiB more while it verifies a hash
    /// that came from Lucia. [default: one per core, up to 8]
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

/// The sections of `vestibule serve --help`, in their order.
const NETWORK: &str = "Network";
pub(super) const DATABASE: &str = "Database";
const ORIGIN: &str = "Origin";
const APPS: &str = "Apps behind the sign-in";
const ACCOUNTS: &str = "Accounts";
const SESSIONS: &str = "Sessions";
const GUESSING: &str = "Throttling and audit log";
const APPEARANCE: &str = "Appearance";
const CAPACITY: &str = "Capacity and timeouts";

/// The most of standard input that may be a password's line.
const LINE_BYTES_MAX: u64 = 4_096;

/// A password, as one line of `input`. An error is one line that says what would do.
pub fn line(input: &mut impl BufRead) -> Result<String, String> {
    let mut line = String::new();
    let read = input.take(LINE_BYTES_MAX).read_line(&mut line);
    read.map_err(|err| format!("cannot read the password from standard input: {err}"))?;
    let password = line.trim_end_matches(['\r', '\n']);
    match password {
        "" => Err("give the password on standard input, as one line".to_owned()),
        password => Ok(password.to_owned()),
    }
}

/// The settings, checked.
pub struct Config {
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// The mode of a Unix socket.
    pub socket_mode: u32,
    /// Where the database is.
    pub database: Database,
    /// What the site needs to know.
    pub site: Settings,
    /// What the shell around it needs to know.
    pub setup: ServerConfig,
}

impl Config {
    /// Where the site is reached, without a slash at the end: its origin, or without one the first TCP
    /// socket. `None` if there is neither.
    pub fn address(&self) -> Option<String> {
        let listens = self.listen.iter().find_map(|it| match it {
            Listen::Tcp(address) if !address.ip().is_unspecified() => {
                Some(format!("http://{address}"))
            }
            Listen::Tcp(_) | Listen::Unix(_) => None,
        });
        self.site.rule.own.as_ref().map(ToString::to_string).or(listens)
    }

    /// Trusted networks in which there are strangers, who could claim any address: see
    /// [`client_ip::is_too_wide`].
    pub fn wide_proxies(&self) -> Option<String> {
        let wide = self.site.trusted_proxies.iter().filter(|it| client_ip::is_too_wide(it));
        let wide: Vec<_> = wide.map(ToString::to_string).collect();
        (!wide.is_empty()).then(|| wide.join(","))
    }

    /// What an operator should know at start who guards apps: with open sign-up anybody can become
    /// somebody whom a check lets through.
    pub fn warning(&self) -> Option<&'static str> {
        let Settings { cookie_domain, apps, aliases, basic_auth, sign_ups, .. } = &self.site;
        let guards_apps =
            cookie_domain.is_some() || !apps.is_empty() || !aliases.is_empty() || *basic_auth;
        (guards_apps && *sign_ups == SignUps::Open).then_some(
            "anybody can make an account, and a check that names no users or groups lets every account \
             through; --signup invite or closed keeps strangers out",
        )
    }

    /// What the log and the audit trail say about the settings at start: those that matter for
    /// security.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let Settings { rule, rules, .. } = &self.site;
        let domain = self.site.cookie_domain.as_ref();
        let Periods { active, idle, absolute, most, .. } = rules.periods;
        let time = |it| humantime::format_duration(it).to_string().replace(' ', "");
        let list =
            |all: Vec<String>| if all.is_empty() { "none".to_owned() } else { all.join(",") };
        let proxies = self.setup.limits.trusted_proxies.iter().map(ToString::to_string);
        vec![
            ("origin", rule.own.as_ref().map_or("none".to_owned(), ToString::to_string)),
            ("trusted_origin", list(rule.trusted.iter().map(ToString::to_string).collect())),
            ("strict_origin", rule.strict.to_string()),
            ("app", list(self.site.apps.iter().map(ToString::to_string).collect())),
            ("alias", list(self.site.aliases.iter().map(|it| it.as_str().to_owned()).collect())),
            ("identity_header", self.site.identity.all().join(",")),
            ("basic_auth", self.site.basic_auth.to_string()),
            ("cookie_domain", domain.map_or("none", Domain::as_str).to_owned()),
            ("trusted_proxy", list(proxies.collect())),
            ("signup", format!("{:?}", self.site.sign_ups).to_lowercase()),
            ("name_rest", time(rules.rest.length())),
            ("password_policy", format!("{:?}", self.site.policy()).to_lowercase()),
            ("active", time(active)),
            ("idle", time(idle)),
            ("absolute", time(absolute)),
            ("sessions_per_user", most.to_string()),
            ("throttle_free", rules.limits.free.to_string()),
            ("throttle_wait", time(rules.limits.wait_max)),
        ]
    }
}

/// Why a command line names nothing to do.
#[derive(Debug)]
pub enum Unread {
    /// It asks for help or for the version, which is this text.
    Help(String),
    /// It is wrong, or the environment is; one line for the operator.
    Wrong(String),
}

impl CommandLine {
    /// Reads the command line and the environment.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, Unread> {
        let words: Vec<_> = arguments.into_iter().collect();
        let is_in_short = words.iter().any(|it| it == "-h");
        let shown = if is_in_short { shorten(definition()) } else { definition() };
        let matches = forget_empty(shown).try_get_matches_from(&words);
        if let Err(err) = &matches
            && !err.use_stderr()
        {
            return Err(Unread::Help(err.to_string()));
        }
        // Before what is wrong on the command line, which may lack what a misspelt variable says.
        environment::check(&definition(), std::env::vars_os()).map_err(Unread::Wrong)?;
        let line = matches.and_then(|it| Self::from_arg_matches(&it));
        line.map_err(|err| match err.kind() {
            // A group of commands alone, as in `vestibule user`.
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
                if is_bare(&words) =>
            {
                help(words.into_iter().skip(1)).map_or_else(Unread::Wrong, Unread::Help)
            }
            _ => Unread::Wrong(one_line(&err)),
        })
    }
}

/// The help of the command that these words name, or of the program if there are none.
pub fn help(words: impl Iterator<Item = OsString>) -> Result<String, String> {
    let words = [OsString::from("vestibule")].into_iter().chain(words).chain(["--help".into()]);
    match forget_empty(definition()).try_get_matches_from(words) {
        Err(err) if err.use_stderr() => Err(one_line(&err)),
        Err(err) => Ok(err.to_string()),
        Ok(_) => Err("write it as in vestibule help user add".to_owned()),
    }
}

/// What the program is called, and its version.
pub fn version() -> String {
    CommandLine::command().render_version()
}

/// Whether a command line has no flags.
fn is_bare(words: &[OsString]) -> bool {
    !words.iter().skip(1).any(|it| it.to_string_lossy().starts_with('-'))
}

/// The exit codes of a command that says nothing else of them.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 done; 1 not done; 2 wrong usage.";

/// The command line, with what every help says.
pub(super) fn definition() -> clap::Command {
    tell_exit_codes(CommandLine::command())
}

/// The texts as `-h` has them: a line for each command and flag, and an example.
fn shorten(command: clap::Command) -> clap::Command {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let example = after.split("\n\n").next().unwrap_or_default();
    let codes = after.rfind("Exit codes:").map_or("", |at| &after[at..]);
    let after = format!("{example}\n\n{codes}\n\n--help tells more.");
    // A line is a line, whatever the width of the terminal.
    let command = command.about(headline(&about).to_owned()).after_help(after).term_width(0);
    command.mut_args(shorten_arg).mut_subcommands(shorten)
}

fn shorten_arg(arg: Arg) -> Arg {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    // A default that depends on others is in the text.
    let default = help.find(" [default: ").map_or("", |at| &help[at..]);
    let help = format!("{}{default}", headline(&help));
    arg.help(help).hide_env(true)
}

/// What a text begins with: all before its first detail.
fn headline(text: &str) -> &str {
    let ends = [". ", ": ", "; ", ", as in ", ", such as ", " ("];
    let end = ends.iter().filter_map(|it| text.find(it)).min();
    &text[..end.unwrap_or(text.len())]
}

fn tell_exit_codes(command: clap::Command) -> clap::Command {
    let said = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let command = if said.contains("Exit codes:") {
        command
    } else {
        command.after_help(format!("{said}\n\n{EXIT_CODES}"))
    };
    command.mut_subcommands(tell_exit_codes)
}

/// Drops empty environment variables from a command and its subcommands.
fn forget_empty(command: clap::Command) -> clap::Command {
    command.mut_args(forget_if_empty).mut_subcommands(forget_empty)
}

/// A variable that is set to nothing, as files of variables often have it, counts as not set.
fn forget_if_empty(arg: Arg) -> Arg {
    let is_empty = arg.get_env().and_then(std::env::var_os).is_some_and(|it| it.is_empty());
    if is_empty { arg.env(None::<&str>) } else { arg }
}

/// What clap says in several paragraphs, as one sentence, without its pointers to the help.
fn one_line(err: &clap::Error) -> String {
    let text = err.to_string();
    let paragraphs = text.trim_start_matches("error: ").split("\n\n");
    let is_said =
        |it: &&str| !["Usage", "For more", "  tip:"].iter().any(|tip| it.starts_with(tip));
    let said = paragraphs.take_while(|it| !it.starts_with("Usage")).filter(is_said);
    let mut line = said.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    if let Some((what, values)) = line.split_once(" [possible values: ") {
        line = format!("{what}: it must be one of {}", values.trim_end_matches(']'));
    }
    let suggests =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let suggested = suggests.iter().find_map(|kind| match err.get(*kind) {
        Some(ContextValue::String(it)) => Some(it.as_str()),
        Some(ContextValue::Strings(all)) => all.first().map(String::as_str),
        _ => None,
    });
    match suggested {
        Some(it) => format!("{line}; did you mean {it}?"),
        None => line,
    }
}

impl Flags {
    /// Checks the settings together. An error is one line that says what would do.
    pub fn check(self) -> Result<Config, String> {
        let is_https = self.origin.as_ref().is_some_and(Origin::is_https);
        for listen in &self.listen {
            refuse_clear_text(listen, is_https || self.insecure_http)?;
        }
        if self.active > self.absolute {
            return Err("--active must not be longer than --absolute, which ends a session \
                        however much it is used"
                .to_owned());
        }
        let own = self.origin.as_ref();
        refuse_foreign(own, self.cookie_domain.as_ref(), &self.app)?;
        let database = self.database.check()?;
        let identity = identity_headers(&self.identity_header)?;
        let setup = self.setup(&database);
        let limits = self.throttle();
        let look = self.look.check()?;
        let (rest, reserved) = self.names.check()?;
        let Self { active, idle, absolute, transient, sessions_per_user: most, .. } = self;
        let rule =
            Rule { own: self.origin, trusted: self.trusted_origin, strict: self.strict_origin };
        Ok(Config {
            listen: self.listen,
            socket_mode: self.socket_mode,
            database,
            site: Settings {
                rule,
                rules: Rules {
                    periods: Periods { active, idle, absolute, transient, most },
                    limits,
                    rest,
                    reserved,
                },
                trusted_proxies: setup.limits.trusted_proxies.clone(),
                remember: Some(self.remember),
                audit_life: Some(self.audit),
                policy: self.password_policy,
                cookie_domain: self.cookie_domain,
                apps: self.app,
                aliases: self.alias,
                identity,
                basic_auth: self.basic_auth,
                sign_ups: self.signup,
                look,
            },
            setup,
        })
    }

    fn throttle(&self) -> throttle::Limits {
        throttle::Limits {
            free: self.throttle_free,
            wait_max: self.throttle_wait,
            address_free: self.throttle_address_free,
            address_every: self.throttle_address_every,
            sign_up_free: self.signup_free,
            sign_up_every: self.signup_every,
            rows: self.throttle_rows,
        }
    }

    fn setup(&self, database: &Database) -> ServerConfig {
        let cores = thread::available_parallelism().map_or(1, usize::from).min(COUNT_DEFAULT_MAX);
        ServerConfig {
            limits: gate::GateLimits {
                request: self.request_timeout,
                idle: self.idle_timeout,
                answer: self.answer_timeout,
                connections: self.connections,
                connections_per_address: self.connections_per_address,
                trusted_proxies: self.trusted_proxy.clone(),
                workers: self.workers.unwrap_or(cores.max(2)),
                hashers: self.hashers.unwrap_or(cores),
            },
            url: self.origin.as_ref().map(ToString::to_string),
            private_folders: private_folders(database),
        }
    }
}

/// Where private sockets may lie: where the service manager says (the first of systemd's
/// `RuntimeDirectory=`), else beside the database's file, else where temporary files go.
fn private_folders(database: &Database) -> Vec<PathBuf> {
    let runtime = std::env::var_os("RUNTIME_DIRECTORY");
    let runtime = runtime.and_then(|it| std::env::split_paths(&it).next());
    let beside = match database.file().and_then(Path::parent) {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    runtime.into_iter().chain([beside.to_owned(), std::env::temp_dir()]).collect()
}

/// Plain http is for trying out on one machine: on any other address passwords and cookies would
/// cross a network in clear, so that has to be said to be meant.
fn refuse_clear_text(listen: &Listen, may: bool) -> Result<(), String> {
    match listen {
        Listen::Tcp(address) if !address.ip().is_loopback() && !may => Err(format!(
            "other machines can reach {address}, and without an https --origin passwords would \
             cross the network in clear; set --origin, or --insecure-http if that is meant"
        )),
        Listen::Tcp(_) | Listen::Unix(_) => Ok(()),
    }
}

/// One sign-in for several hosts works only where browsers send its cookie to all of them, and that
/// cookie must not cross a network in clear.
pub(super) fn refuse_foreign(
    own: Option<&Origin>,
    domain: Option<&Domain>,
    apps: &[Origin],
) -> Result<(), String> {
    let Some(own) = own else {
        return match (domain, apps) {
            (None, []) => Ok(()),
            _ => {
                Err("--cookie-domain and --app need an --origin: where browsers sign in".to_owned())
            }
        };
    };
    if let Some(domain) = domain {
        let name = domain.as_str();
        if !own.is_https() {
            return Err(format!("--cookie-domain needs an https --origin, and {own} is none"));
        }
        if !domain.covers(own.host()) {
            return Err(format!(
                "{own} does not lie under --cookie-domain {name}, so no browser would keep its cookie"
            ));
        }
    }
    for app in apps {
        let is_reached =
            app.host() == own.host() || domain.is_some_and(|domain| domain.covers(app.host()));
        if !is_reached {
            let shared = own_domain(own.host()).filter(|it| own_domain(app.host()) == Some(it));
            let advice = match shared {
                Some(shared) => format!("set --cookie-domain {shared}"),
                None => "no cookie reaches both, as they lie under no domain of your own (publicsuffix.org): \
                         put them under one, and set --cookie-domain to it"
                    .to_owned(),
            };
            return Err(format!(
                "--app {app} would never get the session cookie of {own}; {advice}"
            ));
        }
        if own.is_https() && !app.is_https() {
            return Err(format!("--app {app} would never get a Secure cookie; it has to be https"));
        }
    }
    Ok(())
}

/// What an app is told of somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    User,
    Id,
    Name,
    Groups,
    Email,
}

impl Told {
    const ALL: [Self; 5] = [Self::User, Self::Id, Self::Name, Self::Groups, Self::Email];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Id => "id",
            Self::Name => "name",
            Self::Groups => "groups",
            Self::Email => "email",
        }
    }
}

/// The headers with their new names. Each has to be one of its own.
pub(super) fn identity_headers(
    renamed: &[(Told, &'static str)],
) -> Result<IdentityHeaders, String> {
    let mut headers = IdentityHeaders::default();
    for (told, name) in renamed {
        *match told {
            Told::User => &mut headers.user,
            Told::Id => &mut headers.id,
            Told::Name => &mut headers.name,
            Told::Groups => &mut headers.groups,
            Told::Email => &mut headers.email,
        } = name;
    }
    let mut names = headers.all().map(str::to_ascii_lowercase);
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("--identity-header gives two things the name {}", pair[0])),
        None => Ok(headers),
    }
}

/// What means something else already, in what proxies say of a request and in our own answers.
const TAKEN: [&str; 6] = [
    "remote-sub",
    "x-content-type-options",
    "x-frame-options",
    "x-real-ip",
    "x-requested-with",
    "x-vouch-user",
];
const TAKEN_PREFIXES: [&str; 3] = ["x-forwarded-", "x-original-", "x-gate-"];

/// But for these, which apps read, though they have the prefix.
const FREE: [&str; 4] = [
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
];

pub(super) fn identity_header(text: &str) -> Result<(Told, &'static str), String> {
    let advice = || "write it as in user=X-WEBAUTH-USER, email=X-WEBAUTH-EMAIL".to_owned();
    let (told, name) = text.split_once('=').ok_or_else(advice)?;
    let told = Told::ALL.into_iter().find(|it| it.as_str() == told).ok_or_else(advice)?;
    let lower = name.to_ascii_lowercase();
    let is_name = lower.len() <= 64
        && lower.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
        && (lower.starts_with("remote-") || lower.starts_with("x-"));
    if !is_name {
        return Err(
            "a name has to begin with Remote- or X-, and to hold a-z, 0-9 and - only".to_owned()
        );
    }
    let has_prefix = TAKEN_PREFIXES.iter().any(|it| lower.starts_with(it));
    if TAKEN.contains(&&*lower) || (has_prefix && !FREE.contains(&&*lower)) {
        return Err(format!("{name} means something else already"));
    }
    // Read once, at start, and needed until the program ends.
    Ok((told, Box::leak(name.to_owned().into_boxed_str())))
}

fn alias(text: &str) -> Result<Alias, String> {
    let found = Alias::ALL.into_iter().find(|it| it.as_str() == text);
    found.ok_or_else(|| "it must be authelia, tinyauth, oauth2-proxy or vouch".to_owned())
}

pub(super) fn domain(text: &str) -> Result<Domain, String> {
    let domain = Domain::parse(text).ok_or_else(|| "write it as in example.com".to_owned())?;
    let name = domain.as_str();
    if is_public_suffix(name) {
        return Err(format!(
            "browsers keep no cookie for all of {name}, where anybody can have a host \
             (publicsuffix.org); write your own domain, as in example.{name}"
        ));
    }
    Ok(domain)
}

pub(super) fn listen(text: &str) -> Result<Listen, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        return match path {
            "" => Err("the path of the socket is missing".to_owned()),
            path => Ok(Listen::Unix(PathBuf::from(path))),
        };
    }
    // A host name may stand for several addresses; the first is as good as any.
    let found = text.to_socket_addrs().ok().and_then(|mut all| all.next());
    found.map(Listen::Tcp).ok_or_else(|| "write it as in 127.0.0.1:8080 or unix:/path".to_owned())
}

pub(super) fn origin(text: &str) -> Result<Origin, String> {
    Origin::parse(text).ok_or_else(|| "write it as in https://auth.example.com".to_owned())
}

pub(super) fn period(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Err(_) => Err("write it as in 90s, 15m, 24h or 14d".to_owned()),
        Ok(period) if period < PERIOD_MIN || period > PERIOD_MAX => {
            Err("it must be at least 1s and at most 3650d".to_owned())
        }
        Ok(period) => Ok(period),
    }
}

fn policy(text: &str) -> Result<Policy, String> {
    match text {
        "seed" => Ok(Policy::Seed),
        "standard" => Ok(Policy::Standard),
        "nist" => Ok(Policy::Nist),
        _ => Err("it must be seed, standard or nist".to_owned()),
    }
}

fn signup(text: &str) -> Result<SignUps, String> {
    match text {
        "open" => Ok(SignUps::Open),
        "invite" => Ok(SignUps::Invite),
        "closed" => Ok(SignUps::Closed),
        _ => Err("it must be open, invite or closed".to_owned()),
    }
}

fn remember(text: &str) -> Result<Remember, String> {
    match text {
        "ticked" => Ok(Remember::Offered(true)),
        "unticked" => Ok(Remember::Offered(false)),
        "always" => Ok(Remember::Always),
        "never" => Ok(Remember::Never),
        _ => Err("it must be ticked, unticked, always or never".to_owned()),
    }
}

fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| "write it as in 660".to_owned())
}

/// An address or a network. An error is one line that says what would do.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    let one = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| one()).map_err(|_| "write it as in 10.0.0.0/8 or ::1".to_owned())
}

fn connections(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=gate::CONNECTIONS_MAX).contains(count));
    count.ok_or_else(|| format!("it must be a number from 1 to {}", gate::CONNECTIONS_MAX))
}

fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count));
    count.ok_or_else(|| format!("it must be a number from 1 to {COUNT_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::Plan;

    fn wrong(unread: Unread) -> String {
        match unread {
            Unread::Help(text) | Unread::Wrong(text) => text,
        }
    }

    /// What `vestibule serve` with these flags comes to.
    fn check(flags: &[&str]) -> Result<Config, String> {
        let words = ["vestibule", "serve"].iter().chain(flags).map(OsString::from);
        match CommandLine::read(words).map_err(wrong)?.command {
            Some(Command::Serve(flags)) => flags.check(),
            _ => Err("another command".to_owned()),
        }
    }

    /// What `vestibule doctor` with these arguments, and this on standard input, comes to.
    fn examine(arguments: &[&str], input: &str) -> Result<Plan, String> {
        let words = ["vestibule", "doctor"].iter().chain(arguments).map(OsString::from);
        match CommandLine::read(words).map_err(wrong)?.command {
            Some(Command::Doctor(flags)) => flags.check(&mut input.as_bytes()),
            _ => Err("another command".to_owned()),
        }
    }

    fn refused(flags: &[&str]) -> String {
        check(flags).err().unwrap_or_else(|| panic!("{flags:?} was accepted"))
    }

    #[test]
    fn has_the_defaults_of_the_contract() {
        let config = check(&[]).unwrap();
        assert_eq!(config.listen[0].to_string(), "127.0.0.1:8080");
        assert_eq!(config.database.to_string(), "vestibule.db");
        assert_eq!(config.site.rules.periods, Periods::default());
        assert_eq!(config.site.rule, Rule::default());
        assert_eq!(config.site.policy(), Policy::Seed);
        let told = config.facts();
        assert!(told.contains(&("password_policy", "seed".to_owned())), "{told:?}");
        let config = check(&["--origin=https://auth.example.com"]).unwrap();
        assert_eq!(config.site.policy(), Policy::Standard);
        assert!(config.setup.limits.workers >= 2 && config.setup.limits.hashers >= 1);
    }

    #[test]
    fn fits_into_the_limits_of_the_systemd_unit_by_default_on_any_machine() {
        let unit = include_str!("../../../contrib/vestibule.service");
        let value = |name: &str| {
            let line = unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.unwrap_or_else(|| panic!("{name} is not set"))
        };
        let number = |name: &str| value(name).trim_end_matches('M').parse::<usize>().unwrap();
        let most = ["--workers", "--hashers"].map(|it| format!("{it}={COUNT_DEFAULT_MAX}"));
        let limits = check(&most.each_ref().map(String::as_str)).unwrap().setup.limits;
        let default = check(&[]).unwrap().setup.limits;
        assert!(default.workers.max(default.hashers) <= COUNT_DEFAULT_MAX);

        // While new workers take the place of old ones there are two of each.
        let threads = crate::server::OWN_THREADS + 2 * limits.lane_threads();
        assert!(threads <= number("TasksMax"), "{threads} threads");
        let descriptors = crate::server::descriptors_beside(&limits) + limits.connections;
        assert!(descriptors <= number("LimitNOFILE"), "{descriptors} descriptors");

        // What the largest hashes and a large database take, what requests may hold, and for everything
        // else: connections, stacks, the program.
        let readers = limits.threads_that_read() * crate::store::READER_CACHE_KIB / 1_024;
        let hashes = limits.hashers * crate::base::password::MEMORY_KIB_MAX as usize / 1_024;
        let megabytes = readers + hashes + gate::HELD_BYTES_MAX / 1_048_576 + 256;
        assert!(megabytes <= number("MemoryMax"), "{megabytes} MiB");
        assert_eq!(value("RestartPreventExitStatus"), "2", "a wrong setting stays wrong");
    }

    #[test]
    fn reads_every_setting() {
        let config = check(&[
            "--listen=unix:/run/x.sock,[::1]:1",
            "--database=/tmp/x.db",
            "--origin=https://auth.example.com",
            "--trusted-origin=https://a.example.com,https://b.example.com",
            "--strict-origin",
            "--active=90s",
            "--idle=15m",
            "--absolute=14d",
            "--password-policy=nist",
            "--workers=3",
            "--hashers=1",
            "--socket-mode=600",
            "--connections=100",
            "--connections-per-address=5",
            "--trusted-proxy=10.0.0.0/8,2001:db8::1",
            "--request-timeout=1s",
            "--idle-timeout=2s",
            "--answer-timeout=3s",
        ])
        .unwrap();
        assert_eq!(
            config.listen,
            [Listen::Unix(PathBuf::from("/run/x.sock")), listen("[::1]:1").unwrap()]
        );
        let periods = config.site.rules.periods;
        let seconds = [periods.active, periods.idle, periods.absolute].map(|it| it.as_secs());
        assert_eq!(seconds, [90, 900, 14 * 86_400]);
        assert_eq!(config.site.rule.own, Origin::parse("https://auth.example.com"));
        assert_eq!((config.site.rule.trusted.len(), config.site.rule.strict), (2, true));
        assert_eq!(config.site.policy, Some(Policy::Nist));
        let limits = config.setup.limits;
        assert_eq!((limits.workers, limits.hashers), (3, 1));
        assert_eq!((limits.connections, limits.connections_per_address), (100, 5));
        let seconds = [limits.request, limits.idle, limits.answer].map(|it| it.as_secs());
        assert_eq!((seconds, limits.trusted_proxies.len()), ([1, 2, 3], 2));
        assert_eq!(config.socket_mode, 0o600);
    }

    #[test]
    fn names_the_setting_that_is_wrong_in_one_line_and_says_what_would_do() {
        for (flag, advice) in [
            ("--listen=8080", "127.0.0.1:8080"),
            ("--listen=127.0.0.1:99999", "127.0.0.1:8080"),
            ("--listen=unix:", "path"),
            ("--origin=auth.example.com", "https://auth.example.com"),
            ("--origin=https://auth.example.com/login", "https://auth.example.com"),
            ("--trusted-origin=*", "https://auth.example.com"),
            ("--app=app.example.com", "https://auth.example.com"),
            ("--cookie-domain=com", "example.com"),
            ("--cookie-domain=duckdns.org", "as in example.duckdns.org"),
            ("--cookie-domain=Co.UK", "as in example.co.uk"),
            ("--cookie-domain=.github.io", "publicsuffix.org"),
            ("--alias=okta", "tinyauth"),
            ("--identity-header=X-User", "user=X-WEBAUTH-USER"),
            ("--identity-header=who=X-User", "user=X-WEBAUTH-USER"),
            ("--identity-header=user=Set-Cookie", "Remote-"),
            ("--identity-header=user=X-Forwarded-For", "something else"),
            ("--identity-header=user=X_User", "a-z"),
            ("--active=soon", "24h"),
            ("--active=0s", "at least 1s"),
            ("--idle=-1d", "24h"),
            ("--absolute=9999999d", "3650d"),
            ("--password-policy=none", "seed, standard or nist"),
            ("--workers=0", "from 1 to"),
            ("--hashers=many", "from 1 to"),
            ("--remember=maybe", "ticked, unticked"),
            ("--signup=maybe", "open, invite or closed"),
            ("--socket-mode=9", "660"),
            ("--connections=0", "from 1 to"),
            ("--connections-per-address=x", "from 1 to"),
            ("--trusted-proxy=proxy.test", "10.0.0.0/8"),
            ("--request-timeout=0s", "at least 1s"),
            ("--databas=x", "--database"),
            ("--listen", "--listen"),
        ] {
            let text = refused(&[flag]);
            let name = flag.split('=').next().unwrap();
            assert!(text.contains(name) && text.contains(advice), "{text}");
            assert!(!text.contains('\n') && !text.starts_with("error"), "{text}");
        }
    }

    #[test]
    fn refuses_a_sign_in_for_several_hosts_that_could_not_work() {
        let own = "--origin=https://auth.example.com";
        let domain = "--cookie-domain=example.com";
        for (flags, advice) in [
            (&[domain][..], "--origin"),
            (&["--app=https://app.example.com"], "--origin"),
            (&[domain, "--origin=http://auth.example.com"], "https"),
            (&[domain, "--origin=https://auth.example.org"], "auth.example.org"),
            (&[own, "--app=https://app.example.com"], "--cookie-domain example.com"),
            (&[own, "--app=https://app.example.org"], "no cookie reaches both"),
            (
                &["--origin=https://anna.duckdns.org", "--app=https://app.duckdns.org"],
                "no cookie reaches both",
            ),
            (
                &["--origin=https://auth.anna.duckdns.org", "--app=https://app.anna.duckdns.org"],
                "--cookie-domain anna.duckdns.org",
            ),
            (&[own, domain, "--app=https://app.example.org"], "app.example.org"),
            (&[own, domain, "--app=http://app.example.com"], "https"),
        ] {
            assert!(refused(flags).contains(advice), "{flags:?}: {}", refused(flags));
        }
        for flags in [
            &[own, domain][..],
            &[own, domain, "--app=https://app.example.com,https://wiki.example.com:8443"],
            &[own, "--app=https://auth.example.com:8443"],
            &["--origin=http://127.0.0.1:8080", "--app=http://127.0.0.1:3000"],
        ] {
            assert!(check(flags).is_ok(), "{flags:?}");
        }
    }

    #[test]
    fn gives_the_identity_headers_other_names_each_its_own() {
        let renamed =
            check(&["--identity-header=user=X-WEBAUTH-USER,email=X-WEBAUTH-EMAIL"]).unwrap();
        let names = renamed.site.identity.all();
        let expected =
            ["X-WEBAUTH-USER", "Remote-Id", "Remote-Name", "Remote-Groups", "X-WEBAUTH-EMAIL"];
        assert_eq!(names, expected);
        assert!(refused(&["--identity-header=user=Remote-id"]).contains("remote-id"));
    }

    #[test]
    fn refuses_periods_that_contradict_each_other() {
        assert!(refused(&["--active=40d"]).contains("--absolute"));
        assert!(check(&["--active=30d"]).is_ok());
    }

    #[test]
    fn refuses_to_send_passwords_over_a_network_in_clear_unless_that_is_meant() {
        for address in ["--listen=0.0.0.0:8080", "--listen=[::]:8080", "--listen=192.0.2.1:80"] {
            assert!(refused(&[address]).contains("in clear"), "{address}");
            assert!(refused(&[address, "--origin=http://auth.test"]).contains("in clear"));
            assert!(check(&[address, "--origin=https://auth.test"]).is_ok());
            assert!(check(&[address, "--insecure-http"]).is_ok());
        }
        for address in ["--listen=127.0.0.2:8080", "--listen=[::1]:8080", "--listen=unix:/x"] {
            assert!(check(&[address]).is_ok(), "{address}");
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
                "--sign-in=ann",
                "--origin=https://auth.example.com",
                "--timeout=2s",
            ],
            "correct horse \r\nmore",
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
        assert_eq!((&*credentials.name, &*credentials.password), ("ann", "correct horse "));
    }

    #[test]
    fn refuses_to_examine_what_makes_no_sense() {
        for (arguments, advice) in [
            (&["app.example.com"][..], "https://app.example.com"),
            (&["ftp://app.example.com"], "https://app.example.com"),
            (&["https://ann@app.example.com"], "https://app.example.com"),
            (&["https://app.example.com/?x=1"], "https://app.example.com"),
            (&["http://app.example.com"], "https only"),
            (&["https://a.test", "--path=metrics"], "/metrics"),
            (&["https://a.test", "--identity-header=Remote User"], "Remote-User"),
            (&["https://a.test", "--resolve=a.test:443"], "443:192.0.2.1"),
            (&["https://a.test", "--resolve=a.test:443:b.test"], "443:192.0.2.1"),
            (&["https://a.test", "--ca=/nowhere/ca.pem"], "/nowhere/ca.pem"),
            (&["https://a.test", "--sign-in=ann"], "--origin"),
            (&["https://a.test", "--sign-in=ann", "--origin=https://b.test"], "standard input"),
            (&["https://a.test", "--timeout=0s"], "at least 1s"),
        ] {
            let text = examine(arguments, "\n").err().unwrap_or_else(|| panic!("{arguments:?}"));
            assert!(text.contains(advice) && !text.contains('\n'), "{text}");
        }
        for near in ["http://127.0.0.1:8080", "http://[::1]/x", "http://app.localhost"] {
            assert!(examine(&[near], "").is_ok(), "{near}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_command_line_in_one_sentence_with_what_was_meant() {
        for (line, expected) in [
            ("usr", "unrecognized subcommand 'usr'; did you mean user?"),
            ("user ad x", "unrecognized subcommand 'ad'; did you mean add?"),
            ("user list --jsn", "unexpected argument '--jsn' found; did you mean --json?"),
            ("user show a b", "unexpected argument 'b' found"),
            (
                "proxy-config ngnx",
                "invalid value 'ngnx' for '<PROXY>': it must be one of nginx, caddy, traefik; did you \
                 mean nginx?",
            ),
        ] {
            let words = ["vestibule"].into_iter().chain(line.split(' '));
            let read = CommandLine::read(words.map(OsString::from));
            assert_eq!(read.map_err(wrong).err().as_deref(), Some(expected));
        }
    }

    #[test]
    fn gives_an_example_in_the_help_of_every_command() {
        fn all(command: &clap::Command, path: &str) -> Vec<(String, String)> {
            let path = format!("{path} {}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let mut found: Vec<_> =
                command.get_subcommands().flat_map(|it| all(it, &path)).collect();
            found.push((path, help));
            found
        }
        let all = all(&definition(), "");
        assert!(all.len() > 40, "{all:?}");
        for (path, help) in all {
            assert!(help.starts_with("Example") && help.contains(path.trim()), "{path}: {help}");
            assert_eq!(help.matches("Exit codes: ").count(), 1, "{path}: {help}");
        }
    }
}
