//! The parts of a request that touch no socket, each as often as is said: `pure PART COUNT`. It is run
//! under valgrind, which counts instructions: see benches/instructions.rs.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use vestibule::base::clock::Moment;
use vestibule::base::password::{Cost, Hasher, Password};
use vestibule::server::gate::head::Head;
use vestibule::store::Sqlite;
use vestibule::web::http::{Method, Request};
use vestibule::web::{Settings, Site};

const NOW: Moment = Moment::from_millis(1_795_507_200_000);

/// A hash that costs little.
const COST: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

/// What Firefox sends, without the cookie.
const HEADERS: [(&str, &str); 9] = [
    ("Host", "auth.example.com"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Connection", "keep-alive"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Priority", "u=0, i"),
];

const FORM: &str = "username=anna.example&password=correct+horse+battery+staple&remember=yes";

fn main() {
    let mut arguments = std::env::args().skip(1);
    let part = arguments.next().expect("PART COUNT");
    let count: u32 = arguments.next().and_then(|it| it.parse().ok()).expect("PART COUNT");
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = part_of(&part, folder.path());
    (0..count).for_each(|_| run());
}

fn part_of(part: &str, folder: &std::path::Path) -> Box<dyn FnMut()> {
    match part {
        "head" => {
            let fields: String =
                HEADERS.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
            let head = format!(
                "GET / HTTP/1.1\r\n{fields}Cookie: auth_session={}\r\n\r\n",
                "a".repeat(40)
            );
            Box::new(move || {
                black_box(Head::parse(black_box(head.as_bytes())).is_ok());
            })
        }
        "form" => {
            let kind = ("Content-Type", "application/x-www-form-urlencoded");
            let request = request(Method::Post, "/login", &[kind], FORM);
            Box::new(move || {
                let body = black_box(&request).form().expect("a form");
                let form = body.fields();
                black_box((form.field("username"), form.field("password")));
            })
        }
        "cookie" => {
            let cookies = format!("theme=dark; auth_device=x; auth_session={}", "a".repeat(40));
            let request = request(Method::Get, "/", &[("Cookie", &cookies)], "");
            Box::new(move || {
                black_box(black_box(&request).cookie("auth_session"));
            })
        }
        "answer" => {
            let (site, request) = signed_in(folder);
            Box::new(move || {
                let answer = site.answer(black_box(&request), NOW);
                assert_eq!(answer.status, 200);
                black_box(answer.write(false, NOW));
            })
        }
        "check" => {
            let (site, request) = checked(folder);
            Box::new(move || {
                let answer = site.answer(black_box(&request), NOW);
                assert_eq!(answer.status, 200);
                black_box(answer.write(false, NOW));
            })
        }
        "sign_in" => {
            let (site, _) = site_with_user(folder, Settings::default());
            let kind = ("Content-Type", "application/x-www-form-urlencoded");
            let request = request(Method::Post, "/login", &[kind], FORM);
            Box::new(move || {
                let answer = site.answer(black_box(&request), NOW);
                assert_eq!(answer.status, 302);
                black_box(answer.write(false, NOW));
            })
        }
        "hash" => {
            let hasher = Hasher::new(1, COST);
            let password = Password::new("correct horse battery staple");
            let hash = hasher.hash(&password);
            Box::new(move || {
                black_box(hasher.verify(black_box(&password), Some(&hash)));
            })
        }
        _ => panic!("head, form, cookie, answer, check, sign_in or hash"),
    }
}

/// A site, and a request for the profile of a signed-in user.
fn signed_in(folder: &std::path::Path) -> (Site, Request) {
    let (site, cookie) = site_with_user(folder, Settings::default());
    let request = request(Method::Get, "/", &[("Cookie", &cookie)], "");
    (site, request)
}

/// A site behind nginx, and the check of a signed-in user's request, with the headers of docs/nginx.md.
fn checked(folder: &std::path::Path) -> (Site, Request) {
    let proxy = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let settings = Settings { trusted_proxies: vec![proxy.into()], ..Settings::default() };
    let (site, cookie) = site_with_user(folder, settings);
    let headers = [
        ("Host", "auth.example.com"),
        ("Cookie", &cookie),
        ("X-Original-URL", "https://app.example.com/reports/2026?page=2"),
        ("X-Original-Method", "GET"),
        ("X-Forwarded-For", "192.0.2.7"),
    ];
    let check = Request {
        headers: headers.iter().map(owned).collect(),
        peer: Some(proxy),
        ..request(Method::Get, "/auth/nginx", &[], "")
    };
    (site, check)
}

/// A site with one user, and the cookie of that user's session.
fn site_with_user(folder: &std::path::Path, settings: Settings) -> (Site, String) {
    let store = Sqlite::open(&folder.join("pure.db")).expect("a database");
    let site = Site::new(Box::new(store), Hasher::new(1, COST), settings);
    let kind = ("Content-Type", "application/x-www-form-urlencoded");
    let answer = site.answer(&request(Method::Post, "/signup", &[kind], FORM), NOW);
    let cookie = answer.value("Set-Cookie").and_then(|it| it.split(';').next()).expect("a cookie");
    (site, cookie.to_owned())
}

fn request(method: Method, path: &str, more: &[(&str, &str)], body: &str) -> Request {
    Request {
        method,
        path: path.to_owned(),
        query: String::new(),
        headers: HEADERS.iter().chain(more).map(owned).collect(),
        body: body.as_bytes().to_vec(),
        peer: None,
    }
}

fn owned((name, value): &(&str, &str)) -> (String, String) {
    ((*name).to_owned(), (*value).to_owned())
}
