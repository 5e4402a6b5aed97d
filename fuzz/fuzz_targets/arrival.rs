//! Any bytes at the gate, in pieces of any size: see `vestibule::server::gate::request_reader::check`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (&pieces, bytes) = bytes.split_first().unwrap_or((&1, bytes));
    vestibule::server::gate::request_reader::check(bytes, usize::from(pieces));
});
