//! The audit log: writing security events to the database.
//!
//! Never delays a request: records go through a bounded queue to a thread of its own, which writes all that
//! are queued in one transaction. What is left out is counted by user and event, and the count becomes a
//! record. Which events are kept is decided in `auth::events`; none is known by name here.

mod allowances;

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

use allowances::{Allowances, Cause, LeftOut};

use crate::auth::events::{Audited, Event};
use crate::base::clock::Moment;
use crate::base::ip_prefix::ClientPrefix;
use crate::base::log_fields;
use crate::server::log::{LineKind, Log};
use crate::server::program_events::ProgramEvent;
use crate::store::{Error, Record};
use crate::web::Site;
use crate::web::http::Note;

/// The most records that wait to be written.
const WAITING_MAX: usize = 4_096;

/// The most that wait when a record with an allowance is added: the rest of the queue is for those that are
/// always kept.
const WAITING_WITH_ALLOWANCE_MAX: usize = WAITING_MAX / 2;

/// The most records written in one transaction.
const BATCH_MAX: usize = 256;

/// How long to wait before another try when the database could not take records: doubled each time, up to
/// [`RETRY_MAX`].
const RETRY: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Accepts records for the audit log. Shared by all threads.
pub struct Audit {
    queue: SyncSender<AuditEntry>,
    /// The number of records that are queued or being written.
    waiting: Arc<AtomicUsize>,
    /// Records that were lost, and those that were left out, since the start.
    lost: AtomicU64,
    limited: AtomicU64,
    allowances: Allowances,
}

enum AuditEntry {
    Record(Record),
    /// Signals the sender when everything before it is written.
    Flush(SyncSender<()>),
}

impl Audit {
    /// An audit log in the database of this site. Failures to write are logged.
    pub fn of(site: Arc<Site>, log: Arc<Log>) -> Self {
        let (queue, entries) = mpsc::sync_channel(WAITING_MAX);
        let waiting = Arc::new(AtomicUsize::new(0));
        let written = waiting.clone();
        thread::spawn(move || write_all(&site, &log, &entries, &written));
        Self {
            queue,
            waiting,
            lost: AtomicU64::new(0),
            limited: AtomicU64::new(0),
            allowances: Allowances::default(),
        }
    }

    /// Keeps the event of a response, if it is one for the audit log.
    pub fn keep(&self, note: &Note, address: Option<IpAddr>, request: &dyn Display, now: Moment) {
        let audited = note.event.audited();
        if audited == Audited::Never {
            return;
        }
        self.settle(now);
        let client = address.map(ClientPrefix::from);
        let cause = cause(note, client);
        let record = || record(note, address, request, now);
        if audited == Audited::Always {
            if !self.queue(record()) {
                self.allowances.leave_out(cause, note.event);
            }
            return;
        }
        let has_room = self.waiting.load(Ordering::Relaxed) < WAITING_WITH_ALLOWANCE_MAX;
        if self.allowances.admit(cause, client, note.event, has_room) {
            self.queue(record());
        }
    }

    /// Records what was left out in a minute that is over; to be called every few seconds.
    pub fn settle(&self, now: Moment) {
        self.tell(self.allowances.settle(now), now);
    }

    /// How many records were lost since the start.
    pub fn records_lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// How many records were left out since the start, in minutes that are over.
    pub fn records_limited(&self) -> u64 {
        self.limited.load(Ordering::Relaxed)
    }

    /// How many records are queued or being written.
    pub fn records_waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn tell(&self, all: Vec<LeftOut>, now: Moment) {
        for LeftOut { cause, event, records } in all {
            self.limited.fetch_add(records, Ordering::Relaxed);
            let detail =
                log_fields::text(&[("of", event.name()), ("records", &records.to_string())]);
            let mut record = Record::of_program(Event::AuditLimited.name(), detail, now);
            match cause {
                Cause::User(id) => record.user_id = Some(id),
                Cause::Client(client) => record.address = Some(client.to_string()),
                Cause::Other => {}
            }
            self.queue(record);
        }
    }

