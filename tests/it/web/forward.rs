//! Checks for a reverse proxy: who is let through to an app, and what becomes of all others.

use std::time::Duration;

use vestibule::auth::names::Rest;
use vestibule::auth::usernames::Username;
use vestibule::auth::users;
use vestibule::base::origin::Origin;
use vestibule::store::{Groups, Store};
use vestibule::web::http::Response;
use vestibule::web::{Alias, App, IdentityHeaders, Lane, Settings, check_paths};

use crate::binary::Binary;
use crate::engine;
use crate::visit::{MORNING, Visit, basic, body, of_example, way};
use crate::web::guessing::account_in;

const NAMES: [&str; 5] =
    ["Remote-User", "Remote-Id", "Remote-Name", "Remote-Groups", "Remote-Email"];

const APP: &str = "https://app.example.com/a%20b?x=1&y=%C3%A4";
const WAY_IN: &str =
    "https://auth.example.com/login?next=https://app.example.com/a%2520b?x=1%26y=%25C3%25A4";

/// What a browser sends that goes somewhere.
const PAGE: (&str, &str) = ("Accept", "text/html,application/xhtml+xml");

/// What Caddy and Traefik say of a request for [`APP`].
const FORWARDED: [(&str, &str); 4] = [
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "app.example.com"),
    ("X-Forwarded-Uri", "/a%20b?x=1&y=%C3%A4"),
    ("X-Forwarded-Method", "GET"),
];

/// A gate at which `Anna` has signed up in this browser.
fn with_anna(settings: Settings) -> Visit {
    let mut visit = Visit::with(settings);
    visit.post("/signup", &[("username", "Anna"), ("password", "correct horse")]);
    visit
}

/// As nginx asks about [`APP`].
fn nginx(visit: &mut Visit) -> Response {
    visit.ask("GET", "/auth/nginx", &[("X-Original-URL", APP), ("X-Original-Method", "GET")], "")
}

/// As Caddy and Traefik ask about [`APP`], with these headers of the request besides.
fn forward(visit: &mut Visit, path: &str, more: &[(&str, &str)]) -> Response {
    let said = |(name, _): &&(&str, &str)| !more.iter().any(|(given, _)| given == name);
    let headers: Vec<_> = FORWARDED.iter().filter(said).chain(more).copied().collect();
    visit.ask("GET", path, &headers, "")
}

/// Changes a user as an operator does.
fn operate(visit: &Visit, change: impl Fn(&dyn Store, &vestibule::store::UserId)) {
    let store = engine::open(visit.folder.path());
    let anna = users::by_name(&*store, &Username::for_sign_in("anna").unwrap()).unwrap().unwrap();
    change(&*store, &anna.id);
}

fn has_identity(answer: &Response) -> bool {
    let names = NAMES.iter().chain(&["X-Auth-Request-User", "X-Vouch-User", "Remote-Sub"]);
    names.into_iter().any(|name| answer.value(name).is_some())
}

#[test]
fn tells_the_operator_when_the_sign_in_page_cannot_lead_back() {
    let mut visit = with_anna(of_example());
    visit.forget_cookie();
    let reason = |answer: &Response| {
        let found = answer.note.fields.iter().find(|(name, _)| *name == "reason");
        found.map(|(_, it)| format!("{} {it}", answer.note.event.name())).unwrap_or_default()
    };
    assert_eq!(reason(&nginx(&mut visit)), "");
    for (address, expected) in [
        ("http://app.example.com/x", "next_refused other_scheme"),
        ("https://app.example.org/x", "next_refused unknown_host"),
        ("/x", "next_refused not_reported"),
    ] {
        let answer = visit.ask("GET", "/auth/nginx", &[("X-Original-URL", address)], "");
        assert_eq!(reason(&answer), expected, "{address}");
    }
    assert_eq!(reason(&visit.ask("GET", "/auth/nginx", &[], "")), "next_refused not_reported");
    let http = [PAGE, ("X-Forwarded-Proto", "http")];
    assert_eq!(reason(&forward(&mut visit, "/auth/forward", &http)), "next_refused other_scheme");
    // A script is not led anywhere, and so no way is lost.
    assert_eq!(reason(&forward(&mut visit, "/auth/forward", &http[1..])), "");
}

#[test]
fn lets_a_signed_in_user_through_and_says_who_it_is() {
    let mut visit = with_anna(of_example());
    operate(&visit, |store, id| {
        users::set_groups(store, id, &users::groups("ops,admin").unwrap()).unwrap();
        users::set_email(store, id, "anna@example.com", MORNING).unwrap();
    });
    let id = visit.raw().text("SELECT id FROM user");
    for answer in [nginx(&mut visit), forward(&mut visit, "/auth/forward", &[PAGE])] {
        assert_eq!(answer.status, 200);
        let said = NAMES.map(|name| answer.value(name).unwrap().to_owned());
        assert_eq!(said, ["anna", &*id, "Anna", "admin,ops", "anna@example.com"]);
        assert_eq!(answer.value("Cache-Control"), Some("no-store"));
        assert_eq!(answer.value("Set-Cookie"), None);
    }
}

#[test]
fn sends_every_identity_header_though_there_is_nothing_to_say() {
    let mut visit = with_anna(of_example());
    let answer = nginx(&mut visit);
    assert_eq!(answer.value("Remote-Groups"), Some(""));
    assert_eq!(answer.value("Remote-Email"), Some(""));
}

#[test]
fn tells_nginx_where_to_send_a_stranger_with_the_address_whole() {
    let mut visit = Visit::with(of_example());
    let answer = nginx(&mut visit);
    assert_eq!(way(&answer), (401, Some(WAY_IN)));
    assert!(!has_identity(&answer));
    assert_eq!(answer.value("WWW-Authenticate"), Some("Bearer"));
    // The way in leads to a page that leads back to that very address.
    let next = WAY_IN.split_once("next=").unwrap().1;
    let page = visit.ask("GET", &format!("/login?next={next}"), &[PAGE], "");
    assert!(body(&page).contains(&APP.replace('&', "&amp;")));
}

