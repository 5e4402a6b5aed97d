//! The text format of Prometheus, version 0.0.4: each family once, with what it means, and its samples.

use std::fmt::{Display, Write};

use super::counters::{BOUNDS_MICROS, DurationHistogram};
use super::families::{Family, FamilyKind};

/// The media type of the format.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The samples of one family, as they are written.
pub(super) struct Samples<'a> {
    family: &'a Family,
    text: &'a mut String,
    is_begun: bool,
}

impl<'a> Samples<'a> {
    /// Appends the samples of a family to `text`. A family without any is left out.
    pub(super) const fn of(family: &'a Family, text: &'a mut String) -> Self {
        Self { family, text, is_begun: false }
    }

    /// Adds a sample with these values of the family's labels, in their order.
    pub(super) fn add(&mut self, values: &[&str], number: impl Display) {
        self.line("", values, None, number);
    }

    /// Adds the samples of a histogram with these values of the family's labels.
    pub(super) fn add_histogram(&mut self, values: &[&str], histogram: &DurationHistogram) {
        let bounds = BOUNDS_MICROS.iter().map(|it| seconds_of_micros(*it));
        let mut count = 0;
        for (bound, within) in bounds.chain(["+Inf".to_owned()]).zip(histogram.cumulated()) {
            self.line("_bucket", values, Some(&bound), within);
            count = within;
        }
        self.line("_sum", values, None, histogram.sum().as_secs_f64());
        self.line("_count", values, None, count);
    }

    fn line(&mut self, suffix: &str, values: &[&str], bound: Option<&str>, number: impl Display) {
        self.begin();
        let labels = self.family.labels.iter().copied().zip(values.iter().copied());
        let labels = labels.chain(bound.map(|it| ("le", it)));
        let labels: Vec<_> =
            labels.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(self.text, "{}{suffix}{labels} {number}", self.family.name)
            .expect("a text takes all");
    }

    fn begin(&mut self) {
        if std::mem::replace(&mut self.is_begun, true) {
            return;
        }
        let Family { name, help, kind, .. } = self.family;
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let kind = match kind {
            FamilyKind::Counter => "counter",
            FamilyKind::Gauge => "gauge",
            FamilyKind::Histogram => "histogram",
        };
        write!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}\n")
            .expect("a text takes all");
    }
}

/// A bound in seconds, without rounding.
fn seconds_of_micros(micros: u64) -> String {
    let text = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The value of a label between quotation marks.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const fn family(kind: FamilyKind, labels: &'static [&'static str]) -> Family {
        Family { name: "a_total", kind, labels, help: "One \\ two.\nThree.", samples: |_, _| {} }
    }

    #[test]
    fn writes_help_and_type_once_and_escapes_what_is_not_plain() {
        let mut text = String::new();
        let family = family(FamilyKind::Counter, &["x", "y"]);
        let mut samples = Samples::of(&family, &mut text);
        samples.add(&["a\"b\\c\nd", "e"], 1);
        samples.add(&["f", "g"], 0.25);
        assert_eq!(
            text,
            "# HELP a_total One \\\\ two.\\nThree.\n# TYPE a_total counter\n\
             a_total{x=\"a\\\"b\\\\c\\nd\",y=\"e\"} 1\na_total{x=\"f\",y=\"g\"} 0.25\n"
        );
    }

    #[test]
    fn leaves_out_a_family_without_samples() {
        let mut text = String::new();
        let family = family(FamilyKind::Gauge, &[]);
        let _ = Samples::of(&family, &mut text);
        assert_eq!(text, "");
        Samples::of(&family, &mut text).add(&[], 7);
        assert!(text.ends_with("\n# TYPE a_total gauge\na_total 7\n"), "{text}");
    }

    #[test]
    fn writes_a_histogram_with_buckets_that_include_those_before() {
        let histogram = DurationHistogram::default();
        for micros in [40, 40, 15_000, 20_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let mut text = String::new();
        let family = family(FamilyKind::Histogram, &["lane"]);
        Samples::of(&family, &mut text).add_histogram(&["read"], &histogram);
        let lines: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(lines.len(), BOUNDS_MICROS.len() + 3);
        for line in [
            "a_total_bucket{lane=\"read\",le=\"0.00005\"} 2",
            "a_total_bucket{lane=\"read\",le=\"0.01\"} 2",
            "a_total_bucket{lane=\"read\",le=\"0.025\"} 3",
            "a_total_bucket{lane=\"read\",le=\"1\"} 3",
            "a_total_bucket{lane=\"read\",le=\"+Inf\"} 4",
            "a_total_sum{lane=\"read\"} 20.01508",
            "a_total_count{lane=\"read\"} 4",
        ] {
            assert!(lines.contains(&line), "{line} is missing in {text}");
        }
    }
}
