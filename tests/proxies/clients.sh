# Programs that wait for a challenge before they send a password, and browsers, which must not get one. Run by run.sh.
# shellcheck shell=sh
set -eu

: "${PORT:?}" "${CA:?}" "${BINARY:?}" "${DATABASE:?}"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
. ./visitor.sh
app=https://app.example.test:$PORT
code=https://code.example.test:$PORT
password='three unrelated words'
wrong='three other words'
printf '%s\n' "$password" | "$BINARY" user add clara --database "$DATABASE" >/dev/null

web() {
    curl --silent --show-error --max-time 30 --cacert "$CA" --http1.1 \
        --resolve "app.example.test:$PORT:127.0.0.1" --resolve "code.example.test:$PORT:127.0.0.1" "$@"
}
# whom the app was told of
told() { tr -d '\r' | sed -n 's/^Remote-User: //Ip'; }
missing() { echo "skip  $1: it is not installed"; }

check 'curl --anyauth gets in' clara "$(web --anyauth --user "clara:$password" "$app/" | told)"
check 'curl --anyauth stays out with a wrong password' 401 "$(status web --anyauth --user "clara:$wrong" "$app/")"

if command -v wget >/dev/null; then
    # It cannot be told where a host is, so it asks this machine for it.
    get() {
        wget --quiet --output-document=- --no-check-certificate --header "Host: app.example.test:$PORT" \
            --user clara --password "$1" "https://127.0.0.1:$PORT/"
    }
    check 'wget --user gets in' clara "$(get "$password" | told)"
    # Its status for a password that is not taken.
    check 'wget --user stays out with a wrong password' 6 "$(get "$wrong" >/dev/null && echo in || echo $?)"
else
    missing wget
fi

if command -v git >/dev/null && [ -n "${REPOSITORY:-}" ]; then
    # The password comes from a credential helper, as from a keyring.
    clone() {
        rm -rf "$folder/clone"
        TYPED=$1 GIT_SSL_CAINFO=$CA GIT_TERMINAL_PROMPT=0 GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git \
            -c "http.curloptResolve=code.example.test:$PORT:127.0.0.1" \
            -c 'credential.helper=!f() { echo username=clara; echo "password=$TYPED"; }; f' \
            clone --quiet "$code/$REPOSITORY" "$folder/clone" 2>"$folder/git" && echo in || echo out
    }
    check 'git clone gets in' in "$(clone "$password")"
    check 'with the files' 'kept in git' "$(cat "$folder/clone/file")"
    check 'git clone stays out with a wrong password' out "$(clone "$wrong")"
else
    missing git
fi

if command -v python3 >/dev/null; then
    for library in urllib requests; do
        get() { python3 ./clients.py "$library" "$app/" clara "$1" "$CA"; }
        if [ "$library" = requests ] && ! python3 -c 'import requests' 2>/dev/null; then
            missing "Python's requests"
            continue
        fi
        check "Python's $library gets in" clara "$(get "$password" | told)"
        check "Python's $library stays out with a wrong password" 1 "$(get "$wrong" >/dev/null 2>&1 && echo 0 || echo $?)"
    done
else
    missing Python
fi

# What browsers load gets no challenge that prompts for a password, whether they say what it is for or not.
agent='Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/16.3 Safari/605.1.15'
challenges() {
    web --output /dev/null --write-out '%{http_code}' --dump-header "$folder/head" --user-agent "$agent" "$@"
    tr -d '\r' <"$folder/head" | sed -n 's/^WWW-Authenticate: */ /Ip' | tr -d '\n'
}
check 'a picture raises no pop-up' '401 Bearer' "$(challenges "$app/x.png" --header 'Accept: image/*,*/*;q=0.8')"
check 'nor does one with Fetch Metadata' '401 Bearer' "$(challenges "$app/x.png" --header 'Accept: */*' \
    --header 'Sec-Fetch-Mode: no-cors' --header 'Sec-Fetch-Dest: image')"
check 'nor does a script' '401 Bearer' "$(challenges "$app/api" --header 'Accept: */*' --header "Origin: $app" --data a=b)"
check 'nor does one that names no program' '401 Bearer' "$(challenges "$app/api" --header 'User-Agent:' \
    --header 'Accept: */*')"
check 'a page is led to the sign-in page' 302 "$(status page --user-agent "$agent" "$app/")"
"$BINARY" user delete clara --yes --database "$DATABASE" >/dev/null
