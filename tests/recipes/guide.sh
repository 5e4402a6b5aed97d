# The contract of the guide, row by row: the Express app whose sign-in code was deleted, behind nginx and vestibule,
# answers as the guide's own app does. Run by run.sh, with the password policy of the guide (--password-policy seed).
#
# What is knowingly different:
# - The profile, GET /, is the app's: it asks GET /session, as the guide's page asks Lucia.
# - The cookie is called __Host-auth_session, which browsers keep for this host alone; Lucia's is auth_session.
# - One sentence is text/plain here and text/html in Express; a browser gets the form again, with the sentence in it.
# - GET /logout, which the guide does not have and Express answers with 404, is vestibule's.
# - A field that comes twice is an invalid field in both; one in the query string is no field in both.
# - Signing in or up ends the session that the request presented (OWASP ASVS 7.2.4); Lucia leaves it alive.
# - Names that differ in case alone, or in form, are one name; a name consists of visible characters.
# - A body that is no form: JSON is read, and anything else is refused with 415; the guide's app sees no field in either.
# - GET / while the sign-in is down is 503, and not 500.
# shellcheck shell=sh
set -eu

: "${PORT:?}" "${CA:?}" "${DATABASE:?}" "${RECIPE:?}"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# shellcheck source=tests/proxies/visitor.sh
. "$(dirname "$0")/../proxies/visitor.sh"
host=https://app.example.test:$PORT
jar=$folder/jar
password='three unrelated words'

web() {
    curl --silent --show-error --max-time 30 --cacert "$CA" --http1.1 \
        --resolve "app.example.test:$PORT:127.0.0.1" "$@"
}
known() { web --cookie "$jar" "$@"; }
keeping() { known --cookie-jar "$jar" "$@"; }

# send CLIENT PATH FIELD=VALUE… sends a form and prints the answer and its status.
send() {
    client=$1 path=$2
    shift 2
    for field in "$@"; do
        set -- "$@" --data-urlencode "$field"
        shift
    done
    "$client" "$@" --header "Origin: $host" --write-out ' %{http_code}' "$host$path"
}
form() { send web "$@"; }
# repeat 5 x prints xxxxx.
repeat() { printf "%$1s" '' | tr ' ' "$2"; }
# has 'what should be there' TEXT FILE
has() { check "$1" yes "$(grep -q -F -- "$2" "$3" && echo yes || cat "$3")"; }
# A field of the head that came last, as it was sent; and the status with the Location.
field() { tr -d '\r' <"$folder/head" | sed -n "s/^$1: //Ip"; }
way_of_head() { echo "$(sed -n '1s/[^ ]* \([0-9]*\).*/\1/p' "$folder/head") $(field Location)"; }

# Sign up page.
for at in 'signup Sign-up login' 'login Sign-in signup'; do
    # shellcheck disable=SC2086 # Three words.
    set -- $at
    title=$(echo "$2" | tr - ' ')
    check "GET /$1 is the form" 200 "$(status page "$host/$1" --output "$folder/page")"
    page "$host/$1" --output "$folder/page"
    has "/$1: its heading" "<h1>$title</h1>" "$folder/page"
    has "/$1: it posts to itself" '<form method="post">' "$folder/page"
    has "/$1: a label for the name" '<label for="username">Username</label>' "$folder/page"
    has "/$1: the name" '<input id="username" name="username"' "$folder/page"
    has "/$1: a label for the password" '<label for="password">Password</label>' "$folder/page"
    has "/$1: the password" '<input id="password" type="password" name="password"' "$folder/page"
    words='Create an account'
    [ "$1" = login ] || words='Sign in'
    has "/$1: the link to the other form" "<a href=\"/$3\">$words</a>" "$folder/page"
    check "HEAD /$1 is as GET, without a body" '200 0' \
        "$(web --head "$host/$1" --output /dev/null --write-out '%{http_code}') $(web --head "$host/$1" | sed '1,/^.$/d' | wc -c | tr -d ' ')"
