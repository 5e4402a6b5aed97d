//! Sites whose usernames are e-mail addresses.

use vestibule::auth::sign_in::Rules;
use vestibule::auth::usernames::NameKind;
use vestibule::web::http::Response;
use vestibule::web::mail::Outgoing;
use vestibule::web::{Settings, SignUpEmail};

use super::forgotten::{link, sent};
use crate::visit::{Visit, basic, body, of_example, plain, way};

const PASSWORD: &str = "three unrelated words";
const PAGE: (&str, &str) = ("Accept", "text/html");

/// Settings with which names are addresses.
fn of_addresses() -> Settings {
    named(of_example())
}

fn named(settings: Settings) -> Settings {
    Settings { rules: Rules { names: NameKind::Address, ..settings.rules }, ..settings }
}

fn long() -> String {
    format!("{}@Example.com", "a".repeat(60))
}

fn sign_up(visit: &mut Visit, name: &str) -> Response {
    visit.forget_everything();
    visit.post("/signup", &[("username", name), ("password", PASSWORD)])
}

fn sign_in(visit: &mut Visit, name: &str) -> Response {
    visit.forget_everything();
    visit.post("/login", &[("username", name), ("password", PASSWORD)])
}

#[test]
fn asks_for_an_address_in_every_language() {
    let labels = [("en", "E-mail address"), ("de", "E-Mail-Adresse"), ("fr", "Adresse e-mail")];
    for (language, label) in labels {
        let mut visit = Visit::with(of_addresses());
        for path in ["/signup", "/login"] {
            let page = visit.ask("GET", path, &[PAGE, ("Accept-Language", language)], "");
            let label = format!("<label for=\"username\">{label}</label>");
            assert!(body(&page).contains(&label), "{label} in {}", body(&page));
            let input = "<input id=\"username\" type=\"email\" name=\"username\" value=\"\" required \
                         autocomplete=\"username";
            assert!(body(&page).contains(input), "{}", body(&page));
        }
    }
    let mut visit = Visit::with(of_example());
    let page = visit.ask("GET", "/signup", &[PAGE], "");
    assert!(!body(&page).contains("type=\"email\""), "{}", body(&page));
    for (settings, kind) in [(of_addresses(), "address"), (of_example(), "name")] {
        let mut visit = Visit::with(settings);
        let form = visit.ask("GET", "/login", &[("Accept", "application/json")], "");
        assert!(body(&form).contains(&format!("\"username_is\":\"{kind}\"")), "{}", body(&form));
    }
}

#[test]
fn takes_addresses_of_any_length_and_signs_in_with_every_spelling() {
    let mut visit = Visit::with(of_addresses());
    for (name, spellings) in [
        (&*long(), vec![long().to_uppercase(), format!(" {} ", long())]),
        ("ann@b\u{fc}cher.example", vec!["Ann@xn--bcher-kva.example".to_owned()]),
        ("bob@xn--bcher-kva.example", vec![" bob@B\u{dc}CHER.example".to_owned()]),
    ] {
        assert_eq!(way(&sign_up(&mut visit, name)), (302, Some("/")), "{name}");
        for spelling in [vec![name.to_owned()], spellings].concat() {
            assert_eq!(sign_in(&mut visit, &spelling).status, 302, "{spelling}");
            let again = sign_up(&mut visit, &spelling);
            assert_eq!(plain(&again), (400, "Username already taken"), "{spelling}");
        }
    }
    let profile = sign_in(&mut visit, &long());
    assert_eq!(profile.status, 302);
    assert!(body(&visit.get("/")).contains(&long()), "it is shown as it was typed");
}

#[test]
fn refuses_at_sign_up_what_is_no_address_or_could_be_another_one() {
    let mut visit = Visit::with(of_addresses());
    assert_eq!(sign_up(&mut visit, "mike@example.com").status, 302);
    for name in [
        "",
        "mike",
        "mike@example",
        "mike@example.com.",
        "mike@example..com",
        "m\u{131}ke@example.com",
        "\u{ff4d}ike@example.com",
        "mi\u{200b}ke@example.com",
        "mike@example.com, eve@evil.example",
        "mike@example.com\r\nRemote-Groups: admin",
        "a@b.c",
        &format!("{}@example.com", "a".repeat(243)),
    ] {
        assert_eq!(plain(&sign_up(&mut visit, name)), (400, "Invalid username"), "{name:?}");
    }
    for twin in ["MIKE@EXAMPLE.COM", "mike@\u{ff45}xample.com", "mike@example\u{3002}com"] {
        assert_eq!(plain(&sign_up(&mut visit, twin)), (400, "Username already taken"), "{twin}");
    }
    assert_eq!(visit.count("user"), 1);
}

