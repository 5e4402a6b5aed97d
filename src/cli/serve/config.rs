//! The settings of `vestibule serve`, checked together once: the [`Config`] of everything below.

use std::path::{Path, PathBuf};
use std::thread;

use super::identity_headers::identity_headers;
use super::{COUNT_DEFAULT_MAX, OriginArgs, PeriodArgs, ServeArgs, ThrottleArgs};
use crate::auth::sessions::Periods;
use crate::auth::sign_in::Rules;
use crate::auth::throttle;
use crate::base::base_url::PathPrefix;
use crate::base::origin::{Domain, Origin, own_domain};
use crate::server::ServerConfig;
use crate::server::gate::{self, Listen};
use crate::server::log::LogConfig;
use crate::store::Database;
use crate::web::Settings;
use crate::web::cross_origin::Rule;

/// The settings, checked.
pub struct Config {
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// Where to show metrics; `None`: nowhere.
    pub metrics: Option<Listen>,
    /// The mode of a Unix socket.
    pub socket_mode: u32,
    /// Where the database is.
    pub database: Database,
    /// The settings of the site.
    pub web: Settings,
    /// The settings of the server.
    pub server: ServerConfig,
    /// The log, whose format and level are settings.
    pub log: LogConfig,
    /// What in the operator's stylesheet cannot work.
    pub css_flaws: Vec<String>,
}

impl ServeArgs {
    /// Checks the settings together. An error is one line that says what would do.
    pub fn check(self) -> Result<Config, String> {
        let own = self.origin.origin.as_ref().map(|it| &it.origin);
        let is_https = own.is_some_and(Origin::is_https);
        for listen in &self.network.listen {
            refuse_clear_text(listen, is_https || self.network.insecure_http)?;
        }
        if let Some(listen) = &self.network.metrics {
            refuse_open_metrics(listen, self.network.insecure_http)?;
        }
        self.sessions.refuse_contradiction()?;
        let apps: Vec<_> = self.apps.app.iter().map(|it| it.origin.clone()).collect();
        refuse_foreign(own, self.apps.cookie_domain.as_ref(), &apps)?;
        let database = self.database.check()?;
        let identity = identity_headers(&self.apps.identity_header)?;
        #[cfg_attr(
            not(feature = "mail"),
            expect(unused_mut, reason = "mail is a setting of its own")
        )]
        let mut server = self.server(&database);
        #[cfg(feature = "mail")]
        {
            server.mail = self.mail.check(own.is_some())?;
        }
        let (look, css_flaws) = self.branding.check()?;
        let (names, rest, reserved) = self.accounts.names.check()?;
        #[cfg(feature = "mail")]
        let (sign_up_email, verifies_first) =
            self.sign_up_email.check(server.mail.is_some(), names)?;
        #[cfg(not(feature = "mail"))]
        let (sign_up_email, verifies_first) = <(crate::web::SignUpEmail, bool)>::default();
        let (periods, limits) = (self.sessions.periods(), self.throttle.limits());
        let (second_factors, sealing_key) = self.second_factor.check()?;
        let log = self.log.config();
        let rules = Rules {
            periods,
            limits,
            rest,
            reserved,
            second_factors,
            passkeys: self.passkeys.check(own)?,
            names,
            verifies_first,
        };
        Ok(Config {
            listen: self.network.listen,
            metrics: self.network.metrics,
            socket_mode: self.network.socket_mode,
            database,
            web: Settings {
                prefix: self.origin.prefix(),
                rule: self.origin.rule(),
                rules,
                trusted_proxies: server.limits.trusted_proxies.clone(),
                remember: Some(self.sessions.remember),
                audit_life: Some(self.throttle.audit),
                policy: self.accounts.password_policy,
                cookie_domain: self.apps.cookie_domain,
                apps: self.apps.app,
                aliases: self.apps.alias,
                identity,
                basic_auth: self.apps.basic_auth,
                sealing_key,
                sign_ups: self.accounts.signup,
                sign_up_email,
                #[cfg(feature = "mail")]
                has_mail: server.mail.is_some(),
                #[cfg(not(feature = "mail"))]
                has_mail: false,
                #[cfg(feature = "mail")]
                has_notices: server.mail.is_some() && self.notices.notices,
                #[cfg(not(feature = "mail"))]
                has_notices: false,
                look,
            },
            server,
            log,
            css_flaws,
        })
    }

    fn server(&self, database: &Database) -> ServerConfig {
        let cores = thread::available_parallelism().map_or(1, usize::from).min(COUNT_DEFAULT_MAX);
        let capacity = &self.capacity;
        ServerConfig {
            limits: gate::GateLimits {
                head_bytes: capacity.head_bytes,
                request: capacity.request_timeout,
                idle: capacity.idle_timeout,
                answer: capacity.answer_timeout,
                connections: capacity.connections,
                connections_per_address: capacity.connections_per_address,
                trusted_proxies: self.network.trusted_proxy.clone(),
                workers: capacity.workers.unwrap_or(cores.max(2)),
                hashers: capacity.hashers.unwrap_or(cores),
            },
            url: self.origin.origin.as_ref().map(ToString::to_string),
            private_folders: private_folders(database),
            #[cfg(feature = "mail")]
            mail: None,
        }
    }
}

