#!/bin/sh
# Installs what `make test` needs beside Rust, where it is missing and where root may do so.
# Debian's package names; elsewhere it says what to install and stops.
set -eu

# command:package
needed="cc:gcc curl:curl awk:mawk openssl:openssl fail2ban-regex:fail2ban nginx:nginx caddy:caddy
    chromium:chromium node:nodejs npm:npm"
# Without these the rest can be tried all the same.
wanted="mariadbd:mariadb-server"

PATH=$PATH:/usr/sbin
# The packages of those that are missing.
missing_of() {
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || printf ' %s' "${pair##*:}"
    done
}
# shellcheck disable=SC2086 # Lists of pairs.
lacking=$(missing_of $needed) spare=$(missing_of $wanted)
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
# What is installed for tests must not begin to serve by itself: Debian asks this whether it may.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update --quiet --quiet
# shellcheck disable=SC2086 # A list of package names.
apt-get install --yes --quiet --quiet --no-install-recommends $missing >/dev/null
