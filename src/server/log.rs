//! The operator's log: one line for each event, in logfmt or JSON, on standard error.
//!
//! Decides how a line looks, and which lines there are. Never delays a request: lines go through a bounded queue to a
//! thread of its own. When standard error is closed, full or slow, lines are lost and counted, and the service goes on
//! (OWASP Logging Cheat Sheet). Knows the names of no events but those about itself.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::auth::events::{Event, LogLevel, Priority};
use crate::auth::record_fields::RecordField;
use crate::base::clock::Moment;
use crate::base::log_fields;
use crate::server::program_events::ProgramEvent;

/// The most lines that wait to be written.
const LINES_WAITING_MAX: usize = 1_024;

/// The most lines a second about one kind of request: an event with its reason. Beyond it they are only
/// counted, so that a flood of one kind cannot hide another.
pub const LINES_A_SECOND_MAX: u64 = 100;

/// The fields that are numbers in JSON, beside those that are in records of the audit log. The rule is one of names, so
/// that a key has the same type in every line: an id of digits stays a text.
pub const NUMBERS: [&str; 5] = ["connections", "lines", "status", "us", "wanted"];

/// The longest reason for which the server cannot serve, in characters.
const CAUSE_CHARS_MAX: usize = 4_096;

/// Bytes of a line, for most of them.
const LINE_BYTES: usize = 256;

/// How a line is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// `ts=… level=info ev=request method=GET`: keys and values as in <https://brandur.org/logfmt>.
    Logfmt,
    /// `{"ts":"…","level":"info","ev":"request","method":"GET"}`: an object, with the keys of logfmt in their order.
    Json,
}

impl LogFormat {
    /// Every format, the default first.
    pub const ALL: [Self; 2] = [Self::Logfmt, Self::Json];

    /// The value of `--log-format`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logfmt => "logfmt",
            Self::Json => "json",
        }
    }
}

/// Which lines a log has, and how they are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// How a line is written.
    pub format: LogFormat,
    /// How much the log has.
    pub level: LogLevel,
    /// Whether each line begins with its priority, as in `<4>`, which journald reads and takes away: sd-daemon(3).
    pub has_priorities: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Logfmt, level: LogLevel::Checks, has_priorities: false }
    }
}

impl LogConfig {
    /// A line, with its line feed: the time, the priority and name of the event, and the fields, of which long values
    /// are cut.
    fn line(self, event: LogEvent, fields: &[(&str, &str)], now: Moment) -> String {
        self.line_within(event, fields, log_fields::VALUE_CHARS_MAX, now)
    }

    /// The line that says why the server cannot serve: whole, as no client has caused it.
    pub fn last_line(self, cause: &str, now: Moment) -> String {
        let event = ProgramEvent::ServeFailed.into();
        self.line_within(event, &[("cause", cause)], CAUSE_CHARS_MAX, now)
    }

    fn line_within(
        self,
        LogEvent { name, priority, .. }: LogEvent,
        fields: &[(&str, &str)],
        most: usize,
        now: Moment,
    ) -> String {
        let (time, level) = (now.rfc3339(), priority.as_str());
        let mut line = String::with_capacity(LINE_BYTES);
        if self.has_priorities {
            write!(line, "<{}>", priority.severity()).expect("a String takes all");
        }
        match self.format {
            LogFormat::Logfmt => {
                let head = format_args!("ts={time} level={level} ev={name}");
                line.write_fmt(head).expect("a String takes all");
                log_fields::append(&mut line, fields, most);
                line.push('\n');
            }
            LogFormat::Json => {
                let head = format_args!(r#"{{"ts":"{time}","level":"{level}","ev":"{name}""#);
                line.write_fmt(head).expect("a String takes all");
                log_fields::append_json(&mut line, fields, most, is_number);
                line.push_str("}\n");
            }
        }
        line
    }
}

/// Whether the field with this name is a number in JSON.
pub fn is_number(name: &str) -> bool {
    NUMBERS.contains(&name) || RecordField::is_number(name)
}

/// An event as the log knows it.
#[derive(Clone, Copy)]
pub struct LogEvent {
    name: &'static str,
    priority: Priority,
    /// The event of the server itself, if it is one.
    program: Option<ProgramEvent>,
}

impl From<Event> for LogEvent {
    fn from(event: Event) -> Self {
        Self { name: event.name(), priority: event.priority(), program: None }
    }
}

impl From<ProgramEvent> for LogEvent {
    fn from(event: ProgramEvent) -> Self {
        Self { name: event.name(), priority: event.priority(), program: Some(event) }
    }
}

/// Whether the number of lines is limited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineKind {
    /// About the program itself: always written.
    Program,
    /// About a request: limited to [`LINES_A_SECOND_MAX`].
    Request,
    /// About a request, if [`Log::has`] and [`Log::admits`] have said so.
    Admitted,
}

