//! For monitoring, and for operators who are setting up a proxy.

use serde_json::{Value, json};

use crate::auth::events::Event;
use crate::auth::housekeeping;
use crate::store::Error;
use crate::web::Site;
use crate::web::call::{Answered, Call, SignedInCall};
use crate::web::http::{Note, Request, Response, Wants};
use crate::web::openapi::{kind, object, or_null};

pub(in crate::web) fn report(call: &Call<'_>) -> Answered {
    Ok(status(call.site, call.request))
}

/// Whether the database can be read, and so requests answered.
pub(in crate::web) fn status(site: &Site, request: &Request) -> Response {
    if let Err(err) = housekeeping::probe(site.auth.store()) {
        // Whatever the cause, a load balancer should use another server.
        return site.failure(request, None, &Error::Unavailable(err.to_string()));
    }
    let response = match request.wants() {
        Wants::Json => Response::json(200, &json!({ "status": "ok" })),
        Wants::Html | Wants::Text => Response::text(200, "ok"),
    };
    response.noting(Note::of(Event::Health))
}

/// Shows the client address that the server believes.
pub(in crate::web) fn show_address(call: &SignedInCall<'_>) -> Answered {
    let address = call.client().map(|it| it.to_string());
    Ok(match call.wants() {
        Wants::Json => Response::json(200, &json!({ "address": address })),
        Wants::Html | Wants::Text => Response::text(200, address.unwrap_or("unknown".to_owned())),
    })
}

/// The JSON of a report, for docs/openapi.json.
pub(in crate::web) fn report_schema() -> Value {
    object(&[("status", json!({ "const": "ok" }))])
}

/// The JSON of an address, for docs/openapi.json.
pub(in crate::web) fn address_schema() -> Value {
    object(&[("address", or_null(kind("string")))])
}
