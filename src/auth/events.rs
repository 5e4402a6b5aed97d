//! Every event of requests and commands, as both logs name it: how much it matters, and whether the audit log keeps
//! it. Those of the server itself are in `server/program_events.rs`.
//!
//! An event is a row of the table below; a test holds the table in `docs/operating.md` equal. Does not know
//! who logs an event, or where.

/// Whether the audit log keeps an event, and how often.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audited {
    /// Every time. Such an event costs the client something (a slow hash, a session that took one, a row
    /// written or deleted) or is the operator's, so it cannot be caused in any number.
    Always,
    /// As long as the user or the client has an allowance left, since a client can cause any number of
    /// them.
    Limited,
    /// It does not concern security, or is routine.
    Never,
}

/// How much an event matters to the operator: the priorities of syslog (RFC 5424) and of journald that the log uses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Priority {
    /// Something failed that must not, and has to be looked at.
    Error,
    /// A setting, a limit or another server may need the operator's attention; the server goes on.
    Warning,
    /// It matters for security, or to the server as a whole, and is no fault.
    Notice,
    /// Routine.
    Info,
}

impl Priority {
    /// Every priority, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Error, Self::Warning, Self::Notice, Self::Info];

    /// The value of `level` in a line of the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
        }
    }

    /// The severity of RFC 5424, which journald takes over from a line that begins with it: sd-daemon(3).
    pub const fn severity(self) -> u8 {
        match self {
            Self::Error => 3,
            Self::Warning => 4,
            Self::Notice => 5,
            Self::Info => 6,
        }
    }
}

/// How much the log has. Each level has what those before it have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    /// Warnings and errors.
    Warnings,
    /// Events that have a name of their own.
    Events,
    /// Every request, except checks that let a request through.
    Requests,
    /// Every check as well.
    Checks,
}

impl LogLevel {
    /// Every level, from the one that has the most.
    pub const ALL: [Self; 4] = [Self::Checks, Self::Requests, Self::Events, Self::Warnings];

    /// The lowest level at which the log has an event of this priority that has a name of its own.
    pub const fn of(priority: Priority) -> Self {
        match priority {
            Priority::Error | Priority::Warning => Self::Warnings,
            Priority::Notice | Priority::Info => Self::Events,
        }
    }

    /// The value of `--log-level`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warnings => "warnings",
            Self::Events => "events",
            Self::Requests => "requests",
            Self::Checks => "checks",
        }
    }
}

/// Generates the enum and its methods from one table: `Variant = "name", Priority, Audited`, each with a sentence for
/// the operator, which is also its doc comment.
macro_rules! events {
    ($(#[doc = $text:literal] $event:ident = $name:literal, $priority:ident, $audited:ident;)*) => {
        /// What happened, for the log and the audit log.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Event {
            $(#[doc = $text] $event,)*
        }

        impl Event {
            /// Every event, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$event),*];

            /// The name in the logs. Scripts and filters depend on it, so it never changes.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$event => $name),* }
            }

            /// How much it matters.
            pub const fn priority(self) -> Priority {
                match self { $(Self::$event => Priority::$priority),* }
            }

            /// Whether the audit log keeps it.
            pub const fn audited(self) -> Audited {
                match self { $(Self::$event => Audited::$audited),* }
            }

            /// Whether the log has a line for it. Health checks come every few seconds and are left out.
            pub const fn is_logged(self) -> bool {
                !matches!(self, Self::Health)
            }

            /// Whether it can be the event of a request. The others are those of the operator's commands and of the
            /// program itself.
            pub const fn is_of_request(self) -> bool {
                self as usize <= Self::Health as usize
            }

            /// The lowest level at which the log has it, unless it is a check that let a request through.
            pub const fn level(self) -> LogLevel {
                match self {
                    Self::Request => LogLevel::Requests,
                    _ => LogLevel::of(self.priority()),
                }
            }

            /// One sentence about it, for the operator.
            pub fn description(self) -> &'static str {
                match self { $(Self::$event => $text.trim_ascii()),* }
            }
        }
    };
}

