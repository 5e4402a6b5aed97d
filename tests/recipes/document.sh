#!/bin/sh
# The commands of docs/your-own-app.md as they stand there, run from top to bottom with the Express app and nginx: what a
# reader would type works, and does what the text says. Ports, hosts and the folders of the system are replaced.
# document.sh BINARY ECHO
set -eu
binary=$(realpath "$1")
echo=$(realpath "$2")
cd "$(dirname "$0")"
document=$(realpath ../../docs/your-own-app.md)
kept=${RECIPES:-$PWD/../../target/recipes}
mkdir -p "$kept"
kept=$(cd "$kept" && pwd)
examples=$(cd ../../examples && pwd)
PATH=$PATH:/usr/sbin
export RECIPE=document

names="DNS:app.example.test"
cd ../proxies
# shellcheck source=tests/proxies/common.sh
. ./common.sh
# shellcheck source=tests/proxies/visitor.sh
. ./visitor.sh
# Commands that stay in the foreground are started in groups of their own, whose numbers are in a file.
end_groups() {
    while read -r group; do kill -- "-$group" 2>/dev/null || true; done <"$work/groups"
    : >"$work/groups"
}
clean_up_groups() {
    end_groups
    clean_up
}
: >"$work/groups"
trap clean_up_groups EXIT

for recipe in express flask; do
    mkdir -p "$kept/$recipe"
    cp -R "$examples/$recipe/." "$kept/$recipe/"
done
cd "$kept/express"
npm install --silent --no-audit --no-fund || { echo 'NOT TRIED: Express cannot be had here'; exit 0; }
cd "$kept/flask"
[ -x venv/bin/python ] || python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt ||
    { echo 'NOT TRIED: Flask cannot be had here'; exit 0; }

: >"$work/echo.log"
"$echo" 5 >"$work/echo.log" &
started="$started $!"
wait_for "$work/echo.log" ready
# shellcheck disable=SC2046 # Numbers.
set -- $(sed -n 's/^free //p' "$work/echo.log")
port=$1 app=$2 vestibule=$3 flask=$4
export VESTIBULE_LISTEN="127.0.0.1:$5"

# block NUMBER prints one block of commands of the document, for this machine.
block() {
    awk -v wanted="$1" '/^```sh$/ { found++; on = 1; next } /^```/ { on = 0 } on && found == wanted' "$document" |
        sed -e "s|//example\.com|//app.example.test:$port|g" -e "s|localhost:8080|localhost:$vestibule|g" \
            -e "s#\(localhost\|127\.0\.0\.1\):3000#\1:$app#g" -e "s|/var/lib/vestibule|$work/data|" \
            -e "s|/etc/ssl/|$work/made-|g" -e "s|/etc/nginx/conf.d/example.conf|$work/nginx.conf|"
}
# run NUMBER runs it. What it prints is in $work/NUMBER.out.
run() {
    block "$1" >"$work/$1.sh"
    [ -s "$work/$1.sh" ] || { echo "FAIL  the document has no block $1"; exit 1; }
    sed 's/^/$ /' "$work/$1.sh"
    # shellcheck source=/dev/null # It is written above.
    . "$work/$1.sh" >"$work/$1.out" 2>"$work/$1.err" ||
        { cat "$work/$1.out" "$work/$1.err"; echo "FAIL  block $1"; exit 1; }
}

