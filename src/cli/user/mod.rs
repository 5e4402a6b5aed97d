//! `vestibule user`: adds, changes, shows and deletes accounts.

mod access;
pub(super) mod change;
mod groups;
mod links;
mod list;
mod notices;
mod passkeys;
mod second_factor;
mod show;

use clap::{Args, Subcommand, ValueEnum};

use self::groups::GroupChanges;
use self::list::ListArgs;
use self::passkeys::PasskeyAction;
use super::change_report::ChangeReport;
use super::find::{UserArg, find};
use super::keys::{self, KeyAction};
use super::password::PasswordArgs;
use super::unlock;
use super::{Access, Done, Failure, account_values, open};
use crate::auth::usernames::Username;
use crate::base::base_url::BaseUrl;
use crate::base::clock::Moment;
use crate::cli::database::DatabaseArgs;
use crate::cli::output::Printout;
use crate::cli::serve::parse::base_url;
use crate::cli::serve::{NameKindArgs, NameRestArgs};
use crate::store::{Groups, Store};
use crate::web::messages::languages;

/// `vestibule user`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule user add anna --groups staff\n  \
    vestibule user groups anna admin,staff\n  \
    vestibule user disable anna --reason 'left the company'\n\n\
    NAME is a username or a sign-in name in any spelling, or the id of a user. A text that is the name of one user \
    and the id of another is refused.\n\n\
    Exit codes: 0 done, or there was nothing to do; 1 not done, or there is no such user; 2 wrong usage.")]
pub struct UserArgs {
    /// Where the database is.
    #[command(flatten)]
    pub(crate) database: DatabaseArgs,

    /// What to do.
    #[command(subcommand)]
    pub(crate) action: UserAction,
}

