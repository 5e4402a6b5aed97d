#!/bin/sh
# Installs what `make test` needs beside Rust, where it is missing and where root may do so.
# Debian's package names; elsewhere it says what to install and stops.
set -eu

# command:package
needed="cc:gcc curl:curl awk:mawk openssl:openssl fail2ban-regex:fail2ban nginx:nginx caddy:caddy
    chromium:chromium node:nodejs npm:npm"

missing=""
PATH=$PATH:/usr/sbin
for pair in $needed; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: please install:$missing" >&2
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
