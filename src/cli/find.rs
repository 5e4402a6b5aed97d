//! Which user an operator means: by name, or by id as the logs tell it.

use clap::Args;

use super::account_values;
use super::table::printable;
use crate::auth::usernames::Username;
use crate::auth::{audit, users};
use crate::store::{Store, User, UserId};

/// The user whom a command is about.
#[derive(Args)]
pub struct UserArg {
    /// The username or a sign-in name, in any spelling; or the id of the user.
    #[arg(value_name = "NAME", value_parser = account_values::user)]
    pub(crate) name: String,
}

/// The user with this name, in any spelling, or else with this id; an error if there is none.
pub(super) fn find(store: &dyn Store, text: &str) -> Result<User, String> {
    let none = || format!("there is no user {}; vestibule user list shows all", printable(text));
    look_up(store, text)?.ok_or_else(none)
}

/// The user with this name, in any spelling, or else with the plain form of it, or else with this id. A
/// text that is the name of one user and the id of another is refused: users choose their names, and the command
/// may be meant for the other user.
pub(super) fn look_up(store: &dyn Store, text: &str) -> Result<Option<User>, String> {
    let fault = |err: crate::store::Error| err.to_string();
    let by_name = match Username::or_address(text) {
        Some(name) => users::by_typed_name(store, &name).map_err(fault)?,
        None => None,
    };
    let by_id = users::get(store, &UserId::new(text.to_owned())).map_err(fault)?;
    match (by_name, by_id) {
        (Some(named), Some(other)) if named.id != other.id => Err(format!(
            "{} is the name of the user with the id {} and the id of the user {}; write it in the other way",
            printable(text),
            named.id.as_str(),
            printable(&other.username)
        )),
        (by_name, by_id) => Ok(by_name.or(by_id)),
    }
}

/// The ids whose records are about this user, by name or id; also of users who are deleted, and of users who
/// were called so and are renamed, as far as records tell.
pub(super) fn ids_on_record(store: &dyn Store, text: &str) -> Result<Vec<String>, String> {
    if let Some(user) = look_up(store, text)? {
        return Ok(vec![user.id.as_str().to_owned()]);
    }
    let fault = |err: crate::store::Error| err.to_string();
    if audit::knows(store, text).map_err(fault)? {
        return Ok(vec![text.to_owned()]);
    }
    let name = Username::or_address(text);
    let plain = name.as_ref().and_then(Username::plain);
    let mut ids = Vec::new();
    for name in [name, plain].into_iter().flatten() {
        if ids.is_empty() {
            ids = audit::former_users(store, &name).map_err(fault)?;
        }
    }
    if ids.is_empty() {
        let text = printable(text);
        return Err(format!("there is no user {text}, and no record about one of that name or id"));
    }
    Ok(ids)
}
