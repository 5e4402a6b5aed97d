#!/bin/sh
# Passkeys: each page and form as a browser asks for it, as curl does and as data, with a cookie jar and with a
# token, and what is refused. $PASSKEYS is the domain that the server makes passkeys for, or empty where it offers
# none, and $ORIGIN is its origin without the path. Besides $URL it needs BINARY, the program, and
# VESTIBULE_DATABASE, the server's database file. The app is oathtool, and openssl keeps the keys of the passkeys.
# shellcheck source=tests/curl/check.sh
. "$(dirname "$0")/check.sh"
: "${BINARY:=vestibule}" "${PASSKEYS:=}" "${ORIGIN:=https://$PASSKEYS}"
export VESTIBULE_DATABASE

html() { web --header 'Accept: text/html' "$@"; }
json() { web --write-out ' %{http_code}' --header 'Accept: application/json' "$@"; }
way() { web --output /dev/null --write-out '%{http_code} %header{location}' "$@"; }
sentence() { web --write-out ' %{http_code}' "$@"; }
code() { web --output /dev/null --write-out '%{http_code}' "$@"; }
policy() { web --output /dev/null --write-out '%header{content-security-policy}' --header 'Accept: text/html' "$@"; }
in_session() { sentence --cookie "$jar" --cookie-jar "$jar" "$@"; }
sign_out() { web --cookie "$jar" --cookie-jar "$jar" --request POST "$URL/logout"; }
# As in json.sh.
value() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
here=$URL/account/passkeys
# asked /login/passkey curl-argument… prints what the first form to this path asks a browser for, as JSON.
asked() {
    action=$prefix$1
    shift
    html "$@" | grep -o "action=\"$action\"[^>]* data-passkey=\"[^\"]*\"" | head -n 1 |
        sed 's/.*data-passkey="//; s/"$//; s/&quot;/"/g; s/&amp;/\&/g'
}

# --- Where none are offered.

if [ -z "$PASSKEYS" ]; then
    came=$(html "$URL/login")
    lacks 'the sign-in page has no form for a passkey' passkey "$came"
    lacks 'and no script' '<script' "$came"
    has 'the field for the name asks for a name alone' 'autocomplete="username"' "$came"
    lacks 'the page allows no script' script-src "$(policy "$URL/login")"
    lacks 'a script is asked for no passkey' request_options "$(json "$URL/login")"
    web --cookie-jar "$jar" --data-urlencode "username=$name" --data-urlencode "password=$password" "$URL/signup"
    lacks 'the account page has no link' "$prefix/account/passkeys" "$(html --cookie "$jar" "$URL/account")"
    for path in /passkey.js /account/passkeys; do
        check "there is no $path" 'Not found 404' "$(sentence --cookie "$jar" "$URL$path")"
    done
    for path in /login/passkey /account/passkeys /account/passkeys/rename /account/passkeys/remove; do
        came=$(sentence --cookie "$jar" --data 'credential={}' --data name=x --data passkey=00000000 "$URL$path")
        check "and no form at $path" 'Not found 404' "$came"
    done
    came=$(sentence --cookie "$jar" --data 'credential={}' "$URL/account/prove")
    check 'a passkey proves nothing' 'Passkey not accepted 400' "$came"
    exit 0
fi

# --- The authenticator, and the browser before it.

