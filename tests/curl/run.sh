#!/bin/sh
# Runs every script in this folder against two servers: one to try out, one with an https origin.
# run.sh BINARY
set -eu
cd "$(dirname "$0")"
binary=$1

work=$(mktemp -d)
servers=""
# shellcheck disable=SC2086 # A list of process ids.
clean_up() {
    [ -z "$servers" ] || kill $servers 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

# start name flag… serves from a new database on a free port, and sets $url.
start() {
    log=$work/$1.log
    database=$work/$1.db
    shift
    "$binary" serve --listen 127.0.0.1:0 --database "$database" "$@" 2>"$log" &
    servers="$servers $!"
    tries=0
    until url=$(sed -n 's/.*ev=listening address=\([^ ]*\).*/http:\/\/\1/p' "$log") && [ -n "$url" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 500 ] || { cat "$log"; exit 1; }
        sleep 0.02
    done
}

ran=0
start plain
plain=$url
plain_database=$database
start origin --origin https://auth.test
origin=$url
origin_database=$database
export BINARY="$binary"
for script in *.sh; do
    case $script in run.sh | check.sh) continue ;; esac
    printf '\n-- %s\n' "$script"
    URL=$plain COOKIE=auth_session POLICY=seed VESTIBULE_DATABASE=$plain_database sh "$script"
    printf '\n-- %s, with --origin https://auth.test\n' "$script"
    URL=$origin COOKIE=__Host-auth_session POLICY=standard VESTIBULE_DATABASE=$origin_database sh "$script"
    ran=$((ran + 2))
done
printf '\nAll curl scripts passed: %d runs.\n' "$ran"