#[test]
fn answers_nginx_with_what_nginx_knows_whatever_is_asked() {
    let mut visit = Visit::with(of_example());
    for bad in [
        "",
        "x",
        "//",
        "https://",
        "https://e.com/",
        "javascript:alert(1)",
        "/path",
        "https://app.example.com:99999/",
        "https://app.example.com/\u{1}",
        "http://[::1",
        "\\\\e.com",
        "https://auth.example.com@e.com/",
        &"x".repeat(4_000),
    ] {
        let answer = visit.ask("GET", "/auth/nginx", &[("X-Original-URL", bad)], "");
        assert_eq!(way(&answer), (401, Some("https://auth.example.com/login")), "{bad}");
    }
    let twice = [("X-Original-URL", APP), ("X-Original-URL", APP)];
    for (method, headers) in [
        ("GET", &[][..]),
        ("GET", &twice),
        ("HEAD", &[]),
        ("POST", &[("Content-Type", "text/plain; charset=utf-7")]),
        ("DELETE", &[("Content-Encoding", "x")]),
        ("BREW", &[("Cookie", "__Secure-auth_session=x; =; y")]),
        ("GET", &[("Authorization", "Basic %%%")]),
        ("POST", &[("Origin", "https://app.example.com"), ("Sec-Fetch-Site", "cross-site")]),
    ] {
        let answer = visit.ask(method, "/auth/nginx", headers, "\u{ff}");
        assert_eq!(way(&answer), (401, Some("https://auth.example.com/login")), "{headers:?}");
        assert!(!has_identity(&answer));
    }
}

#[test]
fn never_reads_the_headers_of_the_other_family() {
    let mut visit = Visit::with(of_example());
    let answer = visit.ask("GET", "/auth/nginx", &FORWARDED, "");
    assert_eq!(way(&answer), (401, Some("https://auth.example.com/login")));
    let original = [("X-Original-URL", APP), ("X-Original-Method", "POST"), PAGE];
    let answer = visit.ask("GET", "/auth/forward", &original, "");
    assert_eq!(way(&answer), (302, Some("https://auth.example.com/login")));
    let both: Vec<_> =
        FORWARDED.into_iter().chain([("X-Original-URL", "https://b.example.com/"), PAGE]).collect();
    assert_eq!(way(&visit.ask("GET", "/auth/forward", &both, "")), (302, Some(WAY_IN)));
}

#[test]
fn leads_a_browser_to_the_sign_in_page_and_repeats_nothing_that_changes_something() {
    let mut visit = Visit::with(of_example());
    for (method, expected) in
        [("GET", 302), ("HEAD", 302), ("POST", 303), ("PUT", 303), ("DELETE", 303), ("get", 303)]
    {
        let answer = forward(&mut visit, "/auth/forward", &[PAGE, ("X-Forwarded-Method", method)]);
        assert_eq!(way(&answer), (expected, Some(WAY_IN)), "{method}");
        assert!(!has_identity(&answer));
    }
    let twice = [PAGE, ("X-Forwarded-Method", "GET"), ("X-Forwarded-Method", "GET")];
    assert_eq!(forward(&mut visit, "/auth/forward", &twice).status, 303);
}

#[test]
fn redirects_no_client_that_asks_for_no_page() {
    let mut visit = Visit::with(of_example());
    for headers in [
        &[][..],
        &[("Accept", "*/*")],
        &[("Accept", "application/json")],
        &[("Accept", "image/avif,image/webp,*/*;q=0.8")],
        &[PAGE, ("Sec-Fetch-Mode", "cors")],
        &[PAGE, ("Sec-Fetch-Mode", "no-cors")],
        &[PAGE, ("Sec-Fetch-Mode", "websocket")],
        &[PAGE, ("X-Requested-With", "XMLHttpRequest")],
        &[PAGE, ("Upgrade", "websocket")],
        &[PAGE, ("Upgrade", "WebSocket, h2c")],
        &[PAGE, ("Sec-WebSocket-Key", "x")],
        &[PAGE, ("Sec-WebSocket-Version", "13")],
    ] {
        let answer = forward(&mut visit, "/auth/forward", headers);
        assert_eq!(way(&answer), (401, None), "{headers:?}");
        assert_eq!(answer.value("Content-Type"), Some("application/json"), "{headers:?}");
        assert!(!has_identity(&answer));
    }
    let navigates = [PAGE, ("Sec-Fetch-Mode", "navigate")];
    assert_eq!(forward(&mut visit, "/auth/forward", &navigates).status, 302);
}

#[test]
fn leads_back_to_no_app_that_is_not_ours() {
    let mut visit = Visit::with(of_example());
    for more in [
        ("X-Forwarded-Host", "e.com"),
        ("X-Forwarded-Host", "app.example.com@e.com"),
        ("X-Forwarded-Host", "app.example.com.e.com"),
        ("X-Forwarded-Host", "e.com/app.example.com"),
        ("X-Forwarded-Host", "app.example.com:8443"),
        ("X-Forwarded-Proto", "javascript"),
        ("X-Forwarded-Proto", "https://e.com/"),
        ("X-Forwarded-Uri", "@e.com/"),
        ("X-Forwarded-Uri", ".e.com/"),
        ("X-Forwarded-Uri", ""),
    ] {
        let answer = forward(&mut visit, "/auth/forward", &[PAGE, more]);
        assert_eq!(way(&answer), (302, Some("https://auth.example.com/login")), "{more:?}");
    }
}

#[test]
fn asks_a_preflight_for_nothing_where_the_operator_says_so_and_it_is_one() {
    let mut visit = Visit::with(of_example());
    let origin = ("Origin", "https://other.example.com");
    let wish = ("Access-Control-Request-Method", "PUT");
    let options = ("X-Forwarded-Method", "OPTIONS");
    let allow = "/auth/forward?preflight=allow";
    assert_eq!(forward(&mut visit, "/auth/forward", &[options, origin, wish]).status, 401);
    let passed = forward(&mut visit, allow, &[options, origin, wish]);
    assert_eq!(passed.status, 200);
    assert_eq!(NAMES.map(|name| passed.value(name)), [Some(""); 5]);
    for lacking in [&[options, origin][..], &[options, wish], &[origin, wish]] {
        assert_eq!(forward(&mut visit, allow, lacking).status, 401, "{lacking:?}");
    }
}

