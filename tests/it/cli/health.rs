//! `vestibule health`, against servers that answer and servers that do not.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::binary::{Binary, PATIENCE, vestibule};
use crate::cli::copy::{refusal, said};

fn health(words: &[&str]) -> std::process::Output {
    vestibule(&[&["health"], words].concat()).output().unwrap()
}

#[test]
fn says_that_a_server_answers_wherever_it_is_told_where() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    let (address, url) = (server.address.to_string(), format!("http://{}", server.address));
    let expected = format!("{url}/healthz answered 200\n");
    assert_eq!(said(&health(&[&url])), expected);
    assert_eq!(said(&health(&["--listen", &address])), expected);
    let mut command = vestibule(&["health"]);
    assert_eq!(said(&command.env("VESTIBULE_LISTEN", &address).output().unwrap()), expected);
    let settings = folder.path().join("settings");
    fs::write(&settings, format!("VESTIBULE_LISTEN=0.0.0.0:{}\n", server.address.port())).unwrap();
    assert_eq!(said(&health(&["--settings", settings.to_str().unwrap()])), expected);
    let data: Value = serde_json::from_str(&said(&health(&[&url, "--json"]))).unwrap();
    assert_eq!(
        (&data["status"], data["url"].as_str()),
        (&200.into(), Some(&expected[..expected.len() - 14]))
    );
}

#[test]
fn asks_below_the_path_of_the_site_and_at_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let origin = "--origin=http://localhost:8080/auth";
    let server = Binary::start(folder.path(), &[origin]);
    let url = format!("http://{}", server.address);
    assert!(said(&health(&[origin, &url])).contains("/auth/healthz answered 200"));
    assert!(said(&health(&[&format!("{url}/auth")])).contains("/auth/healthz answered 200"));
    let told = refusal(&health(&[&url]), 1);
    assert!(told.contains("/healthz answered 404; the site may be at another path"), "{told}");
    let socket = folder.path().join("http.sock");
    let listen = format!("--listen=unix:{}", socket.display());
    let at = format!("unix:{}", socket.display());
    let told = refusal(&health(&[&listen]), 1);
    assert!(told.contains("there is no such socket"), "{told}");
    let database = folder.path().join("other.db");
    let by_socket = vestibule(&["serve", &listen, "--database", database.to_str().unwrap()]);
    let _server = Binary::run(by_socket);
    for words in [&[&*listen][..], &[&at]] {
        assert_eq!(said(&health(words)), format!("/healthz at {at} answered 200\n"));
    }
}

#[test]
fn fails_in_one_line_if_the_server_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    let url = format!("http://{}", server.address);
    fs::rename(folder.path().join("test.db"), folder.path().join("away.db")).unwrap();
    let begun = Instant::now();
    while health(&[&url]).status.success() {
        assert!(begun.elapsed() < PATIENCE, "it was not noticed in time");
    }
    let told = refusal(&health(&[&url]), 1);
    assert!(told.contains("/healthz answered 503; ") && told.contains("see its log"), "{told}");
    fs::rename(folder.path().join("away.db"), folder.path().join("test.db")).unwrap();
    drop(server);
    let told = refusal(&health(&[&url]), 1);
    assert!(told.contains(&format!("cannot ask {url}/healthz: nothing listens there")), "{told}");
}

#[test]
fn waits_no_longer_than_it_may_for_a_server_that_says_nothing_or_little_at_a_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let told = refusal(&health(&["--timeout=1s", &url]), 1);
    assert!(told.ends_with("/healthz has not answered within 1s\n"), "{told}");
    thread::spawn(move || {
        for mut stream in silent.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                while stream.write_all(b" ").is_ok() {
                    thread::sleep(PATIENCE / 1_000);
                }
            });
        }
    });
    let told = refusal(&health(&["--timeout=1s", &url]), 1);
    assert!(told.contains("within 1s") || told.contains("not speak HTTP"), "{told}");
    assert_eq!(health(&["https://auth.example.com"]).status.code(), Some(2));
}
