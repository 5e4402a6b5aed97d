//! `vestibule user`: adds, changes, shows and deletes accounts.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::keys::{self, KeyAction};
use super::password::PasswordArgs;
use super::unlock;
use super::{
    Access, Done, drawn, find, lines, open, printable, read_groups, record, record_of, table,
};
use crate::auth::events::Event;
use crate::auth::keys::{self as auth_keys, NewKey};
use crate::auth::names::{self, Rest};
use crate::auth::one_time_tokens::{self, Purpose};
use crate::auth::sessions;
use crate::auth::throttle;
use crate::auth::usernames::Username;
use crate::auth::users;
use crate::base::base_url::BaseUrl;
use crate::base::clock::Moment;
use crate::base::password::{Cost, Hasher};
use crate::base::token;
use crate::cli::database::DatabaseArgs;
use crate::cli::output::Printout;
use crate::cli::serve::NameRestArgs;
use crate::cli::serve::parse::base_url;
use crate::store::{self, KeyId, PasswordSet, Store, User, UserAdded, UserRenamed};

/// `vestibule user`.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    vestibule user add anna --groups staff\n  \
    vestibule user groups anna admin,staff\n  \
    vestibule user disable anna --reason 'left the company'\n\n\
    Exit codes: 0 done; 1 not done, or there is no such user; 2 wrong usage.")]
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
    /// Create an account, also where --signup is closed. The password comes from a prompt, or from
    /// standard input as one line.
    #[command(after_help = "Example:\n  vestibule user add anna --groups staff < password")]
    Add {
        /// The username.
        name: String,
        /// Create it without a password.
        #[arg(long)]
        no_password: bool,
        /// Groups, comma-separated.
        #[arg(long, value_name = "GROUP,...", default_value = "", hide_default_value = true)]
        groups: String,
        /// Which passwords are accepted.
        #[command(flatten)]
        rules: PasswordArgs,
    },
    /// List all users.
    #[command(after_help = "Example:\n  vestibule user list --json")]
    List {
        /// Print one JSON object per line, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Set a user's password, from a prompt or from standard input as one line. It replaces the password
    /// of every key of the user; sessions, access tokens and reset links end, and failed attempts are
    /// forgotten.
    #[command(after_help = "Example:\n  vestibule user passwd anna < password")]
    Passwd {
        /// The username, in any spelling.
        name: String,
        /// Which passwords are accepted.
        #[command(flatten)]
        rules: PasswordArgs,
    },
    /// Rename a user, who signs in with the new name from then on. Reset links end.
    #[command(after_help = "Example:\n  vestibule user rename anna anna.onym")]
    Rename {
        /// The username, in any spelling.
        name: String,
        /// The new username.
        new_name: String,
        /// How long the old name rests.
        #[command(flatten)]
        rest: NameRestArgs,
    },
    /// List, add and remove the keys of a user: sign-in names and IDs of other providers.
    #[command(after_help = "Example:\n  vestibule user key list anna")]
    Key {
        /// What to do.
        #[command(subcommand)]
        action: KeyAction,
    },
    /// Delete a user and all their data. This cannot be undone. The username stays reserved for a while.
    #[command(after_help = "Example:\n  vestibule user delete anna --yes")]
    Delete {
        /// The username, in any spelling.
        name: String,
        /// Confirm the deletion.
        #[arg(long)]
        yes: bool,
        /// How long the name rests.
        #[command(flatten)]
        rest: NameRestArgs,
    },
    /// Release the username of a deleted or renamed account before its time. Apps that still trust it
    /// cannot tell its next owner from the last one.
    #[command(after_help = "Example:\n  vestibule user free anna")]
    Free {
        /// The username, in any spelling.
        name: String,
    },
    /// Print a link with which a user sets a new password. It is valid for an hour and works once. Hand it
    /// over in private.
    #[command(
        after_help = "Example:\n  vestibule user reset-link anna --origin https://auth.example.com --qr"
    )]
    ResetLink {
        /// The username, in any spelling.
        name: String,
        /// URL of the sign-in, as for serve.
        #[arg(long, env = "VESTIBULE_ORIGIN", value_name = "URL", value_parser = base_url)]
        origin: BaseUrl,
        /// Also draw it as a QR code.
        #[arg(long)]
        qr: bool,
    },
    /// Forget the failed attempts for a name, or from an address or a network, which ends the wait.
    #[command(after_help = "Examples:\n  vestibule user unlock anna\n  \
        vestibule user unlock 203.0.113.7\n  vestibule user unlock 2001:db8:1::/48")]
    Unlock {
        /// The username, in any spelling; or an IP address, also in brackets or with a port; or a network,
        /// such as 10.1.0.0/16 or 2001:db8:1::/48, which are the largest sizes.
        #[arg(value_name = "NAME|ADDRESS|NETWORK")]
        name: String,
    },
    /// Show everything stored about a user.
    #[command(after_help = "Example:\n  vestibule user show anna --json")]
    Show {
        /// The username, in any spelling.
        name: String,
        /// Print JSON, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Set the groups of a user, which apps are told and checks can require.
    #[command(after_help = "Example:\n  vestibule user groups anna admin,staff")]
    Groups {
        /// The username, in any spelling.
        name: String,
        /// Group names of a-z, 0-9, dots, hyphens and underscores, comma-separated; '' for none.
        #[arg(value_name = "GROUP,...")]
        groups: String,
    },
    /// Set the e-mail address of a user, which apps are told. Reset links end.
    #[command(after_help = "Example:\n  vestibule user email anna anna@example.com")]
    Email {
        /// The username, in any spelling.
        name: String,
        /// The address; '' for none.
        #[arg(value_name = "ADDRESS")]
        email: String,
    },
    /// Disable an account at once: its sessions and reset links end, its access tokens stop working, and
    /// signing in is answered as for a wrong password.
    #[command(after_help = "Example:\n  vestibule user disable anna --reason 'left the company'")]
    Disable {
        /// The username, in any spelling.
        name: String,
        /// Why; only operators see this.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Enable a disabled account.
    #[command(after_help = "Example:\n  vestibule user enable anna")]
    Enable {
        /// The username, in any spelling.
        name: String,
    },
}

/// Users that are read at once for a list.
const PAGE: u32 = 1_000;

/// Does what was asked for, and comes back with what to print. `ask` gets the password for a name from whoever
/// runs the command. An error is one line.
pub(super) fn run(
    args: UserArgs,
    ask: impl FnOnce(&str) -> Done,
    now: Moment,
) -> Result<Printout, String> {
    let UserArgs { database, action } = args;
    let open = |access| open(&database, access);
    match action {
        UserAction::Add { name, no_password, groups, rules } => {
            let password = if no_password { None } else { Some(ask(&name)?) };
            let open = || open(Access::Add);
            add(open, &name, password.as_deref(), (&groups, &rules), now).map(Printout::from)
        }
        UserAction::List { json } => list(&*open(Access::Read)?, json).map(Printout::from),
        UserAction::Show { name, json } => {
            let store = &*open(Access::Read)?;
            show(store, &find(store, &name)?, json, now).map(Printout::from)
        }
        UserAction::ResetLink { name, origin, qr } => {
            let store = &*open(Access::Change)?;
            reset_link(store, &find(store, &name)?, &origin, qr, now)
        }
        UserAction::Key { action: action @ KeyAction::List { .. } } => {
            keys::run(&*open(Access::Read)?, action, now).map(Printout::from)
        }
        action => change(&*open(Access::Change)?, action, ask, now).map(Printout::from),
    }
}

fn change(
    store: &dyn Store,
    action: UserAction,
    ask: impl FnOnce(&str) -> Done,
    now: Moment,
) -> Done {
    let find = |name: &str| find(store, name);
    match action {
        UserAction::Passwd { name, rules } => {
            let user = find(&name)?;
            let typed = ask(&name)?;
            set_password(store, &user, &typed, &rules, now)
        }
        UserAction::Key { action } => keys::run(store, action, now),
        UserAction::Rename { name, new_name, rest } => {
            rename(store, &find(&name)?, &new_name, rest.rest(), now)
        }
        UserAction::Delete { name, yes, rest } => {
            delete(store, &find(&name)?, yes, rest.rest(), now)
        }
        UserAction::Free { name } => free(store, &name, now),
        UserAction::Unlock { name } => unlock::run(store, &name, now),
        UserAction::Groups { name, groups } => set_groups(store, &find(&name)?, &groups, now),
        UserAction::Email { name, email } => set_email(store, &find(&name)?, &email, now),
        UserAction::Disable { name, reason } => disable(store, &find(&name)?, &reason, now),
        UserAction::Enable { name } => enable(store, &find(&name)?, now),
        UserAction::Add { .. }
        | UserAction::List { .. }
        | UserAction::Show { .. }
        | UserAction::ResetLink { .. } => unreachable!("it is done before"),
    }
}

/// Opens the database last, so that none is made for a user who cannot be added.
fn add(
    open: impl FnOnce() -> Result<Box<dyn Store>, String>,
    typed: &str,
    password: Option<&str>,
    (groups, rules): (&str, &PasswordArgs),
    now: Moment,
) -> Done {
    let name = Username::for_sign_up(typed)
        .ok_or("a name has 4 to 31 visible characters, with no space at either end")?;
    let groups = read_groups(groups)?;
    let password = password.map(|typed| rules.accept(typed, &name)).transpose()?;
    let store = open()?;
    let store = &*store;
    let hasher = Hasher::new(1, Cost::OWASP);
    let id = KeyId::username(name.canonical());
    let key = NewKey { id: &id, password: password.as_ref() };
    let created = users::create_in_groups(store, &hasher, &name, groups, Some(&key), now);
    let (added, user) = created.map_err(|err| err.to_string())?;
    match added {
        UserAdded::Done => finish(store, &user, Ok(true), (Event::UserAdd, &[]), now),
        UserAdded::NameReserved => Err(resting(typed)),
        UserAdded::NameTaken => {
            Err(format!("somebody is called {typed} already, or signs in with it"))
        }
    }
}

fn list(store: &dyn Store, as_json: bool) -> Done {
    let mut all: Vec<User> = Vec::new();
    loop {
        let after = all.last().map_or("", |it| &it.canonical_username).to_owned();
        let page = store.users_after(&after, PAGE).map_err(|err| err.to_string())?;
        let is_last = page.len() < PAGE as usize;
        all.extend(page);
        if is_last {
            break;
        }
    }
    if as_json {
        return Ok(lines(all.iter().map(data)));
    }
    let row = |user: &User| {
        let state = if user.disabled_at.is_some() { "disabled" } else { "" };
        vec![
            user.username.clone(),
            user.id.as_str().to_owned(),
            user.created_at.minute(),
            user.groups.as_str().to_owned(),
            state.to_owned(),
        ]
    };
    Ok(table(
        &["name", "id", "created", "groups", "state"],
        &all.iter().map(row).collect::<Vec<_>>(),
    ))
}

fn data(user: &User) -> Value {
    let groups: Vec<_> = user.groups.iter().collect();
    json!({
        "id": user.id.as_str(),
        "username": user.username,
        "canonical_username": user.canonical_username,
        "groups": groups,
        "email": user.email,
        "created_at": user.created_at.rfc3339(),
        "disabled_at": user.disabled_at.map(Moment::rfc3339),
        "disabled_reason": user.disabled_reason,
    })
}

fn show(store: &dyn Store, user: &User, as_json: bool, now: Moment) -> Done {
    let sessions = sessions::of_user(store, &user.id, now).map_err(|err| err.to_string())?.len();
    let attributes = store.attributes(&user.id).map_err(|err| err.to_string())?.unwrap_or_default();
    let keys = keys::of(store, user)?;
    let names = keys::sign_in_names(&keys);
    if as_json {
        let mut data = data(user);
        data["sign_in_names"] = names.into();
        data["keys"] = keys.iter().map(keys::data).collect();
        data["sessions"] = sessions.into();
        // What an import has written; should somebody else have, it is shown as the text it is.
        data["attributes"] = match attributes.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        };
        return Ok(format!("{data}\n"));
    }
    let or_none = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
    let mut rows = vec![
        ("id", user.id.as_str().to_owned()),
        ("username", user.username.clone()),
        ("signs in", if names.is_empty() { "by no name".to_owned() } else { names.join(", ") }),
        ("groups", or_none(user.groups.as_str())),
        ("email", or_none(&user.email)),
        ("created", user.created_at.rfc3339()),
        ("disabled", disabled(user)),
        ("sessions", sessions.to_string()),
    ];
    rows.extend(keys.iter().map(|it| ("key", keys::line(it))));
    if !attributes.is_empty() {
        rows.push(("also", attributes));
    }
    let line = |(name, value): &(&str, String)| format!("{name:<10}{}\n", printable(value));
    let lines: Vec<_> = rows.iter().map(line).collect();
    Ok(lines.concat())
}

