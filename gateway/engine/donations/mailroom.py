"""The mail room: says what waiting mails say, hands them to the mail server, and remembers how it went.

As safe as webhooks: a mail is claimed for a while, sent outside any tx, and marked; a crash in between sends it again
under the same name. It is tried for three days.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from sqlalchemy import func, select, update

from gateway.engine.core import Core
from gateway.engine.donations.mails import MailKind, MailRecord, MailStatus
from gateway.engine.donations.pledges import (
    PledgeRecord,
    PledgeView,
    gift_times,
    load_pledge,
    pledge_view,
    reminder_link,
)
from gateway.engine.donations.receipts import ReceiptView, one_view, receipt_url
from gateway.kernel.log import Log
from gateway.outbox.schedule import next_try
from gateway.outbox.smtp import Attachment, Envelope, MailDelayedError, MailRefusedError, Post
from gateway.storage import schema
from gateway.storage.database import Tx

log = Log("engine")

BATCH: Final = 50  # mails a turn; the next one goes on
LEASE: Final = timedelta(minutes=10)  # longer than a mail server may take: who holds it that long has died
GIVE_UP: Final = timedelta(days=3)
_TOO_OLD: Final = "It could not be sent for three days."


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """What a mail says."""

    subject: str
    text: str
    html: str
    attachments: Sequence[Attachment] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptLetter:
    """What the mail with a receipt is written from; `stop_url` ends a gift that repeats.

    Attributes:
        statement_url: the year's statement, for the donor alone.
    """

    locale: str | None
    receipt: ReceiptView
    page_url: str
    statement_url: str | None
    stop_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderLetter:
    """What the mail that reminds of a promise is written from."""

    locale: str | None
    pledge: PledgeView
    give_url: str
    stop_url: str


class Composer(Protocol):
    """Who finds the words: the engine knows no language and no template."""

    def receipt(self, letter: ReceiptLetter) -> Composed:
        """Write the mail with a receipt."""
        ...

    def reminder(self, letter: ReminderLetter) -> Composed:
        """Write the mail that reminds."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailing:
    """How mail goes out, where it does."""

    post: Post
    composer: Composer


@dataclass(frozen=True, slots=True, kw_only=True)
class _Letter:
    """A mail, all but its words."""

    compose: Callable[[Composer], Composed]
    stop_url: str | None
    reply_to: str | None


