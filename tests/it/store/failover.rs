//! What visitors see of servers of the database that hang or are gone: the real program, and between it and
//! the server a way that can be stopped. They need `STORE_MYSQL`, and run with `--ignored`.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use vestibule::store::Database;

use crate::binary::{Binary, vestibule};
use crate::cli::copy::said;
use crate::engine::server;

const OPEN: u8 = 0;
const HUNG: u8 = 1;
const GONE: u8 = 2;
/// The answer to the next COMMIT is lost, and the connection with it.
const LOSES_COMMIT: u8 = 3;
const LOSES_ANSWER: u8 = 4;

/// A way to the server: what goes in at one end comes out at the other, unless it hangs or is gone.
struct Way {
    address: SocketAddr,
    state: Arc<AtomicU8>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Way {
    fn to(host: &str, port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(AtomicU8::new(OPEN));
        let open = Arc::<Mutex<Vec<_>>>::default();
        let server = (host.to_owned(), port);
        let (its_state, its_open) = (state.clone(), open.clone());
        thread::spawn(move || {
            for one in listener.incoming() {
                let Ok(one) = one else { return };
                if its_state.load(Ordering::Acquire) == GONE {
                    continue;
                }
                let other = TcpStream::connect((&*server.0, server.1)).unwrap();
                for stream in [&one, &other] {
                    its_open.lock().unwrap().push(stream.try_clone().unwrap());
                }
                let (one_too, other_too) = (one.try_clone().unwrap(), other.try_clone().unwrap());
                let (state, state_too) = (its_state.clone(), its_state.clone());
                thread::spawn(move || carry(one, other, &state));
                thread::spawn(move || carry(other_too, one_too, &state_too));
            }
        });
        Self { address, state, open }
    }

    fn set(&self, state: u8) {
        self.state.store(state, Ordering::Release);
        if state == GONE {
            for stream in self.open.lock().unwrap().drain(..) {
                // It may be closed already.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, state: &AtomicU8) {
    let mut bytes = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        while state.load(Ordering::Acquire) == HUNG {
            thread::sleep(Duration::from_millis(5));
        }
        let becomes = |from, to| {
            state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
        };
        if becomes(LOSES_ANSWER, OPEN) {
            break;
        }
        if bytes[..count].ends_with(b"\x03COMMIT") {
            becomes(LOSES_COMMIT, LOSES_ANSWER);
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// So many ways to a database that is made for one test, and its address by them.
fn ways_to_a_new_database(ways: usize) -> (Vec<Way>, String) {
    let name = format!("t_{}", vestibule::base::token::random_text(15));
    server::make(&name);
    let cluster = server::database(&name, 0);
    let (host, port) = &cluster.hosts[0];
    let ways: Vec<_> = (0..ways).map(|_| Way::to(host, *port)).collect();
    let hosts: Vec<_> = ways.iter().map(|it| it.address.to_string()).collect();
    let (user, password) = (&cluster.user, cluster.password.as_deref().unwrap_or_default());
    let url = format!("mysql://{user}:{password}@{}/{name}?tls=off", hosts.join(","));
    assert!(Database::parse(&url).is_ok());
    (ways, url)
}

/// The program on a database of its own, which it reaches by so many ways.
struct House {
    ways: Vec<Way>,
    server: Binary,
    cookie: String,
}

impl House {
    fn with(ways: usize) -> Self {
        let (ways, url) = ways_to_a_new_database(ways);
        let mut command = vestibule(&["serve", "--listen=127.0.0.1:0"]);
        command.env("VESTIBULE_DATABASE", url).stdout(Stdio::null());
        let server = Binary::run(command);
        let cookie = server.sign_up("anna");
        Self { ways, server, cookie }
    }

    /// The status of the profile, and how long it took.
    fn page(&self) -> (u16, Duration) {
        let began = Instant::now();
        (self.server.get("/", Some(&self.cookie)).status, began.elapsed())
    }

    fn health(&self) -> u16 {
        let began = Instant::now();
        let status = self.server.get("/healthz", None).status;
        assert!(began.elapsed() < Duration::from_secs(1), "it took {:?}", began.elapsed());
        status
    }
}

#[test]
#[ignore = "needs STORE_MYSQL"]
fn answers_a_monitor_while_all_requests_wait_for_a_server_that_hangs() {
    let house = House::with(1);
    house.ways[0].set(HUNG);
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..6).map(|_| scope.spawn(|| house.page().0)).collect();
        thread::sleep(Duration::from_millis(300));
        assert_eq!(house.health(), 200);
        house.ways[0].set(OPEN);
        for it in waiting {
            assert_eq!(it.join().unwrap(), 200, "a visitor was sent away for a short pause");
        }
    });
}

#[test]
#[ignore = "needs STORE_MYSQL"]
fn answers_by_the_next_server_when_one_hangs() {
    let house = House::with(2);
    house.ways[0].set(HUNG);
    let (status, time) = house.page();
    // As long as an answer may take.
    assert!(status == 200 && time < Duration::from_secs(12), "{status} after {time:?}");
    let (status, time) = house.page();
    assert!(status == 200 && time < Duration::from_secs(2), "{status} after {time:?}");
}

#[test]
#[ignore = "needs STORE_MYSQL"]
fn answers_by_the_next_server_at_once_when_one_is_gone_and_goes_back_when_it_is_there() {
    let house = House::with(2);
    house.ways[0].set(GONE);
    for _ in 0..5 {
        let (status, time) = house.page();
        assert!(status == 200 && time < Duration::from_secs(2), "{status} after {time:?}");
    }
    house.ways[0].set(OPEN);
    let began = Instant::now();
    while house.ways[0].open.lock().unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "it never went back");
        thread::sleep(Duration::from_millis(100));
    }
    house.ways[1].set(GONE);
    assert_eq!(house.page().0, 200);
}

#[test]
#[ignore = "needs STORE_MYSQL"]
fn tells_that_it_is_not_well_once_no_server_was_reached_for_ten_seconds() {
    let house = House::with(1);
    house.ways[0].set(GONE);
    let began = Instant::now();
    while house.health() == 200 {
        assert!(began.elapsed() < Duration::from_secs(25), "it never said so");
        thread::sleep(Duration::from_millis(200));
    }
    assert!(began.elapsed() > Duration::from_secs(9), "it said so too soon");
    let answer = house.server.get("/", Some(&house.cookie));
    assert_eq!((answer.status, answer.value("Retry-After").is_some()), (503, true));
    house.ways[0].set(OPEN);
    while house.health() != 200 {
        assert!(began.elapsed() < Duration::from_secs(50), "it did not recover");
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(house.page().0, 200);
}

#[test]
#[ignore = "needs STORE_MYSQL"]
fn brings_all_users_over_once_though_the_word_that_it_is_done_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let people = folder.path().join("people.csv");
    let lines: Vec<_> = (0..1_500).map(|n| format!("imported{n},\n")).collect();
    std::fs::write(&people, "username,hash\n".to_owned() + &lines.concat()).unwrap();
    let (ways, url) = ways_to_a_new_database(1);
    let run =
        |words: &[&str]| said(&vestibule(words).env("VESTIBULE_DATABASE", &url).output().unwrap());
    run(&["migrate"]);
    ways[0].set(LOSES_COMMIT);
    let told = run(&["import", "csv", people.to_str().unwrap()]);
    assert_eq!(ways[0].state.load(Ordering::Acquire), OPEN, "it was lost");
    assert_eq!(run(&["user", "list", "--json"]).lines().count(), 1_500, "{told}");
}
