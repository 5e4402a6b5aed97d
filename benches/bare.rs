//! vestibule on bare tiny_http: the same site and the same workers on a public socket, without the
//! gate. It is what the gate's cost is measured against, and what the tests of `tests/it/server/gate.rs`
//! are run against to see that they fail. It takes the place of the binary there, so it reads the
//! same flags; of the limits none means anything to it.

use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, mpsc};

use vestibule::base::clock::Moment;
use vestibule::base::password::{Cost, Hasher};
use vestibule::cli::Command;
use vestibule::cli::command_line::CommandLine;
use vestibule::cli::settings_file::DEFAULT_SETTINGS;
use vestibule::server;
use vestibule::server::gate::Listen;
use vestibule::server::log::{LineKind, Log};
use vestibule::server::program_events::ProgramEvent;
use vestibule::store;
use vestibule::web::Site;

fn main() {
    let line = CommandLine::read(std::env::args_os(), Path::new(DEFAULT_SETTINGS))
        .expect("flags of vestibule serve");
    let Some(Command::Serve(flags)) = line.command else { panic!("nothing but serve") };
    let config = flags.check().expect("flags that fit together");
    let Listen::Tcp(address) = config.listen[0] else { panic!("TCP alone") };
    let listener = TcpListener::bind(address).expect("an address that is free");
    let store = store::open(&config.database).expect("a database");
    let site = Site::new(store, Hasher::new(config.server.limits.hashers, Cost::OWASP), config.web);
    let log = Arc::new(Log::to(std::io::stderr(), config.log));
    let address = listener.local_addr().expect("it is bound").to_string();
    log.write(LineKind::Program, ProgramEvent::Listening, &[("address", &address)], Moment::now());
    // It runs until it is killed.
    let (_tell, stop) = mpsc::channel();
    server::serve_without_gate(listener, config.server.limits.workers, site, log, &stop)
        .expect("workers");
}
