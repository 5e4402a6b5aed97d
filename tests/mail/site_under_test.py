"""A site under test with its accounts, and what is seen of it from outside."""

import email
import email.policy
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

FROM = "--mail-from=Example <no-reply@example.com>"
PASSWORD = "three unrelated words"
PATIENCE = 60


def environment(**more):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
    return {**clean, **more}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


opener = urllib.request.build_opener(NoRedirect, urllib.request.ProxyHandler({}))


def wait_for(what, look, patience=PATIENCE):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: it does not come in {patience} s")


class Site:
    """`vestibule serve` over its own database, which stays when the server is killed."""

    count = 0

    def __init__(self, binary, folder, flags, database=None, **more):
        self.binary, self.flags, self.more = binary, flags, more
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.log = self.folder / "log"
        self.database = database or str(self.folder / "site.db")
        self.address = "127.0.0.1:0"
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            began = log.tell()
            self.server = subprocess.Popen(
                [self.binary, "serve", f"--listen={self.address}", "--origin=http://127.0.0.1:9", FROM]
                + ["--trusted-proxy=127.0.0.1", "--signup-free=100000", *self.flags],
                env=environment(VESTIBULE_DATABASE=self.database, **self.more), stdout=log, stderr=log,
            )

        def port():
            found = re.search(r"ev=listening address=(127\.0\.0\.1:\d+)", self.said(began))
            assert found or self.server.poll() is None, self.said(began)
            return found and found[1]

        self.address = wait_for("the server", port)

    def said(self, begin=0):
        return self.log.read_bytes()[begin:].decode()

    def stop(self, how=signal.SIGTERM):
        if self.server.poll() is None:
            self.server.send_signal(how)
        self.server.wait(PATIENCE)

    def post(self, path, language="en", **fields):
        """The status, the headers and the body; the client has an address of its own each time."""
        Site.count += 1
        peer = f"198.{Site.count >> 16 & 255}.{Site.count >> 8 & 255}.{Site.count & 255}"
        headers = {"X-Forwarded-For": peer, "Accept-Language": language}
        request = urllib.request.Request(
            f"http://{self.address}{path}", urllib.parse.urlencode(fields).encode(), headers
        )
        try:
            answer = opener.open(request, timeout=PATIENCE)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            return answer.status, answer.headers, answer.read().decode()

    def operate(self, *words):
        ended = subprocess.run(
            [self.binary, *words], env=environment(VESTIBULE_DATABASE=self.database), capture_output=True, text=True
        )
        assert ended.returncode == 0, (words, ended.stderr)
        return ended.stdout

    def add(self, name):
        """An account with a verified address."""
        status, _, body = self.post("/signup", username=name, password=PASSWORD)
        assert status == 302, body
        self.operate("user", "email", name, f"{name}@example.com")

    def ask(self, name, language="en"):
        status, _, body = self.post("/forgot", language, name=name)
        assert status == 200, body

    def sign_in(self, name):
        status, _, body = self.post("/login", username=name, password=PASSWORD)
        assert status == 302, body

    def waiting(self):
        return [json.loads(it) for it in self.operate("mail", "list", "--json").splitlines()]

    def event(self, name, begin, patience=PATIENCE):
        """The first line of the log with this event, after what was there at the beginning."""
        pattern = re.compile(rf"^.*ev={name}\b.*$", re.M)
        found = wait_for(name, lambda: pattern.search(self.said(begin)), patience)
        return found[0]


def read(content):
    """A mail as a reader of mail shows it."""
    return email.message_from_bytes(content, policy=email.policy.default)


class Checks:
    """Counts what is checked, and says it line by line."""

    def __init__(self, what):
        self.what, self.passed, self.failed = what, 0, 0

    def run(self, name, body, *arguments):
        try:
            body(*arguments)
            self.passed += 1
            print(f"ok    {name}", flush=True)
        except Exception as fault:
            self.failed += 1
            print(f"FAIL  {name}", flush=True)
            traceback.print_exception(fault, file=sys.stdout)

    def end(self):
        word = "FAIL " if self.failed else "All  "
        print(f"{word} {self.passed} of {self.passed + self.failed} {self.what}", flush=True)
        raise SystemExit(1 if self.failed else 0)
