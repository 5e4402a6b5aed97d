//! `vestibule doctor` against small set-ups on this machine: one that guards well, and one for each
//! fault that it should find. A single server plays all parts, by the host that is asked for: the
//! proxy with the app behind it, and the sign-in site.

mod sign_in;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use url::form_urlencoded::byte_serialize;
use vestibule::web::check_paths;

use crate::binary::{PATIENCE, vestibule};

const TOKEN: &str = "auth_session=0123456789012345678901234567890123456789";
const FORM: &str = "username=anna&password=correct+horse";

/// What a set-up does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    OpenPath,
    OpenToPosts,
    OpenToSockets,
    HeaderOpens,
    HeaderPassedOn,
    HostBelieved,
    PostsAgain,
    PostsFound,
    PageForScripts,
    PageForSockets,
    NextCut,
    NoWayBack,
    LongCut,
    LongRefused,
    LongLost,
    InClear,
    NoDomain,
    NoCookie,
    PublicDomain,
    OtherDomain,
    SecureInClear,
    ForAllSites,
    GateBroken,
    GateInTheOpen,
    AppSaysNo,
    AddressBelieved,
    SessionOutlivesLogout,
    NoPage,
    PartlyOpen,
    SilentApp,
    NotTrusted,
    CookiePassedOn,
    CookieMasked,
    NotAdmitted,
    DeniedDeadEnd,
    NoWayOut,
    PartlyAdmitted,
    OpenCheckAddress,
    LongNotTaken,
    LongLocationLost,
    LongLocationCut,
    CheckAtApp,
    SilentSite,
    FactorAsked,
    FactorNotSetUp,
    FactorDemanded,
    FactorPartlyDemanded,
    FactorDemandLost,
}

/// A request as it came.
struct Asked {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Asked {
    /// `None` when there is none.
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut lines = BufReader::new(stream);
        let mut line = || {
            let mut line = String::new();
            lines.read_line(&mut line).ok()?;
            Some(line.trim_end().to_owned())
        };
        let first = line()?;
        let mut words = first.split(' ').map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let mut headers = Vec::new();
        while let Some((name, value)) = line()?.split_once(": ") {
            headers.push((name.to_owned(), value.to_owned()));
        }
        let mut asked = Self { method, target, headers, body: String::new() };
        let length = asked.value("content-length").parse().unwrap_or(0);
        let mut body = vec![0; length];
        lines.read_exact(&mut body).ok()?;
        asked.body = String::from_utf8(body).ok()?;
        Some(asked)
    }

    fn value(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    fn is_for(&self, host: &str) -> bool {
        self.value("host").split('.').next() == Some(host)
    }

    fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }
}

/// The set-up. It ends with the test.
struct Town {
    address: SocketAddr,
    server: Option<JoinHandle<()>>,
}

struct Server {
    port: u16,
    fault: Fault,
    is_signed_in: AtomicBool,
    /// The address from which the session was begun, as the site believes.
    address: Mutex<String>,
}

impl Town {
    fn with(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server {
            port: address.port(),
            fault,
            is_signed_in: AtomicBool::new(false),
            address: Mutex::default(),
        };
        let server = Arc::new(server);
        let serve = move || {
            for stream in listener.incoming().map_while(Result::ok) {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let Some(asked) = Asked::read(&stream) else { break };
                let is_silent = server.has(Fault::SilentSite) && asked.is_for("auth");
                if !is_silent {
                    drop((&stream).write_all(server.answer(&asked).as_bytes()));
                }
                drop(stream.shutdown(Shutdown::Write));
            }
        };
        Self { address, server: Some(thread::spawn(serve)) }
    }

    /// What the doctor writes, and its exit code.
    fn examine(&self, flags: &[&str], input: &str) -> (String, i32) {
        let port = self.address.port();
        let app = format!("http://app.town.localhost:{port}/");
        let pins = ["app.town.localhost", "auth.town.localhost", "auth.example.com"]
            .map(|host| format!("--resolve={host}:{port}:127.0.0.1"));
        let mut all = vec!["doctor", &*app];
        all.extend(pins.iter().map(String::as_str).chain(flags.iter().copied()));
        let origin = format!("--origin=http://auth.town.localhost:{port}");
        if !flags.iter().any(|flag| flag.starts_with("--origin")) {
            all.push(&origin);
        }
        run(&all, input)
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        // A connection without a request tells the server to end.
        drop(TcpStream::connect(self.address));
        self.server.take().unwrap().join().unwrap();
    }
}

