//! The least that a tiny_http server can do: every request gets the same page, in one write, without
//! Nagle's delay. `PORT` and `PAGE` say where, and which page.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;

use tiny_http::Server;

fn main() {
    let variable = |name| std::env::var(name).expect("PORT and PAGE are set");
    let page = fs::read_to_string(variable("PAGE")).expect("a page");
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
        page.len()
    );
    let answer: Arc<[u8]> = (head + &page).into_bytes().into();
    let address = format!("127.0.0.1:{}", variable("PORT"));
    let listener = TcpListener::bind(address).expect("an address that is free");
    // Linux gives the option to accepted sockets too.
    let socket = TcpStream::from(OwnedFd::from(listener.try_clone().expect("a descriptor")));
    socket.set_nodelay(true).expect("a TCP socket");
    let server = Arc::new(Server::from_listener(listener, None).expect("a server"));
    let workers = thread::available_parallelism().map_or(2, usize::from).max(2);
    let work = |server: Arc<Server>, answer: Arc<[u8]>| {
        while let Ok(request) = server.recv() {
            let mut writer = request.into_writer();
            // A client that has gone does not read it.
            drop(writer.write_all(&answer).and_then(|()| writer.flush()));
        }
    };
    let all: Vec<_> = (0..workers)
        .map(|_| {
            let (server, answer) = (Arc::clone(&server), Arc::clone(&answer));
            thread::spawn(move || work(server, answer))
        })
        .collect();
    for worker in all {
        worker.join().expect("a worker does not end");
    }
}
