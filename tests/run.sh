#!/bin/sh
# Everything there is to pass but for what takes long, which has targets of its own in the Makefile. Stops at the first thing that fails and says what it was; ends with
# the number of tests that ran.
set -eu
cd "$(dirname "$0")/.."

tests/setup.sh

work=$(mktemp -d)
# It may belong to another user: the server does not run as root.
server=$(mktemp -d)
finish() {
    tests/mariadb.sh stop "$server"
    rm -rf "$work" "$server"
}
trap finish EXIT
trap 'exit 1' INT TERM

# Output goes through a file and not a pipe, which would hide the exit code.
step() {
    printf '\n== %s\n' "$*"
    "$@" >"$work/log" 2>&1 || { cat "$work/log"; echo "FAILED: $*"; exit 1; }
}

step cargo fmt --check
step cargo clippy --locked --all-targets --quiet -- --deny warnings
# Without the features, and with each alone; the tests that follow want them all. Clippy checks all that a build
# would, but for the linking.
for features in '' mysql doctor import mail; do
    step cargo clippy --locked --no-default-features --features "$features" --all-targets --quiet -- --deny warnings
done
RUSTDOCFLAGS='--deny warnings' step cargo doc --locked --no-deps --quiet
step cargo test --locked --no-fail-fast
grep -E '^(test |running|test result|.*Running|.*Doc-tests)' "$work/log"
tests=$(awk '/^test result: ok/ { ran += $4 } END { print ran }' "$work/log")
ignored=$(awk '/^test result: ok/ { ignored += $8 } END { print ignored }' "$work/log")

# The instructions of what every request goes through, by the debug build: a tenth more than written down fails.
step env BENCH_PROGRAMS="${CARGO_TARGET_DIR:-$PWD/target}/debug" BENCH_KNOWN=benches/instructions-debug.txt \
    cargo test --locked --quiet --bench instructions
grep ' instructions, ' "$work/log"

# What a test could not try it says in its output.
not_tried=$(sed -n 's/.*NOT TRIED: / /p' "$work/log" | sort -u | sed 's/$/./' | tr -d '\n')
# What uses the store alone, or the site in process, once more on MariaDB.
on_mariadb=0
if PATH=$PATH:/usr/sbin command -v mariadbd >/dev/null; then
    step tests/mariadb.sh start "$server"
    url=$(tail -n 1 "$work/log")
    step env STORE_MYSQL="$url?tls=$server/ca.pem" \
        cargo test --locked --no-fail-fast --test it -- --ignored \
        conformance::mysql:: failover:: kill::mysql:: refused:: upgrades::mysql::
    grep -E '^(test |test result)' "$work/log"
    conformed=$(awk '/^test result: ok/ { ran += $4 } END { print ran }' "$work/log")
    step env STORE_MYSQL="$url" TEST_ENGINE=mysql cargo test --locked --no-fail-fast --test it -- \
        auth:: web::
    grep -E '^(test |test result)' "$work/log"
    on_mariadb=$((conformed + $(awk '/^test result: ok/ { ran += $4 } END { print ran }' "$work/log")))
    tests=$((tests + on_mariadb))
    ignored=$((ignored - conformed))
    tests/mariadb.sh stop "$server"
else
    not_tried="$not_tried MariaDB."
fi

step tests/curl/run.sh "${CARGO_TARGET_DIR:-$PWD/target}/debug/vestibule"
grep -E '^(--|FAIL|All)' "$work/log"
checks=$(grep -c '^ok' "$work/log")
step tests/proxies/run.sh "${CARGO_TARGET_DIR:-$PWD/target}/debug/vestibule" \
    "${CARGO_TARGET_DIR:-$PWD/target}/debug/examples/echo"
grep -E '^(--|FAIL|All)' "$work/log"
not_tried="$not_tried$(sed -n 's/^NOT TRIED: / /p' "$work/log" | sed 's/$/./' | tr -d '\n')"
proxies=$(grep -c '^ok' "$work/log")
step tests/fail2ban.sh "${CARGO_TARGET_DIR:-$PWD/target}/debug/vestibule"
cat "$work/log"
step tests/packages/run.sh "${CARGO_TARGET_DIR:-$PWD/target}/debug/vestibule"
cat "$work/log"
not_tried="$not_tried$(sed -n 's/^NOT TRIED: / /p' "$work/log" | sed 's/$/./' | tr -d '\n')"
packages=$(grep -c '^ok' "$work/log")

[ -z "$not_tried" ] || echo "Not tried:$not_tried"
printf '\nAll passed: %d tests ran, %d of them on MariaDB, %d were ignored; curl checked %d answers, and %d behind proxies; %d checks of packages.\n' \
    "$tests" "$on_mariadb" "$ignored" "$checks" "$proxies" "$packages"