digits_of() { od -A n -v -t x1 | tr -d ' \n'; }
digest() { openssl dgst -sha256 -binary; }
in_base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }
# bytes 0a1b… prints these bytes.
bytes() {
    # shellcheck disable=SC2059 # It is made of escapes.
    printf "$(printf %s "$1" | awk '
        function digit(at) { return index("0123456789abcdef", substr($0, at, 1)) - 1 }
        { for (at = 1; at < length($0); at += 2) printf "\\%03o", 16 * digit(at) + digit(at + 1) }')"
}
# make_key phone makes a passkey with a key on P-256.
make_key() {
    openssl ecparam -name prime256v1 -genkey -noout -out "$folder/$1.pem"
    openssl rand -hex 16 | tr -d '\n' >"$folder/$1.id"
}
id_of() { bytes "$(cat "$folder/$1.id")" | in_base64url; }
# cose phone prints its public key as COSE writes it, in hex digits.
cose() {
    point=$(openssl pkey -in "$folder/$1.pem" -pubout -outform DER | tail -c 64 | digits_of)
    printf 'a5010203262001215820%s225820%s' "$(printf %s "$point" | cut -c -64)" "$(printf %s "$point" | cut -c 65-)"
}
# client_data get challenge prints what the browser says of the page.
client_data() {
    printf '{"type":"webauthn.%s","challenge":"%s","origin":"%s","crossOrigin":false}' "$1" "$2" "${from:-$ORIGIN}"
}
# head_of flags count prints the first bytes of the authenticator data, in hex digits.
head_of() { printf '%s%s%08x' "$(printf %s "${domain:-$PASSKEYS}" | digest | digits_of)" "$1" "$2"; }
# made phone challenge [flags] prints what a browser answers that has made a passkey.
made() {
    key_id=$(id_of "$1")
    attested=00000000000000000000000000000000$(printf %04x 16)$(cat "$folder/$1.id")$(cose "$1")
    printf '{"id":"%s","type":"public-key","response":{"clientDataJSON":"%s","authenticatorData":"%s","transports":["internal"]}}' \
        "$key_id" "$(client_data create "$2" | in_base64url)" \
        "$(bytes "$(head_of "${3:-45}" 0)$attested" | in_base64url)"
}
# used phone challenge [count [flags]] prints what a browser answers that has used a passkey.
used() {
    client_data get "$2" >"$folder/client-data"
    bytes "$(head_of "${4:-05}" "${3:-0}")" >"$folder/authenticator-data"
    digest <"$folder/client-data" | cat "$folder/authenticator-data" - >"$folder/signed"
    printf '{"id":"%s","type":"public-key","response":{"clientDataJSON":"%s","authenticatorData":"%s","signature":"%s","userHandle":%s}}' \
        "$(id_of "$1")" "$(in_base64url <"$folder/client-data")" "$(in_base64url <"$folder/authenticator-data")" \
        "$(openssl dgst -sha256 -sign "$folder/$1.pem" "$folder/signed" | in_base64url)" "${owner:-null}"
}
for key in phone key; do make_key "$key"; done

# --- The pages, to a visitor.

came=$(html "$URL/login")
has 'the sign-in page has a form for a passkey' \
    "<form method=\"post\" action=\"$prefix/login/passkey\" hidden data-passkey=\"{" "$came"
has 'browsers may offer one before its button is pressed' 'data-offer=""' "$came"
has 'in the field for the name' 'autocomplete="username webauthn"' "$came"
lacks 'no script stands in the page' '<script>' "$came"
script=$(printf %s "$came" | sed -n 's/.*<script src="\([^"]*\)"><\/script>.*/\1/p')
has 'it has the script' "$prefix/passkey.js?v=" "$script"
has 'and allows no other' "script-src 'self'" "$(policy "$URL/login")"
came=$(web --include "$URL/login")
lacks 'who asks for no page gets no form for a passkey' data-passkey "$came"
lacks 'and no script' script "$came"
came=$(asked /login/passkey "$URL/login")
has 'it asks for a passkey of this domain' "\"rpId\":\"$PASSKEYS\"" "$came"
has 'that verifies its user' '"userVerification":"required"' "$came"
lacks 'and names none' allowCredentials "$came"
came=$(json "$URL/login")
has 'a script is asked for the same' '"request_options":{"challenge":"' "$came"
has '  of this domain' "\"rpId\":\"$PASSKEYS\"" "$came"

came=$(web --dump-header - "$host$script" | tr -d '\r')
has 'the script is there' 'HTTP/1.1 200 OK' "$came"
has '  as a script' 'Content-Type: text/javascript; charset=utf-8' "$came"
has '  that browsers keep for a day' 'Cache-Control: public, max-age=86400' "$came"
has '  whose type is not guessed' 'X-Content-Type-Options: nosniff' "$came"
has '  that other sites do not run' 'Cross-Origin-Resource-Policy: same-site' "$came"
lacks '  and sets no cookie' Set-Cookie "$came"
lacks '  and sends nothing itself' fetch "$came"
check 'its address without the hash leads to it as well' 200 "$(code "$URL/passkey.js")"

lacks 'the page to sign up has no script' '<script' "$(html "$URL/signup")"
lacks 'and allows none' script-src "$(policy "$URL/signup")"
for path in /account/passkeys /account/prove; do
    check "without a session, $path leads to the sign-in" "302 $prefix/login" "$(way "$URL$path")"
    came=$(web --output /dev/null --write-out '%header{location}' --header 'Accept: text/html' "$URL$path")
    has '  and a browser back' "$prefix/login?next=" "$came"
    came=$(json "$URL$path")
    has '  a script is told so' '"error":"not_signed_in"' "$came"
    has '  with 401' ' 401' "$came"
