#!/bin/sh
# Installs what whole.sh needs beside what `make test` needs, where it is missing and where root may do so.
# No service of these runs by itself. tools.sh
set -eu
missing=
for pair in skopeo:skopeo umoci:umoci lintian:lintian mmdebstrap:mmdebstrap systemd-nspawn:systemd-container \
    readelf:binutils ip:iproute2 curl:curl python3:python3; do
    PATH=$PATH:/usr/sbin command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$missing python3-venv"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "tools: please install:$missing" >&2
    exit 1
fi
apt-get update --quiet --quiet
# shellcheck disable=SC2086 # A list of package names.
DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --quiet --no-install-recommends $missing >/dev/null
