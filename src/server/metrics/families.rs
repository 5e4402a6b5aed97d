//! The table of all metrics: the name, the kind, the labels and the meaning of each, and where its numbers come from.
//!
//! `docs/metrics.md` has the same table, which a test compares. Names never change: dashboards and alerts depend on them.

use super::Metrics;
use super::counters::{ConnectionRefusal, lane_name};
use super::exposition::Samples;
use super::survey::Counted;
use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::server::Shared;
use crate::server::program_events::ProgramEvent;
use crate::store::Strain;
use crate::web::Lane;
use crate::web::http::Problem;

/// What kind of numbers a family has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FamilyKind {
    /// They only grow, until the server is started anew.
    Counter,
    /// They rise and fall.
    Gauge,
    /// How many values were within which bounds.
    Histogram,
}

/// A metric with all its series: a row of [`FAMILIES`].
pub struct Family {
    pub name: &'static str,
    pub kind: FamilyKind,
    pub labels: &'static [&'static str],
    /// What it counts, in a sentence.
    pub help: &'static str,
    pub(super) samples: fn(&ReportSource<'_>, &mut Samples<'_>),
}

/// Where the numbers of a scrape come from.
pub(super) struct ReportSource<'a> {
    metrics: &'a Metrics,
    shared: &'a Shared,
    counted: Option<Counted>,
    strain: Strain,
    now: Moment,
}

/// What a scrape gets.
pub(super) fn report(shared: &Shared) -> String {
    let mut text = String::new();
    if let Some(metrics) = &shared.metrics {
        let source = ReportSource {
            metrics,
            shared,
            counted: metrics.survey.read(),
            strain: shared.site.strain(),
            now: Moment::now(),
        };
        for family in FAMILIES {
            (family.samples)(&source, &mut Samples::of(family, &mut text));
        }
    }
    text
}

type SampleFn = fn(&ReportSource<'_>, &mut Samples<'_>);

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    samples: SampleFn,
) -> Family {
    Family { name, kind: FamilyKind::Counter, labels, help, samples }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    samples: SampleFn,
) -> Family {
    Family { name, kind: FamilyKind::Gauge, labels, help, samples }
}

