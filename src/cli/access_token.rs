//! `vestibule token`: lists and revokes access tokens.

use clap::{Args, Subcommand};

use super::{Access, Done, find, lines, open, record, table};
use crate::auth::access_tokens;
use crate::auth::events::Event;
use crate::base::clock::Moment;
use crate::cli::database::DatabaseArgs;
use crate::store::Store;
use crate::web;

/// `vestibule token`.
#[derive(Args)]
#[command(after_help = "Example:\n  vestibule token list anna")]
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
        /// The username, in any spelling.
        name: String,
        /// Print one JSON object per line, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Revoke an access token of a user.
    #[command(after_help = "Example:\n  vestibule token revoke anna 3fa9c1d20b7e4a65")]
    Revoke {
        /// The username, in any spelling.
        name: String,
        /// Its handle, as listed.
        handle: String,
    },
}

/// `vestibule token`: comes back with what to print, or with one line about why it is not done.
pub(super) fn run(flags: TokenArgs, now: Moment) -> Done {
    let access = match flags.action {
        TokenAction::List { .. } => Access::Read,
        TokenAction::Revoke { .. } => Access::Change,
    };
    let store = open(&flags.database, access)?;
    let store = &*store;
    match flags.action {
        TokenAction::List { name, json } => list(store, &name, json, now),
        TokenAction::Revoke { name, handle } => {
            let user = find(store, &name)?;
            let found =
                access_tokens::revoke(store, &user.id, &handle).map_err(|err| err.to_string())?;
            let token = found.ok_or_else(|| format!("{name} has no access token {handle}"))?;
            record(store, &user, (Event::TokenRevoke, &[("token", &token.id.handle())]), now)?;
            Ok("1 access token is revoked\n".to_owned())
        }
    }
}

fn list(store: &dyn Store, name: &str, as_json: bool, now: Moment) -> Done {
    let user = find(store, name)?;
    let all = access_tokens::of_user(store, &user.id).map_err(|err| err.to_string())?;
    if as_json {
        let data = all.iter().map(|it| web::json::access_token(it, now));
        return Ok(lines(data));
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
    Ok(table(&["handle", "name", "made", "good until", "last used"], &rows))
}