/// Accepts lines for the log. Shared by all threads.
pub struct Log {
    config: LogConfig,
    queue: SyncSender<LogEntry>,
    lost: AtomicU64,
    /// Lines that were lost, and lines that were left out, since the start.
    lost_in_all: AtomicU64,
    limited_in_all: AtomicU64,
    /// How often there was each event of the server itself, in the order of [`ProgramEvent::ALL`].
    program_events: [AtomicU64; ProgramEvent::ALL.len()],
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
    pub fn to(out: impl Write + Send + 'static, config: LogConfig) -> Self {
        let (queue, entries) = mpsc::sync_channel(LINES_WAITING_MAX);
        thread::spawn(move || write_all(out, &entries));
        Self {
            config,
            queue,
            lost: AtomicU64::new(0),
            lost_in_all: AtomicU64::new(0),
            limited_in_all: AtomicU64::new(0),
            program_events: [const { AtomicU64::new(0) }; ProgramEvent::ALL.len()],
            limits: LogLimits::default(),
        }
    }

    /// Adds a line, if the log has the event at its level. If there is no room, it is counted as lost.
    pub fn write(
        &self,
        kind: LineKind,
        event: impl Into<LogEvent>,
        fields: &[(&str, &str)],
        now: Moment,
    ) {
        let event = event.into();
        if let Some(event) = event.program {
            self.program_events[event as usize].fetch_add(1, Ordering::Relaxed);
        }
        if kind != LineKind::Admitted && !self.has(LogLevel::of(event.priority)) {
            return;
        }
        if kind == LineKind::Request && !self.admits(event.name, fields, now) {
            return;
        }
        self.tell_lost(now);
        self.queue(self.config.line(event, fields, now));
    }

