#!/bin/sh
# Packs the program for hosts: OUTDIR/vestibule-VERSION-MACHINE-linux-gnu.tar.gz. It holds the same bytes whenever it is
# made from one commit and one binary.
# tarball.sh BINARY OUTDIR
set -eu
binary=$(realpath "$1")
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."
# shellcheck source=contrib/packages/release.sh
. contrib/packages/release.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

name=vestibule-$VERSION-$MACHINE-linux-gnu
folder=$work/$name
mkdir "$folder"
install -m 755 "$binary" "$folder/vestibule"
contrib/packages/documents.sh "$binary" "$folder"
# What README links to is there; how packages are made is not.
git archive --format=tar HEAD README.md LICENSE CHANGELOG.md CONTRIBUTING.md SECURITY.md schema.sql docs contrib |
    tar --extract --directory="$folder" --exclude=contrib/packages
chmod -R u=rwX,go=rX "$folder"
archive --create --owner=0 --group=0 --directory="$work" "$name" | gzip -9n >"$out/$name.tar.gz"
