"""A Maildir as a reader of mail sees it."""

import mailbox

from site_under_test import read, wait_for


def arrived(folder, address):
    """The newest mail to this address, once it has come."""

    def look():
        try:
            inbox = mailbox.Maildir(folder, create=False)
            mails = sorted(inbox, key=lambda it: it.get_date(), reverse=True)
        except (FileNotFoundError, mailbox.NoSuchMailboxError):
            return None
        return next((it for it in mails if it["To"] == address), None)

    return read(wait_for(f"a mail to {address}", look).as_bytes())
