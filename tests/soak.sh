#!/bin/sh
# A million mixed requests to one server while people sign in and out and the clock is set forwards and back: memory,
# threads, descriptors and SQLite's log have to stay as they are, and nothing may fail. On SQLite, and where
# mariadb-server is there on a server of MariaDB.
# soak.sh [REQUESTS, 1000000]; UNDER_TEST names another program than the release build.
set -eu
cd "$(dirname "$0")/.."
requests=${1:-1000000}

tests/setup.sh wrk:wrk faketime:faketime
binary=${UNDER_TEST:-}
if [ -z "$binary" ]; then
    cargo build --release --locked --quiet --bin vestibule
    binary=${CARGO_TARGET_DIR:-$PWD/target}/release/vestibule
fi
# By how much the clock is wrong in each round, as faketime writes it. No step is as long as a session, and none leads
# to before the sessions were made, as a session from the future is not valid.
steps='+3h +1h +20h +1d +2h +2d +3d +5m +1d +0'
# wrk's connections, and the users whose sessions it has.
connections=32
users=16
# Bounds: by what memory, in KiB, and descriptors may grow after the third round, when all is warm but for a worker or
# two that were never needed; and what SQLite's log may take, in KiB: it begins anew once it has 4 MB and no reader is in
# the midst of it.
memory_grows=12288
descriptors_grow=20
log_size=6144

work=$(mktemp -d)
# MariaDB runs as another user.
chmod 711 "$work"
running=''
finish() {
    : >"$work/stop"
    # shellcheck disable=SC2086 # A list of process ids.
    [ -z "$running" ] || kill $running 2>/dev/null || true
    wait
    [ ! -e "$work/mariadb" ] || tests/mariadb.sh stop "$work/mariadb"
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Copies the cookie of a response's head.
cookie() { sed -n 's/^[Ss]et-[Cc]ookie: \(auth_session=[^;]*\).*/\1/p'; }
# post PATH NAME: the head of the response to somebody's name and password.
post() {
    curl --silent --dump-header - --output /dev/null --max-time 30 \
        --data "username=$2&password=three+unrelated+words" "$url/$1"
}

memory() { sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$server/status"; }
threads() { find "/proc/$server/task" -mindepth 1 -maxdepth 1 | wc -l; }
descriptors() { find "/proc/$server/fd" -mindepth 1 2>/dev/null | wc -l; }
# Of a database on a server, 0.
log_kib() { if [ -e "$database-wal" ]; then du -k "$database-wal" | cut -f 1; else echo 0; fi; }

failed=0
fail() {
    echo "FAILED: $*"
    failed=1
}
# within WHAT FOUND BOUND
within() { [ "$2" -le "$3" ] || fail "$1: $2, at most $3"; }

# People sign in and out, one after the other, until $work/stop is there. A line for each: done or failed.
come_and_go() {
    count=0
    while [ ! -e "$work/stop" ]; do
        count=$((count + 1))
        session=$(post login "soak$((count % users + 1))" | cookie)
        if [ -n "$session" ] && curl --silent --output /dev/null --max-time 30 --request POST \
            --header "Cookie: $session" "$url/logout"; then
            echo 'done'
        else
            echo failed
        fi
    done >>"$work/sign-ins"
}

# The number that a report of wrk has behind a name.
of_report() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$work/wrk"; }
# Seconds between the clock of the server and that of this machine.
clock_is_off_by() {
    date=$(curl --silent --head --max-time 30 "$url/login" | tr -d '\r' | sed -n 's/^Date: //p')
    echo "$(($(date --date="$date" +%s) - $(date +%s)))"
}

# One round: five seconds of requests beside people who come and go, with the clock set in the midst of it.
round() {
    rm -f "$work/stop"
    come_and_go &
    people=$!
    COOKIES=$work/cookies WRK=benches/wrk wrk -t 1 -c "$connections" -d 5s --timeout 10s \
        -s tests/soak/mixed.lua "$url/" >"$work/wrk" &
    load=$!
    running="$server $load"
    sleep 2
    echo "$1" >"$work/clock"
    wait "$load"
    running=$server
    : >"$work/stop"
    wait "$people"
    answered=$((answered + $(of_report requests)))
    broken=$(($(of_report broken) + $(sed -n 's/^failed \([0-9]*\)$/\1/p' "$work/wrk")))
    # The connections of the round are closed.
    sleep 1
    now=$(memory)
    printf '%5s %10d requests %8d KiB %4d threads %4d descriptors %8d KiB of log\n' \
        "$1" "$answered" "$now" "$(threads)" "$(descriptors)" "$(log_kib)"
    within 'KiB of the log' "$(log_kib)" "$log_size"
    within threads "$(threads)" "$threads_before"
    within 'requests that failed' "$broken" 0
    within 'sign-ins that failed' "$(grep -c failed "$work/sign-ins" || true)" 0
    if [ "$rounds" -eq 1 ]; then
        off=$(clock_is_off_by)
        [ "$off" -gt 10000 ] || fail "the clock of the server was not set: it is off by $off s"
    fi
    [ "$rounds" -ne 3 ] || first=$now first_descriptors=$(descriptors)
}

# soak NAME DATABASE
soak() {
    echo "== $1"
    database=$2
    echo +0 >"$work/clock"
    : >"$work/log"
    LD_PRELOAD=$(find /usr/lib -name libfaketimeMT.so.1) FAKETIME_TIMESTAMP_FILE="$work/clock" \
        FAKETIME_CACHE_DURATION=1 FAKETIME_DONT_FAKE_MONOTONIC=1 VESTIBULE_DATABASE=$database \
        "$binary" serve --listen 127.0.0.1:0 --trusted-proxy 127.0.0.1 --basic-auth 2>"$work/log" &
    server=$! running=$!
    tries=0
    until url=$(sed -n 's/.*ev=listening .* url=\([^ ]*\).*/\1/p' "$work/log") && [ -n "$url" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 500 ] || { cat "$work/log"; exit 1; }
        sleep 0.05
    done
    for user in $(seq "$users"); do post signup "soak$user" | cookie; done >"$work/cookies"
    [ "$(wc -l <"$work/cookies")" -eq "$users" ]
    answered=0 rounds=0
    threads_before=$(threads)
    rm -f "$work/sign-ins"
    until [ "$answered" -ge "$requests" ] && [ "$rounds" -ge 10 ]; do
        for step in $steps; do
            rounds=$((rounds + 1))
            round "$step"
            [ "$failed" -eq 0 ] || break 2
            [ "$answered" -lt "$requests" ] || [ "$rounds" -lt 10 ] || break
        done
    done
    [ "$rounds" -lt 3 ] || within 'KiB of memory' "$now" "$((first + memory_grows))"
    [ "$rounds" -lt 3 ] || within descriptors "$(descriptors)" "$((first_descriptors + descriptors_grow))"
    kill "$server"
    wait "$server" || fail "the server ended with $?"
    running=''
    within 'errors in the log' "$(grep -c 'level=error' "$work/log" || true)" 0
    grep 'level=error' "$work/log" | head -n 5 || true
    echo "$1: $(grep -c 'done' "$work/sign-ins") times somebody signed in and out"
}

soak SQLite "$work/soak.db"
if PATH=$PATH:/usr/sbin command -v mariadbd >/dev/null; then
    tests/mariadb.sh start "$work/mariadb" >"$work/address"
    soak MariaDB "$(tail -n 1 "$work/address")"
else
    echo 'Not tried: MariaDB.'
fi
exit "$failed"
