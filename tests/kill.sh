#!/bin/sh
# Commands that write, each killed at many moments: on SQLite, and where mariadb-server is there on a server of
# MariaDB. What was killed has to have left everything as before or as after, and the next run has to do all.
# kill.sh [KILLS of each command, 50]; UNDER_TEST names another program than the debug build.
set -eu
cd "$(dirname "$0")/.."
export KILLS="${1:-50}"

server=$(mktemp -d)
finish() {
    tests/mariadb.sh stop "$server"
    rm -rf "$server"
}
trap finish EXIT
trap 'exit 130' INT TERM

cargo test --locked --test it -- kill::
if PATH=$PATH:/usr/sbin command -v mariadbd >/dev/null; then
    url=$(tests/mariadb.sh start "$server" | tail -n 1)
    STORE_MYSQL="$url?tls=$server/ca.pem" cargo test --locked --test it -- --ignored kill::mysql::
else
    echo 'Not tried: MariaDB.'
fi
