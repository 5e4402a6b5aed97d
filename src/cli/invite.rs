//! What an operator does with invitations.

use serde_json::{Value, json};

use super::{Access, Done, drawn, lines, open, printable, read_groups, record_of, table};
use crate::auth::events::Event;
use crate::auth::invitations::{self, NewInvite};
use crate::base::clock::Moment;
use crate::cli::config::{InviteAction, InviteFlags};
use crate::cli::output::Printout;
use crate::store::{Invite, Store};
use crate::web::origin::Origin;

/// How a link is to be shown.
struct Look {
    qr: bool,
    json: bool,
}

/// `vestibule invite`: comes back with what to print, or with one line about why it is not done.
pub fn invite(flags: InviteFlags, now: Moment) -> Result<Printout, String> {
    let open = |access| open(&flags.database, access);
    match flags.action {
        InviteAction::New { origin, uses, life, groups, note, qr, json } => {
            let new = NewInvite { note, groups: read_groups(&groups)?, uses, life };
            make(&*open(Access::Add)?, new, &origin, &Look { qr, json }, now)
        }
        InviteAction::List { json } => list(&*open(Access::Read)?, json, now).map(Printout::from),
        InviteAction::Revoke { handle } => {
            revoke(&*open(Access::Change)?, &handle, now).map(Printout::from)
        }
    }
}

fn revoke(store: &dyn Store, handle: &str, now: Moment) -> Done {
    let revoked = invitations::revoke(store, handle, now).map_err(|err| err.to_string())?;
    let revoked = revoked.ok_or_else(|| format!("there is no invitation {}", printable(handle)))?;
    record_of(store, Event::InviteRevoke, &[("invite", &revoked.id.handle())], now)?;
    Ok("1 invitation is revoked\n".to_owned())
}

fn make(
    store: &dyn Store,
    new: NewInvite,
    origin: &Origin,
    look: &Look,
    now: Moment,
) -> Result<Printout, String> {
    let (invite, token) = invitations::create(store, new, now).map_err(|err| err.to_string())?;
    let (handle, uses) = (invite.id.handle(), invite.uses_left.to_string());
    let until = invite.expires_at.rfc3339();
    let facts = [
        ("invite", &*handle),
        ("uses", &*uses),
        ("groups", invite.groups.as_str()),
        ("until", &*until),
        ("note", &*invite.note),
    ];
    let lost = format!(
        "an invitation was made and its link not shown; revoke it with vestibule invite revoke {}",
        invite.id.public_handle()
    );
    let unshown = |cause: String| format!("{lost} ({cause})");
    record_of(store, Event::InviteNew, &facts, now).map_err(unshown)?;
    let link = format!("{origin}/signup?invite={}", token.reveal());
    let text = if look.json {
        let mut data = data(&invite);
        data["link"] = link.into();
        format!("{data}\n")
    } else {
        let drawn = if look.qr { drawn(&link).map_err(unshown)? } else { String::new() };
        format!("{link}\n{drawn}")
    };
    Ok(Printout { text, lost: Some(lost) })
}

fn list(store: &dyn Store, as_json: bool, now: Moment) -> Done {
    let all = invitations::all(store, now).map_err(|err| err.to_string())?;
    if as_json {
        return Ok(lines(all.iter().map(data)));
    }
    let row = |it: &Invite| {
        vec![
            it.id.public_handle(),
            it.uses_left.to_string(),
            it.expires_at.minute(),
            it.groups.as_str().to_owned(),
            it.note.clone(),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    Ok(table(&["handle", "uses left", "good until", "groups", "note"], &rows))
}

fn data(it: &Invite) -> Value {
    json!({
        "handle": it.id.public_handle(),
        "uses_left": it.uses_left,
        "groups": it.groups.iter().collect::<Vec<_>>(),
        "note": it.note,
        "first": it.is_first,
        "created_at": it.created_at.rfc3339(),
        "expires_at": it.expires_at.rfc3339(),
    })
}
