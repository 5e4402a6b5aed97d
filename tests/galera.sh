#!/bin/sh
# A real MariaDB Galera cluster on this machine, without systemd, for tests.
#
#   galera.sh needs            says which Debian packages are missing, if any
#   galera.sh start            makes node 1 and lets the others join; then a database and a user, `app` both
#   galera.sh stop             stops every node in an orderly way
#   galera.sh destroy          the same, and deletes every file
#   galera.sh status           a line for each node: how many it sees, its state, its last write
#   galera.sh settle           waits until every node sees all others and has what they have
#   galera.sh kill N           kill -9
#   galera.sh shutdown N       an orderly stop
#   galera.sh rejoin N         starts it again, and waits until it has what the others have
#   galera.sh pause N | resume N    SIGSTOP, SIGCONT: a machine that hangs
#   galera.sh part N | heal N       with GALERA_NETNS: cut off from the other nodes, but not from clients
#   galera.sh deafen N | heal N     with GALERA_NETNS: it hears no other node any more, but they hear it
#   galera.sh cut N | plug N        with GALERA_NETNS: the cable is pulled
#   galera.sh net-up | net-down     makes and removes the namespaces of GALERA_NETNS; both as root
#   galera.sh sql N "SQL"      runs it at node N as the database's root
#   galera.sh hosts            127.0.0.1:33061,127.0.0.1:33062,127.0.0.1:33063
#   galera.sh url N            mysql://app:app@127.0.0.1:33061/app
#
# The user app may also make databases named t_….
#
# Environment: GALERA_DIR (${TMPDIR:-/tmp}/galera), GALERA_NODES (3), GALERA_WAIT (90 seconds to join in),
# GALERA_PORT (33060: node N listens on 33060+N, and for the others from 33160+10N on),
# GALERA_NETNS (a prefix: node N is in the network namespace prefixN at 10.99.0.N, and clients are in
# prefix0), GALERA_FLUSH (1: a write is on the disk before it is answered; 2 and 0 are faster),
# GALERA_EVS (more wsrep_provider_options. Without any, a dead node is left in 6 s; with
# "evs.suspect_timeout=PT2S;evs.inactive_timeout=PT6S;evs.inactive_check_period=PT0.5S;evs.keepalive_period=PT0.5S"
# in 3.5 s; with a suspect timeout of 1 s two busy cores lost the whole cluster).
#
# Nodes run as the calling user, or as mysql if that is root: the rsync of a state transfer would leave root
# for nobody, who may not enter the folder. They listen on 127.0.0.1 alone, or on 10.99.0.N in a namespace
# of their own. Only processes from the pid files in GALERA_DIR are signalled.
set -eu

folder=${GALERA_DIR:-${TMPDIR:-/tmp}/galera}
nodes=$(seq 1 "${GALERA_NODES:-3}")
base=${GALERA_PORT:-33060}
netns=${GALERA_NETNS:-}
PATH=$PATH:/usr/sbin
provider=/usr/lib/galera/libgalera_smm.so
owner=$(id -un)
[ "$owner" != root ] || owner=mysql

address() { if [ -n "$netns" ]; then echo "10.99.0.$1"; else echo 127.0.0.1; fi; }
port() { echo $((base + $1)); }
group_port() { echo $((base + 100 + 10 * $1)); }

# list function: what it says of each node, with commas between.
list() { for i in $nodes; do "$1" "$i"; done | paste -s -d , -; }
group_address() { echo "$(address "$1"):$(group_port "$1")"; }
host() { echo "$(address "$1"):$(port "$1")"; }

sql() { mariadb --no-defaults -uroot -S "$folder/n$1/sock" -NBe "$2"; }
wsrep() {
    timeout 3 mariadb --no-defaults --connect-timeout=2 -uroot -S "$folder/n$1/sock" \
        -NBe "SHOW STATUS LIKE 'wsrep_$2'" 2>/dev/null | cut -f 2 || true
}

pid() { cat "$folder/n$1/pid" 2>/dev/null || true; }
# A zombie does not run.
runs() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null && ! grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"; }

needs() {
    missing=""
    # command:package
    for pair in mariadbd:mariadb-server mariadb:mariadb-client rsync:rsync lsof:lsof socat:socat ip:iproute2; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
    done
    [ -e "$provider" ] || missing="$missing galera-4"
    [ -z "$missing" ] || { echo "galera: please install:$missing" >&2; return 1; }
}

