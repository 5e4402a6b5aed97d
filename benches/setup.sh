#!/bin/sh
# Installs what the benchmarks need and a bare Debian with Rust and Node lacks, and builds the peers,
# outside the source tree. setup.sh FOLDER
set -eu
folder=$(realpath -m "$1")
cd "$(dirname "$0")"

needed=""
command -v wrk >/dev/null || needed="$needed wrk"
command -v valgrind >/dev/null || needed="$needed valgrind"
if [ -n "$needed" ]; then
    [ "$(id -u)" = 0 ] || { echo "Please install:$needed"; exit 1; }
    # shellcheck disable=SC2086 # A list of packages.
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $needed
fi
command -v npm >/dev/null || { echo "Please install Node 20 with npm"; exit 1; }

mkdir -p "$folder/guide"
if ! cmp -s peers/guide/package-lock.json "$folder/guide/installed.json"; then
    cp peers/guide/package.json peers/guide/package-lock.json peers/guide/.npmrc "$folder/guide/"
    # better-sqlite3 is compiled here, with the headers that Node brings along.
    nodedir=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
    (cd "$folder/guide" && npm ci --no-audit --no-fund --nodedir="$nodedir")
    cp peers/guide/package-lock.json "$folder/guide/installed.json"
fi
cp peers/guide/app.js "$folder/guide/"

# With SQLite as it comes, and not as .cargo/config.toml has it for ours.
CARGO_TARGET_DIR="$folder/axum-login" LIBSQLITE3_FLAGS='' \
    cargo build --release --locked --quiet --manifest-path peers/axum-login/Cargo.toml
