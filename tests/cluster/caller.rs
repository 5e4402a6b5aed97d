//! A client that asks the servers, and notes what comes.

use std::thread;
use std::time::Duration;

use crate::watch::{Breach, Deed, Watch};
use crate::web::{Answer, Browser, SERVERS, Silence};

/// How long one asks again for a certain answer, once all is whole.
const INSISTENCE: Duration = Duration::from_secs(60);

pub struct Caller<'a> {
    pub watch: &'a Watch,
    browser: Browser,
}

impl<'a> Caller<'a> {
    pub fn new(watch: &'a Watch, ports: [u16; SERVERS]) -> Self {
        Self { watch, browser: Browser::new(ports) }
    }

    /// `None`: it is not known whether it was done. With the session cookie and the form that are not empty.
    pub fn ask(
        &mut self,
        deed: Deed,
        server: usize,
        cookie: &str,
        form: &str,
        keep: bool,
    ) -> Option<Answer> {
        let answer = self.ask_plainly(deed, server, cookie, form, keep);
        answer.ok().filter(|it| it.status < 500)
    }

    /// The same with what failed.
    pub fn ask_plainly(
        &mut self,
        deed: Deed,
        server: usize,
        cookie: &str,
        form: &str,
        keep: bool,
    ) -> Result<Answer, Silence> {
        let target = match deed {
            Deed::Page => ("GET", "/"),
            Deed::SignUp => ("POST", "/signup"),
            Deed::SignIn => ("POST", "/login"),
            Deed::SignOut => ("POST", "/logout"),
            Deed::Health => ("GET", "/healthz"),
        };
        let start = self.watch.now();
        let answer = self.browser.ask(server, target, (cookie, form), keep);
        let outcome = match &answer {
            Err(silence) => silence.name().to_owned(),
            Ok(Answer { status: 400, body, .. }) => format!("400 {body}"),
            Ok(answer) => answer.status.to_string(),
        };
        let is_done = answer.as_ref().is_ok_and(|it| it.status < 500);
        self.watch.note(deed, server, start, &outcome, is_done);
        if answer.as_ref().is_ok_and(|it| it.status == 503 && !it.has_retry_after) {
            self.watch.breach(Breach::Unexpected, format!("{deed:?}: 503, no Retry-After"));
        }
        answer
    }

    /// The same, again and again until it is certain; and whether it was uncertain before. What was not
    /// answered for a minute is a breach, and `None`.
    pub fn insist(
        &mut self,
        deed: Deed,
        server: usize,
        cookie: &str,
        form: &str,
    ) -> Option<(Answer, bool)> {
        let start = self.watch.now();
        let mut was_uncertain = false;
        while self.watch.now() < start + INSISTENCE {
            match self.ask(deed, server, cookie, form, true) {
                Some(answer) if answer.status != 429 => return Some((answer, was_uncertain)),
                _ => was_uncertain = true,
            }
            thread::sleep(Duration::from_millis(200));
        }
        let what = format!("{deed:?} at server {server}: no answer for {INSISTENCE:?}");
        self.watch.breach(Breach::Unexpected, what);
        None
    }

    pub fn unexpected(&self, deed: Deed, server: usize, answer: &Answer) {
        let Answer { status, body, .. } = answer;
        let body: String = body.chars().take(60).collect();
        self.watch
            .breach(Breach::Unexpected, format!("{deed:?} at server {server}: {status} {body}"));
    }
}

/// The form of a name and a password, which need no encoding.
pub fn form(name: &str, password: &str) -> String {
    format!("username={name}&password={password}")
}

/// Whether this is the profile of this person, and not of another.
pub fn is_profile_of(answer: &Answer, name: &str) -> bool {
    answer.status == 200 && answer.body.contains(&format!("Username: {name}<"))
}
