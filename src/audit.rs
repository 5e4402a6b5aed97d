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
use crate::log::{self, Kind, Log};
use crate::routes::Site;
use crate::store::Record;

/// Records that wait to be written, at most.
const WAITING_MAX: usize = 4_096;

/// Records that are written in one transaction, at most.
const BATCH_MAX: usize = 256;

/// Events of the log that are no matter of security, or no news: a cookie that opens nothing any
/// more, a session that goes on.
const LEFT_OUT: [&str; 5] = ["request", "health", "session_renew", "session_invalid", "overload"];

/// Where records are handed in. Shared by all threads.
pub struct Audit {
    queue: SyncSender<Entry>,
    lost: AtomicU64,
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
        Self { queue, lost: AtomicU64::new(0) }
    }

    /// Hands in what a request came to, if it is a matter of security.
    pub fn keep(&self, note: &Note, address: Option<String>, request: &str, now: Moment) {
        if LEFT_OUT.contains(&note.event) {
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
        if self.queue.try_send(Entry::Record(record)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything is written, for `patience` at most, and says how many records were
    /// lost.
    pub fn flush(&self, patience: Duration) -> u64 {
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
