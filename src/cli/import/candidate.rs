//! A user as another system has them: the one form into which every source turns its rows.
//!
//! Decides nothing: whether they can come over is decided in `validate.rs`.

use super::reasons::{Reason, SourceRow};
use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::store::{Groups, Key, Session};

/// A user with all that is theirs. It holds tokens and hashes and so has no `Debug`.
#[derive(Default)]
pub(super) struct Candidate {
    /// Their id. `None`: there are none where they come from, and they are known by their name.
    pub(super) id: Option<String>,
    /// What they are called, if they are called something.
    pub(super) name: Option<String>,
    /// When the account was made; `None`: it is made now.
    pub(super) created_at: Option<Moment>,
    /// Groups, checked.
    pub(super) groups: Groups,
    /// Where apps may write to them, checked; empty: not known.
    pub(super) email: String,
    /// The source says that the address is not verified to be theirs.
    pub(super) is_email_unverified: bool,
    /// Since when they are shut out, if they are.
    pub(super) disabled_at: Option<Moment>,
    /// Why, for operators.
    pub(super) disabled_reason: String,
    /// What else is known of them: an object in JSON; empty: nothing.
    pub(super) attributes: String,
    /// Their ways to prove who they are.
    pub(super) keys: Vec<CandidateKey>,
    /// The browsers that they are signed in with.
    pub(super) sessions: Vec<CandidateSession>,
    /// Where the source has them.
    pub(super) row: SourceRow,
    /// What the source found that the operator should know of them.
    pub(super) reasons: Vec<Reason>,
    /// Why they cannot come over, if their source knows it already: what follows their name.
    pub(super) fault: Option<String>,
}

/// The hash, if a password can be verified by it; else the reason why not is added.
pub(super) fn verifiable(hash: Option<String>, reasons: &mut Vec<Reason>) -> Option<String> {
    let hash = PasswordHash::from_stored(hash?);
    match hash.fault() {
        None => Some(hash.as_stored().to_owned()),
        Some(fault) => {
            reasons.push(Reason::of_fault(fault));
            None
        }
    }
}

/// A way to prove who one is.
pub(super) enum CandidateKey {
    /// The name that they have; with a password or none.
    OfName { hash: Option<String> },
    /// What `provider` knows as `id`; with a password or none.
    Of { provider: String, id: String, hash: Option<String> },
    /// One of ours, as it was written down.
    Ours(Key),
}

/// A browser that was let in.
pub(super) enum CandidateSession {
    /// By a token of another system, in clear, and until when. Without an end of its active time, the next
    /// use makes it active.
    Of { token: String, active_expires: Option<Moment>, idle_expires: Moment },
    /// One of ours, as it was written down.
    Ours(Session),
}