/// Since when and why a user is disabled.
fn disabled(user: &User) -> String {
    match user.disabled_at.map(Moment::rfc3339) {
        Some(since) if user.disabled_reason.is_empty() => format!("since {since}"),
        Some(since) => format!("since {since}: {}", user.disabled_reason),
        None => "no".to_owned(),
    }
}

/// Sets the password of all keys that have one, and ends every session, access token and reset link, as a
/// new password always does.
fn set_password(
    store: &dyn Store,
    user: &User,
    typed: &str,
    rules: &PasswordArgs,
    now: Moment,
) -> Done {
    let name = Username::for_sign_in(&user.username).ok_or("the name is none to sign in with")?;
    let password = rules.accept(typed, &name)?;
    let hasher = Hasher::new(1, Cost::OWASP);
    let written = auth_keys::set_password(store, &hasher, &user.id, Some(&password));
    if written == Ok(PasswordSet::NameTaken) {
        return Err(format!("somebody else signs in as {}", printable(&user.username)));
    }
    // Guesses at the old password must not keep its owner from signing in with the new one.
    let is_done =
        written.and_then(|it| throttle::forget_user(store, user).map(|()| it == PasswordSet::Done));
    finish(store, user, is_done, (Event::UserPasswd, &[]), now)
}

fn rename(store: &dyn Store, user: &User, typed: &str, rest: Rest, now: Moment) -> Done {
    let name = Username::for_sign_up(typed)
        .ok_or("a name has 4 to 31 visible characters, with no space at either end")?;
    match users::rename(store, &user.id, &name, rest, now).map_err(|err| err.to_string())? {
        UserRenamed::Done => finish(store, user, Ok(true), (Event::UserRename, &[]), now),
        UserRenamed::NameTaken => {
            Err(format!("somebody is called {typed} already, or signs in with it"))
        }
        UserRenamed::NameReserved => Err(resting(typed)),
        UserRenamed::NoUser => finish(store, user, Ok(false), (Event::UserRename, &[]), now),
    }
}

