#!/bin/sh
# `make packages`: builds the program and puts everything that a release consists of into FOLDER, with SHA256SUMS over it.
# What was in FOLDER is deleted. packages.sh [FOLDER, target/packages]
set -eu
target=$(realpath -m "${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}")
out=$(realpath -m "${1:-$target/packages}")
cd "$(dirname "$0")/../.."
# shellcheck source=contrib/packages/release.sh
. contrib/packages/release.sh

binaries=$target/packages-build/binaries
contrib/packages/build.sh "$binaries"
rm -rf "$out"
mkdir -p "$out"
contrib/packages/tarball.sh "$binaries/vestibule" "$out"
[ ! -e contrib/packages/deb.sh ] || contrib/packages/deb.sh "$binaries/vestibule" "$out"
contrib/packages/image.sh "$binaries/vestibule-static" "$out"
# Beside the packages as well, for who looks for faults without unpacking them.
python3 contrib/packages/sbom.py >"$out/vestibule-$VERSION-$MACHINE-linux-gnu.cdx.json"
python3 contrib/packages/sbom.py --static >"$out/vestibule-$VERSION-linux-$ARCH.oci.cdx.json"
python3 contrib/packages/third-party.py --static >"$out/THIRD-PARTY"
cd "$out"
sha256sum -- * >"$binaries/SHA256SUMS"
mv "$binaries/SHA256SUMS" .
ls -l
