//! The meaning of a response. Pure: from responses to findings.
//!
//! Decides which responses a guarded app may give, and what to do about any other. Every fault says
//! what is wrong and, after a semicolon, what to do.

use url::Url;

use super::wire::Reply;
use crate::base::origin;
use crate::cli::proxy_config::other_spellings;
use crate::web::next::NEXT_NAMES;

/// A reserved host name (RFC 2606) that forged headers contain, so that it can be found in responses.
pub(super) const STRANGER: &str = "evil.example";

/// What was found: that something is right, or what is wrong and what to do.
pub(super) type Finding = Result<String, String>;

/// How a path is guarded, as one response shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Guard {
    /// A redirect to a sign-in page: the URL without its query, and the address that it leads back to.
    SignIn { status: u16, page: Url, back: Option<String> },
    /// A redirect to a sign-in page that names no host.
    Relative(String),
    /// 401 or 403.
    Locked(u16),
    /// 5xx.
    Broken(u16),
    /// Any other status: the response is not the gate's.
    Open(u16),
}

impl Guard {
    /// Reads it from a response.
    pub fn of(reply: &Reply) -> Self {
        match reply.status {
            status @ (401 | 403) => Self::Locked(status),
            status @ 300..=399 => Self::of_redirect(status, reply.values("location").next()),
            status @ 500.. => Self::Broken(status),
            status => Self::Open(status),
        }
    }

    fn of_redirect(status: u16, location: Option<&str>) -> Self {
        let Some(location) = location else { return Self::Open(status) };
        let is_relative = |err| err == url::ParseError::RelativeUrlWithoutBase;
        match Url::parse(location) {
            Ok(mut page) if is_web(&page) && leads_to_sign_in(&page) => {
                let back = back_of(&page);
                page.set_query(None);
                page.set_fragment(None);
                Self::SignIn { status, page, back }
            }
            Err(err) if is_relative(err) => {
                let base = Url::parse("http://relative.invalid").expect("it is an address");
                match base.join(location) {
                    Ok(page) if leads_to_sign_in(&page) => Self::Relative(location.to_owned()),
                    _ => Self::Open(status),
                }
            }
            _ => Self::Open(status),
        }
    }

    /// Whether it keeps out requests without a session.
    pub fn is_shut(&self) -> bool {
        matches!(self, Self::SignIn { .. } | Self::Locked(_))
    }

    fn leads_as(&self, to: &Url, to_back: Option<&str>) -> bool {
        matches!(self, Self::SignIn { page, back, .. } if page == to && back.as_deref() == to_back)
    }

