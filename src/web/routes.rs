//! The table of routes: paths, methods, who may use them, and what a request may cost.
//!
//! `Allow`, 405, HEAD, the lane, the redirect or 401 without a session, and the table in `docs/http.md` (by
//! a test) all follow from it. The check endpoints for reverse proxies follow other rules and have a table
//! of their own: [`forward_auth::checks`].

use super::call::{Answered, Call, SignedInCall, forget_pages};
use super::handlers::{
    access_tokens, account, activity, assets, email, forgotten, forward_auth, health, passkeys,
    profile, reauthentication, reset_password, second_factor, second_step, session, sessions,
    sign_in,
};
use super::openapi::{FormField, JsonResponses, Shape};
use super::{Lane, Site};
use crate::auth::events::Event;
use crate::auth::password_policy;
use crate::base::clock::Moment;
use crate::web::cross_origin::{self, OriginMismatch};
use crate::web::handlers::forward_auth::Alias;
use crate::web::http::{FormBody, Method, Note, Request, Response, Unreadable, Wants};
use crate::web::messages::Phrase;
use crate::web::pages::account::AccountLink;
use crate::web::pages::{Alert, NextStep};
use crate::web::refusals::Refusal;
use crate::web::repeat;
use crate::web::route_row::RouteRow;

/// The path for monitoring: whether the server works.
pub const HEALTH: &str = "/healthz";

/// Where password managers look for the page on which a password is changed (W3C, A Well-Known URL for Changing
/// Passwords): at the root of a host, whatever the path of the sign-in.
pub const CHANGE_PASSWORD: &str = "/.well-known/change-password";

