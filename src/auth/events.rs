//! Every event of the log and the audit log: its name, and whether the audit log keeps it.
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

/// How much the log has. Each level has what those before it have.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    /// Events that have a name of their own.
    Events,
    /// Every request, except checks that let a request through.
    Requests,
    /// Every check as well.
    Checks,
}

impl LogLevel {
    /// The value of `--log-level`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Requests => "requests",
            Self::Checks => "checks",
        }
    }
}

/// Generates the enum and its methods from one table: `Variant = "name", Audited`, each with a sentence for
/// the operator, which is also its doc comment.
macro_rules! events {
    ($(#[doc = $text:literal] $event:ident = $name:literal, $audited:ident;)*) => {
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
                    _ => LogLevel::Events,
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
    SignupOk = "signup_ok", Always;
    /// A sign-up was refused; `reason` says why.
    SignupFail = "signup_fail", Limited;
    /// A user signed in.
    LoginOk = "login_ok", Always;
    /// A sign-in was refused; `reason` says why.
    LoginFail = "login_fail", Limited;
    /// An attempt was refused without checking the password, after too many failures.
    Throttled = "throttled", Limited;
    /// A user gave the right password, and the sign-in waits for the second factor.
    LoginPending = "login_pending", Always;
    /// A second factor was refused; `reason` says why.
    SecondFactorFail = "second_factor_fail", Limited;
    /// A user turned their second factor on.
    SecondFactorOn = "second_factor_on", Always;
    /// A second factor was turned off, by its user or by the operator.
    SecondFactorOff = "second_factor_off", Always;
    /// A user replaced their recovery codes.
    RecoveryCodesNew = "recovery_codes_new", Always;
    /// A user let the second factor be asked for again in every browser.
    BrowsersForgotten = "browsers_forgotten", Always;
    /// A user signed out.
    Logout = "logout", Always;
    /// A session, or all but one, was ended by its owner or by the operator.
    SessionEnd = "session_end", Always;
    /// Sessions were not ended; `reason` says why.
    SessionEndFail = "session_end_fail", Limited;
    /// A user gave their password once more.
    ReauthOk = "reauth_ok", Always;
    /// A password was not accepted when it was asked for once more; `reason` says why.
    ReauthFail = "reauth_fail", Limited;
    /// A session was renewed.
    SessionRenew = "session_renew", Never;
    /// A session of a Lucia cookie was moved to a cookie of vestibule's.
    SessionMoved = "session_moved", Limited;
    /// A cookie was presented whose session does not exist or has ended.
    SessionInvalid = "session_invalid", Never;
    /// A user changed their password.
    PasswordChange = "password_change", Always;
    /// A password was not changed; `reason` says why.
    PasswordChangeFail = "password_change_fail", Limited;
    /// A reset link was asked for by mail, whether there is such an account or not.
    ResetAsked = "reset_asked", Limited;
    /// A mail with a reset link was refused; `reason` says why.
    ResetAskedFail = "reset_asked_fail", Limited;
    /// A password was set by a reset link.
    PasswordReset = "password_reset", Always;
    /// A reset link did not set a password; `reason` says why.
    PasswordResetFail = "password_reset_fail", Limited;
    /// An invalid reset link, or link that verifies an address, was presented.
    BadLink = "bad_link", Limited;
    /// A user asked for a link that verifies an e-mail address.
    EmailAsked = "email_asked", Always;
    /// A link that verifies an e-mail address was not sent, or an address not removed; `reason` says why.
    EmailAskedFail = "email_asked_fail", Limited;
    /// A user verified an e-mail address, which counts from then on.
    EmailVerify = "email_verify", Always;
    /// A user removed their e-mail address.
    EmailRemove = "email_remove", Always;
    /// A user deleted their account.
    AccountDelete = "account_delete", Always;
    /// An account was not deleted; `reason` says why.
    AccountDeleteFail = "account_delete_fail", Limited;
    /// An access token was created.
    TokenMake = "token_make", Always;
    /// An access token was not created; `reason` says why.
    TokenMakeFail = "token_make_fail", Limited;
    /// An access token was revoked, by its owner or by the operator.
    TokenRevoke = "token_revoke", Always;
    /// A check for a proxy denied access to a signed-in user.
    CheckDenied = "check_denied", Limited;
    /// A check for a proxy was not answered; `reason` says why.
    CheckRefused = "check_refused", Limited;
    /// A request from another site was refused: `origin` is what it named, `expected` is this site.
    CsrfReject = "csrf_reject", Limited;
    /// The address to go to after signing in was not allowed and left out; `hint` says what would allow it.
    NextRefused = "next_refused", Never;
    /// A request was malformed or exceeded a limit.
    BadRequest = "bad_request", Limited;
    /// A request was refused because too many were waiting.
    Overload = "overload", Never;
    /// A request failed because of a bug in vestibule.
    Panic = "panic", Limited;
    /// A request failed because the database was busy or could not be reached.
    DbBusy = "db_busy", Limited;
    /// A request failed because of a database error.
    DbError = "db_error", Limited;
    /// Any other request.
    Request = "request", Never;
    /// A health check. It is not logged.
    Health = "health", Never;

    // What is above can be the event of a request, and what follows can not.
    /// The operator added a user.
    UserAdd = "user_add", Always;
    /// The operator set a user's password.
    UserPasswd = "user_passwd", Always;
    /// The operator renamed a user.
    UserRename = "user_rename", Always;
    /// The operator released a reserved name.
    UserFree = "user_free", Always;
    /// The operator deleted a user.
    UserDelete = "user_delete", Always;
    /// The operator cleared the failures of a user or a network.
    UserUnlock = "user_unlock", Always;
    /// The operator set the groups of a user.
    UserGroups = "user_groups", Always;
    /// The operator set the e-mail address of a user.
    UserEmail = "user_email", Always;
    /// The operator disabled an account.
    UserDisable = "user_disable", Always;
    /// The operator enabled an account.
    UserEnable = "user_enable", Always;
    /// The operator added a way to sign in to an account.
    UserKeyAdd = "user_key_add", Always;
    /// The operator removed a way to sign in from an account.
    UserKeyRemove = "user_key_remove", Always;
    /// The operator created a reset link.
    ResetLink = "reset_link", Always;
    /// The operator created an invitation.
    InviteNew = "invite_new", Always;
    /// The operator revoked an invitation.
    InviteRevoke = "invite_revoke", Always;
    /// The operator imported users.
    Import = "import", Always;
    /// The operator exported users.
    Export = "export", Always;
    /// The operator copied the database to another one.
    Copy = "copy", Always;
    /// The operator made a backup.
    Backup = "backup", Always;
    /// The operator restored a backup.
    Restore = "restore", Always;
    /// The operator sealed secrets with a key, or unsealed them.
    KeyApply = "key_apply", Always;
    /// A server started, with these settings; those that are left out have their defaults.
    Settings = "settings", Always;
    /// The clock was set back.
    ClockWentBack = "clock_went_back", Always;
    /// Records were left out because an allowance was used up: `records` of the event `of`.
    AuditLimited = "audit_limited", Always;
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
