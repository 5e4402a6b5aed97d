//! Who may create an account: everyone, people with an invitation, or no one.
//!
//! Decides when an invitation is valid and what it gives. The operator creates one and hands it over; no
//! mail is sent. Knows nothing of HTTP.

use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::token::Token;
use crate::store::{Groups, Invite, Result, Store};

/// The default lifetime of an invitation: that of a reset link (ASVS 6.4.1), since the link alone gives
/// access.
pub const LIFE: Duration = Duration::from_secs(60 * 60);

/// The longest lifetime of an invitation.
pub const LIFE_MAX: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The most accounts that one invitation can create.
pub const USES_MAX: u32 = 10_000;

/// Who may create an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SignUps {
    /// Every visitor may sign up.
    #[default]
    Open,
    /// Visitors with an invitation may sign up.
    Invite,
    /// Only the operator creates accounts; while there is none, the link for the first account works as
    /// well.
    Closed,
}

/// The properties of an invitation that is to be created.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewInvite {
    /// A note for operators about its purpose.
    pub note: String,
    /// The groups of the accounts that it creates.
    pub groups: Groups,
    /// How many accounts it can create: at least one.
    pub uses: u32,
    /// How long it is valid.
    pub life: Duration,
}

/// Creates an invitation. The token returned with it is the only copy.
pub fn create(store: &dyn Store, new: NewInvite, now: Moment) -> Result<(Invite, Token)> {
    let (invite, token) = build(new, now);
    store.add_invite(&invite)?;
    Ok((invite, token))
}

/// Creates the invitation for the first account, replacing any earlier one. `None` if there is an account,
/// or if anyone may sign up anyway.
pub fn create_first(store: &dyn Store, sign_ups: SignUps, now: Moment) -> Result<Option<Token>> {
    if sign_ups == SignUps::Open {
        return Ok(None);
    }
    let note = "the first account".to_owned();
    let new = NewInvite { note, groups: Groups::default(), uses: 1, life: LIFE };
    let (mut invite, token) = build(new, now);
    invite.is_first = true;
    Ok(store.add_first_invite(&invite)?.then_some(token))
}

fn build(new: NewInvite, now: Moment) -> (Invite, Token) {
    let token = Token::random();
    let invite = Invite {
        id: token.hash(),
        note: new.note,
        groups: new.groups,
        uses_left: new.uses,
        is_first: false,
        created_at: now,
        expires_at: now.after(new.life),
    };
    (invite, token)
}

/// The invitation with this token. `None` if it is not valid, or if the site does not use invitations.
pub fn find(
    store: &dyn Store,
    sign_ups: SignUps,
    token: &Token,
    now: Moment,
) -> Result<Option<Invite>> {
    let found = store.invite(&token.hash(), now)?;
    Ok(found.filter(|it| it.is_first || sign_ups != SignUps::Closed))
}

/// All valid invitations, oldest first.
pub fn all(store: &dyn Store, now: Moment) -> Result<Vec<Invite>> {
    store.invites(now)
}

/// Deletes the invitation with this handle, the public one or that of the log, and returns it. `None` if no valid
/// one has it.
pub fn revoke(store: &dyn Store, handle: &str, now: Moment) -> Result<Option<Invite>> {
    let is_it = |it: &Invite| it.id.public_handle() == handle || it.id.handle() == handle;
    match store.invites(now)?.into_iter().find(is_it) {
        Some(invite) => Ok(store.delete_invite(&invite.id)?.then_some(invite)),
        None => Ok(None),
    }
}

/// Deletes up to `limit` expired invitations, and returns how many.
pub fn delete_ended(store: &dyn Store, limit: u32, now: Moment) -> Result<usize> {
    store.delete_ended_invites(now, limit)
}
