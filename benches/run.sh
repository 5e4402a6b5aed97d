#!/bin/sh
# Measures vestibule and its peers side by side and writes a table: see docs/benchmarks.md.
# run.sh [PART…]: only these parts, and nothing is compared with earlier figures.
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}
export BENCH_FOLDER="$target/bench"

benches/setup.sh "$BENCH_FOLDER"
cargo build --release --locked --quiet --bin vestibule --example hello --example hashes --example pure
export BENCH_PROGRAMS="$target/release"
[ $# -gt 0 ] || cargo bench --locked --quiet --bench instructions
cargo bench --locked --quiet --bench compare -- "$@"
