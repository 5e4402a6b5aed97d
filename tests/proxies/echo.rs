//! An app that answers with what reached it: the request as it came, byte by byte. For the tests of
//! reverse proxies.
//!
//! It prints the port that it listens on, and as many free ports as its argument says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

fn main() {
    let count = std::env::args().nth(1).and_then(|it| it.parse().ok()).unwrap_or(0);
    let listen = || TcpListener::bind("127.0.0.1:0").expect("a port of this machine is free");
    let port = |it: &TcpListener| it.local_addr().expect("it is bound").port();
    let app = listen();
    let free: Vec<_> = (0..count).map(|_| listen()).collect();
    println!("listening {}", port(&app));
    for it in &free {
        println!("free {}", port(it));
    }
    println!("ready");
    drop(free);
    for stream in app.incoming().flatten() {
        std::thread::spawn(move || answer(stream));
    }
}

/// Reads a head, and the body that its length speaks of, and sends both back.
fn answer(mut stream: TcpStream) {
    let patience = Some(Duration::from_secs(10));
    let mut bytes = Vec::new();
    let mut part = [0; 4_096];
    stream.set_read_timeout(patience).expect("it is no zero");
    while missing(&bytes) > 0 {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return,
            Ok(count) => bytes.extend_from_slice(&part[..count]),
        }
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        bytes.len()
    );
    // The client may have gone.
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes)));
}

/// How many bytes are still to come, at least.
fn missing(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return 1 };
    let length = head.lines().find_map(|it| it.strip_prefix("content-length: ")?.parse().ok());
    length.unwrap_or(0_usize).saturating_sub(body.len())
}
