#!/bin/sh
# Every sentence that turns a visitor away, byte for byte, and the form for those who can read one.
# shellcheck source=tests/curl/check.sh
. "$(dirname "$0")/check.sh"

# post /signup field=value… prints the answer and its status.
post() {
    path=$1
    shift
    for field in "$@"; do
        set -- "$@" --data-urlencode "$field"
        shift
    done
    web --write-out ' %{http_code}' "$@" "$URL$path"
}

# repeat 5 x prints xxxxx.
repeat() { printf "%$1s" '' | tr ' ' "$2"; }

came=$(post /signup "username=$name" "password=$password")
check 'an account is made' ' 302' "$came"

for wrong in abc "$(repeat 32 a)" '    ' 'abc '; do
    came=$(post /signup "username=$wrong" "password=$password")
    check "no account for the name '$wrong'" 'Invalid username 400' "$came"
done
came=$(post /signup "password=$password")
check 'no account without a name' 'Invalid username 400' "$came"
came=$(post /signup 'username=😀' "password=$password")
check 'a name is counted in UTF-16 units: one emoji is two of them' 'Invalid username 400' "$came"
came=$(post /signup "username=$name-x" "username=$name-y" "password=$password")
check 'a field that comes twice counts as missing' 'Invalid username 400' "$came"
came=$(post /signup "username[]=$name-x" "password=$password")
check 'and so does one with brackets' 'Invalid username 400' "$came"

for wrong in '' 12345 "$(repeat 256 x)"; do
    came=$(post /signup "username=$name-x" "password=$wrong")
    check "no account with a password of ${#wrong} characters" 'Invalid password 400' "$came"
done
if [ "$POLICY" = seed ]; then
    came=$(post /signup "username=$name-6" 'password=123456')
    check 'six characters are enough to try it out' ' 302' "$came"
else
    for wrong in 1234567 12345678 "$name-x"; do
        came=$(post /signup "username=$name-x" "password=$wrong")
        check "no account with the password '$wrong'" 'Invalid password 400' "$came"
    done
fi

came=$(post /signup "username=$name" "password=$password")
check 'a name is given once' 'Username already taken 400' "$came"
came=$(post /signup "username=$(printf %s "$name" | tr c C)" "password=$password")
check 'and its other spellings with it' 'Username already taken 400' "$came"

for wrong in '' "$(repeat 32 a)"; do
    came=$(post /login "username=$wrong" "password=$password")
    check "no user signs in with a name of ${#wrong} characters" 'Invalid username 400' "$came"
done
for wrong in '' "$(repeat 256 x)"; do
    came=$(post /login "username=$name" "password=$wrong")
    check "no user signs in with a password of ${#wrong}" 'Invalid password 400' "$came"
done
came=$(post /login "username=$name" 'password=wrong password')
check 'a wrong password' 'Incorrect username or password 400' "$came"
came=$(post /login "username=$name-nobody" "password=$password")
check 'and an unknown name are told the same' 'Incorrect username or password 400' "$came"

for kind in text/plain multipart/form-data application/xml; do
    came=$(web --write-out ' %{http_code}' --header "Content-Type: $kind" \
        --data "username=$name&password=$password" "$URL/login")
    check "a body of $kind is no form" 'Unsupported media type 415' "$came"
done
for bad in "username=$name" '[]' '{"username":1}' '{"username":"a","username":"b"}'; do
    came=$(web --write-out ' %{http_code}' --header 'Content-Type: application/json' --data "$bad" "$URL/login")
    check "neither is the JSON $bad" 'Invalid JSON 400' "$came"
done
came=$(web --write-out ' %{http_code}' --request POST "$URL/login?username=$name&password=x")
check 'and neither has the address' 'Invalid username 400' "$came"

came=$(web --header 'Accept: text/html' --data-urlencode "username=$name" \
    --data-urlencode 'password=wrong password' --write-out ' %{http_code}' "$URL/login")
has 'a browser gets the form again' 'role="alert"' "$came"
has 'with the sentence in it' 'Incorrect username or password' "$came"
has 'and the name' "value=\"$name\"" "$came"
case $came in *'wrong password'*) check 'but never the password' '' "$came" ;; esac
has 'under the same status' ' 400' "$came"
