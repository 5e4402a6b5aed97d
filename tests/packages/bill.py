"""Compares the bill of materials and THIRD-PARTY in a folder with what `cargo tree` says, in the current folder.
bill.py FOLDER
"""

import json
import subprocess
import sys


def tree():
    """The crates below the program, as lines of `cargo tree`."""
    host = next(line[6:] for line in subprocess.check_output(["rustc", "-vV"], text=True).splitlines() if line.startswith("host: "))
    listed = subprocess.check_output(
        ["cargo", "tree", "--locked", "--edges", "normal", "--target", host, "--prefix", "none", "--no-dedupe"], text=True)
    crates = {tuple(line.split()[:2]) for line in listed.splitlines() if line}
    return {(name, version[1:]) for name, version in crates if name != "vestibule"}


def expect(fact, sentence):
    if not fact:
        sys.exit(f"FAIL  {sentence}")


def main():
    folder, expected = sys.argv[1], tree()
    with open(f"{folder}/sbom.cdx.json", encoding="utf-8") as file:
        bill = json.load(file)
    found = {(it["name"], it["version"]) for it in bill["components"]}
    expect(found == expected, f"the bill of materials differs from cargo tree: {sorted(found ^ expected)}")
    expect(len(found) == len(bill["components"]), "the bill of materials names a crate twice")
    for it in bill["components"]:
        expect(len(it["hashes"][0]["content"]) == 64 and it["licenses"] and it["purl"], f"{it['name']} is not described")
    expect("sqlite" in [part["name"] for it in bill["components"] for part in it.get("components", [])], "SQLite is missing")
    references = {it["ref"] for it in bill["dependencies"]}
    below = {ref for it in bill["dependencies"] for ref in it["dependsOn"]}
    expect(below < references and len(references) == len(expected) + 1, "the dependencies are not those of the components")
    print(f"ok    the bill of materials has the {len(found)} crates of cargo tree")

    with open(f"{folder}/THIRD-PARTY", encoding="utf-8") as file:
        text = file.read()
    lines = text.splitlines()
    for name, version in sorted(expected):
        line = next((it for it in lines if it.startswith(f"{name} {version}: ")), None)
        expect(line, f"THIRD-PARTY does not name {name} {version}")
        for number in line[line.rindex("[") + 1:-1].split(", "):
            expect(f"\n[{number}]\n\n" in text, f"THIRD-PARTY has no text {number}, of {name}")
    print("ok    THIRD-PARTY names each of them, with the text of its licence")


main()
