# What a release says of itself, for the scripts in this folder, which source it at the top of the project:
# VERSION, REVISION (the commit), SOURCE_DATE_EPOCH (its time), TARGET (as Rust names it), MACHINE (x86_64),
# ARCH (amd64, as Debian and OCI name it). It ends the script where no release can be made from this folder.
# shellcheck shell=sh

# Nothing of the builder shows in what is made.
umask 022
export LC_ALL=C TZ=UTC0
unset GZIP TAR_OPTIONS XZ_OPT XZ_DEFAULTS BLOCK_SIZE

# refuse SENTENCE
refuse() {
    echo "packages: $1" >&2
    exit 1
}

top=$(git rev-parse --show-toplevel 2>&1) || refuse "$PWD is no clone of the repository ($top): packages are made from a commit"
[ "$top" = "$(pwd -P)" ] || refuse "$PWD is no clone of the repository, but lies in $top: packages are made from a commit"
[ -z "$(git status --porcelain --untracked-files=normal)" ] ||
    refuse "there are changes that are not committed: commit them, or make the packages in a clean clone (git status names them)"

VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
grep -qE "^## \[?$(echo "$VERSION" | sed 's/[.+]/\\&/g')\]?( |\$)" CHANGELOG.md ||
    refuse "CHANGELOG.md has no section '## $VERSION', which is the version in Cargo.toml: write it first"
REVISION=$(git rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
TARGET=$(rustc -vV | sed -n 's/^host: //p')
MACHINE=${TARGET%%-*}
case $MACHINE in
    x86_64) ARCH=amd64 ;;
    aarch64) ARCH=arm64 ;;
    *) ARCH=$MACHINE ;;
esac
export VERSION REVISION SOURCE_DATE_EPOCH TARGET MACHINE ARCH

# archive OPTION… FILE… is tar, without what depends on when, where and by whom it is run.
archive() {
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --numeric-owner --format=posix \
        --pax-option='exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime' "$@"
}

# expect_version BINARY: it has to be of this version.
expect_version() {
    told=$(env -i "$1" --version) || refuse "$1 does not run on this machine"
    [ "$told" = "vestibule $VERSION" ] || refuse "$1 is '$told', and Cargo.toml says $VERSION: build it anew"
}
