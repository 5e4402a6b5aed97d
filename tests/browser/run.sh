#!/bin/sh
# Looks at the pages with headless Chromium, at the root of their hosts and below a path; pictures of all of
# them go to browser/pictures in the folder of what is built, beside the modules that are needed.
# run.sh BINARY [PART OF A CHECK'S NAME]
# run.sh BINARY --documents     takes the pictures in docs/pages anew
set -eu
BINARY=$(realpath "$1")
shift
cd "$(dirname "$0")"
out=${CARGO_TARGET_DIR:-$PWD/../../target}/browser
mkdir -p "$out"

node --eval "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)" || { echo "FAIL  Node 20 or newer is needed"; exit 1; }

# The modules lie outside the source tree, in the very versions that the lock file names.
if ! cmp -s package-lock.json "$out/installed.json"; then
    cp package.json package-lock.json .npmrc "$out/"
    npm ci --silent --prefix "$out"
    cp package-lock.json "$out/installed.json"
fi

rm -rf "$out/pictures"
export BINARY BROWSER_MODULES="$out" PICTURES="$out/pictures"
if [ "${1:-}" = --documents ]; then
    exec node pictures.mjs ../../docs/pages
fi
node run.mjs "$@"
PREFIX=/auth node run.mjs "$@"