/// The routes, in the order of docs/http.md.
pub(super) const ROUTES: &[Route] = &[
    get("/", SignedIn(profile::show)).reading(Shape::Profile),
    form("/signup", Anyone(sign_in::show_sign_up), Anyone(sign_in::sign_up), |t| t.sign_up)
        .hashing(Hashes::If(sign_in::sign_up_hashes))
        .reading(Shape::SignForm)
        .writing(Shape::SignedUp, &[NAME, ("email", false), PASSWORD, NEXT, ("invite", false)])
        .refusing(&[401, 409, 422, 429])
        .when_busy(sign_in::sign_up_again),
    form("/login", Anyone(sign_in::show_sign_in), Anyone(sign_in::sign_in), |t| t.sign_in)
        .hashing(Hashes::If(sign_in::sign_in_hashes))
        .reading(Shape::SignForm)
        .writing(Shape::Admitted, &[NAME, PASSWORD, NEXT, ("verify", false)])
        .refusing(&[401, 422, 429])
        .when_busy(sign_in::sign_in_again),
    form("/login/second", Anyone(second_step::show), Anyone(second_step::submit), |t| t.sign_in)
        .reading(Shape::Of(second_step::schema))
        .writing(
            Shape::AdmittedByTwo,
            &[
                CODE,
                OR_CREDENTIAL,
                ("enrolment", false),
                ("pending", false),
                ("remember_browser", false),
                NEXT,
            ],
        )
        .refusing(&[401, 422, 429]),
    post("/login/passkey", "/login", Anyone(passkeys::sign_in), |t| t.sign_in_with_passkey)
        .writing(Shape::Admitted, &[CREDENTIAL, NEXT])
        .refusing(&[401, 429])
        .when(passkeys::are_offered),
    button("/logout", Anyone(sign_in::show_sign_out), SignedIn(sign_in::sign_out), |t| t.sign_out)
        .hiding_cross_origin()
        .done_without_session()
        .reading(Shape::Done("signed_in", "boolean"))
        .writing(Shape::SignedOut, &[NEXT]),
    form("/forgot", Anyone(forgotten::show), Anyone(forgotten::submit), |t| t.send_link)
        .reading(Shape::Done("accepted", "boolean"))
        .writing(Shape::Done("accepted", "boolean"), &[("name", true)])
        .refusing(&[422, 429])
        .when_busy(forgotten::show_again)
        .when(|site| site.settings.has_mail),
    form("/reset", Anyone(reset_password::show), Anyone(reset_password::submit), |t| {
        t.set_password
    })
    .hashing(Hashes::If(reset_password::hashes))
    .reading(Shape::ResetForm)
    .writing(Shape::Done("reset", "boolean"), &[("token", true), PASSWORD])
    .refusing(&[404, 422])
    .when_busy(reset_password::show_again),
    form("/verify", SignedIn(email::show_link), SignedIn(email::verify), |t| t.it_is_mine)
        .reading(Shape::Done("email", "string"))
        .writing(Shape::Done("verified", "boolean"), &[("token", true)])
        .refusing(&[404])
        .when(|site| site.settings.has_mail),
    get(CHANGE_PASSWORD, Anyone(account::lead)),
    get("/account", SignedIn(account::show)).reading(Shape::Profile),
    get("/session", Anyone(session::show)).reading(Shape::CurrentSession),
    post("/account/password", "/account", SignedIn(account::change_password), |t| {
        t.change_password
    })
    .hashing(CURRENT_PASSWORD)
    .writing(Shape::Admitted, &[("current_password", true), PASSWORD])
    .refusing(&[422, 429]),
    post("/account/delete", "/account", SignedIn(account::delete), |t| t.delete_account)
        .hashing(Hashes::WithField("password"))
        .writing(Shape::Done("deleted", "boolean"), &[PASSWORD])
        .refusing(&[422, 429]),
    form(
        "/account/prove",
        SignedIn(reauthentication::show),
        SignedIn(reauthentication::submit),
        |t| t.go_on,
    )
    .hashing(CURRENT_PASSWORD)
    .reading(Shape::Of(reauthentication::schema))
    .writing(Shape::Done("proven", "boolean"), &[AGAIN, OR_CREDENTIAL, NEXT])
    .refusing(&[429]),
    form("/account/email", SignedIn(email::show), SignedIn(email::submit), |t| t.send_link)
        .linked(|t| t.email, |t| t.see_email)
        .hashing(CURRENT_PASSWORD)
        .reading(Shape::Of(email::schema))
        .writing(Shape::Done("mailed", "boolean"), &[("email", true), AGAIN])
        .refusing(&[422, 429])
        .when(|site| site.settings.has_mail),
    form(
        "/account/second-factor",
        SignedIn(second_factor::show),
        SignedIn(second_factor::submit),
        |t| t.turn_on,
    )
    .linked(|t| t.second_factor, |t| t.see_second_factor)
    .hashing(CURRENT_PASSWORD)
    .reading(Shape::Of(second_factor::schema))
    .writing(Shape::AdmittedByTwo, &[("enrolment", false), CODE, OR_CREDENTIAL, AGAIN, NEXT])
    .refusing(&[409, 422, 429])
    .when_for(second_factor::is_for),
    post(
        "/account/second-factor/recovery-codes",
        "/account/second-factor",
        SignedIn(second_factor::replace_codes),
        |t| t.new_recovery_codes,
    )
    .hashing(CURRENT_PASSWORD)
    .writing(Shape::Of(second_factor::schema_of_codes), &[CODE, OR_CREDENTIAL, AGAIN])
    .refusing(&[409, 422, 429])
    .when_for(second_factor::is_for),
    post(
        "/account/second-factor/forget-browsers",
        "/account/second-factor",
        SignedIn(second_factor::forget_browsers),
        |t| t.forget_browsers,
    )
    .hashing(CURRENT_PASSWORD)
    .writing(Shape::Done("forgotten", "boolean"), &[AGAIN])
    .refusing(&[409, 422, 429])
    .when_for(second_factor::is_for),
    post(
        "/account/second-factor/off",
        "/account/second-factor",
        SignedIn(second_factor::turn_off),
        |t| t.turn_off,
    )
    .hashing(CURRENT_PASSWORD)
    .writing(Shape::Done("second_factor", "boolean"), &[CODE, OR_CREDENTIAL, AGAIN])
    .refusing(&[409, 422, 429])
    .when_for(second_factor::is_for),
    form("/account/passkeys", SignedIn(passkeys::show), SignedIn(passkeys::add), |t| t.add_passkey)
        .linked(|t| t.passkeys, |t| t.see_passkeys)
        .reading(Shape::Of(passkeys::schema))
        .writing(
            Shape::Of(passkeys::schema_of_added),
            &[CREDENTIAL, ("name", true), ("kind", false)],
        )
        .refusing(&[422])
        .when(passkeys::are_offered),
    post("/account/passkeys/rename", "/account/passkeys", SignedIn(passkeys::rename), |t| t.rename)
        .writing(Shape::Done("renamed", "integer"), &[("passkey", true), ("name", true)])
        .refusing(&[404, 422])
        .when(passkeys::are_offered),
    post("/account/passkeys/remove", "/account/passkeys", SignedIn(passkeys::remove), |t| t.remove)
        .writing(Shape::Done("removed", "integer"), &[("passkey", true)])
        .refusing(&[404])
        .when(passkeys::are_offered),
    get("/account/sessions", SignedIn(sessions::show))
        .linked(|t| t.sessions, |t| t.see_sessions)
        .reading(Shape::Sessions),
    post("/account/sessions/end", "/account/sessions", SignedIn(sessions::end), |t| t.end)
        .hashing(CURRENT_PASSWORD)
        .writing(Shape::Done("ended", "integer"), &[("session", true), AGAIN])
        .refusing(&[404, 422, 429]),
    post(
        "/account/sessions/end-others",
        "/account/sessions",
        SignedIn(sessions::end_others),
        |t| t.end_others,
    )
    .hashing(CURRENT_PASSWORD)
    .writing(Shape::Done("ended", "integer"), &[AGAIN])
    .refusing(&[422, 429]),
    form("/account/tokens", SignedIn(access_tokens::show), SignedIn(access_tokens::create), |t| {
        t.create_token
    })
    .linked(|t| t.access_tokens, |t| t.see_tokens)
    .hashing(CURRENT_PASSWORD)
    .reading(Shape::AccessTokens)
    .writing(Shape::NewAccessToken, &[("name", true), ("days", true), AGAIN])
    .refusing(&[422, 429])
    .when(|site| site.settings.basic_auth),
    post("/account/tokens/revoke", "/account/tokens", SignedIn(access_tokens::revoke), |t| {
        t.revoke
    })
    .writing(Shape::Done("revoked", "integer"), &[("token", true)])
    .refusing(&[404])
    .when(|site| site.settings.basic_auth),
    get("/account/activity", SignedIn(activity::show))
        .linked(|t| t.activity, |t| t.see_activity)
        .reading(Shape::Of(activity::schema)),
    get("/style.css", Anyone(assets::style)),
    get("/passkey.js", Anyone(assets::script)).when(passkeys::are_offered),
    get("/icon.svg", Anyone(assets::icon)),
    get("/logo", Anyone(assets::logo)),
    get(HEALTH, Anyone(health::report)).for_operators().reading(Shape::Of(health::report_schema)),
    get("/whoami", SignedIn(health::show_address))
        .without_redirect()
        .for_operators()
        .reading(Shape::Of(health::address_schema)),
    any("/oauth2/start", Anyone(forward_auth::lead_to_sign_in)).of_oauth2_proxy(),
    any("/oauth2/sign_in", Anyone(forward_auth::lead_to_sign_in)).of_oauth2_proxy(),
    any("/oauth2/sign_out", Anyone(forward_auth::lead_to_sign_out)).of_oauth2_proxy(),
];

