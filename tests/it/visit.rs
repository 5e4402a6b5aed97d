//! A visit: a site over its own empty file, and a browser that keeps the site's cookie.

use std::net::IpAddr;
use std::time::Duration;

use crate::engine;
use base64ct::{Base64, Encoding};
use tempfile::TempDir;
use vestibule::auth::events::Audited;
use vestibule::auth::record_fields::RecordField;
use vestibule::auth::sign_in::Rules;
use vestibule::base::clock::Moment;
use vestibule::base::log_fields;
use vestibule::base::origin::{Domain, Origin};
use vestibule::base::password::{Cost, Hasher};
use vestibule::base::webauthn::RelyingParty;
use vestibule::store::{Error, Patience, Record, Store};
use vestibule::web::cross_origin::Rule;
use vestibule::web::http::{Method, Note, Request, Response};
use vestibule::web::{Settings, Site};

/// When every visit begins: 2026-11-24 08:00 UTC.
pub const MORNING: Moment = Moment::from_millis(1_795_507_200_000);

pub const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

pub struct Visit {
    pub folder: TempDir,
    pub site: Site,
    pub now: Moment,
    /// The session cookie that the browser sends: whatever the site last set.
    pub cookie: Option<String>,
    /// The cookie by which the site knows the browser.
    pub device: Option<String>,
    /// The cookie by which the next page tells what was done.
    pub message: Option<String>,
    /// The cookie that brings a new access token to the next page.
    pub new_token: Option<String>,
    /// The cookie of a sign-in that waits for the second factor.
    pub pending: Option<String>,
    /// Where it comes from.
    pub peer: Option<IpAddr>,
    /// What it sends with every request.
    pub headers: Vec<(String, String)>,
}

impl Visit {
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Self {
        Self::open(tempfile::tempdir().unwrap(), settings)
    }

    /// The site of an earlier visit, started again.
    pub fn over(folder: TempDir) -> Self {
        Self::over_with(folder, Settings::default())
    }

    /// The site of an earlier visit, started again with other settings.
    pub fn over_with(folder: TempDir, settings: Settings) -> Self {
        Self::open(folder, settings)
    }

    /// A site over the file `test.db` in this folder, whatever the other tests run on.
    pub fn over_file(folder: TempDir) -> Self {
        Self::over_file_with(folder, Settings::default())
    }

    /// The same with these settings.
    pub fn over_file_with(folder: TempDir, settings: Settings) -> Self {
        let store = engine::file(&folder.path().join("test.db"));
        Self::of(folder, store, settings)
    }

    fn open(folder: TempDir, settings: Settings) -> Self {
        let store = engine::open(folder.path());
        Self::of(folder, store, settings)
    }

    fn of(folder: TempDir, store: Box<dyn Store>, settings: Settings) -> Self {
        let site = Site::new(store, Hasher::new(2, CHEAP), settings);
        Self {
            folder,
            site,
            now: MORNING,
            cookie: None,
            device: None,
            message: None,
            new_token: None,
            pending: None,
            peer: None,
            headers: Vec::new(),
        }
    }

    /// A visit in which `anna` has just signed up with the password `correct horse`.
    pub fn with_ann() -> Self {
        let mut visit = Self::new();
        let answer = visit.post("/signup", &[("username", "anna"), ("password", "correct horse")]);
        assert_eq!(answer.status, 302);
        visit
    }

    /// Another browser altogether.
    pub fn forget_everything(&mut self) -> (Option<String>, Option<String>) {
        (self.cookie.take(), self.device.take())
    }

    /// The same browser, but signed out without the site's knowledge.
    pub fn forget_cookie(&mut self) -> Option<String> {
        self.cookie.take()
    }

    /// Sends this header with every request from now on.
    pub fn send(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn wait(&mut self, span: Duration) {
        self.now = self.now.after(span);
    }

    pub fn get(&mut self, path: &str) -> Response {
        self.ask("GET", path, &[], "")
    }

    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        self.post_body(path, &form.extend_pairs(fields).finish())
    }

    pub fn post_body(&mut self, path: &str, body: &str) -> Response {
        self.ask("POST", path, &[("Content-Type", "application/x-www-form-urlencoded")], body)
    }