configure() {
    mkdir -p "$folder/n$1/data" "$folder/n$1/tmp"
    chmod 700 "$folder/n$1/data"
    group=$(group_port "$1")
    options="gmcast.listen_addr=tcp://$(address "$1"):$group;ist.recv_addr=$(address "$1"):$((group + 1))"
    options="$options;gcache.size=64M;gcache.recover=yes${GALERA_EVS:+;$GALERA_EVS}"
    cat >"$folder/n$1/my.cnf" <<CNF
[mysqld]
datadir=$folder/n$1/data
tmpdir=$folder/n$1/tmp
socket=$folder/n$1/sock
pid-file=$folder/n$1/mysqld.pid
log-error=$folder/n$1/log.err
port=$(port "$1")
bind-address=$(address "$1")
user=$owner
skip-name-resolve
performance-schema=OFF
character-set-server=utf8mb4
collation-server=utf8mb4_bin
max-connections=200
innodb-buffer-pool-size=64M
innodb-log-file-size=48M
innodb-flush-log-at-trx-commit=${GALERA_FLUSH:-1}
innodb-autoinc-lock-mode=2
innodb-lock-wait-timeout=5
default-storage-engine=InnoDB
binlog-format=ROW
sql-mode=STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE,NO_ZERO_IN_DATE
default-time-zone=+00:00
wsrep-on=ON
wsrep-provider=$provider
wsrep-cluster-name=app
wsrep-cluster-address=gcomm://$(list group_address)
wsrep-node-name=n$1
wsrep-node-address=$(address "$1")
wsrep-node-incoming-address=$(host "$1")
wsrep-slave-threads=2
wsrep-sst-method=rsync
wsrep-sst-receive-address=$(address "$1"):$((group + 2))
wsrep-provider-options="$options"
CNF
    [ "$(id -u)" -ne 0 ] || chown -R "$owner" "$folder/n$1"
}

# launch N flag…
launch() {
    node=$1
    shift
    rm -f "$folder/n$node/pid" "$folder/n$node/mysqld.pid" "$folder/n$node/sock"
    set -- setsid mariadbd --defaults-file="$folder/n$node/my.cnf" "$@"
    [ -z "$netns" ] || set -- ip netns exec "$netns$node" "$@"
    # With exec the process id is the server's; with setsid it outlives the caller.
    (exec "$@") >>"$folder/n$node/log.err" 2>&1 </dev/null &
    echo $! >"$folder/n$node/pid"
}

# Waits until node N has what the others have.
synced() {
    deadline=$(($(date +%s) + ${GALERA_WAIT:-90}))
    until [ "$(wsrep "$1" local_state_comment)" = Synced ]; do
        if ! runs "$(pid "$1")" || [ "$(date +%s)" -ge "$deadline" ]; then
            tail -n 25 "$folder/n$1/log.err" >&2
            echo "galera: node $1 did not join in" >&2
            return 1
        fi
        sleep 0.1
    done
}

# Whether every node sees all others, and answers a question for which it has to hear from them.
is_whole() {
    for i in $nodes; do
        [ "$(wsrep "$i" cluster_size)" = "${GALERA_NODES:-3}" ] || return 1
        [ "$(wsrep "$i" local_state_comment)" = Synced ] || return 1
        timeout 3 mariadb --no-defaults --connect-timeout=2 -uroot -S "$folder/n$i/sock" \
            -NBe "SET SESSION wsrep_sync_wait = 1; SHOW DATABASES" >/dev/null 2>&1 || return 1
    done
}

# A node that was gone for a moment looks well until the others notice: so it has to be whole for a while.
settle() {
    deadline=$(($(date +%s) + ${GALERA_WAIT:-90}))
    well=0
    until [ "$well" -eq 4 ]; do
        [ "$(date +%s)" -lt "$deadline" ] || { status >&2; return 1; }
        if is_whole; then well=$((well + 1)); else well=0; fi
        sleep 0.7
    done
}

stop() {
    pid=$(pid "$1")
    runs "$pid" || return 0
    # One that is paused could not hear it.
    kill -TERM "$pid"
    kill -CONT "$pid"
    tries=0
    while runs "$pid"; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { echo "galera: node $1 does not stop, and is killed" >&2; kill -KILL "$pid"; }
        sleep 0.1
    done
    rm -f "$folder/n$1/pid"
}

stop_all() { for i in $(seq "${GALERA_NODES:-3}" -1 1); do stop "$i"; done; }

# The number of the last write in the files of node N; -1 if it cannot be read.
last_write() {
    state=$folder/n$1/data/grastate.dat
    found=$(sed -n 's/^seqno: *//p' "$state" 2>/dev/null || true)
    if [ "${found:--1}" = -1 ] && [ -f "$state" ]; then
        # It crashed, so that only the tables know.
        mariadbd --defaults-file="$folder/n$1/my.cnf" --log-error="$folder/n$1/recover" \
            --wsrep-recover >/dev/null 2>&1 || true
        found=$(sed -n 's/.*Recovered position: *[^:]*:\(-\{0,1\}[0-9]*\).*/\1/p' "$folder/n$1/recover" | tail -n 1)
    fi
    echo "${found:--1}"
}

