#!/bin/sh
# What a page and a check cost whose session is in a cluster, beside SQLite in the same run: `GET /` and
# `GET /auth/nginx`, signed in, and how many statements a node runs for each. The nodes, the servers and wrk share this
# machine. Needs what `tests/galera.sh needs` asks for, and wrk.
# cluster.sh [ROUNDS, 3; the one with the middle throughput is shown]
set -eu
cd "$(dirname "$0")/.."
rounds=${1:-3}
seconds=${BENCH_SECONDS:-4}
tests/galera.sh needs
binary=${CARGO_TARGET_DIR:-$PWD/target}/release/vestibule
cargo build --release --locked --quiet --bin vestibule

work=$(mktemp -d)
chmod 711 "$work"
# Ports below those that the kernel gives to clients, of which another benchmark may have left many.
export GALERA_DIR="$work/galera" GALERA_NETNS='' GALERA_PORT="${GALERA_PORT:-25060}"
servers=""
# shellcheck disable=SC2086 # A list of process ids.
clean_up() {
    [ -z "$servers" ] || kill $servers 2>/dev/null || true
    tests/galera.sh destroy || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# start NAME DATABASE serves, and writes $work/NAME.url and, of 16 users, $work/NAME.cookies.
start() {
    VESTIBULE_DATABASE=$2 "$binary" serve --listen 127.0.0.1:0 --trusted-proxy 127.0.0.1 \
        2>"$work/$1.log" &
    servers="$servers $!"
    tries=0
    until sed -n 's/.*ev=listening .* url=\([^ ]*\).*/\1/p' "$work/$1.log" >"$work/$1.url" && [ -s "$work/$1.url" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 500 ] || { cat "$work/$1.log"; exit 1; }
        sleep 0.05
    done
    for user in $(seq 16); do
        curl --silent --show-error --fail --dump-header - --max-time 30 --data \
            "username=$1x$user&password=correct+horse" "$(cat "$work/$1.url")/signup" |
            sed -n 's/^Set-Cookie: \(auth_session=[^;]*\).*/\1/p'
    done >"$work/$1.cookies"
    [ "$(wc -l <"$work/$1.cookies")" -eq 16 ]
}

# ask NAME CONNECTIONS: what wrk found. With CHECK, of that path.
ask() {
    COOKIES=$work/$1.cookies WRK=benches/wrk wrk -t 1 -c "$2" -d "${seconds}s" -s benches/wrk/get.lua \
        "$(cat "$work/$1.url")/" | grep '^{'
}

# statements: how many the nodes have run for clients so far.
statements() {
    for node in 1 2 3; do tests/galera.sh sql "$node" "SHOW GLOBAL STATUS LIKE 'Com_stmt_execute'"; done |
        awk '{ all += $2 } END { print all }'
}

# per_request TEXT: the statements of a request, on one connection.
per_request() {
    before=$(statements)
    count=$(ask server1 1 | sed 's/.*"requests":\([0-9]*\).*/\1/')
    after=$(statements)
    echo "$1: $(echo "$before $after $count" | awk '{ printf "%.3f", ($2 - $1) / $3 }') statements"
}

# found TEXT NAME… CONNECTIONS: a line of the results: throughput in all, and the p50 and p99 of the worst.
found() {
    text=$1 names=$2 connections=$3
    asking=""
    for name in $names; do
        ask "$name" "$connections" >"$work/$name.json" &
        asking="$asking $!"
    done
    for one in $asking; do wait "$one"; done
    for name in $names; do cat "$work/$name.json"; done | tr -d '{}"' | awk -F '[:,]' -v "text=$text" '
        { all += ($2 - $8) / $4; bad += $8 + $10
          if ($12 > p50) p50 = $12
          if ($14 > p99) p99 = $14 }
        END { printf "%s\t%.0f\t%.3f\t%.3f\t%d\n", text, all, p50, p99, bad }' >>"$work/results"
}

tests/galera.sh start
hosts=$(tests/galera.sh hosts)
start sqlite "$work/sqlite.db"
# Each with another node first.
for place in 1 2 3; do
    start "server$place" "mysql://app:app@$hosts/app"
    hosts=${hosts#*,},${hosts%%,*}
done

for _ in $(seq "$rounds"); do
    found 'SQLite, 1 connection' sqlite 1
    found 'one server at one node, 1 connection' server1 1
    found 'SQLite, 16 connections' sqlite 16
    found 'one server at one node, 16 connections' server1 16
    found 'three servers at three nodes, 16 connections each' 'server1 server2 server3' 16
    export CHECK=/auth/nginx
    found 'check: SQLite, 1 connection' sqlite 1
    found 'check: one server at one node, 1 connection' server1 1
    found 'check: SQLite, 16 connections' sqlite 16
    found 'check: one server at one node, 16 connections' server1 16
    found 'check: three servers at three nodes, 16 each' 'server1 server2 server3' 16
    unset CHECK
done

printf '%-50s %9s %8s %8s %7s\n' '' 'a second' 'p50 ms' 'p99 ms' failed
sort -t "$(printf '\t')" -k 1,1 -k 2,2n "$work/results" | awk -F '\t' -v "middle=$(((rounds + 1) / 2))" '
    ++seen[$1] == middle { printf "%-50s %9d %8.3f %8.3f %7d\n", $1, $2, $3, $4, $5 }'
per_request page
CHECK=/auth/nginx
export CHECK
per_request check
