#!/bin/sh
# What an operator does on the database of a running server, and what visitors see of it. Besides $URL
# it needs BINARY, the program, and VESTIBULE_DATABASE, the server's database.
# shellcheck source=tests/curl/check.sh
. "$(dirname "$0")/check.sh"
: "${BINARY:=vestibule}"
own=https://auth.test$prefix
export VESTIBULE_DATABASE VESTIBULE_ORIGIN="$own"

code() { web --output /dev/null --write-out '%{http_code}' "$@"; }
sign_in() { web "$URL/login" --write-out '%{http_code}' --data-urlencode "username=$1" --data-urlencode "password=$2"; }

link=$("$BINARY" invite new --groups staff --note "for $name")
has 'an invitation is a link to the origin of the settings' "$own/signup?invite=" "$link"
invite=${link##*=}
check 'the form takes an invitation' 200 "$(code "$URL/signup?invite=$invite")"
check 'an invitation makes an account' 302 \
    "$(code "$URL/signup" -c "$jar" -d "invite=$invite" --data-urlencode "username=$name" --data-urlencode "password=$password")"
check 'it is used up then' 'This invitation is not valid any more' \
    "$(web "$URL/signup" -d "invite=$invite" --data-urlencode "username=$name-2" --data-urlencode "password=$password")"
has 'the user who signed up with it is in its groups' '"groups":["staff"]' "$("$BINARY" user show "$name" --json)"

"$BINARY" user disable "$name" --reason 'a test' >/dev/null
check 'a disabled user reads what all others read' 'Incorrect username or password400' \
    "$(sign_in "$name" "$password")"
check 'and their session has ended' 302 \
    "$(code -b "$COOKIE=$(awk '$6 ~ /auth_session/ { print $7 }' "$jar")" "$URL/")"
"$BINARY" user enable "$name" >/dev/null
check 'they are let in again' 302 "$(sign_in "$name" "$password")"

link=$("$BINARY" user reset-link "$name")
has 'a reset link leads to the origin of the settings' "$own/reset?token=" "$link"
reset=${link##*=}
check 'it sets a password' 302 \
    "$(code -H 'Host: evil.example' "$URL/reset" -d "token=$reset" -d 'password=three other words')"
check 'once' 404 "$(code "$URL/reset" -d "token=$reset" -d 'password=three more words')"
check 'the old password is no good' 'Incorrect username or password400' "$(sign_in "$name" "$password")"
check 'the new one is' 302 "$(sign_in "$name" 'three other words')"

echo 'another three words' | "$BINARY" user passwd "$name" >/dev/null
check 'the operator sets a password' 302 "$(sign_in "$name" 'another three words')"
check 'a session is listed' 1 "$("$BINARY" session list "$name" --json | wc -l | tr -d ' ')"
check 'all sessions are ended' "1 session of $name ended" "$("$BINARY" session end-all "$name")"
has 'the audit trail has it all' '"event":"user_disable"' "$("$BINARY" audit --user "$name" --json)"
"$BINARY" user delete "$name" --yes >/dev/null
check 'a deleted user is unknown' 'Incorrect username or password400' \
    "$(sign_in "$name" 'another three words')"
