#!/bin/sh
# Mail with real parts, on loopback: relays that misbehave (aiosmtpd), Postfix of Debian with a Maildir, Chromium from a
# forgotten password to a new one, and kill -9 of the server that sends. Some three minutes.
# run.sh BINARY [KILLS, 100]
#
# aiosmtpd and the unpacked Postfix stay in a folder that is kept between runs ($MAIL, target/mail). What cannot be had is
# said aloud.
set -eu
binary=$(realpath "$1")
kills=${2:-100}
cd "$(dirname "$0")"
kept=${MAIL:-$PWD/../../target/mail}
mkdir -p "$kept"
kept=$(cd "$kept" && pwd)
python=$kept/venv/bin/python
PATH=$PATH:/usr/sbin

work=$(mktemp -d)
# The server of MariaDB, and Postfix, run as other users.
chmod 711 "$work"
database=$(mktemp -d)
clean_up() {
    [ ! -e "$work/postfix" ] || ./postfix.sh stop "$kept" "$work" || true
    ../mariadb.sh stop "$database" || true
    rm -rf "$work" "$database"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

# Debian has the module for virtual environments in a package of its own.
make_venv() {
    python3 -m venv "$kept/venv" && return
    [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null || return 1
    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3-venv &&
        python3 -m venv "$kept/venv"
}
get_aiosmtpd() {
    echo 'aiosmtpd==1.4.6' >"$work/requirements"
    cmp -s "$work/requirements" "$kept/requirements" && return
    make_venv && "$kept/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$work/requirements" &&
        cp "$work/requirements" "$kept/requirements"
}
get_aiosmtpd >"$work/venv.log" 2>&1 || {
    tail -n 5 "$work/venv.log"
    echo 'NOT TRIED: mail with real parts, as aiosmtpd cannot be had'
    exit 0
}

# Two authorities that are thrown away, and certificates: for this machine, for another host, and by the other authority.
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
authority() {
    # shellcheck disable=SC2086 # A list of options.
    openssl req -x509 $key -days 2 -subj "/CN=thrown away, $1" -keyout "$work/$1.key" -out "$work/$1.pem"
}
# certificate NAME AUTHORITY HOSTS
certificate() {
    # shellcheck disable=SC2086 # A list of options.
    openssl req $key -subj "/CN=$1" -keyout "$work/$1.key" -out "$work/request.pem"
    printf 'subjectAltName=%s\n' "$3" >"$work/names"
    openssl x509 -req -days 2 -in "$work/request.pem" -CA "$work/$2.pem" -CAkey "$work/$2.key" \
        -CAcreateserial -extfile "$work/names" -out "$work/$1.pem"
}
{
    authority ca
    authority other
    certificate here ca DNS:localhost,IP:127.0.0.1
    certificate elsewhere ca DNS:mail.example.test
    certificate stranger other DNS:localhost,IP:127.0.0.1
} 2>"$work/openssl.log" || { cat "$work/openssl.log"; exit 1; }

failed=0
part() {
    printf -- '-- %s\n' "$1"
    shift
    "$@" || failed=1
}

# The relays that are silent take their time, but nearly no work.
"$python" -B faults.py "$binary" "$work" >"$work/faults.log" 2>&1 &
faults=$!
part 'kill -9 of the server that sends, on SQLite' "$python" -B kill.py "$binary" "$work" "$kills"
if command -v mariadbd >/dev/null; then
    url=$(../mariadb.sh start "$database" | tail -n 1)
    part 'kill -9 of the server that sends, on MariaDB' "$python" -B kill.py "$binary" "$work" "$kills" "$url"
    part 'a database that is away' "$python" -B away.py "$binary" "$work" "$url" "$(cat "$database/pid")"
else
    echo 'NOT TRIED: MariaDB'
fi
if [ "$(id -u)" -eq 0 ] && ./postfix.sh get "$kept"; then
    ports=$(./postfix.sh start "$kept" "$work")
    # shellcheck disable=SC2086 # Three numbers.
    part 'Postfix and its Maildir' "$python" -B postfix.py "$binary" "$work" $ports
    modules=${BROWSER_MODULES:-$PWD/../../target/browser}
    if command -v chromium >/dev/null && [ -d "$modules/node_modules" ]; then
        PYTHON=$python BINARY=$binary BROWSER_MODULES=$modules PICTURES=$work \
            part 'Chromium' node forgot.mjs "$work" "$(echo "$ports" | cut -d ' ' -f 2)"
    else
        echo 'NOT TRIED: Chromium; tests/browser/run.sh installs what it needs'
    fi
else
    echo 'NOT TRIED: Postfix, which needs root and Debian'
fi
echo '-- relays that misbehave'
wait "$faults" || failed=1
cat "$work/faults.log"
[ "$failed" -eq 0 ] || { echo 'FAIL  see above'; exit 1; }
echo 'All passed.'
