//! The audit trail: what matters for security, kept in the database.
//!
//! Decides which events are kept and that keeping them never holds up a request: records go through a
//! bounded queue to a thread of their own, which writes all that wait in one transaction. What is
//! lost is counted and said in the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

use crate::clock::Moment;
use crate::http::Note;
use crate::log::{self, Kind, Limits, Log};
use crate::routes::Site;
use crate::store::Record;

/// Records that wait to be written, at most.
const WAITING_MAX: usize = 4_096;

/// Records that are written in one transaction, at most.
const BATCH_MAX: usize = 256;

/// Events that take a slow hash, or a session that took one: nobody causes many of them.
const AT_A_PRICE: [&str; 6] =
    ["signup_ok", "login_ok", "logout", "password_change", "password_reset", "account_delete"];

/// Records a minute of each other event; beyond it they are only counted. So a flood can neither fill
/// the disk nor hide anything else.
const RECORDS_A_MINUTE_MAX: u64 = 100;
const MINUTE: Duration = Duration::from_secs(60);

/// Events of the log that are no matter of security, or no news: a cookie that opens nothing any
/// more, a session that goes on.
const LEFT_OUT: [&str; 5] = ["request", "health", "session_renew", "session_invalid", "overload"];

/// Where records are handed in. Shared by all threads.
pub struct Audit {
    queue: SyncSender<Entry>,
    lost: AtomicU64,
    limits: Limits,
}

enum Entry {
    Record(Record),
    /// Tell the sender when everything before this is written.
    Flush(SyncSender<()>),
}

impl Audit {
    /// An audit trail in the database of this site. Failures to write go to the log.
    pub fn of(site: Arc<Site>, log: Arc<Log>) -> Self {
        let (queue, entries) = mpsc::sync_channel(WAITING_MAX);
        thread::spawn(move || write_all(&site, &log, &entries));
        Self { queue, lost: AtomicU64::new(0), limits: Limits::default() }
    }

    /// Hands in what a request came to, if it is a matter of security.
    pub fn keep(&self, note: &Note, address: Option<String>, request: &str, now: Moment) {
        if LEFT_OUT.contains(&note.event) {
            return;
        }
        if !self.admits(note, now) {
            return;
        }
        let field = |name: &str| {
            note.fields.iter().find(|(given, _)| *given == name).map(|(_, value)| value.clone())
        };
        let others = note.fields.iter().filter(|(name, _)| !matches!(*name, "uid" | "sess"));
        let others: Vec<_> = others.map(|(name, value)| (*name, value.as_str())).collect();
        let record = Record {
            at: now,
            event: note.event.to_owned(),
            user_id: field("uid"),
            address,
            session: field("sess"),
            request: Some(request.to_owned()),
            detail: log::fields(&others),
        };
        self.queue(record);
    }

    /// Whether there is room for one more of this; what was left out before is kept as a number.
    fn admits(&self, note: &Note, now: Moment) -> bool {
        if AT_A_PRICE.contains(&note.event) {
            return true;
        }
        let (is_admitted, left_out) =
            self.limits.admit(note.event, RECORDS_A_MINUTE_MAX, MINUTE, now);
        self.tell_left_out(note.event, left_out, now);
        is_admitted
    }

    fn tell_left_out(&self, event: &str, count: u64, now: Moment) {
        if count > 0 {
            let detail = log::fields(&[("of", event), ("records", &count.to_string())]);
            self.queue(Record::of_program("audit_limited", detail, now));
        }
    }

    fn queue(&self, record: Record) {
        if self.queue.try_send(Entry::Record(record)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes what was only counted so far, waits until everything is written, for `patience` at
    /// most, and says how many records were lost.
    pub fn flush(&self, patience: Duration, now: Moment) -> u64 {
        for (event, left_out) in self.limits.take(RECORDS_A_MINUTE_MAX) {
            self.tell_left_out(&event, left_out, now);
        }
        let (tell, told) = mpsc::sync_channel(1);
        if self.queue.try_send(Entry::Flush(tell)).is_ok() {
            // If the time is up there is nobody left to tell.
            let _ = told.recv_timeout(patience);
        }
        self.lost.swap(0, Ordering::Relaxed)
    }
}

fn write_all(site: &Site, log: &Log, entries: &Receiver<Entry>) {
    while let Ok(first) = entries.recv() {
        let mut records = Vec::new();
        let mut waiting = Vec::new();
        for entry in std::iter::once(first).chain(entries.try_iter().take(BATCH_MAX)) {
            match entry {
                Entry::Record(record) => records.push(record),
                Entry::Flush(tell) => waiting.push(tell),
            }
        }
        if !records.is_empty()
            && let Err(err) = site.keep(&records)
        {
            let facts = [("records", &*records.len().to_string()), ("cause", &err.to_string())];
            log.write(Kind::Request, "audit_failed", &facts, Moment::now());
        }
        for tell in waiting {
            // Whoever asked may have lost patience.
            let _ = tell.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::{Cost, Hasher};
    use crate::routes::Settings;
    use crate::store::{Sqlite, Trail};

    #[test]
    fn keeps_a_limited_number_of_what_anybody_can_cause_and_counts_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let hasher = Hasher::new(1, Cost { memory_kib: 64, passes: 1, lanes: 1 });
        let site = Site::new(Box::new(Sqlite::open(&path).unwrap()), hasher, Settings::default());
        let audit = Audit::of(Arc::new(site), Arc::new(Log::to(std::io::sink())));
        let now = Moment::from_millis(60_000_000);
        for _ in 0..250 {
            audit.keep(&Note::of("throttled"), None, "r", now);
            audit.keep(&Note::of("login_ok").with("uid", "u"), None, "r", now);
            audit.keep(&Note::of("request"), None, "r", now);
        }
        audit.keep(&Note::of("csrf_reject"), None, "r", now);
        audit.keep(&Note::of("throttled"), None, "r", now.after(MINUTE));
        assert_eq!(audit.flush(Duration::from_secs(60), now), 0);
        let records = Sqlite::open(&path).unwrap().records(Moment::from_millis(0), 1_000).unwrap();
        let count = |event: &str| records.iter().filter(|it| it.event == event).count();
        assert_eq!([count("throttled"), count("login_ok"), count("csrf_reject")], [101, 250, 1]);
        let limited = records.iter().find(|it| it.event == "audit_limited").unwrap();
        assert_eq!(limited.detail, "of=throttled records=150");
        assert_eq!(records.len(), 353);
    }
}
