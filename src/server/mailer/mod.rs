//! Sending mail: a thread that takes the next mail that is due and hands it to a relay or a program, one at a time.
//!
//! Decides what the answer of the other side means: that the mail was taken, is refused for good, or is tried
//! again. No request waits for it, and nothing that is sent depends on this server: the queue is in the database,
//! and any server may go on with it. The log never has an address or a link.

mod command;
mod message;
mod refusal;
mod smtp;

use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::base::clock::Moment;
use crate::server::Shared;
use crate::server::log::LineKind;
use crate::server::program_events::ProgramEvent;
use crate::store::Error;
use crate::web::mail::{NextMail, Outgoing};

pub use command::MailProgram;
pub use message::Sender;
pub use smtp::{Relay, RelayAddress};

/// How often the queue is looked at: another server may have written to it, or one may be due again.
const LOOK: Duration = Duration::from_secs(15);

/// How long sending one mail may take, with all that a relay may draw out. Shorter than the lease of a mail.
const SENDING_MAX: Duration = Duration::from_secs(5 * 60);

/// How many tries that did not end in time may still be running. More would be of a relay that lets none end.
const HUNG_MAX: usize = 3;

/// How long a server that stops waits for the mail that it is sending: without a note that this was sent, another server
/// would send it again.
const STOP_MAX: Duration = Duration::from_secs(10);

/// A mail that has waited for this long is told of in the log, and how often.
const STUCK_AFTER: Duration = Duration::from_secs(15 * 60);
const STUCK_EVERY: Duration = Duration::from_secs(60 * 60);

/// How mail leaves this machine.
#[derive(Clone)]
pub enum MailWay {
    Relay(Relay),
    Program(MailProgram),
}

/// The settings for mail.
#[derive(Clone)]
pub struct MailConfig {
    pub way: MailWay,
    pub from: Sender,
}

impl MailConfig {
    /// Where mail goes first: host and port of the relay, or the path of the program.
    pub fn place(&self) -> &str {
        match &self.way {
            MailWay::Relay(relay) => relay.place(),
            MailWay::Program(program) => program.path(),
        }
    }

    /// Whether mail would be taken, as far as can be told without sending any: connects to the relay and signs in, or
    /// looks at the program. An error says why not.
    pub fn try_out(&self) -> Result<(), String> {
        match &self.way {
            MailWay::Relay(relay) => relay.try_out(),
            MailWay::Program(program) => program.try_out(),
        }
    }

    /// Sends a message to an address, and tells once what became of it.
    pub fn send(&self, message: &MailMessage<'_>, tell: impl FnOnce(Delivery)) {
        match (self.from.build(message), &self.way) {
            (Ok(built), MailWay::Relay(relay)) => relay.send(&built, tell),
            (Ok(built), MailWay::Program(program)) => tell(program.send(&built.formatted())),
            (Err(said), _) => tell(Delivery::Refused { outcome: "malformed".to_owned(), said }),
        }
    }
}

/// A message in plain text. It may hold a link and so has no `Debug`.
pub struct MailMessage<'a> {
    /// What `Message-ID` is made of.
    pub id: &'a str,
    pub to: &'a str,
    pub subject: &'a str,
    pub text: &'a str,
    pub at: Moment,
}

/// What became of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// The other side has taken it.
    Sent,
    /// It will never be taken, and trying again is no use.
    Refused { outcome: String, said: String },
    /// It was not taken now, or it is not known whether it was.
    Failed { outcome: String, said: String },
}

/// Wakes the thread that sends mail, and waits for it at the end.
#[derive(Default)]
pub(super) struct MailBell {
    sleeper: OnceLock<Thread>,
    has_ended: Mutex<bool>,
    ends: Condvar,
}

impl MailBell {
    /// To be called when a mail was queued.
    pub(super) fn ring(&self) {
        if let Some(sleeper) = self.sleeper.get() {
            sleeper.unpark();
        }
    }

    /// Waits until the mail that is being sent is sent and noted, when no other is to be begun.
    pub(super) fn wait_for_end(&self) {
        if self.sleeper.get().is_some() {
            self.ring();
            let ended = self.has_ended.lock().unwrap_or_else(PoisonError::into_inner);
            drop(self.ends.wait_timeout_while(ended, STOP_MAX, |ended| !*ended));
        }
    }

    fn end(&self) {
        *self.has_ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ends.notify_all();
    }
}

/// Sends what is due until shutdown, on a thread of its own.
pub(super) fn run(shared: &Shared, config: &MailConfig) {
    // No other thread sets it.
    let _ = shared.bell.sleeper.set(thread::current());
    let mut mailer = Mailer {
        shared,
        config,
        hung: Vec::new(),
        unnoted: None,
        last_said: String::new(),
        told_at: None,
    };
    while !shared.is_left.load(Ordering::Acquire) {
        // A database that is busy or away is told of elsewhere; the mails wait.
        if let Err(Error::Broken(cause)) = mailer.send_all() {
            shared.say(ProgramEvent::MailError, &[("cause", &cause)]);
        }
        mailer.tell_if_stuck();
        thread::park_timeout(LOOK);
    }
    let _ = mailer.note();
    shared.bell.end();
}

/// A mail that was tried, and what became of it.
struct TriedMail {
    mail: Outgoing,
    delivery: Delivery,
    took: Duration,
}