#[test]
fn answers_only_trusted_proxies_and_this_machine() {
    let own = ("/auth/nginx", "/auth/forward");
    for (settings, peer, may) in [
        (of_example(), Some("127.0.0.1"), true),
        (of_example(), Some("::1"), true),
        (of_example(), None, true),
        (of_example(), Some("10.0.0.1"), false),
        (of_example(), Some("192.0.2.1"), false),
        (Settings::default(), Some("127.0.0.1"), false),
        (Settings::default(), None, false),
        (
            Settings { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..of_example() },
            Some("10.0.0.1"),
            true,
        ),
        (
            Settings {
                trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
                ..Settings::default()
            },
            Some("127.0.0.1"),
            true,
        ),
    ] {
        let mut visit = with_anna(settings);
        visit.peer = peer.map(|it| it.parse().unwrap());
        for path in [own.0, own.1] {
            let answer = visit.ask("GET", path, &[("X-Forwarded-For", "127.0.0.1")], "");
            assert_eq!(answer.status, if may { 200 } else { 403 }, "{path} for {peer:?}");
            assert_eq!(has_identity(&answer), may);
        }
    }
}

#[test]
fn opens_an_app_to_groups_and_users_alone() {
    let mut visit = with_anna(of_example());
    operate(&visit, |store, id| {
        users::set_groups(store, id, &users::groups("ops,admin").unwrap()).unwrap();
    });
    for (query, expected) in [
        ("", 200),
        ("?groups=ops", 200),
        ("?groups=staff,ops", 200),
        ("?groups=staff, ops", 200),
        ("?groups=staff", 403),
        ("?groups=op", 403),
        ("?groups=Ops", 403),
        ("?groups=", 403),
        ("?users=anna", 200),
        ("?users=ANNA,bob", 200),
        ("?users=bob", 403),
        ("?users=", 403),
        ("?groups=ops&users=anna", 200),
        ("?groups=staff&users=anna", 403),
        ("?groups=ops&users=bob", 403),
        // A restriction that cannot be understood is never none.
        ("?groups=ops&groups=staff", 403),
        ("?groups[]=ops", 403),
        ("?group=ops", 403),
        ("?Groups=ops", 403),
        ("?groups=%ff", 403),
        ("?allowed_groups=ops", 403),
    ] {
        for answer in [
            visit.ask("GET", &format!("/auth/nginx{query}"), &[("X-Original-URL", APP)], ""),
            forward(&mut visit, &format!("/auth/forward{query}"), &[]),
        ] {
            assert_eq!(answer.status, expected, "{query}");
            assert_eq!(has_identity(&answer), expected == 200, "{query}");
        }
    }
    visit.forget_cookie();
    assert_eq!(visit.get("/auth/nginx?groups=ops").status, 401, "a stranger may be one of them");
}

/// Caddy passes the query of the request on where its configuration has none.
#[test]
fn takes_nothing_that_opens_something_from_the_query_of_the_request_itself() {
    let mut visit = with_anna(of_example());
    let passed_on = |visit: &mut Visit, query: &str, more: &[(&str, &str)]| {
        let uri = format!("/page?{query}");
        let more: Vec<_> = more.iter().copied().chain([("X-Forwarded-Uri", &*uri)]).collect();
        forward(visit, &format!("/auth/forward?{query}"), &more).status
    };
    assert_eq!(passed_on(&mut visit, "", &[]), 200);
    assert_eq!(passed_on(&mut visit, "groups=staff", &[]), 403, "a restriction holds");
    assert_eq!(passed_on(&mut visit, "users=anna", &[]), 200);
    // A restriction of the operator's is none that a client could take back by asking for the same.
    let same = [("X-Forwarded-Uri", "/page?groups=staff")];
    assert_eq!(forward(&mut visit, "/auth/forward?groups=staff", &same).status, 403);
    visit.forget_cookie();
    // Nor where an operator has taken the endpoint for nginx by mistake.
    let preflight = [
        ("X-Forwarded-Uri", "/page?preflight=allow"),
        ("X-Original-Method", "OPTIONS"),
        ("Origin", "https://other.example.com"),
        ("Access-Control-Request-Method", "PUT"),
    ];
    assert_eq!(visit.ask("GET", "/auth/nginx?preflight=allow", &preflight, "").status, 401);
    let options = [
        ("X-Forwarded-Method", "OPTIONS"),
        ("Origin", "https://other.example.com"),
        ("Access-Control-Request-Method", "PUT"),
    ];
    assert_eq!(passed_on(&mut visit, "preflight=allow", &options), 401);
    let mut visit = with_basic();
    let uri = [PAGE, ("X-Forwarded-Uri", "/page?basic=1")];
    assert_eq!(forward(&mut visit, "/auth/forward?basic=1", &uri).status, 302);
}

/// The client chooses its own query, and behind nginx the whole header: neither shows that a parameter of
/// the check is none of the operator's.
#[test]
fn closes_a_check_with_a_parameter_that_it_does_not_know_whatever_the_query_of_the_request_is() {
    let mut visit = with_anna(Settings { aliases: Alias::ALL.to_vec(), ..of_example() });
    for unknown in [
        "gruops=staff",
        "group=staff",
        "Groups=staff",
        "user=bob",
        "allowed=staff",
        "teams=ops",
        "x=1&next=https://e.com/",
        "users=anna&gruops=staff",
        "=staff",
        "staff",
    ] {
        let uri = format!("/page?{unknown}");
        for path in [
            "/auth/nginx",
            "/auth/forward",
            "/api/authz/auth-request",
            "/api/authz/forward-auth",
            "/api/auth/nginx",
            "/api/auth/caddy",
            "/oauth2/auth",
            "/validate",
        ] {
            for uris in [&[][..], &[&*uri], &["/other", &*uri]] {
                let uris: Vec<_> = uris.iter().map(|it| ("X-Forwarded-Uri", *it)).collect();
                let answer = forward(&mut visit, &format!("{path}?{unknown}"), &uris);
                assert_eq!(answer.status, 403, "{path}?{unknown} for {uris:?}");
                assert!(!has_identity(&answer) && answer.note.event.name() == "check_denied");
            }
        }
    }
    let told = |uri: &str, visit: &mut Visit| {
        let answer = forward(visit, "/auth/forward?x=1", &[("X-Forwarded-Uri", uri)]);
        let fields = answer.note.fields.into_iter();
        fields.filter(|(name, _)| *name == "reason").map(|(_, it)| it).collect::<String>()
    };
    assert_eq!(told("/page", &mut visit), "unreadable_parameters");
    assert_eq!(told("/page?x=1", &mut visit), "parameters_of_the_client");
    // With the question mark Caddy passes on what the operator has written, and nothing else.
    for (query, status) in [("", 200), ("users=anna", 200), ("users=bob", 403)] {
        let answer = forward(&mut visit, &format!("/auth/forward?{query}"), &[]);
        assert_eq!(answer.status, status, "{query}");
    }
    visit.forget_cookie();
    let preflight = [
        ("X-Forwarded-Method", "OPTIONS"),
        ("Origin", "https://other.example.com"),
        ("Access-Control-Request-Method", "PUT"),
    ];
    let path = "/auth/forward?preflight=allow";
    assert_eq!(forward(&mut visit, path, &preflight).status, 200);
    assert_eq!(forward(&mut visit, &format!("{path}&gruops=staff"), &preflight).status, 401);
}