    /// The sign-in page that it leads to, if it does.
    pub fn page(&self) -> Option<&Url> {
        match self {
            Self::SignIn { page, .. } => Some(page),
            _ => None,
        }
    }
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

/// Whether a URL is that of a sign-in page: by its path, or by a parameter with the address to lead back to.
fn leads_to_sign_in(page: &Url) -> bool {
    page.path().ends_with("/login") || back_of(page).is_some()
}

/// The address that a sign-in page is to lead back to, if its URL has one.
pub(super) fn back_of(page: &Url) -> Option<String> {
    let value = |name| page.query_pairs().find(|(given, _)| given == name);
    NEXT_NAMES.iter().find_map(|name| value(*name)).map(|(_, value)| value.into_owned())
}

/// Judges the response to a visitor without a session who follows a link to the app. `others` is the
/// sign-in page that another path leads to.
pub(super) fn navigation(what: &str, guard: &Guard, others: Option<&Url>) -> Finding {
    match guard {
        Guard::SignIn { page, .. } if page.scheme() == "http" && !is_loopback(page) => {
            Err(format!(
                "{what} leads to {page}, and passwords would cross the network in clear; give \
                 vestibule an https --origin"
            ))
        }
        Guard::SignIn { page, .. } if others.is_some_and(|it| it != page) => {
            let other = others.map_or("", Url::as_str);
            Err(format!(
                "{what} leads to {page}, and another path to {other}; let one gate guard every \
                 location"
            ))
        }
        Guard::SignIn { page, .. } => Ok(format!("{what} without a session leads to {page}")),
        Guard::Locked(status) => Ok(format!("{what} without a session answers {status}")),
        other => Err(unguarded(what, other)),
    }
}

/// The fault in a response that is not the gate's.
fn unguarded(what: &str, guard: &Guard) -> String {
    match guard {
        Guard::Relative(location) => format!(
            "{what} leads to {location}, which a browser looks for at the app; let the gate answer \
             with the whole address of its sign-in page: set vestibule's --origin"
        ),
        Guard::Broken(status) => format!(
            "{what} answered {status} without a session: the gate cannot be reached or refuses \
             what the proxy asks; see that vestibule runs at the address in the proxy's configuration, and read the \
             proxy's error log"
        ),
        Guard::Open(status @ 300..=399) => format!(
            "{what} answered {status} without a session and leads to no sign-in page: the app is \
             open; guard every location"
        ),
        Guard::Open(status @ 200..=299) => {
            format!(
                "{what} answered {status} without a session: the app is open; guard every location"
            )
        }
        Guard::Open(101) => format!(
            "{what} answered 101 without a session: the app talks to any client; guard every location"
        ),
        Guard::Open(status) | Guard::Locked(status) | Guard::SignIn { status, .. } => format!(
            "{what} answered {status} without a session, which is not the gate's answer but one \
             from behind it: the app is open; guard every location"
        ),
    }
}

/// Judges whether the sign-in page is told exactly the address that was requested.
pub(super) fn way_back(what: &str, asked: &Url, page: &Url, back: Option<&str>) -> Finding {
    let Some(back) = back else {
        return Err(format!(
            "{what} does not tell the sign-in page where to lead back to; see next_refused in vestibule's log, \
             and hand the gate's own Location on to the browser, unchanged"
        ));
    };
    // On the same origin, a path is enough.
    if page.join(back).is_ok_and(|it| it == *asked) {
        return Ok(format!("{what} tells the sign-in page the whole address"));
    }
    let advice = if back.starts_with("http:") && asked.scheme() == "https" {
        "let the proxy tell the gate the scheme: X-Forwarded-Proto, or the whole X-Original-URL"
    } else {
        "let the proxy tell the gate the address as the browser sent it, and hand the gate's own \
         Location on unchanged"
    };
    let rest = asked.as_str().strip_prefix(back);
    if rest.is_some_and(|rest| rest.starts_with('&')) {
        return Err(format!(
            "{what}: the address to lead back to is cut at its first &, as in {back}; write no \
             $request_uri into a parameter (nginx cannot encode it), but hand the gate's own \
             Location on"
        ));
    }
    Err(format!("{what}: the address to lead back to became {back} from {asked}; {advice}"))
}

/// The effect of a forged header. `None`: there is none, or the proxy refused the request.
pub(super) fn forgery(plain: &Guard, forged: &Guard) -> Option<String> {
    match forged {
        Guard::Locked(_) | Guard::Open(400 | 431) => None,
        Guard::SignIn { page, back, .. } if plain.leads_as(page, back.as_deref()) => None,
        Guard::SignIn { page, back: Some(back), .. } if plain.page() == Some(page) => {
            Some(format!("it will lead back to {back}"))
        }
        Guard::SignIn { page, .. } => Some(format!("it leads to {page}")),
        Guard::Relative(location) => Some(format!("it leads to {location}")),
        Guard::Open(status @ 200..=299) => Some(format!("it answered {status}: the app is open")),
        Guard::Open(status) | Guard::Broken(status) => Some(format!("it answered {status}")),
    }
}

/// Judges the response to a form that is posted without a session.
pub(super) fn post(what: &str, guard: &Guard) -> Finding {
    match guard {
        Guard::Locked(status) => Ok(format!("{what} without a session answers {status}")),
        Guard::SignIn { status: 303, page, .. } => {
            Ok(format!("{what} without a session leads to {page} with 303"))
        }
        Guard::SignIn { status: status @ (307 | 308), .. } => Err(format!(
            "{what} answered {status}: browsers send the body again, to the sign-in page; answer \
             303 or 401"
        )),
        Guard::SignIn { status, .. } => Err(format!(
            "{what} answered {status}: a client may post again, to the sign-in page; answer 303 or \
             401 (in nginx: `error_page 401 =303 …`)"
        )),
        other => Err(unguarded(what, other)),
    }
}

/// Judges the response to a script or a WebSocket without a session: a sign-in page is of no use to them.
pub(super) fn machine(what: &str, guard: &Guard) -> Finding {
    match guard {
        Guard::Locked(status) => Ok(format!("{what} without a session answers {status}")),
        Guard::SignIn { status, .. } => Err(format!(
            "{what} answered {status}: a program gets a sign-in page in place of data; answer 401 \
             unless the request accepts text/html"
        )),
        other => Err(unguarded(what, other)),
    }
}

/// Judges the response of the app to a user with a session. `None`: the user is denied access, which
/// shows nothing about the set-up.
pub(super) fn admission(what: &str, guard: &Guard) -> Option<Finding> {
    Some(match guard {
        Guard::Locked(403) => return None,
        Guard::SignIn { .. } | Guard::Relative(_) | Guard::Locked(_) => {
            Err(format!("{what} is turned away; let the proxy hand the Cookie header to the gate"))
        }
        Guard::Broken(status) => Err(format!(
            "{what} answered {status}: the app or the gate fails; read the proxy's \
             error log"
        )),
        Guard::Open(_) => Ok(format!("{what} gets through")),
    })
}

/// Whether the host is this machine, so that requests to it cross no network.
pub(super) fn is_loopback(url: &Url) -> bool {
    url.host().is_some_and(|it| origin::is_loopback(&it))
}

/// A forged header, with a value that can be recognised in a response.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Forged {
    pub name: String,
    /// The header that an app may take it for.
    pub means: String,
    pub value: String,
    /// The text to look for in a response.
    pub mark: String,
}

