//! `vestibule token`: lists and revokes access tokens.

use clap::{Args, Subcommand};

use super::change_report::ChangeReport;
use super::find::{UserArg, find};
use super::records::record;
use super::table::{printable, table};
use super::{Access, Done, account_values, lines, open};
use crate::auth::access_tokens;
use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::cli::database::DatabaseArgs;
use crate::store::{Store, User};
use crate::web;

/// `vestibule token`.
#[derive(Args)]
#[command(after_help = "Example:\n  vestibule token list anna\n\n\
    NAME is a username or a sign-in name in any spelling, or the id of a user.\n\n\
    Exit codes: 0 done; 1 not done, or there is no such user or access token; 2 wrong usage.")]
pub struct TokenArgs {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// What to do.
    #[command(subcommand)]
    pub(crate) action: TokenAction,
}

/// What can be done with access tokens.
#[derive(Subcommand)]
pub enum TokenAction {
    /// List the access tokens of a user.
    #[command(after_help = "Example:\n  vestibule token list anna --json")]
    List {
        /// The user.
        #[command(flatten)]
        user: UserArg,
    },
    /// Revoke an access token of a user.
    #[command(after_help = "Example:\n  vestibule token revoke anna 3fa9c1d20b7e4a65")]
    Revoke {
        /// The user.
        #[command(flatten)]
        user: UserArg,
        /// The handle of the access token: 16 hex digits as listed, or 8 as in the log and the audit log.
        #[arg(value_parser = account_values::handle)]
        handle: String,
    },
}

/// `vestibule token`: returns what to print; the error is one line about why it is not done.
pub(super) fn run(flags: TokenArgs, as_json: bool, now: Moment) -> Done {
    let access = match flags.action {
        TokenAction::List { .. } => Access::Read,
        TokenAction::Revoke { .. } => Access::Change,
    };
    let store = open(&flags.database, access)?;
    let store = &*store;
    match flags.action {
        TokenAction::List { user } => list(store, &find(store, &user.name)?, as_json, now),
        TokenAction::Revoke { user, handle } => {
            let report = revoke(store, &find(store, &user.name)?, &handle, now)?;
            Ok(report.text(as_json))
        }
    }
}

fn revoke(
    store: &dyn Store,
    user: &User,
    handle: &str,
    now: Moment,
) -> Result<ChangeReport, String> {
    let found = access_tokens::revoke(store, &user.id, handle).map_err(|err| err.to_string())?;
    let token = found.ok_or_else(|| {
        let name = printable(&user.username);
        format!(
            "{name} has no access token {handle}; vestibule token list {name} shows those there are"
        )
    })?;
    let facts = [("token", &*token.id.handle()), ("name", &*token.name)];
    record(store, user, (Event::TokenRevoke, &facts), now)?;
    let sentence = format!("the access token {} of {} is revoked", token.name, user.username);
    let report = ChangeReport::of(user, sentence).with("handle", token.id.public_handle());
    Ok(report.with("name", token.name).with("access_tokens_ended", 1))
}

fn list(store: &dyn Store, user: &User, as_json: bool, now: Moment) -> Done {
    let all = access_tokens::of_user(store, &user.id).map_err(|err| err.to_string())?;
    if as_json {
        let data = all.iter().map(|it| web::json::access_token(it, now));
        return Ok(lines(data));
    }
    if all.is_empty() {
        return Ok(format!("{} has no access token\n", printable(&user.username)));
    }
    let rows: Vec<_> = all
        .iter()
        .map(|it| {
            vec![
                it.id.public_handle(),
                it.name.clone(),
                it.created_at.minute(),
                it.expires_at.minute(),
                it.used_at.map_or_else(|| "never".to_owned(), Moment::minute),
            ]
        })
        .collect();
    Ok(table(&["handle", "name", "created", "expires", "last used"], &rows))
}
