//! The home page, with the user's name and id.

use crate::auth::sessions;
use crate::store::Error;
use crate::web::call::{Answered, SignedInCall};
use crate::web::handlers::forward_auth::portal_target;
use crate::web::http::{Response, Wants};
use crate::web::json;
use crate::web::pages::{self, Past, Whereabouts};

pub(in crate::web) fn show(call: &SignedInCall<'_>) -> Answered {
    if let Some(target) = portal_target(call) {
        return Ok(Response::redirect(target.as_str().to_owned()));
    }
    if call.wants() == Wants::Json {
        return Ok(Response::json(200, &json::profile(call.resumed, call.now)));
    }
    let (user, session) = (call.user(), call.session());
    // Scripts get what the guide has, and no more.
    let person = match call.wants() {
        Wants::Html => Some(Whereabouts {
            browser: &session.place.browser,
            since: Past { at: session.created_at, now: call.now },
            other_sessions: other_sessions(call)?,
            apps: &call.site.settings.apps,
        }),
        Wants::Text | Wants::Json => None,
    };
    let person = person.as_ref();
    Ok(call.page(200, |frame| pages::profile(frame, user.id.as_str(), &user.username, person)))
}

fn other_sessions(call: &SignedInCall<'_>) -> Result<u64, Error> {
    let all = sessions::of_user(call.store(), &call.user().id, call.now)?;
    let others = all.iter().filter(|it| it.id != call.session().id).count();
    Ok(u64::try_from(others).unwrap_or(u64::MAX))
}
