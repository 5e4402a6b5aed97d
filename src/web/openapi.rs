//! The JSON responses as an OpenAPI 3.1 description, rendered from the table of routes.
//!
//! Decides what each shape of `json.rs` looks like to a client; the shape of one route alone is beside its handler. A
//! test compares every description with what the site answers.

use serde_json::{Map, Value, json};

use super::handlers::enrolments::recovery_codes_field;
use super::handlers::second_step;
use super::routes::{Handler, Methods, ROUTES, Route};

/// What a route answers with 200 to a client that accepts JSON.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Profile,
    CurrentSession,
    SignForm,
    Admitted,
    /// With recovery codes where an app was set up.
    AdmittedByTwo,
    /// A sign-up, after which an address may have to be verified first.
    SignedUp,
    ResetForm,
    Sessions,
    AccessTokens,
    NewAccessToken,
    SignedOut,
    /// What this function describes: the shape of one route alone, beside its handler.
    Of(fn() -> Value),
    /// An object with this one field, of this type.
    Done(&'static str, &'static str),
}

/// A field of a form: its name, and whether it is required.
pub(super) type FormField = (&'static str, bool);

/// What a route answers in JSON, and what it takes for that.
pub(super) struct JsonResponses {
    /// To GET.
    pub(super) reads: Option<Shape>,
    /// To POST, with the fields of the form.
    pub(super) writes: Option<(Shape, &'static [FormField])>,
    /// Statuses that this route alone answers with an error.
    pub(super) refusals: &'static [u16],
}

impl JsonResponses {
    pub(super) const NONE: Self = Self { reads: None, writes: None, refusals: &[] };
}

/// The description of all JSON responses.
pub fn description() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let operations = operations(route);
        if !operations.is_empty() {
            paths.insert(route.path.to_owned(), Value::Object(operations));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "vestibule",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Responses to requests with `Accept: application/json`. GET /session answers in JSON whatever \
                `Accept` says. Paths are relative to --origin.",
            "license": { "name": "MIT or Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": {
                "Error": error(),
                "SignInError": second_step::schema_of_pending(error()),
                "User": user(),
                "Session": session(),
                "AccessToken": access_token(&[]),
            },
            "securitySchemes": {
                "cookie": { "type": "apiKey", "in": "cookie", "name": "__Host-auth_session",
                    "description": "The session cookie; `__Secure-auth_session` with --cookie-domain, and \
                        `auth_session` without an https --origin." },
                "bearer": { "type": "http", "scheme": "bearer", "description": "The token of a session." },
            },
        },
    })
}

fn operations(route: &Route) -> Map<String, Value> {
    let mut all = Map::new();
    let (reader, writer) = match &route.methods {
        Methods::Get(show) => (Some(show), None),
        Methods::GetAndPost(show, submit) | Methods::Button(show, submit) => {
            (Some(show), Some(submit))
        }
        Methods::Post(_, submit) => (None, Some(submit)),
        Methods::Any(_) => (None, None),
    };
    if let (Some(handler), Some(shape)) = (reader, route.json.reads) {
        all.insert("get".to_owned(), operation(route, handler, shape, None));
    }
    if let (Some(handler), Some((shape, fields))) = (writer, route.json.writes) {
        all.insert("post".to_owned(), operation(route, handler, shape, Some(fields)));
    }
    all
}

fn operation(
    route: &Route,
    handler: &Handler,
    shape: Shape,
    fields: Option<&[FormField]>,
) -> Value {
    let is_for_users =
        matches!(handler, Handler::SignedIn(_)) || matches!(shape, Shape::CurrentSession);
    // What begins a session may first have to wait for the second factor.
    let begins = !is_for_users && matches!(shape, Shape::Admitted | Shape::SignedUp);
    // Any request may be refused by the gate, before its route is known.
    let mut statuses = vec![400, 408, 413, 414, 431, 500, 503];
    statuses.extend(is_for_users.then_some(401));
    statuses.extend(fields.map(|_| 403));
    statuses.extend((route.is_optional() || route.is_for_some()).then_some(404));
    if fields.is_some_and(|it| !it.is_empty()) && !matches!(route.methods, Methods::Button(..)) {
        statuses.push(415);
    }
    // A page behind a link, or of a sign-in that waits, may be refused as well.
    let is_of_token = route.json.writes.is_some_and(|(_, fields)| {
        fields.contains(&("token", true)) || fields.contains(&("pending", false))
    });
    if fields.is_some() || is_of_token {
        statuses.extend(route.json.refusals);
    }
    statuses.sort_unstable();
    statuses.dedup();
    let mut responses = Map::new();
    responses.insert("200".to_owned(), response("Done.", &schema(shape)));
    for status in statuses {
        let name = if begins && status == 401 { "SignInError" } else { "Error" };
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        responses.insert(status.to_string(), response(meaning(status), &schema));
    }
    let mut operation = json!({ "responses": responses });
    if is_for_users {
        operation["security"] = json!([{ "cookie": [] }, { "bearer": [] }]);
    }
    if let Some(fields) = fields.filter(|it| !it.is_empty()) {
        operation["requestBody"] = form(fields);
    }
    operation
}

fn response(description: &str, schema: &Value) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": schema } } })
}