#[test]
fn tells_of_an_address_nothing_at_sign_in() {
    let mut visit = Visit::with(of_addresses());
    assert_eq!(sign_up(&mut visit, &long()).status, 302);
    let wrong = "Incorrect username or password";
    for name in [long(), format!("b{}", long()), "eve@evil.example".to_owned()] {
        visit.forget_everything();
        let answer = visit.post("/login", &[("username", &*name), ("password", "wrong")]);
        assert_eq!(plain(&answer), (400, wrong), "{name}");
    }
    let too_long = "a".repeat(300);
    let answer = sign_in(&mut visit, &too_long);
    assert_eq!(plain(&answer), (400, "Invalid username"));
}

#[test]
fn counts_failures_of_an_address_under_its_account_in_every_spelling() {
    let mut visit = Visit::with(of_addresses());
    assert_eq!(sign_up(&mut visit, "ann@b\u{fc}cher.example").status, 302);
    let spellings =
        ["ann@b\u{fc}cher.example", "ANN@xn--bcher-kva.example", " ann@B\u{dc}CHER.example"];
    let waits = (0..12).any(|at| {
        visit.forget_everything();
        let fields = [("username", spellings[at % 3]), ("password", "wrong")];
        visit.post("/login", &fields).status == 429
    });
    assert!(waits);
    for spelling in spellings {
        assert_eq!(sign_in(&mut visit, spelling).status, 429, "{spelling}");
    }
    assert_eq!(sign_up(&mut visit, "bob@example.com").status, 302, "others do not wait");
}

#[test]
fn signs_in_accounts_from_before_with_the_names_that_they_have() {
    let mut visit = Visit::with(of_example());
    for name in ["anna", "ann@example.com"] {
        assert_eq!(sign_up(&mut visit, name).status, 302);
    }
    let mut visit = Visit::over_with(visit.folder, of_addresses());
    for name in ["anna", "ANN@example.com"] {
        assert_eq!(sign_in(&mut visit, name).status, 302, "{name}");
    }
    assert_eq!(plain(&sign_up(&mut visit, "Ann@example.com")), (400, "Username already taken"));
}

#[test]
fn keeps_an_address_as_the_one_of_the_account_until_it_is_verified() {
    let mut visit = Visit::with(Settings { has_mail: true, ..of_addresses() });
    assert_eq!(sign_up(&mut visit, "Ann@Example.com").status, 302);
    let data = visit.ask("GET", "/account/email", &[("Accept", "application/json")], "");
    assert_eq!(body(&data), "{\"email\":\"Ann@Example.com\",\"is_verified\":false}");
    let check = visit.ask("GET", "/auth/forward", &[], "");
    let told = ["Remote-User", "Remote-Name", "Remote-Email"].map(|it| check.value(it));
    assert_eq!(told, [Some("ann@example.com"), Some("Ann@Example.com"), Some("")]);
}

#[test]
fn tells_apps_the_address_and_lets_scripts_through_with_it() {
    let settings = Settings { basic_auth: true, ..of_addresses() };
    let mut visit = Visit::with(settings);
    let odd = "a'b+c=d#e&f?g!$*/^`{|}~-_.h@B\u{fc}cher.example";
    let mailbox = odd.split_once('@').unwrap().0;
    assert_eq!(sign_up(&mut visit, odd).status, 302);
    assert_eq!(sign_up(&mut visit, &long()).status, 302);
    visit.forget_everything();
    for (typed, canonical) in [
        (odd, format!("{mailbox}@xn--bcher-kva.example")),
        (&*long(), long().to_lowercase()),
        (&*long().to_uppercase(), long().to_lowercase()),
    ] {
        let header = basic(typed, PASSWORD);
        let users = format!("/auth/nginx?users={}", typed.replace(['&', '#', '+', '?'], "x"));
        let check = visit.ask("GET", "/auth/nginx", &[("Authorization", &header)], "");
        assert_eq!((check.status, check.value("Remote-User")), (200, Some(&*canonical)));
        let check = visit.ask("GET", &users, &[("Authorization", &header)], "");
        assert_eq!(check.status, if typed == odd { 403 } else { 200 }, "{users}");
    }
    let header = basic("bob@b\u{fc}cher.example", PASSWORD);
    assert_eq!(sign_up(&mut visit, "bob@b\u{fc}cher.example").status, 302);
    visit.forget_everything();
    for listed in
        ["bob@xn--bcher-kva.example", "bob@b%C3%BCcher.example", "BOB@B%C3%9CCHER.example"]
    {
        let check = visit.ask(
            "GET",
            &format!("/auth/nginx?users={listed}"),
            &[("Authorization", &header)],
            "",
        );
        assert_eq!(check.status, 200, "{listed}");
    }
}