const NAME: FormField = ("username", true);
const PASSWORD: FormField = ("password", true);
/// The answer of a passkey.
const CREDENTIAL: FormField = ("credential", true);
/// The second factor, by one of these two.
const CODE: FormField = ("code", false);
const OR_CREDENTIAL: FormField = ("credential", false);
const NEXT: FormField = ("next", false);
/// The password once more, where it was not given lately.
const AGAIN: FormField = ("current_password", false);

const CURRENT_PASSWORD: Hashes = Hashes::WithField("current_password");

fn has_oauth2_proxy(site: &Site) -> bool {
    site.settings.aliases.contains(&Alias::Oauth2Proxy)
}

/// The first segments of the addresses that browsers and apps need, with a slash before them: what goes to this
/// site on a host that it shares with an app. The home page is the app's there, and so is what only an operator asks.
pub fn page_paths() -> impl Iterator<Item = &'static str> {
    let operators = |it: &&Route| it.path == "/" || it.is_for_operators;
    // The rest of `/.well-known/` (RFC 8615) is the app's and the proxy's.
    let segment = |path: &'static str| match path[1..].find('/') {
        Some(end) if !path.starts_with("/.well-known/") => &path[..=end],
        Some(_) | None => path,
    };
    let all = ROUTES.iter().filter(move |it| !it.is_of_oauth2_proxy && !operators(it));
    let mut seen = Vec::new();
    all.map(move |it| segment(it.path)).filter(move |it| {
        let is_new = !seen.contains(it);
        seen.push(*it);
        is_new
    })
}

