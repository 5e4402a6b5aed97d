#!/bin/sh
# Builds the program for a release, twice: OUTDIR/vestibule for hosts, against glibc 2.34 or newer, and
# OUTDIR/vestibule-static for the image, which needs nothing. One commit and one toolchain give the same bytes, in
# whatever folder it is built. build.sh OUTDIR
set -eu
mkdir -p "$1"
out=$(cd "$1" && pwd -P)
target=$(realpath -m "${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}/packages-build")
cd "$(dirname "$0")/../.."
# shellcheck source=contrib/packages/release.sh
. contrib/packages/release.sh

# What Debian 12, Ubuntu 22.04 and RHEL 9 have.
GLIBC=GLIBC_2.34
top=$(pwd -P)
cargo_home=$(realpath -m "${CARGO_HOME:-$HOME/.cargo}")
toolchain=$(rustc --print sysroot)
separator=$(printf '\037')

# The folders that hold the sources of crates: one for each registry, wherever Cargo keeps it.
source_folders() {
    cargo metadata --locked --format-version 1 | python3 -c '
import json, os, sys
manifests = [it["manifest_path"] for it in json.load(sys.stdin)["packages"] if it["source"]]
print("\n".join(sorted({os.path.dirname(os.path.dirname(it)) for it in manifests})))'
}

# rename FOLDER NAME: the binary says NAME where it would say FOLDER. Of two that match, the later one counts.
rename() {
    rustflags=${rustflags:+$rustflags$separator}--remap-path-prefix=$1=$2
    cflags="$cflags '-ffile-prefix-map=$1=$2'"
}
rename_folders() {
    rustflags='' cflags=''
    rename "$top" .
    rename "$toolchain/lib/rustlib/src/rust" "/rustc/$(rustc -vV | sed -n 's/^commit-hash: //p')"
    rename "$cargo_home" /cargo
    rename "$target" /target
    source_folders >"$target/sources"
    while IFS= read -r folder; do
        rename "$folder" /crates
    done <"$target/sources"
}

# build NAME FLAG… builds OUTDIR/NAME. Variables of the builder's that change a profile are heeded, such as
# CARGO_PROFILE_RELEASE_LTO, and flags are not: the flags are these.
build() {
    name=$1
    shift
    flags=$rustflags
    for flag in -Clink-arg=-Wl,--build-id=none "$@"; do
        flags=$flags$separator$flag
    done
    # Flags for $TARGET alone: what runs while it is built is never static.
    env CARGO_ENCODED_RUSTFLAGS="$flags" CFLAGS="$cflags" CC_SHELL_ESCAPED_FLAGS=1 CARGO_INCREMENTAL=0 \
        CARGO_TARGET_DIR="$target" cargo build --locked --release --bin vestibule --target "$TARGET"
    install -m 755 "$target/$TARGET/release/vestibule" "$out/$name"
    expect_version "$out/$name"
    for folder in "$top" "$cargo_home" "$target" "$toolchain" "$HOME"; do
        [ "$folder" = / ] || ! grep -aqF "$folder/" "$out/$name" ||
            refuse "$out/$name names the folder $folder of this machine: something reads its path, and build.sh has to rename it"
    done
}

# What a host has to have for the dynamic one.
expect_old_host() {
    wanted=$(readelf --wide --version-info "$1" | grep -o 'GLIBC_[A-Z0-9_.]*' | sort -V | tail -n 1)
    [ "$(printf '%s\n' "$wanted" "$GLIBC" | sort -V | tail -n 1)" = "$GLIBC" ] ||
        refuse "$1 wants $wanted, and hosts have $GLIBC: build it on an older system, such as Debian 12"
    strange=$(readelf --wide --dynamic "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p' |
        grep -vE '^(lib(c|m|gcc_s)\.so\.[0-9]+|ld-linux.*)$' || true)
    [ -z "$strange" ] || refuse "$1 wants libraries that hosts may lack: $strange"
}

expect_static() {
    ! readelf --wide --program-headers "$1" | grep -q INTERP || refuse "$1 is not static"
}

mkdir -p "$target"
rename_folders
build vestibule
expect_old_host "$out/vestibule"
# The system call for random numbers, always: without the dynamic loader they would come from /dev, which the image lacks.
build vestibule-static -Ctarget-feature=+crt-static '--cfg=getrandom_backend="linux_getrandom"' \
    -Clink-arg=-Wl,-z,pack-relative-relocs
expect_static "$out/vestibule-static"
