//! A server that is killed between the password and the code.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use vestibule::base::clock::Moment;
use vestibule::base::token::Token;
use vestibule::base::totp::{TimeStep, TotpSecret};

use crate::binary::Binary;
use crate::engine;
use crate::second_factor;

/// How often the server is killed, each time a little later.
const KILLS: u32 = 50;

#[test]
fn leaves_no_session_when_it_is_killed_between_the_password_and_the_code() {
    let folder = tempfile::tempdir().unwrap();
    let server = Binary::start(folder.path(), &[]);
    let cookie = server.sign_up("anna");
    server.stop();
    let secret = TotpSecret::random();
    let store = engine::file(&folder.path().join("test.db"));
    let token = Token::parse(cookie.split_once('=').unwrap().1).unwrap();
    second_factor::turn_on(&*store, &token, &secret, Moment::now());
    drop(store);
    let mut raw = engine::raw_file(&folder.path().join("test.db"));
    raw.run("DELETE FROM user_session");
    let mut waited = 0;
    for kill in 0..KILLS {
        let mut server = Binary::start(folder.path(), &[]);
        let address = server.address;
        let client = thread::spawn(move || {
            let body = "username=anna&password=correct+horse";
            let form = "Content-Type: application/x-www-form-urlencoded\r\nConnection: close";
            let head = format!("POST /login HTTP/1.1\r\nHost: x\r\n{form}\r\n");
            let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            std::io::Write::write_all(&mut stream, request.as_bytes()).ok();
            let mut answer = String::new();
            std::io::Read::read_to_string(&mut stream, &mut answer).ok();
            answer.contains("/login/second")
        });
        thread::sleep(Duration::from_millis(4) * kill);
        server.signal(Signal::KILL);
        server.wait();
        waited += u32::from(client.join().unwrap());
        assert_eq!(raw.count("user_session"), 0, "kill {kill}");
    }
    assert!(waited > 0, "none came as far as the password");
    let pending = raw.count("one_time_token");
    assert!((1..=10).contains(&pending), "{pending} sign-ins wait");
    let server = Binary::start(folder.path(), &[]);
    let answer = server.post("/login", "username=anna&password=correct+horse", None);
    let pending = answer.cookie().unwrap();
    let code = secret.code_at(TimeStep::of(Moment::now())).reveal();
    let answer = server.post("/login/second", &format!("code={code}"), Some(&pending));
    assert_eq!(answer.status, 302, "{}", answer.body);
    assert_eq!(raw.count("user_session"), 1);
}
