"""Mail, the other way out: one message over SMTP, encrypted unless the server stands on this machine.

What is sent is built by the standard library's `email` with its strict policy, so that no text can add a header. The
same envelope is the same message on every try: its `Message-ID` tells a mail server, and a reader, of a double.
"""

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Final, Protocol

TIMEOUT_S: Final = 20  # each answer of a mail server: slow ones look at what they were sent
_PERMANENT: Final = 500  # replies from here on are final (RFC 5321, section 4.2.1)
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class MailDelayedError(Exception):
    """It did not go out now; `reason` is a short sentence without anybody's name."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MailRefusedError(MailDelayedError):
    """It never will: there is no such address, or none that can be written to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that goes with a mail."""

    name: str
    maintype: str
    subtype: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One mail, as it is sent on every try.

    Attributes:
        id: names it for ever; becomes its `Message-ID`.
        stop_url: ends what this mail is one of; a reader's program offers it as a button (RFC 8058).
        reply_to: whom an answer reaches, if not the sender.
    """

    id: str
    recipient: str
    subject: str
    text: str
    html: str
    written_at: datetime
    attachments: Sequence[Attachment] = ()
    stop_url: str | None = None
    reply_to: str | None = None


class Post(Protocol):
    """Who carries mail."""

    def send(self, envelope: Envelope) -> None:
        """Hand a mail to the mail server.

        Raises:
            MailRefusedError: for good.
            MailDelayedError: it may go later. After a broken connection it may have gone: the id tells of a double.
        """
        ...

    def probe(self) -> None:
        """Log in and out.

        Raises:
            MailDelayedError: that does not work.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where mail is handed over.

    Attributes:
        is_tls: encrypted from the first byte; else the connection is upgraded before anything is said, except on
            loopback.
    """

    host: str
    port: int
    is_tls: bool
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether it stands on this machine, so that nobody listens."""
        return self.host in _LOOPBACK


class SmtpPost:
    """Hands mail to one server, a connection for each."""

    def __init__(self, server: SmtpServer, *, sender: str) -> None:
        self._server = server
        self._sender = sender
        self._context = ssl.create_default_context()

    def send(self, envelope: Envelope) -> None:
        """Hand a mail over; see `Post`."""
        message = message_of(envelope, sender=self._sender)
        with self._line() as line:
            line.send_message(message, from_addr=_plain(self._sender), to_addrs=[envelope.recipient])

    def probe(self) -> None:
        """Log in and out; see `Post`."""
        with self._line() as line:
            line.noop()

    @contextmanager
    def _line(self) -> Iterator[smtplib.SMTP]:
        try:
            with self._open() as line:
                self._greet(line)
                yield line
        except smtplib.SMTPRecipientsRefused as error:
            code = max(answer[0] for answer in error.recipients.values())
            kind = MailRefusedError if code >= _PERMANENT else MailDelayedError
            raise kind(f"The mail server answered {code} to the address.") from None
        except smtplib.SMTPResponseException as error:
            raise MailDelayedError(f"The mail server answered {error.smtp_code}.") from None
        except (smtplib.SMTPException, OSError) as error:
            raise MailDelayedError(f"The mail server could not be used: {type(error).__name__}.") from None

    def _open(self) -> smtplib.SMTP:
        server = self._server
        if server.is_tls:
            return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=self._context)
        return smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)

    def _greet(self, line: smtplib.SMTP) -> None:
        server = self._server
        if not server.is_tls and not server.is_local:
            line.starttls(context=self._context)  # a server without it is an error, never a reason to speak openly
        if server.username is not None:
            line.login(server.username, server.password or "")


def message_of(envelope: Envelope, *, sender: str) -> EmailMessage:
    """Return the message of an envelope; the same one always.

    Raises:
        MailRefusedError: the address cannot stand in a header.
    """
    name, plain = parseaddr(sender)
    message = EmailMessage(policy=SMTP)
    try:
        message["To"] = Address(addr_spec=envelope.recipient)
        message["From"] = Address(display_name=name, addr_spec=plain)
        message["Subject"] = one_line(envelope.subject)
        if envelope.reply_to is not None:
            message["Reply-To"] = Address(addr_spec=envelope.reply_to)
    except (ValueError, IndexError, MessageError):
        raise MailRefusedError("The address cannot be written to.") from None
    message["Date"] = format_datetime(envelope.written_at)
    message["Message-ID"] = f"<{envelope.id}@{plain.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    if envelope.stop_url is not None:
        message["List-Unsubscribe"] = f"<{envelope.stop_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(envelope.text)
    message.add_alternative(envelope.html, subtype="html")
    for one in envelope.attachments:
        message.add_attachment(one.content, maintype=one.maintype, subtype=one.subtype, filename=one.name)
    _fix_boundaries(message, envelope.id)
    return message


def one_line(text: str) -> str:
    """Return a text without line breaks and other characters that do not print."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _fix_boundaries(message: EmailMessage, name: str) -> None:
    """Name the boundaries after the mail: the library's own are dice, and bytes would differ on every try."""
    for place, part in enumerate(message.walk()):
        if part.is_multipart():
            part.set_boundary(f"={name}={place}=")


def _plain(sender: str) -> str:
    return parseaddr(sender)[1]
