//! Every event that the log and the audit log tell: its name, and whether the audit log keeps it.
//!
//! An event is a row of the table below, and `docs/operating.md` lists the same rows. Who writes events
//! down, and where, is not known here.

/// Whether the audit log keeps an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Audited {
    /// Every time. Such an event is costly: it takes a slow hash, a session that took one, a row that is
    /// written or deleted, or the operator, so that nobody can cause any number of them.
    Always,
    /// As long as the user or the client has an allowance left: anybody can cause any number of them.
    Limited,
    /// It is no matter of security, or no news.
    Never,
}

/// Makes the enum and what is known of each event from one table: `Variant = "name", Audited`, with a
/// sentence for the operator as its documentation.
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

            /// What the logs call it. Scripts and filters read it: it stays.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$event => $name),* }
            }

            /// Whether the audit log keeps it.
            pub const fn audited(self) -> Audited {
                match self { $(Self::$event => Audited::$audited),* }
            }

            /// Whether the log tells it: a health check comes every few seconds, and is no news.
            pub const fn is_logged(self) -> bool {
                !matches!(self, Self::Health)
            }

            /// One sentence about it, for the operator.
            pub fn description(self) -> &'static str {
                match self { $(Self::$event => $text.trim_ascii()),* }
            }
        }
    };
}

events! {
    /// An account was made, and its owner is signed in.
    SignupOk = "signup_ok", Always;
    /// A sign-up was refused; `reason` says why.
    SignupFail = "signup_fail", Limited;
    /// Somebody signed in.
    LoginOk = "login_ok", Always;
    /// A sign-in was refused; `reason` says why.
    LoginFail = "login_fail", Limited;
    /// An attempt was refused without looking at the password, as there were too many before it.
    Throttled = "throttled", Limited;
    /// Somebody signed out.
    Logout = "logout", Always;
    /// A session, or all but one, was ended by its owner or by the operator.
    SessionEnd = "session_end", Always;
    /// Sessions were not ended; `reason` says why.
    SessionEndFail = "session_end_fail", Limited;
    /// A session was renewed.
    SessionRenew = "session_renew", Never;
    /// A session of a Lucia cookie was moved to a cookie of vestibule's.
    SessionMoved = "session_moved", Limited;
    /// A cookie came whose session does not exist or has ended.
    SessionInvalid = "session_invalid", Never;
    /// A user changed their password.
    PasswordChange = "password_change", Always;
    /// A password was not changed; `reason` says why.
    PasswordChangeFail = "password_change_fail", Limited;
    /// A password was set by a reset link.
    PasswordReset = "password_reset", Always;
    /// A reset link set no password; `reason` says why.
    PasswordResetFail = "password_reset_fail", Limited;
    /// A reset link came that is not valid.
    BadLink = "bad_link", Limited;
    /// A user deleted their account.
    AccountDelete = "account_delete", Always;
    /// An account was not deleted; `reason` says why.
    AccountDeleteFail = "account_delete_fail", Limited;
    /// An access token was made.
    TokenMake = "token_make", Always;
    /// An access token was not made; `reason` says why.
    TokenMakeFail = "token_make_fail", Limited;
    /// An access token was revoked, by its owner or by the operator.
    TokenRevoke = "token_revoke", Always;
    /// A check for a proxy found a user who may not go there.
    CheckDenied = "check_denied", Limited;
    /// A check for a proxy was not answered; `reason` says why.
    CheckRefused = "check_refused", Limited;
    /// A form came from another site.
    CsrfReject = "csrf_reject", Limited;
    /// A request was not one that HTTP or the limits allow.
    BadRequest = "bad_request", Limited;
    /// A request was refused, as too many were waiting.
    Overload = "overload", Never;
    /// A request failed by a bug of vestibule's.
    Panic = "panic", Limited;
    /// A request failed, as the database was busy or could not be reached.
    DbBusy = "db_busy", Limited;
    /// A request failed by an error of the database.
    DbError = "db_error", Limited;
    /// Any other request.
    Request = "request", Never;
    /// A health check. It is not logged.
    Health = "health", Never;
    /// The operator added a user.
    UserAdd = "user_add", Always;
    /// The operator set a user's password.
    UserPasswd = "user_passwd", Always;
    /// The operator renamed a user.
    UserRename = "user_rename", Always;
    /// The operator made a reserved name free again.
    UserFree = "user_free", Always;
    /// The operator deleted a user.
    UserDelete = "user_delete", Always;
    /// The operator let a user or a network try again at once.
    UserUnlock = "user_unlock", Always;
    /// The operator set the groups of a user.
    UserGroups = "user_groups", Always;
    /// The operator set the e-mail address of a user.
    UserEmail = "user_email", Always;
    /// The operator disabled an account.
    UserDisable = "user_disable", Always;
    /// The operator enabled an account.
    UserEnable = "user_enable", Always;
    /// The operator gave an account another way to sign in.
    UserKeyAdd = "user_key_add", Always;
    /// The operator took a way to sign in from an account.
    UserKeyRemove = "user_key_remove", Always;
    /// The operator made a reset link.
    ResetLink = "reset_link", Always;
    /// The operator made an invitation.
    InviteNew = "invite_new", Always;
    /// The operator revoked an invitation.
    InviteRevoke = "invite_revoke", Always;
    /// The operator imported users.
    Import = "import", Always;
    /// The operator exported users.
    Export = "export", Always;
    /// The operator copied the database to another.
    Copy = "copy", Always;
    /// The operator made a backup.
    Backup = "backup", Always;
    /// The operator put a backup in place.
    Restore = "restore", Always;
    /// A server started, with these settings.
    Settings = "settings", Always;
    /// The clock showed an earlier time than before.
    ClockWentBack = "clock_went_back", Always;
    /// Records were left out, as an allowance was used up: `records` of the event `of`.
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
    fn limits_what_anybody_can_cause() {
        let fails = Event::ALL.iter().filter(|it| it.name().ends_with("_fail"));
        let others = [Event::Throttled, Event::CsrfReject, Event::BadLink, Event::CheckDenied];
        for event in fails.chain(&others) {
            assert_eq!(event.audited(), Audited::Limited, "{event:?}");
        }
    }
}
