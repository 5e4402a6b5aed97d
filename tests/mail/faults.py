"""A relay that misbehaves, and what becomes of the mail. faults.py BINARY FOLDER; see run.sh.

FOLDER has the certificates: `here` is for localhost and 127.0.0.1, `elsewhere` for another host, both by ca.pem, and
`stranger` is for localhost by another authority.
"""

import asyncio
import subprocess
import sys
import threading
import time

import site_under_test
from relay import PASSWORD, USER, Part, Relay, authenticate, context, drop, hang, raw
from site_under_test import FROM, Checks, Site, environment, read, wait_for

binary, folder = sys.argv[1:3]
checks = Checks("faults of a relay")
CA = f"--mail-ca={folder}/ca.pem"
here, elsewhere, stranger = (context(folder, name) for name in ("here", "elsewhere", "stranger"))
with open(f"{folder}/password", "w") as file:
    file.write(PASSWORD + "\n")
PASSWORD_FILE = f"--mail-password-file={folder}/password"


def mail_test(*flags, **more):
    """`vestibule mail test`: its exit code, and what it says."""
    words = [binary, "mail", "test", "ann@example.com", FROM, *flags]
    ended = subprocess.run(words, env=environment(**more), capture_output=True, text=True, timeout=120)
    return ended.returncode, ended.stdout + ended.stderr


def expect(code, words, *flags, **more):
    given, said = mail_test(*flags, **more)
    assert given == code and words in said, f"{given}: {said}"
    assert PASSWORD not in said


def steps(part):
    return [step for step, _ in part.heard]


# How it is spoken to.


def takes_by_each_scheme():
    for at_once, later, scheme in [(here, None, "smtps"), (None, here, "smtp"), (None, None, "smtp+plain")]:
        part = Part()
        relay = Relay(part, at_once, later, require_starttls=bool(later)).start()
        ca = [CA] if at_once or later else []
        for host in ("localhost", "127.0.0.1"):
            expect(0, "has taken a mail", f"--mail={scheme}://{host}:{relay.port}", *ca)
        mail = read(part.mails[0])
        assert (mail["From"], mail["To"]) == ("Example <no-reply@example.com>", "ann@example.com"), mail
        assert len(part.mails) == 2 and mail["Message-ID"] != read(part.mails[1])["Message-ID"]
        # aiosmtpd knows of its own STARTTLS alone.
        assert at_once or all(is_tls == bool(later) for step, is_tls in part.heard if step == "MAIL")


def signs_in_with_a_password_of_a_file_or_of_the_environment():
    part = Part()
    relay = Relay(part, None, here, authenticator=authenticate, auth_required=True).start()
    url = f"--mail=smtp://{USER}@localhost:{relay.port}"
    expect(0, "has taken a mail", url, CA, PASSWORD_FILE)
    expect(0, "has taken a mail", url, CA, VESTIBULE_MAIL_PASSWORD=PASSWORD)
    assert ("AUTH", True) in part.heard, part.heard
    expect(1, "535", url, CA, VESTIBULE_MAIL_PASSWORD="another")
    expect(1, "are the user in --mail and the password right?", url, CA, VESTIBULE_MAIL_PASSWORD="another")
    expect(1, "530", f"--mail=smtp://localhost:{relay.port}", CA)
    expect(1, "535", f"--mail=smtp://other@localhost:{relay.port}", CA, PASSWORD_FILE)
    assert len(part.mails) == 2


def says_so_where_a_relay_offers_no_sign_in():
    relay = Relay(Part(), here).start()
    expect(1, "AUTH: ", f"--mail=smtps://{USER}@localhost:{relay.port}", CA, PASSWORD_FILE)


# TLS.


