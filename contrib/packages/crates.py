"""The crates that are compiled into the program, as Cargo resolves them for one target: for sbom.py and third-party.py."""

import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(*command):
    """The output of a command, which is run at the top of the project. If it fails, so does the script."""
    done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, encoding="utf-8", check=False)
    if done.returncode != 0:
        sys.exit(f"packages: `{' '.join(command)}` failed")
    return done.stdout


def rust():
    """What rustc says of itself: release, host and so on."""
    lines = run("rustc", "-vV").splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def tree():
    """The edges of `cargo tree --edges normal`: (name, version) of each package, with those that it uses.

    `cargo metadata` alone would not do: it also counts what the tests make others use.
    """
    listed = run("cargo", "tree", "--locked", "--edges", "normal", "--target", rust()["host"],
                 "--prefix", "depth", "--format", "|{p}")
    edges, above = {}, []
    for line in filter(None, listed.splitlines()):
        depth, package = line.split("|", 1)
        name, version = package.split()[:2]
        crate = (name, version.removeprefix("v"))
        edges.setdefault(crate, set())
        del above[int(depth):]
        if above:
            edges[above[-1]].add(crate)
        above.append(crate)
    return edges


def checksums():
    """The SHA-256 of each crate's archive, from Cargo.lock."""
    found, crate = {}, {}
    with open(os.path.join(TOP, "Cargo.lock"), encoding="utf-8") as lock:
        for line in lock:
            key, _, value = line.strip().partition(" = ")
            crate[key] = value.strip('"')
            if key == "checksum":
                found[crate["name"], crate["version"]] = crate["checksum"]
    return found


def packages():
    """All packages in Cargo.lock for this target, by (name, version), as `cargo metadata` describes them."""
    described = run("cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", rust()["host"])
    return {(it["name"], it["version"]): it for it in json.loads(described)["packages"]}


def licence(package):
    """Its SPDX expression. Some still write `/` where SPDX has `OR`; some have a text of their own, and no expression."""
    return package["license"] and package["license"].replace("/", " OR ")


def sqlite(package):
    """The version of SQLite whose source libsqlite3-sys holds."""
    header = os.path.join(os.path.dirname(package["manifest_path"]), "sqlite3", "sqlite3.h")
    with open(header, encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("#define SQLITE_VERSION "):
                return line.split('"')[1]
    sys.exit(f"packages: {header} does not say which SQLite it is")


def glibc():
    """The version of the C library of this machine, which a static program holds."""
    return run("getconf", "GNU_LIBC_VERSION").split()[1]
