//! `vestibule mail`: shows the mail that waits, and tries whether mail can be sent.

use clap::{Args, Subcommand};
use serde_json::json;

use super::change_report::ChangeReport;
use super::serve::mail::MailArgs;
use super::table::{counted, printable, table};
use super::{Access, Done, Failure, lines, open};
use crate::auth::mail;
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::email_address;
use crate::base::token;
use crate::cli::database::DatabaseArgs;
use crate::server::mailer::{Delivery, MailMessage};
use crate::store::{Letter, Store, UserId};

/// The most mails that are listed: all that can wait.
const LISTED_MAX: u32 = 10_000;

/// `vestibule mail`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule mail test me@example.com --mail smtps://vestibule@mail.example.com \\\n    \
    --mail-password-file /etc/vestibule/mail-password --mail-from 'Example <no-reply@example.com>'\n  \
    vestibule mail list\n  \
    vestibule mail retry --all\n\n\
    Exit codes: 0 done; 1 not done, or there is no such mail; 2 wrong usage.")]
pub struct MailCommandArgs {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// What to do.
    #[command(subcommand)]
    pub(crate) action: MailAction,
}

/// What can be done with mail.
#[derive(Subcommand)]
pub enum MailAction {
    /// Send a test mail now, with the mail settings of serve, and print the answer of the relay or the program.
    #[command(after_help = "Example:\n  \
        vestibule mail test me@example.com --mail-command '/usr/sbin/sendmail -t -i' --mail-from no-reply@example.com")]
    Test {
        /// The address to send it to.
        address: String,
        /// How mail is sent.
        #[command(flatten)]
        mail: Box<MailArgs>,
    },
    /// List the mail that waits to be sent: for whom, since when, how often it was tried, and how the last try
    /// failed.
    #[command(after_help = "Example:\n  vestibule mail list")]
    List,
    /// Let a server send a waiting mail, or all of them, within 15 seconds.
    #[command(
        after_help = "Examples:\n  vestibule mail retry u4kq1d0z8x7c2bn\n  vestibule mail retry --all"
    )]
    Retry {
        /// The id of the mail, as listed.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<String>,
        /// Retry all mail that waits.
        #[arg(long)]
        all: bool,
    },
    /// Delete a waiting mail, which is then not sent.
    #[command(after_help = "Example:\n  vestibule mail drop u4kq1d0z8x7c2bn")]
    Drop {
        /// The id of the mail, as listed.
        id: String,
    },
}

/// `vestibule mail`: returns what to print; the error is one line about why it is not done.
pub(super) fn run(flags: MailCommandArgs, as_json: bool, now: Moment) -> Result<String, Failure> {
    let access = match flags.action {
        MailAction::Test { address, mail } => return test(&address, *mail, as_json, now),
        MailAction::List => Access::Read,
        MailAction::Retry { .. } | MailAction::Drop { .. } => Access::Change,
    };
    let store = open(&flags.database, access)?;
    let store = &*store;
    let report = match flags.action {
        MailAction::Retry { id, .. } => retry(store, id.as_deref(), now)?,
        MailAction::Drop { id } => {
            if !mail::drop_one(store, &id).map_err(|err| err.to_string())? {
                return Err(missing(&id).into());
            }
            ChangeReport::new(format!("the mail {id} is deleted")).with("id", &*id)
        }
        MailAction::List | MailAction::Test { .. } => return Ok(list(store, as_json)?),
    };
    Ok(report.text(as_json))
}

fn missing(id: &str) -> String {
    format!("no mail {} waits; vestibule mail list shows those that do", printable(id))
}

