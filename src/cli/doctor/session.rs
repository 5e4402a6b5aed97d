//! The examination with a session: what the app receives, and whether signing out ends the session.

use serde_json::Value;
use url::{Url, form_urlencoded};

use super::cookie::{self, SetCookie};
use super::verdict::{self, Guard};
use super::wire::{Question, Reply};
use super::{CASINGS, DoctorCredentials, Examination, Visit, is_near, of_site, origin, pairs};

/// An address that no real client has (RFC 5737).
const FOREIGN_ADDRESS: &str = "203.0.113.77";

/// The result of requesting a path with a session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// It is in the report.
    Told,
    /// The user is denied access.
    Denied,
    /// The user is denied access, and the page has no link to sign out.
    DeadEnd,
    /// The path is open only to sessions with a second factor, and this session has none.
    NeedsFactor,
    /// The app lets the user in, but its response does not show what it received.
    Unseen,
}

/// A session of the user to sign in as. It holds the cookie, so it cannot be printed.
struct TriedSession<'a> {
    login: &'a Url,
    set: SetCookie,
    /// The value of the `Cookie` header.
    cookie: String,
    /// What an app may call the user.
    names: Vec<String>,
}

/// A form of the sign-in at `login`, sent as a browser would send it, and with an address that no client has.
pub(super) fn sign_in_form(login: &Url, to: &Url, form: String) -> Question {
    let headers =
        [("Origin", &*origin(login)), ("Accept", "*/*"), ("X-Forwarded-For", FOREIGN_ADDRESS)];
    Question::bare("POST", to).form(form).with(&headers)
}

