//! What an operator is told of a server that refuses the client: one line, in words, with what to do. The tests need
//! `STORE_MYSQL` with the authority of the server's certificate, and run with `--ignored`.

use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use vestibule::store::Tls;

use crate::binary::vestibule;
use crate::engine::server;

/// A database of its own on the server, and how it is reached.
struct Place {
    name: String,
    address: String,
    authority: PathBuf,
}

impl Place {
    fn new(name: &str) -> Self {
        let name = format!("t_{name}_{}", std::process::id());
        server::make(&name);
        let cluster = server::database(&name, 0);
        let (host, port) = &cluster.hosts[0];
        let Tls::Authority(authority) = &cluster.tls else { panic!("STORE_MYSQL names no CA") };
        Self { name, address: format!("{host}:{port}"), authority: authority.clone() }
    }

    fn url(&self, user: &str, name: &str, tls: &str) -> String {
        format!("mysql://{user}@{}/{name}?tls={tls}", self.address)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        server::drop(&self.name);
    }
}

fn run(words: &[&str], url: &str, password: Option<&str>) -> Output {
    let mut command = vestibule(words);
    command.args(["--database", url]);
    if let Some(password) = password {
        command.env("VESTIBULE_DATABASE_PASSWORD", password);
    }
    command.output().unwrap()
}

/// What a command says that cannot use the database: one line, in which nothing is a value of Rust.
fn refusal(url: &str, password: Option<&str>) -> String {
    let output = run(&["user", "list"], url, password);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), told.lines().count()), (Some(1), 1), "{url}: {told}");
    assert!(!told.contains(['{', '}', '`']), "{told}");
    for name in ["Error", "UnknownIssuer", "BadEncoding", "Some("] {
        assert!(!told.contains(name), "{told}");
    }
    told
}

#[test]
#[ignore = "needs STORE_MYSQL"]
fn says_in_words_why_a_server_refuses_the_client_and_what_to_do() {
    let place = Place::new("refused");
    let name = &*place.name;
    let app = Some("app");
    for (user, database, password, expected) in [
        ("app", name, Some("wrong"), "see the password of app"),
        ("app", name, None, "no password was given for app: set VESTIBULE_DATABASE_PASSWORD"),
        ("nobody", name, app, "nobody"),
        ("app", "t_none", app, "CREATE DATABASE t_none"),
        ("app", "none", app, "there is no database none, or app has no rights in it (GRANT)"),
        ("tls", name, app, "the server demands TLS"),
        ("tls", "t_none", app, "the server demands TLS"),
        ("app", name, Some(""), "no password was given for app: set VESTIBULE_DATABASE_PASSWORD"),
        ("tls", name, Some("wrong"), "see the password of tls"),
    ] {
        let told = refusal(&place.url(user, database, "off"), password);
        assert!(told.contains(expected), "{user} {database} {password:?}: {told}");
        assert!(told.contains(&place.address) && told.contains("; "), "{told}");
    }
}

#[test]
#[ignore = "needs STORE_MYSQL"]
fn says_at_once_what_is_wrong_with_a_certificate() {
    let place = Place::new("certified");
    let (name, app) = (&*place.name, Some("app"));
    let folder = tempfile::tempdir().unwrap();
    let letter = folder.path().join("letter.pem");
    std::fs::write(&letter, "Dear Sir or Madam").unwrap();
    let broken = folder.path().join("broken.pem");
    let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&broken, text).unwrap();
    let missing = folder.path().join("missing.pem");
    for (tls, expected) in [
        ("system", "from an authority that is not trusted here; name the file of the authority"),
        (letter.to_str().unwrap(), "there is no certificate (PEM) in it"),
        (broken.to_str().unwrap(), "its certificate cannot be read"),
        (missing.to_str().unwrap(), "there is no such file"),
    ] {
        let begun = Instant::now();
        let told = refusal(&place.url("tls", name, tls), app);
        assert!(told.contains(expected), "{tls}: {told}");
        assert!(begun.elapsed() < Duration::from_secs(10), "it waits for what will not pass");
    }
}

#[test]
#[ignore = "needs STORE_MYSQL"]
fn signs_in_by_tls_and_by_ed25519() {
    let place = Place::new("signs_in");
    let by_tls = place.url("tls", &place.name, place.authority.to_str().unwrap());
    let by_ed25519 = place.url("ed25519", &place.name, "off");
    for (words, url) in [
        (&["migrate"][..], &by_tls),
        (&["user", "list"], &by_tls),
        (&["user", "list"], &by_ed25519),
    ] {
        let output = run(words, url, Some("app"));
        assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let told = refusal(&by_ed25519, Some("wrong"));
    assert!(told.contains("see the password of ed25519"), "{told}");
}

#[test]
#[ignore = "needs STORE_MYSQL"]
fn says_that_nothing_answers_where_no_server_is() {
    let told = refusal("mysql://app@127.0.0.1:1/app", Some("app"));
    let expected = "127.0.0.1:1: Connection refused";
    assert!(told.contains(expected) && told.contains("see that the server runs"), "{told}");
}
