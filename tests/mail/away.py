"""A database server that hangs while a mail is taken: pages answer, and the mail is sent once. away.py BINARY FOLDER URL PID:
those of the server of MariaDB; see run.sh.
"""

import os
import signal
import sys
import time
import urllib.request

from relay import Part, Relay
from site_under_test import Checks, Site, opener, wait_for

binary, folder, database, pid = sys.argv[1:5]
checks = Checks("with a database that is away")
# Longer than any write of the server waits.
AWAY = 12


def stop_database(_relay):
    os.kill(int(pid), signal.SIGSTOP)
    return "250 2.0.0 taken"


def sends_once():
    part = Part()
    relay = Relay(part).start()
    site = Site(binary, folder, [f"--mail=smtp+plain://127.0.0.1:{relay.port}"], database)
    try:
        for name in ("early", "later"):
            site.add(name)
        part.play(TEXT=stop_database)
        site.ask("early")
        wait_for("the relay", lambda: part.mails)
        part.play()
        end = time.monotonic() + AWAY
        while time.monotonic() < end:
            with opener.open(urllib.request.Request(f"http://{site.address}/login"), timeout=AWAY) as page:
                assert page.status == 200
            time.sleep(0.2)
        assert "ev=mail_sent" not in site.said(), "the database cannot know"
        os.kill(int(pid), signal.SIGCONT)
        site.event("mail_sent", 0)
        # This one wakes the thread that sends, if it sleeps.
        wait_for("the form", lambda: site.post("/forgot", name="later")[0] == 200)
        wait_for("an empty queue", lambda: not site.waiting())
        to = [name for mail in part.mails for name in (b"early", b"later") if b"To: " + name in mail]
        assert to == [b"early", b"later"], to
    finally:
        os.kill(int(pid), signal.SIGCONT)
        site.stop()


checks.run("sends a mail once though the database hangs when it is taken, and shows pages meanwhile", sends_once)
checks.end()
