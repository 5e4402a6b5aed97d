#!/bin/sh
# The Debian package: lintian, then minimal Debian 12 and 13 that are booted with systemd, in which it is installed,
# upgraded under load, removed and purged. As root; some four minutes, and two more the first time.
# deb.sh DEB [SUITE…]
set -eu
deb=$(realpath "$1")
shift
cd "$(dirname "$0")/../.."
project=$PWD
[ "$(id -u)" -eq 0 ] || { echo "deb.sh: run it as root: it makes and boots roots of Debian" >&2; exit 1; }
for tool in lintian:lintian mmdebstrap:mmdebstrap systemd-nspawn:systemd-container nsenter:util-linux curl:curl; do
    command -v "${tool%%:*}" >/dev/null || { echo "deb.sh: please install ${tool##*:}" >&2; exit 1; }
done

# The roots are made once.
cache=$(realpath -m "${CARGO_TARGET_DIR:-target}/packages-test")
work=$(mktemp -d)
machine=''
clean_up() {
    [ -z "$machine" ] || power_off
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=tests/packages/common.sh
. "$project/tests/packages/common.sh"

# A minimal Debian of this suite in $work/root.
make_root() {
    archive=$("$project/tests/packages/root.sh" "$1" "$cache" 2>"$work/log") || { cat "$work/log"; fail "no root of $1 can be made"; }
    mkdir "$work/root"
    tar --extract --file="$archive" --directory="$work/root"
}

# inside COMMAND… runs it in the machine, as root.
inside() { nsenter --target "$leader" --all env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }
as_user() { inside su vestibule -s /bin/sh -c "$1"; }
# browse OPTION… URL is curl in its network, with the status as the last line.
browse() {
    nsenter --target "$leader" --net curl --silent --show-error --max-time 30 --write-out '%{http_code}\n' "$@"
}

# until WHAT COMMAND… waits for it.
until_so() {
    what=$1 tries=0
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || fail "$what"
        sleep 0.1
    done
}

boot() {
    # Also where the machine itself still has control groups of version 1.
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 systemd-nspawn --quiet --register=no --keep-unit --private-network \
        --directory="$work/root" --machine=vestibule-test --boot --console=read-only >"$work/console" 2>&1 </dev/null &
    machine=$!
    until_so 'the machine does not boot' find_leader
    until_so 'the machine does not come up' inside systemctl is-active --quiet multi-user.target
}
find_leader() { leader=$(pgrep --parent "$machine") && [ -n "$leader" ]; }
power_off() {
    # Nothing in it is needed any more: its first process takes all others along.
    kill -KILL "$leader" 2>/dev/null || kill "$machine" 2>/dev/null || true
    wait "$machine" || true
    machine=''
}

# repack REVISION makes $work/REVISION.deb of the package, after what standard input does to the folder it is in.
repack() {
    dpkg-deb --raw-extract "$deb" "$work/raw"
    (cd "$work/raw" && sed -i "s/^Version: .*/&+$1/" DEBIAN/control && sh -eu -s)
    dpkg-deb --root-owner-group -Znone --build "$work/raw" "$work/$1.deb" >/dev/null
    rm -rf "$work/raw"
}

# install_package FILE installs or upgrades; what is said is in $work/said.
install_package() {
    cp "$1" "$work/root/root/vestibule.deb"
    inside apt-get install --yes --allow-downgrades -o Dpkg::Options::=--force-confold /root/vestibule.deb >"$work/said" 2>&1 || { cat "$work/said"; fail "$1 cannot be installed"; }
}

signs_up() {
    [ "$(browse --data "username=$1" --data 'password=correct horse' http://127.0.0.1:8080/signup | tail -n 1)" = 302 ] ||
        fail "$1 cannot sign up"
}
signs_in() {
    status=$(browse --data "username=$1" --data 'password=correct horse' http://127.0.0.1:8080/login | tail -n 1)
    [ "$status" = 302 ] || fail "$1 cannot sign in $2: $status"
}
answers() { browse http://127.0.0.1:8080/healthz | grep -q 200; }
main_process() { inside systemctl show --property=MainPID --value vestibule.service; }
is_active() { inside systemctl is-active --quiet vestibule.service; }

installs() {
    install_package "$deb"
    inside getent passwd vestibule | grep -q ':/var/lib/vestibule:.*nologin$' || fail 'the user vestibule is not there'
    inside stat -c '%a %U:%G' /etc/vestibule/settings /var/lib/vestibule | tr '\n' ' ' >"$work/modes"
    grep -q '^640 root:vestibule 700 vestibule:vestibule ' "$work/modes" || fail "wrong modes: $(cat "$work/modes")"
    ! is_active || fail 'installing it starts it'
    ! inside systemctl is-enabled --quiet vestibule.service vestibule.socket || fail 'installing it enables it'
    as_user 'vestibule --version' | grep -q '^vestibule ' || fail 'the program does not run as its user'
    inside systemd-analyze verify --man=no vestibule.service vestibule.socket >"$work/said" 2>&1 || { cat "$work/said"; fail 'the units are wrong'; }
    [ ! -s "$work/said" ] || { cat "$work/said"; fail 'systemd complains of the units'; }
    inside systemd-analyze security --offline=yes --threshold=20 --no-pager /usr/lib/systemd/system/vestibule.service >"$work/said" ||
        { tail -n 3 "$work/said"; fail 'the unit may do too much'; }
    ok "$suite: installing it makes the user, starts nothing, and $(tail -n 1 "$work/said" | grep -o 'exposure level.*[0-9.]* [A-Z]*')"
}

serves_in_the_foreground() {
    as_user 'set -a; . /etc/vestibule/settings; echo $$ >/var/tmp/server; exec vestibule serve' >"$work/serve.log" 2>&1 &
    until_so 'it does not serve in the foreground' answers
    signs_up anna
    inside sh -c 'kill "$(cat /var/tmp/server)"'
    wait $! || true
    as_user 'vestibule user list' | grep -q anna || fail 'the command for users does not find anna'
    ok "$suite: it serves in the foreground, and commands find who signed up"
}

serves_as_a_unit() {
    inside sed -i 's/^#\(VESTIBULE_SIGNUP=\).*/\1closed/' /etc/vestibule/settings
    inside systemctl enable --quiet --now vestibule.service || { inside journalctl --no-pager --unit=vestibule; fail 'it does not start'; }
    answers || fail 'the unit does not serve'
    signs_in anna 'by the unit'
    [ "$(browse --data username=bert --data 'password=correct horse' http://127.0.0.1:8080/signup | tail -n 1)" != 302 ] || fail 'the unit has other settings'
    ok "$suite: enabled, it serves with the settings of the file, and the accounts of before"
}

mails_by_a_command() {
    cat >>"$work/root/etc/vestibule/settings" <<'EOF'
VESTIBULE_ORIGIN=https://auth.example.com
VESTIBULE_MAIL_COMMAND='/usr/bin/tee /var/lib/vestibule/mail'
VESTIBULE_MAIL_FROM=no-reply@example.com
EOF
    inside systemctl restart vestibule.service
    as_user 'vestibule user email anna anna@example.com && vestibule user reset-link anna --mail' >"$work/said" 2>&1 ||
        { cat "$work/said"; fail 'a link cannot be mailed'; }
    until_so 'the unit lets no program mail' inside grep -q anna@example.com /var/lib/vestibule/mail
    ok "$suite: within its limits, the unit hands mail to a program"
}

# How often the server has started, as the journal has it.
starts() { inside journalctl --no-pager --unit=vestibule.service | grep -c 'ev=start'; }

upgrades_a_running_server() {
    before=$(main_process) starts=$(starts)
    install_package "$work/second.deb"
    [ "$(main_process)" != "$before" ] || { cat "$work/said"; fail 'an upgrade does not restart it'; }
    is_active || fail 'an upgrade ends it'
    signs_in anna 'after an upgrade'
    inside grep -q '^VESTIBULE_SIGNUP=closed' /etc/vestibule/settings || fail 'an upgrade loses the settings'
    [ "$(starts)" = $((starts + 1)) ] || fail 'the journal does not show the restart'
    ok "$suite: an upgrade restarts the running server and keeps the edited settings"
}

loses_nothing_with_a_socket() {
    inside systemctl stop vestibule.service
    inside systemctl enable --quiet --now vestibule.socket
    signs_in anna 'by the socket'
    before=$(main_process)
    nsenter --target "$leader" --net tests/packages/ask.py 127.0.0.1:8080 10000 >"$work/asked" 2>&1 &
    asking=$!
    install_package "$deb"
    install_package "$work/second.deb"
    [ "$(main_process)" != "$before" ] || fail 'an upgrade does not restart it behind the socket'
    wait "$asking" || { cat "$work/asked"; fail 'an upgrade loses requests'; }
    ok "$suite: two upgrades under load behind the socket: $(cat "$work/asked")"
}

is_not_replaced_by_a_program_that_cannot_serve() {
    before=$(main_process)
    install_package "$work/refusing.deb"
    grep -q 'NOT restarted' "$work/said" || { cat "$work/said"; fail 'it is not said that the new version cannot serve'; }
    [ "$(main_process)" = "$before" ] || fail 'the server was replaced by a version that cannot serve'
    signs_in anna 'while the new version cannot serve'
    inside journalctl --no-pager --unit=vestibule-check | grep -q 'cannot read this' || fail 'the journal does not say why'
    install_package "$work/second.deb"
    ok "$suite: the running server stays where the new version says that it cannot use the database"
}

is_removed_and_purged() {
    inside apt-get remove --yes vestibule >"$work/said" 2>&1 || { cat "$work/said"; fail 'it cannot be removed'; }
    ! is_active || fail 'removing it leaves it running'
    ! inside systemctl is-active --quiet vestibule.socket || fail 'removing it leaves its socket open'
    inside grep -q SIGNUP=closed /etc/vestibule/settings || fail 'removing it takes the settings'
    inside apt-get purge --yes vestibule >"$work/said" 2>&1 || { cat "$work/said"; fail 'it cannot be purged'; }
    grep -q '/var/lib/vestibule is kept' "$work/said" || { cat "$work/said"; fail 'purging does not say where the accounts are'; }
    left=$(inside find /etc /usr /var/lib/systemd -path '*vestibule*')
    [ -z "$left" ] || fail "purging leaves $left"
    install_package "$deb"
    ! is_active || fail 'installing it again starts it'
    inside systemctl start vestibule.service
    signs_in anna 'after it was purged and installed again'
    ok "$suite: removed, it stops; purged, it keeps the accounts, and says where; installed again, they are there"
}

adopts_the_folder_of_the_other_unit() {
    inside apt-get purge --yes vestibule >/dev/null 2>&1
    inside sh -c 'userdel vestibule; rm -rf /var/lib/vestibule'
    dpkg-deb --fsys-tarfile "$deb" | tar --extract --to-stdout ./usr/bin/vestibule >"$work/root/usr/local/bin/vestibule"
    chmod 755 "$work/root/usr/local/bin/vestibule"
    sed '/ORIGIN/d' contrib/vestibule.service >"$work/root/etc/systemd/system/vestibule.service"
    inside systemctl daemon-reload
    inside systemctl start vestibule.service
    signs_up clara
    inside systemctl stop vestibule.service
    inside test -d /var/lib/private/vestibule || fail 'the unit of contrib/ keeps its database elsewhere'
    rm "$work/root/etc/systemd/system/vestibule.service" "$work/root/usr/local/bin/vestibule"
    install_package "$deb"
    [ "$(inside stat -c %U:%F /var/lib/vestibule /var/lib/vestibule/vestibule.db | sort -u | tr '\n' ' ')" = 'vestibule:directory vestibule:regular file ' ] ||
        fail 'the folder of the other unit is not the user'"'"'s'
    as_user 'vestibule user list --database /var/lib/vestibule/vestibule.db' | grep -q clara || fail 'the accounts of the other unit are lost'
    inside systemctl start vestibule.service
    signs_in clara 'after the change of units'
    ok "$suite: the accounts of the unit in contrib/ are taken over"
}

try_on() {
    suite=$1
    make_root "$suite"
    boot
    installs
    serves_in_the_foreground
    serves_as_a_unit
    mails_by_a_command
    upgrades_a_running_server
    loses_nothing_with_a_socket
    is_not_replaced_by_a_program_that_cannot_serve
    is_removed_and_purged
    adopts_the_folder_of_the_other_unit
    power_off
    rm -rf "$work/root"
}

lintian --allow-root --fail-on error,warning "$deb" || fail 'lintian complains'
ok 'lintian finds nothing'
repack second <<'EOF'
echo '# A line that the next version has.' >>etc/vestibule/settings
EOF
repack refusing <<'EOF'
mv usr/bin/vestibule usr/bin/vestibule.real
printf '#!/bin/sh\n[ "$1" != check ] || { echo "cannot read this" >&2; exit 1; }\nexec /usr/bin/vestibule.real "$@"\n' >usr/bin/vestibule
chmod 755 usr/bin/vestibule
EOF
[ $# -gt 0 ] || set -- bookworm trixie
for suite in "$@"; do
    try_on "$suite"
done