#[test]
fn reserves_the_mailboxes_of_an_office_at_its_own_domain_alone() {
    let mut visit = Visit::with(of_addresses());
    for name in [
        "admin@example.com",
        "Post.Master@example.com",
        "root@auth.example.com",
        "admin+a@example.com",
    ] {
        assert_eq!(plain(&sign_up(&mut visit, name)), (400, "Username already taken"), "{name}");
    }
    for name in ["admin@example.org", "anna@example.com"] {
        assert_eq!(sign_up(&mut visit, name).status, 302, "{name}");
    }
}

#[test]
fn keeps_the_address_of_a_deleted_account_reserved_in_every_spelling() {
    let mut visit = Visit::with(of_addresses());
    assert_eq!(sign_up(&mut visit, "ann@b\u{fc}cher.example").status, 302);
    assert_eq!(visit.post("/account/delete", &[("password", PASSWORD)]).status, 302);
    for spelling in ["ann@b\u{fc}cher.example", "ANN@XN--BCHER-KVA.example"] {
        assert_eq!(plain(&sign_up(&mut visit, spelling)), (400, "Username already taken"));
    }
}

#[test]
fn holds_a_new_password_of_a_user_with_a_long_name_to_the_policy() {
    let mut visit = Visit::with(of_addresses());
    assert_eq!(sign_up(&mut visit, &long()).status, 302);
    for weak in ["short", &long(), &"a".repeat(60)] {
        let fields = [("current_password", PASSWORD), ("password", weak)];
        let answer = visit.post("/account/password", &fields);
        assert_eq!(plain(&answer), (400, "Invalid password"), "{weak}");
    }
}

#[test]
fn mails_a_link_with_a_new_account_whose_name_is_an_address() {
    let mut visit = Visit::with(Settings { has_mail: true, ..of_addresses() });
    assert_eq!(way(&sign_up(&mut visit, "Ann@Example.com")), (302, Some("/")));
    let mails = sent(&visit);
    assert_eq!(
        mails.iter().map(|it| (it.kind(), it.to())).collect::<Vec<_>>(),
        [("verify", "Ann@Example.com")]
    );
    let token = link(&mails[0]);
    let token = token.split_once("token=").unwrap().1;
    assert_eq!(visit.post("/verify", &[("token", token)]).status, 302);
    let check = visit.ask("GET", "/auth/forward", &[], "");
    assert_eq!(check.value("Remote-Email"), Some("Ann@Example.com"));
    assert_eq!(visit.post("/forgot", &[("name", "ann@example.com")]).status, 200);
    assert_eq!(sent(&visit)[0].kind(), "reset");
}

#[test]
fn floods_no_address_with_links_by_new_accounts() {
    let settings = of_example();
    let settings = Settings { has_mail: true, sign_up_email: SignUpEmail::Required, ..settings };
    let mut visit = Visit::with(settings);
    for at in 0..5 {
        visit.forget_everything();
        let (name, email) =
            (format!("anna{at}"), ["ann@b\u{fc}cher.example", "ANN@xn--bcher-kva.example"][at % 2]);
        let fields = [("username", &*name), ("email", email), ("password", PASSWORD)];
        assert_eq!(visit.post("/signup", &fields).status, 302, "the account is made in any case");
    }
    assert_eq!((sent(&visit).len(), visit.count("user")), (3, 5));
}

fn asking(choice: SignUpEmail) -> Visit {
    Visit::with(Settings { has_mail: true, sign_up_email: choice, ..of_example() })
}