done
for path in /account/passkeys /account/passkeys/rename /account/passkeys/remove /account/prove; do
    came=$(sentence --data name=x --data passkey=00000000 --data 'credential={}' "$URL$path")
    check "without a session, nothing is done at $path" 'Unauthorized 401' "$came"
done
for pair in 'GET /login/passkey POST' 'PUT /login/passkey POST' 'PUT /login/second GET, HEAD, POST' \
    'POST /passkey.js GET, HEAD' 'DELETE /account/passkeys GET, HEAD, POST' 'GET /account/passkeys/rename POST' \
    'GET /account/passkeys/remove POST' 'PUT /account/prove GET, HEAD, POST'; do
    rest=${pair#* }
    path=${rest%% *}
    came=$(sentence --request "${pair%% *}" "$URL$path")
    check "${pair%% *} $path is not allowed" 'Method not allowed 405' "$came"
    came=$(web --output /dev/null --write-out '%header{allow}' --request "${pair%% *}" "$URL$path")
    check '  and what is, is told' "${rest#* }" "$came"
done

# --- Adding one.

web --cookie-jar "$jar" --data-urlencode "username=$name" --data-urlencode "password=$password" "$URL/signup"
new_challenge() { json --cookie "$jar" "$here" | value challenge; }
# add phone Phone alone [flags] adds a passkey in the session of the jar.
add() {
    made "$1" "$(new_challenge)" "${4:-45}" >"$folder/answer"
    web --cookie "$jar" --write-out ' %{http_code} %header{location}' --data-urlencode "credential@$folder/answer" \
        --data-urlencode "name=$2" --data "kind=$3" "$here"
}
added=" 302 $prefix/account/passkeys"
has 'the account page has a link' "href=\"$prefix/account/passkeys\"" "$(html --cookie "$jar" "$URL/account")"
came=$(html --cookie "$jar" "$here")
has 'the page has a form that adds a passkey' 'name="kind" value="alone"' "$came"
has 'and one for a second factor only' 'name="kind" value="second_factor"' "$came"
has 'it says so where no script runs' '<noscript>' "$came"
has 'it has the script' "<script src=\"$script\"></script>" "$came"
has 'and allows no other' "script-src 'self'" "$(policy --cookie "$jar" "$here")"
without_challenges() { sed 's/ data-passkey="[^"]*"//g'; }
check 'curl gets the page of a browser' "$(printf '%s\n' "$came" | without_challenges)" \
    "$(web --cookie "$jar" "$here" | without_challenges)"
came=$(asked /account/passkeys --cookie "$jar" "$here")
has 'it asks for a passkey of this domain' "\"rp\":{\"id\":\"$PASSKEYS\"" "$came"
has 'that verifies its user' '"residentKey":"required","userVerification":"required"' "$came"
has 'of no particular make' '"attestation":"none"' "$came"
has 'for this user' "\"name\":\"$name\"}" "$came"
came=$(json --cookie "$jar" "$here")
has 'a script is given what the page asks for' '"creation_options":{"' "$came"
has 'and no passkey yet' '"passkeys":[]}' "$came"
owner=$(printf %s "$came" | sed 's/.*"user":{[^}]*"id":\("[^"]*"\).*/\1/')
check 'the user has a handle of 32 bytes' 43 "$(printf %s "$owner" | tr -d '"' | wc -c | tr -d ' ')"
for path in / /account /account/sessions /account/activity /account/second-factor; do
    lacks "$path has no script" '<script' "$(html --cookie "$jar" "$URL$path")"
    lacks '  and allows none' script-src "$(policy --cookie "$jar" "$URL$path")"
done

check 'a name is needed' 'Invalid name 400' "$(in_session --data 'credential={}' "$here")"
came=$(json --cookie "$jar" --data 'credential={}' --data-urlencode "name=$(printf %61s '' | tr ' ' x)" "$here")
has 'of 60 characters at most' '"error":"invalid_name"' "$came"
has '  in JSON with 422' ' 422' "$came"
for wrong in '' '{}' '[' '{"id":"AA","response":{}}'; do
    came=$(in_session --data-urlencode "credential=$wrong" --data name=Phone "$here")
    check "'$wrong' is no passkey" 'Passkey not accepted 400' "$came"
done
made phone "$(json "$URL/login" | value challenge)" >"$folder/answer"
came=$(in_session --data-urlencode "credential@$folder/answer" --data name=Phone "$here")
check 'the challenge of the sign-in page adds none' 'Passkey not accepted 400' "$came"
check 'neither does a passkey that has not verified its user' 'Passkey not accepted 400 ' "$(add phone Phone alone 41)"
check 'the passkey of a phone is added' "$added" "$(add phone ' Phone' alone)"
came=$(in_session --data-urlencode "credential@$folder/answer" --data name=Phone "$here")
check 'its answer is good once' 'Passkey not accepted 400' "$came"
made phone "$(new_challenge)" >"$folder/answer"
came=$(json --cookie "$jar" --data-urlencode "credential@$folder/answer" --data name=Phone "$here")
has 'and so is the passkey' '"error":"passkey_refused"' "$came"
has '  in JSON with 401' ' 401' "$came"
came=$(html --cookie "$jar" --write-out ' %{http_code}' --data-urlencode "credential@$folder/answer" --data name=Phone "$here")
has 'a browser gets the page again' 'role="alert"' "$came"
has '  with the sentence in it' 'Passkey not accepted' "$came"
has '  and the script' "<script src=\"$script\"></script>" "$came"
has '  under the same status' ' 400' "$came"
check 'a security key is added as a second factor only' "$added" "$(add key 'Security key' second_factor 41)"

came=$(html --cookie "$jar" "$here")
has 'the page lists them' '>Phone</strong>' "$came"
has '  with what they are for' '>Security key</strong><br>Second factor only' "$came"
came=$(json --cookie "$jar" "$here")
check 'and so it does in JSON' 2 "$(printf %s "$came" | grep -o '"signs_in_alone":' | wc -l | tr -d ' ')"
has '  which excludes them from what it asks for' "\"excludeCredentials\":[{\"id\":\"$(id_of phone)\"" "$came"
# handle_of Phone prints what stands for a passkey with this name in forms.
handle_of() { json --cookie "$jar" "$here" | grep -o "\"name\":\"$1\",\"passkey\":\"[0-9a-f]*\"" | value passkey; }
phone=$(handle_of Phone)
key=$(handle_of 'Security key')
check 'a handle is 8 hex digits' 8 "$(printf %s "$phone" | tr -dc 0-9a-f | wc -c | tr -d ' ')"

check 'a new name cannot be empty' 'Invalid name 400' \
    "$(in_session --data "passkey=$phone" --data 'name= ' "$here/rename")"
check 'there is no passkey of an unknown handle' 'Passkey not found 404' \
    "$(in_session --data passkey=00000000 --data name=x "$here/rename")"
check 'another name is given' "302 $prefix/account/passkeys" \
    "$(way --cookie "$jar" --data "passkey=$phone" --data-urlencode 'name=Old "phone" <b>' "$here/rename")"
has 'which the page shows as a text' 'Old &quot;phone&quot; &lt;b&gt;</strong>' "$(html --cookie "$jar" "$here")"
check 'as data too' '{"renamed":1} 200' \
    "$(json --cookie "$jar" --data "passkey=$phone" --data-urlencode 'name=Old phone' "$here/rename")"
for header in 'Origin: https://evil.example' 'Origin: null' 'Sec-Fetch-Site: cross-site'; do
    for path in /login/passkey /login/second /account/passkeys /account/passkeys/rename /account/passkeys/remove \
        /account/prove; do
        came=$(sentence --cookie "$jar" --header "$header" --data "passkey=$phone" --data name=x \
            --data 'credential={}' --data-urlencode "current_password=$password" "$URL$path")
        check "nothing at $path with '$header'" 'Forbidden 403' "$came"
    done
done
check 'no name was changed' "$phone" "$(handle_of 'Old phone')"
sign_out

# --- Signing in.

sign_in_challenge() { asked /login/passkey "$URL/login" | value challenge; }
# answer_as phone [count [flags]] writes what a browser answers at the sign-in page.
answer_as() { used "$1" "$(sign_in_challenge)" "${2:-0}" "${3:-05}" >"$folder/answer"; }
# sign_in curl-argument… sends it.
sign_in() { sentence --data-urlencode "credential@$folder/answer" "$URL/login/passkey" "$@"; }
refused='Passkey not accepted 400'

answer_as phone
check 'a passkey signs in' "302 $prefix/account" \
    "$(way --cookie-jar "$jar" --data-urlencode "credential@$folder/answer" --data "next=$prefix/account" "$URL/login/passkey")"
has 'the profile is open' "Username: $name" "$(web --cookie "$jar" "$URL/")"
has 'both factors were given' '"second_factor_at":"2' "$(web --cookie "$jar" "$URL/session")"
has 'and the page for another passkey asks for no password' 'data-passkey' "$(html --cookie "$jar" "$here")"
for page in /login /signup; do
    check "a signed-in user has no use for $page" "302 $prefix/" "$(way --cookie "$jar" "$URL$page")"
done
check 'an answer signs in once' "$refused" "$(sign_in)"
came=$(sign_in --header 'Accept: application/json')
has 'which a script is told' '"error":"passkey_refused"' "$came"
has '  with 401' ' 401' "$came"
came=$(sign_in --header 'Accept: text/html' --data "next=$prefix/account" --dump-header "$folder/head")
has 'a browser gets the form again' 'role="alert"' "$came"
has '  with the sentence in it' '<strong>Passkey not accepted</strong>' "$came"
has '  with a new form for a passkey' 'data-passkey="{' "$came"
has '  that leads on as before' "name=\"next\" value=\"$prefix/account\"" "$came"
has '  under the same status' ' 400' "$came"
has '  and its script is allowed' "script-src 'self'" "$(cat "$folder/head")"
lacks '  and no session starts' "Set-Cookie: $COOKIE=" "$(cat "$folder/head")"

used phone "$(json "$URL/login" | value challenge)" >"$folder/answer"
came=$(sign_in --header 'Accept: application/json')
token=$(printf %s "$came" | value token)
check 'as data, a passkey gives a token' 40 "${#token}"
has '  and the user' "\"username\":\"$name\"" "$came"
as() { json --header "Authorization: Bearer $token" "$@"; }
has 'which opens the profile' "\"username\":\"$name\"" "$(as "$URL/")"
printf '{"credential":%s}' "$(used phone "$(json "$URL/login" | value challenge)" | sed 's/\(["\\]\)/\\\1/g; s/^/"/; s/$/"/')" \
    >"$folder/body"
