#!/bin/sh
# Packs the program for Debian and its derivatives: OUTDIR/vestibule_VERSION-1_ARCH.deb. It holds the same bytes whenever
# it is made from one commit and one binary. What it does when it is installed, upgraded and removed is in debian/.
# deb.sh BINARY OUTDIR
set -eu
binary=$(realpath "$1")
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."
# shellcheck source=contrib/packages/release.sh
. contrib/packages/release.sh

debian=contrib/packages/debian
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
root=$work/root
share=$root/usr/share
documents=$share/doc/vestibule
# Those who made the commit made the package.
maintainer=$(git log -1 --format='%aN <%aE>')

# put MODE FILE PATH
put() { install -D -m "$1" "$2" "$root/$3"; }
# zip FILE PATH puts it there compressed.
zip() {
    mkdir -p "$(dirname "$root/$2")"
    gzip -9n <"$1" >"$root/$2.gz"
}

put_program() {
    put 755 "$binary" usr/bin/vestibule
    put 640 $debian/settings etc/vestibule/settings
    put 644 $debian/sysusers.conf usr/lib/sysusers.d/vestibule.conf
    put 644 contrib/vestibule.socket usr/lib/systemd/system/vestibule.socket
    sed -f $debian/unit.sed contrib/vestibule.service >"$root/usr/lib/systemd/system/vestibule.service"
}

put_documents() {
    contrib/packages/documents.sh "$binary" "$work"
    for page in "$work"/man/*.1; do
        zip "$page" "usr/share/man/man1/${page##*/}"
    done
    put 644 "$work/completions/vestibule.bash" usr/share/bash-completion/completions/vestibule
    put 644 "$work/completions/vestibule.zsh" usr/share/zsh/vendor-completions/_vestibule
    put 644 "$work/completions/vestibule.fish" usr/share/fish/vendor_completions.d/vestibule.fish
    for file in sbom.cdx.json THIRD-PARTY; do
        zip "$work/$file" "usr/share/doc/vestibule/$file"
    done
    zip README.md usr/share/doc/vestibule/README.md
    zip CHANGELOG.md usr/share/doc/vestibule/changelog
    printf 'vestibule (%s-1) unstable; urgency=medium\n\n  * Version %s: see changelog.gz.\n\n -- %s  %s\n' "$VERSION" \
        "$VERSION" "$maintainer" "$(date -d "@$SOURCE_DATE_EPOCH" -R)" >"$work/changelog"
    zip "$work/changelog" usr/share/doc/vestibule/changelog.Debian
    for file in contrib/fail2ban/*; do
        put 644 "$file" "usr/share/doc/vestibule/examples/fail2ban/${file##*/}"
    done
    sed -n '/^MIT License$/,/^---/{/^---/!p}' LICENSE | sed '1,4d; s/^$/./; s/^/ /' | sed '$d' >"$work/mit"
    sed "/^@MIT@$/{r $work/mit
        d}; s/@YEAR@/$(date -d "@$SOURCE_DATE_EPOCH" +%Y)/" $debian/copyright >"$documents/copyright"
    put 644 $debian/lintian-overrides usr/share/lintian/overrides/vestibule
}

# What dpkg wants to know of the package, and its scripts.
put_control() {
    kib=$(find "$root" -printf '%y %s\n' | awk '{ kib += $1 == "f" ? int(($2 + 1023) / 1024) : 1 } END { print kib }')
    mkdir "$root/DEBIAN"
    sed "s|@VERSION@|$VERSION-1|; s|@ARCH@|$ARCH|; s|@MAINTAINER@|$maintainer|; s|@KIB@|$kib|" $debian/control >"$root/DEBIAN/control"
    echo /etc/vestibule/settings >"$root/DEBIAN/conffiles"
    (cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
    for script in postinst prerm postrm; do
        put 755 "$debian/$script" "DEBIAN/$script"
    done
}

expect_version "$binary"
put_program
put_documents
put_control
chmod -R u=rwX,go=rX "$root"
chmod 640 "$root/etc/vestibule/settings"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --build "$root" "$out/vestibule_$VERSION-1_$ARCH.deb" >/dev/null