/// What can be done with a user.
#[derive(Subcommand)]
pub enum UserAction {
    /// Create an account, even if --signup is closed. The password comes from a prompt, or from standard input as its
    /// only line.
    #[command(after_help = "Example:\n  vestibule user add anna --groups staff")]
    Add {
        /// The username: 4 to 31 visible characters, or with --names address an e-mail address. Leading and trailing
        /// white space is removed.
        name: String,
        /// What the name is.
        #[command(flatten)]
        kind: NameKindArgs,
        /// Create the account without a password.
        #[arg(long)]
        no_password: bool,
        /// Groups, comma-separated.
        #[arg(long, value_name = "GROUP,...", default_value = "", hide_default_value = true)]
        #[arg(value_parser = account_values::groups)]
        groups: Groups,
        /// Which passwords are accepted.
        #[command(flatten)]
        rules: PasswordArgs,
    },
    /// List all users, or those that match every filter given.
    #[command(after_help = "Examples:\n  \
        vestibule user list --group staff --disabled\n  \
        # the twenty newest accounts\n  \
        vestibule user list --sort created --reverse --limit 20\n  \
        vestibule user list --search @example.com --json")]
    List(Box<ListArgs>),
    /// Set a user's password, which comes from a prompt, or from standard input as its only line. It replaces the
    /// password of all keys of the user, ends all sessions, access tokens and reset links, and clears failed
    /// attempts.
    #[command(after_help = "Example:\n  vestibule user passwd anna")]
    Passwd {
        /// The user.
        #[command(flatten)]
        user: UserArg,
        /// Which passwords are accepted.
        #[command(flatten)]
        rules: PasswordArgs,
    },
    /// Rename a user, who signs in with the new name from then on. The old name stays reserved, and reset links
    /// become invalid.
    #[command(after_help = "Example:\n  vestibule user rename anna anna.onym")]
    Rename {
        /// The user.
        #[command(flatten)]
        user: UserArg,
        /// The new username: 4 to 31 visible characters, or with --names address an e-mail address. Leading and
        /// trailing white space is removed.
        new_name: String,
        /// What the new name is.
        #[command(flatten)]
        kind: NameKindArgs,
        /// How long the old name rests.
        #[command(flatten)]
        rest: NameRestArgs,
    },
    /// List, add and remove the keys of a user: sign-in names, and IDs at other providers.
    #[command(after_help = "Example:\n  vestibule user key list anna")]
    Key {
        /// What to do.
        #[command(subcommand)]
        action: KeyAction,
    },
    /// Delete a user and all their data. This cannot be undone. The username stays reserved for the time of
    /// --name-rest.
    #[command(after_help = "Example:\n  vestibule user delete anna --yes")]
    Delete {
        /// The user.
        #[command(flatten)]
        user: UserArg,
        /// Do not ask for confirmation.
        #[arg(long)]
        yes: bool,
        /// How long the name rests.
        #[command(flatten)]
        rest: NameRestArgs,
    },
    /// Release the reserved username of a deleted or renamed account before its time is over. Apps that still trust
    /// the name cannot tell its next owner from the last one.
    #[command(after_help = "Example:\n  vestibule user free anna")]
    Free {
        /// The username, in any spelling. A user id will not do, as only a hash of the name is stored.
        #[arg(value_parser = account_values::old_name)]
        name: Username,
    },
    /// Print a link with which a user sets a new password, or have it mailed to them. It is valid for an hour and
    /// works once. Hand it over in private.
    #[command(after_help = "Examples:\n  \
        vestibule user reset-link anna --origin https://auth.example.com --qr\n  \
        vestibule user reset-link anna --mail --language de")]
    ResetLink {
        /// The user.
        #[command(flatten)]
        user: UserArg,
        /// URL of the sign-in, as for serve.
        #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL", value_parser = base_url)]
        #[arg(required_unless_present = "mail")]
        origin: Option<BaseUrl>,
        /// Also print the link as a QR code.
        #[arg(long, conflicts_with = "json")]
        qr: bool,
        /// Mail it to the verified address of the user instead of printing it. A server with mail sends it, with the
        /// link made then, and the operator does not see it. Refused if the server that was the last to start sends no
        /// mail.
        #[arg(long, conflicts_with = "qr")]
        mail: bool,
        /// The language of the mail.
        #[arg(long, value_name = "LANGUAGE", default_value = "en", requires = "mail")]
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(languages()))]
        language: String,
    },
    /// Turn the second factor of a user off who has lost it: the app, the recovery codes and the passkeys that are a
    /// second factor only are deleted, and all sessions end. The password alone then signs in; where a second factor is
    /// required, the user sets up a new one when they sign in. Be sure who asks for it. A verified address is told
    /// by mail, unless the server that was the last to start sends no notices.
    #[command(after_help = "Example:\n  vestibule user second-factor anna off")]
    SecondFactor {
        /// The user.
        #[command(flatten)]
        user: UserArg,
        /// What to do. Users turn it on themselves, on the page of the account.
        #[arg(value_name = "ACTION", value_enum)]
        action: SecondFactorAction,
        /// The language of the mail.
        #[arg(long, value_name = "LANGUAGE", default_value = "en")]
        #[arg(value_parser = clap::builder::PossibleValuesParser::new(languages()))]
        language: String,
    },
    /// List and remove the passkeys of a user.
    #[command(after_help = "Example:\n  vestibule user passkey list anna")]
    Passkey {
        /// What to do.
        #[command(subcommand)]
        action: PasskeyAction,
    },
    /// Clear the failed attempts for a name, wrong codes of its authenticator app included, or from an IP address or a
    /// network. The next attempt need not wait.
    #[command(after_help = "Examples:\n  vestibule user unlock anna\n  \
        vestibule user unlock 203.0.113.7\n  vestibule user unlock 2001:db8:1::/48")]
    Unlock {
        /// A user, by name in any spelling or by id; an IP address, perhaps in brackets or with a port; or a network,
        /// at most an IPv4 /16 or an IPv6 /48.
        #[arg(value_name = "NAME|ADDRESS|NETWORK", value_parser = account_values::user)]
        name: String,
    },
    /// Show a user: names, keys, groups, last sign-in, failed attempts and the current wait, second factor, passkeys,
    /// sessions, access tokens and known browsers.
    #[command(after_help = "Example:\n  vestibule user show anna --json")]
    Show {
        /// The user.
        #[command(flatten)]
        user: UserArg,
    },
    /// Set the groups of a user, or add some and remove others; without any of these, show them. Apps are told the
    /// groups, and checks can require one.
    #[command(after_help = "Examples:\n  \
        vestibule user groups anna admin,staff\n  \
        vestibule user groups anna --add admin --remove staff")]
    Groups {
        /// The user.
        #[command(flatten)]
        user: UserArg,
        /// All groups of the user, comma-separated: names of a-z, 0-9, dots, hyphens and underscores. '' removes the
        /// user from every group.
        #[arg(value_name = "GROUP,...", conflicts_with_all = ["add", "remove"])]
        #[arg(value_parser = account_values::groups)]
        groups: Option<Groups>,
        /// Groups to add, comma-separated; may be repeated.
        #[arg(long, value_name = "GROUP,...", value_parser = account_values::groups)]
        add: Vec<Groups>,
        /// Groups to remove, comma-separated; may be repeated.
        #[arg(long, value_name = "GROUP,...", value_parser = account_values::groups)]
        remove: Vec<Groups>,
    },
    /// Set the e-mail address of a user, which apps are told and to which mail goes. Reset links become invalid.
    #[command(after_help = "Examples:\n  vestibule user email anna anna@example.com\n  \
        vestibule user email anna anna@example.com --unverified")]
    Email {
        /// The user.
        #[command(flatten)]
        user: UserArg,
        /// The address; '' removes it.
        #[arg(value_name = "ADDRESS", value_parser = account_values::email)]
        email: String,
        /// The address does not count until its user has verified it on the page of the account: apps are not told
        /// it, and no link that sets a password goes there.
        #[arg(long)]
        unverified: bool,
    },
    /// Disable an account at once: its sessions and reset links end, its access tokens stop working, and a sign-in
    /// gets the answer to a wrong password. If the account is disabled already, date and reason stay.
    #[command(after_help = "Example:\n  vestibule user disable anna --reason 'left the company'")]
    Disable {
        /// The user.
        #[command(flatten)]
        user: UserArg,
        /// The reason, which only operators see.
        #[arg(long, value_name = "TEXT", value_parser = account_values::note)]
        reason: Option<String>,
        /// Replace the reason of an account that is disabled already; the date stays.
        #[arg(long, requires = "reason")]
        replace_reason: bool,
    },
    /// Enable a disabled account. Its access tokens work again; its sessions stay ended.
    #[command(after_help = "Example:\n  vestibule user enable anna")]
    Enable {
        /// The user.
        #[command(flatten)]
        user: UserArg,
    },
}