came=$(json --header 'Content-Type: application/json' --data "@$folder/body" "$URL/login/passkey")
has 'a body in JSON is read like a form' '"token":"' "$came"

for wrong in '' '{}' 'null' "$(printf %17000s '' | tr ' ' x)"; do
    printf %s "$wrong" >"$folder/answer"
    check "an answer of ${#wrong} bytes that is none is refused" "$refused" "$(sign_in)"
done
answer_as key 0 05
check 'a second factor only does not sign in alone' "$refused" "$(sign_in)"
answer_as phone 0 01
check 'neither does one that has not verified its user' "$refused" "$(sign_in)"
from=https://evil.example answer_as phone
check 'nor one that was used on another site' "$refused" "$(sign_in)"
domain=evil.example answer_as phone
check 'nor one for another domain' "$refused" "$(sign_in)"
from='' domain=''
make_key stranger
answer_as stranger
check 'nor one that is unknown' "$refused" "$(sign_in)"
cp "$folder/phone.id" "$folder/stranger.id"
answer_as stranger
check 'nor one whose key is another' "$refused" "$(sign_in)"
known=$owner owner='"AAAA"'
answer_as phone
owner=$known
check 'nor one that knows another user' "$refused" "$(sign_in)"
used phone "$(as "$here" | value challenge)" >"$folder/answer"
check 'nor one that answers another page' "$refused" "$(sign_in)"
"$BINARY" user disable "$name" >/dev/null
answer_as phone
check 'nor one of a disabled user' "$refused" "$(sign_in)"
"$BINARY" user enable "$name" >/dev/null

