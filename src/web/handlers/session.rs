//! The session as JSON, for the back end of an app, which forwards its visitor's cookie.

use crate::web::call::{Answered, Call, SignedInCall};
use crate::web::http::Response;
use crate::web::json;

/// Always JSON, whatever the client accepts, as it is for programs.
pub(in crate::web) fn show(call: &Call<'_>) -> Answered {
    let requester = call.requester()?;
    let response = match SignedInCall::of(*call, &requester) {
        Some(call) => Response::json(200, &json::current_session(call.resumed, call.now)),
        None => json::problem(401, |t| t.unauthorized).with("WWW-Authenticate", "Bearer"),
    };
    Ok(call.with_cookie(response, &requester))
}