fn test(address: &str, args: MailArgs, as_json: bool, now: Moment) -> Result<String, Failure> {
    if !email_address::is_deliverable(address) {
        return Err(Failure::usage("write the address as in me@example.com, in ASCII".to_owned()));
    }
    let config = args.check(true).map_err(Failure::usage)?;
    let config = config.ok_or_else(|| {
        Failure::usage("--mail or --mail-command is missing: they say how mail is sent".to_owned())
    })?;
    let place = config.place();
    let message = MailMessage {
        id: &token::random_text(15),
        to: address,
        subject: "A test by vestibule",
        text: "This mail was sent by vestibule mail test. Mail to users arrives like this one.\n",
        at: now,
    };
    let mut delivery = None;
    config.send(&message, |it| delivery = Some(it));
    match delivery.ok_or_else(|| "the mail was not tried".to_owned())? {
        Delivery::Sent => {
            let sentence =
                format!("{place} has taken a mail from {} to {address}", config.from.address());
            Ok(ChangeReport::new(sentence).with("sent", true).text(as_json))
        }
        Delivery::Refused { outcome, said } => {
            Err(format!("{place} refuses mail to {address} ({outcome}): {}", printable(&said))
                .into())
        }
        Delivery::Failed { outcome, said } => Err(format!(
            "{place} has not taken the mail ({outcome}): {}{}",
            printable(&said),
            advice(&outcome)
        )
        .into()),
    }
}

/// What to look at after a try that failed like this.
fn advice(outcome: &str) -> &'static str {
    match outcome {
        "tls" => "; is the name in --mail the one in its certificate, and is --mail-ca needed?",
        "connection" => "; is it running, do host and port in --mail fit, and is there a firewall?",
        "530" | "534" | "535" => "; are the user in --mail and the password right?",
        _ => "",
    }
}

fn list(store: &dyn Store, as_json: bool) -> Done {
    let fault = |err: crate::store::Error| err.to_string();
    let all = mail::waiting(store, LISTED_MAX).map_err(fault)?;
    let mut rows = Vec::new();
    for it in &all {
        let user = users::get(store, &UserId::new(it.user_id.clone())).map_err(fault)?;
        rows.push((it, user.map_or_else(|| it.user_id.clone(), |it| it.username)));
    }
    if as_json {
        return Ok(lines(rows.iter().map(|(it, name)| data(it, name))));
    }
    let headings = ["id", "kind", "user", "created", "tries", "next", "last"];
    let row = |(it, name): &(&Letter, String)| {
        let last = if it.last_outcome.is_empty() { "-" } else { &it.last_outcome };
        [
            &*it.id,
            &it.kind,
            name,
            &it.created_at.minute(),
            &it.tries.to_string(),
            &it.due_at.minute(),
            last,
        ]
        .map(str::to_owned)
        .to_vec()
    };
    Ok(match rows.len() {
        0 => "no mail waits\n".to_owned(),
        _ => table(&headings, &rows.iter().map(row).collect::<Vec<_>>()),
    })
}

fn data(it: &Letter, name: &str) -> serde_json::Value {
    let last = Some(&it.last_outcome).filter(|it| !it.is_empty());
    json!({
        "id": it.id, "kind": it.kind, "user_id": it.user_id, "username": name, "created_at": it.created_at.rfc3339(),
        "tries": it.tries, "due_at": it.due_at.rfc3339(), "last_outcome": last,
    })
}

fn retry(store: &dyn Store, id: Option<&str>, now: Moment) -> Result<ChangeReport, String> {
    let count = mail::retry(store, id, now).map_err(|err| err.to_string())?;
    match (id, count) {
        (Some(id), 0) => Err(format!("{}, or a server is sending it now", missing(id))),
        (Some(id), _) => {
            Ok(ChangeReport::new(format!("the mail {id} is sent at once")).with("id", id))
        }
        (None, count) => {
            let sentence = format!("{} sent at once", counted_mails(count));
            Ok(ChangeReport::new(sentence).with("mails", count))
        }
    }
}

fn counted_mails(count: usize) -> String {
    format!("{} {}", counted(count, "mail"), if count == 1 { "is" } else { "are" })
}
