#!/bin/sh
# The way in where usernames are e-mail addresses, which are verified before the first sign-in: a server with
# `--names address --verify-before-sign-in --mail-command "/usr/bin/tee $MAIL"`, so that its last mail is in $MAIL.
# shellcheck source=tests/curl/check.sh
. "$(dirname "$0")/check.sh"

address=Anna.$$@Example.com

came=$(web --write-out ' %{http_code}' --data-urlencode "username=anna" --data-urlencode "password=$password" "$URL/signup")
check 'a name that is no address is refused' 'Invalid username 400' "$came"

came=$(web --cookie-jar "$jar" --write-out ' %{http_code}' \
    --data-urlencode "username=$address" --data-urlencode "password=$password" "$URL/signup")
check 'signing up mails a link' 'A link was mailed to you 200' "$came"
check 'and starts no session' '' "$(grep "$COOKIE" "$jar" || true)"

came=$(web --write-out ' %{http_code}' --data-urlencode "username=$address" --data-urlencode "password=$password" "$URL/login")
check 'the right password alone does not sign in' 'Your e-mail address is not verified 403' "$came"
came=$(web --write-out ' %{http_code}' --data-urlencode "username=$address" --data "password=wrong+password" "$URL/login")
check 'a wrong one gets the same answer as ever' 'Incorrect username or password 400' "$came"

# The lines of a mail are folded with `=`, and each `=` in it is written as `=3D`.
tries=0
: >>"$MAIL"
until token=$(tr -d '\r' <"$MAIL" | sed -e :a -e '/=$/{N;s/=\n//;ba' -e '}' -e 's/=3D/=/g' | grep -o 'token=[a-z0-9]*'); do
    tries=$((tries + 1))
    [ "$tries" -lt 500 ] || { echo "no link in $MAIL"; exit 1; }
    sleep 0.02
done
token=${token#token=}

came=$(web --write-out '%{http_code} %header{location}' "$URL/verify?token=$token")
check 'the link leads to the sign-in form' "302 $prefix/login?verify=$token" "$came"
came=$(web --cookie-jar "$jar" --write-out '%{http_code} %header{location}' --data-urlencode "username=$address" \
    --data-urlencode "password=$password" --data "verify=$token" "$URL/login")
check 'signing in behind the link leads to the profile' "302 $prefix/" "$came"
has 'which shows the address' "Username: $address" "$(web --cookie "$jar" "$URL/")"
came=$(web --write-out '%{http_code}' --output /dev/null --data-urlencode "username= $(printf %s "$address" | tr '[:lower:]' '[:upper:]') " \
    --data-urlencode "password=$password" "$URL/login")
check 'from then on the address signs in, in every case' 302 "$came"