/// The sections of a user's account page that lead to other pages of this site.
pub(super) fn account_links(call: &SignedInCall<'_>) -> Vec<AccountLink> {
    let is_there = |it: &&Route| it.is_on(call.site) && it.is_for(call);
    ROUTES.iter().filter(is_there).filter_map(|it| it.link).collect()
}

/// An address of the site and what is done there.
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) methods: Methods,
    hashes: Hashes,
    /// The words on the button of its form, if it has one.
    pub(super) words: Option<Phrase>,
    /// The section of the account page that leads to it.
    link: Option<AccountLink>,
    without_session: WithoutSession,
    /// A request from another site gets 401, as without a session, which is what Lucia's guide does.
    hides_cross_origin: bool,
    /// Whether it serves to set up and monitor the site, and visitors do not need it.
    is_for_operators: bool,
    /// What it answers to clients that accept JSON.
    pub(super) json: JsonResponses,
    /// Draws the page of the form again, as it was sent, without the store. `None`: without it, the page cannot be
    /// drawn, and the form is shown alone.
    when_busy: Option<FormAgain>,
    /// Whether the route exists on a site; `None`: on every site.
    pub(super) when: Option<fn(&Site) -> bool>,
    /// Whether the route exists for a signed-in user; `None`: for every one.
    when_for: Option<fn(&SignedInCall<'_>) -> bool>,
    /// Whether it is an address of oauth2-proxy, on the host of each app.
    is_of_oauth2_proxy: bool,
}

