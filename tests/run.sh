#!/bin/sh
# Everything there is to pass. Stops at the first thing that fails and says what it was; ends with
# the number of tests that ran.
set -eu
cd "$(dirname "$0")/.."

tests/setup.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Output goes through a file and not a pipe, which would hide the exit code.
step() {
    printf '\n== %s\n' "$*"
    "$@" >"$work/log" 2>&1 || { cat "$work/log"; echo "FAILED: $*"; exit 1; }
}

step cargo fmt --check
step cargo clippy --locked --all-targets --quiet -- --deny warnings
RUSTDOCFLAGS='--deny warnings' step cargo doc --locked --no-deps --quiet
step cargo test --locked --no-fail-fast
grep -E '^(test |running|test result|.*Running|.*Doc-tests)' "$work/log"
tests=$(awk '/^test result: ok/ { ran += $4 } END { print ran }' "$work/log")
ignored=$(awk '/^test result: ok/ { ignored += $8 } END { print ignored }' "$work/log")
step tests/curl/run.sh "${CARGO_TARGET_DIR:-$PWD/target}/debug/vestibule"
grep -E '^(--|FAIL|All)' "$work/log"
checks=$(grep -c '^ok' "$work/log")
step tests/proxies/run.sh "${CARGO_TARGET_DIR:-$PWD/target}/debug/vestibule" \
    "${CARGO_TARGET_DIR:-$PWD/target}/debug/examples/echo"
grep -E '^(--|FAIL|All)' "$work/log"
proxies=$(grep -c '^ok' "$work/log")
step tests/fail2ban.sh "${CARGO_TARGET_DIR:-$PWD/target}/debug/vestibule"
cat "$work/log"
step cargo build --locked --release --quiet
step tests/browser/run.sh "${CARGO_TARGET_DIR:-$PWD/target}/release/vestibule"
grep -E '^(--|FAIL|All)' "$work/log"
browser=$(grep -c '^ok' "$work/log")

echo 'Not tried: Traefik.'
printf '\nAll passed: %d tests ran, %d were ignored; curl checked %d answers, and %d behind proxies; %d checks in a browser.\n' \
    "$tests" "$ignored" "$checks" "$proxies" "$browser"
