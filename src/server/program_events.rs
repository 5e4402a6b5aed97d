//! Every event of the server itself that its log has: the start and the stop, and what happens beside requests.
//!
//! An event is a row of the table below; a test holds the table in `docs/operating.md` equal. Events of requests and
//! commands, which the audit log may keep, are in `auth/events.rs`.

use crate::auth::events::Priority;

/// Generates the enum and its methods from one table: `Variant = "name", Priority`, each with a sentence for the
/// operator, which is also its doc comment.
macro_rules! program_events {
    ($(#[doc = $text:literal] $event:ident = $name:literal, $priority:ident;)*) => {
        /// What happened to the server, for its log.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum ProgramEvent {
            $(#[doc = $text] $event,)*
        }

        impl ProgramEvent {
            /// Every event, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$event),*];

            /// The name in the log. Scripts and filters depend on it, so it never changes.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$event => $name),* }
            }

            /// How much it matters.
            pub const fn priority(self) -> Priority {
                match self { $(Self::$event => Priority::$priority),* }
            }

            /// Whether it is a line in the place of lines that are not in the log.
            pub const fn is_about_log(self) -> bool {
                matches!(self, Self::LogLimited | Self::LogLost)
            }

            /// One sentence about it, for the operator.
            pub fn description(self) -> &'static str {
                match self { $(Self::$event => $text.trim_ascii()),* }
            }
        }
    };
}

program_events! {
    /// The server starts: its `version`, and the `database`.
    Start = "start", Notice;
    /// There was no database, and an empty one was made; `hint` says how another is named.
    DbMade = "db_made", Notice;
    /// The database was upgraded, `from` one schema `to` another; older versions of vestibule refuse it from now on.
    DbUpgraded = "db_upgraded", Notice;
    /// A trusted network contains more than proxies, so that others could claim any address.
    TrustedProxyWide = "trusted_proxy_wide", Warning;
    /// Any visitor can create an account that reaches the apps.
    OpenSignup = "open_signup", Warning;
    /// Browsers send passwords and cookies across a network in clear.
    HttpOrigin = "http_origin", Warning;
    /// Rules of the operator's stylesheet have no effect.
    CssFlaws = "css_flaws", Warning;
    /// The link for the first account could not be made; `cause` says why.
    NoFirstLink = "no_first_link", Warning;
    /// The limit of open files leaves room for fewer `connections` than were `wanted`.
    FewDescriptors = "few_descriptors", Warning;
    /// The server listens at `address`, which browsers reach by `url`.
    Listening = "listening", Notice;
    /// Metrics are shown at `address`.
    Metrics = "metrics", Notice;
    /// The server could not start or go on; `cause` says why.
    ServeFailed = "serve_failed", Error;
    /// The server has stopped as it was asked to.
    Stop = "stop", Notice;
    /// The time to stop was over while requests were still being answered.
    FarewellCut = "farewell_cut", Warning;
    /// A connection could not be accepted, for want of open files or memory.
    AcceptFailed = "accept_failed", Warning;
    /// Idle `connections` were closed to make room.
    Evicted = "evicted", Warning;
    /// A connection was refused, as there are too many, or too many from its address.
    TurnedAway = "turned_away", Warning;
    /// The `X-Forwarded-For` of a `peer` that is not trusted was ignored; logged once.
    ForwardedForIgnored = "forwarded_for_ignored", Warning;
    /// A thread panicked because of a bug in vestibule, `at` this place.
    Panicked = "panicked", Error;
    /// The workers stopped accepting requests, and are replaced.
    WorkersDeaf = "workers_deaf", Warning;
    /// The workers could not be reached, and are replaced.
    WorkersUnreachable = "workers_unreachable", Warning;
    /// New workers could not be started; it is tried again.
    WorkersMissing = "workers_missing", Error;
    /// The database is away, or another file is in its place: what writes is refused until it is back.
    DbLost = "db_lost", Error;
    /// The database is back.
    DbRecovered = "db_recovered", Notice;
    /// The database could not be closed in order.
    DbCloseFailed = "db_close_failed", Error;
    /// Uses of sessions and access tokens could not be noted; it is tried again.
    UsesFailed = "uses_failed", Warning;
    /// Expired `rows` were deleted.
    Swept = "swept", Info;
    /// Nothing is deleted until a server has run for an hour, as the clock is far ahead of the last use.
    SweepHeld = "sweep_held", Warning;
    /// Expired rows could not be deleted; it is tried again.
    SweepFailed = "sweep_failed", Warning;
    /// Records could not be written to the audit log; while the database is busy it is tried again.
    AuditFailed = "audit_failed", Error;
    /// The server stopped before these `records` were in the audit log.
    AuditLost = "audit_lost", Error;
    /// A mail was sent.
    MailSent = "mail_sent", Info;
    /// A mail was not taken, and is tried again; `outcome` says why.
    MailFailed = "mail_failed", Warning;
    /// A mail was refused for good; `outcome` says why.
    MailRefused = "mail_refused", Warning;
    /// A mail was not taken for so long that it is not tried any more.
    MailGivenUp = "mail_given_up", Warning;
    /// Mails have been waiting for `seconds`; logged once an hour.
    MailStuck = "mail_stuck", Warning;
    /// The queue of mails could not be read or written.
    MailError = "mail_error", Error;
    /// More than 100 lines in a second were about the same thing, and `lines` of them were left out.
    LogLimited = "log_limited", Warning;
    /// Standard error did not take these `lines`.
    LogLost = "log_lost", Warning;
}