/// All metrics, by name.
pub const FAMILIES: &[Family] = &[
    gauge(
        "process_start_time_seconds",
        &[],
        "When the server was started, in seconds since 1970.",
        |it, to| to.add(&[], seconds(it.metrics.started.millis())),
    ),
    counter(
        "vestibule_audit_records_limited_total",
        &[],
        "Records that the audit log left out, as a user or a client had used up an allowance; counted when its minute is over.",
        |it, to| to.add(&[], it.shared.audit.records_limited()),
    ),
    counter(
        "vestibule_audit_records_lost_total",
        &[],
        "Records of the audit log that were lost, as the database took none for too long.",
        |it, to| to.add(&[], it.shared.audit.records_lost()),
    ),
    gauge(
        "vestibule_audit_records_waiting",
        &[],
        "Records of the audit log that are not in the database yet.",
        |it, to| to.add(&[], it.shared.audit.records_waiting()),
    ),
    gauge("vestibule_build_info", &["version"], "Always 1; the version is a label.", |_, to| {
        to.add(&[env!("CARGO_PKG_VERSION")], 1);
    }),
    gauge("vestibule_connections", &[], "Open connections of clients.", |it, to| {
        to.add(&[], it.metrics.gate.connections());
    }),
    counter(
        "vestibule_connections_accepted_total",
        &[],
        "Connections that were let in.",
        |it, to| to.add(&[], it.metrics.connections_accepted.get()),
    ),
    counter(
        "vestibule_connections_evicted_total",
        &[],
        "Idle connections that were closed to make room for others.",
        |it, to| to.add(&[], it.metrics.connections_evicted.get()),
    ),
    gauge(
        "vestibule_connections_limit",
        &[],
        "The most connections at once: --connections, or less where open files are limited.",
        |it, to| to.add(&[], it.metrics.limits.connections),
    ),
    counter(
        "vestibule_connections_refused_total",
        &["reason"],
        "Connections that were turned away: full (all were in use) or client (one client had too many).",
        |it, to| {
            for why in ConnectionRefusal::ALL {
                to.add(&[why.as_str()], it.metrics.connections_refused[why as usize].get());
            }
        },
    ),
    gauge(
        "vestibule_database_counted_timestamp_seconds",
        &[],
        "When users, sessions and mails were counted last, in seconds since 1970: every minute while this is looked at.",
        |it, to| it.of_counted(to, |to, counted| to.add(&[], seconds(counted.at.millis()))),
    ),
    counter(
        "vestibule_database_faults_total",
        &["kind"],
        "Failed statements: unavailable (locked, full or not reachable, nothing written), unknown (it may be written) \
         or broken (damaged, or not to be used).",
        |it, to| {
            to.add(&["unavailable"], it.strain.unavailable);
            to.add(&["unknown"], it.strain.unknown);
            to.add(&["broken"], it.strain.broken);
        },
    ),
    gauge(
        "vestibule_database_info",
        &["engine", "engine_version", "schema"],
        "Always 1; what the database is, as vestibule check says it, is in the labels: engine is sqlite or mariadb.",
        |it, to| {
            it.of_counted(to, |to, Counted { versions: [(_, schema), (engine, version)], .. }| {
                to.add(&[engine, version, schema], 1);
            });
        },
    ),
    gauge(
        "vestibule_database_up",
        &[],
        "Whether the database could be read a few seconds ago, as for GET /healthz: 1 or 0.",
        |it, to| to.add(&[], u8::from(it.metrics.survey.is_up())),
    ),
    counter(
        "vestibule_database_wait_seconds_total",
        &[],
        "How long writes waited for others in all.",
        |it, to| to.add(&[], it.strain.waited.as_secs_f64()),
    ),
    counter(
        "vestibule_database_waits_total",
        &[],
        "How often a write waited for another one: a millisecond or more for the lock of a file, or until it was run again \
         on a server, as it had lost.",
        |it, to| to.add(&[], it.strain.waits),
    ),
    counter(
        "vestibule_events_total",
        &["event"],
        "Events of requests, by their names in the log: sign-ins, refusals, faults.",
        |it, to| {
            for event in Event::ALL.iter().filter(|it| it.is_of_request()) {
                to.add(&[event.name()], it.metrics.events.count_of(*event));
            }
        },
    ),
    counter(
        "vestibule_gate_refusals_total",
        &["reason"],
        "Requests that were refused before a worker had them; busy: the queue was full, or the wait too long.",
        |it, to| {
            for problem in Problem::ALL {
                to.add(&[problem.as_str()], it.metrics.problems[problem as usize].get());
            }
        },
    ),
    gauge("vestibule_hashers", &[], "The most passwords hashed at once: --hashers.", |it, to| {
        to.add(&[], it.metrics.limits.hashers);
    }),
    gauge("vestibule_hashes_running", &[], "Passwords that are being hashed.", |it, to| {
        to.add(&[], it.shared.site.hashes_running());
    }),
    counter("vestibule_hashes_total", &[], "Passwords that were hashed.", |it, to| {
        to.add(&[], it.shared.site.hashes_computed());
    }),
    gauge(
        "vestibule_hashes_waiting",
        &[],
        "Requests that wait for a password to be hashed, and have not begun.",
        |it, to| {
            let gate = &it.metrics.gate;
            let all = gate.waiting(HASH) + gate.in_flight(HASH);
            to.add(&[], all.saturating_sub(it.shared.site.hashes_running()));
        },
    ),
    gauge(
        "vestibule_lane_in_flight",
        &["lane"],
        "Requests that are with workers: those that read, write or hash a password.",
        |it, to| {
            for lane in Lane::ALL {
                to.add(&[lane.as_str()], it.metrics.gate.in_flight(lane as usize));
            }
        },
    ),
    gauge("vestibule_lane_queue", &["lane"], "Requests that wait for a worker.", |it, to| {
        for lane in Lane::ALL {
            to.add(&[lane.as_str()], it.metrics.gate.waiting(lane as usize));
        }
    }),
    gauge(
        "vestibule_lane_queue_limit",
        &["lane"],
        "The most requests that may wait for a worker; more are answered with 503.",
        |it, to| {
            for (lane, most) in Lane::ALL.into_iter().zip(it.metrics.limits.waiting_max()) {
                to.add(&[lane.as_str()], most);
            }
        },
    ),
    counter(
        "vestibule_log_lines_limited_total",
        &[],
        "Lines that the log left out, as there were more than a hundred of one kind in a second; counted when it is over.",
        |it, to| to.add(&[], it.shared.log.lines_limited()),
    ),
    counter(
        "vestibule_log_lines_lost_total",
        &[],
        "Lines of the log that were lost, as standard error took none for too long.",
        |it, to| to.add(&[], it.shared.log.lines_lost()),
    ),
    gauge(
        "vestibule_mail_oldest_seconds",
        &[],
        "How long the mail has waited that was queued first; 0: none waits.",
        |it, to| {
            it.of_mail(to, |to, counted| {
                let since = counted.census.oldest_mail;
                to.add(&[], since.map_or(0, |at| at.until(it.now).as_secs()));
            });
        },
    ),
    gauge("vestibule_mail_queued", &[], "Mails that wait.", |it, to| {
        it.of_mail(to, |to, counted| to.add(&[], counted.census.mails));
    }),
    counter(
        "vestibule_program_events_total",
        &["event"],
        "Events of the server itself, by their names in the log: mails that were sent or failed, a lost database.",
        |it, to| {
            for event in ProgramEvent::ALL.iter().filter(|it| !it.is_about_log()) {
                to.add(&[event.name()], it.shared.log.count_of(*event));
            }
        },
    ),
    counter(
        "vestibule_refusals_total",
        &["event", "reason"],
        "Events with a reason, by both; a pair appears when it has happened.",
        |it, to| {
            it.metrics.events.each_reason(|event, reason, count| {
                to.add(&[event.name(), reason], count);
            });
        },
    ),
    Family {
        name: "vestibule_request_duration_seconds",
        kind: FamilyKind::Histogram,
        labels: &["lane"],
        help: "How long requests took from their last byte to the response, with all waiting, by the kind of worker.",
        samples: |it, to| {
            for lane in Lane::ALL {
                to.add_histogram(&[lane.as_str()], &it.metrics.durations[lane as usize]);
            }
        },
    },
    counter(
        "vestibule_requests_total",
        &["route", "status", "lane"],
        "Responses, by the path in the table of routes (other: no such path), the status, and who answered: \
         workers that read, write or hash, or the gate by itself.",
        |it, to| {
            it.metrics.requests.each(|row, status, lane, count| {
                let status = if status == 0 { "other".to_owned() } else { status.to_string() };
                to.add(&[row.path(), &status, lane_name(lane)], count);
            });
        },
    ),
    gauge("vestibule_sessions", &[], "Sessions that have not ended.", |it, to| {
        it.of_counted(to, |to, counted| to.add(&[], counted.census.sessions));
    }),
    gauge("vestibule_users", &[], "Accounts.", |it, to| {
        it.of_counted(to, |to, counted| to.add(&[], counted.census.users));
    }),
];