#[test]
fn denies_a_user_at_once_who_signs_out_or_is_disabled_or_deleted() {
    type End = fn(&mut Visit);
    let ends: [End; 4] = [
        |visit| {
            let cookie = visit.cookie.clone();
            assert_eq!(visit.post("/logout", &[]).status, 302);
            visit.cookie = cookie;
        },
        |visit| {
            operate(visit, |store, id| {
                assert!(users::disable(store, id, "left", crate::visit::MORNING).unwrap());
            });
        },
        |visit| {
            operate(visit, |store, id| {
                drop(users::delete(store, id, Rest::default(), None, MORNING));
            });
        },
        // Disabled by a hand that does not know of sessions.
        |visit| visit.raw().run("UPDATE user SET disabled_at = 1"),
    ];
    for end in ends {
        let mut visit = with_anna(of_example());
        assert_eq!(nginx(&mut visit).status, 200);
        end(&mut visit);
        assert_eq!(nginx(&mut visit).status, 401);
        assert_eq!(forward(&mut visit, "/auth/forward", &[PAGE]).status, 302);
    }
}

#[test]
fn keeps_a_session_alive_by_checks_alone() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let mut visit = with_anna(of_example());
    for _ in 0..2 {
        visit.wait(14 * DAY);
        let answer = nginx(&mut visit);
        assert_eq!((answer.status, answer.value("Set-Cookie")), (200, None));
    }
    visit.wait(3 * DAY);
    assert_eq!(nginx(&mut visit).status, 401, "the absolute end");
    assert_eq!(nginx(&mut visit).value("Set-Cookie"), None);
}

#[test]
fn makes_ascii_of_every_name_and_one_of_no_two() {
    for (name, user, shown) in [
        ("Zoë Ann", "zo%C3%AB%20ann", "Zo%C3%AB Ann"),
        (
            "李小龙先生",
            "%E6%9D%8E%E5%B0%8F%E9%BE%99%E5%85%88%E7%94%9F",
            "%E6%9D%8E%E5%B0%8F%E9%BE%99%E5%85%88%E7%94%9F",
        ),
        ("100%sure", "100%25sure", "100%25sure"),
        ("%C3%AB", "%25c3%25ab", "%25C3%25AB"),
        ("a,b;c:d", "a%2Cb;c:d", "a,b;c:d"),
        ("<b>x</b>", "<b>x</b>", "<b>x</b>"),
    ] {
        let mut visit = Visit::with(of_example());
        visit.post("/signup", &[("username", name), ("password", "correct horse")]);
        let answer = nginx(&mut visit);
        assert_eq!(answer.value("Remote-User"), Some(user));
        assert_eq!(answer.value("Remote-Name"), Some(shown));
    }
}

#[test]
fn uses_the_names_of_headers_that_the_operator_gives() {
    let identity = IdentityHeaders {
        user: "X-WEBAUTH-USER",
        email: "X-WEBAUTH-EMAIL",
        ..IdentityHeaders::default()
    };
    let mut visit = with_anna(Settings { identity, ..of_example() });
    let answer = nginx(&mut visit);
    assert_eq!(answer.value("X-WEBAUTH-USER"), Some("anna"));
    assert_eq!((answer.value("Remote-User"), answer.value("Remote-Email")), (None, None));
    assert!(answer.value("Remote-Id").is_some());
}

#[test]
fn fails_closed_when_the_database_does() {
    let mut visit = with_anna(of_example());
    visit.raw().run("DROP TABLE user_session");
    let answer = nginx(&mut visit);
    assert_eq!(answer.status, 403, "nginx knows no 500 here");
    assert_eq!(answer.note.event.name(), "db_error");
    assert!(!has_identity(&answer));
    assert_eq!(forward(&mut visit, "/auth/forward", &[PAGE]).status, 500);
}

/// A neighbouring host can set a cookie for some paths of an app; at the sign-in page it is not sent, and
/// a user who is signed in there would be sent back and forth for ever.
#[test]
fn sends_no_browser_in_a_circle_that_has_two_session_cookies() {
    let mut visit = with_anna(of_example());
    let tossed = [PAGE, ("Cookie", "__Secure-auth_session=tossed")];
    let answer = forward(&mut visit, "/auth/forward", &tossed);
    assert_eq!(way(&answer), (403, None));
    assert!(body(&answer).contains("clear the cookies"));
    let answer = visit.ask("GET", "/auth/nginx", &tossed[1..], "");
    assert_eq!((answer.status, has_identity(&answer)), (403, false));
}

#[test]
fn answers_nginx_so_that_it_understands_though_the_head_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &["--trusted-proxy=127.0.0.1"]);
    let long = "x".repeat(17_000);
    for cookie in ["a=\u{1}", "a=\u{7f}", &*long] {
        let head =
            |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n");
        assert_eq!(server.ask(&head("/auth/nginx")).status, 403);
        assert!(matches!(server.ask(&head("/auth/forward")).status, 400 | 431));
    }
}

// Other gates' endpoints.

