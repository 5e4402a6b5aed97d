# What a visitor sees of an app of examples/ that has its sign-in from vestibule. Run by run.sh.
# shellcheck shell=sh
set -eu

: "${PORT:?}" "${CA:?}" "${BINARY:?}" "${DATABASE:?}" "${RECIPE:?}"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# shellcheck source=tests/proxies/visitor.sh
. "$(dirname "$0")/../proxies/visitor.sh"
host=https://app.example.test:$PORT
password='three unrelated words'

web() {
    curl --silent --show-error --max-time 30 --cacert "$CA" --http1.1 \
        --resolve "app.example.test:$PORT:127.0.0.1" "$@"
}
# What the app says on a page of its own.
greeting() { "$@" "$host/" | grep -o 'Hello [A-Za-z]*'; }
known() { page --cookie "$folder/jar" --cookie-jar "$folder/jar" "$@"; }
post() { known --header "Origin: $host" "$@"; }

if [ "${DOWN:-no}" = yes ]; then
    for path in / /api/me; do
        check "while the sign-in is down, $path says to come back" '503 1' \
            "$(known "$host$path" --output /dev/null --write-out '%{http_code} %header{retry-after}')"
    done
    if [ "$RECIPE" = flask ]; then
        check 'and the log says why' yes "$(grep -q 'Connection refused' "$LOG" && echo yes)"
    fi
    exit 0
fi

# The app may still be starting.
tries=0
until [ "$(status page "$host/")" != 502 ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || { echo "FAIL  $RECIPE does not answer"; exit 1; }
    sleep 0.1
done

if [ "$RECIPE" = express ]; then
    # The guide's own table: a profile page that leads strangers to the sign-in page.
    check 'a stranger is led to the sign-in page' "302 $host/login" "$(way page "$host/")"
else
    check 'a stranger is welcome on an open page' 'Hello stranger' "$(greeting page)"
fi
check 'fetch gets 401 and no redirect' '401 ' "$(way web "$host/api/me" --header 'Accept: application/json')"
check 'a stranger is led from a guarded page to the sign-in page' \
    "302 $host/login?next=https://app.example.test:$PORT/private" "$(way page "$host/private")"
check 'a script is not let in there' 401 "$(status web "$host/private" --header 'Sec-Fetch-Mode: cors')"
if [ "$RECIPE" = flask ]; then
    check 'a link leads to the sign-in and back, with the query' '/login?next=/%3Fq%3Da%2526b' \
        "$(page "$host/?q=a%26b" | sed -n 's/.*<a href="\([^"]*\)">Sign in.*/\1/p')"
    for from in 'Sec-Fetch-Site: cross-site' 'Sec-Fetch-Site: same-site' 'Origin: https://evil.example' 'Origin: null' 'X-None: x'; do
        check "a form is refused with $from" 403 "$(status web "$host/api/me" --data '' --header "$from")"
    done
    # 405, as the address takes no form at all.
    for from in 'Sec-Fetch-Site: same-origin' "Origin: $host"; do
        check "and taken with $from" 405 "$(status web "$host/api/me" --data '' --header "$from")"
    done
fi
check 'the guide: a short name is refused' 'Invalid username' \
    "$(web "$host/signup" --data-urlencode username=abc --data-urlencode "password=$password")"
check 'signing up leads back' "302 $host/private" "$(way post "$host/signup" --data-urlencode username=Anna \
    --data-urlencode "password=$password" --data-urlencode "next=$host/private")"
check 'the guide: a taken name is refused' 'Username already taken' \
    "$(web "$host/signup" --data-urlencode username=anna --data-urlencode "password=$password")"
check 'the guide: a wrong password is refused' 'Incorrect username or password' \
    "$(web "$host/login" --data-urlencode username=anna --data-urlencode password=wrong-one)"
case $RECIPE in
    express) check 'the page knows who is there' 'Username: Anna' "$(known "$host/" | grep -o 'Username: Anna')" ;;
    *) check 'the page knows who is there' 'Hello Anna' "$(greeting known)" ;;
esac
check 'fetch knows who is there' '"name":"Anna"' "$(known "$host/api/me" | tr -d ' ' | grep -o '"name":"Anna"')"
check 'the guarded page knows' 'hello anna' "$(known "$host/private" | tr '[:upper:]' '[:lower:]')"
check 'no client can claim a name' 'hello anna' "$(known "$host/private" --header 'Remote-User: root' \
    --header 'Remote_User: root' --header 'Remote-Id: root' | tr '[:upper:]' '[:lower:]')"
check 'the page for administrators is closed' 403 "$(status known "$host/admin")"
check 'nor can a client claim a group' 403 "$(status known "$host/admin" --header 'Remote-Groups: admin')"
"$BINARY" user groups anna --add admin --database "$DATABASE" >/dev/null
check 'it is open to the group' 'hello administrator anna' "$(known "$host/admin" | tr '[:upper:]' '[:lower:]')"
check 'another site signs out no user' 401 \
    "$(status known "$host/logout" --header 'Origin: https://evil.example' --data '')"
cp "$folder/jar" "$folder/kept"
check 'signing out leads to the sign-in page' "302 $host/login" "$(way post "$host/logout" --data '')"
check 'and shuts the guarded page' 302 "$(status page --cookie "$folder/kept" "$host/private")"
check 'and the app forgets' 401 "$(status web --cookie "$folder/kept" "$host/api/me")"
