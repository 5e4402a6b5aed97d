//! The home page, with the user's name and id.

use crate::web::call::{Answered, SignedInCall};
use crate::web::handlers::forward_auth::{portal_target, refuse_check_at_home};
use crate::web::http::{Response, Wants};
use crate::web::json;
use crate::web::pages::{self, Told, Whereabouts};

pub(in crate::web) fn show(call: &SignedInCall<'_>) -> Answered {
    if let Some(target) = portal_target(call) {
        return Ok(Response::redirect(target.as_str().to_owned()));
    }
    if let Some(refusal) = refuse_check_at_home(call) {
        return Ok(refusal);
    }
    let wants = call.wants();
    if wants == Wants::Json {
        return Ok(Response::json(200, &json::profile(call.resumed, call.now)));
    }
    let (user, session) = (call.user(), call.session());
    let shown = call.site.settings.apps.iter().filter(|it| it.is_shown_to(&user.groups));
    // Scripts get what the guide has, and no more.
    let person = (wants == Wants::Html).then(|| Whereabouts {
        browser: &session.place.browser,
        since: Told { at: session.created_at, now: call.now },
        apps: shown.collect(),
        page: call.field("page"),
    });
    let person = person.as_ref();
    Ok(call.page(200, |frame| pages::profile(frame, user.id.as_str(), &user.username, person)))
}