#[test]
fn asks_for_an_address_beside_the_name_as_the_operator_says() {
    for (choice, attribute, fields) in [
        (SignUpEmail::Off, None, "[\"username\",\"password\"]"),
        (SignUpEmail::Optional, Some(false), "[\"username\",\"email\",\"password\"]"),
        (SignUpEmail::Required, Some(true), "[\"username\",\"email\",\"password\"]"),
    ] {
        let mut visit = asking(choice);
        let page = visit.ask("GET", "/signup", &[PAGE], "");
        let input = |is_required| {
            let required = if is_required { " required" } else { "" };
            format!(
                "<input id=\"email\" type=\"email\" name=\"email\" value=\"\"{required} autocomplete=\"email\""
            )
        };
        let has = |is_required| body(&page).contains(&input(is_required));
        let found = [true, false].into_iter().find(|it| has(*it));
        assert_eq!(found, attribute, "{}", body(&page));
        let form = visit.ask("GET", "/signup", &[("Accept", "application/json")], "");
        assert!(body(&form).contains(fields), "{}", body(&form));
        let page = visit.ask("GET", "/login", &[PAGE], "");
        assert!(!body(&page).contains("type=\"email\""));
    }
}

#[test]
fn makes_the_account_at_once_and_mails_a_link_to_the_address() {
    for (choice, email, status) in [
        (SignUpEmail::Off, "no address", 302),
        (SignUpEmail::Optional, "", 302),
        (SignUpEmail::Optional, "  ", 302),
        (SignUpEmail::Optional, "ann", 400),
        (SignUpEmail::Optional, " Ann@Example.com ", 302),
        (SignUpEmail::Required, "", 400),
        (SignUpEmail::Required, "ann@example.com\r\nBcc: eve@evil.example", 400),
        (SignUpEmail::Required, "\u{ff41}nn@example.com", 400),
        (SignUpEmail::Required, "Ann@Example.com", 302),
    ] {
        let mut visit = asking(choice);
        let fields = [("username", "anna"), ("email", email), ("password", PASSWORD)];
        let answer = visit.post("/signup", &fields);
        assert_eq!(answer.status, status, "{choice:?} {email:?}: {}", body(&answer));
        if status == 400 {
            assert_eq!(plain(&answer), (400, "Invalid e-mail address"));
            assert_eq!(visit.count("user"), 0);
            continue;
        }
        let stored = if email.contains('@') { vec!["Ann@Example.com"] } else { vec![] };
        assert_eq!(sent(&visit).iter().map(Outgoing::to).collect::<Vec<_>>(), stored);
        assert!(visit.is_signed_in());
        let check = visit.ask("GET", "/auth/forward", &[], "");
        assert_eq!(check.value("Remote-Email"), Some(""), "it does not count yet");
    }
}

#[test]
fn shows_the_form_again_with_the_address_and_what_is_wrong_with_it() {
    let mut visit = asking(SignUpEmail::Required);
    let body_of = |visit: &mut Visit, fields: &str| {
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        let answer = visit.ask("POST", "/signup", &[PAGE, form], fields);
        body(&answer).to_owned()
    };
    let page = body_of(&mut visit, "username=anna&email=%3Cann&password=three+unrelated+words");
    assert!(
        page.contains(
            "value=\"&lt;ann\" required autocomplete=\"email\" autofocus aria-invalid=\"true\""
        ),
        "{page}"
    );
    let page = body_of(&mut visit, "username=anna&email=ann%40example.com&password=x");
    assert!(
        page.contains("value=\"ann@example.com\" required autocomplete=\"email\" aria-describedby"),
        "{page}"
    );
    let json = [("Content-Type", "application/json"), ("Accept", "application/json")];
    let data = "{\"username\":\"anna\",\"email\":\"ann\",\"password\":\"three unrelated words\"}";
    let answer = visit.ask("POST", "/signup", &json, data);
    assert!(
        answer.status == 422 && body(&answer).contains("\"invalid_email\""),
        "{}",
        body(&answer)
    );
    // An address that an account has is told to no stranger.
    for name in ["anna", "bertha"] {
        visit.forget_everything();
        let fields = [("username", name), ("email", "ann@example.com"), ("password", PASSWORD)];
        assert_eq!(visit.post("/signup", &fields).status, 302, "{name}");
    }
}
