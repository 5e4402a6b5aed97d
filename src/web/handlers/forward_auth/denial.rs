//! Who may access an app, and what a user is told who may not.

use super::checks::Protocol;
use super::{
    Identified, has_known_parameters, may_be_the_clients, original, own, plainly, second_factor,
};
use crate::auth::events::Event;
use crate::auth::second_factors::was_given;
use crate::auth::usernames::Username;
use crate::auth::users;
use crate::base::clock::Moment;
use crate::base::origin::Origin;
use crate::store::User;
use crate::web::call::{Answered, Call};
use crate::web::http::{Cookie, Note, Request, Response, Wants};
use crate::web::json;
use crate::web::messages::EN;
use crate::web::pages::forbidden::{self, Denied};
use crate::web::pages::{self, NextStep};
use crate::web::redirect::{self, Target};

/// Why a signed-in user is denied access.
pub(super) enum Denial {
    /// The user is in none of these groups.
    NotInGroup(Vec<String>),
    /// The check names users, and not this one.
    NotListed,
    /// The check lets in users with a second factor alone, and none was given.
    NoSecondFactor,
    /// The parameters of the check are not valid, so that every user is denied.
    BadParameters,
    /// As [`Denial::BadParameters`], because of the one that demands a second factor.
    BadSecondFactor,
}

/// Whether the parameters of a check let this user through. If they are not valid, no user is let through.
/// A restriction applies wherever it comes from.
pub(super) fn is_open_to(
    known: &Identified,
    check: Protocol,
    request: &Request,
    now: Moment,
) -> Result<(), Denial> {
    if !has_known_parameters(check, request) {
        return Err(Denial::BadParameters);
    }
    let (asked, user) = (request.parameters(), &known.user);
    let needs_second_factor = second_factor::is_demanded(request)?;
    let list = |name: &str| -> Result<Option<Vec<String>>, Denial> {
        if !asked.has(name) {
            return Ok(None);
        }
        let value = asked.field(name).ok_or(Denial::BadParameters)?;
        Ok(Some(value.split(',').map(|it| it.trim().to_owned()).collect()))
    };
    for name in ["groups", check.groups.unwrap_or("groups")] {
        if let Some(groups) = list(name)?
            && !user.groups.iter().any(|it| groups.iter().any(|asked| asked == it))
        {
            return Err(Denial::NotInGroup(groups));
        }
    }
    let names = list("users")?;
    let is_listed = names.is_none_or(|names| names.iter().any(|it| user_has_name(user, it)));
    match () {
        () if !is_listed => Err(Denial::NotListed),
        () if needs_second_factor && !was_given(known.second_at, now) => {
            Err(Denial::NoSecondFactor)
        }
        () => Ok(()),
    }
}

/// Whether a user has this name, in any spelling.
fn user_has_name(user: &User, name: &str) -> bool {
    let name = Username::of_account(name);
    let is_theirs = |it: &Username| it.canonical() == user.canonical_username;
    is_theirs(&name) || name.plain().as_ref().is_some_and(is_theirs)
}

/// The response for a signed-in user who may not access the app.
pub(super) fn deny(call: &Call<'_>, check: Protocol, user: &User, why: &Denial) -> Response {
    let reason = match why {
        Denial::NotInGroup(_) | Denial::NotListed => "not_in_group_or_list",
        Denial::NoSecondFactor => "no_second_factor",
        // Caddy forwards the client's query if its configuration has no question mark; the log names this
        // cause.
        Denial::BadParameters | Denial::BadSecondFactor if may_be_the_clients(call.request) => {
            "parameters_of_the_client"
        }
        Denial::BadParameters | Denial::BadSecondFactor => "unreadable_parameters",
    };
    let note = Note::of(Event::CheckDenied).with("uid", user.id.as_str()).because(reason);
    let app = target_of(call, check).as_ref().and_then(|it| app_of(call, it));
    let note = note.with("app", app.as_deref().unwrap_or("unknown"));
    let groups = groups_of(call, Some(why));
    let note = if groups.is_empty() { note } else { note.with("groups", groups.join(",")) };
    let note = match second_factor::hint(call, why) {
        Some(hint) => note.with("hint", hint),
        None => note,
    };
    page(call, check, user, Some(why)).noting(note)
}