/// Every spelling of the headers that tell the app who the user is. Apps behind CGI or WSGI cannot tell
/// `-` from `_`, and often not from `.` either.
pub(super) fn forged_identity(names: &[String], mark: &str) -> Vec<Forged> {
    let all = |means: &String| {
        let all = std::iter::once(means.clone()).chain(other_spellings(means));
        all.map(|it| (it, means.clone())).collect::<Vec<_>>()
    };
    let spellings: Vec<_> = names.iter().flat_map(all).collect();
    let forged = |(index, (name, means)): (usize, (String, String))| {
        let mark = format!("{mark}-{index:02}-");
        let is_groups = name.to_ascii_lowercase().contains("group");
        let value = if is_groups { format!("admin,{mark}") } else { mark.clone() };
        Forged { name, means, value, mark }
    };
    spellings.into_iter().enumerate().map(forged).collect()
}

/// The headers in which proxies report the original request, forged by a client.
pub(super) fn forged_addresses() -> Vec<Forged> {
    [
        ("X-Forwarded-Host", STRANGER.to_owned()),
        ("X-Forwarded-Proto", "http".to_owned()),
        ("X-Forwarded-Uri", format!("//{STRANGER}/")),
        ("X-Forwarded-Method", "OPTIONS".to_owned()),
        ("X-Forwarded-For", "127.0.0.1".to_owned()),
        ("X-Original-URL", format!("https://{STRANGER}/")),
        ("X-Original-Method", "OPTIONS".to_owned()),
        ("X-Rewrite-URL", format!("//{STRANGER}/")),
        ("Forwarded", format!("for=127.0.0.1;host={STRANGER};proto=http")),
    ]
    .map(|(name, value)| {
        let (name, mark) = (name.to_owned(), STRANGER.to_owned());
        Forged { means: name.clone(), name, value, mark }
    })
    .into()
}

/// The forged headers that the app received, as a response shows.
pub(super) fn shown<'a>(reply: &Reply, forged: &'a [Forged]) -> Vec<&'a Forged> {
    let headers = reply.headers.iter().map(|(_, value)| value.to_lowercase());
    let texts: Vec<_> = headers.chain([reply.body.to_lowercase()]).collect();
    let is_shown = |it: &&Forged| texts.iter().any(|text| text.contains(&it.mark));
    forged.iter().filter(is_shown).collect()
}