fn run(arguments: &[&str], input: &str) -> (String, i32) {
    let mut command = vestibule(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have ended without reading it.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let ended = child.wait_with_output().unwrap();
    let text = [ended.stdout, ended.stderr].concat();
    (String::from_utf8(text).unwrap(), ended.status.code().unwrap())
}

impl Server {
    fn answer(&self, asked: &Asked) -> String {
        if asked.is_for("app") { self.answer_as_app(asked) } else { self.answer_as_site(asked) }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn has_session(&self, asked: &Asked) -> bool {
        asked.value("cookie") == TOKEN && self.is_signed_in.load(Ordering::SeqCst)
    }

    fn answer_as_app(&self, asked: &Asked) -> String {
        if self.has(Fault::LongNotTaken) && asked.target.len() > 3_000 {
            return answer(414, &[], "");
        }
        let is_open = (self.has(Fault::OpenCheckAddress) && asked.path().starts_with("/oauth2/"))
            || (self.has(Fault::OpenPath) && asked.path() == "/api/")
            || (self.has(Fault::PartlyOpen) && !asked.path().starts_with("/private"))
            || (self.has(Fault::OpenToPosts) && asked.method == "POST")
            || (self.has(Fault::HeaderOpens) && !asked.value("remote_user").is_empty());
        if self.has(Fault::OpenToSockets) && asked.value("upgrade") == "websocket" {
            return "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                .to_owned();
        }
        if self.has(Fault::AppSaysNo) && asked.path() == "/api/" {
            return answer(401, &[], "Who are you?");
        }
        match (self.fault, asked.path()) {
            (Fault::CheckAtApp, "/api/verify") => {
                return answer(401, &[], "{\"error\":\"not_signed_in\"}");
            }
            // A check for proxies that lead visitors on, which is told another address, or none.
            (Fault::CheckAtApp, "/auth/forward") => {
                let page = format!("http://auth.town.localhost:{}/login", self.port);
                return answer(302, &[("Location", &page)], "");
            }
            _ => {}
        }
        if is_open || self.has_session(asked) { self.show_app(asked) } else { self.guard(asked) }
    }

    /// What the app makes of the headers that reach it: it spells `-` and `_` alike.
    fn show_app(&self, asked: &Asked) -> String {
        if self.has(Fault::SilentApp) {
            return answer(200, &[], "Hello");
        }
        if self.has(Fault::NotAdmitted) {
            let url = format!("http://{}{}", asked.value("host"), asked.target);
            let encoded: String = byte_serialize(url.as_bytes()).collect();
            let out = format!("http://auth.town.localhost:{}/logout?next={encoded}", self.port);
            return answer(
                403,
                &[],
                &format!("<a href=\"{out}\">Sign in with another account</a>"),
            );
        }
        let demands = [Fault::FactorDemanded, Fault::FactorDemandLost].contains(&self.fault)
            || (self.has(Fault::FactorPartlyDemanded) && asked.path() != "/api/");
        if demands {
            let url = format!("http://{}{}", asked.value("host"), asked.target);
            let encoded: String = byte_serialize(url.as_bytes()).collect();
            let next =
                if self.has(Fault::FactorDemandLost) { "" } else { &format!("?next={encoded}") };
            let page =
                format!("http://auth.town.localhost:{}/account/second-factor{next}", self.port);
            return answer(302, &[("Location", &page)], "");
        }
        let refuses = self.has(Fault::DeniedDeadEnd)
            || (self.has(Fault::PartlyAdmitted) && asked.path() == "/");
        if refuses {
            return answer(403, &[], "Forbidden");
        }
        if self.has(Fault::CookiePassedOn) {
            return answer(
                200,
                &[],
                &format!("Hello anna\nCookie: a=b; {}", asked.value("cookie")),
            );
        }
        if self.has(Fault::CookieMasked) {
            return answer(200, &[("X-Seen", "a=b; auth_session=0123…")], "Hello anna");
        }
        let passed = if self.has(Fault::HeaderPassedOn) { asked.value("REMOTE_USER") } else { "" };
        answer(200, &[], &format!("Hello anna {passed}"))
    }

    fn guard(&self, asked: &Asked) -> String {
        if self.has(Fault::NotTrusted) {
            return answer(403, &[], "Forbidden");
        }
        if self.has(Fault::GateBroken) {
            return answer(500, &[], "");
        }
        let is_socket = asked.value("upgrade") == "websocket";
        let is_page = asked.value("accept").contains("text/html");
        let leads = is_page
            || (is_socket && self.has(Fault::PageForSockets))
            || (!is_socket && self.has(Fault::PageForScripts));
        if !leads || self.has(Fault::NoPage) {
            return answer(401, &[], "");
        }
        let status = match &*asked.method {
            "POST" if self.has(Fault::PostsAgain) => 307,
            "POST" if self.has(Fault::PostsFound) => 302,
            "POST" => 303,
            _ => 302,
        };
        answer(status, &[("Location", &self.location(asked))], "")
    }

    fn location(&self, asked: &Asked) -> String {
        let told = asked.value("x-forwarded-host");
        let is_fooled = self.has(Fault::HostBelieved) && !told.is_empty();
        let host = if is_fooled { told } else { asked.value("host") };
        let site =
            if self.has(Fault::InClear) { "auth.example.com" } else { "auth.town.localhost" };
        let login = format!("http://{site}:{}/login", self.port);
        let url = format!("http://{host}{}", asked.target);
        let encoded: String = byte_serialize(url.as_bytes()).collect();
        match self.fault {
            Fault::NextCut => format!("{login}?rd={url}"),
            Fault::NoWayBack => login,
            Fault::LongCut if url.len() > 2_048 => login,
            _ => format!("{login}?next={encoded}"),
        }
    }

    fn answer_as_site(&self, asked: &Asked) -> String {
        let domain = match self.fault {
            Fault::NoDomain => "",
            // To a browser all of it is a public suffix.
            Fault::PublicDomain => "; Domain=localhost",
            Fault::OtherDomain => "; Domain=village.localhost",
            Fault::SecureInClear => "; Domain=town.localhost; Secure",
            Fault::ForAllSites => "; Domain=town.localhost; SameSite=None",
            _ => "; Domain=town.localhost",
        };
        let rest = format!("; Path=/; HttpOnly; SameSite=Lax{domain}");
        let cleared = format!("auth_session=; Max-Age=0{rest}");
        let is_ours = asked.value("origin") == format!("http://auth.town.localhost:{}", self.port);
        match (&*asked.method, asked.path()) {
            ("GET", "/login") if self.has(Fault::LongNotTaken) && asked.target.len() > 3_000 => {
                answer(414, &[], "")
            }
            ("GET", "/account") if self.has(Fault::LongLocationLost) => answer(502, &[], ""),
            ("GET", "/account") => {
                let next: String = byte_serialize(asked.target.as_bytes()).collect();
                let mut to = format!("/login?next={next}");
                to.truncate(if self.has(Fault::LongLocationCut) { 4_096 } else { to.len() });
                answer(302, &[("Location", &to)], "")
            }
            ("GET", "/logout") if self.has(Fault::NoWayOut) => {
                answer(302, &[("Location", "/login")], "")
            }
            ("GET", "/logout") => answer(200, &[], "<form><input name=\"next\"></form>"),
            ("GET", "/login") if self.has(Fault::LongRefused) && asked.target.len() > 8_192 => {
                answer(414, &[], "")
            }
            ("GET", "/login") => {
                let is_lost = self.has(Fault::LongLost) && asked.target.len() > 4_096;
                let keeps = asked.target.contains("next=") && !is_lost;
                let next = if keeps { "<input name=\"next\">" } else { "" };
                let presents = asked.value("cookie").starts_with("auth_session=");
                let clears = presents && !self.has(Fault::NoCookie);
                let headers = if clears { vec![("Set-Cookie", &*cleared)] } else { vec![] };
                let page = format!("<!DOCTYPE html><title>Sign in</title>{next}");
                answer(200, &headers, &page)
            }
            ("POST", "/login")
                if self.has(Fault::FactorNotSetUp)
                    || (self.has(Fault::FactorAsked) && asked.body == FORM) =>
            {
                let pending = "auth_pending=x; Path=/; HttpOnly";
                answer(302, &[("Set-Cookie", pending), ("Location", "/login/second")], "")
            }
            ("POST", "/login")
                if is_ours
                    && (asked.body == FORM
                        || (self.has(Fault::FactorAsked)
                            && asked.body == format!("{FORM}&code=123456"))) =>
            {
                self.is_signed_in.store(true, Ordering::SeqCst);
                let told = asked.value("x-forwarded-for");
                let believed = if self.has(Fault::AddressBelieved) { told } else { "127.0.0.1" };
                believed.clone_into(&mut self.address.lock().unwrap());
                let cookie = format!("{TOKEN}; Max-Age=60{rest}");
                answer(302, &[("Set-Cookie", &cookie), ("Location", "/")], "")
            }
            ("GET", "/") => answer(302, &[("Location", "/login")], ""),
            ("GET", "/healthz") => answer(200, &[], "{\"status\":\"ok\"}"),
            ("POST", "/login") => answer(400, &[], "Incorrect username or password"),
            ("GET", "/account/sessions") if self.has_session(asked) => {
                let address = self.address.lock().unwrap();
                answer(200, &[], &format!("{{\"sessions\":[{{\"address\":\"{address}\"}}]}}"))
            }
            ("POST", "/logout") if is_ours && self.has_session(asked) => {
                let lives_on = self.has(Fault::SessionOutlivesLogout);
                self.is_signed_in.store(lives_on, Ordering::SeqCst);
                answer(302, &[("Set-Cookie", &cleared), ("Location", "/login")], "")
            }
            ("GET", path)
                if self.has(Fault::GateInTheOpen) && check_paths().any(|it| it == path) =>
            {
                answer(401, &[], "")
            }
            _ => answer(404, &[], "Not found"),
        }
    }
}

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> String {
    let headers = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let headers: String = headers.collect();
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

/// Expects one line of the report, or a part of it, and that something is wrong.
fn finds(fault: Fault, expected: &[&str]) {
    let (report, code) = Town::with(fault).examine(&["--sign-in=anna"], "correct horse\n");
    for expected in expected {
        let is_there = |line: &str| line.starts_with("FAIL  ") && line.contains(expected);
        assert!(report.lines().any(is_there), "{fault:?}: {expected}\n{report}");
    }
    let wrong = report.lines().filter(|line| line.starts_with("FAIL  ")).count();
    let count = report.lines().last().unwrap();
    assert!(count.starts_with(&format!("{wrong} wrong, ")), "{report}");
    assert_eq!(code, 1, "{report}");
}

#[test]
fn finds_nothing_wrong_where_everything_is_guarded() {
    let town = Town::with(Fault::None);
    let (report, code) = town.examine(&["--sign-in=anna", "--path=/a?b=c"], "correct horse\n");
    let login = format!("http://auth.town.localhost:{}/login", town.address.port());
    assert!(!report.contains("FAIL") && !report.contains("skip  "), "{report}");
    for expected in [
        format!("ok    GET / without a session leads to {login}"),
        "ok    GET /a?b=c tells the sign-in page the whole address".to_owned(),
        "ok    GET /api/ with forged headers that name a user is answered as without them".into(),
        "ok    GET / with forged headers that name another address is answered as without them"
            .into(),
        format!("ok    POST / without a session leads to {login} with 303"),
        "ok    GET / by a script without a session answers 401".into(),
        "ok    a WebSocket to / without a session answers 401".into(),
        "ok    GET / with an address of 7500 bytes leads to the sign-in page and back".into(),
        "ok    the cookie auth_session is kept safe and reaches the app".into(),
        "ok    GET / with a session names the user, and shows nothing of 15 forged headers".into(),
        format!("ok    POST {login} with a forged X-Forwarded-For is not believed"),
        "ok    GET / with the session that has ended does not enter".into(),
    ] {
        assert!(report.lines().any(|line| line == expected), "{expected}\n{report}");
    }
    assert!(report.lines().last().unwrap().starts_with("0 wrong, "), "{report}");
    assert!(!report.contains(TOKEN) && !report.contains("horse"), "a secret is told: {report}");
    assert_eq!(code, 0);
}

#[test]
fn says_what_it_leaves_out_without_an_account_to_sign_in() {
    let (report, code) = Town::with(Fault::None).examine(&[], "");
    assert!(report.contains("skip  what the app receives with a session: needs --sign-in"));
    assert!(report.ends_with(", 1 skipped\n"), "{report}");
    assert_eq!(code, 0, "{report}");
}

#[test]
fn tells_a_fault_of_several_paths_once_and_what_may_have_been_meant() {
    let (report, code) = Town::with(Fault::PartlyOpen).examine(&["--path=/private"], "");
    let fault = "FAIL  GET / answered 200 without a session: the app is open; guard every location (likewise /api/, ";
    assert!(report.lines().any(|it| it.starts_with(fault)), "{report}");
    assert_eq!(report.matches("FAIL").count(), 1, "{report}");
    let hint = "hint  if only a part of the app is meant to be guarded, examine that: vestibule doctor http://app.";
    let hint = report.lines().find(|it| it.starts_with(hint)).unwrap_or_else(|| panic!("{report}"));
    assert!(
        hint.ends_with("/private") && report.contains("skip  forged headers, forms,"),
        "{report}"
    );
    assert_eq!(code, 1);
}

#[test]
fn does_not_call_good_what_it_cannot_see() {
    let town = Town::with(Fault::SilentApp);
    let (report, code) = town.examine(&["--sign-in=anna"], "correct horse\n");
    let skipped = "skip  what reaches the app at /, /api/, /static/x, /favicon.ico, /.well-known/x, \
                   /doctor-";
    assert!(
        report.lines().any(|it| it.starts_with(skipped) && it.ends_with("with --path")),
        "{report}"
    );
    assert!(!report.contains("shows nothing") && report.contains(", 1 skipped\n"), "{report}");
    assert_eq!(code, 0, "{report}");
}

#[test]
fn looks_at_the_sign_in_page_that_is_named_though_no_path_leads_there() {
    let (report, code) = Town::with(Fault::NoPage).examine(&["--sign-in=anna"], "correct horse\n");
    for expected in
        ["/login shows the sign-in page", "as anna gave a session", "/logout ends the session"]
    {
        assert!(report.contains(expected), "{expected}: {report}");
    }
    assert_eq!((report.matches("FAIL").count(), code), (1, 1), "{report}");
}

#[test]
fn finds_a_path_that_is_open() {
    finds(Fault::OpenPath, &["GET /api/ answered 200 without a session: the app is open; guard"]);
}

#[test]
fn finds_an_app_that_is_open_to_forms() {
    finds(Fault::OpenToPosts, &["POST / answered 200 without a session: the app is open; guard"]);
}

#[test]
fn finds_an_app_that_is_open_to_sockets() {
    finds(
        Fault::OpenToSockets,
        &["a WebSocket to / answered 101 without a session: the app talks"],
    );
}

#[test]
fn finds_a_header_that_opens_the_app() {
    finds(
        Fault::HeaderOpens,
        &["GET /api/ with a forged Remote_User: it answered 200: the app is open; clear it"],
    );
}

#[test]
fn finds_a_header_that_reaches_the_app() {
    finds(
        Fault::HeaderPassedOn,
        &[
            "GET / with a session: the app received forged Remote_User, and",
            "in every location (likewise /api/, /static/x, /favicon.ico, /.well-known/x, /doctor-",
        ],
    );
}

#[test]
fn finds_a_proxy_that_believes_the_client_about_the_host() {
    finds(
        Fault::HostBelieved,
        &["GET / with a forged X-Forwarded-Host: it will lead back to http://evil.example/"],
    );
}

#[test]
fn finds_a_body_that_is_sent_to_the_sign_in_page() {
    finds(Fault::PostsAgain, &["POST / answered 307: browsers send the body again"]);
    finds(Fault::PostsFound, &["POST / answered 302: a client may post again"]);
}

#[test]
fn finds_machines_that_are_led_to_a_page() {
    finds(Fault::PageForScripts, &["GET / by a script answered 302"]);
    finds(Fault::PageForSockets, &["a WebSocket to / answered 302"]);
}

#[test]
fn finds_an_address_to_lead_back_to_that_is_cut_off_or_missing() {
    finds(Fault::NextCut, &["GET /: the address to lead back to is cut at its first &"]);
    finds(Fault::NoWayBack, &["GET / does not tell the sign-in page where to lead back to"]);
}

#[test]
fn finds_a_long_address_that_does_not_come_back() {
    let what = "GET / with an address of 7500 bytes";
    finds(Fault::LongCut, &[&format!("{what} does not tell the sign-in page the whole address")]);
    finds(Fault::LongRefused, &[&format!("{what} leads to a sign-in page that answered 414")]);
    finds(Fault::LongLost, &[&format!("{what} leads to a sign-in page that does not know")]);
    let on = "/account with an address of 7500 bytes answered";
    finds(Fault::LongLocationLost, &[&format!("{on} 502, as would a sign-in")]);
    finds(Fault::LongLocationCut, &[&format!("{on} 302 and leads to an address that is cut off")]);
}

#[test]
fn finds_a_limit_that_an_address_passes_and_the_sign_in_page_does_not() {
    let what = "GET / with an address of 2600 bytes leads to a sign-in page that answered 414";
    finds(Fault::LongNotTaken, &[what]);
    let (report, _) = Town::with(Fault::LongNotTaken).examine(&[], "");
    let skipped = "skip  GET / with an address of 7500 bytes: the app's proxy takes none (it answered 414); shorter";
    assert!(report.contains(skipped) && report.matches("takes none").count() == 1, "{report}");
}

#[test]
fn finds_an_address_of_a_check_at_which_the_app_is_open() {
    let open = "GET /oauth2/auth answered 200 without a session: the app is open; guard every location (likewise \
                /oauth2/sign_in, /oauth2/start)";
    finds(Fault::OpenCheckAddress, &[open]);
    let asked = "GET /auth/forward of the app is answered by the check itself, to which a client may say what it wants";
    finds(Fault::CheckAtApp, &[asked, "(likewise /api/verify)"]);
}

#[test]
fn finds_a_cookie_that_does_not_reach_the_app() {
    finds(
        Fault::NoDomain,
        &["the cookie auth_session has no Domain, so browsers send it to auth."],
    );
    finds(Fault::NoCookie, &["clears no session cookie that is invalid"]);
}

#[test]
fn takes_a_session_no_further_than_a_browser_would() {
    for (fault, expected) in [
        (
            Fault::PublicDomain,
            "the cookie auth_session has Domain=localhost, so browsers refuse it",
        ),
        (Fault::OtherDomain, "has Domain=village.localhost, so browsers refuse it; auth.town."),
        (
            Fault::SecureInClear,
            "the cookie auth_session is Secure and comes over http, so browsers",
        ),
        (Fault::ForAllSites, "the cookie auth_session is not Secure, so browsers refuse it"),
        (
            Fault::NoDomain,
            "so browsers send it to auth.town.localhost alone and never to app.town.",
        ),
    ] {
        let (report, code) = Town::with(fault).examine(&["--sign-in=anna"], "correct horse\n");
        assert_eq!(report.matches("FAIL  ").count(), 1, "{report}");
        assert!(
            report.lines().any(|it| it.starts_with("FAIL") && it.contains(expected)),
            "{report}"
        );
        let skipped = "skip  GET /, /api/, /static/x, /favicon.ico, /.well-known/x, /doctor-";
        let is_skipped = |line: &str| {
            line.starts_with(skipped) && line.ends_with("no browser would send auth_session there")
        };
        assert!(report.lines().any(is_skipped), "{report}");
        assert!(!report.contains("gets through") && report.contains("/logout ends the session"));
        assert_eq!(code, 1);
    }
}

#[test]
fn finds_a_gate_that_is_broken_or_in_the_open() {
    finds(Fault::GateBroken, &["GET / answered 500 without a session: the gate cannot be reached"]);
    let open = check_paths().map(|path| {
        format!(
            "{path} from outside answered 401; let only the proxy itself ask the gate (in nginx: \
             location = {path} {{"
        )
    });
    let open: Vec<_> = open.collect();
    assert_eq!(open.len(), 11);
    finds(Fault::GateInTheOpen, &open.iter().map(String::as_str).collect::<Vec<_>>());
    finds(
        Fault::NoPage,
        &["no path leads to a sign-in page, so people only see that they may not enter; hand"],
    );
    finds(
        Fault::NotTrusted,
        &["see vestibule's log: after reason=not_a_trusted_proxy, give vestibule --trusted"],
    );
}

#[test]
fn finds_a_proxy_that_lets_clients_choose_their_address() {
    finds(Fault::AddressBelieved, &["/login with a forged X-Forwarded-For: vestibule believes it"]);
}

#[test]
fn finds_a_session_that_outlives_sign_out() {
    finds(
        Fault::SessionOutlivesLogout,
        &["GET / with the session that has ended answered 200; let the proxy keep no answer"],
    );
}

#[test]
fn finds_a_password_that_is_wrong() {
    let (report, code) = Town::with(Fault::None).examine(&["--sign-in=anna"], "wrong\n");
    let expected = "as anna gave no session: 400 Incorrect username or password; check";
    assert!(report.contains(expected), "{report}");
    assert_eq!(code, 1);
}

#[test]
fn sends_the_password_to_vestibule_alone_and_never_in_clear() {
    for (fault, left_out) in [
        (Fault::InClear, "FAIL  what the app receives with a session is not examined: "),
        (Fault::NoCookie, "skip  what the app receives with a session: vestibule does not answer"),
    ] {
        let (report, code) = Town::with(fault).examine(&["--sign-in=anna"], "correct horse\n");
        assert!(report.contains(left_out), "{report}");
        assert!(!report.contains(" as anna"), "{report}");
        assert_eq!(code, 1);
    }
    finds(Fault::InClear, &["and passwords would cross the network in clear; give vestibule"]);
}

#[test]
fn finds_that_no_server_answers_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let app = format!("http://{}", silent.local_addr().unwrap());
    let (report, code) = run(&["doctor", &app, "--timeout=1s"], "");
    assert!(report.starts_with("FAIL  GET / got no answer: nothing came within 1 s"), "{report}");
    assert_eq!(code, 1);
}

#[test]
fn finds_that_no_server_answers_and_why() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (report, code) = run(&["doctor", &format!("http://127.0.0.1:{port}")], "");
    assert!(
        report.starts_with("FAIL  GET / got no answer: nothing listens at 127.0.0.1:"),
        "{report}"
    );
    assert_eq!((report.matches("FAIL").count(), code), (1, 1), "{report}");
}

#[test]
fn refuses_what_cannot_be_examined_in_one_line() {
    for (arguments, expected) in [
        (&["doctor"][..], "URL"),
        (&["doctor", "http://app.example.com"], "https only"),
        (&["doctor", "https://app.example.com", "--sign-in=anna"], "--origin"),
        (
            &["doctor", "https://a.test", "--sign-in=anna", "--origin=https://b.test"],
            "standard input",
        ),
        (&["doctor", "https://app.example.com", "--ca=Cargo.toml"], "no PEM certificate"),
    ] {
        let (text, code) = run(arguments, "");
        assert!(text.starts_with("vestibule: ") && text.contains(expected), "{text}");
        assert_eq!((text.lines().count(), code), (1, 2), "{text}");
    }
}

#[test]
fn takes_no_refusal_of_the_app_for_one_of_the_gate() {
    let (report, code) = Town::with(Fault::AppSaysNo).examine(&[], "");
    assert!(report.contains("skip  GET /api/ answers 401 without a session"), "{report}");
    assert!(!report.contains("ok    GET /api/ without"), "{report}");
    assert_eq!(code, 0);
}

#[test]
fn sends_a_password_to_no_other_place_than_the_one_that_is_named() {
    let town = Town::with(Fault::None);
    let flags = ["--sign-in=anna", "--origin=https://auth.example.com"];
    let (report, code) = town.examine(&flags, "correct horse\n");
    let expected = format!(
        "which is not below --origin https://auth.example.com, and the password is sent nowhere else; if that is \
         your sign-in, give --origin http://auth.town.localhost:{}, or",
        town.address.port()
    );
    assert!(report.contains(&expected), "{report}");
    assert_eq!((report.matches("FAIL").count(), code), (1, 1), "{report}");
    assert!(!report.contains("POST http://auth.town.localhost"), "{report}");
}