#[test]
fn knows_no_other_gates_endpoints_unless_told_to() {
    let mut visit = with_anna(of_example());
    for path in [
        "/api/authz/auth-request",
        "/api/authz/forward-auth",
        "/api/verify",
        "/api/auth/nginx",
        "/api/auth/caddy",
        "/api/auth/traefik",
        "/oauth2/auth",
        "/validate",
        "/auth/",
        "/auth/caddy",
        "/auth/nginx/",
        "/auth//nginx",
    ] {
        assert_eq!(visit.get(path).status, 404, "{path}");
    }
}

fn aliased(alias: Alias) -> Settings {
    Settings { aliases: vec![alias], ..of_example() }
}

#[test]
fn answers_as_authelia_does() {
    let mut visit = with_anna(aliased(Alias::Authelia));
    let original = [("X-Original-URL", APP)];
    let rd = "/api/verify?rd=https://auth.example.com/";
    for path in ["/api/authz/auth-request", "/api/verify", "/api/authz/forward-auth", rd] {
        let answer = visit.get(path);
        assert_eq!((answer.status, answer.value("Remote-User")), (200, Some("anna")), "{path}");
    }
    visit.forget_cookie();
    for path in ["/api/authz/auth-request", "/api/verify"] {
        assert_eq!(way(&visit.ask("GET", path, &original, "")), (401, Some(WAY_IN)), "{path}");
    }
    for path in ["/api/authz/forward-auth", rd] {
        for (method, status) in [("GET", 302), ("HEAD", 302), ("OPTIONS", 302), ("POST", 303)] {
            let answer = forward(&mut visit, path, &[PAGE, ("X-Forwarded-Method", method)]);
            assert_eq!(way(&answer), (status, Some(WAY_IN)), "{path} {method}");
        }
        assert_eq!(forward(&mut visit, path, &[]).status, 401, "{path}");
    }
}

#[test]
fn lets_no_request_through_that_is_checked_at_the_home_page_as_oauth2_proxys() {
    let mut visit = with_anna(aliased(Alias::Oauth2Proxy));
    let refused = forward(&mut visit, "/", &[]);
    assert_eq!((refused.status, refused.note.event.name()), (403, "check_refused"));
    assert!(refused.note.fields.iter().any(|(_, it)| it.contains("/oauth2/auth")));
    for own in ["auth.example.com", "AUTH.example.com:8443"] {
        assert_eq!(forward(&mut visit, "/", &[("X-Forwarded-Host", own)]).status, 200, "{own}");
    }
    assert_eq!(visit.get("/").status, 200);
    assert_eq!(forward(&mut visit, "/oauth2/auth", &[]).status, 202);
    visit.forget_cookie();
    assert_eq!(way(&forward(&mut visit, "/", &[])), (302, Some("/login")), "no leave to pass");
}

#[test]
fn answers_the_endpoints_of_one_list_and_those_of_a_gate_under_its_alias_alone() {
    let ours = ["/auth/nginx", "/auth/denied", "/auth/forward"];
    let theirs = [
        (
            Alias::Authelia,
            &["/api/authz/auth-request", "/api/authz/forward-auth", "/api/verify"][..],
        ),
        (Alias::Tinyauth, &["/api/auth/nginx", "/api/auth/caddy", "/api/auth/traefik"]),
        (Alias::Oauth2Proxy, &["/oauth2/auth"]),
        (Alias::Vouch, &["/validate"]),
    ];
    let all: Vec<_> = ours
        .into_iter()
        .chain(theirs.iter().flat_map(|(_, paths)| paths.iter().copied()))
        .collect();
    assert_eq!(check_paths().collect::<Vec<_>>(), all);
    for (alias, paths) in theirs {
        let mut visit = Visit::with(aliased(alias));
        for path in &all {
            let is_answered = ours.contains(path) || paths.contains(path);
            assert_eq!(visit.get(path).status != 404, is_answered, "{path} under {alias:?}");
        }
    }
}

#[test]
fn answers_as_tinyauth_does_but_repeats_no_body() {
    let mut visit = with_anna(aliased(Alias::Tinyauth));
    let answer = visit.get("/api/auth/nginx");
    assert_eq!((answer.status, answer.value("Remote-User")), (200, Some("anna")));
    assert_eq!(answer.value("Remote-Sub"), answer.value("Remote-Id"));
    visit.forget_cookie();
    let answer = visit.ask("GET", "/api/auth/nginx", &[("X-Original-URL", APP)], "");
    assert_eq!((answer.status, answer.value("x-tinyauth-location")), (401, Some(WAY_IN)));
    for path in ["/api/auth/caddy", "/api/auth/traefik"] {
        assert_eq!(way(&forward(&mut visit, path, &[PAGE])), (307, Some(WAY_IN)));
        let post = [PAGE, ("X-Forwarded-Method", "POST")];
        assert_eq!(way(&forward(&mut visit, path, &post)), (303, Some(WAY_IN)));
        let unsaid: Vec<_> = FORWARDED[..3].iter().copied().chain([PAGE]).collect();
        assert_eq!(visit.ask("GET", path, &unsaid, "").status, 303);
        assert_eq!(forward(&mut visit, path, &[]).status, 401);
    }
}

#[test]
fn answers_as_oauth2_proxy_does() {
    let mut visit = with_anna(aliased(Alias::Oauth2Proxy));
    operate(&visit, |store, id| {
        users::set_groups(store, id, &users::groups("ops").unwrap()).unwrap();
    });
    let answer = visit.get("/oauth2/auth?allowed_groups=ops");
    assert_eq!(answer.status, 202);
    let names = [
        "X-Auth-Request-User",
        "X-Auth-Request-Preferred-Username",
        "X-Auth-Request-Groups",
        "X-Auth-Request-Email",
    ];
    assert_eq!(names.map(|it| answer.value(it).unwrap()), ["anna", "anna", "ops", ""]);
    assert_eq!(answer.value("Remote-User"), None);
    assert_eq!(visit.get("/oauth2/auth?allowed_groups=staff").status, 403);
    assert_eq!(visit.get("/oauth2/auth?allowed_emails=a@b").status, 403);
    visit.forget_cookie();
    assert_eq!(way(&visit.ask("GET", "/oauth2/auth", &[PAGE], "")), (401, None));
}

