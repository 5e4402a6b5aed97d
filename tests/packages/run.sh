#!/bin/sh
# The packages of one binary, made twice: the same bytes, with what they must hold, and refused where they must be.
# Some half a minute, in `make test`. What takes minutes is in whole.sh. run.sh BINARY
set -eu
binary=$(realpath "$1")
cd "$(dirname "$0")/../.."
project=$PWD
here=$project/tests/packages

work=$(mktemp -d)
server=
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=tests/packages/common.sh
. "$here/common.sh"

# What is packed is as small as it can be, and the image's is a stand-in: release builds are whole.sh's.
strip -o "$work/vestibule" "$binary"
version=$("$binary" --version)
printf '#include <stdio.h>\nint main(void) { puts("%s"); return 0; }\n' "$version" >"$work/static.c"
cc -static -Os -s -o "$work/static" "$work/static.c"
version=${version#* }

# make_packages CLONE OUTDIR
make_packages() (
    cd "$1"
    contrib/packages/tarball.sh "$work/vestibule" "$2"
    contrib/packages/image.sh "$work/static" "$2"
    [ ! -e contrib/packages/deb.sh ] || contrib/packages/deb.sh "$work/vestibule" "$2"
    contrib/packages/documents.sh "$work/vestibule" "$2/documents"
)
one=$work/one
two="$work/another folder, with a longer name"
commit_of "$project" "$one"
git clone --quiet "$one" "$two"
(umask 022 && make_packages "$one" "$work/out-1")
(umask 077 && export TZ=Pacific/Auckland LC_ALL=de_DE.UTF-8 GZIP=-1 VESTIBULE_ORIGIN=https://builder.example \
    && make_packages "$two" "$work/out-2") 2>"$work/two.log" || { cat "$work/two.log"; fail 'the second time fails'; }
diff --recursive "$work/out-1" "$work/out-2" >"$work/differences" || { cat "$work/differences"; fail 'packages made twice differ'; }
ok "packages made twice in other folders, with another umask, time zone and language are the same: $(find "$work/out-1" -maxdepth 1 -type f | wc -l)"
[ -z "$(git -C "$one" status --porcelain --ignored)" ] || fail 'making packages leaves files in the project'

cd "$one"
python3 "$here/bill.py" "$work/out-1/documents" || exit 1

# The tarball, in an empty folder, as in README's first minute.
mkdir "$work/empty"
cd "$work/empty"
tar --extract --file="$work/out-1/vestibule-$version-x86_64-linux-gnu.tar.gz"
cd "vestibule-$version-x86_64-linux-gnu"
for file in vestibule README.md LICENSE THIRD-PARTY CHANGELOG.md sbom.cdx.json man/vestibule.1 man/vestibule-serve.1 \
    completions/vestibule.bash completions/vestibule.zsh completions/vestibule.fish \
    contrib/vestibule.service contrib/vestibule.socket contrib/fail2ban/filter.conf docs/operating.md; do
    [ -s "$file" ] || fail "the tarball has no $file"
done
for link in $(sed -n 's/.*](\([a-zA-Z.\/-]*\.\(md\|sql\)\).*/\1/p' README.md); do
    [ -e "$link" ] || fail "README names $link, which is not in the tarball"
done
start "$work/log" ./vestibule serve --listen 127.0.0.1:0
sign_up "$url"
stop
[ -s vestibule.db ] || fail 'the database is not in the current folder'
ok 'the tarball, unpacked in an empty folder, serves, and a visitor signs up'

# refuses WHAT SENTENCE COMMAND…
refuses() {
    what=$1 sentence=$2
    shift 2
    ! "$@" "$work/refused" >"$work/refusal" 2>&1 || fail "$what is not refused by $1"
    grep -q "$sentence" "$work/refusal" || { cat "$work/refusal"; fail "$1 does not say why it refuses $what"; }
    [ -z "$(ls "$work/refused" 2>/dev/null)" ] || fail "$1 refuses $what and leaves files"
}
cd "$one/contrib/packages"
all_refuse() {
    refuses "$1" "$2" ./tarball.sh "$work/vestibule"
    refuses "$1" "$2" ./image.sh "$work/static"
    refuses "$1" "$2" ./build.sh
    [ ! -e deb.sh ] || refuses "$1" "$2" ./deb.sh "$work/vestibule"
    ok "no package is made of $1"
}
touch "$one/src/not-committed.rs"
all_refuse 'a folder with a file that is not committed' 'not committed'
rm "$one/src/not-committed.rs"
echo >>"$one/README.md"
all_refuse 'a folder with a change that is not committed' 'not committed'
git -C "$one" checkout --quiet README.md
refuses 'a binary that wants libraries' 'vestibule-static' ./image.sh "$work/vestibule"
sed -i "s/^version = \"$version\"/version = \"9.9.9\"/" "$one/Cargo.toml" "$one/Cargo.lock"
git -C "$one" add --all
record "$one" 'a version that is not described'
all_refuse 'a version that CHANGELOG does not know' "no section '## 9.9.9'"
sed -i "s/^## $version/## 9.9.9/" "$one/CHANGELOG.md"
git -C "$one" add --all
record "$one" 'a version that is described'
refuses 'a binary of another version' 'build it anew' ./tarball.sh "$work/vestibule"
rm -rf "$one/.git"
all_refuse 'a folder without a repository' 'no clone of the repository'

cd "$project"
"$here/image.sh" "$work/out-1/vestibule-$version-linux-amd64.oci.tar" "$version"
