# Apps that others wrote, signed in by a header, behind nginx: Radicale (CalDAV) and WsgiDAV (files), and a CalDAV client
# with an access token. What they need is installed into a folder that is kept between runs. Run by run.sh.
# shellcheck shell=sh
set -eu

: "${PORT:?}" "${CA:?}" "${BINARY:?}" "${DATABASE:?}" "${PYTHON:?}" "${KEPT:?}"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
. ./visitor.sh
jar=$folder/jar
auth=https://auth.example.test:$PORT
calendar=https://calendar.example.test:$PORT
files=https://files.example.test:$PORT
password='three unrelated words'

web() {
    curl --silent --show-error --max-time 30 --cacert "$CA" --http1.1 --resolve "auth.example.test:$PORT:127.0.0.1" \
        --resolve "calendar.example.test:$PORT:127.0.0.1" --resolve "files.example.test:$PORT:127.0.0.1" "$@"
}
known() { page --cookie "$jar" --cookie-jar "$jar" "$@"; }

known "$auth/signup" --output /dev/null --header "Origin: $auth" --data-urlencode username=anna \
    --data-urlencode "password=$password"
access=$(web --cookie "$jar" "$auth/account/tokens" --header "Origin: $auth" --data-urlencode name=calendar --data days=1)
client() { "$PYTHON" ./caldav_client.py "$calendar/" "$1" "$2" "$CA"; }

check 'a CalDAV client makes a calendar and an event with an access token' 'made and read: lunch' \
    "$(client anna "$access")"
check 'and with a password' 'read: lunch' "$(client anna "$password")"
check 'it stays out with a wrong one' 'AuthorizationError' "$(client anna wrong)"
check "Radicale keeps it for the user of the check" yes \
    "$(find "$KEPT/radicale" -path '*/anna/*' -name '*.ics' | grep -q . && echo yes)"
propfind() {
    whose=$1
    shift
    status web -X PROPFIND "$calendar/$whose/" --header 'Depth: 0' --header "Authorization: Bearer $access" "$@"
}
check 'a user sees the own calendars' 207 "$(propfind anna)"
check "and no other user's" 403 "$(propfind bert)"
for name in X-Remote-User x-remote-user X_Remote_User X.Remote.User; do
    check "not with a forged $name either" 403 "$(propfind bert --header "$name: bert")"
done
check 'a stranger gets none, with a forged header either' 401 \
    "$(status web -X PROPFIND "$calendar/anna/" --header 'Depth: 0' --header 'X-Remote-User: anna')"
check 'a browser is led to the sign-in page' 302 "$(status page "$calendar/.web/")"
check 'and sees the calendars once it is signed in' 200 "$(status known "$calendar/.web/")"

echo 'a file' >"$folder/file"
check 'WsgiDAV takes a file' 201 \
    "$(status web --user "anna:$access" --basic --upload-file "$folder/file" "$files/file")"
check 'and gives it back' 'a file' "$(known "$files/file")"
known "$files/" --output "$folder/listing"
check 'it greets the user of the check' yes "$(grep -q anna "$folder/listing" && echo yes)"
known "$files/" --header 'X-Remote-User: bert' --output "$folder/listing"
check 'and no forged one' '' "$(grep bert "$folder/listing" || true)"
check 'a stranger gets no file' 401 "$(status web "$files/file" --header 'X-Remote-User: anna')"
