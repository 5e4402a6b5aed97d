#!/bin/sh
# Everything that is promised of a cluster, on a real one: three nodes of MariaDB in network namespaces of
# their own, which are killed, stopped, paused and cut off. As root; see tests/cluster/main.rs.
# cluster.sh [SECONDS of faults, 300, once for each order of hosts]
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-300}

if [ "$(id -u)" -ne 0 ]; then
    echo 'cluster: needs root, for network namespaces' >&2
    exit 2
fi
tests/galera.sh needs

work=$(mktemp -d)
# The nodes run as another user.
chmod 711 "$work"
export GALERA_DIR="$work/galera" GALERA_NETNS="v$$n" GALERA_PORT="${GALERA_PORT:-36060}"
clean_up() {
    # The processes that are left of the clients, in a namespace that is ours.
    ip netns pids "${GALERA_NETNS}0" 2>/dev/null | xargs -r kill 2>/dev/null || true
    tests/galera.sh destroy || true
    tests/galera.sh net-down
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

step() { printf '\n== %s\n' "$*"; "$@"; }
# Where the clients are.
inside() { ip netns exec "${GALERA_NETNS}0" "$@"; }

cargo build --locked --release --quiet --bin vestibule
binary=${CARGO_TARGET_DIR:-$PWD/target}/release/vestibule
cargo test --locked --quiet --test cluster --no-run
cluster() { inside cargo test --locked --quiet --test cluster -- "$@"; }

# An audit that finds nothing has to be one that could.
for pair in user:lost key:lost 'name:names taken twice' session:lost 'sign-out:sign-outs undone'; do
    harm=${pair%%:*}
    printf '\n== finds a harm to a %s\n' "$harm"
    cargo test --locked --quiet --test cluster -- faults "$binary" --seconds 9 --harm "$harm" \
        --database "$work/$harm.db" >"$work/log" 2>&1 || true
    grep -m 1 "BREACH, ${pair#*:}" "$work/log" || { cat "$work/log"; echo "FAILED: $harm was not found"; exit 1; }
done

# The contract of the store, at all nodes.
conformance() {
    STORE_MYSQL="mysql://app:app@$(tests/galera.sh hosts)/app?tls=off" \
        inside cargo test --locked --quiet --test it conformance::mysql -- --ignored
}

tests/galera.sh net-up
step tests/galera.sh start

step conformance
step cluster race "$binary"
step cluster mail "$binary"
# The second in any case: it may say more about what is wrong.
failed=0
for order in same own; do
    step cluster faults "$binary" --seconds "$seconds" --order "$order" || failed=1
done
[ "$failed" -eq 0 ] || { echo 'FAILED: see above'; exit 1; }

printf '\nAll passed.\n'
