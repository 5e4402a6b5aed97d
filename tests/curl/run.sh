#!/bin/sh
# Runs every script in this folder against four servers: one to try out and one with an https origin, each
# at the root of its host and below a path of it; addresses.sh against a fifth one, and passkeys.sh against two more.
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

# start name flag… serves from a new database on a free port, and sets $url, $database and $flags.
start() {
    log=$work/$1.log
    database=$work/$1.db
    shift
    flags="${*:+, with $*}"
    "$binary" serve --listen 127.0.0.1:0 --database "$database" --second-factor-groups "$REQUIRED" "$@" 2>"$log" &
    servers="$servers $!"
    tries=0
    until url=$(sed -n 's/.*ev=listening address=\([^ ]*\).*/http:\/\/\1/p' "$log") && [ -n "$url" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 500 ] || { cat "$log"; exit 1; }
        sleep 0.02
    done
}

# run SCRIPT COOKIE POLICY [DOMAIN] runs a script against the server that was started last, below $prefix of its host.
# DOMAIN is what it makes passkeys for.
run() {
    printf '\n-- %s%s\n' "$1" "$flags"
    URL=$url$prefix COOKIE=$2 POLICY=$3 PASSKEYS=${4:-} VESTIBULE_DATABASE=$database sh "$1"
    ran=$((ran + 1))
}

# run_all COOKIE POLICY [DOMAIN] runs all of them.
run_all() {
    for script in *.sh; do
        case $script in run.sh | check.sh | addresses.sh) continue ;; esac
        run "$script" "$@"
    done
}

ran=0
export BINARY="$binary" REQUIRED=two-factors
for prefix in "" /auth; do
    if [ -z "$prefix" ]; then
        start plain
    else
        # The path is a part of the origin, with which passwords would no longer be of the kind to try out.
        start plain-below --origin "http://auth.test$prefix" --password-policy seed
    fi
    run_all auth_session seed
    start "origin${prefix:+-below}" --origin "https://auth.test$prefix"
    run_all __Host-auth_session standard auth.test
done
# Sites with other forms.
prefix="" MAIL=$work/mail
export MAIL
start addresses --origin https://auth.test --names address --verify-before-sign-in \
    --mail-command "$(command -v tee) $MAIL" --mail-from 'Test <test@auth.test>'
run addresses.sh __Host-auth_session standard
start passkeys-off --origin https://auth.test --passkeys off
run passkeys.sh __Host-auth_session standard
start passkey-domain --origin https://auth.example.test --passkey-domain example.test
export ORIGIN=https://auth.example.test
run passkeys.sh __Host-auth_session standard example.test
printf '\nAll curl scripts passed: %d runs.\n' "$ran"