/// Why a name cannot be given that rests.
pub(super) fn resting(typed: &str) -> String {
    let name = printable(typed);
    format!(
        "the name {name} rests: an account had it that apps may still know; vestibule user free {name} \
         lets it be taken again"
    )
}

fn free(store: &dyn Store, typed: &str, now: Moment) -> Done {
    let name = Username::for_sign_in(typed).ok_or("names have 1 to 31 characters")?;
    if !names::free(store, &name).map_err(|err| err.to_string())? {
        return Err(format!("the name {} does not rest", printable(typed)));
    }
    let handle = format!("h:{}", token::keyed_handle(store.handle_key(), name.canonical()));
    record_of(store, Event::UserFree, &[("name", &handle)], now)?;
    Ok(format!("the name {} may be taken again\n", printable(typed)))
}

fn delete(store: &dyn Store, user: &User, is_meant: bool, rest: Rest, now: Moment) -> Done {
    if !is_meant {
        return Err(format!(
            "{} and all that is theirs would be gone for good; say --yes if that is meant",
            printable(&user.username)
        ));
    }
    let is_done = users::delete(store, &user.id, rest, now);
    finish(store, user, is_done, (Event::UserDelete, &[]), now)
}

fn reset_link(
    store: &dyn Store,
    user: &User,
    origin: &BaseUrl,
    qr: bool,
    now: Moment,
) -> Result<Printout, String> {
    if user.disabled_at.is_some() {
        return Err(format!("{} is disabled; enable them first", printable(&user.username)));
    }
    let made = one_time_tokens::create(store, &user.id, Purpose::ResetPassword, now)
        .map_err(|err| err.to_string())?;
    let token = made.ok_or_else(|| format!("there is no user {} any more", user.username))?;
    let name = printable(&user.username);
    let lost =
        format!("a reset link for {name} was made and not shown; another one will take its place");
    let unshown = |cause: String| format!("{lost} ({cause})");
    record(store, user, (Event::ResetLink, &[]), now).map_err(unshown)?;
    let link = format!("{origin}/reset?token={}", token.reveal());
    let drawn = if qr { drawn(&link).map_err(unshown)? } else { String::new() };
    Ok(Printout { text: format!("{link}\n{drawn}"), lost: Some(lost) })
}

