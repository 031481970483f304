"""A mail server on loopback that keeps what it is handed, and answers as a test wants."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session
from sqlalchemy import select, update

from gateway.engine.donations.mailroom import Composer, Mailing, Mailroom
from gateway.engine.donations.mails import MailRecord, MailStatus
from gateway.outbox.smtp import SmtpPost, SmtpServer
from gateway.storage import schema
from tests.donations.stage import GivingShop

SENDER = "River Fund <receipts@river.example>"


class PostOffice:
    """What came, and what the next ones are answered; `replies` are used up one by one."""

    def __init__(self) -> None:
        self.port = 0
        self.messages: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.replies: list[str] = []
        self.refused_recipients: dict[str, str] = {}
        self.logins: list[str] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd finds its hooks by these names
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused_recipients:
            return self.refused_recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - the same
        if self.replies:
            return self.replies.pop(0)
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.recipients += envelope.rcpt_tos
        return "250 OK"

    def authenticate(
        self, _server: Any, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        self.logins.append(f"{data.login.decode()}:{data.password.decode()}")
        return AuthResult(success=data.password == b"right", handled=False)

    def server(
        self,
        host: str = "127.0.0.1",
        *,
        is_tls: bool = False,
        username: str | None = None,
        password: str | None = None,
    ) -> SmtpServer:
        return SmtpServer(host=host, port=self.port, is_tls=is_tls, username=username, password=password)


@contextmanager
def a_post_office(host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, **more: Any) -> Iterator[PostOffice]:
    """Serve one; with `tls` it offers STARTTLS."""
    office = PostOffice()
    with socket.create_server((host, 0)) as probe:
        office.port = probe.getsockname()[1]
    controller = Controller(
        office,
        hostname=host,
        port=office.port,
        authenticator=office.authenticate,
        auth_require_tls=False,
        tls_context=tls,
        **more,
    )
    controller.start()
    try:
        yield office
    finally:
        controller.stop()


def a_mailroom(shop: GivingShop, office: PostOffice, composer: Composer) -> Mailroom:
    """Open a mail room that hands to this office; what other tests left waiting is dropped."""
    table = schema.mail
    is_others = (table.c.status == "waiting") & (table.c.merchant_id != shop.shop.owner.merchant_id)
    shop.shop.db.write(lambda tx: tx.execute(update(table).where(is_others).values(status=MailStatus.DROPPED.value)))
    post = SmtpPost(office.server(), sender=SENDER)
    return Mailroom(shop.engine.core, Mailing(post=post, composer=composer))


def mails_of(shop: GivingShop) -> list[MailRecord]:
    """Return this merchant's mails, oldest first."""
    table = schema.mail
    query = select(table).where(table.c.merchant_id == shop.shop.owner.merchant_id).order_by(table.c.id)
    return shop.shop.db.read(lambda tx: [MailRecord.of(row) for row in tx.execute(query).mappings()])


def part(message: EmailMessage, kind: str) -> str:
    """Return the text or the HTML of a mail."""
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())