answer_as phone 7
check 'a passkey may count its uses' ' 302' "$(sign_in --cookie-jar "$jar")"
for count in 7 6 0; do
    answer_as phone "$count"
    check "but $count do not follow 7" "$refused" "$(sign_in)"
done
# recorded count audit-argument… says whether there are as many such records in time: they are written after the answer.
recorded() {
    records=$1 tries=0
    shift
    until [ "$("$BINARY" audit --json "$@" | wc -l)" -ge "$records" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 500 ] || return 1
        sleep 0.02
    done
}
check 'which the audit log tells as copies' yes "$(recorded 3 --event passkey_cloned --user "$name" && echo yes)"
answer_as phone 8
check 'and 8 do' ' 302' "$(sign_in --cookie-jar "$jar")"

# --- Proving oneself once more.

# sql statement changes the database; ? is the name of the user.
sql() {
    python3 -c 'import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=10) as it: it.execute(sys.argv[2], sys.argv[3:])' "$VESTIBULE_DATABASE" "$1" "$name"
}
# Nothing was proven lately in any session of the user.
let_proof_age() {
    sql 'UPDATE user_session SET proven_at = 0 WHERE user_id = (SELECT id FROM user WHERE username = ?)'
}
let_proof_age
came=$(html --cookie "$jar" "$here")
lacks 'later, the page has no form that adds a passkey' data-passkey "$came"
lacks 'and no script' '<script' "$came"
has 'but a link' "href=\"$prefix/account/passkeys?new=1\"" "$came"
lacks 'it allows none' script-src "$(policy --cookie "$jar" "$here")"
came=$(web --cookie "$jar" --output /dev/null --write-out '%{http_code} %header{location}' --header 'Accept: text/html' "$here?new=1")
check 'which leads to where the password is given' "302 $prefix/account/prove?next=$(printf %s "$prefix/account/passkeys" | sed 's/\//%2F/g')" "$came"
lacks 'a script is told nothing to make one of' creation_options "$(json --cookie "$jar" "$here")"
came=$(in_session --data 'credential={}' --data name=x "$here")
check 'and none is added' 'Password required 403' "$came"
came=$(json --cookie "$jar" --data 'credential={}' --data name=x "$here")
has '  in JSON' '"error":"password_required"' "$came"
has '  with 403' ' 403' "$came"

