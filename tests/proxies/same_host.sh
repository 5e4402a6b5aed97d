# An app on the host of the sign-in: what goes to which, and what the app learns. Run by run.sh.
# shellcheck shell=sh
set -eu

: "${PORT:?}" "${CA:?}" "${BINARY:?}" "${DATABASE:?}"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
. ./visitor.sh
jar=$folder/jar
host=https://app.example.test:$PORT
own=$host${PREFIX:-}
password='three unrelated words'

web() {
    curl --silent --show-error --max-time 30 --cacert "$CA" --http1.1 \
        --resolve "app.example.test:$PORT:127.0.0.1" "$@"
}
known() { page --cookie "$jar" --cookie-jar "$jar" "$@"; }

value() { tr -d '\r' <"$folder/echo" | sed -n "s/^$1: //Ip"; }
# what the app learned of the user, and nothing else that was forged
learned() { echo "$(value Remote-User)$(grep -i forged "$folder/echo" || true)"; }

page "$host/" --output "$folder/echo"
check 'an open page of the app is open' 'GET / HTTP/1.1' "$(head -n 1 "$folder/echo" | tr -d '\r')"
page "$host/healthz" --output "$folder/echo"
check 'an address of the app is the app' 'GET /healthz HTTP/1.1' "$(head -n 1 "$folder/echo" | tr -d '\r')"
for path in /admin /admin/x //admin /%61dmin /ADMIN/x /x/../admin /./admin; do
    check "a stranger is led from $path to the sign-in page" 302 \
        "$(status page --path-as-is "$host$path")"
done
# What some servers take for the same path: they leave out what follows a semicolon, or take a backslash for a slash.
for path in '/x/..;/admin' '/;/admin' '/.;/admin' '/;a=b/admin' '/\admin' '/x\..\admin' '/%5cadmin' '/%3b/admin' '/x%2f..%2fadmin'; do
    check "and from $path" 302 "$(status page --path-as-is --request-target "$path" "$host/")"
done
for path in /team /team/ /Team/x '/team;v=1' /team%2fx /team//x; do
    check "and from $path, which is guarded with what is below it" 302 "$(status page --path-as-is --request-target "$path" "$host/")"
done
for path in /teams /team-x /xteam; do
    check "and not from $path" 200 "$(status page "$host$path")"
done
check 'password managers find the page at the root' "302 $host${PREFIX:-}/account" "$(way page "$host/.well-known/change-password")"
check 'a fragment opens nothing' no "$(case $(status page --request-target '/x#/../../admin' "$host/") in 200) ;; *) echo no ;; esac)"
next="https://app.example.test:$PORT/admin?x=1"
check 'and from there' "302 $own/login?next=$next" "$(way page "$host/admin?x=1")"
check 'signing up leads back' "302 $host/admin?x=1" "$(way known "$own/signup" --header "Origin: $host" \
    --data-urlencode username=Anna --data-urlencode "password=$password" --data-urlencode "next=$host/admin?x=1")"
check 'the account page is there' 200 "$(status known "$own/account")"
for link in $(known "$own/account" | grep -o 'href="/[^"]*"' | cut -d '"' -f 2 | grep -v '^/$'); do
    check "its link $link leads somewhere" 200 "$(status known "$host$link")"
done

: >"$folder/forged"
for name in Remote-User remote-user REMOTE-USER Remote_User remote.user Remote-Groups Remote_Groups; do
    printf 'header = "%s: forged"\n' "$name" >>"$folder/forged"
done
known "$host/admin" --config "$folder/forged" --output "$folder/echo"
check 'a guarded page knows who is there' anna "$(learned)"
known "$host/" --config "$folder/forged" --output "$folder/echo"
check 'an open page is told nothing, and nothing forged' '' "$(learned)"
cookie=$(value Cookie)
check 'it gets the cookie to ask with' yes "$(case $cookie in *__Host-auth_session=*) echo yes ;; esac)"
check 'and learns who is there' '"canonical_username":"anna"' \
    "$(web "http://$VESTIBULE${PREFIX:-}/session" --header "Cookie: $cookie" | grep -o '"canonical_username":"anna"')"
check 'without the cookie it learns that no user is signed in' 401 "$(status web "http://$VESTIBULE${PREFIX:-}/session")"
check 'a script of a stranger gets 401 and no page' 401 \
    "$(status web "$host/admin" --header 'Accept: application/json' --header 'Sec-Fetch-Mode: cors')"
if [ -n "${PREFIX:-}" ]; then
    for path in /auth/nginx /auth/forward /api/verify /oauth2/auth /validate; do
        check "$path is for the proxy itself" 404 "$(status known "$own$path")"
    done
fi
doctor() {
    "$BINARY" doctor "$host/admin/" --ca "$CA" --resolve "app.example.test:$PORT:127.0.0.1" "$@" \
        >"$folder/doctor" && echo well || { echo ill; cat "$folder/doctor" >&2; }
}
check 'doctor finds nothing wrong' well "$(printf '%s\n' "$password" | doctor --sign-in anna --origin "$own")"
check 'doctor could check everything' 0 "$(grep -c '^skip' "$folder/doctor" || true)"
"$BINARY" doctor "$host/" --ca "$CA" --resolve "app.example.test:$PORT:127.0.0.1" --path /admin >"$folder/doctor" || true
check 'doctor says how to examine the part that is guarded' "hint  if only a part of the app is meant to be guarded, \
examine that: vestibule doctor $host/admin" "$(grep '^hint' "$folder/doctor")"

# A session that is due for renewal, as after a day.
python3 -c 'import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as file: file.execute("UPDATE user_session SET active_expires = 0")' "$DATABASE"
# told FILE prints the status, and the fields that matter to a renewal, without values that vary.
told() {
    tr -d '\r' <"$1" | sed -n -e '1s/^[^ ]* \([0-9]*\).*/\1/p' -e 's/^[Ss]et-[Cc]ookie: \([^=]*\).*; Max-Age=\(.*\)/\1 \2/p' \
        -e 's/^[Ll]ocation: //p' -e 's/^[Cc]ache-[Cc]ontrol: //p' | LC_ALL=C sort | tr '\n' ' '
}
web "$host/admin?x=1" --cookie "$jar" --header 'Accept: */*' --header 'Sec-Fetch-Mode: cors' --dump-header "$folder/head" --output "$folder/echo"
check 'a script is let through without a renewal' '200 ' "$(told "$folder/head")"
page "$host/admin?x=1" --cookie "$jar" --data a=b --dump-header "$folder/head" --output "$folder/echo"
check 'and so is a form' '200 POST /admin?x=1 HTTP/1.1' "$(told "$folder/head")$(head -n 1 "$folder/echo" | tr -d '\r')"
known "$host/admin?x=1" --dump-header "$folder/head" --output /dev/null
check 'a browser is led back to the page, with the renewed cookie' "302 __Host-auth_session 1296000 $host/admin?x=1 no-store " \
    "$(told "$folder/head")"
known "$host/admin?x=1" --dump-header "$folder/head" --output "$folder/echo"
check 'and is let through then' '200 ' "$(told "$folder/head")"
check 'the app gets no cookie to set' '' "$(value Set-Cookie)"

check 'signing out works' "302 $own/login" "$(way known "$own/logout" --header "Origin: $host" --data '')"
check 'the guarded page is shut' 302 "$(status known "$host/admin")"
