//! What an operator does with invitations.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::change_report::ChangeReport;
use super::{Access, Done, account_values, counted, drawn, lines, open, record_of, table};
use crate::auth::events::Event;
use crate::auth::invitations::{self, LIFE_MAX, NewInvite, USES_MAX};
use crate::base::base_url::BaseUrl;
use crate::base::clock::Moment;
use crate::cli::database::DatabaseArgs;
use crate::cli::output::Printout;
use crate::cli::serve::parse::{base_url, number, period};
use crate::store::{Groups, Invite, Store};

/// `vestibule invite`.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    vestibule invite new --origin https://auth.example.com --groups staff --uses 5 --life 7d\n\n\
    Exit codes: 0 done; 1 not done, or there is no such invitation; 2 wrong usage.")]
pub struct InviteArgs {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// What to do.
    #[command(subcommand)]
    pub(crate) action: InviteAction,
}

/// What can be done with invitations.
#[derive(Subcommand)]
pub enum InviteAction {
    /// Print a link with which people create their accounts, if --signup is invite or open. Hand it over in private.
    #[command(after_help = "Example:\n  \
        vestibule invite new --origin https://auth.example.com --groups staff --note 'for the new office'")]
    New {
        /// URL of the sign-in, as for serve.
        #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL", value_parser = base_url)]
        origin: BaseUrl,
        /// How many accounts can be created with the link.
        #[arg(long, value_name = "COUNT", default_value = "1")]
        #[arg(value_parser = number::<1, USES_MAX>)]
        uses: u32,
        /// How long the link is valid, at most 90d.
        #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = life)]
        life: Duration,
        /// Groups for the accounts created with it, comma-separated.
        #[arg(long, value_name = "GROUP,...", default_value = "", hide_default_value = true)]
        #[arg(value_parser = account_values::groups)]
        groups: Groups,
        /// A note on its purpose, which only operators see.
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        #[arg(value_parser = account_values::note)]
        note: String,
        /// Also print the link as a QR code.
        #[arg(long, conflicts_with = "json")]
        qr: bool,
    },
    /// List the valid invitations.
    #[command(after_help = "Example:\n  vestibule invite list --json")]
    List,
    /// Revoke an invitation. Accounts created with it stay.
    #[command(after_help = "Example:\n  vestibule invite revoke 3fa9c1d20b7e4a65")]
    Revoke {
        /// The handle of the invitation: 16 hex digits as listed, or 8 as in the audit log.
        #[arg(value_parser = account_values::handle)]
        handle: String,
    },
}

/// How a link is to be shown.
struct LinkFormat {
    qr: bool,
    json: bool,
}

/// `vestibule invite`: returns what to print; the error is one line about why it is not done.
pub(super) fn run(flags: InviteArgs, as_json: bool, now: Moment) -> Result<Printout, String> {
    let open = |access| open(&flags.database, access);
    match flags.action {
        InviteAction::New { origin, uses, life, groups, note, qr } => {
            let new = NewInvite { note, groups, uses, life };
            make(&*open(Access::Add)?, new, &origin, &LinkFormat { qr, json: as_json }, now)
        }
        InviteAction::List => list(&*open(Access::Read)?, as_json, now).map(Printout::from),
        InviteAction::Revoke { handle } => {
            let report = revoke(&*open(Access::Change)?, &handle, now)?;
            Ok(report.text(as_json).into())
        }
    }
}

fn revoke(store: &dyn Store, handle: &str, now: Moment) -> Result<ChangeReport, String> {
    let revoked = invitations::revoke(store, handle, now).map_err(|err| err.to_string())?;
    let revoked = revoked.ok_or_else(|| {
        format!("there is no invitation {handle}; vestibule invite list shows those there are")
    })?;
    record_of(store, Event::InviteRevoke, &[("invite", &revoked.id.handle())], now)?;
    let id = revoked.id.public_handle();
    let note = if revoked.note.is_empty() { String::new() } else { format!(" ({})", revoked.note) };
    let left = counted(revoked.uses_left, "account");
    let sentence = format!(
        "the invitation {id}{note} is revoked; {left} could still have been created with it"
    );
    let report = ChangeReport::new(sentence).with("handle", id).with("note", revoked.note);
    Ok(report.with("uses_left", revoked.uses_left).with("invitations_revoked", 1))
}

fn make(
    store: &dyn Store,
    new: NewInvite,
    origin: &BaseUrl,
    format: &LinkFormat,
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
    let text = if format.json {
        let mut data = data(&invite);
        data["link"] = link.into();
        format!("{data}\n")
    } else {
        let drawn = if format.qr { drawn(&link).map_err(unshown)? } else { String::new() };
        format!("{link}\n{drawn}")
    };
    Ok(Printout { text, lost: Some(lost) })
}

fn list(store: &dyn Store, as_json: bool, now: Moment) -> Done {
    let all = invitations::all(store, now).map_err(|err| err.to_string())?;
    if as_json {
        return Ok(lines(all.iter().map(data)));
    }
    if all.is_empty() {
        return Ok("there is no valid invitation\n".to_owned());
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
    Ok(table(&["handle", "uses left", "valid until", "groups", "note"], &rows))
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

fn life(text: &str) -> Result<Duration, String> {
    let life = period(text)?;
    if life > LIFE_MAX { Err("it must be at most 90d".to_owned()) } else { Ok(life) }
}
