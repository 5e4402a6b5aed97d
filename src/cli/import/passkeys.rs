//! Passkeys of other systems.
//!
//! Decides which can be used here. The others are left out one by one, and the report says why: their users sign in as
//! they do without one.

use base64ct::{Base64Unpadded, Encoding};

use super::candidate::Candidate;
use super::reasons::{Reason, ReasonKind};
use super::report::Report;
use crate::auth::passkeys::PASSKEYS_MAX;
use crate::base::clock::Moment;
use crate::base::display_name;
use crate::base::origin::Domain;
use crate::base::webauthn::{CREDENTIAL_ID_BYTES_MAX, PasskeyKey, known_transports};
use crate::store::{Passkey, UserId};

/// The name of a passkey that has none in the source.
const NAMELESS: &str = "Passkey";

/// What a source says of a passkey.
pub(super) struct ForeignPasskey {
    /// The id of its user, or their name where the source has no ids.
    pub(super) owner: String,
    /// Its name; may be empty.
    pub(super) name: String,
    /// The id of the credential; `None`: it cannot be read.
    pub(super) id: Option<Vec<u8>>,
    /// The public key as COSE writes it; `None`: it cannot be read.
    pub(super) public_key: Option<Vec<u8>>,
    /// How often it was used, by its own count.
    pub(super) sign_count: u32,
    /// The domain that it was made for; `None`: it was made for none.
    pub(super) rp_id: Option<String>,
    /// Whether it may sign in alone.
    pub(super) verifies_user: bool,
    /// Whether its maker keeps a copy of it.
    pub(super) is_backed_up: bool,
    /// How it is reached, separated by commas.
    pub(super) transports: String,
    /// Whether the source suspects that it was cloned.
    pub(super) may_be_cloned: bool,
    /// When it was added; `None`: that is not known.
    pub(super) created_at: Option<Moment>,
    /// When it was last used, if that is known.
    pub(super) used_at: Option<Moment>,
}

/// Why a passkey is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PasskeyFault {
    Id,
    PublicKey,
    NoDomain,
    MayBeCloned,
    Twice,
    TooMany,
}

impl PasskeyFault {
    /// What follows "left out: " in the report.
    const fn words(self) -> &'static str {
        match self {
            Self::Id => "with an id that cannot be read",
            Self::PublicKey => "with a public key of a kind that is not accepted",
            Self::NoDomain => "made for U2F, and for no domain",
            Self::MayBeCloned => "of which there may be a copy, as the source says",
            Self::Twice => "that their user has twice in the source",
            Self::TooMany => "of users with more than anyone can have here, who keep the newest",
        }
    }
}

/// Gives a user a passkey of theirs, or notes in the report why it is left out.
pub(super) fn add(
    owner: Option<&mut Candidate>,
    passkey: ForeignPasskey,
    report: &mut Report,
    now: Moment,
) {
    let Some(owner) = owner else { return report.passkeys.leave_out(1, "of no user") };
    let name = display_name::fitted(&passkey.name).unwrap_or_else(|| NAMELESS.to_owned());
    let checked = checked(passkey, &name, now).and_then(|it| {
        let is_there = owner.passkeys.iter().any(|other| other.id == it.id);
        if is_there { Err(PasskeyFault::Twice) } else { Ok(it) }
    });
    match checked {
        Ok(passkey) => owner.passkeys.push(passkey),
        Err(fault) => leave_out(&name, fault, &mut owner.reasons, report),
    }
}

/// The passkeys of a user as they are imported: no more than a user may have.
pub(super) fn of_user(
    mut all: Vec<Passkey>,
    user: &UserId,
    reasons: &mut Vec<Reason>,
    report: &mut Report,
) -> Vec<Passkey> {
    all.sort_by_key(|it| std::cmp::Reverse(it.created_at));
    for it in all.split_off(all.len().min(PASSKEYS_MAX as usize)) {
        leave_out(&it.name, PasskeyFault::TooMany, reasons, report);
    }
    all.into_iter().map(|it| Passkey { user_id: user.clone(), ..it }).collect()
}

fn leave_out(name: &str, fault: PasskeyFault, reasons: &mut Vec<Reason>, report: &mut Report) {
    report.passkeys.leave_out(1, fault.words());
    let detail = format!("{name}, {}", fault.words());
    reasons.push(Reason::about(ReasonKind::PasskeyLeftOut, detail));
}

/// The passkey as a record, whose owner is set with the user's id.
fn checked(it: ForeignPasskey, name: &str, now: Moment) -> Result<Passkey, PasskeyFault> {
    let has_length = |id: &Vec<u8>| (1..=CREDENTIAL_ID_BYTES_MAX).contains(&id.len());
    let id = it.id.filter(has_length).ok_or(PasskeyFault::Id)?;
    let rp_id = it.rp_id.ok_or(PasskeyFault::NoDomain)?;
    let key = it.public_key.and_then(|it| PasskeyKey::from_cose(&it));
    let key = key.ok_or(PasskeyFault::PublicKey)?;
    if it.may_be_cloned {
        return Err(PasskeyFault::MayBeCloned);
    }
    let transports: Vec<_> = it.transports.split(',').map(str::trim).collect();
    Ok(Passkey {
        id,
        user_id: UserId::new(String::new()),
        // Other systems make it at random and keep it apart, if at all.
        user_handle: Vec::new(),
        public_key: key.as_cose().to_vec(),
        sign_count: it.sign_count,
        rp_id,
        verifies_user: it.verifies_user,
        is_backed_up: it.is_backed_up,
        transports: known_transports(&transports),
        name: name.to_owned(),
        created_at: it.created_at.unwrap_or(now).min(now),
        used_at: it.used_at.map(|it| it.min(now)),
    })
}

/// The domain that passkeys are made for, as RP IDs are written. `None` if it is none.
pub(super) fn rp_id(text: &str) -> Option<String> {
    let domain = || Domain::parse(text).map(|it| it.as_str().to_owned());
    if text == "localhost" { Some(text.to_owned()) } else { domain() }
}

/// The bytes that a text in base64 or base64url stands for, with padding or without.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let usual = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    Base64Unpadded::decode_vec(&usual).ok()
}