def refuses_a_certificate_for_another_name_or_by_an_unknown_authority():
    for certificate, flags, words in [
        (elsewhere, [CA], "its certificate is for another name"),
        (stranger, [CA], "its certificate is from an authority that is not trusted here"),
        (here, [], "its certificate is from an authority that is not trusted here"),
    ]:
        for scheme in ("smtps", "smtp"):
            part = Part()
            at_once, later = (certificate, None) if scheme == "smtps" else (None, certificate)
            relay = Relay(part, at_once, later, authenticator=authenticate).start()
            url = f"--mail={scheme}://{USER}@localhost:{relay.port}"
            expect(1, words, url, PASSWORD_FILE, *flags)
            expect(1, "(tls)", url, PASSWORD_FILE, *flags)
            assert not {"AUTH", "MAIL"} & set(steps(part)), part.heard


def sends_nothing_in_clear_where_starttls_is_not_offered_or_was_stripped():
    for certificate in (None, here):
        part = Part()
        part.offers_tls = False
        more = {"authenticator": authenticate, "auth_require_tls": False}
        relay = Relay(part, None, certificate, **more).start()
        expect(1, "STARTTLS", f"--mail=smtp://{USER}@localhost:{relay.port}", CA, PASSWORD_FILE)
        assert not {"AUTH", "MAIL"} & set(steps(part)), part.heard


def speaks_no_tls_where_the_other_side_does_not():
    relay = Relay(Part()).start()
    expect(1, "(tls)", f"--mail=smtps://localhost:{relay.port}", CA)
    relay = Relay(Part(), here).start()
    began = time.monotonic()
    expect(1, "has not taken the mail", f"--mail=smtp://localhost:{relay.port}", CA)
    assert time.monotonic() - began < 45


async def line(reader):
    return (await reader.readline()).decode().split(" ")[0].strip().upper()


def starttls_relay(answer, heard, beyond=None):
    """Offers STARTTLS and answers to it like this; then TLS, and answers to all."""

    async def conversation(reader, writer):
        async def say(text):
            writer.write(text)
            await writer.drain()

        await say(b"220 relay\r\n")
        while word := await line(reader):
            heard.append(word)
            if word == "STARTTLS":
                await say(answer)
                if beyond is None:
                    continue
                await writer.start_tls(here)
            elif word == "EHLO":
                await say(b"250-relay\r\n250 STARTTLS\r\n")
            elif word == "DATA":
                await say(b"354 go on\r\n")
                while await line(reader) != ".":
                    pass
                await say(beyond)
            else:
                await say(b"250 ok\r\n")

    return raw(conversation)


def goes_on_in_clear_after_no_answer_to_starttls():
    for answer in (b"454 4.7.0 TLS not available\r\n", b"500 what?\r\n", b"502 no\r\n"):
        heard = []
        port = starttls_relay(answer, heard)
        expect(1, answer[:3].decode(), f"--mail=smtp://localhost:{port}", CA)
        assert "MAIL" not in heard, heard


def believes_no_answer_that_came_before_tls():
    # What an attacker puts behind the answer to STARTTLS must not stand for an answer of the relay to the mail.
    heard = []
    port = starttls_relay(b"220 go on\r\n250 relay\r\n", heard, b"550 5.1.1 unknown\r\n")
    expect(1, "has not taken the mail", f"--mail=smtp://localhost:{port}", CA)


# What it says, with a server that queues.