    /// Whether the log has lines that it has from this level on.
    pub fn has(&self, level: LogLevel) -> bool {
        level <= self.config.level
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

    /// How often there was this event of the server itself since the start, whether the log has a line for it or not.
    pub fn count_of(&self, event: ProgramEvent) -> u64 {
        self.program_events[event as usize].load(Ordering::Relaxed)
    }

    /// How many lines were lost since the start.
    pub fn lines_lost(&self) -> u64 {
        self.lost_in_all.load(Ordering::Relaxed)
    }

    /// How many lines were left out since the start, as there were too many of one kind in a second that is over.
    pub fn lines_limited(&self) -> u64 {
        self.limited_in_all.load(Ordering::Relaxed)
    }

    fn tell_left_out(&self, thing: &str, lines: u64, now: Moment) {
        if lines > 0 {
            self.limited_in_all.fetch_add(lines, Ordering::Relaxed);
            let facts = [("of", thing), ("lines", &lines.to_string())];
            self.queue(self.config.line(ProgramEvent::LogLimited.into(), &facts, now));
        }
    }

    fn tell_lost(&self, now: Moment) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let facts = [("lines", &*lost.to_string())];
            self.queue(self.config.line(ProgramEvent::LogLost.into(), &facts, now));
        }
    }

    fn queue(&self, line: String) {
        match self.queue.try_send(LogEntry::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                self.lost_in_all.fetch_add(1, Ordering::Relaxed);
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
    fn writes_one_line_an_event_in_either_format() {
        let with = |format, has_priorities| {
            let paper = Paper::default();
            let config = LogConfig { format, has_priorities, ..LogConfig::default() };
            let log = Log::to(paper.clone(), config);
            let fields = [("version", "1"), ("path", "/a b"), ("lines", "7")];
            log.write(LineKind::Program, ProgramEvent::Start, &fields, NOW);
            log.write(LineKind::Request, Event::DbError, &[], NOW);
            read(&paper, &log)
        };
        assert_eq!(
            with(LogFormat::Logfmt, false),
            "ts=2026-11-24T08:00:00.123Z level=notice ev=start version=1 path=\"/a b\" lines=7\n\
             ts=2026-11-24T08:00:00.123Z level=error ev=db_error\n"
        );
        let json = "{\"ts\":\"2026-11-24T08:00:00.123Z\",\"level\":\"notice\",\"ev\":\"start\",\
                    \"version\":\"1\",\"path\":\"/a b\",\"lines\":7}\n\
                    {\"ts\":\"2026-11-24T08:00:00.123Z\",\"level\":\"error\",\"ev\":\"db_error\"}\n";
        assert_eq!(with(LogFormat::Json, false), json);
        let marked = format!("<5>{}", json.replace("\n{", "\n<3>{"));
        assert_eq!(with(LogFormat::Json, true), marked, "journald takes the mark away");
    }

    #[test]
    fn has_of_the_program_and_the_gate_what_its_level_says() {
        let with = |level| {
            let paper = Paper::default();
            let log = Log::to(paper.clone(), LogConfig { level, ..LogConfig::default() });
            log.write(LineKind::Program, ProgramEvent::Start, &[], NOW);
            log.write(LineKind::Program, ProgramEvent::WorkersDeaf, &[], NOW);
            log.write(LineKind::Request, Event::BadRequest, &[], NOW);
            log.write(LineKind::Request, Event::Overload, &[], NOW);
            let text = read(&paper, &log);
            let names = text.lines().map(|it| it.rsplit_once("ev=").unwrap().1.to_owned());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(with(LogLevel::Warnings), "workers_deaf overload");
        for level in [LogLevel::Events, LogLevel::Requests, LogLevel::Checks] {
            assert_eq!(with(level), "start workers_deaf bad_request overload");
        }
    }

    #[test]
    fn counts_what_it_leaves_out_in_a_flood() {
        let paper = Paper::default();
        let log = Log::to(paper.clone(), LogConfig::default());
        for _ in 0..250 {
            log.write(LineKind::Request, Event::Request, &[], NOW);
            log.write(LineKind::Request, Event::LoginFail, &[("reason", "invalid_username")], NOW);
        }
        log.write(LineKind::Request, Event::LoginFail, &[("reason", "bad_credentials")], NOW);
        log.write(LineKind::Request, Event::Request, &[], NOW.after(Duration::from_secs(1)));
        let text = read(&paper, &log);
        assert_eq!(text.matches("ev=request").count(), 101);
        assert_eq!(text.matches("reason=bad_credentials").count(), 1, "another reason drowns it");
        assert!(text.contains("ev=log_limited of=request lines=150\n"), "{text}");
        let rest = "ev=log_limited of=login_fail:invalid_username lines=150\n";
        assert_eq!(text.matches(rest).count(), 1, "counted until the end: {text}");
        assert_eq!((log.lines_limited(), log.lines_lost()), (300, 0), "for metrics");
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
        let log = Log::to(Stuck(gate.clone(), paper.clone()), LogConfig::default());
        let closed = gate.lock().unwrap();
        for _ in 0..2_000 {
            log.write(LineKind::Program, ProgramEvent::Start, &[], NOW);
        }
        drop(closed);
        log.flush(Duration::from_secs(10), NOW);
        while log.lost.load(Ordering::Relaxed) > 0 {
            log.write(LineKind::Program, ProgramEvent::Swept, &[], NOW);
        }
        assert!(read(&paper, &log).contains("ev=log_lost lines="));
        assert!(log.lines_lost() > 0, "it is not forgotten");
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
        let log = Log::to(Closed, LogConfig::default());
        for _ in 0..10 {
            log.write(LineKind::Program, ProgramEvent::Start, &[], NOW);
        }
        log.flush(Duration::from_secs(10), NOW);
        log.write(LineKind::Program, ProgramEvent::Stop, &[], NOW);
    }
}
