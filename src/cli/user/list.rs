//! `vestibule user list`: which users there are.

use std::borrow::Cow;

use clap::{Args, ValueEnum};
use serde_core::ser::{Serialize, SerializeMap, Serializer};

use crate::auth::usernames::canonical;
use crate::auth::users;
use crate::base::clock::Moment;
use crate::cli::account_values;
use crate::cli::find::find;
use crate::cli::serve::parse::number;
use crate::cli::table::{counted, table};
use crate::cli::{Done, lines};
use crate::store::{Store, User, UserFilter, UserOrder, UserPage};

/// Which users are listed, and how.
#[derive(Args)]
pub struct ListArgs {
    /// Only users in this group.
    #[arg(long, value_name = "GROUP", value_parser = account_values::group)]
    group: Option<String>,
    /// Only disabled users.
    #[arg(long)]
    disabled: bool,
    /// Only users without a password.
    #[arg(long)]
    no_password: bool,
    /// Only users whose username, sign-in name, ID at another provider or e-mail address contains this text, in any
    /// case of letters.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Sort by name, or by time of creation, oldest first.
    #[arg(long, value_name = "ORDER", default_value = "name")]
    sort: SortArg,
    /// Reverse the order.
    #[arg(long)]
    reverse: bool,
    /// Maximum number of users to list.
    #[arg(long, value_name = "COUNT", value_parser = number::<1, { u32::MAX }>)]
    limit: Option<u32>,
    /// Start after this user, by name or id. A list that --limit has cut short ends with the one to use.
    #[arg(long, value_name = "NAME", value_parser = account_values::user)]
    after: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum SortArg {
    Name,
    Created,
}

/// Lists users, and says how many there are.
pub(super) fn run(store: &dyn Store, args: &ListArgs, as_json: bool) -> Done {
    let filter = UserFilter {
        group: args.group.clone(),
        only_disabled: args.disabled,
        only_without_password: args.no_password,
        search: args.search.as_deref().map(canonical),
    };
    let after = args.after.as_ref().map(|name| find(store, name)).transpose()?;
    let order = match args.sort {
        SortArg::Name => UserOrder::Name,
        SortArg::Created => UserOrder::Created,
    };
    // One more tells whether there are more.
    let limit = args.limit.map(|it| it.saturating_add(1));
    let page = UserPage { order, is_reversed: args.reverse, after: after.as_ref(), limit };
    let mut all = users::list(store, &filter, &page).map_err(|err| err.to_string())?;
    let has_more = args.limit.is_some_and(|limit| all.len() > limit as usize);
    if has_more {
        all.pop();
    }
    if as_json {
        return Ok(lines(all.iter().map(UserData)));
    }
    let mut count = counted(all.len(), "user");
    if has_more || after.is_some() {
        let total = users::count(store, &filter).map_err(|err| err.to_string())?;
        count = format!("{} of {}", all.len(), counted(total, "user"));
    }
    if let Some(last) = all.last().filter(|_| has_more) {
        count.push_str("; the next ones: --after ");
        count.push_str(last.id.as_str());
    }
    let rows: Vec<_> = all.iter().map(row).collect();
    let headings = ["name", "id", "created", "groups", "email", "state"];
    let shown = if rows.is_empty() { String::new() } else { table(&headings, &rows) + "\n" };
    Ok(format!("{shown}{count}\n"))
}

fn row(user: &User) -> [Cow<'_, str>; 6] {
    let state = if user.disabled_at.is_some() { "disabled" } else { "" };
    [
        Cow::from(&user.username),
        user.id.as_str().into(),
        user.created_at.minute().into(),
        user.groups.as_str().into(),
        Cow::from(&user.email),
        state.into(),
    ]
}

/// A user as a script gets to see them: an object whose names are in the order of the alphabet, as everywhere. It is
/// written without a tree in between, as lists are long.
pub(super) struct UserData<'a>(pub(super) &'a User);

impl Serialize for UserData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let user = self.0;
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("canonical_username", &user.canonical_username)?;
        object.serialize_entry("created_at", &user.created_at.rfc3339())?;
        object.serialize_entry("disabled_at", &user.disabled_at.map(Moment::rfc3339))?;
        object.serialize_entry("disabled_reason", &or_null(&user.disabled_reason))?;
        object.serialize_entry("email", &or_null(&user.email))?;
        object.serialize_entry("groups", &user.groups.iter().collect::<Vec<_>>())?;
        object.serialize_entry("id", user.id.as_str())?;
        let since = user.second_factor_since.map(Moment::rfc3339);
        object.serialize_entry("second_factor_since", &since)?;
        // As the reports of all other commands name it.
        object.serialize_entry("user_id", user.id.as_str())?;
        object.serialize_entry("username", &user.username)?;
        object.end()
    }
}

/// A text, or null where there is none.
pub(super) fn or_null(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
