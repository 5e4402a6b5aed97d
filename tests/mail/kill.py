"""kill -9 of the server that sends, at every step of the conversation with the relay: is every mail sent, and how many are
sent twice? kill.py BINARY FOLDER [KILLS, 100] [DATABASE]; see run.sh.

What was killed has the lease of its mail for ten minutes, which are skipped in the database.
"""

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from urllib.parse import urlsplit

from relay import Part, Relay
from site_under_test import Site, read, wait_for

binary, folder = sys.argv[1:3]
kills = int(sys.argv[3]) if len(sys.argv) > 3 else 100
database = sys.argv[4] if len(sys.argv) > 4 else None
# "queued": as soon as the mail is acknowledged. "taken": when the relay has it, and before it says so. "told": when it has
# said so. "noted": when the database knows.
STEPS = ["queued", "EHLO", "MAIL", "RCPT", "taken", "told", "noted"]


class Killer(Part):
    """Kills the server at one step, once, and from then on takes all mail."""

    def __init__(self):
        super().__init__()
        self.step, self.site = None, None
        self.taken = []

    def kill(self, step):
        if self.step == step:
            # The next server takes its place as soon as this one has ended.
            server, self.step = self.site.server, None
            os.kill(server.pid, signal.SIGKILL)
            server.wait()

    async def answer(self, server, step, usual):
        if step == "TEXT":
            self.taken.append(read(server.envelope.content)["Message-ID"])
            self.kill("taken")
            if self.step == "told":
                await server.push("250 2.0.0 taken")
                self.kill("told")
        self.kill(step)
        if step == "QUIT" and self.step == "noted":
            wait_for("the note", lambda: waiting() == 0, patience=2)
            self.kill("noted")
        return usual


def change(sql):
    if database is None:
        with sqlite3.connect(site.database) as file:
            return file.execute(sql).fetchall()
    url = urlsplit(database)
    words = ["mariadb", "--no-defaults", "--skip-ssl", f"--host={url.hostname}", f"--port={url.port}", f"--user={url.username}"]
    words += [f"--password={url.password}", "--batch", "--skip-column-names", f"--execute={sql}", url.path[1:]]
    return [it.split("\t") for it in subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()]


def waiting():
    return int(change("SELECT count(*) FROM mail")[0][0])


part = Killer()
relay = Relay(part).start()
site = Site(binary, folder, [f"--mail=smtp+plain://127.0.0.1:{relay.port}"], database)
part.site = site
name = "anna"
site.add(name)
lost, doubled = [], Counter()
for number in range(kills):
    step = STEPS[number % len(STEPS)]
    # Tomorrow, so to say: the account may have another mail.
    change("DELETE FROM throttle")
    part.taken = []
    part.step = step
    try:
        site.ask(name)
    except ConnectionError:
        # The mail is sent as soon as it is queued: the kill may come before the answer to the form.
        assert step != "queued"
    if step == "queued":
        part.kill(step)
    wait_for("the kill", lambda: part.step is None)
    site.server.wait()
    change("UPDATE mail SET lease_until = 0")
    site.start()
    wait_for("an empty queue", lambda: waiting() == 0)
    ids = Counter(part.taken)
    if len(ids) != 1:
        lost.append((number, step, dict(ids)))
    doubled[step] += sum(ids.values()) - len(ids)
site.stop()
engine = "SQLite" if database is None else "MariaDB"
told = ", ".join(f"{count} killed at {step}" for step, count in doubled.items() if count)
print(f"--    {kills} mails and kills on {engine}: {len(lost)} lost, {doubled.total()} sent twice: {told}")
# Sent twice is what was killed between the relay's having a mail and the note of it, and nothing else.
wrong = [step for step, count in doubled.items() if count and step not in ("taken", "told")]
if lost or wrong:
    print(f"FAIL  lost: {lost}; sent twice though killed before: {wrong}")
    raise SystemExit(1)
print(f"ok    loses no mail of {kills} when the server that sends is killed, on {engine}")