/// A form, in either of its formats.
fn form(fields: &[FormField]) -> Value {
    let properties: Map<_, _> =
        fields.iter().map(|(name, _)| ((*name).to_owned(), json!({ "type": "string" }))).collect();
    let required: Vec<_> =
        fields.iter().filter(|(_, is_required)| *is_required).map(|(name, _)| name).collect();
    let is_required = !required.is_empty();
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    let content = json!({ "schema": schema });
    json!({ "required": is_required, "content": {
        "application/x-www-form-urlencoded": content, "application/json": content,
    } })
}

const fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request cannot be understood, or its body is not a JSON object of strings.",
        401 => "Not signed in, a wrong name, password or code, or the second factor is due.",
        403 => {
            "Another site sent the form, the password is required once more, sign-up is not open, or a second \
             factor has to stay."
        }
        404 => "There is no such thing.",
        409 => "The username is taken, or the second factor is on or off already.",
        408 => "The request did not arrive in time.",
        413 => "The body or the number of fields is too large.",
        414 => "The target is too long.",
        415 => "The body is neither a form nor JSON, is compressed, or is not in UTF-8.",
        422 => "A field is invalid.",
        429 => "Too many attempts; `retry_after` says for how many seconds.",
        431 => "The head is too large.",
        500 => "A bug; the log has the cause.",
        _ => "The server is overloaded, or the database is not available; see `Retry-After`.",
    }
}

fn schema(shape: Shape) -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let list = |name: &str| array(&reference(name));
    match shape {
        Shape::Profile => object(&[("user", reference("User")), ("session", reference("Session"))]),
        Shape::CurrentSession => current_session(),
        Shape::SignForm => {
            let always = object(&[
                ("signed_in", kind("boolean")),
                ("fields", array(&kind("string"))),
                ("username_is", json!({ "enum": ["name", "address"] })),
                ("password_characters_min", kind("integer")),
            ]);
            optional(always, &[("request_options", kind("object"))])
        }
        Shape::Admitted => admitted(),
        Shape::AdmittedByTwo => optional(admitted(), &[recovery_codes_field()]),
        Shape::SignedUp => {
            let fields = [
                ("user", reference("User")),
                ("session", reference("Session")),
                ("token", kind("string")),
                ("next", kind("string")),
                ("mailed", kind("boolean")),
            ];
            optional(object(&[]), &fields)
        }
        Shape::ResetForm => {
            object(&[("username", kind("string")), ("password_characters_min", kind("integer"))])
        }
        Shape::Sessions => object(&[("sessions", list("Session")), ("this", kind("string"))]),
        Shape::AccessTokens => object(&[("tokens", list("AccessToken"))]),
        Shape::NewAccessToken => access_token(&[("token", kind("string"))]),
        Shape::SignedOut => {
            optional(object(&[("signed_in", kind("boolean"))]), &[("next", kind("string"))])
        }
        Shape::Of(describe) => describe(),
        Shape::Done(field, what) => object(&[(field, kind(what))]),
    }
}

fn admitted() -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let fields =
        [("user", reference("User")), ("session", reference("Session")), ("token", kind("string"))];
    optional(object(&fields), &[("next", kind("string"))])
}

fn error() -> Value {
    let required = object(&[("error", kind("string")), ("message", kind("string"))]);
    optional(required, &[("retry_after", json!({ "type": "integer", "minimum": 0 }))])
}

fn user() -> Value {
    object(&[("id", kind("string")), ("username", kind("string")), ("created_at", moment())])
}

fn session() -> Value {
    let mut fields = vec![
        ("handle", kind("string")),
        ("state", json!({ "enum": ["active", "idle", "dead"] })),
        ("browser", kind("string")),
        ("address", kind("string")),
    ];
    let moments = ["created_at", "seen_at", "active_expires", "idle_expires", "absolute_expires"];
    fields.extend(moments.map(|name| (name, moment())));
    object(&fields)
}

fn current_session() -> Value {
    let user = object(&[
        ("id", kind("string")),
        ("username", kind("string")),
        ("canonical_username", kind("string")),
        ("groups", array(&kind("string"))),
        ("email", or_null(kind("string"))),
        ("created_at", moment()),
    ]);
    let session = object(&[
        ("handle", kind("string")),
        ("created_at", moment()),
        ("password_at", or_null(moment())),
        ("second_factor_at", or_null(moment())),
        ("expires_at", moment()),
        ("absolute_expires", moment()),
    ]);
    object(&[("version", json!({ "const": 1 })), ("user", user), ("session", session)])
}

fn access_token(more: &[(&str, Value)]) -> Value {
    let mut fields = vec![
        ("handle", kind("string")),
        ("name", kind("string")),
        ("created_at", moment()),
        ("expires_at", moment()),
        ("used_at", or_null(moment())),
        ("ended", kind("boolean")),
    ];
    fields.extend(more.iter().cloned());
    object(&fields)
}

pub(super) fn kind(name: &str) -> Value {
    json!({ "type": name })
}

pub(super) fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

pub(super) fn array(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

pub(super) fn or_null(mut schema: Value) -> Value {
    schema["type"] = json!([schema["type"], "null"]);
    schema
}

/// An object that has all of these fields; more may be added.
pub(super) fn object(fields: &[(&str, Value)]) -> Value {
    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    let properties: Map<_, _> =
        fields.iter().map(|(name, it)| ((*name).to_owned(), it.clone())).collect();
    json!({ "type": "object", "properties": properties, "required": names })
}

/// The same object, which may have these fields as well.
pub(super) fn optional(mut object: Value, fields: &[(&str, Value)]) -> Value {
    for (name, schema) in fields {
        object["properties"][*name] = schema.clone();
    }
    object
}