done

# Create users: the basic checks, with their sentences. A name is checked before a password.
long=$(repeat 31 n)
for row in "$(repeat 3 n)" "$(repeat 32 n)" ''; do
    check "sign-up: a name of ${#row} is refused" 'Invalid username 400' "$(form /signup "username=$row" "password=$password")"
done
check 'sign-up: a name that is missing is refused' 'Invalid username 400' "$(form /signup "password=$password")"
check 'sign-up: a name that is a list is refused' 'Invalid username 400' \
    "$(form /signup username=dora username=emil "password=$password")"
check 'sign-up: a name with brackets is refused' 'Invalid username 400' \
    "$(form /signup 'username[]=dora' "password=$password")"
check 'sign-up: a name is measured in UTF-16 units' 'Invalid username 400' \
    "$(form /signup "username=$(repeat 30 n)😀" "password=$password")"
check 'sign-up: nothing is read from the query' 'Invalid username 400' \
    "$(form '/signup?username=dora&password=123456' other=1)"
check 'sign-up: the name is checked first' 'Invalid username 400' "$(form /signup username=abc password=)"
for row in 12345 "$(repeat 256 p)" ''; do
    check "sign-up: a password of ${#row} is refused" 'Invalid password 400' "$(form /signup username=dora "password=$row")"
done
check 'sign-up: a password that is missing is refused' 'Invalid password 400' "$(form /signup username=dora)"
check 'sign-up: a password that is a list is refused' 'Invalid password 400' \
    "$(form /signup username=dora password=123456 password=123456)"
check 'a browser gets the form again, with the sentence' ' 400' \
    "$(send page /signup username=abc "password=$password" | tee "$folder/page" | tail -c 4)"
has 'as an alert' '<strong>Invalid username</strong>' "$folder/page"
has 'with the name as it was typed' 'value="abc"' "$folder/page"
check 'and without the password' '' "$(grep -F "$password" "$folder/page" || true)"

keeping --dump-header "$folder/head" --output /dev/null "$host/signup" --data-urlencode username=Dora \
    --data-urlencode "password=$password"
check 'sign-up leads to the profile' '302 /' "$(way_of_head)"
cookie=$(field Set-Cookie | grep ^__Host-auth_session)
has 'with the session in a cookie' '__Host-auth_session=' "$folder/head"
for part in 'Path=/' HttpOnly SameSite=Lax Secure Max-Age=1296000; do
    check "the cookie says $part" yes "$(case "$cookie; " in *"; $part; "*) echo yes ;; *) echo "$cookie" ;; esac)"
done
check 'sign-up: a name is given once' 'Username already taken 400' "$(form /signup username=Dora "password=$password")"
check 'the shortest name and password are good' ' 302' "$(form /signup username=emil password=123456)"
check 'the longest too' ' 302' "$(form /signup "username=$long" "password=$(repeat 255 p)")"
# Units, of which an emoji has two: 31 in all.
check 'sign-up: 31 units are good' ' 302' "$(form /signup "username=$(repeat 29 m)😀" password=123456)"

check 'a name that differs in case alone is taken as well' 'Username already taken 400' "$(form /signup username=dORA "password=$password")"
check 'a body that is no form has no fields' 'Unsupported media type 415' \
    "$(web "$host/signup" --header 'Content-Type: text/plain' --data "username=carl&password=$password" --write-out ' %{http_code}')"
check 'nor has a form for files' 'Unsupported media type 415' \
    "$(web "$host/signup" --form username=carl --form "password=$password" --write-out ' %{http_code}')"
check 'JSON has' ' 302' "$(web "$host/signup" --json "{\"username\":\"carl\",\"password\":\"$password\"}" \
    --header 'Accept: */*' --write-out ' %{http_code}')"