class Mailroom:
    """Sends what waits."""

    def __init__(self, core: Core, mailing: Mailing | None) -> None:
        self._core = core
        self._mailing = mailing

    @property
    def is_open(self) -> bool:
        """Whether a mail server is set; without one, mails wait for three days."""
        return self._mailing is not None

    def waiting(self) -> int:
        """Return how many mails wait."""
        table = schema.mail
        query = select(func.count()).select_from(table).where(table.c.status == MailStatus.WAITING.value)
        return self._core.db.read(lambda tx: int(tx.scalar(query) or 0))

    def probe(self) -> None:
        """Ask the mail server whether it would take mail.

        Raises:
            MailDelayedError: it would not.
        """
        if self._mailing is not None:
            self._mailing.post.probe()

    def deliver(self) -> int:
        """Send what is due; return how many mails went out."""
        if self._mailing is None:
            return 0
        mailing = self._mailing
        table, now = schema.mail, self._core.clock.now()
        is_due = (table.c.status == MailStatus.WAITING.value) & (table.c.due_at <= now)
        query = select(table).where(is_due).order_by(table.c.due_at).limit(BATCH)
        due = self._core.db.read(lambda tx: [MailRecord.of(row) for row in tx.execute(query).mappings()])
        return sum(self._deliver(mailing, mail) for mail in due)

    def _deliver(self, mailing: Mailing, mail: MailRecord) -> bool:
        """Send one mail, unless another worker has it; return whether it went out."""
        now = self._core.clock.now()
        if now - mail.created_at > GIVE_UP:
            self._settle(mail, mail.attempts, MailStatus.FAILED, _TOO_OLD)
            return False
        lease = {"attempts": mail.attempts + 1, "due_at": now + LEASE}
        if not self._core.db.write(lambda tx: _change(tx, mail, mail.attempts, lease)):
            return False
        try:
            mailing.post.send(self._envelope(mailing.composer, mail))
        except MailRefusedError as error:
            self._settle(mail, mail.attempts + 1, MailStatus.FAILED, error.reason)
            return False
        except MailDelayedError as error:
            self._put_off(mail, error.reason)
            return False
        except Exception:  # one mail that cannot be written keeps nobody else's waiting
            log.exception("mail_not_written", mail_id=mail.id)
            self._put_off(mail, "The mail could not be written.")
            return False
        self._settle(mail, mail.attempts + 1, MailStatus.SENT, None)
        return True

    def _put_off(self, mail: MailRecord, reason: str) -> None:
        now, tries = self._core.clock.now(), mail.attempts + 1
        again = next_try(tries, now, livemode=True, spread=0)
        if again is None or again - mail.created_at > GIVE_UP:
            self._settle(mail, tries, MailStatus.FAILED, reason)
            return
        log.warning("mail_put_off", mail_id=mail.id, tries=tries, reason=reason)
        values = {"due_at": again, "failure": reason}
        self._core.db.write(lambda tx: _change(tx, mail, tries, values))

    def _settle(self, mail: MailRecord, attempts: int, status: MailStatus, failure: str | None) -> None:
        """Close a mail, and forget whom it was for."""
        sent_at = self._core.clock.now() if status is MailStatus.SENT else None
        values = {"status": status.value, "failure": failure, "sent_at": sent_at, "recipient": None}
        self._core.db.write(lambda tx: _change(tx, mail, attempts, values))
        log.info("mail_settled", mail_id=mail.id, status=status.value)

    def _envelope(self, composer: Composer, mail: MailRecord) -> Envelope:
        letter = self._core.db.read(lambda tx: self._letter(tx, mail))
        words = letter.compose(composer)
        assert mail.recipient is not None, "a mail that waits knows for whom"
        return Envelope(
            id=mail.id,
            recipient=mail.recipient,
            subject=words.subject,
            text=words.text,
            html=words.html,
            attachments=words.attachments,
            written_at=mail.created_at,
            stop_url=letter.stop_url,
            reply_to=letter.reply_to,
        )

    def _letter(self, tx: Tx, mail: MailRecord) -> _Letter:
        match mail.kind:
            case MailKind.RECEIPT | MailKind.RECURRING:
                return self._receipt(tx, mail)
            case MailKind.REMINDER:
                return self._reminder(tx, mail)

    def _receipt(self, tx: Tx, mail: MailRecord) -> _Letter:
        view = one_view(tx, schema.donation_receipt.c.id == mail.subject_id)
        # Staff may send a receipt to another address than the donor left: what opens or ends more stays out of that.
        is_donors = _is_to_donor(tx, mail, view.donation.id)
        pledge_id = view.donation.pledge_id if is_donors else None
        stop_url = None if pledge_id is None else self._stop_url(load_pledge(tx, pledge_id).token)
        letter = ReceiptLetter(
            locale=mail.locale,
            receipt=view,
            page_url=receipt_url(self._core, view.receipt),
            statement_url=self._statement_url(tx, view) if is_donors else None,
            stop_url=stop_url,
        )
        return _Letter(
            compose=lambda composer: composer.receipt(letter),
            stop_url=stop_url,
            reply_to=view.receipt.issuer["email"],
        )

    def _reminder(self, tx: Tx, mail: MailRecord) -> _Letter:
        view = pledge_view(tx, load_pledge(tx, mail.subject_id))
        if view.pledge.stopped_at is not None:
            raise MailRefusedError("It was stopped before.")
        if any(one >= mail.created_at for one in gift_times(tx, view.pledge.id)):
            raise MailRefusedError("It was given before.")
        if not view.campaign.is_open(self._core.clock.now()):
            raise MailRefusedError("The campaign is over.")
        letter = ReminderLetter(
            locale=mail.locale,
            pledge=view,
            give_url=self._give_url(view.pledge, mail),
            stop_url=self._stop_url(view.pledge.token),
        )
        return _Letter(
            compose=lambda composer: composer.reminder(letter), stop_url=letter.stop_url, reply_to=view.charity_email
        )

    def _give_url(self, pledge: PledgeRecord, mail: MailRecord) -> str:
        asked = {"amount": pledge.amount.major, "pledge": reminder_link(pledge, mail.created_at)}
        if mail.locale is not None:
            asked["lang"] = mail.locale
        return f"{self._core.base_url}/donate/{pledge.campaign_id}?{urlencode(asked)}"

    def _stop_url(self, token: str) -> str:
        return f"{self._core.base_url}/donations/stop/{token}"

    def _statement_url(self, tx: Tx, view: ReceiptView) -> str | None:
        donors = schema.donor
        query = select(donors.c.statement_token).where(donors.c.donation_id == view.donation.id)
        token = tx.scalar(query)
        return token and f"{self._core.base_url}/donations/statement/{token}/{view.receipt.year}"


def _is_to_donor(tx: Tx, mail: MailRecord, donation_id: str) -> bool:
    """Tell whether a mail goes to the address that the donor left, however it is spelled."""
    left = tx.scalar(select(schema.donor.c.email).where(schema.donor.c.donation_id == donation_id))
    return left is not None and mail.recipient is not None and left.lower() == mail.recipient.lower()


def _change(tx: Tx, mail: MailRecord, attempts: int, values: dict[str, Any]) -> bool:
    """Change a mail that still waits after so many tries; return whether it did."""
    table = schema.mail
    is_same = (table.c.id == mail.id) & (table.c.attempts == attempts) & (table.c.status == MailStatus.WAITING.value)
    return tx.execute(update(table).where(is_same).values(values)).rowcount == 1
