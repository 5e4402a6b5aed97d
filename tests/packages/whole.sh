#!/bin/sh
# The packages of a release, built as for one, and used on bare systems: `make test-packages`. As root on Debian.
#
# Builds, roots of Debian and Python's packages stay in a folder that is kept between runs ($PACKAGES, target/packages-test).
# What cannot be had is said aloud. whole.sh
set -eu
cd "$(dirname "$0")/../.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
here=$PWD/tests/packages
kept=${PACKAGES:-$target/packages-test}
mkdir -p "$kept"
kept=$(cd "$kept" && pwd)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=tests/packages/common.sh
. "$here/common.sh"

"$here/tools.sh"
# The files as they are, whether they are committed or not. The folder has the same path at each run, for Cargo's sake.
rm -rf "$kept/clone" "$kept/packages"
commit_of "$PWD" "$kept/clone"
cd "$kept/clone"
CARGO_TARGET_DIR=$target contrib/packages/packages.sh "$kept/packages"
binaries=$target/packages-build/binaries
(cd "$kept/packages" && sha256sum --check --quiet SHA256SUMS && [ "$(wc -l <SHA256SUMS)" = "$(ls | grep -vc SHA256SUMS)" ]) ||
    fail 'SHA256SUMS is not over all files'
ok "make packages: $(ls "$kept/packages" | wc -l) files, named by SHA256SUMS"

"$here/image.sh" "$kept"/packages/*.oci.tar "$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)"
if [ "$(id -u)" -eq 0 ]; then
    trixie=$("$here/root.sh" trixie "$kept/roots")
    unshare --net "$here/isolated.sh" "$kept"/packages/*.oci.tar "$binaries/vestibule-static" "$trixie"
    [ ! -e "$here/deb.sh" ] || "$here/deb.sh" "$kept"/packages/*.deb
else
    echo 'NOT TRIED: the image and the .deb on bare systems, which needs root'
fi

# The bills of materials, against the schema of CycloneDX.
"$here/schema.sh" "$kept" "$kept"/packages/*.cdx.json

# What `cargo install vestibule` would get. Its default target folder would be inside the package.
cargo package --locked --no-verify --quiet --target-dir "$work/package"
tar --extract --gzip --directory="$work" --file "$work"/package/package/vestibule-*.crate
cd "$work"/vestibule-*
CARGO_TARGET_DIR=$work/built CARGO_PROFILE_DEV_DEBUG=false cargo build --locked --quiet
start "$work/log" "$work/built/debug/vestibule" serve --listen 127.0.0.1:0 --database "$work/vestibule.db"
sign_up "$url"
stop
ok "cargo package: $(find . -type f | wc -l) files, which build in an empty folder; the program serves"