start() {
    needs
    mkdir -p "$folder"
    for i in $nodes; do
        ! runs "$(pid "$i")" || { echo "galera: node $i runs already" >&2; return 1; }
        configure "$i"
    done
    first=1
    if [ -d "$folder/n1/data/mysql" ]; then
        # Of a cluster that was stopped, or has crashed, the one with the most goes first.
        most=-2
        for i in $nodes; do
            write=$(last_write "$i")
            [ "$write" -le "$most" ] || { most=$write; first=$i; }
        done
        sed -i 's/^safe_to_bootstrap:.*/safe_to_bootstrap: 1/' "$folder/n$first/data/grastate.dat"
    else
        mariadb-install-db --no-defaults --user="$owner" --datadir="$folder/n1/data" --skip-test-db \
            --auth-root-authentication-method=normal --skip-name-resolve >"$folder/n1/install" 2>&1 ||
            { cat "$folder/n1/install" >&2; return 1; }
    fi
    launch "$first" --wsrep-new-cluster
    synced "$first"
    sql "$first" "CREATE DATABASE IF NOT EXISTS app CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    for from in localhost 127.0.0.1 10.99.0.%; do
        sql "$first" "CREATE USER IF NOT EXISTS app@'$from' IDENTIFIED BY 'app';
            GRANT ALL ON app.* TO app@'$from'; GRANT ALL ON \`t\\_%\`.* TO app@'$from'"
    done
    for i in $nodes; do
        [ "$i" = "$first" ] && continue
        launch "$i"
        synced "$i"
    done
}

status() {
    for i in $nodes; do
        if runs "$(pid "$i")"; then
            echo "n$i pid=$(pid "$i") port=$(port "$i") size=$(wsrep "$i" cluster_size)" \
                "status=$(wsrep "$i" cluster_status) state=$(wsrep "$i" local_state_comment)" \
                "ready=$(wsrep "$i" ready) seqno=$(wsrep "$i" last_committed)"
        else
            echo "n$i down"
        fi
    done
}

# prefix0 has a bridge, at which clients are 10.99.0.100; every node has a cable to it.
net_up() {
    clients=${netns:?galera: GALERA_NETNS says how to call the namespaces}0
    ip netns add "$clients"
    ip -n "$clients" link set lo up
    ip -n "$clients" link add name br0 type bridge
    ip -n "$clients" addr add 10.99.0.100/24 dev br0
    ip -n "$clients" link set br0 up
    for i in $nodes; do
        ip netns add "$netns$i"
        ip -n "$netns$i" link set lo up
        ip -n "$clients" link add "v$i" type veth peer name eth0 netns "$netns$i"
        ip -n "$clients" link set "v$i" master br0 up
        ip -n "$netns$i" addr add "10.99.0.$i/24" dev eth0
        ip -n "$netns$i" link set eth0 up
    done
}

net_down() {
    for i in 0 $nodes; do ip netns del "${netns:?}$i" 2>/dev/null || true; done
}

# deafen N add|del: whether the others find the way to node N.
deafen() {
    for i in $nodes; do
        [ "$i" = "$1" ] || ip -n "${netns:?}$i" route "$2" blackhole "10.99.0.$1/32"
    done
}

# silence N add|del: whether node N finds the way to the others.
silence() {
    for i in $nodes; do
        [ "$i" = "$1" ] || ip -n "${netns:?}$1" route "$2" blackhole "10.99.0.$i/32"
    done
}

case ${1:-} in
needs) needs ;;
start) start && status ;;
stop) stop_all ;;
destroy) stop_all && rm -rf "${folder:?}" ;;
status) status ;;
settle) settle ;;
kill) kill -KILL "$(pid "$2")" ;;
shutdown) stop "$2" ;;
rejoin) configure "$2" && launch "$2" && synced "$2" ;;
pause) kill -STOP "$(pid "$2")" ;;
resume) kill -CONT "$(pid "$2")" ;;
part) silence "$2" add && deafen "$2" add ;;
deafen) deafen "$2" add ;;
heal)
    deafen "$2" del
    # It may only have been deaf.
    silence "$2" del 2>/dev/null || true
    ;;
cut) ip -n "${netns:?}0" link set "v$2" down ;;
plug) ip -n "${netns:?}0" link set "v$2" up ;;
net-up) net_up ;;
net-down) net_down ;;
sql) sql "$2" "$3" ;;
hosts) list host ;;
url) echo "mysql://app:app@$(host "$2")/app" ;;
*)
    sed -n '/^# /s/^# //p' "$0" >&2
    exit 2
    ;;
esac