events! {
    /// A user signed up and is signed in.
    SignupOk = "signup_ok", Info, Always;
    /// A sign-up was refused; `reason` says why.
    SignupFail = "signup_fail", Notice, Limited;
    /// A user signed in.
    LoginOk = "login_ok", Info, Always;
    /// A sign-in was refused; `reason` says why.
    LoginFail = "login_fail", Notice, Limited;
    /// An attempt was refused without checking the password, after too many failures.
    Throttled = "throttled", Notice, Limited;
    /// A user gave the right password, and the sign-in waits for the second factor.
    LoginPending = "login_pending", Info, Always;
    /// A second factor was refused; `reason` says why.
    SecondFactorFail = "second_factor_fail", Notice, Limited;
    /// A user turned their second factor on.
    SecondFactorOn = "second_factor_on", Notice, Always;
    /// A second factor was turned off, by its user or by the operator.
    SecondFactorOff = "second_factor_off", Notice, Always;
    /// A user replaced their recovery codes.
    RecoveryCodesNew = "recovery_codes_new", Notice, Always;
    /// A user let the second factor be asked for again in every browser.
    BrowsersForgotten = "browsers_forgotten", Notice, Always;
    /// A passkey was added.
    PasskeyAdd = "passkey_add", Notice, Always;
    /// A passkey was removed, by its owner or by the operator.
    PasskeyRemove = "passkey_remove", Notice, Always;
    /// A passkey was refused; `reason` says why.
    PasskeyFail = "passkey_fail", Notice, Limited;
    /// A passkey was refused that has counted no more uses than before: there may be a copy of it.
    PasskeyCloned = "passkey_cloned", Warning, Limited;
    /// A user signed out.
    Logout = "logout", Info, Always;
    /// A session, or all but one, was ended by its owner or by the operator.
    SessionEnd = "session_end", Info, Always;
    /// Sessions were not ended; `reason` says why.
    SessionEndFail = "session_end_fail", Notice, Limited;
    /// A user gave their password once more.
    ReauthOk = "reauth_ok", Info, Always;
    /// A password was not accepted when it was asked for once more; `reason` says why.
    ReauthFail = "reauth_fail", Notice, Limited;
    /// A session was renewed.
    SessionRenew = "session_renew", Info, Never;
    /// A session of a Lucia cookie was moved to a cookie of vestibule's.
    SessionMoved = "session_moved", Info, Limited;
    /// A cookie was presented whose session does not exist or has ended.
    SessionInvalid = "session_invalid", Info, Never;
    /// A user changed their password.
    PasswordChange = "password_change", Notice, Always;
    /// A password was not changed; `reason` says why.
    PasswordChangeFail = "password_change_fail", Notice, Limited;
    /// A reset link was asked for by mail, whether there is such an account or not.
    ResetAsked = "reset_asked", Info, Limited;
    /// A mail with a reset link was refused; `reason` says why.
    ResetAskedFail = "reset_asked_fail", Notice, Limited;
    /// A password was set by a reset link.
    PasswordReset = "password_reset", Notice, Always;
    /// A reset link did not set a password; `reason` says why.
    PasswordResetFail = "password_reset_fail", Notice, Limited;
    /// An invalid reset link, or link that verifies an address, was presented.
    BadLink = "bad_link", Notice, Limited;
    /// A user asked for a link that verifies an e-mail address.
    EmailAsked = "email_asked", Info, Always;
    /// A link that verifies an e-mail address was not sent, or an address not removed; `reason` says why.
    EmailAskedFail = "email_asked_fail", Notice, Limited;
    /// A user verified an e-mail address, which counts from then on.
    EmailVerify = "email_verify", Notice, Always;
    /// A user removed their e-mail address.
    EmailRemove = "email_remove", Notice, Always;
    /// A user deleted their account.
    AccountDelete = "account_delete", Notice, Always;
    /// An account was not deleted; `reason` says why.
    AccountDeleteFail = "account_delete_fail", Notice, Limited;
    /// An access token was created.
    TokenMake = "token_make", Notice, Always;
    /// An access token was not created; `reason` says why.
    TokenMakeFail = "token_make_fail", Notice, Limited;
    /// An access token was revoked, by its owner or by the operator.
    TokenRevoke = "token_revoke", Notice, Always;
    /// A check for a proxy denied access to a signed-in user.
    CheckDenied = "check_denied", Notice, Limited;
    /// A check for a proxy was not answered; `reason` says why.
    CheckRefused = "check_refused", Warning, Limited;
    /// A request from another site was refused: `origin` is what it named, `expected` is this site.
    CsrfReject = "csrf_reject", Warning, Limited;
    /// The address to go to after signing in was not allowed and left out; `hint` says what would allow it.
    NextRefused = "next_refused", Warning, Never;
    /// A request was malformed or exceeded a limit.
    BadRequest = "bad_request", Notice, Limited;
    /// A request was refused because too many were waiting.
    Overload = "overload", Warning, Never;
    /// A request failed because of a bug in vestibule.
    Panic = "panic", Error, Limited;
    /// A request failed because the database was busy or could not be reached.
    DbBusy = "db_busy", Warning, Limited;
    /// A request failed because of a database error.
    DbError = "db_error", Error, Limited;
    /// Any other request.
    Request = "request", Info, Never;
    /// A health check. It is not logged.
    Health = "health", Info, Never;

    // What is above can be the event of a request, and what follows can not.
    /// The operator added a user.
    UserAdd = "user_add", Notice, Always;
    /// The operator set a user's password.
    UserPasswd = "user_passwd", Notice, Always;
    /// The operator renamed a user.
    UserRename = "user_rename", Notice, Always;
    /// The operator released a reserved name.
    UserFree = "user_free", Notice, Always;
    /// The operator deleted a user.
    UserDelete = "user_delete", Notice, Always;
    /// The operator cleared the failures of a user or a network.
    UserUnlock = "user_unlock", Notice, Always;
    /// The operator set the groups of a user.
    UserGroups = "user_groups", Notice, Always;
    /// The operator set the e-mail address of a user.
    UserEmail = "user_email", Notice, Always;
    /// The operator disabled an account.
    UserDisable = "user_disable", Notice, Always;
    /// The operator enabled an account.
    UserEnable = "user_enable", Notice, Always;
    /// The operator added a way to sign in to an account.
    UserKeyAdd = "user_key_add", Notice, Always;
    /// The operator removed a way to sign in from an account.
    UserKeyRemove = "user_key_remove", Notice, Always;
    /// The operator created a reset link.
    ResetLink = "reset_link", Notice, Always;
    /// The operator created an invitation.
    InviteNew = "invite_new", Notice, Always;
    /// The operator revoked an invitation.
    InviteRevoke = "invite_revoke", Notice, Always;
    /// The operator imported users.
    Import = "import", Notice, Always;
    /// The operator exported users.
    Export = "export", Notice, Always;
    /// The operator copied the database to another one.
    Copy = "copy", Notice, Always;
    /// The operator made a backup.
    Backup = "backup", Notice, Always;
    /// The operator restored a backup.
    Restore = "restore", Notice, Always;
    /// The operator sealed secrets with a key, or unsealed them.
    KeyApply = "key_apply", Notice, Always;
    /// A server started, with these settings; those that are left out have their defaults.
    Settings = "settings", Info, Always;
    /// The clock was set back.
    ClockWentBack = "clock_went_back", Warning, Always;
    /// Records were left out because an allowance was used up: `records` of the event `of`.
    AuditLimited = "audit_limited", Warning, Always;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_every_event_a_name_of_its_own() {
        let names: std::collections::HashSet<_> = Event::ALL.iter().map(|it| it.name()).collect();
        assert_eq!(names.len(), Event::ALL.len());
    }

    #[test]
    fn tells_the_events_of_requests_from_those_of_commands() {
        let commands = Event::ALL.iter().filter(|it| it.description().starts_with("The operator"));
        let program = [Event::Settings, Event::ClockWentBack, Event::AuditLimited];
        let others: Vec<_> = commands.chain(&program).collect();
        for event in Event::ALL {
            assert_eq!(event.is_of_request(), !others.contains(&event), "{event:?}");
        }
    }

    #[test]
    fn always_keeps_what_changes_how_an_account_is_opened() {
        for event in [
            Event::SignupOk,
            Event::LoginOk,
            Event::Logout,
            Event::SessionEnd,
            Event::PasswordChange,
            Event::PasswordReset,
            Event::AccountDelete,
            Event::TokenMake,
            Event::TokenRevoke,
        ] {
            assert_eq!(event.audited(), Audited::Always, "{event:?}");
        }
    }

    #[test]
    fn limits_the_records_that_any_client_can_cause() {
        let fails = Event::ALL.iter().filter(|it| it.name().ends_with("_fail"));
        let others = [Event::Throttled, Event::CsrfReject, Event::BadLink, Event::CheckDenied];
        for event in fails.chain(&others) {
            assert_eq!(event.audited(), Audited::Limited, "{event:?}");
        }
    }
}
