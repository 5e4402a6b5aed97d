//! Sites whose usernames are e-mail addresses.

use vestibule::auth::sign_in::Rules;
use vestibule::auth::usernames::NameKind;
use vestibule::web::Settings;
use vestibule::web::http::Response;

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
                         autocomplete=\"username\"";
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
    let odd = "a'b+c=d#e&f?g!$*/^`{|}~-_.@B\u{fc}cher.example";
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
