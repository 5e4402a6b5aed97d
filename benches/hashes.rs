//! How many Argon2id hashes of today's cost the `argon2` crate makes in a second, with its memory used
//! again: `hashes THREADS SECONDS` prints the number.

use std::thread;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = || arguments.next().and_then(|it| it.parse().ok()).expect("THREADS SECONDS");
    let (threads, seconds): (u32, u32) = (number(), number());
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds.into());
    let all: Vec<_> = (0..threads).map(|_| thread::spawn(move || hashes_until(end))).collect();
    let made: u32 = all.into_iter().map(|it| it.join().expect("a thread that ends")).sum();
    println!("{}", f64::from(made) / start.elapsed().as_secs_f64());
}

fn hashes_until(end: Instant) -> u32 {
    let params = Params::new(19_456, 2, 1, Some(32)).expect("parameters that argon2 allows");
    let mut blocks = vec![Block::default(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (mut output, mut made) = ([0; 32], 0);
    while Instant::now() < end {
        argon2
            .hash_password_into_with_memory(
                b"correct horse",
                b"sixteen bytes of",
                &mut output,
                &mut blocks,
            )
            .expect("a hash");
        made += 1;
    }
    made
}