impl Examination<'_> {
    /// Examines what the app receives with a session, if the operator asks for it. If it cannot be examined, that is a
    /// fault.
    pub(super) fn examine_session(&mut self, login: &Url, is_vestibule: bool, visits: &[Visit]) {
        let what = "what the app receives with a session";
        let Some(credentials) = &self.plan.credentials else {
            return self.report.skip(&format!("{what}: needs --sign-in NAME and --origin URL"));
        };
        match self.obstacle(login) {
            Some(obstacle) => self.report.tell(Err(format!("{what} is not examined: {obstacle}"))),
            None if is_vestibule => self.sign_in(login, credentials, visits),
            // The reason is in the report.
            None => self.report.skip(&format!("{what}: vestibule does not answer at {login}")),
        }
    }

    /// Why the password is not sent to this page: only the app names it and the operator named another one, or it would
    /// cross the network in clear. `None`: it may be sent.
    fn obstacle(&self, login: &Url) -> Option<String> {
        if let Some(named) = self.plan.login.as_ref().filter(|it| *it != login) {
            let [named, led] = [named, login].map(|it| it.as_str().trim_end_matches("/login"));
            return Some(format!(
                "the app leads to {login}, which is not below --origin {named}, and the password is sent nowhere else; \
                 if that is your sign-in, give --origin {led}, or else correct the --origin of vestibule serve"
            ));
        }
        let is_clear = login.scheme() != "https" && !is_near(login);
        is_clear.then(|| {
            format!(
                "at {login} the password would cross the network in clear; give vestibule and doctor an https --origin"
            )
        })
    }

    /// Signs in, examines each path with the session, and signs out again.
    fn sign_in(&mut self, login: &Url, credentials: &DoctorCredentials, visits: &[Visit]) {
        let Some(session) = self.begin_session(login, credentials) else { return };
        let reached = |it: &&Visit| session.set.is_sent(login, &it.url);
        let (reached, unreached): (Vec<_>, Vec<_>) = visits.iter().partition(reached);
        let name = &session.set.name;
        let is_kept = cookie::flaws(&session.set, login, &self.plan.app).is_empty();
        if is_kept && reached.is_empty() && !visits.is_empty() {
            self.report.tell(Err(format!(
                "what the app receives with a session is not examined: no browser would send {name} there; serve the \
                 app by {}, as the sign-in",
                login.scheme()
            )));
        } else {
            let why = format!("with a session: no browser would send {name} there");
            self.leave_out("GET", unreached.into_iter(), &why);
        }
        self.enter_all(&reached, &session);
        // The session exists even if browsers would refuse its cookie, so it is ended in any case.
        self.check_address(login, &session.cookie);
        self.check_proxy(login, &session.cookie);
        self.check_way_out(login, &session.cookie);
        self.report.release();
        self.sign_out(login, &origin(login), &session.cookie, &reached);
    }

    /// Signs in. `None`: it failed, which is in the report.
    fn begin_session<'a>(
        &mut self,
        login: &'a Url,
        credentials: &DoctorCredentials,
    ) -> Option<TriedSession<'a>> {
        let DoctorCredentials { name, password, code } = credentials;
        let fields = [("username", name), ("password", password)];
        let fields = fields.into_iter().chain(code.as_ref().map(|it| ("code", it)));
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let what = format!("POST {login} as {name}");
        let reply = self.ask(&what, &sign_in_form(login, login, form))?;
        let reply = self.give_second_factor(&what, login, credentials, reply)?;
        let Some(set) = cookie::session(&reply) else {
            self.report.tell(Err(verdict::no_session(&what, &reply)));
            return None;
        };
        self.report.tell(Ok(format!("{what} gave a session")));
        self.judge_cookie(&set, login);
        let cookie = format!("{}={}", set.name, set.value);
        let names = self.names(login, name, &cookie);
        Some(TriedSession { login, set, cookie, names })
    }

    /// Requests each path with the session, and reports what is not seen there.
    fn enter_all(&mut self, visits: &[&Visit], session: &TriedSession<'_>) {
        let entries: Vec<_> = visits.iter().map(|it| (*it, self.enter(it, session))).collect();
        self.report.release();
        self.tell_denied(&entries);
        self.tell_demanding(&entries);
        let unseen = entries.iter().filter(|(_, it)| *it == Entry::Unseen).map(|(it, _)| *it);
        let why = "is not seen: its answers there do not name the user; add a page that does, with --path";
        self.leave_out("what reaches the app at", unseen, why);
    }

    /// Reports where the user is denied access. If that is everywhere, it is a fault: nothing was examined.
    fn tell_denied(&mut self, entries: &[(&Visit, Entry)]) {
        let is_denied = |it: Entry| matches!(it, Entry::Denied | Entry::DeadEnd);
        let denied = entries.iter().filter(|(_, it)| is_denied(*it)).map(|(it, _)| *it);
        let why = "with a session: it answers 403 to this user, and check_denied in vestibule's log says why; put the user into \
                   a group that the proxy admits or correct the address of the check";
        // A path that answers 403 without a session too tells nothing about this user.
        let is_guarded = |it: &Visit| it.guard.is_shut() && it.guard != Guard::Locked(403);
        let guarded: Vec<_> = entries.iter().filter(|(it, _)| is_guarded(it)).collect();
        if guarded.is_empty() || guarded.iter().any(|(_, it)| !is_denied(*it)) {
            return self.leave_out("GET", denied, why);
        }
        for (Visit { path, .. }, _) in guarded.iter().filter(|(_, it)| *it == Entry::DeadEnd) {
            let text = format!(
                "GET {path} with a session: the page that answers 403 has no link to sign out, so that this user \
                 cannot come back as another; let the proxy show vestibule's (in nginx, error_page 403 \
                 /_vestibule_denied)"
            );
            self.report.tell_at("dead end", path, Err(text));
        }
        for Visit { path, .. } in denied {
            let text = format!("GET {path} {why}, or sign in another user");
            self.report.tell_at("denial", path, Err(text));
        }
        self.report.release();
    }

    /// Reports the paths that are open only to sessions with a second factor, where this session has none. If all are,
    /// nothing was examined.
    fn tell_demanding(&mut self, entries: &[(&Visit, Entry)]) {
        let demanding =
            entries.iter().filter(|(_, it)| *it == Entry::NeedsFactor).map(|(it, _)| *it);
        let why = "with a session: it demands a second factor, and this user has none; sign in a user who has one";
        let mut others =
            entries.iter().filter(|(it, entry)| it.guard.is_shut() && *entry != Entry::NeedsFactor);
        if let Some((Visit { path, .. }, _)) = others.next() {
            if demanding.clone().next().is_some() {
                self.report.hint(&format!(
                    "GET {path} demands no second factor of this user, and other paths do; if it is meant to, guard it \
                     by the same check"
                ));
            }
            return self.leave_out("GET", demanding, why);
        }
        for Visit { path, .. } in demanding {
            self.report.tell_at("second factor", path, Err(format!("GET {path} {why}")));
        }
        self.report.release();
    }

    /// Reports in one line what was not examined at these paths, if there are any.
    fn leave_out<'a>(&mut self, what: &str, visits: impl Iterator<Item = &'a Visit>, why: &str) {
        let paths: Vec<_> = visits.map(|it| &*it.path).collect();
        if !paths.is_empty() {
            self.report.skip(&format!("{what} {} {why}", paths.join(", ")));
        }
    }

    /// What an app may call the user: the id, and the username in both forms.
    fn names(&mut self, login: &Url, typed: &str, cookie: &str) -> Vec<String> {
        let url = of_site(login, "/session");
        let question = Question::bare("GET", &url).with(&[("Cookie", cookie)]);
        // Without an answer, only the name that the operator gave is known.
        let reply = self.wire.ask(&question).ok();
        let data = reply.and_then(|it: Reply| serde_json::from_str::<Value>(&it.body).ok());
        let field = |name| Some(data.as_ref()?["user"][name].as_str()?.to_owned());
        let fields = ["id", "username", "canonical_username"].into_iter().filter_map(field);
        fields.chain([typed.to_owned()]).collect()
    }

    /// Requests a path with the session, and then with forged headers that only the gate should send.
    fn enter(&mut self, visit: &Visit, session: &TriedSession<'_>) -> Entry {
        let what = format!("GET {} with a session", visit.path);
        let question = Question::navigation(&visit.url).with(&[("Cookie", &*session.cookie)]);
        let Some(reply) = self.ask(&what, &question) else { return Entry::Told };
        if self.demands_second_factor(&what, visit, session.login, &reply) {
            return Entry::NeedsFactor;
        }
        let Some(finding) = verdict::admission(&what, &Guard::of(&reply)) else {
            let leads_out = self.leave_denied(visit, session.login, &session.cookie, &reply);
            return if leads_out { Entry::Denied } else { Entry::DeadEnd };
        };
        let is_in = finding.is_ok();
        self.report.tell_at("admission", &visit.path, finding);
        if !is_in {
            return Entry::Told;
        }
        self.check_kept_back(&what, visit, session, &reply);
        let is_named = verdict::names_user(&reply, &session.names);
        self.forge_identity(&what, visit, &session.cookie, is_named)
    }

    /// Reports an app that receives the session cookie, which is for the sign-in and the gate alone. An app on the
    /// origin of the sign-in may need it: it can ask there who the visitor is.
    fn check_kept_back(
        &mut self,
        what: &str,
        visit: &Visit,
        session: &TriedSession<'_>,
        reply: &Reply,
    ) {
        if origin(&visit.url) == origin(session.login) || !session.set.is_shown(reply) {
            return;
        }
        let name = &session.set.name;
        let text = format!(
            "{what}: the app receives the session cookie {name}, with which it can act as the user everywhere; let the \
             proxy take {name} out of Cookie, as the configurations of vestibule proxy-config do"
        );
        self.report.tell_at("session cookie", &visit.path, Err(text));
    }

    /// Sends forged identity headers, which only the gate should send, to a path that lets this user in.
    fn forge_identity(&mut self, what: &str, visit: &Visit, cookie: &str, is_named: bool) -> Entry {
        let Visit { path, url, .. } = visit;
        let question = || Question::navigation(url).with(&[("Cookie", cookie)]);
        let forged = self.identity.clone();
        let mut received = Vec::new();
        for casing in CASINGS {
            let question = question().with(&pairs(&forged)).spelled(casing);
            let Some(reply) = self.ask(what, &question) else { return Entry::Told };
            for one in verdict::shown(&reply, &forged) {
                if !received.contains(&one) {
                    received.push(one);
                }
            }
        }
        if !received.is_empty() {
            self.report.tell_at("receipt", path, Err(verdict::receipt(what, &received)));
            return Entry::Told;
        }
        if !is_named {
            return Entry::Unseen;
        }
        let count = forged.len();
        let text = format!("{what} names the user, and shows nothing of {count} forged headers");
        self.report.tell(Ok(text));
        Entry::Told
    }

    /// Examines whether a client can choose its address, by which failed attempts are counted. The session was started
    /// with a forged one, and the list of sessions shows which address was believed.
    fn check_address(&mut self, login: &Url, cookie: &str) {
        let what = format!("POST {login} with a forged X-Forwarded-For");
        let url = of_site(login, "/account/sessions");
        let headers = [("Cookie", cookie), ("Accept", "application/json")];
        let question = Question::bare("GET", &url).with(&headers);
        let Some(reply) = self.ask(&format!("GET {url}"), &question) else { return };
        match reply.status {
            200 if reply.body.contains(FOREIGN_ADDRESS) => self.report.tell(Err(format!(
                "{what}: vestibule believes it, so guessing passwords is not slowed down; let the proxy \
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
        // A 403 with the session alone means that the session is still valid.
        let guard = Guard::of(&reply);
        let is_out = guard.is_shut() && (guard != Guard::Locked(403) || guard == visit.guard);
        self.report.tell(if is_out {
            Ok(format!("{what} does not enter"))
        } else {
            let status = reply.status;
            Err(format!("{what} answered {status}; let the proxy keep no answer of the gate"))
        });
    }
}