impl ReportSource<'_> {
    /// Adds what was counted, if anything was.
    fn of_counted(&self, to: &mut Samples<'_>, add: impl FnOnce(&mut Samples<'_>, &Counted)) {
        if let Some(counted) = &self.counted {
            add(to, counted);
        }
    }

    /// Adds what was counted of mails, where the server sends any.
    fn of_mail(&self, to: &mut Samples<'_>, add: impl FnOnce(&mut Samples<'_>, &Counted)) {
        if self.shared.site.has_mail() {
            self.of_counted(to, add);
        }
    }
}

const HASH: usize = Lane::Hash as usize;

/// A moment in seconds since 1970.
fn seconds(millis: i64) -> String {
    format!("{}.{:03}", millis.div_euclid(1_000), millis.rem_euclid(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_every_metric_once_sorted_and_named_as_its_kind_demands() {
        let names: Vec<_> = FAMILIES.iter().map(|it| it.name).collect();
        assert!(names.is_sorted_by(|one, other| one < other), "{names:?}");
        for Family { name, kind, labels, help, .. } in FAMILIES {
            let is_total = name.ends_with("_total");
            assert_eq!(*kind == FamilyKind::Counter, is_total, "{name}");
            assert!(name.starts_with("vestibule_") || name.starts_with("process_"), "{name}");
            assert!(help.ends_with('.') && !help.contains('|'), "{name}: {help}");
            assert!(!labels.contains(&"le"), "{name}");
        }
    }
}