#[test]
fn answers_as_vouch_does() {
    let mut visit = with_anna(aliased(Alias::Vouch));
    let answer = visit.get("/validate");
    assert_eq!((answer.status, answer.value("X-Vouch-User")), (200, Some("anna")));
    visit.forget_cookie();
    assert_eq!(way(&visit.get("/validate")), (401, None));
}

/// The links are on the host of the app, so each answer names our own, and a path means the app.
#[test]
fn leads_in_from_the_sign_in_links_of_oauth2_proxy() {
    let app = |url| App {
        origin: Origin::parse(url).unwrap(),
        name: String::new(),
        groups: Groups::default(),
    };
    let apps = vec![app("https://app.example.com"), app("https://wiki.example.com:8443")];
    let mut visit = Visit::with(Settings { apps, ..aliased(Alias::Oauth2Proxy) });
    let login = "https://auth.example.com/login";
    let here = ("Host", "app.example.com");
    for path in ["/oauth2/start", "/oauth2/sign_in"] {
        for (query, headers, expected) in [
            ("?rd=https://app.example.com/x", &[here][..], "?next=https://app.example.com/x"),
            (
                "?rd=https%3A%2F%2Fapp.example.com%2Fx%3Fa%26b",
                &[here],
                "?next=https://app.example.com/x?a%26b",
            ),
            // As its newest guide lets nginx write it.
            (
                "?rd=https://app.example.com/x?a=1&b=%C3%A4",
                &[here],
                "?next=https://app.example.com/x?a=1%26b=%25C3%25A4",
            ),
            ("?rd=/x?a=1&b=2", &[here], "?next=https://app.example.com/x?a=1%26b=2"),
            ("?rd=%2Fx%3Fa%3D1%26b%3D2", &[here], "?next=https://app.example.com/x?a=1%26b=2"),
            // As its older guides do.
            (
                "",
                &[here, ("X-Auth-Request-Redirect", "/x?a=1&b=2")],
                "?next=https://app.example.com/x?a=1%26b=2",
            ),
            (
                "",
                &[("Host", "wiki.example.com"), ("X-Auth-Request-Redirect", "/x")],
                "?next=https://wiki.example.com:8443/x",
            ),
            (
                "",
                &[here, ("X-Auth-Request-Redirect", "https://wiki.example.com:8443/x")],
                "?next=https://wiki.example.com:8443/x",
            ),
            (
                "?rd=/a",
                &[here, ("X-Auth-Request-Redirect", "/oauth2/sign_in?rd=/a")],
                "?next=https://app.example.com/a",
            ),
            // On our own host a path is one of this site.
            ("?rd=/account", &[("Host", "auth.example.com")], "?next=/account"),
            // A link that leads to itself would never end.
            ("", &[here, ("X-Auth-Request-Redirect", "/oauth2/sign_in")], ""),
            ("?rd=/oauth2/start", &[here], ""),
            ("?rd=https://e.com/", &[here], ""),
            ("?rd=/x", &[("Host", "e.com")], ""),
            ("?rd=//e.com", &[("Host", "auth.example.com")], ""),
            ("", &[here, ("X-Auth-Request-Redirect", "https://e.com/")], ""),
            ("", &[here, ("X-Auth-Request-Redirect", "/a"), ("X-Auth-Request-Redirect", "/b")], ""),
            ("", &[here], ""),
        ] {
            let answer = visit.ask("GET", &format!("{path}{query}"), headers, "");
            let expected = format!("{login}{expected}");
            assert_eq!(way(&answer), (302, Some(&*expected)), "{path}{query} {headers:?}");
            assert_eq!(body(&answer), format!("Sign in: {expected}"));
            // nginx answers 403 with this page where a guide says `error_page 401 =403`.
            let page =
                visit.ask("GET", &format!("{path}{query}"), &[headers, &[PAGE]].concat(), "");
            let link = format!("href=\"{}\"", expected.replace('&', "&amp;"));
            assert!(page.status == 302 && body(&page).contains(&link), "{}", body(&page));
        }
    }
    let answer = visit.ask("GET", "/oauth2/sign_out?rd=/x", &[here], "");
    let out = "https://auth.example.com/logout?next=https://app.example.com/x";
    assert_eq!(way(&answer), (302, Some(out)));
    assert_eq!(Visit::new().get("/oauth2/start").status, 404);
}

#[test]
fn leads_on_from_the_portal_of_authelia() {
    let mut visit = Visit::with(aliased(Alias::Authelia));
    let login = "/login?next=https://app.example.com/x?a=1%26b=2";
    for rd in [
        "https://app.example.com/x?a=1&b=2",
        "https%3A%2F%2Fapp.example.com%2Fx%3Fa%3D1%26b%3D2&rm=GET",
    ] {
        let answer = visit.ask("GET", &format!("/?rd={rd}"), &[PAGE], "");
        assert_eq!(way(&answer), (302, Some(login)), "{rd}");
    }
    assert_eq!(way(&visit.get("/?rd=https://e.com/")), (302, Some("/login")));
    let mut visit = with_anna(aliased(Alias::Authelia));
    let answer = visit.ask("GET", "/?rd=https://app.example.com/x?a=1&b=2", &[PAGE], "");
    assert_eq!(way(&answer), (302, Some("https://app.example.com/x?a=1&b=2")));
    assert_eq!(visit.get("/?rd=https://e.com/").status, 200);
    assert_eq!(visit.get("/").status, 200);
    let mut other = with_anna(of_example());
    assert_eq!(other.get("/?rd=https://app.example.com/").status, 200, "without the alias");
}

/// Its guide lets nginx write the address as it came, with parameters of vouch behind it.
#[test]
fn keeps_an_address_whole_that_a_guide_of_vouch_or_tinyauth_has_not_encoded() {
    for (alias, query) in [
        (
            Alias::Vouch,
            "url=https://app.example.com/x?a=1&b=2&vouch-failcount=&X-Vouch-Token=&error=",
        ),
        (Alias::Tinyauth, "redirect_uri=https://app.example.com/x?a=1&b=2"),
    ] {
        let mut visit = Visit::with(aliased(alias));
        let page = visit.ask("GET", &format!("/login?{query}"), &[PAGE], "");
        let hidden = "name=\"next\" value=\"https://app.example.com/x?a=1&amp;b=2\"";
        assert!(body(&page).contains(hidden), "{query}: {}", body(&page));
    }
}