# A cookie whose session does not exist is cleared wherever the guide asks who is there.
for path in / /signup /login; do
    web --cookie "__Host-auth_session=$(repeat 40 x)" --dump-header "$folder/head" --output /dev/null "$host$path"
    check "a cookie that opens nothing is cleared at $path" '__Host-auth_session=; Path=/; Secure; HttpOnly; SameSite=Lax; 0' \
        "$(field Set-Cookie | sed 's/Expires=.*Max-Age=//')"
done

# Redirect authenticated users.
for path in /signup /login; do
    known --dump-header "$folder/head" --output /dev/null "$host$path"
    check "a user who is signed in is led from $path to the profile" '302 /' \
        "$(way_of_head)"
done

# Authenticate users.
check 'sign-in: an empty name is refused' 'Invalid username 400' "$(form /login username= "password=$password")"
check 'sign-in: a name that is missing is refused' 'Invalid username 400' "$(form /login "password=$password")"
check 'sign-in: a name of 32 is refused' 'Invalid username 400' "$(form /login "username=$(repeat 32 n)" "password=$password")"
check 'sign-in: a name that is a list is refused' 'Invalid username 400' \
    "$(form /login username=Dora username=Dora "password=$password")"
check 'sign-in: a name of 1 is wrong, and not invalid' 'Incorrect username or password 400' \
    "$(form /login username=n "password=$password")"
check 'sign-in: an empty password is refused' 'Invalid password 400' "$(form /login username=Dora password=)"
check 'sign-in: a password that is missing is refused' 'Invalid password 400' "$(form /login username=Dora)"
check 'sign-in: a password of 256 is refused' 'Invalid password 400' "$(form /login username=Dora "password=$(repeat 256 p)")"
check 'sign-in: a password of 1 is wrong, and not invalid' 'Incorrect username or password 400' \
    "$(form /login username=Dora password=p)"
check 'sign-in: a wrong password is wrong' 'Incorrect username or password 400' \
    "$(form /login username=Dora "password=$password.")"
check 'sign-in: an unknown name is the same' 'Incorrect username or password 400' \
    "$(form /login username=nobody-has-it "password=$password")"
check 'sign-in: the longest name and password are good' ' 302' \
    "$(form /login "username=$long" "password=$(repeat 255 p)")"
cp "$jar" "$folder/first"
rm "$jar"
web --cookie-jar "$jar" --dump-header "$folder/head" --output /dev/null "$host/login" --data-urlencode username=Dora \
    --data-urlencode "password=$password"
check 'sign-in leads to the profile' '302 /' "$(way_of_head)"
check 'with a session of its own' 2 \
    "$(awk '$6 == "__Host-auth_session" { print $7 }' "$folder/first" "$jar" | sort -u | wc -l | tr -d ' ')"

# Neither form asks who is there before it is processed.
for path in /login /signup; do
    cp "$jar" "$folder/before"
    known --dump-header "$folder/head" --output /dev/null "$host$path" --data-urlencode "username=Dor$(basename "$path")" \
        --data-urlencode "password=$password"
    case $path in
        /login) check 'a wrong sign-in beside a session is refused' '400 ' "$(way_of_head)" ;;
        /signup) check 'a sign-up beside a session is a sign-up' '302 /' "$(way_of_head)" ;;
    esac
done
check 'which ends the session that was presented' 302 "$(status web --cookie "$folder/before" "$host/")"
rm "$jar"
web --cookie-jar "$jar" --output /dev/null "$host/login" --data-urlencode username=Dora --data-urlencode "password=$password"

# An idle session is renewed by whatever page asks who is there, and its cookie is sent again.
python3 -c 'import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=10) as file: file.execute("UPDATE user_session SET active_expires = 0")' "$DATABASE"
known --dump-header "$folder/head" --output /dev/null "$host/"
check 'an idle session is renewed by the profile' 'HttpOnly Max-Age=1296000' \
    "$(field Set-Cookie | grep ^__Host-auth_session | tr -d ' ' | tr ';' '\n' | grep -e HttpOnly -e Max-Age | tr '\n' ' ' | sed 's/ $//')"