/// Asks a visitor to delete a session cookie: one was set by another host of the domain, or under earlier
/// settings.
pub(super) fn clear_up(call: &Call<'_>) -> Response {
    let note = Note::of(Event::CheckRefused).because("two_session_cookies");
    two_cookies(call).noting(note)
}

/// The page that nginx shows in place of its own when access is denied, as it passes on nothing of what a check
/// answers. 403, even if the check would let the user through by now. The check was logged, and this is not.
pub(super) fn explain(call: &Call<'_>, check: Protocol) -> Answered {
    if call.request.cookie(call.site.cookie.name) == Cookie::Ambiguous {
        return Ok(two_cookies(call));
    }
    Ok(match call.requester_of_check(|_| false)?.resumed {
        Some(resumed) => {
            let known = resumed.into();
            let why = is_open_to(&known, check, call.request, call.now).err();
            page(call, check, &known.user, why.as_ref())
        }
        None => match call.wants() {
            Wants::Html => call.site.page_elsewhere(call.request, 403, |frame| {
                pages::problem(frame, |t| t.closed, NextStep::SignIn(None))
            }),
            Wants::Json => json::problem(403, |t| t.closed),
            Wants::Text => plainly(403, EN.closed.title),
        },
    })
}

/// Says who is signed in, what is closed to them, and how to come back as another user. It names the app and the
/// groups as the settings have them, never as the client has written them.
fn page(call: &Call<'_>, check: Protocol, user: &User, why: Option<&Denial>) -> Response {
    let target = target_of(call, check);
    let app = target.as_ref().and_then(|it| app_of(call, it));
    if let Some(Denial::NoSecondFactor) = why {
        return second_factor::explain(call, user, (app.as_deref(), target.as_ref()));
    }
    let groups = groups_of(call, why);
    match call.wants() {
        Wants::Html => {
            let way_out = way_out(call, target.as_ref());
            let denied = Denied {
                username: &user.username,
                app: app.as_deref(),
                groups: &groups,
                way_out: &way_out,
            };
            let draw = |frame: pages::Frame<'_>| forbidden::denied(frame, &denied);
            call.site.page_elsewhere(call.request, 403, draw)
        }
        Wants::Json => json::denied(app.as_deref(), &groups),
        Wants::Text => match EN.open_to(&groups) {
            Some(members) => {
                let members = members.around(&groups.join(", "));
                Response::text(403, format!("{}. {members}", EN.closed.title))
            }
            None => plainly(403, EN.closed.title),
        },
    }
}

/// The address of the page with the sign-out button, which leads back to the original URL.
pub(super) fn way_out(call: &Call<'_>, target: Option<&Target>) -> String {
    redirect::way(&format!("{}/logout", own(call.site)), target.map(Target::as_str))
}

/// The original URL, if it belongs to an app.
pub(super) fn target_of(call: &Call<'_>, check: Protocol) -> Option<Target> {
    original(call.request, check).and_then(|it| call.site.allowed.address(&it))
}

/// The groups whose members have access, as far as the settings say so and not the client.
fn groups_of<'a>(call: &Call<'_>, why: Option<&'a Denial>) -> Vec<&'a str> {
    match why {
        Some(Denial::NotInGroup(groups)) if !may_be_the_clients(call.request) => {
            let is_group = |it: &&str| users::groups(it).is_some_and(|it| !it.as_str().is_empty());
            groups.iter().map(String::as_str).filter(is_group).collect()
        }
        _ => Vec::new(),
    }
}

/// The host of an app, with its port if it has an unusual one.
fn app_of(call: &Call<'_>, target: &Target) -> Option<String> {
    let own = call.site.allowed.own.as_ref().map(Origin::to_string);
    let origin = target.other_origin().map(str::to_owned).or(own)?;
    origin.split_once("://").map(|(_, host)| host.to_owned())
}

fn two_cookies(call: &Call<'_>) -> Response {
    match call.wants() {
        Wants::Html => call.site.page_elsewhere(call.request, 403, forbidden::confused),
        Wants::Json | Wants::Text => json::problem(403, |t| t.two_cookies),
    }
}
