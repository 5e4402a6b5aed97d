#!/bin/sh
# Each app in examples/ with its real framework, on one host with the sign-in behind nginx: the way in, who is
# there, groups, and the way out. run.sh BINARY ECHO [RECIPE…]
#
# An outgoing proxy is in the environment of each app, and must not be asked: GET /session carries the cookie of a
# visitor. The sign-in is 0.0.0.0 there, which is this machine too: many clients spare 127.0.0.1 alone.
#
# What a framework needs is installed into a folder that is kept between runs ($RECIPES, target/recipes): from the
# registries of npm, Python and crates, and from Debian where root may. What cannot be had is said aloud.
set -eu
binary=$(realpath "$1")
echo=$(realpath "$2")
shift 2
cd "$(dirname "$0")"
[ "$#" -gt 0 ] || set -- express fastify flask django fastapi php rack go axum
PATH=$PATH:/usr/sbin:/usr/local/go/bin
kept=${RECIPES:-$PWD/../../target/recipes}
mkdir -p "$kept"
kept=$(cd "$kept" && pwd)
examples=$(cd ../../examples && pwd)

names="DNS:app.example.test"
cd ../proxies
# shellcheck source=tests/proxies/common.sh
. ./common.sh
cd ../recipes
here=$PWD

# debian COMMAND PACKAGE… installs what is missing, if that is possible.
debian() {
    tool=$1
    shift
    command -v "$tool" >/dev/null 2>&1 && return
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"; } \
        >"$work/apt.log" 2>&1 || { tail -n 5 "$work/apt.log"; return 1; }
}

# fresh RECIPE copies the app to where it is built, beside what was installed for it before.
fresh() {
    mkdir -p "$kept/$1"
    cp -R "$examples/$1/." "$kept/$1/"
    cd "$kept/$1"
}

npm_app() {
    command -v npm >/dev/null 2>&1 || return 1
    fresh "$1" && npm install --silent --no-audit --no-fund >&2
}

python_app() {
    fresh "$1"
    [ -x venv/bin/python ] || python3 -m venv venv
    venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt >&2
}

# prepare RECIPE installs what it needs and writes down with which command it starts. It fails if it cannot be had.
prepare() {
    set -e
    case $1 in
        express | fastify) npm_app "$1" && command="node app.js" ;;
        flask) python_app flask && command="venv/bin/python app.py" ;;
        fastapi) python_app fastapi && command="venv/bin/uvicorn app:app --port $app" ;;
        django)
            python_app django && rm -f "$kept/django/app.db" && venv/bin/python app.py migrate --verbosity 0 &&
                command="venv/bin/python app.py runserver --noreload 127.0.0.1:$app"
            ;;
        php) debian php php-cli && fresh php && command="php -S 127.0.0.1:$app index.php" ;;
        rack)
            debian rackup ruby-rack && debian puma puma && fresh rack &&
                command="puma --bind tcp://127.0.0.1:$app --log-requests config.ru"
            ;;
        go) debian go golang-go && fresh go && go build -o app . && command=./app ;;
        axum) fresh axum && cargo build --quiet && command=target/debug/app ;;
        *) echo "there is no recipe $1" && exit 2 ;;
    esac
    echo "$command" >"$work/command"
}

: >"$work/echo.log"
"$echo" "$(($# * 2))" >"$work/echo.log" &
started="$started $!"
wait_for "$work/echo.log" ready
# shellcheck disable=SC2046 # Numbers.
ports=$(sed -n 's/^free //p' "$work/echo.log")
python3 listener.py >"$work/outgoing.log" &
started="$started $!"
wait_for "$work/outgoing.log" port
outgoing=http://127.0.0.1:$(sed -n 's/^port //p' "$work/outgoing.log")
missed=""
for recipe in "$@"; do
    # shellcheck disable=SC2086 # Numbers.
    set -- $ports
    port=$1 app=$2
    shift 2
    ports=$*
    begun=$(date +%s)
    printf '\n-- %s\n' "$recipe"
    rm -f "$work/command"
    (prepare "$recipe") >"$work/prepare.log" 2>&1 || true
    if [ ! -e "$work/command" ]; then
        tail -n 5 "$work/prepare.log"
        echo "NOT TRIED: $recipe cannot be had here"
        missed="$missed $recipe"
        continue
    fi
    own=https://app.example.test:$port
    : >"$work/vestibule.log"
    # The app of the guide, with the guide's rule for passwords.
    policy=standard
    [ "$recipe" != express ] || policy=seed
    "$binary" serve --listen 127.0.0.1:0 --database "$work/$recipe.db" --trusted-proxy 127.0.0.1 \
        --origin "$own" --password-policy "$policy" 2>"$work/vestibule.log" &
    server=$!
    started="$started $server"
    wait_for "$work/vestibule.log" ev=listening
    vestibule=$(sed -n 's/.*ev=listening address=\([^ ]*\).*/\1/p' "$work/vestibule.log")
    # shellcheck disable=SC2046 # A command and its arguments.
    (cd "$kept/$recipe" && export HTTP_PROXY="$outgoing" http_proxy="$outgoing" ALL_PROXY="$outgoing" all_proxy="$outgoing" &&
        AUTH=http://0.0.0.0:${vestibule##*:} PORT=$app exec $(cat "$work/command")) >"$work/app.log" 2>&1 &
    runs=$!
    started="$started $runs"
    "$binary" proxy-config nginx --same-host --guard /private,/admin --origin "$own" --listen "$vestibule" \
        --upstream "http://127.0.0.1:$app" --certificate "$work/cert.pem" \
        --certificate-key "$work/key.pem" >"$work/nginx.conf"
    kind=nginx
    run_nginx "$port"
    await_proxy "app.example.test:$port" /login
    checks=check.sh
    [ "$recipe" != express ] || checks="check.sh guide.sh"
    for script in $checks; do
        PORT=$port CA=$work/ca.pem BINARY=$binary DATABASE=$work/$recipe.db RECIPE=$recipe sh "$here/$script" ||
            { tail -n 20 "$work/app.log"; tail -n 5 "$work/vestibule.log"; exit 1; }
    done
    if grep asked "$work/outgoing.log"; then
        echo "FAIL  $recipe: the outgoing proxy of the environment was asked"
        exit 1
    fi
    echo "ok    $recipe: no outgoing proxy sees the cookie"
    end "$server"
    PORT=$port CA=$work/ca.pem BINARY=$binary DATABASE=$work/$recipe.db RECIPE=$recipe DOWN=yes LOG=$work/app.log \
        sh "$here/check.sh" ||
        { tail -n 20 "$work/app.log"; exit 1; }
    end "$proxy" "$runs"
    printf -- '-- %s: %s s\n' "$recipe" "$(($(date +%s) - begun))"
done
if [ -n "$missed" ]; then
    printf '\nAll passed but what was not tried:%s.\n' "$missed"
else
    printf '\nAll recipes passed.\n'
fi
