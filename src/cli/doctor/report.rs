//! The report: a line for each finding, as it is made. The same fault at several paths is one finding.

use std::io::Write;

use serde_json::json;

use super::verdict::Finding;
use crate::cli::printable;
use crate::cli::terminal::Emphasis;

/// The findings so far.
pub(super) struct Findings<'a> {
    out: &'a mut dyn Write,
    as_json: bool,
    /// What was reported: each finding is, once.
    told: Vec<Finding>,
    held: Vec<Held>,
    good: usize,
    bad: usize,
    skipped: usize,
}

/// A fault, and the paths that have it beside the one in its text.
struct Held {
    stage: &'static str,
    text: String,
    others: Vec<String>,
}

impl<'a> Findings<'a> {
    /// A report that is written to `out`, as lines of text or JSON.
    pub fn to(out: &'a mut dyn Write, as_json: bool) -> Self {
        Self { out, as_json, told: Vec::new(), held: Vec::new(), good: 0, bad: 0, skipped: 0 }
    }

    fn line(&mut self, kind: &str, emphasis: Emphasis, text: &str) {
        if self.as_json {
            let data = json!({ "outcome": kind.to_lowercase(), "text": text });
            drop(writeln!(self.out, "{data}"));
            return;
        }
        // Findings quote the examined host, whose words must not control the terminal.
        let text = printable(text);
        // A failed write is noticed by the owner of `out`; the exit code reports faults in any case.
        let kind = emphasis.print(&format!("{kind:<4}"));
        drop(writeln!(self.out, "{kind}  {text}"));
    }

    pub fn tell(&mut self, finding: Finding) {
        if self.told.contains(&finding) {
            return;
        }
        match &finding {
            Ok(text) => {
                self.good += 1;
                self.line("ok", Emphasis::Good, text);
            }
            Err(text) => {
                self.bad += 1;
                self.line("FAIL", Emphasis::Bad, text);
            }
        }
        self.told.push(finding);
    }

    /// Reports what is right at once, and holds faults back until [`Findings::release`]: those with the same advice at
    /// the same stage of the examination are one fault at several paths.
    pub fn tell_at(&mut self, stage: &'static str, path: &str, finding: Finding) {
        let Err(text) = finding else { return self.tell(finding) };
        let is_same = |it: &&mut Held| it.stage == stage && advice(&it.text) == advice(&text);
        match self.held.iter_mut().find(is_same) {
            Some(held) if held.text == text || held.others.iter().any(|it| it == path) => {}
            Some(held) => held.others.push(path.to_owned()),
            None => self.held.push(Held { stage, text, others: Vec::new() }),
        }
    }

    /// Reports the faults that were held back.
    pub fn release(&mut self) {
        for Held { text, others, .. } in std::mem::take(&mut self.held) {
            self.tell(Err(match &others[..] {
                [] => text,
                others => format!("{text} (likewise {})", others.join(", ")),
            }));
        }
    }

    pub fn skip(&mut self, text: &str) {
        self.skipped += 1;
        self.line("skip", Emphasis::Warning, text);
    }

    /// Hints at what the operator may have intended. It does not count as a finding.
    pub fn hint(&mut self, text: &str) {
        self.line("hint", Emphasis::Warning, text);
    }

    pub fn close(mut self) -> usize {
        self.release();
        let Self { out, good, bad, skipped, as_json, .. } = self;
        let last = if as_json {
            json!({ "outcome": "end", "failed": bad, "ok": good, "skipped": skipped }).to_string()
        } else {
            format!("{bad} wrong, {good} as they should be, {skipped} skipped")
        };
        drop(writeln!(out, "{last}"));
        bad
    }
}

/// The advice in the text of a finding.
fn advice(text: &str) -> &str {
    text.split_once("; ").map_or(text, |(_, advice)| advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_one_fault_once_with_all_its_paths() {
        let mut out = Vec::new();
        let mut report = Findings::to(&mut out, false);
        for path in ["/", "/a", "/a", "/b"] {
            report.tell_at("visit", path, Err(format!("GET {path} is open; guard it")));
        }
        report.tell_at("visit", "/c", Err("GET /c is lost; look for it".to_owned()));
        report.tell_at("visit", "/d", Ok("GET /d is shut".to_owned()));
        report.release();
        report.tell_at("forge", "/", Err("GET / is open; guard it, or not".to_owned()));
        report.skip("the rest");
        assert_eq!(report.close(), 3);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "ok    GET /d is shut\n\
             FAIL  GET / is open; guard it (likewise /a, /b)\n\
             FAIL  GET /c is lost; look for it\n\
             skip  the rest\n\
             FAIL  GET / is open; guard it, or not\n\
             3 wrong, 1 as they should be, 1 skipped\n"
        );
    }
}
