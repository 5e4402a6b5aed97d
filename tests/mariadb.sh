#!/bin/sh
# One server of MariaDB for tests, from Debian's package, without systemd.
#
#   mariadb.sh start FOLDER   starts it in this folder on a free port of 127.0.0.1 and prints its address:
#                             mysql://app:app@127.0.0.1:PORT/app
#   mariadb.sh stop FOLDER    ends it
#
# The user app may do everything in the databases `app` and `t_…`; so may, in the latter, the users tls, who has to
# use TLS, and ed25519, who is identified that way, all with the password app. FOLDER/ca.pem is the authority that
# the server's certificate is from: TLS is offered and not asked for. What is acknowledged does not
# survive a power cut, which makes it quick; so it is good for tests alone.
set -eu

action=${1:-}
folder=${2:-}
[ -n "$folder" ] || { sed -n 's/^#   /  /p' "$0" >&2; exit 2; }
PATH=$PATH:/usr/sbin
log=$folder/log

fail() {
    echo "mariadb: $*" >&2
    [ ! -s "$log" ] || tail -n 15 "$log" >&2
    exit 1
}

# The server's process, if it is there and one: the number may belong to another process by now.
process() {
    [ -s "$folder/pid" ] || return 1
    pid=$(cat "$folder/pid")
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = mariadbd ] && echo "$pid"
}

# An authority, and a certificate of the server from it, for as long as tests take.
certify() {
    cd "$folder"
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=vestibule's tests" \
        -keyout ca.key -out ca.pem
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
    printf 'subjectAltName = IP:127.0.0.1, DNS:localhost\n' >names
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
        -extfile names -out server.pem
    cd - >/dev/null
}

start() {
    command -v mariadbd >/dev/null || fail "there is no mariadbd: install mariadb-server"
    mkdir -p "$folder"
    folder=$(cd "$folder" && pwd)
    log=$folder/log
    [ ! -e "$folder/data" ] || fail "$folder was used before"
    certify >"$log" 2>&1 || fail "no certificates were made"
    cat >"$folder/init.sql" <<'SQL'
CREATE DATABASE app;
CREATE USER app@'127.0.0.1' IDENTIFIED BY 'app';
GRANT ALL ON app.* TO app@'127.0.0.1';
GRANT ALL ON `t\_%`.* TO app@'127.0.0.1';
CREATE USER tls@'127.0.0.1' IDENTIFIED BY 'app' REQUIRE SSL;
GRANT ALL ON `t\_%`.* TO tls@'127.0.0.1';
INSTALL SONAME 'auth_ed25519';
CREATE USER ed25519@'127.0.0.1' IDENTIFIED VIA ed25519 USING PASSWORD('app');
GRANT ALL ON `t\_%`.* TO ed25519@'127.0.0.1';
SQL
    # It does not run as root.
    user=$(id -un)
    if [ "$(id -u)" -eq 0 ]; then
        user=mysql
        chown -R mysql: "$folder"
    fi
    mariadb-install-db --no-defaults --user="$user" --datadir="$folder/data" --skip-test-db \
        >"$log" 2>&1 || fail "its own tables were not made"
    tries=0
    until serve $((20000 + $(od -An -N2 -tu2 /dev/urandom) % 12000)); do
        tries=$((tries + 1))
        [ "$tries" -lt 20 ] || fail "no free port was found"
    done
    echo "mysql://app:app@127.0.0.1:$port/app"
}

# Serves on this port, if no other process does.
serve() {
    port=$1
    : >"$log"
    # In a session of its own, so that it outlives the process that started it.
    setsid mariadbd --no-defaults --user="$user" --datadir="$folder/data" --tmpdir="$folder" \
        --socket="$folder/socket" --pid-file="$folder/pid" --init-file="$folder/init.sql" \
        --bind-address=127.0.0.1 --port="$port" --skip-name-resolve --max-connections=300 \
        --performance-schema=OFF --skip-log-bin --innodb-buffer-pool-size=64M \
        --innodb-log-file-size=48M --innodb-flush-log-at-trx-commit=0 --innodb-doublewrite=OFF \
        --character-set-server=utf8mb4 --default-time-zone=+00:00 \
        --ssl-ca="$folder/ca.pem" --ssl-cert="$folder/server.pem" --ssl-key="$folder/server.key" \
        >>"$log" 2>&1 </dev/null &
    child=$!
    waited=0
    until grep -q 'ready for connections' "$log"; do
        if ! kill -0 "$child" 2>/dev/null; then
            grep -q 'Address already in use' "$log" || fail "the server did not start"
            return 1
        fi
        waited=$((waited + 1))
        [ "$waited" -lt 600 ] || fail "the server was not ready after a minute"
        sleep 0.1
    done
}

stop() {
    pid=$(process) || return 0
    kill "$pid"
    waited=0
    while process >/dev/null; do
        waited=$((waited + 1))
        [ "$waited" -ne 300 ] || kill -9 "$pid"
        sleep 0.1
    done
}

case $action in
    start) start ;;
    stop) stop ;;
    *) fail "start or stop?" ;;
esac
