//! Every field of a record of the audit log: its name, the events that have it, and what it says.
//!
//! A field is a row of the table below; a test holds the table in `docs/operating.md` equal, and a build with debug
//! assertions refuses a record with a field that is not listed for its event.

use crate::auth::events::Event;
use crate::base::log_fields;
use crate::store::Record;

/// A field of a record, beside those that every record has.
pub struct RecordField {
    /// Its name in both logs. Scripts depend on it, so it never changes.
    pub name: &'static str,
    /// Whether its value is a number.
    pub is_number: bool,
    /// The events whose records have it, though not each of them.
    pub events: FieldEvents,
    /// What its value says, for the operator.
    pub meaning: &'static str,
}

/// The events whose records have a field.
pub enum FieldEvents {
    /// These.
    These(&'static [Event]),
    /// Every event of a request.
    OfRequests,
    /// Every event of a command.
    OfCommands,
}

/// The settings of a server are fields with the names of the settings.
const HAS_OTHERS: Event = Event::Settings;

impl RecordField {
    const fn text(name: &'static str, events: &'static [Event], meaning: &'static str) -> Self {
        Self { name, is_number: false, events: FieldEvents::These(events), meaning }
    }

    const fn number(name: &'static str, events: &'static [Event], meaning: &'static str) -> Self {
        Self { name, is_number: true, events: FieldEvents::These(events), meaning }
    }

