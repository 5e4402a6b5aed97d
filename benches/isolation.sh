#!/bin/sh
# Measures whether requests wait for the writes and hashes of others; ends with 1 if one does.
# BENCH_PROGRAMS=FOLDER measures the vestibule that lies there instead of building one.
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
mkdir -p "$target/bench"
cc -shared -fPIC -O1 -o "$target/bench/slow_fsync.so" benches/slow_fsync.c
export BENCH_SLOW_FSYNC="$target/bench/slow_fsync.so"
if [ -z "${BENCH_PROGRAMS:-}" ]; then
    cargo build --release --locked --quiet --bin vestibule
    export BENCH_PROGRAMS="$target/release"
fi
# The client costs little, so that it need not be built like the program.
cargo test --locked --quiet --bench isolation