prove=$URL/account/prove
came=$(html --cookie "$jar" "$prove?next=$prefix/account/passkeys")
has 'the page asks for the password' 'name="current_password"' "$came"
has 'or for a passkey' 'hidden data-passkey="{' "$came"
has 'it keeps where to go' "name=\"next\" value=\"$prefix/account/passkeys\"" "$came"
has 'it has the script' "<script src=\"$script\"></script>" "$came"
has 'and allows no other' "script-src 'self'" "$(policy --cookie "$jar" "$prove")"
check 'curl gets the page of a browser' "$(printf '%s\n' "$came" | without_challenges)" \
    "$(web --cookie "$jar" "$prove?next=$prefix/account/passkeys" | without_challenges)"
came=$(asked /account/prove --cookie "$jar" "$prove")
has 'it asks for a passkey that verifies its user' '"userVerification":"required"' "$came"
has '  of this user' "\"allowCredentials\":[{\"id\":\"$(id_of phone)\",\"transports\":[\"internal\"]" "$came"
lacks '  and for no second factor only' "$(id_of key)" "$came"
came=$(json --cookie "$jar" "$prove")
has 'a script is told that the password is needed' '"proven":false' "$came"
has '  or a passkey' '"request_options":{' "$came"

check 'a wrong password proves nothing' 'Incorrect password 400' "$(in_session --data current_password=wrong "$prove")"
check 'nor does what is no passkey' "$refused" "$(in_session --data 'credential={}' "$prove")"
came=$(html --cookie "$jar" --data 'credential={}' --write-out ' %{http_code}' "$prove")
has 'a browser gets the page again' '<strong>Passkey not accepted</strong>' "$came"
has '  with the script' "<script src=\"$script\"></script>" "$came"
has '  under the same status' ' 400' "$came"
prove_challenge() { json --cookie "$jar" "$prove" | value challenge; }
answer_as phone 9
check 'nor an answer to the sign-in page' "$refused" "$(in_session --data-urlencode "credential@$folder/answer" "$prove")"
used key "$(prove_challenge)" >"$folder/answer"
check 'nor a second factor only' "$refused" "$(in_session --data-urlencode "credential@$folder/answer" "$prove")"
used phone "$(prove_challenge)" 9 >"$folder/answer"
came=$(way --cookie "$jar" --data-urlencode "credential@$folder/answer" --data-urlencode 'next=https://evil.example/' "$prove")
check 'a passkey proves its user, and leads to no other site' "302 $prefix/account" "$came"
came=$(json --cookie "$jar" --data-urlencode "credential@$folder/answer" "$prove")
has 'once' '"error":"passkey_refused"' "$came"
has '  in JSON with 401' ' 401' "$came"
check 'then the page leads on at once' "302 $prefix/account/passkeys" \
    "$(way --cookie "$jar" "$prove?next=$prefix/account/passkeys")"
