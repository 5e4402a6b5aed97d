//! The examination of somebody who signs in: what the app receives with a session, and that signing out ends it.

use serde_json::Value;
use url::{Url, form_urlencoded};

use super::verdict::{self, Guard};
use super::wire::{Question, Reply};
use super::{CASINGS, DoctorCredentials, Examination, Visit, cookie, of_site, origin, pairs};

/// An address that no client of ours has (RFC 5737).
const FOREIGN_ADDRESS: &str = "203.0.113.77";

/// What comes of a path with a session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// The report has it.
    Told,
    /// The user may not enter, which says nothing.
    Denied,
    /// The app lets the user in, and its answer does not show what it receives.
    Unseen,
}

impl Examination<'_> {
    /// Signs in, looks at each path with the session, and signs out again.
    pub(super) fn sign_in(
        &mut self,
        login: &Url,
        credentials: &DoctorCredentials,
        visits: &[Visit],
    ) {
        let DoctorCredentials { name, password } = credentials;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("username", name)
            .append_pair("password", password)
            .finish();
        let what = format!("POST {login} as {name}");
        let origin = origin(login);
        let mut question = Question::bare("POST", login).form(form);
        question = question.with(&[
            ("Origin", &*origin),
            ("Accept", "*/*"),
            ("X-Forwarded-For", FOREIGN_ADDRESS),
        ]);
        let Some(reply) = self.ask(&what, &question) else { return };
        let Some(cookie) = cookie::session(&reply) else {
            return self.report.tell(Err(verdict::no_session(&what, &reply)));
        };
        self.report.tell(Ok(format!("{what} gave a session")));
        self.judge_cookie(&cookie, login);
        let pair = format!("{}={}", cookie.name, cookie.value);
        let names = self.names(login, name, &pair);
        let reached = |it: &&Visit| cookie.is_sent(login, &it.url);
        let (reached, unreached): (Vec<_>, Vec<_>) = visits.iter().partition(reached);
        let why = format!("with a session: no browser would send {} there", cookie.name);
        self.leave_out("GET", unreached.into_iter(), &why);
        self.enter_all(&reached, &pair, &names);
        // The session is there, whatever a browser would make of its cookie, and has to end.
        self.check_address(login, &pair);
        self.sign_out(login, &origin, &pair, &reached);
    }

    /// Asks the app at each path as its user.
    fn enter_all(&mut self, visits: &[&Visit], cookie: &str, names: &[String]) {
        let entries: Vec<_> =
            visits.iter().map(|it| (*it, self.enter(it, cookie, names))).collect();
        self.report.release();
        let of = |kind| entries.iter().filter(move |(_, it)| *it == kind).map(|(it, _)| *it);
        let why = "with a session: it answers 403 to this user; put the user into a group that the proxy admits";
        self.leave_out("GET", of(Entry::Denied), why);
        let why = "is not seen: its answers there do not name the user; add a page that does, with --path";
        self.leave_out("what reaches the app at", of(Entry::Unseen), why);
    }

    /// Tells in one line what was not examined at these paths, if there are any.
    fn leave_out<'a>(&mut self, what: &str, visits: impl Iterator<Item = &'a Visit>, why: &str) {
        let paths: Vec<_> = visits.map(|it| &*it.path).collect();
        if !paths.is_empty() {
            self.report.skip(&format!("{what} {} {why}", paths.join(", ")));
        }
    }

    /// By what the app may name the user: the id, and the name in its two forms.
    fn names(&mut self, login: &Url, typed: &str, cookie: &str) -> Vec<String> {
        let url = of_site(login, "/session");
        let question = Question::bare("GET", &url).with(&[("Cookie", cookie)]);
        // Where it does not answer, the name that was typed has to do.
        let reply = self.wire.ask(&question).ok();
        let data = reply.and_then(|it: Reply| serde_json::from_str::<Value>(&it.body).ok());
        let field = |name| Some(data.as_ref()?["user"][name].as_str()?.to_owned());
        let fields = ["id", "username", "canonical_username"].into_iter().filter_map(field);
        fields.chain([typed.to_owned()]).collect()
    }

    /// Asks the app as its user, and sends what only the gate should.
    fn enter(&mut self, visit: &Visit, cookie: &str, names: &[String]) -> Entry {
        let Visit { path, url, .. } = visit;
        let what = format!("GET {path} with a session");
        let question = || Question::navigation(url).with(&[("Cookie", cookie)]);
        let Some(reply) = self.ask(&what, &question()) else { return Entry::Told };
        let Some(finding) = verdict::admission(&what, &Guard::of(&reply)) else {
            return Entry::Denied;
        };
        let is_in = finding.is_ok();
        self.report.tell_at("admission", path, finding);
        if !is_in {
            return Entry::Told;
        }
        let forged = self.identity.clone();
        let mut received = Vec::new();
        for casing in CASINGS {
            let question = question().with(&pairs(&forged)).spelled(casing);
            let Some(reply) = self.ask(&what, &question) else { return Entry::Told };
            for one in verdict::shown(&reply, &forged) {
                if !received.contains(&one) {
                    received.push(one);
                }
            }
        }
        if !received.is_empty() {
            self.report.tell_at("receipt", path, Err(verdict::receipt(&what, &received)));
            return Entry::Told;
        }
        if !verdict::names_user(&reply, names) {
            return Entry::Unseen;
        }
        let count = forged.len();
        let text = format!("{what} names the user, and shows nothing of {count} forged headers");
        self.report.tell(Ok(text));
        Entry::Told
    }

    /// The server counts guesses by address, so nobody may choose theirs. The session that was begun with a forged
    /// one tells its owner which address was believed.
    fn check_address(&mut self, login: &Url, cookie: &str) {
        let what = format!("POST {login} with a forged X-Forwarded-For");
        let url = of_site(login, "/account/sessions");
        let headers = [("Cookie", cookie), ("Accept", "application/json")];
        let question = Question::bare("GET", &url).with(&headers);
        let Some(reply) = self.ask(&format!("GET {url}"), &question) else { return };
        match reply.status {
            200 if reply.body.contains(FOREIGN_ADDRESS) => self.report.tell(Err(format!(
                "{what}: vestibule believes it, so whoever guesses passwords is not slowed down; let the proxy \
                 overwrite it with the client's address"
            ))),
            200 => self.report.tell(Ok(format!("{what} is not believed"))),
            status => self.report.skip(&format!(
                "{what}: GET {url}, which shows what was believed, answered {status}"
            )),
        }
    }

    fn sign_out(&mut self, login: &Url, origin: &str, cookie: &str, visits: &[&Visit]) {
        let url = of_site(login, "/logout");
        let what = format!("POST {url}");
        let headers = [("Origin", origin), ("Cookie", cookie), ("Accept", "*/*")];
        let question = Question::bare("POST", &url).form(String::new()).with(&headers);
        let Some(reply) = self.ask(&what, &question) else { return };
        self.report.tell(match reply.status {
            200..=399 => Ok(format!("{what} ends the session")),
            status => Err(format!(
                "{what} answered {status}, so the session lives on; let the proxy pass Origin and \
                 Cookie on, and end the session by hand"
            )),
        });
        let Some(visit) = visits.iter().find(|it| it.guard.is_shut()) else { return };
        let what = format!("GET {} with the session that has ended", visit.path);
        let question = Question::navigation(&visit.url).with(&[("Cookie", cookie)]);
        let Some(reply) = self.ask(&what, &question) else { return };
        self.report.tell(if Guard::of(&reply).is_shut() {
            Ok(format!("{what} does not enter"))
        } else {
            let status = reply.status;
            Err(format!("{what} answered {status}; let the proxy keep no answer of the gate"))
        });
    }
}
