# Makes costs.csv: hashes of libsodium (in PyNaCl 1.6.2), and with the costs that Vaultwarden documents, of
# argon2-cffi 25.1.0 and of the reference tool `argon2` (Debian's argon2 0~20171227).
# Needs PyNaCl and argon2-cffi.
import base64
import csv
import os
import subprocess

from argon2 import PasswordHasher
from nacl import pwhash

sodium = pwhash.argon2id
vaultwarden = PasswordHasher(memory_cost=65540, time_cost=3, parallelism=4, salt_len=32)


def libsodium(password, cost):
    limits = [getattr(sodium, f"{kind}LIMIT_{cost}") for kind in ("OPS", "MEM")]
    return sodium.str(password.encode(), *limits).decode().rstrip("\0")


def documented(password):
    # echo -n "…" | argon2 "$(openssl rand -base64 32)" -e -id -k 65540 -t 3 -p 4
    salt = base64.b64encode(os.urandom(32)).decode()
    command = ["argon2", salt, "-e", "-id", "-k", "65540", "-t", "3", "-p", "4"]
    done = subprocess.run(command, input=password.encode(), capture_output=True, check=True)
    return done.stdout.decode().strip()


with open("costs.csv", "w", newline="") as file:
    rows = csv.writer(file, lineterminator="\n")
    rows.writerow(["username", "password_hash"])
    rows.writerow(["anna", libsodium("correct horse battery", "MODERATE")])
    rows.writerow(["interactive", libsodium("fiancée ① x", "INTERACTIVE")])
    rows.writerow(["sensitive", libsodium("correct horse battery", "SENSITIVE")])
    rows.writerow(["vaultwarden", vaultwarden.hash("correct horse battery")])
    rows.writerow(["documented", documented("密码 с пробелом")])
