#!/bin/sh
# Installs what `make test` needs beside Rust, where it is missing and where root may do so.
# setup.sh [COMMAND:PACKAGE…]: more that a longer check needs.
# Debian's package names; elsewhere it says what to install and stops.
# No service that is installed here runs, now or after the next boot.
set -eu

# command:package
needed="cc:gcc curl:curl awk:mawk openssl:openssl fail2ban-regex:fail2ban nginx:nginx caddy:caddy
    chromium:chromium node:nodejs npm:npm oathtool:oathtool zbarimg:zbar-tools python3:python3 valgrind:valgrind"
# Without these the rest can be tried all the same.
wanted="mariadbd:mariadb-server haproxy:haproxy apache2:apache2 apache2:lua-socket
    skopeo:skopeo umoci:umoci promtool:prometheus
    lintian:lintian mmdebstrap:mmdebstrap systemd-nspawn:systemd-container"

# The test of this script has a root of its own.
root=${SETUP_ROOT:-}
PATH=$PATH:$root/usr/sbin
# The packages of those that are missing.
missing_of() {
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || printf ' %s' "${pair##*:}"
    done
}
# shellcheck disable=SC2086 # Lists of pairs.
lacking=$(missing_of $needed "$@") spare=$(missing_of $wanted)
missing=$lacking$spare
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    [ -z "$spare" ] || echo "setup: without$spare not everything is tried" >&2
    [ -n "$lacking" ] || exit 0
    echo "setup: please install:$lacking" >&2
    exit 1
fi
echo "setup: installing$missing"
export DEBIAN_FRONTEND=noninteractive
policy=$root/usr/sbin/policy-rc.d
work=$(mktemp -d)

# What starts by itself at the next boot, a link a line: units that some target wants, with their
# aliases, and scripts of the runlevels. A link to /dev/null masks a unit instead.
enabled() {
    find "$root/etc/systemd" -type l ! -lname /dev/null 2>/dev/null || :
    find "$root"/etc/rc[2345S].d -name 'S[0-9][0-9]*' 2>/dev/null || :
}

# Disables what was not enabled before, in the way of `systemctl disable` and `update-rc.d disable`:
# upgrades of the packages respect that.
disable_new() {
    enabled | sort >"$work/after"
    comm -13 "$work/before" "$work/after" | while read -r link; do
        case $link in
            "$root"/etc/systemd/*) rm -f "$link" ;;
            *) mv "$link" "${link%/S*}/K${link##*/S}" ;;
        esac
    done
}

finish() {
    disable_new
    [ ! -e "$work/policy" ] || rm -f "$policy"
    rm -rf "$work"
}
enabled | sort >"$work/before"
trap finish EXIT
trap 'exit 1' INT TERM HUP

# What is installed for tests must not begin to serve by itself: Debian asks this whether it may.
if [ ! -e "$policy" ]; then
    : >"$work/policy"
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
apt-get update --quiet --quiet
# shellcheck disable=SC2086 # A list of package names.
apt-get install --yes --quiet --quiet --no-install-recommends $missing >/dev/null
