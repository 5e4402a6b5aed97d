//! A server that is killed between the password and the code.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use vestibule::base::clock::Moment;
use vestibule::base::token::Token;
use vestibule::base::totp::{TimeStep, TotpSecret};

use crate::binary::Binary;
use crate::engine;
use crate::second_factor;

/// How often the server is killed, each time a little later.
const KILLS: u32 = 50;

/// Sends the right password, and returns whether the sign-in waits for a code; `false` if the server was killed.
fn give_password(address: SocketAddr) -> bool {
    let body = "username=anna&password=correct+horse";
    let form = "Content-Type: application/x-www-form-urlencoded\r\nConnection: close";
    let head = format!("POST /login HTTP/1.1\r\nHost: x\r\n{form}\r\n");
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let mut answer = String::new();
    let Ok(mut stream) = TcpStream::connect(address) else { return false };
    let sent = stream.write_all(request.as_bytes());
    let read = sent.and_then(|()| stream.read_to_string(&mut answer));
    drop(read);
    answer.contains("/login/second")
}

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
    let server = Binary::start(folder.path(), &[]);
    let began = Instant::now();
    assert!(give_password(server.address), "the sign-in waits");
    let pause = began.elapsed() * 5 / 4 / KILLS;
    server.stop();
    raw.run("DELETE FROM one_time_token");
    let mut waited = 0;
    for kill in 0..KILLS {
        let mut server = Binary::start(folder.path(), &[]);
        let address = server.address;
        let client = thread::spawn(move || give_password(address));
        thread::sleep(pause * kill);
        // However long it takes, the last kill comes after the answer.
        while kill == KILLS - 1 && !client.is_finished() {
            thread::sleep(pause);
        }
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
