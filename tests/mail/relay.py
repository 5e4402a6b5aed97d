"""Relays that misbehave, on loopback: aiosmtpd, and plain sockets for what no library would do."""

import asyncio
import logging
import ssl
import threading
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

# A conversation that ends early is what these are for.
logging.disable()
warnings.simplefilter("ignore")

USER, PASSWORD = "vestibule", "a password of the relay"


class Part:
    """What a relay does in the next conversations: at each step an answer, or a call that makes none."""

    def __init__(self):
        self.answers = {}
        self.mails = []
        self.heard = []
        self.offers_tls = True

    def play(self, **answers):
        self.answers = answers
        self.heard = []

    async def answer(self, server, step, usual):
        self.heard.append((step, server.session.ssl is not None))
        does = self.answers.get(step, usual)
        if callable(does):
            does = does(server)
        if asyncio.iscoroutine(does):
            does = await does
        return does

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        said = await self.answer(server, "EHLO", None)
        if said is not None:
            return [said]
        return responses if self.offers_tls else [it for it in responses if "STARTTLS" not in it]

    async def handle_MAIL(self, server, session, envelope, address, options):
        envelope.mail_from = address
        return await self.answer(server, "MAIL", "250 2.1.0 ok")

    async def handle_RCPT(self, server, session, envelope, address, options):
        envelope.rcpt_tos.append(address)
        return await self.answer(server, "RCPT", "250 2.1.5 ok")

    async def handle_DATA(self, server, session, envelope):
        said = await self.answer(server, "TEXT", "250 2.0.0 taken")
        if said.startswith("2") and not server.transport.is_closing():
            self.mails.append(envelope.content)
        return said

    async def handle_QUIT(self, server, session, envelope):
        return await self.answer(server, "QUIT", "221 2.0.0 bye")


def drop(server):
    """Ends the connection without a word."""
    server.transport.abort()
    return "250 too late"


async def hang(_server):
    await asyncio.sleep(3600)


def authenticate(server, session, envelope, mechanism, data):
    server.event_handler.heard.append(("AUTH", session.ssl is not None))
    is_right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_right, handled=False)


class Relay(Controller):
    """A relay of aiosmtpd. `at_once` and `later` are TLS contexts, for smtps:// and STARTTLS."""

    def __init__(self, part, at_once=None, later=None, **more):
        self.more = dict(more, tls_context=later)
        super().__init__(part, hostname="127.0.0.1", port=0, ssl_context=at_once)
        self.part = part

    def factory(self):
        return SMTP(self.handler, hostname="relay", enable_SMTPUTF8=False, **self.more)

    def start(self):
        # The library knocks at the port that it was told; ours is chosen by the system.
        started = threading.Event()

        def run():
            asyncio.set_event_loop(self.loop)
            self.server = self.loop.run_until_complete(self._create_server())
            self.port = self.server.sockets[0].getsockname()[1]
            started.set()
            self.loop.run_forever()

        threading.Thread(target=run, daemon=True).start()
        started.wait()
        return self


def raw(conversation):
    """A relay that is one coroutine: reader and writer of each connection. Returns its port."""
    found = []
    started = threading.Event()

    async def serve():
        async def one(reader, writer):
            try:
                await conversation(reader, writer)
            except (OSError, EOFError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(one, "127.0.0.1", 0)
        found.append(server.sockets[0].getsockname()[1])
        started.set()
        await server.serve_forever()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()
    started.wait()
    return found[0]


def context(folder, name):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{folder}/{name}.pem", f"{folder}/{name}.key")
    return tls