    /// Every field, in the order of their names.
    pub const ALL: &[Self] = &[
        Self::number(
            "access_tokens",
            &[Event::UserPasswd, Event::UserDelete, Event::UserDisable, Event::UserKeyRemove],
            "the access tokens that ended with it",
        ),
        Self::text(
            "app",
            &[Event::CheckDenied],
            "the host of the app that was asked for, or `unknown`",
        ),
        Self::number("attempts", &[Event::UserUnlock], "the failed attempts that were forgotten"),
        Self::text(
            "before",
            &[Event::UserDisable, Event::UserEmail, Event::UserGroups],
            "the reason, the address or the groups that the user had before",
        ),
        Self {
            name: "browser",
            is_number: false,
            events: FieldEvents::OfRequests,
            meaning: "the browser in a few words, as in `Firefox on Linux`; in records about a user",
        },
        Self::text(
            "by",
            &[Event::LoginFail, Event::Throttled],
            "`basic`: the password came with a check, by HTTP Basic",
        ),
        Self::text(
            "by",
            &[Event::LoginOk],
            "the factors: `password+totp`, `password+recovery`, or `password+remembered` in a browser that both were given in before",
        ),
        Self::text(
            "by",
            &[Event::SecondFactorOn, Event::SecondFactorOff],
            "`sign_in`: it was set up while signing in, as it is required; `owner`: its user turned it off",
        ),
        Self {
            name: "by",
            is_number: false,
            events: FieldEvents::OfCommands,
            meaning: "the user of the machine who ran the command",
        },
        Self::text("cause", &[Event::DbBusy, Event::DbError], "what the database said"),
        Self::text("disabled_since", &[Event::UserEnable], "when the account was disabled"),
        Self::text("email", &[Event::UserEmail], "the new address; empty if it was removed"),
        Self::text("ended", &[Event::SessionEnd], "the handle of the session that was ended"),
        Self::text("expected", &[Event::CsrfReject], "the origin of this site"),
        Self::text("from", &[Event::UserRename], "the old name; a handle once the user is deleted"),
        Self::text(
            "from",
            &[Event::Import, Event::Copy, Event::Restore],
            "where it came from: the kind of source, the database or the file",
        ),
        Self::text("from", &[Event::KeyApply], "the handle of the key before"),
        Self::text(
            "groups",
            &[Event::UserAdd, Event::UserGroups, Event::InviteNew],
            "the groups, separated by commas; empty if there are none",
        ),
        Self::text("groups", &[Event::CheckDenied], "the groups of which the user is in none"),
        Self::text(
            "hint",
            &[Event::CheckDenied, Event::CheckRefused, Event::CsrfReject],
            "what the operator can do about it",
        ),
        Self::text(
            "invite",
            &[Event::SignupOk, Event::InviteNew, Event::InviteRevoke],
            "the handle of the invitation",
        ),
        Self::text(
            "key",
            &[Event::UserKeyAdd, Event::UserKeyRemove],
            "the key, as in `username:anna`; with a handle for the name once the user is deleted",
        ),
        Self::number("keys", &[Event::Import, Event::Export], "how many keys"),
        Self::number(
            "left",
            &[Event::LoginOk],
            "how many recovery codes the user has left, if one was used",
        ),
        Self::text("mailed", &[Event::ResetLink], "`true` if the link is mailed and not printed"),
        Self::text(
            "name",
            &[
                Event::SignupOk,
                Event::SignupFail,
                Event::LoginFail,
                Event::Throttled,
                Event::AccountDelete,
                Event::UserAdd,
                Event::UserDelete,
                Event::UserFree,
                Event::UserUnlock,
            ],
            "the handle of the name that was typed, or of the user's name",
        ),
        Self::text(
            "name",
            &[Event::TokenRevoke],
            "the name of the access token, if the operator revoked it",
        ),
        Self::text(
            "name",
            &[Event::PasskeyRemove],
            "the name of the passkey, if the operator removed it",
        ),
        Self::text(
            "network",
            &[Event::UserUnlock],
            "the address or the network whose failures were forgotten",
        ),
        Self::text(
            "next_refused",
            &[Event::SignupOk, Event::LoginOk, Event::Logout, Event::CheckDenied],
            "the origin of an address to go to that was left out",
        ),
        Self::text("note", &[Event::InviteNew], "the note of the invitation"),
        Self::text("of", &[Event::AuditLimited], "the event whose records were left out"),
        Self::text("origin", &[Event::CsrfReject], "the origin that the request named, or `none`"),
        Self::number(
            "others",
            &[Event::SessionEnd],
            "how many other sessions of the user were ended",
        ),
        Self::text(
            "passkey",
            &[Event::PasskeyAdd, Event::PasskeyRemove],
            "the handle of the passkey",
        ),
        Self::text("password", &[Event::UserAdd], "`yes` or `no`: whether the user has a password"),
        Self::text(
            "reason",
            &[
                Event::SignupFail,
                Event::LoginFail,
                Event::Throttled,
                Event::SecondFactorFail,
                Event::PasskeyFail,
                Event::PasskeyCloned,
                Event::SessionEndFail,
                Event::ReauthFail,
                Event::PasswordChangeFail,
                Event::PasswordResetFail,
                Event::ResetAskedFail,
                Event::EmailAskedFail,
                Event::BadLink,
                Event::AccountDeleteFail,
                Event::TokenMakeFail,
                Event::CheckDenied,
                Event::CheckRefused,
                Event::CsrfReject,
                Event::BadRequest,
            ],
            "in one word, why it was refused",
        ),
        Self::text(
            "reason",
            &[Event::UserDisable, Event::UserEnable],
            "the reason for which the account is, or was, disabled",
        ),
        Self::number("records", &[Event::AuditLimited], "how many records were left out"),
        Self::number("rows", &[Event::Copy], "how many rows were copied"),
        Self::number("secrets", &[Event::KeyApply], "how many secrets were written anew"),
        Self::number("seconds", &[Event::ClockWentBack], "by how much the clock went back"),
        Self::number(
            "sessions",
            &[
                Event::SessionEnd,
                Event::UserPasswd,
                Event::UserDelete,
                Event::UserDisable,
                Event::UserKeyRemove,
                Event::SecondFactorOff,
            ],
            "the sessions that ended with it",
        ),
        Self::number("sessions", &[Event::Import, Event::Export], "how many sessions"),
        Self::number(
            "sessions_left_out",
            &[Event::Restore],
            "the sessions of the backup that were not restored",
        ),
        Self::text(
            "steps",
            &[Event::SecondFactorFail],
            "by how many steps of 30 seconds a clock is wrong; ahead with `+`",
        ),
        Self::text("to", &[Event::UserRename], "the new name; a handle once the user is deleted"),
        Self::text("to", &[Event::Copy], "the database that it was copied to"),
        Self::text("to", &[Event::KeyApply], "the handle of the new key"),
        Self::text(
            "token",
            &[Event::TokenMake, Event::TokenRevoke],
            "the handle of the access token",
        ),
        Self::text("until", &[Event::ResetLink, Event::InviteNew], "when the link expires"),
        Self::number("users", &[Event::Import, Event::Export], "how many users"),
        Self::number("uses", &[Event::InviteNew], "how many accounts can be created with it"),
        Self::text(
            "verified",
            &[Event::LoginOk, Event::LoginPending],
            "`true` if it came behind the link that verifies the user's e-mail address",
        ),
        Self::text(
            "verified",
            &[Event::UserEmail],
            "`false` if the address does not count until its user has verified it",
        ),
    ];

    /// Whether a value of a field with this name is a number.
    pub fn is_number(name: &str) -> bool {
        Self::ALL.iter().any(|it| it.name == name && it.is_number)
    }

    /// The names of fields in a record that are not listed for its event. Empty for an event of another version.
    pub fn unlisted(record: &Record) -> Vec<String> {
        let Some(event) = Event::ALL.iter().copied().find(|it| it.name() == record.event) else {
            return Vec::new();
        };
        let is_listed =
            |name: &str| Self::ALL.iter().any(|it| it.name == name && it.is_of(event, record));
        let names = log_fields::read(&record.detail).into_iter().map(|(name, _)| name);
        names.filter(|it| event != HAS_OTHERS && !is_listed(it)).collect()
    }

    fn is_of(&self, event: Event, record: &Record) -> bool {
        match self.events {
            FieldEvents::These(events) => events.contains(&event),
            FieldEvents::OfRequests => record.request.is_some(),
            FieldEvents::OfCommands => record.request.is_none(),
        }
    }
}
