"""Prints the link in the newest mail to an address, once it has come. link.py MAILDIR ADDRESS; run by forgot.mjs."""

import sys

from maildir import arrived

text = arrived(*sys.argv[1:3]).get_content()
print(next(line for line in text.splitlines() if "://" in line))