# The commands that a block names, where they need more than is written there.
background() {
    setsid "$@" >>"$work/background.log" 2>&1 &
    echo "$!" >>"$work/groups"
}
# await URL: until it is answered, with any status.
await() {
    tries=0
    until curl --silent --output /dev/null "$1"; do
        tries=$((tries + 1))
        [ "$tries" -lt 400 ] || { cat "$work/background.log"; echo "FAIL  nothing answers at $1"; exit 1; }
        sleep 0.05
    done
}
vestibule() {
    case $1 in
        serve)
            background "$binary" "$@"
            await "http://$VESTIBULE_LISTEN/healthz"
            ;;
        doctor) "$binary" "$@" --ca "$work/ca.pem" --resolve "app.example.test:$port:127.0.0.1" ;;
        audit)
            # It follows for as long as it is read.
            setsid "$binary" "$@" &
            echo "$!" >>"$work/groups"
            wait "$!"
            ;;
        *) "$binary" "$@" ;;
    esac
}
nginx() {
    if [ "$*" = '-s reload' ]; then
        kind=nginx
        # Where the certificate is, as the document says.
        sed -i -e "s|/etc/ssl/app.example.test.pem|$work/cert.pem|" -e "s|/etc/ssl/app.example.test.key|$work/key.pem|" \
            "$work/nginx.conf"
        run_nginx "$port"
        await_proxy "app.example.test:$port" /login
    elif [ "$*" != -t ]; then
        command nginx "$@"
    fi
}
npm() {
    cd "$kept/express"
    PORT=$app AUTH=http://$VESTIBULE_LISTEN LOGIN=http://localhost:$vestibule/login?next=http://localhost:$app/ \
        LOGOUT=http://localhost:$vestibule/logout background npm "$@"
    cd - >/dev/null
    await "http://localhost:$app/"
}
: >"$work/background.log"

printf '\n-- the commands of docs/your-own-app.md\n'
mkdir "$work/data" "$work/development"

# Set it up.
cd "$work/data"
run 1
# A certificate for a trial.
run 2
check 'the certificate is for the host' yes \
    "$(openssl x509 -in "$work/made-example.com.pem" -noout -checkhost example.com | grep -q 'does match' && echo yes)"
run 3
run 4
check 'doctor finds nothing wrong' 0 "$(grep -c '^FAIL' "$work/4.out" || true)"
check 'and says so' yes "$(grep -q '^ok' "$work/4.out" && echo yes)"
add() { echo 'correct horse battery' | vestibule user add "$1" --database "$work/data/vestibule.db" >/dev/null; }
add anna
run 5
check 'a user is made an administrator' 'anna is in admin now; before: none' "$(cat "$work/5.out")"

# Users in tables of the app: what happened while it was away is there, and what happens then.
# follow PATTERN: follows the log as the block does, until there is such a record.
follow() {
    : >"$work/6.out"
    run 6 >/dev/null &
    follower=$!
    wait_for "$work/6.out" "$1"
}
stop_following() {
    end_groups
    wait "$follower" 2>/dev/null || true
}
add dora
vestibule user rename dora dorothea --database "$work/data/vestibule.db" >/dev/null
follow '"event":"user_rename"'
add emil
id=$("$binary" user show emil --json --database "$work/data/vestibule.db" |
    grep -o '"id":"[a-z0-9]\{15\}"' | cut -d '"' -f 4)
