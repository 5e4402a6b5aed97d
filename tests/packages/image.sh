#!/bin/sh
# What an image says of itself, to skopeo and umoci, and what is in its layer. image.sh ARCHIVE VERSION
set -eu
archive=$(realpath "$1")
version=$2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
# shellcheck source=tests/packages/common.sh
. "$(dirname "$0")/common.sh"
for tool in skopeo umoci; do
    command -v "$tool" >/dev/null || { echo "NOT TRIED: the image, without $tool"; exit 0; }
done

skopeo inspect --config "oci-archive:$archive" >"$work/config.json"
skopeo copy --quiet "oci-archive:$archive" "oci:$work/layout:trial"
tar --extract --to-stdout --file="$archive" index.json | grep -qF "\"org.opencontainers.image.ref.name\": \"vestibule:$version\"" ||
    fail "podman load would not name the image vestibule:$version"
umoci raw config --image "$work/layout:trial" "$work/runtime.json" 2>"$work/umoci.log"
python3 - "$work" "$version" <<'PYTHON'
import json, sys
work, version = sys.argv[1:]
image = json.load(open(f"{work}/config.json"))
config, labels = image["config"], image["config"]["Labels"]
expected = {
    "User": "65532:65532", "Entrypoint": ["/vestibule"], "Cmd": ["serve"], "StopSignal": "SIGTERM",
    "Volumes": {"/data": {}}, "ExposedPorts": {"8080/tcp": {}},
    "Env": ["VESTIBULE_DATABASE=/data/vestibule.db", "VESTIBULE_LISTEN=0.0.0.0:8080"],
}
for key, value in expected.items():
    if config.get(key) != value:
        sys.exit(f"FAIL  the image has {key} {config.get(key)}, not {value}")
said = {key.rpartition(".")[2]: value for key, value in labels.items()}
if said["title"] != "vestibule" or said["version"] != version or said["licenses"] != "MIT OR Apache-2.0" or len(said["revision"]) != 40:
    sys.exit(f"FAIL  the labels of the image are {labels}")
process = json.load(open(f"{work}/runtime.json"))["process"]
if (process["user"]["uid"], process["user"]["gid"], process["args"]) != (65532, 65532, ["/vestibule", "serve"]):
    sys.exit(f"FAIL  umoci would run {process}")
PYTHON
ok 'skopeo and umoci read user, command, environment, volume and labels of the image'

layers=$(find "$work/layout/blobs/sha256" -type f -size +10k)
[ "$(echo "$layers" | wc -l)" = 1 ] || fail "the image has other than one layer: $layers"
tar --list --verbose --numeric-owner --gzip --file="$layers" | awk '{ print $1, $2, $6 }' >"$work/files"
for file in '-rwxr-xr-x 0/0 vestibule' 'drwx------ 65532/65532 data/' 'drwxrwxrwt 0/0 tmp/' '-rw-r--r-- 0/0 etc/passwd' \
    '-rw-r--r-- 0/0 usr/share/doc/vestibule/THIRD-PARTY'; do
    grep -qxF -e "$file" "$work/files" || { cat "$work/files"; fail "the layer has no '$file'"; }
done
[ "$(grep -c '^-.*x' "$work/files")" = 1 ] || { cat "$work/files"; fail 'more than one file of the layer may be executed'; }
ok 'the layer holds the program, its folders and its licences, and one file that may be executed'
