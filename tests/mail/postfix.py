"""Postfix as the relay, with its Maildir as a reader of mail sees it. postfix.py BINARY FOLDER PORT PORT PORT: smtp+plain,
smtp and smtps; see run.sh.
"""

import sys

from maildir import arrived
from site_under_test import Checks, Site

binary, folder, plain, later, at_once = sys.argv[1:6]
checks = Checks("mails through Postfix")
CA = f"--mail-ca={folder}/ca.pem"
SUBJECTS = {"en": "Set a new password", "de": "Neues Passwort setzen", "fr": "Choisir un nouveau mot de passe"}


def delivers(url, name, language, *flags):
    site = Site(binary, folder, [f"--mail={url}", *flags])
    try:
        site.add(name)
        site.ask(name, language)
        mail = arrived(f"{folder}/mails/anna", f"{name}@example.com")
        site.event("mail_sent", 0)
        assert not site.waiting()
        assert mail["Subject"] == SUBJECTS[language], mail["Subject"]
        assert mail["From"] == "Example <no-reply@example.com>", mail["From"]
        assert mail["Auto-Submitted"] == "auto-generated" and mail["Return-Path"] == "<no-reply@example.com>", mail
        assert mail["Message-ID"].endswith("@example.com>"), mail["Message-ID"]
        assert (mail.get_content_type(), mail.get_content_charset()) == ("text/plain", "utf-8"), mail
        assert "List-Unsubscribe" not in mail and not mail.is_multipart()
        assert not mail.defects, mail.defects
        lines = mail.get_content().splitlines()
        assert max(map(len, lines)) <= 100 and len(lines) <= 24, lines
        [link] = [it for it in lines if "://" in it]
        assert link.startswith("http://127.0.0.1:9/reset?token=") and lines[lines.index(link) - 1] == "", lines
        transport = "with ESMTPS" if flags else "with ESMTP "
        assert transport in " ".join(mail["Received"].split()), mail["Received"]
    finally:
        site.stop()


def is_told_of_an_address_that_there_is_not():
    site = Site(binary, folder, [f"--mail=smtp://localhost:{later}", CA])
    try:
        site.add("stray")
        site.operate("user", "email", "stray", "stray@example.org")
        site.ask("stray")
        line = site.event("mail_refused", 0)
        assert "outcome=550" in line and "5.1.1" in line and "@" not in line, line
        assert not site.waiting()
    finally:
        site.stop()


def keeps_a_mail_that_is_not_to_be_had_in_clear():
    site = Site(binary, folder, [f"--mail=smtp+plain://127.0.0.1:{later}"])
    try:
        site.add("clear")
        site.ask("clear")
        line = site.event("mail_failed", 0)
        assert "outcome=530" in line, line
    finally:
        site.stop()


checks.run("delivers by smtps:// what a reader of mail reads, in English", delivers, f"smtps://localhost:{at_once}", "anna", "en", CA)
checks.run("delivers by smtp://, in German", delivers, f"smtp://localhost:{later}", "berta", "de", CA)
checks.run("delivers by smtp+plain:// on this machine, in French", delivers, f"smtp+plain://127.0.0.1:{plain}", "chloe", "fr")
checks.run("gives up a mail to an address that there is not", is_told_of_an_address_that_there_is_not)
checks.run("keeps a mail that the relay wants with TLS alone", keeps_a_mail_that_is_not_to_be_had_in_clear)
checks.end()
