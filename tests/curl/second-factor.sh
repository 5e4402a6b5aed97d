#!/bin/sh
# The second factor: with a cookie jar as a browser has it, and as data with the token of the sign-in that
# waits. The app is oathtool. $REQUIRED is a group whose members have to have a second factor, as with
# --second-factor-groups; that part also needs BINARY, the program, and VESTIBULE_DATABASE, the server's database.
# shellcheck source=tests/curl/check.sh
. "$(dirname "$0")/check.sh"
: "${BINARY:=vestibule}"

json() { web --header 'Accept: application/json' "$@"; }
way() { web --output /dev/null --write-out '%{http_code} %header{location}' "$@"; }
sentence() { web --write-out ' %{http_code}' "$@"; }
# As in json.sh; brackets and commas end a value as well.
value() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# Each code works once. Those of the step before and of the next are accepted too, so that three take no waiting.
step=0
# next_code secret sets $code to one that was not used yet.
next_code() {
    # The step before, unless that is too old in five seconds.
    first=$((($(date +%s) - 25) / 30))
    step=$((step + 1))
    [ "$step" -ge "$first" ] || step=$first
    while [ $(($(date +%s) / 30 + 1)) -lt "$step" ]; do sleep 0.2; done
    code=$(oathtool --totp --base32 --now "@$((step * 30))" "$1")
}
# wrong_code secret prints one that no app shows in these minutes.
wrong_code() {
    near=$(oathtool --totp --base32 --window 60 --now "@$(($(date +%s) - 900))" "$1")
    for guess in 000000 111111 222222 333333; do
        case $near in *"$guess"*) ;; *) printf %s "$guess" && return ;; esac
    done
}
# The first of the recovery codes in $codes, and the others.
take_recovery_code() {
    recovery=${codes%%,*}
    codes=${codes#*,}
}
recovery_codes_of() { sed -n 's/.*"recovery_codes":\[\([^]]*\)\].*/\1/p' | tr -d '"'; }

# --- With a cookie jar.

sign_in() {
    web --cookie "$jar" --cookie-jar "$jar" --output /dev/null --write-out '%{http_code} %header{location}' \
        --data-urlencode "username=$name" --data-urlencode "password=$password" "$URL/login" "$@"
}
here=$URL/account/second-factor
in_session() { sentence --cookie "$jar" --cookie-jar "$jar" "$@"; }
sign_out() { web --cookie "$jar" --cookie-jar "$jar" --request POST "$URL/logout"; }

check 'without a session, the page leads to the sign-in' "302 $prefix/login" "$(way "$here")"
check 'and its form does nothing' 'Unauthorized 401' "$(sentence --request POST "$here")"
sign_in --output /dev/null "$URL/signup" >/dev/null
came=$(web --cookie "$jar" "$here")
has 'the page shows a QR code' '<svg' "$came"
has 'and the address in it' 'href="otpauth://totp/' "$came"
enrolment=$(printf %s "$came" | sed -n 's/.*name="enrolment" value="\([^"]*\)".*/\1/p')
secret=$(printf %s "$came" | sed -n 's/.*otpauth:[^"]*secret=\([A-Z2-7]*\).*/\1/p')
for path in /recovery-codes /forget-browsers /off; do
    check "while it is off, nothing is done at $path" 'The second factor is off 400' \
        "$(in_session --data code=000000 "$here$path")"
done
check 'a code has six digits' 'Invalid code 400' \
    "$(in_session --data-urlencode "enrolment=$enrolment" --data code=12345 "$here")"
check 'a code of another secret turns nothing on' 'Incorrect code 400' \
    "$(in_session --data-urlencode "enrolment=$enrolment" --data "code=$(wrong_code "$secret")" "$here")"
next_code "$secret"
check 'neither does a form that is not of this session' 'This set-up is too old 400' \
    "$(in_session --data enrolment=x --data "code=$code" "$here")"
came=$(in_session --data-urlencode "enrolment=$enrolment" --data "code=$code" "$here")
check 'the code of the app turns it on, and eight recovery codes are shown' 8 \
    "$(printf %s "${came% 200}" | grep -c '^[a-z0-9]\{6\}-[a-z0-9]\{6\}-[a-z0-9]\{6\}-[a-z0-9]\{6\}$')"
check 'with 200' 200 "${came##* }"
codes=$(printf %s "${came% 200}" | tr '\n' ',')
check 'the new session goes on' 200 "$(web --output /dev/null --write-out '%{http_code}' --cookie "$jar" "$URL/")"
check 'it is turned on once' 'The second factor is on 400' \
    "$(in_session --data-urlencode "enrolment=$enrolment" --data "code=$code" "$here")"
has 'the page says how many codes are left' 'Recovery codes left: 8' "$(web --cookie "$jar" "$here")"
sign_out

pending=$(printf %s "$COOKIE" | sed 's/auth_session/auth_pending/')
check 'a wrong password is told as ever' 'Incorrect username or password 400' \
    "$(sentence --data-urlencode "username=$name" --data password=wrong "$URL/login")"
check 'the right one leads to the second step' "302 $prefix/login/second" "$(sign_in)"
has 'with a cookie' "$pending" "$(cat "$jar")"
check 'which opens nothing' "302 $prefix/login" "$(way --cookie "$jar" "$URL/")"
has 'the second step asks for a code' 'autocomplete="one-time-code"' "$(web --cookie "$jar" "$URL/login/second")"
has 'or for a recovery code' 'name="code" required autofocus autocomplete="off"' \
    "$(web --cookie "$jar" "$URL/login/second?with=recovery")"
check 'without a sign-in that waits, it leads to the sign-in' "302 $prefix/login" "$(way "$URL/login/second")"
check 'and so does its form' "302 $prefix/login" "$(way --data "code=000000" "$URL/login/second")"
check 'what is no code is told' 'Invalid code 400' "$(in_session --data code=abc "$URL/login/second")"
check 'a code works once' 'Incorrect code 400' "$(in_session --data "code=$code" "$URL/login/second")"
next_code "$secret"
check 'the next one signs in' "302 $prefix/account" \
    "$(way --cookie "$jar" --cookie-jar "$jar" --data "code=$code" --data "next=$prefix/account" "$URL/login/second")"
check 'and the cookie of the second step is gone' '' "$(grep "$pending" "$jar" || true)"
check 'the profile is open' 200 "$(web --output /dev/null --write-out '%{http_code}' --cookie "$jar" "$URL/")"
sign_out

sign_in >/dev/null
take_recovery_code
check 'a recovery code signs in, and the browser is remembered' "302 $prefix/" \
    "$(way --cookie "$jar" --cookie-jar "$jar" --data "code=$recovery" --data remember_browser=yes "$URL/login/second")"
sign_out
check 'there the password is enough' "302 $prefix/" "$(sign_in)"
check 'all browsers are forgotten' "302 $prefix/account/second-factor" \
    "$(way --cookie "$jar" --cookie-jar "$jar" --request POST "$here/forget-browsers")"
sign_out
check 'and a code is asked for again' "302 $prefix/login/second" "$(sign_in)"
check 'a recovery code works once' 'Incorrect code 400' "$(in_session --data "code=$recovery" "$URL/login/second")"
take_recovery_code
spelled=$(printf %s "$recovery" | tr 'a-z-' 'A-Z ')
check 'however it is spelled' "302 $prefix/" \
    "$(way --cookie "$jar" --cookie-jar "$jar" --data-urlencode "code=$spelled" "$URL/login/second")"

check 'new recovery codes take a code' 'Invalid code 400' "$(in_session --request POST "$here/recovery-codes")"
check 'that is right' 'Incorrect code 400' "$(in_session --data "code=$recovery" "$here/recovery-codes")"
take_recovery_code
old=${codes%%,*}
came=$(in_session --data "code=$recovery" "$here/recovery-codes")
check 'new ones are shown' 200 "${came##* }"
codes=$(printf %s "${came% 200}" | tr '\n' ',')
check 'the old ones do not work any more' 'Incorrect code 400' "$(in_session --data "code=$old" "$here/off")"
check 'turning it off takes a code as well' 'Invalid code 400' "$(in_session --request POST "$here/off")"
next_code "$secret"
check 'then it is off' "302 $prefix/account" \
    "$(way --cookie "$jar" --cookie-jar "$jar" --data "code=$code" "$here/off")"
sign_out
check 'and the password is enough' "302 $prefix/" "$(sign_in)"

# --- As data, without a cookie jar.

as() { json --write-out ' %{http_code}' --header "Authorization: Bearer $token" "$@"; }
first_step() { json --write-out ' %{http_code}' --data-urlencode "username=$name" --data-urlencode "password=$password" "$URL/login" "$@"; }
second_step() { json --write-out ' %{http_code}' --data "pending=$waiting" "$@" "$URL/login/second"; }

name=$name-json
token=$(json --data-urlencode "username=$name" --data-urlencode "password=$password" "$URL/signup" | value token)
came=$(as "$here")
secret=$(printf %s "$came" | value secret)
has 'a script is given the address of the secret' "\"uri\":\"otpauth://totp/" "$came"
enrolment=$(printf %s "$came" | value enrolment)
step=0
next_code "$secret"
has 'a wrong form is 422' '"error":"enrolment_expired"' "$(as --data enrolment=x --data "code=$code" "$here")"
has 'so is what is no code' '"error":"invalid_code"' "$(as --data-urlencode "enrolment=$enrolment" "$here")"
came=$(as --data-urlencode "enrolment=$enrolment" --data "code=$code" "$here")
codes=$(printf %s "$came" | recovery_codes_of)
token=$(printf %s "$came" | value token)
check 'turning it on gives recovery codes' 8 "$(printf '%s\n' "$codes" | tr ',' '\n' | wc -l | tr -d ' ')"
check 'and the token of the new session' 40 "${#token}"
has 'how many are left is told' '"recovery_codes_left":8' "$(as "$here")"
came=$(as --data-urlencode "enrolment=$enrolment" --data "code=$code" "$here")
has 'it is turned on once' '"error":"second_factor_on"' "$came"
has 'which is a conflict' ' 409' "$came"

came=$(first_step)
has 'the password alone is answered with what is missing' '"error":"second_factor_required"' "$came"
has 'with 401' ' 401' "$came"
has 'what can be given' '"factors":["totp","recovery_code"]' "$came"
has 'and until when' '"expires_at":"' "$came"
waiting=$(printf %s "$came" | value pending)
check 'and a token of the sign-in that waits' 40 "${#waiting}"
has 'which is no session' ' 401' \
    "$(json --write-out ' %{http_code}' --header "Authorization: Bearer $waiting" "$URL/")"
came=$(second_step --data "code=$code")
has 'a used code is incorrect' '"error":"incorrect_code"' "$came"
has 'with 401' ' 401' "$came"
came=$(second_step --data code=12)
has 'what is no code is invalid' '"error":"invalid_code"' "$came"
has 'with 422' ' 422' "$came"
next_code "$secret"
token=$(second_step --data "code=$code" | value token)
check 'the next code gives a session' 40 "${#token}"
has 'it is that of the user' "\"username\":\"$name\"" "$(as "$URL/")"
take_recovery_code
has 'the sign-in waits no longer' '"error":"not_signed_in"' "$(second_step --data "code=$recovery")"
token=$(first_step --data "code=$recovery" | value token)
check 'a code with the password signs in at once' 40 "${#token}"
has 'all browsers are forgotten' '{"forgotten":true}' "$(as --request POST "$here/forget-browsers")"
take_recovery_code
codes=$(as --data "code=$recovery" "$here/recovery-codes" | recovery_codes_of)
check 'new recovery codes' 8 "$(printf '%s\n' "$codes" | tr ',' '\n' | wc -l | tr -d ' ')"

waiting=$(first_step | value pending)
wrong=$(wrong_code "$secret")
tries=0
until came=$(second_step --include --data "code=$wrong") && [ "${came##* }" = 429 ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 10 ] || break
done
has 'after a few wrong codes it takes waiting' '"error":"too_many_attempts"' "$came"
has 'which the header says too' 'Retry-After: ' "$came"
take_recovery_code
token=$(second_step --data "code=$recovery" | value token)
check 'but not with a recovery code' 40 "${#token}"
take_recovery_code
has 'turned off' '{"second_factor":false}' "$(as --data "code=$recovery" "$here/off")"
came=$(as --data "code=$recovery" "$here/off")
has 'it is off' '"error":"second_factor_off"' "$came"
has 'which is a conflict' ' 409' "$came"

# --- Where one is required.

# A server that requires none is tried no further.
[ -n "${REQUIRED:-}" ] || exit 0
export VESTIBULE_DATABASE
token=$(first_step | value token)
check 'while none is required, the password alone gives a session' 40 "${#token}"
"$BINARY" user groups "$name" "$REQUIRED" >/dev/null
has 'a session without one counts no longer' '"error":"not_signed_in"' "$(as "$URL/")"
came=$(first_step)
has 'the sign-in gives what an app is set up with' '"set_up":{' "$came"
has 'as there is nothing to give yet' '"factors":[]' "$came"
waiting=$(printf %s "$came" | value pending)
has 'the same page shows it to a browser' 'name="enrolment"' \
    "$(web --header "Cookie: $pending=$waiting" "$URL/login/second")"
came=$(json --header "Cookie: $pending=$waiting" "$URL/login/second")
secret=$(printf %s "$came" | value secret)
enrolment=$(printf %s "$came" | value enrolment)
step=0
next_code "$secret"
came=$(second_step --data enrolment=x --data "code=$code")
has 'a form of another sign-in is 422' '"error":"enrolment_expired"' "$came"
came=$(second_step --data-urlencode "enrolment=$enrolment" --data "code=$code")
codes=$(printf %s "$came" | recovery_codes_of)
token=$(printf %s "$came" | value token)
check 'setting it up signs in' 40 "${#token}"
has 'with 200' ' 200' "$came"
take_recovery_code
came=$(as --data "code=$recovery" "$here/off")
has 'it cannot be turned off' '"error":"second_factor_needed"' "$came"
has 'with 403' ' 403' "$came"
has 'in words' 'A second factor is required here 403' \
    "$(sentence --header "Authorization: Bearer $token" --data "code=$recovery" "$here/off")"
"$BINARY" user second-factor "$name" off >/dev/null
has 'a user who has lost it sets up a new one' '"set_up":{' "$(first_step)"
