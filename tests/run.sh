#!/bin/sh
# Everything there is to pass. Stops at the first thing that fails and says what it was; ends with
# the number of tests that ran.
set -eu
cd "$(dirname "$0")/.."

tests/setup.sh

step() { printf '\n== %s\n' "$*"; "$@"; }
step cargo fmt --check
step cargo clippy --locked --all-targets --quiet -- --deny warnings

log=$(mktemp)
trap 'rm -f "$log"' EXIT
printf '\n== cargo test\n'
# Not through a pipe, which would hide the exit code.
cargo test --locked --no-fail-fast >"$log" 2>&1 || { cat "$log"; echo "FAILED: see above"; exit 1; }
grep -E '^(test |running|test result|.*Running|.*Doc-tests)' "$log"
awk '/^test result: ok/ { ran += $4; ignored += $8 }
     END { printf "\nAll passed: %d tests ran, %d were ignored.\n", ran, ignored }' "$log"