has 'and a passkey can be made' creation_options "$(json --cookie "$jar" "$here")"
first_step() { web --data-urlencode "username=$name" --data-urlencode "password=$password" "$URL/login" "$@"; }
token=$(first_step --header 'Accept: application/json' | value token)
let_proof_age
used phone "$(as "$prove" | value challenge)" 10 >"$folder/answer"
check 'as data, without a cookie jar' '{"proven":true} 200' "$(as --data-urlencode "credential@$folder/answer" "$prove")"

# --- As a second factor.

second=$URL/login/second
came=$(as "$URL/account/second-factor")
secret=$(printf %s "$came" | value secret)
enrolment=$(printf %s "$came" | value enrolment)
came=$(as --data-urlencode "enrolment=$enrolment" --data "code=$(oathtool --totp --base32 "$secret")" "$URL/account/second-factor")
token=$(printf %s "$came" | value token)
check 'the second factor is turned on' 40 "${#token}"
start_in_jar() { first_step --cookie-jar "$jar" --output /dev/null --write-out '%{http_code} %header{location}'; }
check 'a password leads to the second step' "302 $prefix/login/second" "$(start_in_jar)"
came=$(html --cookie "$jar" "$second")
has 'which asks for a code' 'autocomplete="one-time-code"' "$came"
has 'or for a passkey' "action=\"$prefix/login/second\" hidden data-passkey=\"{" "$came"
has 'with the script' "<script src=\"$script\"></script>" "$came"
has 'and allows no other' "script-src 'self'" "$(policy --cookie "$jar" "$second")"
came=$(asked /login/second --cookie "$jar" "$second")
has 'it need not verify its user, whom the password did' '"userVerification":"discouraged"' "$came"
for passkey in phone key; do
    has "it asks for the $passkey" "\"id\":\"$(id_of "$passkey")\"" "$came"
done
second_challenge() { asked /login/second --cookie "$jar" "$second" | value challenge; }
give() { in_session --data-urlencode "credential@$folder/answer" "$second" "$@"; }
answer_as phone 11
check 'an answer to the sign-in page is refused' "$refused" "$(give)"
printf '{}' >"$folder/answer"
check 'and so is what is none' "$refused" "$(give)"
came=$(give --header 'Accept: text/html')
has 'a browser gets the page again' '<strong>Passkey not accepted</strong>' "$came"
has '  with the script' "<script src=\"$script\"></script>" "$came"
used key "$(second_challenge)" 0 01 >"$folder/answer"
check 'the second factor only is one' "302 $prefix/account" \
    "$(way --cookie "$jar" --cookie-jar "$jar" --data-urlencode "credential@$folder/answer" --data "next=$prefix/account" "$second")"
has 'both factors were given' '"second_factor_at":"2' "$(web --cookie "$jar" "$URL/session")"
check 'that sign-in waits no longer' "302 $prefix/login" "$(way --data-urlencode "credential@$folder/answer" "$second")"

start_as_data() { first_step --header 'Accept: application/json' --write-out ' %{http_code}'; }
came=$(start_as_data)
has 'a script is told that a passkey will do' '"factors":["totp","recovery_code","passkey"]' "$came"
has 'and what to ask for' '"request_options":{"allowCredentials":[' "$came"
waiting=$(printf %s "$came" | value pending)
give_as_data() { json --data "pending=$waiting" --data-urlencode "credential@$folder/answer" "$second"; }
came=$(give_as_data)
has 'an answer is good in one sign-in' '"error":"passkey_refused"' "$came"
has '  and 401 in another' ' 401' "$came"
pending=$(printf %s "$COOKIE" | sed 's/auth_session/auth_pending/')
came=$(json --header "Cookie: $pending=$waiting" "$second")
has 'the second step as data asks for the same' '"factors":["totp","recovery_code","passkey"]' "$came"
used phone "$(printf %s "$came" | value challenge)" 12 01 >"$folder/answer"
token=$(give_as_data | value token)
check 'a passkey gives a token' 40 "${#token}"
has 'which opens the profile' "\"username\":\"$name\"" "$(as "$URL/")"
answer_as phone 13
check 'one that verifies its user signs in alone as before' "302 $prefix/" \
    "$(way --cookie-jar "$jar" --data-urlencode "credential@$folder/answer" "$URL/login/passkey")"

# --- Removing them.