// Scripts.

fn with_basic() -> Visit {
    let mut visit = with_anna(Settings { basic_auth: true, ..of_example() });
    visit.forget_everything();
    visit
}

fn ask_with(visit: &mut Visit, authorization: &str) -> Response {
    visit.ask("GET", "/auth/nginx", &[("Authorization", authorization)], "")
}

#[test]
fn takes_no_password_on_a_check_unless_told_to() {
    let mut visit = with_anna(of_example());
    visit.forget_cookie();
    assert_eq!(ask_with(&mut visit, &basic("anna", "correct horse")).status, 401);
    let request =
        visit.request("GET", "/auth/nginx", &[("Authorization", &basic("anna", "x"))], "");
    assert_eq!(visit.site.lane(&request, visit.now), Lane::Read);
}

#[test]
fn lets_a_script_through_with_name_and_password() {
    let mut visit = with_basic();
    for name in ["anna", "ANNA"] {
        let answer = ask_with(&mut visit, &basic(name, "correct horse"));
        assert_eq!((answer.status, answer.value("Remote-User")), (200, Some("anna")));
    }
    assert_eq!(visit.count("user_session"), 1, "no session is made for it");
    for wrong in [
        basic("anna", "wrong"),
        basic("nobody", "correct horse"),
        basic("", ""),
        basic("anna", ""),
        "Basic".to_owned(),
        "Basic !!!".to_owned(),
        "Basic YW5uYQ==".to_owned(),
        "Digest x".to_owned(),
    ] {
        let answer = ask_with(&mut visit, &wrong);
        assert_eq!(answer.status, 401, "{wrong}");
        assert!(!has_identity(&answer));
    }
    assert_eq!(
        visit.ask("GET", "/", &[("Authorization", &basic("anna", "correct horse"))], "").status,
        302,
        "it opens no page of ours"
    );
}

#[test]
fn never_raises_the_browsers_pop_up_unasked() {
    let mut visit = with_basic();
    for authorization in ["", &basic("anna", "wrong")] {
        assert_eq!(ask_with(&mut visit, authorization).value("WWW-Authenticate"), Some("Bearer"));
        assert_eq!(forward(&mut visit, "/auth/forward", &[PAGE]).status, 302);
    }
    let challenge = Some("Basic realm=\"vestibule\", charset=\"UTF-8\"");
    assert_eq!(visit.get("/auth/nginx?basic=1").value("WWW-Authenticate"), challenge);
    let answer = forward(&mut visit, "/auth/forward?basic=1", &[PAGE]);
    assert_eq!((answer.status, answer.value("WWW-Authenticate")), (401, challenge));
    let mut off = Visit::with(of_example());
    assert_eq!(off.get("/auth/nginx?basic=1").value("WWW-Authenticate"), Some("Bearer"));
}

#[test]
fn counts_a_wrong_password_on_a_check_like_any_other() {
    let mut visit = with_basic();
    for _ in 0..6 {
        assert_eq!(ask_with(&mut visit, &basic("anna", "wrong")).status, 401);
    }
    let answer = ask_with(&mut visit, &basic("anna", "correct horse"));
    assert_eq!((answer.status, answer.value("Retry-After")), (401, Some("1")));
    assert_eq!(answer.note.event.name(), "throttled");
    let answer = visit.post("/login", &[("username", "anna"), ("password", "correct horse")]);
    assert_eq!(answer.status, 429, "the sign-in form counts the same");
    let authorization = basic("anna", "correct horse");
    let answer = forward(&mut visit, "/auth/forward", &[("Authorization", &authorization)]);
    assert_eq!((answer.status, answer.value("Retry-After")), (429, Some("1")));
    visit.wait(Duration::from_secs(1));
    assert_eq!(ask_with(&mut visit, &authorization).status, 200);
}

#[test]
fn tells_the_operator_on_which_account_a_check_was_tried() {
    let mut visit = with_basic();
    let id = visit.raw().text("SELECT id FROM user");
    let token = format!("vst_{}", "a".repeat(40));
    for (name, account) in [("anna", Some(&*id)), ("nobody", None)] {
        for password in ["", &token, "wrong", "wrong", "wrong", "wrong", "wrong", "wrong"] {
            let answer = ask_with(&mut visit, &basic(name, password));
            assert_eq!(answer.note.event.name(), "login_fail");
            assert_eq!(account_in(&answer), account, "{name} {password}");
        }
        let answer = ask_with(&mut visit, &basic(name, "wrong"));
        assert_eq!((answer.note.event.name(), account_in(&answer)), ("throttled", account));
        assert!(answer.note.fields.iter().any(|(field, _)| *field == "name"));
    }
}

