//! An examination from outside: does the reverse proxy in front of an app let clients past the gate?
//!
//! Decides which requests are sent, and in which order: first those of a visitor who follows a link,
//! then some with headers that only the proxy should send, then a form, a script and a WebSocket; then
//! those for the sign-in page; and last, with a session, those that show what the app really receives.
//! It is an ordinary HTTP client and knows nothing of the server's configuration, so its findings hold
//! for the whole set-up, however each part is configured.
//!
//! The only thing it changes is to sign in and out again, and only if the operator asks for that.

mod check_addresses;
mod cookie;
mod flags;
mod long_address;
mod port_80;
mod proxy_address;
mod report;
mod second_factor;
mod session;
mod sign_in_site;
mod silence;
mod verdict;
mod way_out;
mod wire;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use url::Url;

pub use flags::DoctorArgs;
pub use wire::Pin;

use super::Failure;
use super::output::Output;
use super::secrets;
use crate::base::token::{hex, random_bytes, random_text};
use crate::web::check_paths;
use crate::web::http::SESSION_COOKIES;

use cookie::SetCookie;
use report::Findings;
use silence::Silence;
use verdict::{Forged, Guard};
use wire::{Casing, Question, Reply, Wire};

/// The query of every request: some gates lose what follows `&`, or decode once too often.
const QUERY: &str = "doctor=1&plus=a%20b&utf8=%C3%A9";

const CASINGS: [Casing; 3] = [Casing::Lower, Casing::Title, Casing::Upper];

/// The key of the sample handshake in RFC 6455; any 16 bytes will do.
const SOCKET_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A user to sign in as. It holds a password, so it cannot be printed.
pub struct DoctorCredentials {
    /// The username.
    pub name: String,
    /// The password.
    pub password: String,
    /// A code of the second factor, if the operator gave one.
    pub code: Option<String>,
}

/// What is to be examined.
pub struct DoctorPlan {
    /// The URL at which browsers reach the app.
    pub app: Url,
    /// More paths on the app's host.
    pub paths: Vec<String>,
    /// The headers that tell the app who the user is.
    pub identity: Vec<String>,
    /// Additional certificate authorities to trust, in PEM.
    pub ca: Option<Vec<u8>>,
    /// Addresses of hosts, which take precedence over DNS.
    pub pins: Vec<Pin>,
    /// The user to sign in as; `None`: nothing is examined with a session.
    pub credentials: Option<DoctorCredentials>,
    /// The sign-in page, which is the only place the password is sent to; `None`: not known.
    pub login: Option<Url>,
    /// The time limit for one response.
    pub timeout: Duration,
}

impl DoctorArgs {
    /// Runs `vestibule doctor`: prints each finding as it is made. The exit code is 1 if anything is wrong.
    pub(super) fn run(self, as_json: bool, out: &mut Output) -> Result<ExitCode, Failure> {
        let plan = self.check(secrets::password_and_code).map_err(Failure::usage)?;
        let findings = examine(&plan, as_json, out).map_err(Failure::usage)?;
        Ok(ExitCode::from(u8::from(findings > 0)))
    }
}

/// Examines the set-up, writes each finding as one line, of text or JSON, and returns the number of
/// faults. An error means that the plan cannot be carried out, and no request was sent.
pub(super) fn examine(
    plan: &DoctorPlan,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<usize, String> {
    let wire = Wire::new(plan.ca.as_deref(), plan.pins.clone(), plan.timeout)?;
    let mark = format!("doctor-{}", hex(&random_bytes::<8>()));
    let identity = verdict::forged_identity(&plan.identity, &mark);
    let report = Findings::to(out, as_json);
    let mut examination = Examination { plan, wire, identity, report };
    examination.run();
    Ok(examination.report.close())
}

/// Whether the host is this machine, so that requests to it cross no network.
pub fn is_near(url: &Url) -> bool {
    verdict::is_loopback(url)
}

/// A path of the app, and how it is guarded against a visitor without a session.
struct Visit {
    path: String,
    url: Url,
    guard: Guard,
}

struct Examination<'a> {
    plan: &'a DoctorPlan,
    wire: Wire,
    identity: Vec<Forged>,
    report: Findings<'a>,
}