def with_a_queue():
    part = Part()
    relay = Relay(part, None, here, authenticator=authenticate, auth_required=True).start()
    flags = [f"--mail=smtp://{USER}@localhost:{relay.port}", CA, PASSWORD_FILE]
    site = Site(binary, folder, flags)
    try:
        number = 0
        for step, said, outcome in [
            # Tried again: not about the recipient, or not for good.
            ("MAIL", "421 4.3.2 closing", "421"),
            ("MAIL", "451 4.3.0 later", "451"),
            ("MAIL", "550 5.7.1 <no-reply@example.com>: sender refused", "550"),
            ("MAIL", "553 5.1.8 sender's domain", "553"),
            ("RCPT", "421 4.3.2 closing", "421"),
            ("RCPT", "450 4.2.1 greylisted", "450"),
            ("RCPT", "451 4.7.1 later", "451"),
            ("RCPT", "552 5.2.2 mailbox full", "552"),
            ("RCPT", "550 5.7.1 relaying denied", "550"),
            ("RCPT", "554 5.7.1 relay access denied", "554"),
            ("TEXT", "421 4.3.2 closing", "421"),
            ("TEXT", "451 4.3.0 later", "451"),
            ("TEXT", "550 5.7.1 looks like spam", "550"),
            ("TEXT", "550 refused by content", "550"),
            ("TEXT", "554 5.6.0 no", "554"),
            ("EHLO", "550 go away", "550"),
            ("TEXT", drop, "connection"),
            ("RCPT", drop, "connection"),
            ("MAIL", drop, "connection"),
            ("EHLO", drop, "connection"),
        ]:
            number += 1
            says = "drops the connection" if said is drop else f"says {said}"
            checks.run(f"keeps a mail when the relay {says} at {step}", keeps, site, part, f"kept{number}", step, said, outcome)
        for step, said in [
            ("RCPT", "550 5.1.1 <ann@example.com>: no such user"),
            ("RCPT", "550 no such user"),
            ("RCPT", "553 5.1.3 bad address"),
            ("RCPT", "550 5.2.1 disabled"),
            ("TEXT", "550 5.1.1 no such user"),
        ]:
            number += 1
            checks.run(f"gives a mail up when the relay says at {step}: {said}", gives_up, site, part, f"refused{number}", step, said)
        checks.run("sends what was kept once the relay takes it", sends_all, site, part)
        checks.run("signs a user in while the relay hangs, and logs no address, token or password", goes_on, site, part)
        checks.run("has a mail taken by a relay that hangs at QUIT or drops there", at_quit, site, part)
    finally:
        site.stop()


def keeps(site, part, name, step, said, outcome):
    site.add(name)
    part.play(**{step: said})
    begin = len(site.said())
    site.ask(name)
    line = site.event("mail_failed", begin)
    assert f"outcome={outcome}" in line, line
    waits = [it for it in site.waiting() if it["username"] == name]
    assert [(it["tries"], it["last_outcome"]) for it in waits] == [(1, outcome)], waits


def gives_up(site, part, name, step, said):
    site.add(name)
    part.play(**{step: said})
    begin = len(site.said())
    site.ask(name)
    line = site.event("mail_refused", begin)
    assert f"outcome={said[:3]}" in line and "@" not in line, line
    assert not [it for it in site.waiting() if it["username"] == name]


def sends_all(site, part):
    part.play()
    waits = {it["username"] for it in site.waiting()}
    assert len(waits) == 20, waits
    site.operate("mail", "retry", "--all")
    wait_for("an empty queue", lambda: not site.waiting())
    mails = [read(it) for it in part.mails]
    assert {it["To"].split("@")[0] for it in mails} == waits
    assert len({it["Message-ID"] for it in mails}) == 20


def goes_on(site, part):
    site.add("hanging")
    # Of this one's sign-in no notice is mailed.
    site.post("/signup", username="another", password=site_under_test.PASSWORD)
    part.play(TEXT=hang)
    begin = len(site.said())
    site.ask("hanging")
    wait_for("the relay", lambda: "TEXT" in steps(part))
    began = time.monotonic()
    site.sign_in("another")
    assert time.monotonic() - began < 10
    line = site.event("mail_failed", begin)
    assert "outcome=connection" in line, line
    log = site.said()
    for secret in (PASSWORD, "token=", "@"):
        assert secret not in log, [it for it in log.splitlines() if secret in it]
    database = b"".join(it.read_bytes() for it in site.folder.glob("site.db*"))
    tokens = [read(it).get_content().split("token=")[1].split()[0] for it in part.mails]
    assert len(tokens) == 20 and not any(it.encode() in database for it in tokens)
    assert PASSWORD.encode() not in database