/// wget, `curl --anyauth`, git and Python's urllib send a password only after a challenge; a browser prompts for one.
#[test]
fn challenges_what_is_plainly_no_browser_for_a_password_and_no_browser() {
    const BOTH: &str = "Basic realm=\"vestibule\", charset=\"UTF-8\", Bearer";
    let agent = |name: &'static str| ("User-Agent", name);
    let gecko = agent("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0");
    let mut visit = with_basic();
    let mut challenge = |headers: &[(&str, &str)]| {
        let nginx = [headers, &[("X-Original-URL", APP)]].concat();
        let nginx = visit.ask("GET", "/auth/nginx", &nginx, "");
        let forward = forward(&mut visit, "/auth/forward", headers);
        let of = |answer: &Response| {
            let given = answer.headers.iter().filter(|(name, _)| *name == "WWW-Authenticate");
            assert_eq!((answer.status, given.count()), (401, 1), "{headers:?}");
            answer.value("WWW-Authenticate").unwrap().to_owned()
        };
        assert_eq!(of(&nginx), of(&forward), "{headers:?}");
        of(&nginx)
    };
    for headers in [
        &[agent("curl/7.88.1"), ("Accept", "*/*")][..],
        &[agent("Wget/1.21.3"), ("Accept", "*/*"), ("Accept-Encoding", "identity")],
        &[agent("Python-urllib/3.11"), ("Accept-Encoding", "identity")],
        &[agent("git/2.39.5"), ("Accept", "*/*"), ("Git-Protocol", "version=2")],
        &[agent("DAVx5/4.4 (Android 14)"), ("Accept", "application/json")],
        &[agent("curl/7.88.1"), ("Authorization", "Basic YW5uYTp3cm9uZw==")],
        &[agent("curl/7.88.1"), ("Cookie", "theme=dark")],
    ] {
        assert_eq!(challenge(headers), BOTH, "{headers:?}");
    }
    for headers in [
        // Nothing tells who asks, as where a proxy passes no field of the request on.
        &[][..],
        &[("Accept", "*/*")],
        // Pictures, styles and scripts of browsers, with Fetch Metadata and without.
        &[gecko, ("Accept", "image/avif,image/webp,*/*")],
        &[gecko, ("Accept", "*/*"), ("Sec-Fetch-Mode", "no-cors")],
        &[agent("Opera/9.80 (X11; Linux x86_64)"), ("Accept", "*/*")],
        &[agent("curl/7.88.1"), ("Accept", "*/*"), ("Sec-Fetch-Mode", "cors")],
        &[agent("curl/7.88.1"), ("Accept", "*/*"), ("Sec-Fetch-Dest", "image")],
        &[agent("custom"), ("Accept", "*/*"), ("Origin", "https://app.example.com")],
        &[agent("custom"), ("Accept", "*/*"), ("X-Requested-With", "XMLHttpRequest")],
        &[agent("AppleCoreMedia/1.0.0.21F90 (iPhone; U; CPU OS 17_5)"), ("Accept", "*/*")],
        &[agent("custom"), ("Accept", "*/*"), ("Cookie", "__Secure-auth_session=ended")],
        // Of the proxy itself, where the request names no program, or is not passed on.
        &[agent("Go-http-client/1.1"), ("Accept-Encoding", "gzip")],
    ] {
        assert_eq!(challenge(headers), "Bearer", "{headers:?}");
    }
    let page = [agent("w3m/0.5.3"), PAGE];
    assert_eq!(forward(&mut visit, "/auth/forward", &page).status, 302);
    let answer = visit.ask("GET", "/auth/nginx", &page, "");
    assert_eq!((answer.status, answer.value("WWW-Authenticate")), (401, Some("Bearer")));
    let mut without = Visit::with(of_example());
    let answer = without.ask("GET", "/auth/nginx", &[agent("curl/7.88.1")], "");
    assert_eq!(answer.value("WWW-Authenticate"), Some("Bearer"), "nothing takes a password");
}

#[test]
fn remembers_a_password_for_a_minute_and_no_longer_than_it_holds() {
    let mut visit = with_basic();
    let authorization = basic("anna", "correct horse");
    let lane = |visit: &Visit| {
        let headers = [("Authorization", &*authorization)];
        visit.site.lane(&visit.request("GET", "/auth/nginx", &headers, ""), visit.now)
    };
    let computed = |visit: &mut Visit| {
        let before = visit.site.hashes_computed();
        assert_eq!(ask_with(visit, &authorization).status, 200);
        visit.site.hashes_computed() - before
    };
    assert_eq!(lane(&visit), Lane::Hash);
    assert_eq!(computed(&mut visit), 1);
    assert_eq!((lane(&visit), computed(&mut visit)), (Lane::Read, 0));
    visit.wait(Duration::from_secs(60));
    assert_eq!((lane(&visit), computed(&mut visit)), (Lane::Hash, 0), "the last moment");
    visit.wait(Duration::from_millis(1));
    assert_eq!((lane(&visit), computed(&mut visit)), (Lane::Hash, 1));
    // Disabled, changed or gone, it opens nothing from that moment on.
    operate(&visit, |store, id| drop(users::disable(store, id, "", crate::visit::MORNING)));
    assert_eq!(ask_with(&mut visit, &authorization).status, 401);
    operate(&visit, |store, id| drop(users::enable(store, id)));
    assert_eq!(ask_with(&mut visit, &authorization).status, 200);
    visit.post("/login", &[("username", "anna"), ("password", "correct horse")]);
    let passwords = [("current_password", "correct horse"), ("password", "battery staple")];
    assert_eq!(visit.post("/account/password", &passwords).status, 302);
    visit.forget_cookie();
    assert_eq!(ask_with(&mut visit, &authorization).status, 401);
    assert_eq!(ask_with(&mut visit, &basic("anna", "battery staple")).status, 200);
    operate(&visit, |store, id| drop(users::delete(store, id, Rest::default(), None, MORNING)));
    assert_eq!(ask_with(&mut visit, &basic("anna", "battery staple")).status, 401);
}

#[test]
fn hands_a_proxy_all_cookies_of_the_client_but_the_session_cookie_if_it_is_told_to() {
    let mut visit = Visit::with(of_example());
    visit.post("/signup", &[("username", "anna"), ("password", "correct horse battery")]);
    visit.device = None;
    let asked = [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "app.example.com"),
        ("X-Forwarded-Uri", "/"),
        ("Cookie", "theme=dark; auth_session=old;  __Host-auth_session=x; empty; a=b=c"),
    ];
    let answer = visit.ask("GET", "/auth/forward?cookies=filtered", &asked, "");
    assert_eq!((answer.status, answer.value("Cookie")), (200, Some("theme=dark; empty; a=b=c")));
    assert!(visit.cookie.is_some(), "it came with the request as well");
    // A client that asks for the same of the app changes nothing.
    let copied = [asked[0], asked[1], ("X-Forwarded-Uri", "/?cookies=filtered"), asked[3]];
    let answer = visit.ask("GET", "/auth/forward?cookies=filtered", &copied, "");
    assert_eq!((answer.status, answer.value("Cookie")), (200, Some("theme=dark; empty; a=b=c")));
    let bare = visit.ask("GET", "/auth/forward?cookies=filtered", &asked[..3], "");
    assert_eq!((bare.status, bare.value("Cookie")), (200, Some("")));
    assert_eq!(visit.ask("GET", "/auth/forward", &asked, "").value("Cookie"), None);
    visit.cookie = None;
    assert_eq!(
        visit.ask("GET", "/auth/forward?cookies=filtered", &asked, "").value("Cookie"),
        None
    );
}
