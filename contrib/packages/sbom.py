#!/usr/bin/env python3
"""Prints the software bill of materials of the program, as CycloneDX 1.5: the crates of `cargo tree --edges normal`, with
SQLite inside the crate that brings it, and Rust's standard library. With --static also the C library.
sbom.py [--static]
"""

import datetime
import json
import os
import sys
import uuid

sys.dont_write_bytecode = True
import crates  # noqa: E402  After the line that keeps Python from writing beside it.


def purl(crate):
    name, version = crate
    return f"pkg:cargo/{name}@{version}"


def library(name, version, licence, **more):
    return {"type": "library", "bom-ref": f"{name}@{version}", "name": name, "version": version,
            "licenses": [{"expression": licence}], **more}


def sqlite(package):
    version = crates.sqlite(package)
    return {"type": "library", "bom-ref": f"sqlite@{version}", "name": "sqlite", "version": version,
            "cpe": f"cpe:2.3:a:sqlite:sqlite:{version}:*:*:*:*:*:*:*",
            "licenses": [{"license": {"name": "Public domain"}}]}


def component(crate, package, checksum):
    """A crate of a registry."""
    name, version = crate
    licence = crates.licence(package)
    own = {"license": {"name": f"as in its file {package['license_file']}"}}
    described = {"type": "library", "bom-ref": purl(crate), "name": name, "version": version, "purl": purl(crate),
                 "licenses": [{"expression": licence} if licence else own],
                 "hashes": [{"alg": "SHA-256", "content": checksum}]}
    if name == "libsqlite3-sys":
        described["components"] = [sqlite(package)]
    return described


def program(crate, package, static):
    """The program itself, with what comes with the compiler."""
    name, version = crate
    parts = [library("rust-std", crates.rust()["release"], "MIT OR Apache-2.0")]
    if static:
        libc = crates.glibc()
        parts.append(library("glibc", libc, "LGPL-2.1-or-later", cpe=f"cpe:2.3:a:gnu:glibc:{libc}:*:*:*:*:*:*:*"))
    return {"type": "application", "bom-ref": purl(crate), "name": name, "version": version, "purl": purl(crate),
            "description": package["description"], "licenses": [{"expression": crates.licence(package)}],
            "components": parts}


def main():
    static = "--static" in sys.argv[1:]
    edges, packages, checksums = crates.tree(), crates.packages(), crates.checksums()
    root = next(iter(edges))
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or crates.run("git", "log", "-1", "--format=%ct"))
    content = {
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": program(root, packages[root], static),
        },
        "components": [component(it, packages[it], checksums[it]) for it in sorted(edges) if it != root],
        "dependencies": [{"ref": purl(it), "dependsOn": sorted(map(purl, edges[it]))} for it in sorted(edges)],
    }
    # Two bills have one number if, and only if, they say the same.
    number = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(content, sort_keys=True))
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": f"urn:uuid:{number}", "version": 1, **content}
    sys.stdout.buffer.write((json.dumps(bill, indent=1, ensure_ascii=False) + "\n").encode())


main()