def at_quit(site, part):
    for number, does in enumerate((hang, drop)):
        name = f"quit{number}"
        site.add(name)
        part.play(QUIT=does)
        begin, began = len(site.said()), time.monotonic()
        site.ask(name)
        site.event("mail_sent", begin)
        assert time.monotonic() - began < 15, f"{time.monotonic() - began} s"


# Silence. Each takes half a minute, so they are tried at once.


def waits_no_longer_than_half_a_minute(at):
    async def conversation(reader, writer):
        if at == "connecting":
            await asyncio.sleep(3600)
        writer.write(b"220 relay\r\n")
        while word := await line(reader):
            if word == at:
                await asyncio.sleep(3600)
            writer.write(b"354 go on\r\n" if word == "DATA" else b"250 ok\r\n")

    began = time.monotonic()
    expect(1, "no answer within 30 seconds", f"--mail=smtp+plain://127.0.0.1:{raw(conversation)}")
    # The library says goodbye after EHLO, and waits once more.
    assert 25 < time.monotonic() - began < (80 if at == "EHLO" else 50), time.monotonic() - began


def hears_out_a_relay_that_drips():
    taken = []

    async def conversation(reader, writer):
        async def drip(text):
            for byte in text:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.15)

        await drip(b"220-re\r\n220 lay\r\n")
        while word := await line(reader):
            if word == "DATA":
                await drip(b"354 go\r\n")
                while await line(reader) != ".":
                    pass
                taken.append(word)
            await drip(b"250-o\r\n250 k\r\n")

    expect(0, "has taken a mail", f"--mail=smtp+plain://127.0.0.1:{raw(conversation)}")
    assert taken == ["DATA"]


def ends_with_a_relay_that_talks_without_end():
    async def lines(reader, writer):
        while not writer.is_closing():
            writer.write(b"220-and more\r\n" * 1000)
            await writer.drain()

    async def chatter(reader, writer):
        while not writer.is_closing():
            writer.write(b"nonsense\r\n")
            await writer.drain()

    for conversation in (lines, chatter):
        began = time.monotonic()
        expect(1, "has not taken the mail", f"--mail=smtp+plain://127.0.0.1:{raw(conversation)}")
        assert time.monotonic() - began < 20


def together(parts):
    threads = [threading.Thread(target=checks.run, args=part) for part in parts]
    for thread in threads:
        thread.start()
    return threads


silent = together(
    [(f"waits half a minute for a relay that hangs at {at}", waits_no_longer_than_half_a_minute, at)
     for at in ("connecting", "EHLO", "MAIL", "RCPT", "DATA")]
    + [("hears out a relay that drips", hears_out_a_relay_that_drips)]
)
checks.run("takes a relay by smtps://, smtp:// and smtp+plain://", takes_by_each_scheme)
checks.run("signs in with a password of a file or of the environment", signs_in_with_a_password_of_a_file_or_of_the_environment)
checks.run("says so where a relay offers no sign-in", says_so_where_a_relay_offers_no_sign_in)
checks.run("refuses a certificate for another name, or by an unknown authority", refuses_a_certificate_for_another_name_or_by_an_unknown_authority)
checks.run("sends nothing in clear where STARTTLS is not offered, or was stripped", sends_nothing_in_clear_where_starttls_is_not_offered_or_was_stripped)
checks.run("says so where TLS is expected and not spoken, or the other way round", speaks_no_tls_where_the_other_side_does_not)
checks.run("goes on in clear after no answer to STARTTLS", goes_on_in_clear_after_no_answer_to_starttls)
checks.run("believes no answer that came before TLS", believes_no_answer_that_came_before_tls)
checks.run("ends with a relay that talks without end", ends_with_a_relay_that_talks_without_end)
with_a_queue()
for thread in silent:
    thread.join()
checks.end()
