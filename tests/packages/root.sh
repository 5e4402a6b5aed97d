#!/bin/sh
# Makes a minimal Debian with systemd, as an archive that is kept, and prints its path. It is taken from where this
# machine's apt takes its own packages. root.sh SUITE FOLDER
set -eu
suite=$1
mkdir -p "$2"
archive=$(cd "$2" && pwd)/$suite.tar

if [ ! -s "$archive" ]; then
    . /etc/os-release
    # The archive of this machine's own suite has the others beside it; those of updates and of security do not matter here.
    source=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' |
        awk -v suite="$VERSION_CODENAME" '$1 == suite { print $2; exit }')
    [ -n "$source" ] || { echo "root.sh: apt has no source for $VERSION_CODENAME: see apt-get indextargets" >&2; exit 1; }
    mmdebstrap --quiet --variant=minbase --include=systemd "$suite" "${archive%.tar}.part.tar" "$source" >&2
    mv "${archive%.tar}.part.tar" "$archive"
fi
echo "$archive"