check 'there is no passkey of an unknown handle' 'Passkey not found 404' "$(in_session --data passkey=00000000 "$here/remove")"
came=$(as --request POST "$here/remove")
has '  nor without one' '"error":"not_found"' "$came"
has '  as data' ' 404' "$came"
make_key spare
check 'a third one' "$added" "$(add spare Spare alone)"
check 'is removed' "302 $prefix/account/passkeys" \
    "$(way --cookie "$jar" --data "passkey=$(handle_of Spare)" "$here/remove")"
answer_as spare
check 'and does not sign in' "$refused" "$(sign_in)"
check 'as data too' '{"removed":1} 200' "$(as --data "passkey=$key" "$here/remove")"
sql 'DELETE FROM totp WHERE user_id = (SELECT id FROM user WHERE username = ?)'
check 'the last means of a second factor stays' 'This is your last second factor 403' \
    "$(in_session --data "passkey=$phone" "$here/remove")"
came=$(as --data "passkey=$phone" "$here/remove")
has '  in JSON' '"error":"last_factor"' "$came"
has '  with 403' ' 403' "$came"
came=$(html --cookie "$jar" --write-out ' %{http_code}' --data "passkey=$phone" "$here/remove")
has '  in a browser on the page' '<strong>This is your last second factor</strong>' "$came"
has '  under the same status' ' 403' "$came"

has 'the operator sees it' "\"passkey\":\"$phone\"" "$("$BINARY" user passkey list "$name" --json)"
has 'and cannot remove it either' "vestibule user second-factor $name off turns that off first" \
    "$("$BINARY" user passkey remove "$name" "$phone" 2>&1 || true)"
"$BINARY" user second-factor "$name" off >/dev/null
check 'but then can' "the passkey Old phone of $name is removed" "$("$BINARY" user passkey remove "$name" "$phone")"
check 'none is left' "$name has no passkey" "$("$BINARY" user passkey list "$name")"
answer_as phone 14
check 'and it does not sign in' "$refused" "$(sign_in)"
has 'the audit log says who has removed it' "\"detail\":\"passkey=$phone name=\\\"Old phone\\\" by=" \
    "$("$BINARY" audit --event passkey_remove --user "$name" --json)"

# --- Those of others, and twenty of them.

first=$name
name=$name-2
web --cookie-jar "$jar" --data-urlencode "username=$name" --data-urlencode "password=$password" "$URL/signup"
owner=$(json --cookie "$jar" "$here" | sed 's/.*"user":{[^}]*"id":\("[^"]*"\).*/\1/')
check 'a passkey that was removed can be added, to another account too' "$added" "$(add phone Phone alone)"
others=$(handle_of Phone)
token=$(json --data-urlencode "username=$first" --data-urlencode "password=$password" "$URL/login" | value token)
for path in rename remove; do
    came=$(as --data "passkey=$others" --data name=x "$here/$path")
    has "the passkey of another user is not there at /$path" '"error":"not_found"' "$came"
    has '  with 404' ' 404' "$came"
done
check 'nothing has happened to it' "$others" "$(handle_of Phone)"
used phone "$(as "$prove" | value challenge)" >"$folder/answer"
has 'and it proves its owner alone' '"error":"passkey_refused"' "$(as --data-urlencode "credential@$folder/answer" "$prove")"
count=1
while [ "$count" -lt 20 ]; do
    last=$(new_challenge)
    make_key phone
    add phone "Phone $count" alone >/dev/null
    count=$((count + 1))
done
make_key phone
made phone "$last" >"$folder/answer"
check 'twenty are enough' 'Too many passkeys 400' \
    "$(in_session --data-urlencode "credential@$folder/answer" --data name=x "$here")"
came=$(json --cookie "$jar" --data-urlencode "credential@$folder/answer" --data name=x "$here")
has '  in JSON' '"error":"too_many_passkeys"' "$came"
has '  with 422' ' 422' "$came"
came=$(html --cookie "$jar" "$here")
lacks 'the page asks for no more' data-passkey "$came"
lacks 'and has no script' '<script' "$came"

# Each refusal has its own reason in the log.
recorded 2 --event passkey_fail --user "$name"
reasons=$("$BINARY" audit --event passkey_fail --json)
for reason in shape challenge used taken unknown signature origin rp_id user_unverified second_factor_only other_user \
    disabled last_factor too_many_passkeys; do
    has "the operator is told: $reason" "\"reason\":\"$reason\"" "$reasons"
done
