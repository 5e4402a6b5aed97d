//! Who may make an account: everybody, whoever has an invitation, or nobody.
//!
//! Decides when an invitation is good and what it brings. An operator makes one and hands it over; no
//! mail is sent. Knows nothing of HTTP.

use std::time::Duration;

use crate::base::clock::Moment;
use crate::base::token::Token;
use crate::store::{Groups, Invite, Result, Store};

/// How long an invitation is good unless the operator says otherwise. A link like this opens an account
/// to whoever has it, and so has the life of a reset link (ASVS 6.4.1).
pub const LIFE: Duration = Duration::from_secs(60 * 60);

/// How long it is good at most.
pub const LIFE_MAX: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How many accounts can be made with one.
pub const USES_MAX: u32 = 10_000;

/// Who may make an account.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SignUps {
    /// Every visitor may sign up.
    #[default]
    Open,
    /// Visitors with an invitation may sign up.
    Invite,
    /// Nobody but the operator; and while there is no account, whoever has the link to make the first.
    Closed,
}

/// An invitation that is to be made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewInvite {
    /// What it is for, for operators.
    pub note: String,
    /// The groups that whoever comes with it is put in.
    pub groups: Groups,
    /// How many accounts can be made with it: at least one.
    pub uses: u32,
    /// How long it is good.
    pub life: Duration,
}

/// Makes an invitation, and comes back with its token, of which there is no other copy.
pub fn create(store: &dyn Store, new: NewInvite, now: Moment) -> Result<(Invite, Token)> {
    let (invite, token) = build(new, now);
    store.add_invite(&invite)?;
    Ok((invite, token))
}

/// Makes the invitation with which the first account is made, in the place of any other such. `None` if
/// there is an account, or if everybody may make one anyway.
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

/// The invitation with this token. `None` if it is not good, or not any more, or if nobody is invited.
pub fn find(
    store: &dyn Store,
    sign_ups: SignUps,
    token: &Token,
    now: Moment,
) -> Result<Option<Invite>> {
    let found = store.invite(&token.hash(), now)?;
    Ok(found.filter(|it| it.is_first || sign_ups != SignUps::Closed))
}

/// All invitations that are good, the oldest first.
pub fn all(store: &dyn Store, now: Moment) -> Result<Vec<Invite>> {
    store.invites(now)
}

/// Deletes the invitation with this handle and comes back with it. `None` if there is none that is good.
pub fn revoke(store: &dyn Store, handle: &str, now: Moment) -> Result<Option<Invite>> {
    let found = store.invites(now)?.into_iter().find(|it| it.id.public_handle() == handle);
    match found {
        Some(invite) => Ok(store.delete_invite(&invite.id)?.then_some(invite)),
        None => Ok(None),
    }
}

/// Deletes up to `limit` invitations that have ended, and says how many.
pub fn delete_ended(store: &dyn Store, limit: u32, now: Moment) -> Result<usize> {
    store.delete_ended_invites(now, limit)
}