fn set_groups(store: &dyn Store, user: &User, text: &str, now: Moment) -> Done {
    let groups = read_groups(text)?;
    let is_done = users::set_groups(store, &user.id, &groups);
    finish(store, user, is_done, (Event::UserGroups, &[("groups", groups.as_str())]), now)
}

fn set_email(store: &dyn Store, user: &User, text: &str, now: Moment) -> Done {
    let email = match text {
        "" => String::new(),
        text => users::email(text).ok_or("write the address as in anna@example.com, in ASCII")?,
    };
    let is_done = users::set_email(store, &user.id, &email);
    finish(store, user, is_done, (Event::UserEmail, &[]), now)
}

fn disable(store: &dyn Store, user: &User, reason: &str, now: Moment) -> Done {
    let is_done = users::disable(store, &user.id, reason, now);
    finish(store, user, is_done, (Event::UserDisable, &[("reason", reason)]), now)
}

fn enable(store: &dyn Store, user: &User, now: Moment) -> Done {
    let is_done = users::enable(store, &user.id);
    finish(store, user, is_done, (Event::UserEnable, &[]), now)
}

/// Keeps what was done in the audit trail, and shows what it led to.
pub(super) fn finish(
    store: &dyn Store,
    user: &User,
    is_done: store::Result<bool>,
    event: (Event, &[(&str, &str)]),
    now: Moment,
) -> Done {
    if !is_done.map_err(|err| err.to_string())? {
        return Err(format!("there is no user {} any more", printable(&user.username)));
    }
    record(store, user, event, now)?;
    match users::get(store, &user.id).map_err(|err| err.to_string())? {
        Some(user) => show(store, &user, false, now),
        None => Ok(format!("{} is gone\n", printable(&user.username))),
    }
}