/// What an operator can do with the second factor of a user.
#[derive(Clone, Copy, ValueEnum)]
pub enum SecondFactorAction {
    /// Turn it off.
    Off,
}

/// Does what was asked for, and returns what to print. `ask` gets the password for a name from the
/// operator.
pub(super) fn run(
    args: UserArgs,
    json: bool,
    ask: impl FnOnce(&str) -> Done,
    now: Moment,
) -> Result<Printout, Failure> {
    let UserArgs { database, action } = args;
    let open = |access| open(&database, access);
    let done = match action {
        UserAction::Add { name, kind, no_password, groups, rules } => {
            let name = new_name(&kind, &name)?;
            let see = || change::see_that_it_can_be_added(&database, &name);
            let ask = || see().and_then(|()| ask(name.typed()));
            let password = if no_password { None } else { Some(ask()?) };
            let (open, password) = (|| open(Access::Add), password.as_deref());
            let user = (&name, kind.names, groups);
            change::add(open, user, password, &rules, now)?.text(json)
        }
        UserAction::Rename { user, new_name: name, kind, rest } => {
            let name = new_name(&kind, &name)?;
            let store = &*open(Access::Change)?;
            change::rename(store, &find(store, &user.name)?, &name, rest.rest(), now)?.text(json)
        }
        UserAction::List(args) => list::run(&*open(Access::Read)?, &args, json)?,
        UserAction::Show { user } => {
            let store = &*open(Access::Read)?;
            show::run(store, &find(store, &user.name)?, json, now)?
        }
        UserAction::Groups { user, groups: None, add, remove }
            if add.is_empty() && remove.is_empty() =>
        {
            let store = &*open(Access::Read)?;
            show::groups(&find(store, &user.name)?).text(json)
        }
        UserAction::Groups { user, groups: None, add, remove } => {
            let changes = GroupChanges::of(&add, &remove).map_err(Failure::usage)?;
            let store = &*open(Access::Change)?;
            groups::change(store, &find(store, &user.name)?, &changes, now)?.text(json)
        }
        UserAction::ResetLink { user, origin: Some(origin), qr, mail: false, .. } => {
            let store = &*open(Access::Change)?;
            let user = find(store, &user.name)?;
            return Ok(links::reset(store, &user, &origin, (qr, json), now)?);
        }
        UserAction::ResetLink { user, language, .. } => {
            let store = &*open(Access::Change)?;
            links::mail(store, &find(store, &user.name)?, &language, now)?.text(json)
        }
        UserAction::Key { action: KeyAction::List { user } } => {
            let store = &*open(Access::Read)?;
            keys::list(store, &find(store, &user.name)?, json)?
        }
        UserAction::Passkey { action: PasskeyAction::List { user } } => {
            let store = &*open(Access::Read)?;
            passkeys::list(store, &find(store, &user.name)?, json)?
        }
        action => {
            if let UserAction::Key { action } = &action {
                keys::check(action).map_err(Failure::usage)?;
            }
            change(&*open(Access::Change)?, action, ask, now)?.text(json)
        }
    };
    Ok(done.into())
}

