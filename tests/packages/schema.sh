#!/bin/sh
# Validates bills of materials against the schema of CycloneDX 1.5, with its own library, in a virtual environment that is
# kept in FOLDER. schema.sh FOLDER BILL…
set -eu
kept=$1
shift
requirement='cyclonedx-python-lib[json-validation]==11.12.0'

[ "$(cat "$kept/requirement" 2>/dev/null)" = "$requirement" ] || {
    python3 -m venv --clear "$kept/venv" &&
        "$kept/venv/bin/pip" install --quiet --disable-pip-version-check "$requirement" && echo "$requirement" >"$kept/requirement"
} || {
    echo 'NOT TRIED: the schema of CycloneDX, whose library cannot be had'
    exit 0
}
"$kept/venv/bin/python" - "$@" <<'PYTHON'
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

for path in sys.argv[1:]:
    fault = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(path, encoding="utf-8").read())
    if fault:
        sys.exit(f"FAIL  {path}: {fault}")
print(f"ok    {len(sys.argv) - 1} bills of materials are as the schema of CycloneDX wants them")
PYTHON
