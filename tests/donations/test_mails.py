"""Mails: written once, sent at least once under one name, given up after three days; no donor adds a header."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pypdf import PdfReader

from donation_widget import Scribe
from gateway.domain.donations import Frequency
from gateway.engine.donations.giving import Donor
from gateway.engine.donations.mailroom import Composed, Mailroom, ReceiptLetter, ReminderLetter
from gateway.engine.donations.mails import MailRecord, MailStatus
from gateway.engine.idempotency import Intent
from gateway.outbox.smtp import (
    Envelope,
    MailDelayedError,
    MailRefusedError,
    SmtpPost,
    SmtpServer,
    message_of,
)
from tests.donations.post import SENDER, PostOffice, a_mailroom, a_post_office, mails_of, part
from tests.donations.stage import GivingShop
from tests.outbox.receivers import Tls

HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with a_post_office() as opened:
        yield opened


@pytest.fixture
def room(shop: GivingShop, office: PostOffice) -> Mailroom:
    return a_mailroom(shop, office, Scribe())


def given(shop: GivingShop, **more: object) -> None:
    shop.pay(shop.give(shop.add_campaign(), "25", **more))


def statuses(shop: GivingShop) -> list[tuple[MailStatus, int]]:
    return [(mail.status, mail.attempts) for mail in mails_of(shop)]


def test_a_receipt_goes_out_as_text_html_and_pdf_and_its_recipient_is_forgotten(
    shop: GivingShop, office: PostOffice, room: Mailroom
) -> None:
    given(shop)
    assert room.deliver() == 1
    (message,) = office.messages
    assert office.recipients == ["jo@example.com"]
    assert message["To"] == "jo@example.com"
    assert message["From"] == SENDER
    assert "RF-" in message["Subject"]
    assert "River Fund" in message["Subject"]
    assert message["List-Unsubscribe"] is None
    view = shop.engine.receipts.by_payment(shop.donations()[0].payment_id)
    assert view is not None
    for kind in ("plain", "html"):
        words = part(message, kind)
        assert "Dear Jo Doe," in words
        assert "$25.00" in words
        assert shop.engine.receipts.url(view) in words
        assert "/donations/statement/" in words
    (file,) = message.iter_attachments()
    assert file.get_filename() == f"{view.receipt.name}.pdf"
    printed = PdfReader(io.BytesIO(file.get_content())).pages[0].extract_text()
    assert "Jo Doe" in printed
    assert view.receipt.name in printed
    (mail,) = mails_of(shop)
    assert (mail.status, mail.attempts, mail.recipient) == (MailStatus.SENT, 1, None)
    assert room.deliver() == 0


@pytest.mark.parametrize(
    ("locale", "subject", "said"),
    [("de", "Danke", "Ihre Spende an River Fund"), ("ar", "إيصالك", 'dir="rtl"'), ("xx", "Thank you", 'lang="en"')],
)
def test_a_mail_speaks_the_language_of_the_form(
    shop: GivingShop, office: PostOffice, room: Mailroom, locale: str, subject: str, said: str
) -> None:
    given(shop, locale=locale)
    room.deliver()
    (message,) = office.messages
    assert subject in message["Subject"]
    assert said in part(message, "html")


def test_a_mail_says_to_whom_a_gift_is_dedicated_and_how_often_it_is_given(
    shop: GivingShop, office: PostOffice, room: Mailroom
) -> None:
    donor = Donor(email="jo@example.com", tribute={"kind": "memory", "name": "Ann <i>Doe</i>"})
    given(shop, donor=donor, frequency=Frequency.MONTHLY)
    room.deliver()
    (message,) = office.messages
    assert "In memory of: Ann <i>Doe</i>" in part(message, "plain")
    assert "How often: Monthly" in part(message, "plain")
    assert "<bdi>Ann &lt;i&gt;Doe&lt;/i&gt;</bdi>" in part(message, "html")
    (file,) = message.iter_attachments()
    assert "In memory of" in PdfReader(io.BytesIO(file.get_content())).pages[0].extract_text()


def test_a_receipt_that_is_sent_elsewhere_opens_nothing_else_of_the_donors(
    shop: GivingShop, office: PostOffice, room: Mailroom
) -> None:
    given(shop, frequency=Frequency.MONTHLY)
    donation_id = shop.donations()[0].id
    for address in ("JO@example.com", "eve@example.com"):
        intent = Intent(owner=shop.owner, route="resend a receipt", key=None, request_hash="")
        shop.engine.receipts.resend(intent, donation_id, email=address)
    room.deliver()
    by_address = dict(zip(office.recipients, office.messages, strict=True))
    own, other = part(by_address["JO@example.com"], "plain"), part(by_address["eve@example.com"], "plain")
    assert [word for word in ("/receipt/", "/statement/", "/stop/") if word in own] == [
        "/receipt/", "/statement/", "/stop/",
    ]  # fmt: skip
    assert [word for word in ("/receipt/", "/statement/", "/stop/") if word in other] == ["/receipt/"]
    assert by_address["eve@example.com"]["List-Unsubscribe"] is None


def test_a_regular_gifts_mail_offers_to_stop_it_with_one_click(
    shop: GivingShop, office: PostOffice, room: Mailroom
) -> None:
    """RFC 8058: both headers, and the same address in the mail itself."""
    given(shop, frequency=Frequency.MONTHLY)
    room.deliver()
    (message,) = office.messages
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    address = message["List-Unsubscribe"]
    assert address.startswith("<http")
    assert "/donations/stop/" in address
    for kind in ("plain", "html"):
        assert address.strip("<>") in part(message, kind)


def test_what_a_donor_writes_stays_text(shop: GivingShop, office: PostOffice, room: Mailroom) -> None:
    name = "<script>alert(1)</script>\r\nBcc: victim@example.com"
    given(shop, donor=Donor(name=name, email="jo@example.com", address="<b>Rome</b>"))
    room.deliver()
    (message,) = office.messages
    assert office.recipients == ["jo@example.com"]
    assert message["Bcc"] is None
    assert "<script>" not in part(message, "html")
    assert "&lt;script&gt;" in part(message, "html")
    assert "<b>Rome</b>" not in part(message, "html")
    assert "<script>alert(1)</script>" in part(message, "plain")


def test_a_charitys_name_adds_no_header(shop: GivingShop, office: PostOffice, room: Mailroom) -> None:
    charity = shop.add_charity(name="River\r\nBcc: victim@example.com\r\n\r\nFund")
    shop.pay(shop.give(shop.add_campaign(charity)))
    room.deliver()
    (message,) = office.messages
    assert message["Bcc"] is None
    assert "River Bcc: victim@example.com Fund" in message["Subject"]
    assert office.recipients == ["jo@example.com"]


@pytest.mark.parametrize(
    "recipient",
    [
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com\nX: y",
        "a@example.com, b@example.com",
        "<a@example.com>",
        "@",
        "",
    ],
)
def test_an_address_that_is_more_than_one_is_refused(recipient: str) -> None:
    with pytest.raises(MailRefusedError):
        message_of(an_envelope(recipient=recipient), sender=SENDER)


def an_envelope(recipient: str = "jo@example.com") -> Envelope:
    return Envelope(id="mail_1", recipient=recipient, subject="Hello", text="Text", html="<p>Text</p>", written_at=NOW)


def test_one_envelope_is_one_message_however_often_it_is_made() -> None:
    first, second = (message_of(an_envelope(), sender=SENDER).as_bytes() for _ in range(2))
    assert first == second
    assert b"Message-ID: <mail_1@river.example>" in first


def test_a_busy_server_gets_it_later_under_the_same_name(shop: GivingShop, office: PostOffice, room: Mailroom) -> None:
    given(shop)
    office.replies = ["451 later", "552 full"]
    assert room.deliver() == 0
    (mail,) = mails_of(shop)
    assert (mail.status, mail.failure) == (MailStatus.WAITING, "The mail server answered 451.")
    assert room.deliver() == 0, "not before its time"
    assert mails_of(shop)[0].attempts == 1
    for _ in range(2):
        shop.shop.clock.advance(HOUR)
        room.deliver()
    assert statuses(shop) == [(MailStatus.SENT, 3)]
    assert office.messages[0]["Message-ID"] == f"<{mail.id}@river.example>"


def test_an_address_that_is_not_there_is_given_up_at_once(shop: GivingShop, office: PostOffice, room: Mailroom) -> None:
    given(shop)
    office.refused_recipients = {"jo@example.com": "550 no such jo@example.com"}
    room.deliver()
    (mail,) = mails_of(shop)
    assert (mail.status, mail.recipient) == (MailStatus.FAILED, None)
    assert mail.failure == "The mail server answered 550 to the address."


def test_after_three_days_a_mail_is_given_up(shop: GivingShop, office: PostOffice, room: Mailroom) -> None:
    given(shop)
    office.refused_recipients = {"jo@example.com": "450 greylisted"}
    for _ in range(75):
        room.deliver()
        shop.shop.clock.advance(HOUR)
    (mail,) = mails_of(shop)
    assert (mail.status, mail.recipient) == (MailStatus.FAILED, None)
    assert 5 <= mail.attempts <= 11
    assert office.messages == []


def test_what_waited_three_days_for_a_server_is_not_sent_any_more(
    shop: GivingShop, office: PostOffice, room: Mailroom
) -> None:
    given(shop)
    shop.shop.clock.advance(timedelta(days=3, seconds=1))
    assert room.deliver() == 0
    assert statuses(shop) == [(MailStatus.FAILED, 0)]
    assert office.messages == []


def test_a_crash_after_sending_sends_the_same_message_again(
    shop: GivingShop, office: PostOffice, room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CrashError(BaseException):
        pass

    def crash(*_: object) -> None:
        raise CrashError

    given(shop)
    with monkeypatch.context() as patch:
        patch.setattr(Mailroom, "_settle", crash)
        with pytest.raises(CrashError):
            room.deliver()
    assert room.deliver() == 0, "somebody may still be at it"
    shop.shop.clock.advance(HOUR)
    assert room.deliver() == 1
    first, second = office.messages
    assert first.as_bytes() == second.as_bytes()
    assert statuses(shop) == [(MailStatus.SENT, 2)]


def test_two_workers_send_a_mail_once(shop: GivingShop, office: PostOffice) -> None:
    given(shop)
    (mail,) = mails_of(shop)
    room = a_mailroom(shop, office, Scribe())
    assert room._mailing is not None
    behind = replace(room._mailing, post=Meanwhile(room, mail))
    assert Mailroom(shop.engine.core, behind)._deliver(behind, mail)
    assert office.messages == [], "it was claimed with what the other one saw"
    assert statuses(shop) == [(MailStatus.SENT, 1)]


class Meanwhile:
    """A post during which another worker tries the same mail."""

    def __init__(self, room: Mailroom, mail: MailRecord) -> None:
        self._room = room
        self._mail = mail

    def send(self, envelope: Envelope) -> None:
        assert envelope.id == self._mail.id
        assert self._room._mailing is not None
        assert not self._room._deliver(self._room._mailing, self._mail)

    def probe(self) -> None:
        """It is there."""


class Broken:
    """A composer with a fault in it."""

    def receipt(self, letter: ReceiptLetter) -> Composed:
        raise KeyError(letter.page_url)

    def reminder(self, letter: ReminderLetter) -> Composed:
        raise KeyError(letter.give_url)


def test_a_mail_that_cannot_be_written_waits_and_keeps_nobody_else_waiting(
    shop: GivingShop, office: PostOffice, room: Mailroom
) -> None:
    given(shop)
    given(shop)
    assert a_mailroom(shop, office, Broken()).deliver() == 0
    assert [mail.failure for mail in mails_of(shop)] == ["The mail could not be written."] * 2
    shop.shop.clock.advance(HOUR)
    assert room.deliver() == 2


def test_without_a_server_mails_wait(shop: GivingShop) -> None:
    given(shop)
    room = shop.engine.mailroom
    assert (room.is_open, room.deliver()) == (False, 0)
    assert statuses(shop) == [(MailStatus.WAITING, 0)]
    assert room.waiting() >= 1


def test_a_server_elsewhere_gets_nothing_unencrypted() -> None:
    with a_post_office("127.0.0.2") as office:
        post = SmtpPost(office.server("127.0.0.2", username="me", password="right"), sender=SENDER)
        with pytest.raises(MailDelayedError, match="SMTPNotSupportedError"):
            post.send(an_envelope())
    assert (office.messages, office.logins) == ([], [])


@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
def test_a_server_elsewhere_proves_who_it_is_before_it_gets_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """From the first byte (smtps), or after STARTTLS (smtp)."""
    monkeypatch.setattr(SmtpServer, "is_local", False)
    tls, is_tls = Tls.make(tmp_path), scheme == "smtps"
    more = {"ssl_context": tls.server} if is_tls else {"tls": tls.server}
    with a_post_office("localhost", **more) as office:
        post = SmtpPost(office.server("localhost", username="me", password="right", is_tls=is_tls), sender=SENDER)
        with pytest.raises(MailDelayedError, match="SSLCertVerificationError"):
            post.send(an_envelope())
        assert office.logins == []
        monkeypatch.setattr(post, "_context", tls.client)
        post.send(an_envelope())
        post.probe()
    assert office.logins == ["me:right"] * 2
    assert office.recipients == ["jo@example.com"]


def test_a_wrong_password_and_a_server_that_is_away_delay_the_mail(office: PostOffice) -> None:
    with pytest.raises(MailDelayedError, match="answered 535"):
        SmtpPost(office.server(username="me", password="wrong"), sender=SENDER).probe()
    with a_post_office() as gone:
        server = gone.server()
    with pytest.raises(MailDelayedError, match="ConnectionRefusedError"):
        SmtpPost(server, sender=SENDER).send(an_envelope())