vestibule user delete emil --yes --database "$work/data/vestibule.db" >/dev/null
wait_for "$work/6.out" '"event":"user_delete"'
check 'a record of the audit log reaches the app, with the id' "$id" \
    "$(sed -n 's/.*"event":"user_delete".*"user_id":"\([^"]*\)".*/\1/p' "$work/6.out")"
wait_for seen '^20..-..-..T..:..:'
check 'its time is kept' "$(tail -n 1 "$work/6.out" | sed 's/.*"at":"\([^"]*\)".*/\1/')" "$(cat seen)"
stop_following
follow '"event":"user_delete"'
check 'after a restart it goes on there' 0 "$(grep -c user_rename "$work/6.out" || true)"
stop_following
: >seen
follow '"event":"user_delete"'
check 'a file without a time, as after a crash, means all records' 1 "$(grep -c user_rename "$work/6.out" || true)"
stop_following

# What a stranger is answered without a proxy on a guarded path of the app at $own.
develops_as_nginx_does() {
    login="http://localhost:$vestibule/login?next=http%3A%2F%2Flocalhost%3A${own##*:}%2F"
    check "$1: a stranger comes back to the page" "302 ${login}private%3Fa%3D1" "$(way page "$own/private?a=1")"
    check "$1: a form leads there too, without its body" "303 ${login}privateer" "$(way page "$own/privateer" --data a=1 \
        --header 'Sec-Fetch-Site: same-origin')"
    check "$1: fetch gets 401 and no redirect" '401 ' "$(way web "$own/private" --header 'Sec-Fetch-Mode: cors' \
        --header 'Accept: text/html')"
    check "$1: a client that wants no page too" '401 ' "$(way web "$own/PRIVATE")"
}

# Develop, with an app beside the server and no proxy.
VESTIBULE_LISTEN=127.0.0.1:$vestibule
cd "$work/development"
run 7
own=http://localhost:$app
web() { curl --silent --show-error --max-time 30 "$@"; }
check 'a visitor is led to the sign-in page' "302 http://localhost:$vestibule/login?next=$own/" "$(way page "$own/")"
develops_as_nginx_does Express

# Tests of the app.
run 8
check 'one line signs a user in' 'Username: anna' "$(grep -o 'Username: anna' "$work/8.out")"
known() { page --cookie jar "$@"; }
check 'a guarded page knows who is there' 'Hello anna' "$(known "$own/private")"
check 'and believes no header' 'Hello anna' "$(known "$own/private" --header 'Remote-Name: root' --header 'Remote_Name: root')"
check 'the group is known' 'Hello administrator anna' "$(known "$own/admin")"
check 'signing in leads back to the app' "302 $own/" "$(way page "http://localhost:$vestibule/login" --data username=anna \
    --data 'password=correct horse battery' --data "next=$own/" --header "Origin: http://localhost:$vestibule")"

# The same in Flask, in place of the Express app.
cd "$kept/flask"
PORT=$flask AUTH=http://$VESTIBULE_LISTEN SIGN_IN=http://localhost:$vestibule DEVELOP=yes background venv/bin/python app.py
await "http://localhost:$flask/"
cd "$work/development"
own=http://localhost:$flask
develops_as_nginx_does Flask
check 'Flask: a guarded page knows who is there' 'Hello anna' "$(known "$own/private")"
check 'Flask: and believes no header' 'Hello anna' "$(known "$own/private" --header 'Remote-Name: root' --header 'Remote_Name: root')"
check 'Flask: the group is known' 'Hello administrator anna' "$(known "$own/admin")"
check 'Flask: an open page is open' 'Hello stranger' "$(page "$own/" | grep -o 'Hello stranger')"
check 'Flask: its link leads back, with the query' "http://localhost:$vestibule/login?next=http%3A//localhost%3A$flask/%3Fa%3D1" \
    "$(page "$own/?a=1" | sed -n 's/.*<a href="\([^"]*\)">Sign in.*/\1/p')"
for path in / /private; do
    check "Flask: without a sign-in $path says to come back" '503 1' "$(cd "$kept/flask" && DEVELOP=yes AUTH=http://127.0.0.1:1 \
        venv/bin/python -c "from app import app; it = app.test_client().get('$path'); print(it.status_code, it.headers['Retry-After'])" \
        2>"$work/down")"
done
check 'the tests of the app pass' 0 \
    "$(cd "$kept/flask" && env VESTIBULE="$binary" venv/bin/python -m unittest test_app >"$work/unittest" 2>&1; echo $?)"

# Seed users.
run 9
check 'the users are in the new database' 'anna bert carla' \
    "$("$binary" user list --database fresh.db | grep -o '^\(anna\|bert\|carla\)' | tr '\n' ' ' | sed 's/ $//')"
check 'with their ids' "$("$binary" user show bert --json | grep -o '"id":"[^"]*"' | head -n 1)" \
    "$("$binary" user show bert --json --database fresh.db | grep -o '"id":"[^"]*"' | head -n 1)"
[ -z "$(block 10)" ] || { echo 'FAIL  the document has a block that is not run here'; exit 1; }
printf '\nEvery command of docs/your-own-app.md works.\n'
