//! Checks that let in only sessions and access tokens with a second factor: `?second_factor=required`.
//!
//! A user who has none can set one up, so a browser is led to the page for that, and on to the address that it asked
//! for. Scripts and access tokens get 403.

use super::checks::{Protocol, Turn};
use super::client_kind::is_navigation;
use super::denial::{Denial, deny, target_of, way_out};
use super::{Identified, OriginalMethod, may_be_the_clients, noting_lost_way, own, plainly};
use crate::auth::second_factors::SecondFactorRules;
use crate::store::User;
use crate::web::call::Call;
use crate::web::http::{Request, Response, Wants};
use crate::web::json;
use crate::web::messages::EN;
use crate::web::pages::forbidden;
use crate::web::redirect::{self, Target};

/// The parameter of a check that demands a second factor, and its one value: every other lets no user in.
pub const SECOND_FACTOR_REQUIRED: (&str, &str) = ("second_factor", "required");

pub(super) const PARAMETER: &str = SECOND_FACTOR_REQUIRED.0;

/// The page on which users set a second factor up.
const SET_UP: &str = "/account/second-factor";

/// Whether a check demands a second factor.
pub(super) fn is_demanded(request: &Request) -> Result<bool, Denial> {
    let asked = request.parameters();
    if !asked.has(PARAMETER) {
        return Ok(false);
    }
    let is_required = asked.field(PARAMETER).is_some_and(|it| it == SECOND_FACTOR_REQUIRED.1);
    if is_required { Ok(true) } else { Err(Denial::BadSecondFactor) }
}

/// The response for a user without a second factor: a browser is led to the page where one is set up.
pub(super) fn demand(
    call: &Call<'_>,
    check: Protocol,
    method: OriginalMethod<'_>,
    known: &Identified,
) -> Response {
    let denied = deny(call, check, &known.user, &Denial::NoSecondFactor);
    let can_set_up = can_set_up(&call.site.auth.rules.second_factors, &known.user);
    let is_page = is_navigation(call.request);
    // nginx may pass on nothing that tells a browser from a script, and decides by itself.
    let may_be_page = is_page || call.request.value("accept").is_none();
    let way = || way(call, target_of(call, check).as_ref());
    let response = match check.turn {
        _ if !known.has_session || !can_set_up => return denied,
        Turn::Lead(status) if is_page => {
            let status = if method.is_repeatable(status) { status } else { 303 };
            plainly(status, "").with("Location", way())
        }
        Turn::Tell(header) if may_be_page => {
            json::second_factor_needed(401, None).with(header, way())
        }
        Turn::Lead(_) | Turn::Tell(_) | Turn::Refuse | Turn::Explain => return denied,
    };
    noting_lost_way(call, check, response.noting(denied.note))
}

/// Says that a second factor is needed for an app, and where one is set up.
pub(super) fn explain(
    call: &Call<'_>,
    user: &User,
    (app, target): (Option<&str>, Option<&Target>),
) -> Response {
    match call.wants() {
        Wants::Html => {
            let rules = &call.site.auth.rules.second_factors;
            let set_up = can_set_up(rules, user).then(|| way(call, target));
            let way_out = way_out(call, target);
            call.site.page_elsewhere(call.request, 403, |frame| {
                let ways = (set_up.as_deref(), &*way_out);
                forbidden::second_factor_needed(frame, &user.username, ways)
            })
        }
        Wants::Json => json::second_factor_needed(403, app),
        Wants::Text => plainly(403, EN.second_factor_missing.title),
    }
}

/// What the operator can do about a denial that has to do with second factors.
pub(super) fn hint(call: &Call<'_>, why: &Denial) -> Option<&'static str> {
    match why {
        Denial::BadSecondFactor if !may_be_the_clients(call.request) => {
            Some("write second_factor=required, once, in the address of the check")
        }
        Denial::NoSecondFactor if !call.site.auth.rules.second_factors.is_offered() => {
            Some("no user can set one up, as --second-factor is off")
        }
        _ => None,
    }
}

/// Whether this user has no second factor, and can set one up. Who has one already made the access token, or gave the
/// password, without it.
fn can_set_up(rules: &SecondFactorRules, user: &User) -> bool {
    rules.is_offered() && user.second_factor_since.is_none()
}

/// The address of the page where a second factor is set up, which leads on to the original URL.
fn way(call: &Call<'_>, target: Option<&Target>) -> String {
    redirect::way(&format!("{}{SET_UP}", own(call.site)), target.map(Target::as_str))
}