known --dump-header "$folder/head" --output /dev/null "$host/"
check 'once' '' "$(field Set-Cookie)"

# Profile page.
web --dump-header "$folder/head" --output /dev/null "$host/"
check 'a visitor is led from the profile to the sign-in page' '302 /login' \
    "$(way_of_head)"
check 'the profile is a page' 200 "$(status known "$host/")"
known "$host/" --output "$folder/page"
has 'the profile: its heading' '<h1>Profile</h1>' "$folder/page"
check 'the profile: the id of the user' 15 \
    "$(sed -n 's/.*<p>User id: \([a-z0-9]*\)<\/p>.*/\1/p' "$folder/page" | tr -d '\n' | wc -c | tr -d ' ')"
has 'the profile: the name as it was typed' '<p>Username: Dora</p>' "$folder/page"
has 'the profile: a button that posts to /logout' '<form method="post" action="/logout">' "$folder/page"
has 'the profile: with its words' '<input type="submit" value="Sign out">' "$folder/page"

# Sign out users.
check 'sign-out without a session is 401' 'Unauthorized 401' "$(web --request POST --write-out ' %{http_code}' "$host/logout")"
cp "$jar" "$folder/kept"
keeping --request POST --dump-header "$folder/head" --output /dev/null "$host/logout"
check 'sign-out leads to the sign-in page' '302 /login' \
    "$(way_of_head)"
check 'it clears the cookie' yes "$(case $(field Set-Cookie) in '__Host-auth_session=; '*Max-Age=0*) echo yes ;; esac)"
check 'the session is gone, and not the cookie alone' 302 "$(status web --cookie "$folder/kept" "$host/")"
check 'the other session is not' 200 "$(status web --cookie "$folder/first" "$host/")"

# Other methods and addresses: Express answers 404 to either; an address that there is, is 405 here.
check 'another address is not found' 404 "$(status web "$host/nothing-here")"
check 'another method is not supported' '405 GET, HEAD, POST' \
    "$(web --request DELETE --dump-header "$folder/head" --output /dev/null --write-out '%{http_code}' "$host/login") $(field Allow)"

# Beyond the guide: the account, its sessions, and what slows guessing down.
cp "$folder/first" "$jar"
known --header 'Accept: text/html' "$host/account" --output "$folder/page"
has 'the account page says whose it is' 'Dora' "$folder/page"
rm -f "$folder/second"
web --cookie-jar "$folder/second" --output /dev/null "$host/login" --data-urlencode username=dora --data-urlencode "password=$password"
check 'the sessions are listed' 2 \
    "$(known --header 'Accept: application/json' "$host/account/sessions" | grep -o '"handle"' | wc -l | tr -d ' ')"
check 'another one can be ended' ' 302' "$(known --write-out ' %{http_code}' --request POST "$host/account/sessions/end-others" \
    --data-urlencode "current_password=$password")"
check 'and the app has it no longer' 302 "$(status web --cookie "$folder/second" "$host/")"
check 'a new password ends the rest' 302 "$(status keeping "$host/account/password" \
    --data-urlencode "current_password=$password" --data-urlencode 'password=four words that differ')"
check 'but not the session in which it was set' 200 "$(status known "$host/")"
for try in 1 2 3 4 5 6 7 8 9; do
    came=$(form /login username=emil "password=wrong-$try")
    [ "$came" = 'Incorrect username or password 400' ] || break
done
check 'too many wrong passwords have to wait' 'Too many attempts 429' "$came"
check 'others do not' ' 302' "$(form /login username=dora 'password=four words that differ')"

# Errors. The table of the keys is taken away last, as nothing works without it.
python3 -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=10).execute("ALTER TABLE user_key RENAME TO gone")' "$DATABASE"
check 'an error inside has one sentence: sign-up' 'An unknown error occurred 500' \
    "$(form /signup username=carla "password=$password")"
check 'an error inside has one sentence: sign-in' 'An unknown error occurred 500' \
    "$(form /login username=dora "password=$password")"