struct Mailer<'a> {
    shared: &'a Shared,
    config: &'a MailConfig,
    /// Tries that did not end in time, and may still be running.
    hung: Vec<JoinHandle<()>>,
    /// One of which the database could not be told. No other is sent before: if it was taken, another server sends it
    /// again when the lease ends.
    unnoted: Option<TriedMail>,
    /// What the other side said last when it did not take a mail.
    last_said: String,
    told_at: Option<Instant>,
}

impl Mailer<'_> {
    fn send_all(&mut self) -> Result<(), Error> {
        self.note()?;
        while !self.shared.is_left.load(Ordering::Acquire) {
            self.hung.retain(|it| !it.is_finished());
            if self.hung.len() >= HUNG_MAX {
                return Ok(());
            }
            match self.shared.site.next_mail(Moment::now())? {
                NextMail::Send(mail) => {
                    let began = Instant::now();
                    let delivery = self.within_time(&mail);
                    self.unnoted = Some(TriedMail { mail, delivery, took: began.elapsed() });
                    self.note()?;
                }
                NextMail::GivenUp { id, kind, user_id } => {
                    let facts = [("id", &*id), ("kind", &kind), ("uid", &user_id)];
                    self.say(ProgramEvent::MailGivenUp, &facts);
                }
                NextMail::None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Notes what became of a mail, in the database and in the log.
    fn note(&mut self) -> Result<(), Error> {
        let Some(tried) = self.unnoted.take() else { return Ok(()) };
        let noted = match &tried.delivery {
            Delivery::Sent | Delivery::Refused { .. } => self.shared.site.mail_done(&tried.mail),
            Delivery::Failed { outcome, .. } => {
                self.shared.site.mail_failed(&tried.mail, outcome, Moment::now())
            }
        };
        if noted.is_err() {
            self.unnoted = Some(tried);
            return noted;
        }
        let TriedMail { mail, delivery, took } = tried;
        let micros = took.as_micros().to_string();
        let facts = [("id", mail.id()), ("kind", mail.kind()), ("uid", mail.user_id())];
        match delivery {
            Delivery::Sent => {
                self.say(ProgramEvent::MailSent, &[&facts[..], &[("us", &*micros)]].concat());
            }
            Delivery::Refused { outcome, said } => {
                let said = without_addresses(&said);
                let more = [("outcome", &*outcome), ("said", &*said), ("us", &*micros)];
                self.say(ProgramEvent::MailRefused, &[&facts[..], &more].concat());
            }
            Delivery::Failed { outcome, said } => {
                self.last_said = without_addresses(&said);
                let more = [("outcome", &*outcome), ("said", &*self.last_said), ("us", &*micros)];
                self.say(ProgramEvent::MailFailed, &[&facts[..], &more].concat());
            }
        }
        Ok(())
    }

    /// Sends a mail on another thread, which is left behind if it takes too long: a relay may send a byte now and
    /// then for ever.
    fn within_time(&mut self, mail: &Outgoing) -> Delivery {
        let (tell, told) = mpsc::channel();
        let (config, id) = (self.config.clone(), mail.id().to_owned());
        let (to, subject, text) = (mail.to().to_owned(), mail.subject, mail.text.clone());
        let work = move || {
            let message = MailMessage { id: &id, to: &to, subject, text: &text, at: Moment::now() };
            // If this comes too late, it is not known to have been sent.
            config.send(&message, |delivery| drop(tell.send(delivery)));
        };
        let failed =
            |outcome: &str, said: String| Delivery::Failed { outcome: outcome.to_owned(), said };
        let thread = match super::spawn("mail", work) {
            Ok(thread) => thread,
            Err(err) => return failed("no_thread", err.to_string()),
        };
        match told.recv_timeout(SENDING_MAX) {
            Ok(delivery) => delivery,
            Err(RecvTimeoutError::Timeout) => {
                self.hung.push(thread);
                failed("timeout", "it did not end in five minutes".to_owned())
            }
            Err(RecvTimeoutError::Disconnected) => failed("panic", String::new()),
        }
    }

    /// Says once an hour that mails wait, with what the other side said last.
    fn tell_if_stuck(&mut self) {
        let now = Moment::now();
        if self.told_at.is_some_and(|it| it.elapsed() < STUCK_EVERY) || self.last_said.is_empty() {
            return;
        }
        let Ok(Some(since)) = self.shared.site.mail_waits_since() else { return };
        if since.until(now) >= STUCK_AFTER {
            self.told_at = Some(Instant::now());
            let seconds = since.until(now).as_secs().to_string();
            let hint =
                "vestibule mail list shows what waits, vestibule mail test ADDRESS each step";
            self.say(
                ProgramEvent::MailStuck,
                &[("seconds", &seconds), ("said", &self.last_said), ("hint", hint)],
            );
        }
    }

    fn say(&self, event: ProgramEvent, facts: &[(&str, &str)]) {
        self.shared.log.write(LineKind::Program, event, facts, Moment::now());
    }
}

/// What a relay said, without the addresses in it, which have no place in the log; and no more than a line of it.
pub fn without_addresses(said: &str) -> String {
    let words = said.split_whitespace().map(|it| if it.contains('@') { "ADDRESS" } else { it });
    words.collect::<Vec<_>>().join(" ").chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_addresses_out_of_what_a_relay_said() {
        let said = "550 5.1.1 <ann@example.com>: Recipient\r\naddress rejected";
        assert_eq!(without_addresses(said), "550 5.1.1 ADDRESS Recipient address rejected");
    }
}