impl OriginArgs {
    fn prefix(&self) -> PathPrefix {
        self.origin.as_ref().map_or_else(PathPrefix::default, |it| it.prefix.clone())
    }

    fn rule(self) -> Rule {
        let own = self.origin.map(|it| it.origin);
        Rule { own, trusted: self.trusted_origin, strict: self.strict_origin }
    }
}

impl PeriodArgs {
    fn refuse_contradiction(&self) -> Result<(), String> {
        if self.active > self.absolute {
            return Err("--active must not be longer than --absolute, which ends a session \
                        however much it is used"
                .to_owned());
        }
        Ok(())
    }

    const fn periods(&self) -> Periods {
        Periods {
            active: self.active,
            idle: self.idle,
            absolute: self.absolute,
            transient: self.transient,
            most: self.sessions_per_user,
        }
    }
}

impl ThrottleArgs {
    const fn limits(&self) -> throttle::ThrottleLimits {
        throttle::ThrottleLimits {
            free: self.throttle_free,
            wait_max: self.throttle_wait,
            address_free: self.throttle_address_free,
            address_every: self.throttle_address_every,
            sign_up_free: self.signup_free,
            sign_up_every: self.signup_every,
            rows: self.throttle_rows,
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

/// Refuses plain http on an address that other machines can reach, unless the operator allows it: passwords and
/// cookies would cross a network in the clear.
fn refuse_clear_text(listen: &Listen, may: bool) -> Result<(), String> {
    match listen {
        Listen::Tcp(address) if !address.ip().is_loopback() && !may => Err(format!(
            "other machines can reach {address}, and without an https --origin passwords would \
             cross the network in clear; set --origin, or --insecure-http if that is meant"
        )),
        Listen::Tcp(_) | Listen::Unix(_) => Ok(()),
    }
}

/// Refuses to show metrics on an address that other machines can reach, unless the operator allows it: they are sent in
/// the clear, whatever the origin is, and to any client.
fn refuse_open_metrics(listen: &Listen, may: bool) -> Result<(), String> {
    match listen {
        Listen::Tcp(address) if !address.ip().is_loopback() && !may => Err(format!(
            "other machines can reach {address}, and --metrics shows them to any client over plain http; use \
             127.0.0.1:{port} or unix:/path, or set --insecure-http if that is meant",
            port = address.port()
        )),
        Listen::Tcp(_) | Listen::Unix(_) => Ok(()),
    }
}

/// Refuses settings with which browsers would not send the session cookie to all hosts, or would send it across a
/// network in the clear.
pub(in crate::cli) fn refuse_foreign(
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
    apps.iter().try_for_each(|app| refuse_unreached(own, domain, app))
}

/// Refuses an app that the session cookie does not reach: it would never see a signed-in user.
fn refuse_unreached(own: &Origin, domain: Option<&Domain>, app: &Origin) -> Result<(), String> {
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
        return Err(format!("--app {app} would never get the session cookie of {own}; {advice}"));
    }
    if own.is_https() && !app.is_https() {
        return Err(format!("--app {app} would never get a Secure cookie; it has to be https"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::fs::PermissionsExt;

    use super::super::facts::facts;
    use super::super::parse::listen;
    use super::*;
    use crate::auth::password_policy::Policy;
    use crate::auth::second_factors::{Demand, SecondFactorRules};
    use crate::base::sealing::SealingKey;
    use crate::cli::Command;
    use crate::cli::command_line::{CommandLine, Unread};

    /// What `vestibule serve` with these flags comes to.
    fn check(flags: &[&str]) -> Result<Config, String> {
        let words = ["vestibule", "serve"].iter().chain(flags).map(OsString::from);
        match CommandLine::read(words, Path::new("/nowhere")).map_err(Unread::into_text)?.command {
            Some(Command::Serve(args)) => args.check(),
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
        assert_eq!(config.web.rules.periods, Periods::default());
        assert_eq!(config.web.rule, Rule::default());
        assert_eq!(config.web.policy(), Policy::Minimal);
        let told = config.facts();
        assert!(told.contains(&("password_policy", "seed".to_owned())), "{told:?}");
        for (name, value) in [("name_rest", "365d"), ("active", "1d"), ("throttle_wait", "30m")] {
            assert!(told.contains(&(name, value.to_owned())), "{told:?}");
        }
        assert_eq!(told, facts(&Settings::default()), "what each start leaves out");
        let config = check(&["--origin=https://auth.example.com"]).unwrap();
        assert_eq!(config.web.policy(), Policy::Standard);
        assert!(config.server.limits.workers >= 2 && config.server.limits.hashers >= 1);
    }

    #[test]
    fn says_at_start_who_can_reach_it_and_what_is_not_as_usual() {
        let told = |flags: &[&str]| {
            let all = check(flags).unwrap().facts_at_start();
            all.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            told(&[]),
            "origin=none cookie_domain=none trusted_proxy=none signup=open password_policy=seed"
        );
        assert_eq!(
            told(&[
                "--origin=https://auth.example.com",
                "--trusted-proxy=127.0.0.1",
                "--active=48h",
                "--idle=14d",
                "--basic-auth",
            ]),
            "origin=https://auth.example.com basic_auth=true cookie_domain=none trusted_proxy=127.0.0.1/32 \
             signup=open password_policy=standard passkeys=auth.example.com active=2d"
        );
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
        let limits = check(&most.each_ref().map(String::as_str)).unwrap().server.limits;
        let default = check(&[]).unwrap().server.limits;
        assert!(default.workers.max(default.hashers) <= COUNT_DEFAULT_MAX);

        // While new workers take the place of old ones there are two of each.
        let threads = crate::server::OWN_THREADS + 2 * limits.lane_threads();
        assert!(threads <= number("TasksMax"), "{threads} threads");
        let descriptors = crate::server::descriptors_beside(&limits) + limits.connections;
        assert!(descriptors <= number("LimitNOFILE"), "{descriptors} descriptors");

        // What the largest hashes and a large database take, what requests may hold, and for everything
        // else: connections, stacks, the program.
        let readers = limits.threads_that_read() * crate::store::READER_CACHE_KIB / 1_024;
        let hashes = crate::base::password::memory_kib_max(limits.hashers) / 1_024;
        // Beyond the gate there are the requests on each connection to workers: their bytes, and their fields twice. The
        // last one goes on a connection for reading while others have less than the limit.
        let head_bytes = gate::head::HEAD_BYTES_MAX;
        let bytes = limits.workers * gate::BYTES_A_BACKEND + limits.backends_max() * head_bytes;
        let heads = 2 * 3 * bytes / 1_048_576;
        let megabytes = readers + hashes + heads + gate::HELD_BYTES_MAX / 1_048_576 + 256;
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
            "--head-bytes=65536",
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
        let periods = config.web.rules.periods;
        let seconds = [periods.active, periods.idle, periods.absolute].map(|it| it.as_secs());
        assert_eq!(seconds, [90, 900, 14 * 86_400]);
        assert_eq!(config.web.rule.own, Origin::parse("https://auth.example.com"));
        assert_eq!((config.web.rule.trusted.len(), config.web.rule.strict), (2, true));
        assert_eq!(config.web.policy, Some(Policy::Nist));
        let (limits, default) = (config.server.limits, check(&[]).unwrap().server.limits);
        assert_eq!((limits.workers, limits.hashers), (3, 1));
        assert_eq!((limits.connections, limits.connections_per_address), (100, 5));
        assert_eq!((limits.head_bytes, default.head_bytes), (65_536, gate::head::HEAD_BYTES));
        let seconds = [limits.request, limits.idle, limits.answer].map(|it| it.as_secs());
        assert_eq!((seconds, limits.trusted_proxies.len()), ([1, 2, 3], 2));
        assert_eq!(config.socket_mode, 0o600);
        assert_eq!(config.metrics, None);
    }

    #[test]
    fn shows_metrics_to_this_machine_alone_unless_the_operator_means_it() {
        for address in ["127.0.0.1:9464", "[::1]:0", "unix:/run/metrics.sock"] {
            let config = check(&[&format!("--metrics={address}")]).unwrap();
            assert_eq!(config.metrics.as_ref().map(ToString::to_string).as_deref(), Some(address));
            assert!(config.facts_at_start().contains(&("metrics", address.to_owned())));
        }
        // An origin with TLS changes nothing: metrics are not behind its proxy.
        let open = ["--metrics=0.0.0.0:9464", "--origin=https://auth.example.com"];
        let said = refused(&open);
        let advice = "http; use 127.0.0.1:9464 or unix:/path, or set --insecure-http";
        assert!(said.contains(advice), "{said}");
        assert!(check(&[open[0], open[1], "--insecure-http"]).is_ok());
        assert!(refused(&["--metrics=9464"]).contains("127.0.0.1:8080 or unix:/path"));
        assert!(!check(&[]).unwrap().facts().iter().any(|(name, _)| *name == "metrics"));
    }

    #[test]
    fn names_the_setting_that_is_wrong_in_one_line_and_says_what_would_do() {
        for (flag, advice) in [
            ("--listen=8080", "127.0.0.1:8080"),
            ("--listen=127.0.0.1:99999", "127.0.0.1:8080"),
            ("--listen=unix:", "path"),
            ("--origin=auth.example.com", "https://auth.example.com"),
            ("--origin=https://auth.example.com/a//b", "https://auth.example.com"),
            ("--trusted-origin=*", "https://auth.example.com"),
            ("--app=app.example.com", "https://app.example.com"),
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
            ("--log-level=debug", "checks, requests, events or warnings"),
            ("--log-format=text", "logfmt or json"),
            ("--remember=maybe", "ticked, unticked"),
            ("--signup=maybe", "open, invite or closed"),
            ("--socket-mode=9", "660"),
            ("--second-factor=maybe", "off, optional or required"),
            ("--second-factor-groups=Ops", "a-z"),
            ("--second-factor-remember=soon", "30d, or 0"),
            ("--second-factor-remember=9999999d", "3650d"),
            ("--connections=0", "from 1 to"),
            ("--connections-per-address=x", "from 1 to"),
            ("--head-bytes=16383", "from 16384 to 262144"),
            ("--head-bytes=64k", "from 16384 to 262144"),
            ("--sessions-per-user=0", "from 1 to 10000"),
            ("--signup-free=many", "from 1 to 1000000"),
            ("--throttle-rows=9", "at least 1000"),
            ("--throttle-free=-1", "at least 0"),
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
        let names = renamed.web.identity.all();
        let expected =
            ["X-WEBAUTH-USER", "Remote-Id", "Remote-Name", "Remote-Groups", "X-WEBAUTH-EMAIL"];
        assert_eq!(names, expected);
        assert!(refused(&["--identity-header=user=Remote-id"]).contains("remote-id"));
    }

    #[test]
    fn reads_who_has_to_have_a_second_factor_and_for_how_long_a_browser_is_remembered() {
        let rules = |flags: &[&str]| check(flags).unwrap().web.rules.second_factors;
        assert_eq!(rules(&[]), SecondFactorRules::default());
        let flags = [
            "--second-factor=optional",
            "--second-factor-groups=staff, admin",
            "--second-factor-remember=0",
        ];
        let all = rules(&flags);
        assert_eq!((all.demand, all.groups.as_str()), (Demand::Optional, "admin,staff"));
        assert_eq!(all.remember, std::time::Duration::ZERO);
        assert_eq!(rules(&["--second-factor=required"]).demand, Demand::Required);
        assert_eq!(rules(&["--second-factor=off"]).demand, Demand::Off);
        let told = check(&flags).unwrap().facts_at_start();
        for (name, value) in
            [("second_factor_groups", "admin,staff"), ("second_factor_remember", "0s")]
        {
            assert!(told.contains(&(name, value.to_owned())), "{told:?}");
        }
        let told = refused(&["--second-factor=off", "--second-factor-groups=admin"]);
        assert!(told.contains("--second-factor optional") && told.contains("admin"), "{told}");
    }

    #[test]
    fn reads_the_key_that_seals_secrets_and_tells_no_more_than_its_handle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let key = SealingKey::random();
        std::fs::write(&path, key.reveal()).unwrap();
        let set = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let flag = format!("--seal-key-file={}", path.display());
        set(0o644);
        assert!(refused(&[&flag]).contains("chmod 600"), "{}", refused(&[&flag]));
        set(0o600);
        let config = check(&[&flag]).unwrap();
        assert!(config.facts_at_start().contains(&("sealing_key", key.handle())));
        assert!(config.web.sealing_key.is_some_and(|it| it.handle() == key.handle()));
        let none = refused(&["--seal-key-file=/none/there"]);
        assert!(none.starts_with("--seal-key-file: cannot read /none/there"), "{none}");
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
}
