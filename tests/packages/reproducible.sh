#!/bin/sh
# Makes the packages of the last commit twice, in clones with paths of different length, with target folders and Cargo homes
# of their own, and compares each byte: `make test-reproducible`. Some ten minutes on two quiet cores.
# What is built first stays in a folder that is kept ($PACKAGES, target/packages-test), as that of whole.sh. reproducible.sh
set -eu
cd "$(dirname "$0")/../.."
here=$PWD/tests/packages
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
kept=${PACKAGES:-$target/packages-test}
cargo_home=${CARGO_HOME:-$HOME/.cargo}
mkdir -p "$kept"
kept=$(cd "$kept" && pwd)

work=$kept/in-another-folder-with-a-longer-name
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=tests/packages/common.sh
. "$here/common.sh"

# another_cargo_home FOLDER has the crates that this one has, and the registry from which it has them, but no sources yet.
another_cargo_home() {
    mkdir -p "$1/registry"
    for part in config.toml registry/cache registry/index; do
        [ ! -e "$cargo_home/$part" ] || cp -R "$cargo_home/$part" "$1/$part"
    done
}

rm -rf "$work" "$kept/clone" "$kept/packages"
mkdir "$work"
commit_of "$PWD" "$kept/clone"
git clone --quiet "$kept/clone" "$work/the-clone"
another_cargo_home "$work/the-home-of-cargo"
(cd "$kept/clone" && CARGO_TARGET_DIR=$target contrib/packages/packages.sh "$kept/packages")
(cd "$work/the-clone" && umask 077 &&
    CARGO_TARGET_DIR=$work/the-target CARGO_HOME=$work/the-home-of-cargo TZ=Pacific/Auckland LC_ALL=de_DE.UTF-8 \
        contrib/packages/packages.sh "$work/packages")
diff --recursive "$kept/packages" "$work/packages" || fail 'the packages differ'
cat "$kept/packages/SHA256SUMS"
ok "$(wc -l <"$kept/packages/SHA256SUMS") files are the same bytes, made in two folders, with two homes of Cargo"
