#!/bin/sh
# The static program where there is little else, in a network of its own: in what the image holds, with /dev/null and
# without any /dev, and in a Debian, whose names it looks up. As root.
# unshare --net isolated.sh IMAGE_ARCHIVE STATIC_BINARY DEBIAN
set -eu
archive=$1 binary=$2 debian=$3
chroot=$(command -v chroot)

work=$(mktemp -d)
server='' names=''
clean_up() {
    for process in $server $names; do
        kill "$process" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM
cd "$(dirname "$0")"
# shellcheck source=tests/packages/common.sh
. ./common.sh
ip link set lo up

# in_image ARGUMENT… runs the program as a runtime of containers would: its user, its environment, its folders.
cat >"$work/in-image" <<SCRIPT
#!/bin/sh
exec env -i VESTIBULE_DATABASE=/data/vestibule.db VESTIBULE_LISTEN=0.0.0.0:8080 \${ORIGIN:+VESTIBULE_ORIGIN=\$ORIGIN} \\
    $chroot --userspec=65532:65532 $work/bundle/rootfs /vestibule "\$@"
SCRIPT
chmod +x "$work/in-image"
in_image() { "$work/in-image" "$@"; }

# serve_in_image WHERE: a visitor signs up, and the server ends in good order.
serve_in_image() {
    export ORIGIN=https://auth.example.test
    start "$work/log" "$work/in-image" serve
    sign_up http://127.0.0.1:8080
    in_image user list | grep -q anna || fail "a command beside the server does not see the user who signed up, $1"
    in_image health || fail "health says that a server that serves is not well, $1"
    stop
    ! in_image health 2>"$work/health" || fail "health says that a server that has stopped is well, $1"
    ok "the image serves $1: sign-up, health, an end in good order"
}

skopeo copy --quiet "oci-archive:$archive" "oci:$work/layout:trial"
umoci unpack --image "$work/layout:trial" "$work/bundle" >"$work/umoci.log" 2>&1 || { cat "$work/umoci.log"; fail 'umoci unpacks nothing'; }
root=$work/bundle/rootfs
if in_image serve 2>"$work/log"; then fail 'the image serves plain http to everyone without an origin'; fi
grep -q VESTIBULE_ORIGIN "$work/log" || { cat "$work/log"; fail 'the image without an origin does not say which variable to set'; }
ok 'the image without an origin is refused, with the name of the variable that sets it'
mkdir "$root/dev"
mknod -m 666 "$root/dev/null" c 1 3
serve_in_image 'with /dev/null and nothing else'
rm -r "$root/dev" "$root"/data/*
serve_in_image 'without any /dev'

# A Debian with `hosts: files dns`, and a name server that knows every name under example.test.
root=$work/debian
mkdir "$root"
tar --extract --file="$debian" --directory="$root" --exclude='./dev/*'
install -m 755 "$binary" "$root/vestibule"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
echo 'nameserver 127.0.0.1' >"$root/etc/resolv.conf"
echo '127.0.0.2 in-a-file.test' >"$root/etc/hosts"
python3 names.py &
names=$!
# What is said of each name, once connecting is given up: of an address that was found, that nothing listens there.
while read -r name answer; do
    {
        "$chroot" "$root" /vestibule check --database "mysql://user@$name:1/x" >"$work/$name" 2>&1 || true
        grep -q "$answer" "$work/$name"
    } &
    asked="${asked:-} $!"
done <<NAMES
in-a-file.test Connection refused
in-dns.example.test Connection refused
unknown.test failed to lookup
NAMES
for process in $asked; do
    wait "$process" || { cat "$work"/*.test; fail 'the static program does not look names up as the Debian around it'; }
done
ok 'the static program looks names up in /etc/hosts and in DNS, in a Debian of another glibc'
