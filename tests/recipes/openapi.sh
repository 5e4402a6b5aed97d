#!/bin/sh
# docs/openapi.json against a running server: requests that schemathesis makes up from it, with a session and without.
# openapi.sh BINARY
set -eu
binary=$(realpath "$1")
cd "$(dirname "$0")"
description=$(realpath ../../docs/openapi.json)
kept=${RECIPES:-$PWD/../../target/recipes}/openapi
mkdir -p "$kept"

work=$(mktemp -d)
server=""
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

[ -x "$kept/bin/python" ] || python3 -m venv "$kept"
"$kept/bin/pip" install --quiet --disable-pip-version-check schemathesis==4.4.1 hypothesis==6.140.0 || {
    echo 'NOT TRIED: schemathesis cannot be had here'
    exit 0
}

: >"$work/log"
"$binary" serve --listen 127.0.0.1:0 --database "$work/site.db" --basic-auth 2>"$work/log" &
server=$!
tries=0
until grep -q ev=listening "$work/log"; do
    tries=$((tries + 1))
    [ "$tries" -lt 500 ] || { cat "$work/log"; exit 1; }
    sleep 0.02
done
url=http://$(sed -n 's/.*ev=listening address=\([^ ]*\).*/\1/p' "$work/log")

# ask WHAT flag… : each answer is described, and none is a server error.
ask() {
    what=$1
    shift
    # Colours and progress are for a terminal.
    (cd "$work" && "$kept/bin/schemathesis" --no-color run "$description" --url "$url" --phases examples,coverage,fuzzing \
        --max-examples 20 --seed 7 --generation-database none \
        --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
        --header 'Accept: application/json' "$@") >"$work/report" 2>&1 ||
        { cat "$work/report"; echo "FAIL  $what"; exit 1; }
    printf 'ok    %s: %s\n' "$what" "$(grep -o '[0-9]* generated' "$work/report" | tail -n 1)"
}

ask 'without a session'
# What ends the session itself was asked above.
token=$(curl --silent --header 'Accept: application/json' --data username=anna \
    --data-urlencode 'password=three unrelated words' "$url/signup" | sed 's/.*"token":"\([^"]*\)".*/\1/')
ask 'with a session' --header "Authorization: Bearer $token" --exclude-path /logout
printf '\nAll answers are described.\n'