    pub fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let request = self.request(method, path, headers, body);
        let answer = self.site.answer(&request, self.now);
        self.settle();
        assert_is_listed(&answer.note);
        for (_, set) in answer.headers.iter().filter(|(name, _)| *name == "Set-Cookie") {
            let (pair, rest) = set.split_once(';').unwrap();
            let kept = (!rest.contains("Max-Age=0")).then(|| pair.to_owned());
            if pair.contains("auth_device=") {
                self.device = kept;
            } else if pair.contains("auth_message=") {
                self.message = kept;
            } else if pair.contains("auth_new_token=") {
                self.new_token = kept;
            } else if pair.contains("auth_pending=") {
                self.pending = kept;
            } else {
                self.cookie = kept;
            }
        }
        answer
    }

    /// Does what the server does behind an answer, unless the database is busy.
    pub fn settle(&self) {
        match Patience::None.during(|| self.site.write_uses()) {
            Ok(_) | Err(Error::Unavailable(_)) => {}
            Err(err) => panic!("{err}"),
        }
    }

    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Request {
        let mut all = self.headers.clone();
        all.extend(headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let cookies = [&self.cookie, &self.device, &self.message, &self.new_token, &self.pending]
            .into_iter()
            .flatten();
        all.extend(cookies.map(|pair| ("Cookie".to_owned(), pair.clone())));
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Request {
            method: Method::parse(method),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: all,
            body: body.as_bytes().to_vec(),
            peer: self.peer,
        }
    }

    /// The token in the browser's cookie.
    pub fn token(&self) -> String {
        self.cookie.as_ref().unwrap().split_once('=').unwrap().1.to_owned()
    }

    pub fn is_signed_in(&mut self) -> bool {
        self.get("/").status == 200
    }

    pub fn count(&self, table: &str) -> i64 {
        self.raw().count(table)
    }

    /// A second way into the database.
    pub fn raw(&self) -> Box<dyn engine::Raw> {
        engine::raw(self.folder.path())
    }
}

/// Every field that the audit log would keep of an answer is documented for its event.
fn assert_is_listed(note: &Note) {
    let kept = note.fields.iter().filter(|(name, _)| !matches!(*name, "uid" | "sess"));
    let kept: Vec<_> = kept.map(|(name, value)| (*name, &**value)).collect();
    let record = Record {
        request: Some("abcd-1".to_owned()),
        ..Record::of_program(note.event.name(), log_fields::text(&kept), MORNING)
    };
    let is_kept = note.event.audited() != Audited::Never;
    assert!(
        !is_kept || RecordField::unlisted(&record).is_empty(),
        "{note:?} is not in auth/record_fields.rs"
    );
}

/// A site for the hosts of example.com, at `https://auth.example.com`.
pub fn of_example() -> Settings {
    Settings {
        rule: Rule { own: Origin::parse("https://auth.example.com"), ..Rule::default() },
        cookie_domain: Domain::parse("example.com"),
        rules: with_passkeys(),
        ..Settings::default()
    }
}

/// The rules of a site at `https://auth.example.com`, where passkeys work.
pub fn with_passkeys() -> Rules {
    let origin = Origin::parse("https://auth.example.com").unwrap();
    let id = origin.host().to_owned();
    Rules { passkeys: Some(RelyingParty { origin, id }), ..Rules::default() }
}

/// A site that has every page, and no origin.
pub fn of_every_page() -> Settings {
    Settings { basic_auth: true, has_mail: true, rules: with_passkeys(), ..Settings::default() }
}

/// What `Authorization` says of this name and password.
pub fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", Base64::encode_string(format!("{name}:{password}").as_bytes()))
}

pub fn body(answer: &Response) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

/// Status and body of an answer: what a script compares.
pub fn plain(answer: &Response) -> (u16, &str) {
    (answer.status, body(answer))
}

/// Status and `Location` of an answer.
pub fn way(answer: &Response) -> (u16, Option<&str>) {
    (answer.status, answer.value("Location"))
}

/// The event of an answer, with its fields as the log writes them.
pub fn told(answer: &Response) -> String {
    let fields: Vec<_> = answer.note.fields.iter().map(|(name, it)| (*name, &**it)).collect();
    format!("{} {}", answer.note.event.name(), log_fields::text(&fields))
}
