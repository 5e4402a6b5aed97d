#!/usr/bin/env python3
"""Prints what others wrote of the program: each crate with its licence and the numbers of its texts, then the texts, which
their licences want beside a binary. They are read from the sources of the crates. With --static also the C library's.
third-party.py [--static]
"""

import os
import sys
import textwrap

sys.dont_write_bytecode = True
import crates  # noqa: E402  After the line that keeps Python from writing beside it.

# What the names of files with licences and notices begin with.
NAMES = ("LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE")
# A licence whose text names nobody: where a crate may be used under it and brings no text, that of another crate is its own.
NAMELESS, ITS_FILE = "Apache-2.0", "LICENSE-APACHE"
# Where Debian has the text of the C library's licence.
LGPL = "/usr/share/common-licenses/LGPL-2.1"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read().replace("\r\n", "\n").strip("\n")


def texts(package):
    """The licences and notices among its files, by their paths in it: also of what it has copied from others."""
    top = os.path.dirname(package["manifest_path"])
    found = {}
    for folder, below, names in os.walk(top):
        below.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            inside = os.path.relpath(path, top)
            if name.upper().startswith(NAMES) and not name.endswith(".rs") or inside == package["license_file"]:
                found[inside] = read(path)
    return found


class Texts:
    """Texts with their numbers. Those that differ in white space alone are one."""

    def __init__(self):
        self.numbers, self.kept = {}, []

    def number(self, text):
        words = " ".join(text.split())
        if words not in self.numbers:
            self.kept.append(text)
            self.numbers[words] = len(self.kept)
        return self.numbers[words]


def nameless(all_texts):
    """The text that crates without one are given: the one that most others have."""
    ours = [text for found in all_texts.values() for path, text in found.items() if path == ITS_FILE]
    return max(sorted(set(ours)), key=ours.count)


def missing(crate, licence):
    name, version = crate
    sys.exit(f"packages: the crate {name} {version} ({licence}) brings no text of its licence, which has to go with a"
             " binary: take a version that does, or another crate")


def crate_lines(kept):
    """A line for each crate: its name, version and licence, and the numbers of its texts."""
    packages = crates.packages()
    used = [it for it in sorted(crates.tree()) if packages[it]["source"]]
    all_texts = {it: texts(packages[it]) for it in used}
    for crate in used:
        licence = crates.licence(packages[crate])
        if not all_texts[crate]:
            if NAMELESS not in (licence or "").split(" OR "):
                missing(crate, licence)
            all_texts[crate] = {ITS_FILE: nameless(all_texts)}
        numbers = ", ".join(map(str, sorted({kept.number(text) for text in all_texts[crate].values()})))
        yield f"{crate[0]} {crate[1]}: {licence or 'as in its text'} [{numbers}]"
        if crate[0] == "libsqlite3-sys":
            yield f"SQLite {crates.sqlite(packages[crate])}, in libsqlite3-sys: public domain"
    apache = kept.number(nameless(all_texts))
    yield f"Rust's standard library {crates.rust()['release']}: MIT OR Apache-2.0 [{apache}]"


def main():
    kept = Texts()
    lines = list(crate_lines(kept))
    if "--static" in sys.argv[1:]:
        if not os.path.exists(LGPL):
            sys.exit(f"packages: there is no {LGPL}, the licence of the C library: build on Debian, or put it there")
        lines.append(f"GNU C library {crates.glibc()}, in the static program alone: LGPL-2.1-or-later [{kept.number(read(LGPL))}]")
    opening = ("vestibule is compiled together with the following libraries. The numbers in brackets are those of their"
               " licences and notices, which follow. Where a licence says OR, each of the two may be chosen.")
    rule = "=" * 79
    parts = [textwrap.fill(opening, 79), "\n".join(lines)]
    parts += [f"{rule}\n[{number}]\n\n{text}" for number, text in enumerate(kept.kept, 1)]
    sys.stdout.buffer.write(("\n\n".join(parts) + "\n").encode())


main()
