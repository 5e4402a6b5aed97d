//! The operator's log: one line for each event, in logfmt, on standard error.
//!
//! Decides how a line looks. Never delays a request: lines go through a bounded queue to a thread of its
//! own. When standard error is closed, full or slow, lines are lost and counted, and the service goes on
//! (OWASP Logging Cheat Sheet). Knows no event by name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::log_fields;

/// The most lines that wait to be written.
const LINES_WAITING_MAX: usize = 1_024;

/// The most lines a second about one kind of request: an event with its reason. Beyond it they are only
/// counted, so that a flood of one kind cannot hide another.
pub const LINES_A_SECOND_MAX: u64 = 100;

/// Whether the number of lines is limited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineKind {
    /// About the program itself: always written.
    Program,
    /// About a request: limited to [`LINES_A_SECOND_MAX`].
    Request,
    /// About a request that [`Log::admits`] has admitted.
    Admitted,
}

/// Accepts lines for the log. Shared by all threads.
pub struct Log {
    queue: SyncSender<LogEntry>,
    lost: AtomicU64,
    /// Lines of each kind in the current second. Events and reasons are constants, so there are a few
    /// dozen.
    limits: LogLimits,
}

enum LogEntry {
    Line(String),
    /// Signals the sender when everything before it is written.
    Flush(SyncSender<()>),
}

impl Log {
    /// A log that writes to `out`, on a thread of its own.
    pub fn to(out: impl Write + Send + 'static) -> Self {
        let (queue, entries) = mpsc::sync_channel(LINES_WAITING_MAX);
        thread::spawn(move || write_all(out, &entries));
        Self { queue, lost: AtomicU64::new(0), limits: LogLimits::default() }
    }

    /// Adds a line: the time, `event` and the fields. If there is no room, it is counted as lost.
    pub fn write(&self, kind: LineKind, event: &str, fields: &[(&str, &str)], now: Moment) {
        if kind == LineKind::Request && !self.admits(event, fields, now) {
            return;
        }
        self.tell_lost(now);
        self.queue(line(event, fields, now));
    }

    /// Writes the counts of lines that were left out, and waits until everything is written, for `patience`
    /// at most.
    pub fn flush(&self, patience: Duration, now: Moment) {
        for (thing, left_out) in self.limits.take(LINES_A_SECOND_MAX) {
            self.tell_left_out(&thing, left_out, now);
        }
        self.tell_lost(now);
        let (tell, told) = mpsc::sync_channel(1);
        if self.queue.try_send(LogEntry::Flush(tell)).is_ok() {
            // After the time limit the answer does not matter.
            let _ = told.recv_timeout(patience);
        }
    }

    /// Whether a line about a request with this event is written now, by [`LINES_A_SECOND_MAX`]. It counts as
    /// written from then on. Of the fields, only `reason` matters.
    pub fn admits(&self, event: &str, fields: &[(&str, &str)], now: Moment) -> bool {
        let reason = fields.iter().find(|(name, _)| *name == "reason").map(|(_, it)| *it);
        let thing = reason.map_or(Cow::Borrowed(event), |it| format!("{event}:{it}").into());
        let second = Duration::from_secs(1);
        let (is_admitted, left_out) = self.limits.admit(&thing, LINES_A_SECOND_MAX, second, now);
        self.tell_left_out(&thing, left_out, now);
        is_admitted
    }

    fn tell_left_out(&self, thing: &str, lines: u64, now: Moment) {
        if lines > 0 {
            let facts = [("of", thing), ("lines", &lines.to_string())];
            self.queue(line("log_limited", &facts, now));
        }
    }

