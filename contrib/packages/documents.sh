#!/bin/sh
# Writes what every package carries beside the program: FOLDER/man/*.1 and FOLDER/completions/vestibule.{bash,zsh,fish},
# as BINARY prints them, FOLDER/sbom.cdx.json and FOLDER/THIRD-PARTY.
# documents.sh BINARY FOLDER
set -eu
binary=$(realpath "$1")
mkdir -p "$2"
folder=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."
# shellcheck source=contrib/packages/release.sh
. contrib/packages/release.sh

expect_version "$binary"
mkdir -p "$folder/man" "$folder/completions"
# No setting of the builder's reaches the program.
env -i "$binary" manual "$folder/man" >/dev/null
for shell in bash zsh fish; do
    env -i "$binary" completions "$shell" >"$folder/completions/vestibule.$shell"
done
python3 contrib/packages/sbom.py >"$folder/sbom.cdx.json"
python3 contrib/packages/third-party.py >"$folder/THIRD-PARTY"