/// The fault of an app that received forged headers.
pub(super) fn receipt(what: &str, forged: &[&Forged]) -> String {
    let names: Vec<_> = forged.iter().map(|it| &*it.name).collect();
    let meaning = if forged.iter().any(|it| it.name == it.means) {
        "any client can be any user"
    } else {
        "any client can be any user if it reads them as with -, as CGI and WSGI do with _"
    };
    format!(
        "{what}: the app received forged {}, and {meaning}; let the proxy overwrite or drop each, \
         in every location",
        names.join(", ")
    )
}

/// Whether the app shows that it knows the user: its response contains one of these words.
pub(super) fn names_user(reply: &Reply, words: &[String]) -> bool {
    let texts = reply.headers.iter().map(|(_, value)| value).chain([&reply.body]);
    let texts: Vec<_> = texts.map(|it| it.to_lowercase()).collect();
    let is_apart = |it: Option<char>| it.is_none_or(|it| !it.is_alphanumeric());
    words.iter().map(|it| it.to_lowercase()).filter(|it| !it.is_empty()).any(|word| {
        texts.iter().any(|text| {
            text.match_indices(&word).any(|(at, _)| {
                is_apart(text[..at].chars().next_back())
                    && is_apart(text[at + word.len()..].chars().next())
            })
        })
    })
}

/// The fault of a sign-in that started no session.
pub(super) fn no_session(what: &str, reply: &Reply) -> String {
    let advice = match reply.status {
        429 => "wait, or let the user try again at once with vestibule user unlock",
        403 => "see csrf_reject in vestibule's log: its --origin is not where browsers reach it",
        500.. => "see vestibule's log",
        _ => "check the name, the password, and the code of the second factor if there is one",
    };
    format!("{what} gave no session: {}; {advice}", refusal(reply))
}