/// Draws a form that was not processed, with this status, filled as it was sent.
type FormAgain = fn(&Call<'_>, u16, Alert) -> Response;

/// The methods of a route, each with its handler. GET includes HEAD.
pub(super) enum Methods {
    Get(Handler),
    GetAndPost(Handler, Handler),
    /// The form is on another page, to which a browser that asks for this address is sent: it may reload a refused
    /// form, or open its address again.
    Post(&'static str, Handler),
    /// A page with a button, and the button, which works whatever else is sent: a form that cannot be read counts as
    /// one without fields.
    Button(Handler, Handler),
    /// A redirect for any method.
    Any(Handler),
}

/// Who may use a route: anyone, or signed-in users. Others are redirected to the sign-in page (GET) or get
/// 401.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    Anyone(fn(&Call<'_>) -> Answered),
    SignedIn(fn(&SignedInCall<'_>) -> Answered),
}

use Handler::{Anyone, SignedIn};

/// The answer of a route for signed-in users to a request without a session.
#[derive(Clone, Copy)]
enum WithoutSession {
    /// `GET` redirects to the sign-in page; `POST` is answered with 401.
    SignInFirst,
    /// 401.
    Refused,
    /// 401, as what was asked for is so already; a browser gets a page that says so.
    Done,
}

/// Whether a POST hashes a password, as far as the request tells.
#[derive(Clone, Copy)]
enum Hashes {
    /// It does not. It writes.
    Never,
    /// If this field contains a possible password. Otherwise it may still write.
    WithField(&'static str),
    /// If the function says so. Otherwise it is refused before anything is written.
    If(fn(&Call<'_>) -> bool),
}

const fn get(path: &'static str, show: Handler) -> Route {
    route(path, Methods::Get(show))
}

const fn form(path: &'static str, show: Handler, submit: Handler, words: Phrase) -> Route {
    Route { words: Some(words), ..route(path, Methods::GetAndPost(show, submit)) }
}

/// `page` is the page that has the form, `words` are on its button.
const fn post(path: &'static str, page: &'static str, submit: Handler, words: Phrase) -> Route {
    Route { words: Some(words), ..route(path, Methods::Post(page, submit)) }
}

const fn button(path: &'static str, show: Handler, press: Handler, words: Phrase) -> Route {
    Route { words: Some(words), ..route(path, Methods::Button(show, press)) }
}

const fn any(path: &'static str, lead: Handler) -> Route {
    route(path, Methods::Any(lead))
}

const fn route(path: &'static str, methods: Methods) -> Route {
    Route {
        path,
        methods,
        hashes: Hashes::Never,
        words: None,
        link: None,
        without_session: WithoutSession::SignInFirst,
        hides_cross_origin: false,
        is_for_operators: false,
        json: JsonResponses::NONE,
        when_busy: None,
        when: None,
        when_for: None,
        is_of_oauth2_proxy: false,
    }
}

impl Route {
    const fn hashing(mut self, hashes: Hashes) -> Self {
        self.hashes = hashes;
        self
    }

    const fn linked(mut self, heading: Phrase, words: Phrase) -> Self {
        self.link = Some(AccountLink { path: self.path, heading, words });
        self
    }

    const fn without_redirect(mut self) -> Self {
        self.without_session = WithoutSession::Refused;
        self
    }

    const fn done_without_session(mut self) -> Self {
        self.without_session = WithoutSession::Done;
        self
    }

    const fn hiding_cross_origin(mut self) -> Self {
        self.hides_cross_origin = true;
        self
    }

    const fn for_operators(mut self) -> Self {
        self.is_for_operators = true;
        self
    }

    const fn reading(mut self, shape: Shape) -> Self {
        self.json.reads = Some(shape);
        self
    }

    const fn writing(mut self, shape: Shape, fields: &'static [FormField]) -> Self {
        self.json.writes = Some((shape, fields));
        self
    }

    const fn refusing(mut self, statuses: &'static [u16]) -> Self {
        self.json.refusals = statuses;
        self
    }

    const fn when_busy(mut self, draw: FormAgain) -> Self {
        self.when_busy = Some(draw);
        self
    }

    const fn of_oauth2_proxy(mut self) -> Self {
        self.is_of_oauth2_proxy = true;
        self.when(has_oauth2_proxy)
    }

    const fn when(mut self, condition: fn(&Site) -> bool) -> Self {
        self.when = Some(condition);
        self
    }

    const fn when_for(mut self, condition: fn(&SignedInCall<'_>) -> bool) -> Self {
        self.when_for = Some(condition);
        self
    }

    /// Whether it exists for some users only.
    pub(super) const fn is_for_some(&self) -> bool {
        self.when_for.is_some()
    }

    fn is_for(&self, call: &SignedInCall<'_>) -> bool {
        self.when_for.is_none_or(|when| when(call))
    }

    /// Whether only some sites have it, as their settings say.
    pub(super) const fn is_optional(&self) -> bool {
        self.when.is_some()
    }

    fn is_on(&self, site: &Site) -> bool {
        self.when.is_none_or(|when| when(site))
    }

    /// The value of the `Allow` header.
    pub(super) const fn allow(&self) -> &'static str {
        match self.methods {
            Methods::Get(_) => "GET, HEAD",
            Methods::GetAndPost(..) | Methods::Button(..) => "GET, HEAD, POST",
            Methods::Post(..) => "POST",
            Methods::Any(_) => "*",
        }
    }

    const fn takes_posts(&self) -> bool {
        matches!(self.methods, Methods::GetAndPost(..) | Methods::Post(..) | Methods::Button(..))
    }
}

/// The row of the route at this path; [`RouteRow::OTHER`] if this site has none there.
pub(super) fn row(site: &Site, path: &str) -> RouteRow {
    let found = site.path(path).and_then(|path| {
        ROUTES.iter().position(|it| it.path == path).filter(|&at| ROUTES[at].is_on(site))
    });
    found.map_or(RouteRow::OTHER, RouteRow::of_route)
}

/// The route at this path, if this site has it.
fn find(site: &Site, path: &str) -> Option<&'static Route> {
    row(site, path).route()
}

/// Answers a request that is not a check; `route` is what [`row`] has found for it.
pub(super) fn answer(
    site: &Site,
    request: &Request,
    route: Option<&Route>,
    now: Moment,
) -> Answered {
    let call = Call::with_parameters(site, request, now);
    if site.is_cross_origin(request) {
        return Ok(refuse_cross_origin(&call, route));
    }
    let Some(route) = route else { return Ok(call.problem(404, |t| t.not_found)) };
    let is_read = matches!(request.method, Method::Get | Method::Head);
    let is_post = request.method == Method::Post;
    match &route.methods {
        Methods::Get(show) | Methods::GetAndPost(show, _) | Methods::Button(show, _) if is_read => {
            run(show, route, call)
        }
        Methods::Post(page, _) if is_read && call.wants() == Wants::Html => Ok(site.redirect(page)),
        Methods::GetAndPost(_, submit) | Methods::Post(_, submit) if is_post => {
            match request.form() {
                Ok(body) => run(submit, route, Call { fields: body.fields(), ..call }),
                Err(why) => unreadable(&call, why),
            }
        }
        Methods::Button(_, press) if is_post => {
            let body = request.form().ok();
            let fields = body.as_ref().map(FormBody::fields).unwrap_or_default();
            run(press, route, Call { fields, ..call })
        }
        Methods::Any(lead) => run(lead, route, call),
        _ => Ok(call.problem(405, |t| t.not_allowed).with("Allow", route.allow())),
    }
}

/// The form of a request that is not processed, filled as it was sent, for a person. `None`: it is no such request.
pub(super) fn form_again(
    site: &Site,
    request: &Request,
    now: Moment,
    status: u16,
    alert: Alert,
) -> Option<Response> {
    let route = find(site, &request.path)?;
    let is_from_person = request.method == Method::Post && request.wants() == Wants::Html;
    if !is_from_person || site.is_cross_origin(request) {
        return None;
    }
    let body = request.form().ok()?;
    let call = Call { site, request, fields: body.fields(), now };
    match (route.when_busy, route.words) {
        (Some(draw), _) => Some(draw(&call, status, alert)),
        (None, Some(words)) => Some(repeat::form(&call, route, words, status, alert)),
        (None, None) => None,
    }
}

/// Where the link of an error page with this status leads.
pub(super) fn way_on(site: &Site, request: &Request, status: u16) -> NextStep {
    let route = find(site, &request.path);
    let page_of_form = route.and_then(|it| match it.methods {
        Methods::Post(page, _) => Some(page),
        _ => None,
    });
    let is_read = matches!(request.method, Method::Get | Method::Head);
    match (status, route) {
        (401, Some(Route { path, methods: Methods::GetAndPost(SignedIn(_), _), .. })) => {
            NextStep::SignIn(Some(path))
        }
        (401, _) => NextStep::SignIn(page_of_form),
        (503, Some(_)) if is_read => NextStep::Again(request.target()),
        _ => page_of_form.map_or(NextStep::Back, NextStep::Account),
    }
}

fn run(handler: &Handler, route: &Route, call: Call<'_>) -> Answered {
    match handler {
        Anyone(handle) => handle(&call),
        SignedIn(handle) => {
            let requester = call.requester()?;
            let response = match SignedInCall::of(call, &requester) {
                Some(signed_in) if route.is_for(&signed_in) => handle(&signed_in)?,
                Some(_) => call.problem(404, |t| t.not_found),
                None => refuse_unauthenticated(&call, route),
            };
            Ok(call.with_cookie(response, &requester))
        }
    }
}

fn refuse_unauthenticated(call: &Call<'_>, route: &Route) -> Response {
    let is_page = call.request.method != Method::Post && call.wants() != Wants::Json;
    match route.without_session {
        WithoutSession::SignInFirst if is_page => sign_in::lead_to(call),
        WithoutSession::Done if call.wants() == Wants::Html => {
            forget_pages(call.site.challenge(call.request, |t| t.signed_out))
        }
        _ => call.unauthenticated(),
    }
}

/// Refuses a request from another site, before anything else was looked at.
fn refuse_cross_origin(call: &Call<'_>, route: Option<&Route>) -> Response {
    let response = if route.is_some_and(|it| it.hides_cross_origin) {
        // A person reads what happened: the user may well be signed in.
        match call.wants() {
            Wants::Html => call.site.challenge(call.request, |t| t.foreign),
            Wants::Text | Wants::Json => call.unauthenticated(),
        }
    } else {
        call.problem(403, |t| t.foreign)
    };
    let OriginMismatch { reason, origin, expected, hint } =
        cross_origin::mismatch(call.request, &call.site.settings.rule);
    let note = Note::of(Event::CsrfReject).because(reason).with("origin", origin);
    response.noting(note.with("expected", expected).with("hint", hint))
}

/// Refuses a body that cannot be read as a form.
fn unreadable(call: &Call<'_>, why: Unreadable) -> Answered {
    let refusal = match why {
        Unreadable::MediaType => Refusal::UnsupportedBody,
        Unreadable::Json => Refusal::InvalidJson,
        Unreadable::TooManyFields => Refusal::TooManyFields,
    };
    let note = Note::of(Event::BadRequest).because(refusal.reason());
    let response = refusal.response(call, |status, alert| Ok(call.problem(status, alert.say)))?;
    Ok(response.noting(note))
}

/// The lane of a request that is not a check. A request is in the lane for hashing only if a password may
/// have to be hashed, so that most mistakes are answered at once even if that lane is full; and in the lane
/// for reading only if the response waits for no write.
pub(super) fn lane(site: &Site, request: &Request, now: Moment) -> Lane {
    let route = find(site, &request.path).filter(|it| it.takes_posts());
    let Some(route) = route.filter(|_| request.method == Method::Post) else { return Lane::Read };
    if site.is_cross_origin(request) {
        return Lane::Read;
    }
    let body = request.form().ok();
    let call = body.as_ref().map(|body| Call { site, request, fields: body.fields(), now });
    let hashes = |hashes: &dyn Fn(Call<'_>) -> bool| call.is_some_and(hashes);
    match route.hashes {
        Hashes::Never => Lane::Write,
        Hashes::WithField(name) => {
            let is_password = |typed: &str| password_policy::read(typed).is_some();
            if hashes(&|it| it.field(name).is_some_and(|typed| is_password(&typed))) {
                Lane::Hash
            } else {
                Lane::Write
            }
        }
        Hashes::If(decide) => {
            if hashes(&|it| decide(&it)) {
                Lane::Hash
            } else {
                Lane::Read
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const DOCUMENT: &str = include_str!("../../docs/http.md");

    /// `METHOD /path` of every row of the tables between two texts of the document.
    fn documented(from: &str, to: &str) -> BTreeSet<String> {
        let part = DOCUMENT.split(from).nth(1).unwrap().split(to).next().unwrap();
        let rows = part.lines().filter(|line| line.starts_with("| `"));
        let first_cells = rows.map(|row| row.split('|').nth(1).unwrap());
        let requests = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
        requests.map(|it| it.split('?').next().unwrap().to_owned()).collect()
    }

    fn requests(which: impl Fn(&Route) -> bool) -> BTreeSet<String> {
        let of = |it: &Route| {
            let (reads, writes) = match it.methods {
                Methods::Get(_) => (true, false),
                Methods::GetAndPost(..) | Methods::Button(..) => (true, true),
                Methods::Post(..) => (false, true),
                Methods::Any(_) => (false, false),
            };
            let named = [(reads, "GET"), (writes, "POST")].into_iter().filter(|(is_so, _)| *is_so);
            named.map(|(_, method)| format!("{method} {}", it.path)).collect::<Vec<_>>()
        };
        ROUTES.iter().filter(|it| which(it)).flat_map(of).collect()
    }

    fn is_for_users(route: &Route) -> bool {
        let is_signed_in = |it: &Handler| matches!(it, SignedIn(_));
        match &route.methods {
            Methods::GetAndPost(show, submit) => is_signed_in(show) && is_signed_in(submit),
            // The page of a button is for anyone and changes nothing.
            Methods::Get(it) | Methods::Post(_, it) | Methods::Button(_, it) | Methods::Any(it) => {
                is_signed_in(it)
            }
        }
    }

    #[test]
    fn documents_every_route_and_no_other() {
        let all = documented("## Pages and forms", "Any other request:");
        assert_eq!(all, requests(|_| true));
        let of_users = documented("The following are for signed-in users.", "Any other request:");
        assert_eq!(of_users, requests(|it| it.path.starts_with("/account")));
        assert!(ROUTES.iter().filter(|it| it.path.starts_with("/account")).all(is_for_users));
        for route in ROUTES.iter().filter(|it| matches!(it.methods, Methods::Any(_))) {
            assert!(DOCUMENT.contains(&format!("`{}`", route.path)), "{}", route.path);
        }
        for path in forward_auth::check_paths() {
            assert!(DOCUMENT.contains(&format!("`{path}`")), "{path}");
        }
    }

    #[test]
    fn has_a_page_for_every_form() {
        let shows = |path| {
            ROUTES.iter().any(|it| {
                it.path == path && matches!(it.methods, Methods::Get(_) | Methods::GetAndPost(..))
            })
        };
        for route in ROUTES {
            if let Methods::Post(page, _) = route.methods {
                assert!(shows(page), "{}", route.path);
            }
        }
    }

    #[test]
    fn has_each_path_once() {
        let paths: BTreeSet<_> = ROUTES.iter().map(|it| it.path).collect();
        assert_eq!(paths.len(), ROUTES.len());
        assert!(forward_auth::check_paths().all(|it| !paths.contains(it)));
    }

    #[test]
    fn lets_only_users_write_except_at_the_forms_that_lead_in() {
        let takes_posts = ROUTES.iter().filter(|it| it.takes_posts() && !is_for_users(it));
        let paths: Vec<_> = takes_posts.map(|it| it.path).collect();
        assert_eq!(
            paths,
            ["/signup", "/login", "/login/second", "/login/passkey", "/forgot", "/reset"]
        );
    }
}