impl Examination<'_> {
    fn run(&mut self) {
        let Some(visits) = self.visit() else { return };
        self.visit_check_addresses(&visits);
        self.report.release();
        self.ask_port_80(&visits.iter().map(|it| &it.url).collect::<Vec<_>>());
        self.tell_open(&visits);
        for visit in visits.iter().filter(|it| it.guard.is_shut()) {
            self.forge(visit);
            self.ask_otherwise(visit);
        }
        self.report.release();
        let page = visits.iter().find_map(|it| it.guard.page());
        if page.is_none() {
            self.miss_sign_in(&visits);
        }
        let login = page.map(|page| of_site(page, "/login")).or_else(|| self.plan.login.clone());
        let Some(login) = login else {
            return self.report.skip(match visits[..] {
                [] => "all else, as nothing answers",
                _ => "the sign-in page, its cookie and sessions: nothing leads there; --origin says where it is",
            });
        };
        if login.host() != self.plan.app.host() {
            self.ask_port_80(&[&login]);
        }
        let is_vestibule = self.ask_sign_in(&login);
        if let Some(visit) = visits.iter().find(|it| it.guard.page().is_some()) {
            self.follow_long(visit, is_vestibule);
        }
        self.report.release();
        self.examine_session(&login, is_vestibule, &visits);
    }

    /// Sends a request. If there is no response, that is reported as a fault.
    fn ask(&mut self, what: &str, question: &Question) -> Option<Reply> {
        match self.wire.ask(question) {
            Ok(reply) => Some(reply),
            Err(silence) => {
                let Silence { cause, advice } = silence;
                let text = format!("{what} got no answer: {cause}; {advice}");
                // The report lists paths of the app, so an address on another host keeps its host.
                let is_of_app = question.url.host() == self.plan.app.host();
                let place =
                    if is_of_app { question.url.path() } else { without_query(&question.url) };
                self.report.tell_at("ask", place, Err(text));
                None
            }
        }
    }

    /// Reports what is not examined at open paths, and hints at what the operator may have intended.
    fn tell_open(&mut self, visits: &[Visit]) {
        let left_out: Vec<_> =
            visits.iter().filter(|it| !it.guard.is_shut()).map(|it| &*it.path).collect();
        if left_out.is_empty() {
            return;
        }
        let left_out = left_out.join(", ");
        self.report.skip(&format!(
            "forged headers, forms, scripts and WebSockets at {left_out}: guard them first"
        ));
        if visits.iter().any(|it| matches!(it.guard, Guard::Open(_))) {
            let part = at(&self.plan.app, &self.guarded_part(visits));
            self.report.hint(&format!(
                "if only a part of the app is meant to be guarded, examine that: vestibule doctor {part}"
            ));
        }
    }

    /// A path that may be the only part of the app to be guarded: a guarded one that the operator named, or else a
    /// placeholder. The app's own path is already being examined.
    fn guarded_part(&self, visits: &[Visit]) -> String {
        let own = self.plan.app.path();
        let is_part = |it: &&Visit| {
            it.guard.is_shut() && it.path != own && self.plan.paths.contains(&it.path)
        };
        visits.iter().find(is_part).map_or_else(
            || format!("{}/PATH", own.trim_end_matches('/')),
            |it| it.path.split('?').next().unwrap_or_default().to_owned(),
        )
    }

    // A visitor who follows a link.

    /// Follows a link to each path. If the first gets no response, the others are not tried. `None`: the address is
    /// that of the sign-in, so there is no app to examine.
    fn visit(&mut self) -> Option<Vec<Visit>> {
        let mut visits: Vec<Visit> = Vec::new();
        for path in paths(self.plan) {
            let url = asked(&self.plan.app, &path);
            let what = format!("GET {path}");
            match self.ask(&what, &Question::navigation(&url)) {
                Some(reply) => {
                    if visits.is_empty() && self.is_sign_in_site(&what, &url, &reply) {
                        return None;
                    }
                    let guard = Guard::of(&reply);
                    let others = visits.iter().find_map(|it| it.guard.page());
                    if !matches!(guard, Guard::Locked(_)) {
                        let finding = verdict::navigation(&what, &guard, others);
                        self.report.tell_at("navigation", &path, finding);
                    }
                    self.check_way_back(&what, &path, &url, &guard);
                    visits.push(Visit { path, url, guard });
                }
                None if visits.is_empty() => break,
                None => {}
            }
        }
        self.tell_locked(&visits);
        Some(visits)
    }

    /// Reports the paths that answer 401 or 403. The gate redirects page loads to the sign-in page; if it
    /// does so at other paths, such an answer may come from the app behind it.
    fn tell_locked(&mut self, visits: &[Visit]) {
        let leads = visits.iter().any(|it| it.guard.page().is_some());
        for Visit { path, guard, .. } in visits {
            let Guard::Locked(status) = guard else { continue };
            let what = format!("GET {path}");
            if leads {
                self.report.skip(&format!(
                    "{what} answers {status} without a session; see that the gate says so and not the \
                     app, as other paths lead to the sign-in page"
                ));
            } else {
                self.report.tell_at("navigation", path, verdict::navigation(&what, guard, None));
            }
        }
    }

    fn check_way_back(&mut self, what: &str, path: &str, url: &Url, guard: &Guard) {
        if let Guard::SignIn { page, back, .. } = guard {
            let finding = verdict::way_back(what, url, page, back.as_deref());
            self.report.tell_at("way back", path, finding);
        }
    }

    /// Reports that no path led to a sign-in page, if some are guarded.
    fn miss_sign_in(&mut self, visits: &[Visit]) {
        let mut shut = visits.iter().map(|it| &it.guard).filter(|it| it.is_shut()).peekable();
        if shut.peek().is_none() {
            return;
        }
        let advice = if shut.all(|it| matches!(it, Guard::Locked(403))) {
            "see vestibule's log: after reason=not_a_trusted_proxy, give vestibule --trusted-proxy with the \
             proxy's address"
        } else {
            "hand the gate's Location on to browsers (in nginx: `error_page 401 =303 $login`), or name a page of \
             the app with --path"
        };
        let text = "no path leads to a sign-in page, so people only see that they may not enter";
        self.report.tell(Err(format!("{text}; {advice}")));
    }

    /// Requests addresses of one host over plain http at port 80, as browsers may do if a user types no scheme. A
    /// closed port is no fault. What is right is reported for the first address alone.
    fn ask_port_80(&mut self, urls: &[&Url]) {
        for (number, url) in urls.iter().enumerate() {
            let Some(clear) = port_80::address(url) else { return };
            match self.wire.ask(&Question::navigation(&clear)) {
                Ok(reply) => {
                    let finding = port_80::judge(url, &clear, &reply);
                    if number == 0 || finding.is_err() {
                        self.report.tell_at("port 80", url.path(), finding);
                    }
                }
                Err(silence) => {
                    self.report.skip(&format!(
                        "GET {clear} got no answer: {}; browsers that try http first do not get to https",
                        silence.cause
                    ));
                    break;
                }
            }
        }
        self.report.release();
    }

    // Headers that only the proxy should send.

    fn forge(&mut self, visit: &Visit) {
        let identity = self.identity.clone();
        let what = "headers that name a user";
        self.forge_each(visit, what, &identity, &CASINGS, "clear it before the gate and the app");
        let addresses = verdict::forged_addresses();
        let advice = "let the proxy set it and never pass on what the client sent";
        let what = "headers that name another address";
        self.forge_each(visit, what, &addresses, &[Casing::Title], advice);
    }

    /// Sends all forged headers at once; if that changes the answer, each one alone, to find the cause.
    fn forge_each(
        &mut self,
        visit: &Visit,
        what: &str,
        forged: &[Forged],
        casings: &[Casing],
        advice: &str,
    ) {
        let what = format!("GET {} with forged {what}", visit.path);
        for casing in casings {
            let Some(guard) = self.ask_forged(&what, visit, forged, *casing) else { return };
            if guard == visit.guard {
                continue;
            }
            let mut is_found = false;
            for one in forged {
                let what = format!("GET {} with a forged {}", visit.path, one.name);
                let one = std::slice::from_ref(one);
                let Some(guard) = self.ask_forged(&what, visit, one, *casing) else { return };
                if let Some(change) = verdict::forgery(&visit.guard, &guard) {
                    is_found = true;
                    let text = format!("{what}: {change}; {advice}");
                    // Each header is a separate fault.
                    self.report.tell(Err(text));
                }
            }
            if let (false, Some(change)) = (is_found, verdict::forgery(&visit.guard, &guard)) {
                is_found = true;
                self.report.tell(Err(format!("{what}: {change}; {advice}")));
            }
            if is_found {
                return;
            }
        }
        self.report.tell(Ok(format!("{what} is answered as without them")));
    }

    fn ask_forged(
        &mut self,
        what: &str,
        visit: &Visit,
        forged: &[Forged],
        casing: Casing,
    ) -> Option<Guard> {
        let question = Question::navigation(&visit.url).with(&pairs(forged)).spelled(casing);
        self.ask(what, &question).map(|reply| Guard::of(&reply))
    }

    // A form, a script, a WebSocket.

    fn ask_otherwise(&mut self, visit: &Visit) {
        let Visit { path, url, .. } = visit;
        let what = format!("POST {path}");
        let mut post = Question::navigation(url).form("doctor=1".to_owned());
        post.method = "POST";
        if let Some(reply) = self.ask(&what, &post) {
            self.report.tell_at("post", path, verdict::post(&what, &Guard::of(&reply)));
        }
        let fetch = Question::bare("GET", url).with(&[
            ("Accept", "application/json"),
            ("Sec-Fetch-Mode", "cors"),
            ("Sec-Fetch-Dest", "empty"),
            ("Sec-Fetch-Site", "same-origin"),
            ("X-Requested-With", "XMLHttpRequest"),
        ]);
        let socket = Question::bare("GET", url).with(&[
            ("Accept", "*/*"),
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-Fetch-Mode", "websocket"),
            ("Sec-WebSocket-Key", SOCKET_KEY),
            ("Sec-WebSocket-Version", "13"),
        ]);
        for (stage, what, question) in [
            ("script", format!("GET {path} by a script"), fetch),
            ("socket", format!("a WebSocket to {path}"), socket),
        ] {
            if let Some(reply) = self.ask(&what, &question) {
                self.report.tell_at(stage, path, verdict::machine(&what, &Guard::of(&reply)));
            }
        }
    }

    // The sign-in page.

    /// Examines the sign-in page, and returns whether vestibule answers there.
    fn ask_sign_in(&mut self, login: &Url) -> bool {
        let what = format!("GET {login}");
        let Some(reply) = self.ask(&what, &Question::navigation(login)) else { return false };
        let leads_on = leads_to_sign_up(login, &reply);
        self.report.tell(match reply.status {
            200 => Ok(format!("{what} shows the sign-in page")),
            status @ 500.. => Err(format!(
                "{what} answered {status}; see that vestibule runs, and at the address that the proxy passes requests \
                 on to"
            )),
            // A site without accounts leads to the form for the first one.
            302 if leads_on => {
                Ok(format!("{what} leads to the sign-up page, as there is no account yet"))
            }
            status => Err(format!("{what} answered {status}; let the proxy serve vestibule there")),
        });
        if reply.status != 200 && !leads_on {
            return false;
        }
        if login.scheme() == "https" {
            let is_kept = reply.values("strict-transport-security").next().is_some();
            self.report.tell(if is_kept {
                Ok(format!("{what} tells browsers to keep to https"))
            } else {
                Err(format!(
                    "{what} has no Strict-Transport-Security; let the proxy pass it on, and give \
                     vestibule an https --origin"
                ))
            });
        }
        let is_vestibule = self.check_cookie(login);
        for path in check_paths() {
            self.check_hidden(&of_site(login, path));
        }
        is_vestibule
    }

    /// Examines the attributes of the session cookie, which the server shows to any client when it clears
    /// an invalid one. Returns whether it cleared one.
    fn check_cookie(&mut self, login: &Url) -> bool {
        let mut is_cleared = false;
        for name in SESSION_COOKIES {
            let what = format!("GET {login} with an invalid {name}");
            let value = format!("{name}={}", random_text(40));
            let question = Question::navigation(login).with(&[("Cookie", &*value)]);
            let Some(reply) = self.ask(&what, &question) else { return false };
            if let Some(cookie) = cookie::cleared(&reply, name) {
                is_cleared = true;
                self.judge_cookie(&cookie, login);
            }
        }
        if !is_cleared {
            self.report.tell(Err(format!(
                "GET {login} clears no session cookie that is invalid; see that vestibule answers \
                 there, and that the proxy passes Cookie and Set-Cookie on"
            )));
        }
        is_cleared
    }

    fn judge_cookie(&mut self, cookie: &SetCookie, login: &Url) {
        let flaws = cookie::flaws(cookie, login, &self.plan.app);
        if flaws.is_empty() {
            let name = &cookie.name;
            self.report.tell(Ok(format!("the cookie {name} is kept safe and reaches the app")));
        }
        for flaw in flaws {
            self.report.tell(Err(flaw));
        }
    }

    fn check_hidden(&mut self, url: &Url) {
        let what = format!("GET {url}");
        let Some(reply) = self.ask(&what, &Question::bare("GET", url)) else { return };
        let status = reply.status;
        if status != 404 && self.is_of_app(url, status) {
            return self.report.tell(Ok(format!("{what} from outside is an address of the app")));
        }
        self.report.tell(match status {
            // 401 is an answer of the check too: the endpoint is reachable.
            status @ (200..=399 | 401) => Err(format!(
                "{what} from outside answered {status}; let only the proxy itself ask the gate (in \
                 nginx: location = {} {{ return 404; }})",
                url.path()
            )),
            status => Ok(format!("{what} from outside answers {status}")),
        });
    }

    /// Whether the app answers at this address, if it shares the host with the sign-in: the status is that of a random
    /// address in the same folder.
    fn is_of_app(&mut self, url: &Url, status: u16) -> bool {
        if origin(url) != origin(&self.plan.app) {
            return false;
        }
        let folder = url.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        let other = at(url, &format!("{folder}/doctor-{}", random_text(8)));
        let other = self.ask(&format!("GET {other}"), &Question::bare("GET", &other));
        other.is_some_and(|it| it.status == status)
    }
}