/// The status and the sentence of a refused sign-in, shortened to one line.
fn refusal(reply: &Reply) -> String {
    let line = reply.body.lines().next().unwrap_or_default();
    let text: String = line.chars().filter(|it| !it.is_control()).take(80).collect();
    let is_page = text.contains('<');
    if text.is_empty() || is_page {
        reply.status.to_string()
    } else {
        format!("{} {text}", reply.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: &str = "https://app.example.com/a?x=1&y=a%20b&z=%C3%A9";
    const PAGE: &str = "https://auth.example.com/login";

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Reply {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Reply { status, headers: headers.iter().map(owned).collect(), body: body.to_owned() }
    }

    fn leading(status: u16, location: &str) -> Guard {
        Guard::of(&reply(status, &[("Location", location)], ""))
    }

    fn sign_in(status: u16, back: &str) -> Guard {
        Guard::SignIn { status, page: url(PAGE), back: Some(back.to_owned()) }
    }

    fn told(finding: Finding) -> String {
        finding.unwrap_or_else(|text| text)
    }

    #[test]
    fn reads_what_stands_before_a_path() {
        let of = |status| Guard::of(&reply(status, &[], ""));
        assert_eq!([of(401), of(403)], [Guard::Locked(401), Guard::Locked(403)]);
        assert_eq!([of(500), of(502)], [Guard::Broken(500), Guard::Broken(502)]);
        for status in [101, 200, 204, 302, 404, 405] {
            assert_eq!(of(status), Guard::Open(status));
        }
        let back = "https://app.example.com/";
        for location in [
            "https://auth.example.com/login?next=https%3A%2F%2Fapp.example.com%2F",
            "https://auth.example.com/login?rd=https://app.example.com/#x",
        ] {
            assert_eq!(leading(302, location), sign_in(302, back), "{location}");
        }
        let bare = Guard::SignIn { status: 303, page: url(PAGE), back: None };
        assert_eq!(leading(303, PAGE), bare);
        assert!(matches!(leading(302, "https://a.test/go?rd=/x"), Guard::SignIn { .. }));
        for location in ["/login", "login?next=/", "//auth.test/login", "?next=/"] {
            assert_eq!(leading(302, location), Guard::Relative(location.to_owned()), "{location}");
        }
        for location in
            ["/", "/home", "https://app.example.com/home", "ftp://a.test/login", "https://"]
        {
            assert_eq!(leading(301, location), Guard::Open(301), "{location}");
        }
    }

    #[test]
    fn finds_every_answer_without_a_session_that_is_not_the_gates() {
        let check = |guard: &Guard| navigation("GET /x", guard, Some(&url(PAGE)));
        for guard in [sign_in(302, "x"), Guard::Locked(401), Guard::Locked(403)] {
            assert!(check(&guard).is_ok(), "{guard:?}");
        }
        for (guard, expected) in [
            (Guard::Open(200), "guard every location"),
            (Guard::Open(404), "from behind it"),
            (Guard::Open(301), "no sign-in page"),
            (Guard::Broken(500), "error log"),
            (Guard::Relative("/login".to_owned()), "--origin"),
            (leading(302, "http://auth.example.com/login"), "in clear"),
            (leading(302, "https://other.example.com/login"), "one gate"),
        ] {
            let text = check(&guard).unwrap_err();
            assert!(text.starts_with("GET /x ") && text.contains(expected), "{text}");
        }
        for page in [PAGE, "http://auth.localhost:8080/login"] {
            assert!(navigation("", &leading(302, page), None).is_ok(), "{page}");
        }
    }

    #[test]
    fn wants_the_very_address_to_be_led_back_to() {
        let check = |back| way_back("GET /a", &url(ASKED), &url(PAGE), back);
        assert!(check(Some(ASKED)).is_ok());
        assert!(check(Some("https://app.example.com:443/a?x=1&y=a%20b&z=%C3%A9")).is_ok());
        let here = url("https://app.example.com/login");
        assert!(way_back("", &url(ASKED), &here, Some("/a?x=1&y=a%20b&z=%C3%A9")).is_ok());
        for (back, expected) in [
            (None, "does not tell"),
            (Some("https://app.example.com/a?x=1"), "first &"),
            (Some("https://app.example.com/a"), "became"),
            (Some("http://app.example.com/a?x=1&y=a%20b&z=%C3%A9"), "X-Forwarded-Proto"),
            (Some("/a?x=1&y=a%20b&z=%C3%A9"), "became"),
            (Some("https://app.example.com/a?x=1&y=a+b&z=%C3%A9"), "became"),
            (Some("https://evil.example/"), "became"),
            (Some(""), "became"),
        ] {
            let text = check(back).unwrap_err();
            assert!(text.contains(expected), "{back:?}: {text}");
        }
        let cut = leading(302, &format!("{PAGE}?rd={ASKED}"));
        let Guard::SignIn { page, back, .. } = cut else { panic!("{cut:?}") };
        let text = way_back("GET /a", &url(ASKED), &page, back.as_deref()).unwrap_err();
        assert!(text.contains("first &") && text.contains("$request_uri"), "{text}");
    }

    #[test]
    fn finds_what_a_forged_header_changes() {
        let plain = sign_in(302, ASKED);
        let others = [Guard::Locked(403), Guard::Open(400), Guard::Open(431)];
        for guard in [plain.clone(), sign_in(303, ASKED)].into_iter().chain(others) {
            assert_eq!(forgery(&plain, &guard), None, "{guard:?}");
        }
        assert_eq!(forgery(&Guard::Locked(401), &Guard::Locked(401)), None);
        for (guard, expected) in [
            (Guard::Open(200), "the app is open"),
            (Guard::Open(404), "404"),
            (Guard::Broken(500), "500"),
            (sign_in(302, "https://evil.example/"), "lead back to https://evil.example/"),
            (leading(302, "https://evil.example/login"), "leads to https://evil.example/login"),
            (leading(302, PAGE), "leads to"),
            (leading(302, "/login"), "leads to /login"),
        ] {
            let text = forgery(&plain, &guard).unwrap();
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn wants_forms_answered_without_their_body_being_sent_again() {
        for (guard, expected) in [
            (Guard::Locked(401), "answers 401"),
            (sign_in(303, ASKED), "with 303"),
            (sign_in(302, ASKED), "answer 303"),
            (sign_in(307, ASKED), "send the body again"),
            (sign_in(308, ASKED), "send the body again"),
            (Guard::Open(405), "from behind it"),
            (Guard::Broken(502), "error log"),
        ] {
            let finding = post("POST /", &guard);
            let is_good = matches!(guard, Guard::Locked(_) | Guard::SignIn { status: 303, .. });
            assert_eq!(finding.is_ok(), is_good, "{guard:?}");
            assert!(told(finding).contains(expected), "{guard:?}");
        }
    }

    #[test]
    fn wants_no_machine_to_be_led_to_a_page() {
        for (guard, expected) in [
            (Guard::Locked(401), "answers 401"),
            (sign_in(302, ASKED), "text/html"),
            (Guard::Open(101), "talks to any client"),
            (Guard::Open(426), "from behind it"),
        ] {
            let finding = machine("a WebSocket to /", &guard);
            assert_eq!(finding.is_ok(), guard == Guard::Locked(401), "{guard:?}");
            assert!(told(finding).contains(expected), "{guard:?}");
        }
    }

    #[test]
    fn wants_a_session_to_be_let_through() {
        let found = |guard: &Guard| admission("GET /", guard).map(|it| it.is_ok());
        assert_eq!(found(&Guard::Open(200)), Some(true));
        assert_eq!(found(&Guard::Open(404)), Some(true));
        assert_eq!(found(&Guard::Locked(403)), None);
        assert_eq!(found(&Guard::Locked(401)), Some(false));
        assert_eq!(found(&sign_in(302, ASKED)), Some(false));
        assert_eq!(found(&Guard::Broken(500)), Some(false));
    }

    #[test]
    fn forges_every_spelling_and_knows_each_again() {
        let forged = forged_identity(&["Remote-User".into(), "X-Groups".into(), "Who".into()], "m");
        let names: Vec<_> = forged.iter().map(|it| &*it.name).collect();
        let expected = [
            "Remote-User",
            "Remote_User",
            "Remote.User",
            "X-Groups",
            "X_Groups",
            "X.Groups",
            "Who",
        ];
        assert_eq!(names, expected);
        assert_eq!(forged[4].value, "admin,m-04-");
        let shows = |headers: &[(&str, &str)], body| {
            let reply = reply(200, headers, body);
            shown(&reply, &forged).into_iter().map(|it| &*it.name).collect::<Vec<_>>()
        };
        let text = receipt("GET /", &[&forged[1], &forged[2]]);
        assert!(text.starts_with("GET /: the app received forged Remote_User, Remote.User, and"));
        assert!(text.contains("as CGI") && !receipt("", &[&forged[0]]).contains("as CGI"));
        assert_eq!(shows(&[], "user=M-01-"), ["Remote_User"]);
        assert_eq!(shows(&[("X-User", "m-00-")], "m-06-"), ["Remote-User", "Who"]);
        assert_eq!(shows(&[], "m-0 m m-7-"), Vec::<&str>::new());
    }

    #[test]
    fn sees_that_an_app_names_its_user_and_takes_no_part_of_a_word_for_a_name() {
        let names = ["anna".to_owned(), "4xrrwffwf7asqfi".to_owned()];
        for (headers, body, expected) in [
            (&[][..], "<h1>Hello Anna</h1>", true),
            (&[], "REMOTE-USER: ANNA\n", true),
            (&[], "id=4xrrwffwf7asqfi", true),
            (&[("X-User", "anna")], "", true),
            (&[], "Johanna and annabel", false),
            (&[("X-User", "Ännanna")], "", false),
            (&[], "", false),
        ] {
            assert_eq!(names_user(&reply(200, headers, body), &names), expected, "{body}");
        }
        assert!(!names_user(&reply(200, &[], "x"), &[String::new()]));
    }

    #[test]
    fn tells_on_one_line_why_a_sign_in_failed() {
        let page = reply(400, &[], "<!DOCTYPE html>\n");
        let text = reply(400, &[], "Incorrect\u{1b}[2J username\nx");
        assert_eq!(refusal(&page), "400");
        assert_eq!(refusal(&text), "400 Incorrect[2J username");
    }

    #[test]
    fn knows_this_machine() {
        for near in ["http://127.0.0.1:1/", "http://[::1]/", "http://a.localhost/"] {
            assert!(is_loopback(&url(near)), "{near}");
        }
        for far in ["http://example.com/", "http://localhost.evil.example/", "http://10.0.0.1/"] {
            assert!(!is_loopback(&url(far)), "{far}");
        }
    }
}
