//! A user as another system has them: the one form into which every source turns its rows.
//!
//! Decides nothing: whether they can be imported is decided in `validate.rs`.

use super::reasons::{Reason, SourceRow};
use crate::base::clock::Moment;
use crate::base::password::PasswordHash;
use crate::base::sealing::StoredSecret;
use crate::base::token::TokenHash;
use crate::base::totp::TotpSecret;
use crate::store::{Groups, Key, Passkey, SecondFactor, Session, Totp, UserId};

/// A user with keys and sessions. It holds tokens and hashes and so has no `Debug`.
#[derive(Default)]
pub(super) struct Candidate {
    /// Their id. `None`: the source has no ids, and they are identified by their name.
    pub(super) id: Option<String>,
    /// Their name, if they have one.
    pub(super) name: Option<String>,
    /// When the account was created; `None`: it is created now.
    pub(super) created_at: Option<Moment>,
    /// Groups, checked.
    pub(super) groups: Groups,
    /// Their e-mail address, checked; empty: none.
    pub(super) email: String,
    /// The source says that the address is not verified to be theirs.
    pub(super) is_email_unverified: bool,
    /// Since when they are disabled, if they are.
    pub(super) disabled_at: Option<Moment>,
    /// Why, for operators.
    pub(super) disabled_reason: String,
    /// What else is known of them: an object in JSON; empty: nothing.
    pub(super) attributes: String,
    /// Their keys.
    pub(super) keys: Vec<CandidateKey>,
    /// Their sessions.
    pub(super) sessions: Vec<CandidateSession>,
    /// Their second factor, if they have one.
    pub(super) second_factor: Option<CandidateFactor>,
    /// Their passkeys. Whose they are is set with the user's id.
    pub(super) passkeys: Vec<Passkey>,
    /// Where they are in the source.
    pub(super) row: SourceRow,
    /// What the source found that the operator should know of them.
    pub(super) reasons: Vec<Reason>,
    /// Why they cannot be imported, if that is known from reading the source. It follows their name in a sentence.
    pub(super) fault: Option<String>,
}

/// A second factor in the source. It holds a secret and so has no `Debug`.
pub(super) struct CandidateFactor {
    /// The secret of the app. `None`: the factor is given with a passkey.
    pub(super) secret: Option<TotpSecret>,
    /// Since when it is asked for; `None`: from now on.
    pub(super) since: Option<Moment>,
    /// The last step that is used up; `None`: that is not known.
    pub(super) last_step: Option<i64>,
    /// The hashes of the recovery codes.
    pub(super) recovery_codes: Vec<TokenHash>,
}

impl CandidateFactor {
    /// A second factor of another system, whose recovery codes stay there.
    pub(super) const fn of(secret: TotpSecret) -> Self {
        Self { secret: Some(secret), since: None, last_step: None, recovery_codes: Vec::new() }
    }

    /// The record of the user with this id, with the secret in the clear, and since when there is a second factor.
    pub(super) fn record(self, user: &UserId, now: Moment) -> (Moment, SecondFactor) {
        let since = self.since.unwrap_or(now);
        let totp = self.secret.map(|secret| Totp {
            user_id: user.clone(),
            secret: StoredSecret::new(&secret, user.as_str(), None).as_stored().to_vec(),
            last_step: self.last_step.unwrap_or_default(),
            created_at: since,
        });
        (since, SecondFactor { totp, recovery_codes: self.recovery_codes })
    }
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

/// A key in the source.
pub(super) enum CandidateKey {
    /// The user's own name; with a password or none.
    OfName { hash: Option<String> },
    /// The id `id` at `provider`; with a password or none.
    Of { provider: String, id: String, hash: Option<String> },
    /// A key of vestibule's own, as it was exported.
    Ours(Key),
}

/// A session in the source.
pub(super) enum CandidateSession {
    /// A token of another system, in the clear, and when it expires. Without an end of its active time, the next use
    /// makes it active.
    Of { token: String, active_expires: Option<Moment>, idle_expires: Moment },
    /// A session of vestibule's own, as it was exported.
    Ours(Session),
}
