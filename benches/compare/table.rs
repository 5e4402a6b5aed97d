//! The table that a run leaves.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use crate::load::Figures;

/// Everything that was found, in the order it was.
#[derive(Default)]
pub struct Table {
    rows: String,
    last: String,
    starts: String,
    notes: String,
    verdicts: String,
}

impl Table {
    pub fn row(&mut self, work: &str, system: &str, it: &Figures) {
        eprintln!("{work}: {system}: {:.1}/s, p99 {:.2} ms", it.per_second, it.p99);
        let shown = if self.last == work { "" } else { work };
        work.clone_into(&mut self.last);
        let rate = thousands(it.per_second);
        let cells = if it.is_empty() {
            "none answered | | | | |".to_owned()
        } else if it.p50 > 0.0 {
            let failed =
                if it.failed > 0.0 { format!(" ({} failed)", it.failed) } else { String::new() };
            format!(
                "{rate}{failed} | {} | {} | {} | {} | {:.0}",
                time(it.p50),
                time(it.p99),
                time(it.max),
                thousands(it.cpu),
                it.peak
            )
        } else {
            format!("{rate} | | | | |")
        };
        writeln!(self.rows, "| {shown} | {system} | {cells} |").expect("a text takes all");
    }

    pub fn start(&mut self, system: &str, ms: f64, idle: f64, bytes: Option<u64>) {
        #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
        let size = bytes.map_or("–".to_owned(), |it| format!("{:.1}", it as f64 / 1e6));
        writeln!(self.starts, "| {system} | {ms:.1} | {idle:.1} | {size} |")
            .expect("a text takes all");
    }

    /// A figure of its own.
    pub fn note(&mut self, what: &str, found: f64, unit: &str) {
        eprintln!("{what}: {found:.1} {unit}");
        writeln!(self.notes, "| {what} | {found:.1} {unit} |").expect("a text takes all");
    }

    /// Something that should be at least `target`.
    pub fn verdict(&mut self, work: &str, what: &str, found: f64, target: f64) {
        let met = if found >= target { "met" } else { "**not met**" };
        let found = if found.is_finite() { format!("{found:.2}") } else { "∞".to_owned() };
        writeln!(self.verdicts, "| {work} | {found} {what} | ≥ {target} | {met} |")
            .expect("a text takes all");
    }

    /// Something that should be at most `target`.
    pub fn bound(&mut self, work: &str, what: &str, found: f64, target: f64) {
        let met = if found <= target { "met" } else { "**not met**" };
        writeln!(self.verdicts, "| {work} | {found:.1} {what} | ≤ {target} | {met} |")
            .expect("a text takes all");
    }

    pub fn text(&self) -> String {
        let notes = if self.notes.is_empty() {
            String::new()
        } else {
            format!("\n| figure | found |\n|---|---:|\n{}", self.notes)
        };
        format!(
            "{}\n\n| work | system | a second | p50 ms | p99 ms | max ms | CPU µs each | peak MB |\n\
             |---|---|---:|---:|---:|---:|---:|---:|\n{}\n\
             | system | start to first answer, ms | idle, MB | program, MB |\n|---|---:|---:|---:|\n{}\n\
             | work | found | wanted | |\n|---|---|---|---|\n{}{notes}",
            machine(),
            self.rows,
            self.starts,
            self.verdicts
        )
    }
}

fn thousands(number: f64) -> String {
    if number < 100.0 {
        return format!("{number:.1}");
    }
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn time(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.2}") } else { thousands(ms) }
}

/// What it ran on.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |it| it.trim_start_matches([' ', '\t', ':']));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let said = |command: &str, argument: &str| {
        let output = Command::new(command).arg(argument).output();
        let text = output.map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
        text.unwrap_or_default().lines().next().unwrap_or_default().to_owned()
    };
    format!(
        "{model}, {cores} cores, Linux {}; {}, Node {}; vestibule {} with SQLite {}.",
        said("uname", "-r"),
        said("rustc", "--version"),
        said("node", "--version"),
        env!("CARGO_PKG_VERSION"),
        rusqlite::version()
    )
}