    fn tell_lost(&self, now: Moment) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.queue(line("log_lost", &[("lines", &lost.to_string())], now));
        }
    }

    fn queue(&self, line: String) {
        match self.queue.try_send(LogEntry::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Rate limits by kind: in each window of time the first ones are admitted, and the others only counted.
#[derive(Default)]
pub struct LogLimits(Mutex<BTreeMap<String, Limit>>);

#[derive(Default)]
struct Limit {
    window: i64,
    count: u64,
}

impl LogLimits {
    /// Whether another one of this kind is admitted in the current window, of `most`; and how many were
    /// left out in a window that is over.
    pub fn admit(&self, thing: &str, most: u64, window: Duration, now: Moment) -> (bool, u64) {
        let mut all = self.lock();
        // This is called for every page, so only a new kind costs a copy of its name.
        if !all.contains_key(thing) {
            all.insert(thing.to_owned(), Limit::default());
        }
        let limit = all.get_mut(thing).expect("it was put there");
        let length = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let window = now.millis().div_euclid(length);
        let mut left_out = 0;
        if limit.window != window {
            left_out = limit.count.saturating_sub(most);
            *limit = Limit { window, count: 0 };
        }
        limit.count += 1;
        (limit.count <= most, left_out)
    }

    /// Resets all limits, and returns for each kind how many were left out last, if any.
    pub fn take(&self, most: u64) -> Vec<(String, u64)> {
        let all = std::mem::take(&mut *self.lock()).into_iter();
        let left_out = all.map(|(thing, limit)| (thing, limit.count.saturating_sub(most)));
        left_out.filter(|(_, count)| *count > 0).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Limit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_all(mut out: impl Write, entries: &Receiver<LogEntry>) {
    while let Ok(entry) = entries.recv() {
        match entry {
            // A log that cannot be written is no reason to stop serving.
            LogEntry::Line(line) => drop(out.write_all(line.as_bytes())),
            LogEntry::Flush(tell) => {
                drop(out.flush());
                // The receiver may have stopped waiting.
                let _ = tell.send(());
            }
        }
    }
}

/// `ts=2026-11-24T08:00:00.000Z ev=login_ok uid=…`, with its line feed.
fn line(event: &str, fields: &[(&str, &str)], now: Moment) -> String {
    let mut line = format!("ts={} ev={event}", now.rfc3339());
    log_fields::append(&mut line, fields);
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const NOW: Moment = Moment::from_millis(1_795_507_200_123);

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn read(paper: &Paper, log: &Log) -> String {
        log.flush(Duration::from_secs(10), NOW);
        String::from_utf8(paper.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn writes_one_line_an_event() {
        let paper = Paper::default();
        let log = Log::to(paper.clone());
        log.write(LineKind::Program, "start", &[("version", "1"), ("path", "/a b")], NOW);
        log.write(LineKind::Program, "stop", &[], NOW);
        assert_eq!(
            read(&paper, &log),
            "ts=2026-11-24T08:00:00.123Z ev=start version=1 path=\"/a b\"\n\
             ts=2026-11-24T08:00:00.123Z ev=stop\n"
        );
    }

    #[test]
    fn counts_what_it_leaves_out_in_a_flood() {
        let paper = Paper::default();
        let log = Log::to(paper.clone());
        for _ in 0..250 {
            log.write(LineKind::Request, "request", &[], NOW);
            log.write(LineKind::Request, "login_fail", &[("reason", "invalid_username")], NOW);
        }
        log.write(LineKind::Request, "login_fail", &[("reason", "bad_credentials")], NOW);
        log.write(LineKind::Request, "request", &[], NOW.after(Duration::from_secs(1)));
        let text = read(&paper, &log);
        assert_eq!(text.matches("ev=request").count(), 101);
        assert_eq!(text.matches("reason=bad_credentials").count(), 1, "another reason drowns it");
        assert!(text.contains("ev=log_limited of=request lines=150\n"), "{text}");
        let rest = "ev=log_limited of=login_fail:invalid_username lines=150\n";
        assert_eq!(text.matches(rest).count(), 1, "counted until the end: {text}");
    }

    /// Blocks until its gate is opened, as a full pipe does.
    struct Stuck(Arc<Mutex<()>>, Paper);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _open = self.0.lock().unwrap();
            self.1.write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn never_waits_for_a_reader_that_does_not_read() {
        let (gate, paper) = (Arc::new(Mutex::new(())), Paper::default());
        let log = Log::to(Stuck(gate.clone(), paper.clone()));
        let closed = gate.lock().unwrap();
        for _ in 0..2_000 {
            log.write(LineKind::Program, "start", &[], NOW);
        }
        drop(closed);
        log.flush(Duration::from_secs(10), NOW);
        while log.lost.load(Ordering::Relaxed) > 0 {
            log.write(LineKind::Program, "after", &[], NOW);
        }
        assert!(read(&paper, &log).contains("ev=log_lost lines="));
    }

    /// Fails as a closed descriptor does.
    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    }

    #[test]
    fn goes_on_when_standard_error_is_closed() {
        let log = Log::to(Closed);
        for _ in 0..10 {
            log.write(LineKind::Program, "start", &[], NOW);
        }
        log.flush(Duration::from_secs(10), NOW);
        log.write(LineKind::Program, "stop", &[], NOW);
    }
}
