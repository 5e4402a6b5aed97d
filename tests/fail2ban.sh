#!/bin/sh
# The fail2ban filter against the log of a real server, in both formats, as a file and as the journal passes it on: what
# it must match, and what it must not.
# fail2ban.sh BINARY
set -eu
cd "$(dirname "$0")/.."
binary=$1

work=$(mktemp -d)
server=""
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

# ask WORDS... prints the answer of the server, as a script has it.
ask() { curl --silent --show-error --globoff --max-time 30 --header 'Accept: application/json' "$@"; }
# value NAME prints the text of this name in the JSON that is read.
value() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# start FORMAT starts a server that logs in it, and sets $url.
start() {
    # The address in it may be that of the server before.
    : >"$work/log"
    "$binary" serve --listen 127.0.0.1:0 --database "$work/$1.db" --throttle-free 2 --log-format "$1" 2>"$work/log" &
    server=$!
    tries=0
    until url=$(sed -n 's/.*listening.*\(http:[0-9./:]*\).*/\1/p' "$work/log") && [ -n "$url" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 500 ] || { cat "$work/log"; exit 1; }
        sleep 0.02
    done
}

# enrol NAME creates an account with a second factor, and sets $secret.
enrol() {
    token=$(ask --data "username=$1&password=correct horse" "$url/signup" | value token)
    came=$(ask --header "Authorization: Bearer $token" "$url/account/second-factor")
    secret=$(printf %s "$came" | value secret)
    ask --header "Authorization: Bearer $token" --data-urlencode "enrolment=$(printf %s "$came" | value enrolment)" \
        --data "code=$(oathtool --totp --base32 "$secret")" "$url/account/second-factor" >"$work/body"
}

# wrong_code prints one that the app shows in none of these minutes.
wrong_code() {
    near=$(oathtool --totp --base32 --window 60 --now "@$(($(date +%s) - 900))" "$secret")
    for guess in 000000 111111 222222 333333; do
        case $near in *"$guess"*) ;; *) printf %s "$guess" && return ;; esac
    done
}

# fail_to_sign_in leaves lines that the filter must match: three wrong passwords, two more that are not looked at, and
# two wrong codes.
expected=7
fail_to_sign_in() {
    for _ in 1 2 3 4 5; do
        ask --data 'username=anna ip=6.6.6.6 rid=1&password=wrong one' --user-agent 'ip=7.7.7.7' "$url/login"
    done
    enrol bobo
    waiting=$(ask --data 'username=bobo&password=correct horse' "$url/login" | value pending)
    for _ in 1 2; do
        ask --data "pending=$waiting&code=$(wrong_code)" "$url/login/second"
    done
}

# pretend leaves lines that it must not match: a mistyped form and code, the right password, a cookie that has ended,
# and requests that imitate a line in either format.
pretend() {
    ask --data 'username=anna' "$url/login"
    ask --data "pending=$waiting&code=12" "$url/login/second"
    ask --cookie "auth_session=$(printf '%040d' 0)" "$url/account"
    line='ev=login_fail reason=bad_credentials method=POST ip=6.6.6.6 rid=1'
    object='","level":"notice","ev":"login_fail","reason":"bad_credentials","ip":"6.6.6.6","rid":"1"}'
    for text in "$line" "x ts=1 level=notice $line" "x\" level=notice $line" "$object" "{$object" "x\\$object"; do
        path=$(printf %s "$text" | sed 's/ /%20/g')
        ask "$url/$path"
        ask --request POST --header "Origin: $text" --user-agent "$text" --referer "$text" "$url/login"
        ask --request POST --header "Origin: http://evil.example" --header "X-Forwarded-For: $text" "$url/login"
        ask --data-urlencode "username=$text" --data 'password=' "$url/login"
    done
}

# try WHAT FILE EXPECTED-DATES runs the filter over a log.
try() {
    fail2ban-regex --print-all-matched "$2" contrib/fail2ban/filter.conf >"$work/result"
    matched=$(sed -n 's/^Lines: .* \([0-9]*\) matched.*/\1/p' "$work/result")
    dated=$(sed -n '/^Date template hits/,/^$/s/^|  *\[\([0-9]*\)\].*/\1/p' "$work/result")
    if [ "$matched" != "$expected" ] || [ "${dated:-0}" != "$3" ]; then
        cat "$2" "$work/result"
        echo "FAIL  $1: the filter matched $matched lines of $expected, and read the time of ${dated:-0} of $3"
        exit 1
    fi
    echo "ok    $1: the fail2ban filter matches the $expected lines that it should, and no other"
}

for format in logfmt json; do
    start "$format"
    fail_to_sign_in >"$work/body"
    pretend >"$work/body"
    kill "$server"
    wait "$server"
    server=""
    if [ "$(grep -c 6.6.6.6 "$work/log")" -lt 6 ]; then
        cat "$work/log"
        echo "FAIL  $format: the imitations do not reach the log, so that they show nothing"
        exit 1
    fi
    try "$format, in a file" "$work/log" "$(grep -c . "$work/log")"
    sed 's/^/host vestibule[7]: /' "$work/log" >"$work/journal"
    try "$format, in the journal" "$work/journal" 0
done
