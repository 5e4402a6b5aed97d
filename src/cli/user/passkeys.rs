//! `vestibule user passkey`: lists and removes the passkeys of a user.

use clap::Subcommand;

use super::notices;
use crate::auth::events::Event;
use crate::auth::mail::{self, LetterKind};
use crate::auth::passkeys::{self, Removed};
use crate::base::clock::Moment;
use crate::cli::change_report::ChangeReport;
use crate::cli::find::UserArg;
use crate::cli::records::record;
use crate::cli::table::{printable, table};
use crate::cli::{Done, account_values, lines};
use crate::store::{ClientInfo, Passkey, Store, User};
use crate::web::json;
use crate::web::messages::languages;

/// What can be done with the passkeys of a user.
#[derive(Subcommand)]
pub enum PasskeyAction {
    /// List the passkeys of a user: what each is for, its domain, and when it was last used.
    #[command(after_help = "Example:\n  vestibule user passkey list anna --json")]
    List {
        /// The user.
        #[command(flatten)]
        user: UserArg,
    },
    /// Remove a passkey of a user, such as one on a lost phone. Sessions that were started with it go on: vestibule
    /// session end-all ends them. The last means of giving a second factor that is on cannot be removed. A verified
    /// address is told by mail, unless the server that was the last to start sends no notices.
    #[command(after_help = "Example:\n  vestibule user passkey remove anna 0b7e4a65")]
    Remove {
        /// The user.
        #[command(flatten)]
        user: UserArg,
        /// The handle of the passkey: 8 hex digits, as listed and in the log and the audit log.
        #[arg(value_name = "PASSKEY", value_parser = account_values::passkey)]
        handle: String,
        /// The language of the mail.
        #[arg(long, value_name = "LANGUAGE", default_value = "en")]
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(languages()))]
        language: String,
    },
}

/// Removes a passkey of a user, by its handle, and has them told in this language.
pub(super) fn remove(
    store: &dyn Store,
    user: &User,
    (handle, language): (&str, &str),
    now: Moment,
) -> Result<ChangeReport, String> {
    let name = printable(&user.username);
    let place = ClientInfo::default();
    let notice = notices::language(store, language)
        .and_then(|it| mail::notice(LetterKind::PasskeyRemoved, user, it, &place, now));
    let removed = passkeys::remove(store, &user.id, (handle, None), notice.as_ref());
    let passkey = match removed.map_err(|err| err.to_string())? {
        Removed::Done(passkey) => passkey,
        Removed::NotFound => {
            return Err(format!(
                "{name} has no passkey {handle}; vestibule user passkey list {name} shows those there are"
            ));
        }
        Removed::LastFactor => {
            return Err(format!(
                "the passkey {handle} is the last means of giving the second factor of {name}; vestibule user \
                 second-factor {name} off turns that off first"
            ));
        }
    };
    record(
        store,
        user,
        (Event::PasskeyRemove, &[("passkey", handle), ("name", &passkey.name)]),
        now,
    )?;
    let sentence = format!("the passkey {} of {} is removed", passkey.name, user.username);
    let report = notices::told(ChangeReport::of(user, sentence), user, notice.is_some());
    let report = report.with("passkey", handle).with("name", passkey.name);
    Ok(report.with("passkeys_removed", 1))
}

/// Lists the passkeys of a user.
pub(super) fn list(store: &dyn Store, user: &User, as_json: bool) -> Done {
    let all = passkeys::of_user(store, &user.id).map_err(|err| err.to_string())?;
    if as_json {
        return Ok(lines(all.iter().map(json::passkey)));
    }
    if all.is_empty() {
        return Ok(format!("{} has no passkey\n", printable(&user.username)));
    }
    let row = |it: &Passkey| {
        vec![
            passkeys::handle(it),
            it.name.clone(),
            if it.verifies_user { "signs in alone" } else { "second factor only" }.to_owned(),
            it.rp_id.clone(),
            it.created_at.minute(),
            it.used_at.map_or_else(|| "never".to_owned(), Moment::minute),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    Ok(table(&["passkey", "name", "use", "domain", "added", "last used"], &rows))
}
