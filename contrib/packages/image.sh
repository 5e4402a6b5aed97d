#!/bin/sh
# Makes the OCI image, an oci-archive of one layer: OUTDIR/vestibule-VERSION-linux-ARCH.oci.tar. It holds the same bytes
# whenever it is made from one commit and one binary. OCI has no health check: docs/containers.md shows compose's.
# image.sh STATIC_BINARY OUTDIR
set -eu
binary=$(realpath "$1")
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."
# shellcheck source=contrib/packages/release.sh
. contrib/packages/release.sh

! readelf --wide --program-headers "$binary" | grep -q INTERP ||
    refuse "$binary wants a dynamic loader, and the image has none: build.sh makes vestibule-static"
expect_version "$binary"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
user=65532

# What the container sees. The program is all that may be executed.
make_layer() {
    root=$work/root documents=$work/root/usr/share/doc/vestibule
    mkdir -p "$root/etc" "$root/tmp" "$root/data" "$documents"
    install -m 755 "$binary" "$root/vestibule"
    echo "vestibule:x:$user:$user:vestibule sign-in server:/data:/sbin/nologin" >"$root/etc/passwd"
    install -m 644 LICENSE "$documents/LICENSE"
    python3 contrib/packages/third-party.py --static >"$documents/THIRD-PARTY"
    chmod 1777 "$root/tmp"
    chmod 700 "$root/data"
    archive --create --owner=0 --group=0 --directory="$root" --file="$work/layer" etc tmp usr vestibule
    archive --append --owner=$user --group=$user --directory="$root" --file="$work/layer" data
}

# blob FILE puts it among the blobs, under its own hash, and sets $hash and $size.
blob() {
    hash=$(sha256sum <"$1" | cut -d ' ' -f 1)
    size=$(wc -c <"$1")
    cp "$1" "$work/layout/blobs/sha256/$hash"
}

created=$(date -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
# The label with the address of the sources, once Cargo.toml has one.
source=$(sed -n 's/^repository = \(".*"\)$/   "org.opencontainers.image.source": \1,/p' Cargo.toml)

# write_config DIFF_ID
write_config() {
    cat <<JSON
{
 "created": "$created", "architecture": "$ARCH", "os": "linux",
 "config": {
  "User": "$user:$user",
  "Entrypoint": ["/vestibule"], "Cmd": ["serve"],
  "Env": ["VESTIBULE_DATABASE=/data/vestibule.db", "VESTIBULE_LISTEN=0.0.0.0:8080"],
  "ExposedPorts": {"8080/tcp": {}}, "Volumes": {"/data": {}},
  "StopSignal": "SIGTERM",
  "Labels": {
   "org.opencontainers.image.title": "vestibule",
   "org.opencontainers.image.version": "$VERSION",
   "org.opencontainers.image.revision": "$REVISION",
$source
   "org.opencontainers.image.licenses": "MIT OR Apache-2.0"
  }
 },
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$1"]},
 "history": [{"created": "$created", "created_by": "contrib/packages/image.sh"}]
}
JSON
}

kind=application/vnd.oci.image
make_layer
mkdir -p "$work/layout/blobs/sha256"
diff_id=$(sha256sum <"$work/layer" | cut -d ' ' -f 1)
gzip -9n <"$work/layer" >"$work/layer.gz"
blob "$work/layer.gz"
layer=$(printf '{"mediaType": "%s.layer.v1.tar+gzip", "digest": "sha256:%s", "size": %d}' "$kind" "$hash" "$size")
write_config "$diff_id" >"$work/config"
blob "$work/config"
config=$(printf '{"mediaType": "%s.config.v1+json", "digest": "sha256:%s", "size": %d}' "$kind" "$hash" "$size")
printf '{"schemaVersion": 2, "mediaType": "%s.manifest.v1+json",\n "config": %s,\n "layers": [%s]}\n' \
    "$kind" "$config" "$layer" >"$work/manifest"
blob "$work/manifest"
printf '{"imageLayoutVersion": "1.0.0"}\n' >"$work/layout/oci-layout"
printf '{"schemaVersion": 2, "mediaType": "%s.index.v1+json", "manifests": [\n {"mediaType": "%s.manifest.v1+json", "digest": "sha256:%s", "size": %d,\n  "platform": {"architecture": "%s", "os": "linux"},\n  "annotations": {"org.opencontainers.image.ref.name": "vestibule:%s"}}]}\n' \
    "$kind" "$kind" "$hash" "$size" "$ARCH" "$VERSION" >"$work/layout/index.json"
chmod -R u=rwX,go=rX "$work/layout"
archive --create --owner=0 --group=0 --directory="$work/layout" \
    --file="$out/vestibule-$VERSION-linux-$ARCH.oci.tar" blobs index.json oci-layout