    /// Queues a record. `false` if there was no room.
    fn queue(&self, record: Record) -> bool {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let is_queued = self.queue.try_send(AuditEntry::Record(record)).is_ok();
        if !is_queued {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        is_queued
    }

    /// Records what was left out so far, waits until everything is written, for `patience` at most, and
    /// returns how many records were lost or are not written yet.
    pub fn flush(&self, patience: Duration, now: Moment) -> u64 {
        self.tell(self.allowances.take(), now);
        let (tell, told) = mpsc::sync_channel(1);
        if self.queue.try_send(AuditEntry::Flush(tell)).is_ok() {
            // After the time limit the answer does not matter.
            let _ = told.recv_timeout(patience);
        }
        let waiting = u64::try_from(self.waiting.load(Ordering::Relaxed)).unwrap_or(u64::MAX);
        self.records_lost() + waiting
    }
}

/// The user whom a record is about, or else the client.
fn cause(note: &Note, client: Option<ClientPrefix>) -> Cause {
    match (field(note, "uid"), client) {
        (Some(id), _) => Cause::User(id),
        (None, Some(client)) => Cause::Client(client),
        (None, None) => Cause::Other,
    }
}

fn record(note: &Note, address: Option<IpAddr>, request: &dyn Display, now: Moment) -> Record {
    let others = note.fields.iter().filter(|(name, _)| !matches!(*name, "uid" | "sess"));
    let others: Vec<_> = others.map(|(name, value)| (*name, &**value)).collect();
    Record {
        at: now,
        event: note.event.name().to_owned(),
        user_id: field(note, "uid"),
        address: address.map(|it| it.to_string()),
        session: field(note, "sess"),
        request: Some(request.to_string()),
        detail: log_fields::text(&others),
    }
}

fn field(note: &Note, name: &str) -> Option<String> {
    note.fields
        .iter()
        .find(|(given, _)| *given == name)
        .map(|(_, value)| value.clone().into_owned())
}

fn write_all(site: &Site, log: &Log, entries: &Receiver<AuditEntry>, waiting: &AtomicUsize) {
    while let Ok(first) = entries.recv() {
        let mut records = Vec::new();
        let mut flushing = Vec::new();
        for entry in std::iter::once(first).chain(entries.try_iter().take(BATCH_MAX)) {
            match entry {
                AuditEntry::Record(record) => records.push(record),
                AuditEntry::Flush(tell) => flushing.push(tell),
            }
        }
        if !records.is_empty() {
            write(site, log, &records);
            waiting.fetch_sub(records.len(), Ordering::Relaxed);
        }
        for tell in flushing {
            // The receiver may have stopped waiting.
            let _ = tell.send(());
        }
    }
}

/// Writes records. If the database cannot take them now, as another process holds the lock, it tries again:
/// the events have happened and must not be missing from the audit log.
fn write(site: &Site, log: &Log, records: &[Record]) {
    let mut pause = RETRY;
    while let Err(err) = site.keep(records) {
        if pause == RETRY {
            let facts = [("records", &*records.len().to_string()), ("cause", &err.to_string())];
            log.write(LineKind::Request, ProgramEvent::AuditFailed, &facts, Moment::now());
        }
        if !matches!(err, Error::Unavailable(_)) {
            return;
        }
        thread::sleep(pause);
        pause = RETRY_MAX.min(pause * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::password::{Cost, Hasher};
    use crate::server::log::LogConfig;
    use crate::store::{AuditLog, Sqlite};
    use crate::web::Settings;
    use std::path::{Path, PathBuf};
    use tempfile::TempDir;

    const NOW: Moment = Moment::from_millis(60_000_000);
    const LONG: Duration = Duration::from_secs(60);

    fn open() -> (TempDir, PathBuf, Audit) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let hasher = Hasher::new(1, Cost { memory_kib: 64, passes: 1, lanes: 1 });
        let site = Site::new(Box::new(Sqlite::open(&path).unwrap()), hasher, Settings::default());
        let audit =
            Audit::of(Arc::new(site), Arc::new(Log::to(std::io::sink(), LogConfig::default())));
        (folder, path, audit)
    }

    fn records(path: &Path) -> Vec<Record> {
        Sqlite::open(path).unwrap().records(Moment::from_millis(0), 10_000).unwrap()
    }

    fn by(event: Event, user: &str) -> Note {
        Note::of(event).with("uid", user).with("sess", "s")
    }

    #[test]
    fn keeps_a_limited_number_of_the_records_that_any_client_can_cause_and_counts_the_rest() {
        let (_folder, path, audit) = open();
        let address = "192.0.2.1".parse().ok();
        for _ in 0..250 {
            audit.keep(&Note::of(Event::Throttled), address, &"r", NOW);
            audit.keep(&Note::of(Event::LoginOk).with("uid", "u"), address, &"r", NOW);
            audit.keep(&Note::of(Event::Request), address, &"r", NOW);
        }
        audit.keep(&Note::of(Event::CsrfReject), address, &"r", NOW);
        audit.keep(&Note::of(Event::Throttled), address, &"r", NOW.after(LONG));
        assert_eq!(audit.flush(LONG, NOW), 0);
        assert_eq!((audit.records_limited(), audit.records_waiting()), (150, 0));
        let records = records(&path);
        let count = |event: &str| records.iter().filter(|it| it.event == event).count();
        assert_eq!([count("throttled"), count("login_ok"), count("csrf_reject")], [101, 250, 1]);
        let limited = records.iter().find(|it| it.event == "audit_limited").unwrap();
        assert_eq!(limited.detail, "of=throttled records=150");
        assert_eq!(limited.address.as_deref(), Some("192.0.2.1"));
        assert_eq!(records.len(), 353);
    }

    #[test]
    fn lets_no_account_and_no_address_crowd_out_what_is_known_of_another() {
        let (_folder, path, audit) = open();
        let from = |it: &str| it.parse().ok();
        for _ in 0..300 {
            for event in
                [Event::TokenMakeFail, Event::LoginFail, Event::TokenMake, Event::SessionEnd]
            {
                audit.keep(&by(event, "anna"), from("192.0.2.1"), &"r", NOW);
            }
            audit.keep(&Note::of(Event::BadLink), from("2001:db8::1"), &"r", NOW);
        }
        for event in [Event::TokenMakeFail, Event::LoginFail, Event::TokenMake, Event::SessionEnd] {
            audit.keep(&by(event, "bobo"), from("192.0.2.1"), &"r", NOW);
        }
        audit.keep(&Note::of(Event::BadLink), from("2001:db8:0:1::1"), &"r", NOW);
        assert_eq!(audit.flush(LONG, NOW), 0);
        let records = records(&path);
        let of = |event: &str, user: Option<&str>| {
            records.iter().filter(|it| it.event == event && it.user_id.as_deref() == user).count()
        };
        for event in [Event::TokenMakeFail, Event::LoginFail, Event::TokenMake, Event::SessionEnd] {
            assert_eq!(of(event.name(), Some("bobo")), 1, "{event:?}");
        }
        assert_eq!(of("bad_link", None), 101, "of two addresses");
        let always = ["token_make", "session_end"].map(|event| of(event, Some("anna")));
        assert_eq!(always, [300, 300], "what changes what opens an account is always kept");
        let mut told: Vec<_> = records
            .iter()
            .filter(|it| it.event == "audit_limited")
            .map(|it| (it.user_id.as_deref(), it.address.as_deref(), &*it.detail))
            .collect();
        told.sort_unstable();
        assert_eq!(
            told,
            [
                (None, Some("2001:db8:0:0::/64"), "of=bad_link records=200"),
                (Some("anna"), None, "of=login_fail records=200"),
                (Some("anna"), None, "of=token_make_fail records=200"),
            ]
        );
    }

    #[test]
    fn keeps_room_in_the_queue_for_what_is_always_kept_while_the_database_is_locked() {
        let (_folder, path, audit) = open();
        let other = rusqlite::Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        for number in 0..5_000 {
            audit.keep(&by(Event::Throttled, &format!("u{number}")), None, &"r", NOW);
        }
        audit.keep(&by(Event::TokenMake, "bobo"), None, &"r", NOW);
        // Longer than a write waits for the lock.
        assert!(audit.flush(Duration::from_secs(4), NOW) > 0);
        other.execute_batch("ROLLBACK").unwrap();
        audit.flush(LONG, NOW);
        let records = records(&path);
        assert!(records.iter().any(|it| it.event == "token_make"));
        let kept = records.iter().filter(|it| it.event == "throttled").count();
        let told = records.iter().filter(|it| it.event == "audit_limited");
        let count = |it: &Record| it.detail.rsplit_once('=').unwrap().1.parse::<usize>().unwrap();
        assert_eq!(kept + told.map(count).sum::<usize>(), 5_000, "kept or counted");
    }
}
