//! What the operator should know of one user, and where in the source that user is.
//!
//! Decides the words: one for scripts, one line for people, and how many of a kind are counted. Whether
//! a reason applies is decided where it is found.

use std::fmt;
use std::rc::Rc;

use serde_json::{Map, Value, json};

use crate::base::password::HashFault;

/// Where something is in the source, so that the operator finds it there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum SourceRow {
    /// The source cannot say.
    #[default]
    Unknown,
    /// A line of a text, counted from one.
    Line(u64),
    /// A row of a table, by SQLite's `rowid`.
    Table { table: Rc<str>, rowid: i64 },
    /// A row of a view or of a table without `rowid`, counted from one as SQLite returns them.
    Nth { table: Rc<str>, number: i64 },
}

impl SourceRow {
    /// Adds it to an object of JSON: `line`, or `table` and `rowid` or else `row`.
    pub(super) fn describe(&self, object: &mut Map<String, Value>) {
        match self {
            Self::Unknown => {}
            Self::Line(number) => {
                object.insert("line".to_owned(), json!(number));
            }
            Self::Table { table, rowid } => {
                object.insert("table".to_owned(), json!(&**table));
                object.insert("rowid".to_owned(), json!(rowid));
            }
            Self::Nth { table, number } => {
                object.insert("table".to_owned(), json!(&**table));
                object.insert("row".to_owned(), json!(number));
            }
        }
    }
}

impl fmt::Display for SourceRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => Ok(()),
            Self::Line(number) => write!(f, "line {number}"),
            Self::Table { table, rowid } => write!(f, "{table} row {rowid}"),
            Self::Nth { table, number } => write!(f, "{table}, row {number} of those it returns"),
        }
    }
}

/// Something of one user that was not imported as it was, or that they need now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reason {
    pub(super) kind: ReasonKind,
    /// What it is about, without any secret; empty: nothing more is to be said.
    detail: String,
}

/// The kinds of reasons. The order is that of the counts in the report.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum ReasonKind {
    /// There is no password.
    NoPassword,
    /// The hash is of a kind that cannot be verified.
    UnreadableHash,
    /// The hash asks for more than is spent on one.
    CostlyHash,
    /// No key by which a person could sign in with a name.
    NoSignInName,
    /// The name that opens the account is not the one that is shown.
    OtherSignInName,
    /// At the source the password went with another name or address.
    SignedInOtherwise,
    /// The account is disabled.
    Disabled,
    /// The account is disabled, and at the source that would have ended by itself.
    BanWithEnd,
    /// The account was disabled at the source, and that has ended.
    BanEnded,
    /// The source does not say when the account was created.
    CreatedNow,
    /// Sessions that were left out.
    SessionLeftOut,
    /// A second factor that was left out.
    SecondFactorLeftOut,
    /// A passkey that was left out.
    PasskeyLeftOut,
    /// Groups that were left out.
    GroupLeftOut,
    /// The operator gave another name.
    Renamed,
    /// An address that is not fit to be one here.
    EmailAsAttribute,
}

impl ReasonKind {
    /// The word for scripts, what is said of one person, and what is counted.
    const fn words(self) -> [&'static str; 3] {
        match self {
            Self::NoPassword => [
                "no_password",
                "no password",
                "without a password: they need one (vestibule user reset-link)",
            ],
            Self::UnreadableHash => [
                "unreadable_hash",
                "a password hash of a kind that is not known",
                "with a password hash of a kind that is not known: they need a new one \
                 (vestibule user reset-link)",
            ],
            Self::CostlyHash => [
                "costly_hash",
                "a password hash that is too costly to verify",
                "with a password hash that is too costly to verify: they need a new one \
                 (vestibule user reset-link)",
            ],
            Self::NoSignInName => [
                "no_sign_in_name",
                "no username key",
                "without a username key: they cannot sign in by name (vestibule user passwd)",
            ],
            Self::OtherSignInName => [
                "other_sign_in_name",
                "signs in by another name than the one shown",
                "with another sign-in name than the name shown",
            ],
            Self::SignedInOtherwise => [
                "signed_in_otherwise",
                "signs in by the name shown, and did so at the source with",
                "who signed in at the source with another name or address than they do here",
            ],
            Self::Disabled => [
                "disabled",
                "disabled, as at the source",
                "disabled, as at the source (vestibule user enable)",
            ],
            Self::BanWithEnd => [
                "ban_with_end",
                "disabled, as at the source, where the ban ends by itself",
                "whose ban at the source has an end: here nothing ends it but vestibule user enable",
            ],
            Self::BanEnded => [
                "ban_ended",
                "can sign in, as the ban has ended",
                "whose ban at the source has ended, so that they can sign in",
            ],
            Self::CreatedNow => [
                "created_now",
                "counts as created now",
                "counted as created now, as the source does not say when in a way that can be read",
            ],
            Self::SessionLeftOut => [
                "session_left_out",
                "sessions left out",
                "with sessions that were left out: they sign in again",
            ],
            Self::SecondFactorLeftOut => [
                "second_factor_left_out",
                "a second factor left out",
                "with a second factor that was left out: the password alone signs them in",
            ],
            Self::PasskeyLeftOut => [
                "passkey_left_out",
                "a passkey left out",
                "with a passkey that was left out: they add one on the page of their account",
            ],
            Self::GroupLeftOut => [
                "group_left_out",
                "groups left out, as they cannot be groups here",
                "with groups that cannot be groups here, and were left out",
            ],
            Self::Renamed => ["renamed", "renamed; the old name", "given another name: tell them"],
            Self::EmailAsAttribute => [
                "email_as_attribute",
                "an e-mail address that cannot be one here, kept as an attribute",
                "with an e-mail address that cannot be one here, kept as an attribute",
            ],
        }
    }

    /// What is said after the number of people whom it concerns.
    pub(super) const fn counted(self) -> &'static str {
        self.words()[2]
    }

    /// Whether nothing follows from it for the operator: others are listed first.
    pub(super) const fn is_quiet(self) -> bool {
        matches!(self, Self::Disabled | Self::BanEnded)
    }

    /// Whether it says why no password was imported.
    pub(super) const fn is_about_the_password(self) -> bool {
        matches!(self, Self::NoPassword | Self::UnreadableHash | Self::CostlyHash)
    }
}

impl Reason {
    /// A reason that needs no more words.
    pub(super) const fn of(kind: ReasonKind) -> Self {
        Self { kind, detail: String::new() }
    }

    /// A reason and what it is about, which must be no secret.
    pub(super) const fn about(kind: ReasonKind, detail: String) -> Self {
        Self { kind, detail }
    }

    /// Why a password was not imported whose hash has this fault.
    pub(super) fn of_fault(fault: HashFault) -> Self {
        match fault {
            HashFault::TooCostly(asked) => Self::about(ReasonKind::CostlyHash, asked),
            HashFault::NotSupported(name) => {
                Self::about(ReasonKind::UnreadableHash, name.unwrap_or_default().to_owned())
            }
        }
    }

    /// As data, for scripts.
    pub(super) fn json(&self) -> Value {
        json!({ "reason": self.kind.words()[0], "text": self.to_string() })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.kind.words()[1];
        if self.detail.is_empty() {
            f.write_str(told)
        } else {
            write!(f, "{told}: {}", self.detail)
        }
    }
}