/// A name for an account, or what is wrong with it.
fn new_name(kind: &NameKindArgs, typed: &str) -> Result<Username, Failure> {
    account_values::new_name(kind.names, typed).map_err(Failure::usage)
}

fn change(
    store: &dyn Store,
    action: UserAction,
    ask: impl FnOnce(&str) -> Done,
    now: Moment,
) -> Result<ChangeReport, Failure> {
    let find = |user: &UserArg| find(store, &user.name);
    match action {
        UserAction::Passwd { user, rules } => {
            let found = find(&user)?;
            let typed = ask(&found.username)?;
            Ok(change::set_password(store, &found, &typed, &rules, now)?)
        }
        UserAction::Key { action } => Ok(keys::change(store, action, now)?),
        UserAction::Delete { user, yes, rest } => {
            Ok(change::delete(store, &find(&user)?, yes, rest.rest(), now)?)
        }
        UserAction::Free { name } => Ok(change::free(store, &name, now)?),
        UserAction::Unlock { name } => unlock::run(store, &name, now),
        UserAction::Groups { user, groups: Some(groups), .. } => {
            Ok(groups::set(store, &find(&user)?, &groups, now)?)
        }
        UserAction::Email { user, email, unverified } => {
            Ok(change::set_email(store, &find(&user)?, (&email, !unverified), now)?)
        }
        UserAction::Disable { user, reason, replace_reason } => {
            let reason = (reason.as_deref(), replace_reason);
            Ok(access::disable(store, &find(&user)?, reason, now)?)
        }
        UserAction::SecondFactor { user, action: SecondFactorAction::Off, language } => {
            Ok(second_factor::turn_off(store, &find(&user)?, &language, now)?)
        }
        UserAction::Passkey { action: PasskeyAction::Remove { user, handle, language } } => {
            Ok(passkeys::remove(store, &find(&user)?, (&handle, &language), now)?)
        }
        UserAction::Enable { user } => Ok(access::enable(store, &find(&user)?, now)?),
        UserAction::Add { .. }
        | UserAction::Rename { .. }
        | UserAction::List(_)
        | UserAction::Show { .. }
        | UserAction::Groups { groups: None, .. }
        | UserAction::Passkey { action: PasskeyAction::List { .. } }
        | UserAction::ResetLink { .. } => unreachable!("it is done before"),
    }
}