/// The paths to try: the app's own, some below it that proxies often exempt, and those that the
/// operator named.
fn paths(plan: &DoctorPlan) -> Vec<String> {
    let own = plan.app.path();
    let base = own.trim_end_matches('/');
    let unknown = format!("doctor-{}", random_text(8));
    let below = ["api/", "static/x", "favicon.ico", ".well-known/x", &unknown];
    let below = below.iter().map(|it| format!("{base}/{it}"));
    let mut paths = vec![own.to_owned()];
    for path in below.chain(plan.paths.iter().cloned()) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// The URL to request at a path: with the test query.
fn asked(app: &Url, path: &str) -> Url {
    let mut url = at(app, path);
    let query = url.query().map_or(QUERY.to_owned(), |own| format!("{own}&{QUERY}"));
    url.set_query(Some(&query));
    url
}

/// The URL of another path, which begins with a slash, on the same host.
fn at(url: &Url, path: &str) -> Url {
    let whole = format!("{}{path}", origin(url));
    Url::parse(&whole).expect("an origin and a path make an address")
}

/// The URL of another path of the site with this sign-in page. The site may have a path prefix.
fn of_site(page: &Url, path: &str) -> Url {
    let prefix = page.path().strip_suffix("/login").unwrap_or_default();
    at(page, &format!("{prefix}{path}"))
}

/// Whether the sign-in page redirects to the form for the first account.
fn leads_to_sign_up(login: &Url, reply: &Reply) -> bool {
    let to = reply.values("location").next().and_then(|it| login.join(it).ok());
    to.is_some_and(|mut to| {
        to.set_query(None);
        to == of_site(login, "/signup")
    })
}

/// A URL without its query and fragment.
fn without_query(url: &Url) -> &str {
    url.as_str().split(['?', '#']).next().unwrap_or_default()
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn pairs(forged: &[Forged]) -> Vec<(&str, &str)> {
    forged.iter().map(|it| (&*it.name, &*it.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(app: &str, paths: &[&str]) -> DoctorPlan {
        DoctorPlan {
            app: Url::parse(app).unwrap(),
            paths: paths.iter().map(|it| (*it).to_owned()).collect(),
            identity: Vec::new(),
            ca: None,
            pins: Vec::new(),
            credentials: None,
            login: None,
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn tries_the_apps_own_path_first_then_those_below_it_then_those_that_are_named() {
        let all = paths(&plan("https://a.test", &["/b?c=1", "/api/"]));
        assert_eq!(all[..5], ["/", "/api/", "/static/x", "/favicon.ico", "/.well-known/x"]);
        assert!(all[5].starts_with("/doctor-") && all[6..] == ["/b?c=1"], "{all:?}");
        let all = paths(&plan("https://a.test/wiki/", &[]));
        assert_eq!(all[..3], ["/wiki/", "/wiki/api/", "/wiki/static/x"]);
    }

    #[test]
    fn asks_every_path_with_a_query_that_is_easily_damaged() {
        let app = Url::parse("https://a.test:8443/wiki/").unwrap();
        for (path, expected) in [
            ("/", "https://a.test:8443/?doctor=1&plus=a%20b&utf8=%C3%A9"),
            ("/b?c=1", "https://a.test:8443/b?c=1&doctor=1&plus=a%20b&utf8=%C3%A9"),
        ] {
            assert_eq!(asked(&app, path).as_str(), expected);
        }
    }
}
