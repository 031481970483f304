"""Mails that wait: written in the tx of what they tell, once for each name, and sent later by the mail room."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from gateway.engine.core import Core
from gateway.engine.records import Owner, Row
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import insert_new


class MailKind(StrEnum):
    """What a mail is: a receipt, a receipt of a gift that repeats, a reminder to give again."""

    RECEIPT = "receipt"
    RECURRING = "recurring"
    REMINDER = "reminder"


class MailStatus(StrEnum):
    """Where a mail stands; `failed`: given up; `dropped`: its recipient asked to be forgotten."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMail:
    """A mail to be sent.

    Attributes:
        subject_id: what it is about: a receipt, or a pledge.
        dedup_key: names it; a second one of that name is not written.
    """

    owner: Owner
    kind: MailKind
    subject_id: str
    recipient: str
    locale: str | None
    dedup_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRecord:
    """A row of `mail`.

    Attributes:
        recipient: None once it went out, was given up or dropped.
    """

    id: str
    merchant_id: str
    livemode: bool
    kind: MailKind
    subject_id: str
    recipient: str | None
    locale: str | None
    details: dict[str, Any]
    dedup_key: str
    status: MailStatus
    attempts: int
    due_at: datetime
    failure: str | None
    created_at: datetime
    sent_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        return cls(**{**row, "kind": MailKind(row["kind"]), "status": MailStatus(row["status"])})


def queue_mail(core: Core, tx: Tx, new: NewMail) -> bool:
    """Let a mail wait for the mail room; return whether it is the first of its name."""
    now = core.clock.now()
    row = {
        "id": core.ids.new("mail"),
        "merchant_id": new.owner.merchant_id,
        "livemode": new.owner.livemode,
        "kind": new.kind.value,
        "subject_id": new.subject_id,
        "recipient": new.recipient,
        "locale": new.locale,
        "details": {},
        "dedup_key": new.dedup_key,
        "status": MailStatus.WAITING.value,
        "attempts": 0,
        "due_at": now,
        "created_at": now,
    }
    return insert_new(tx, schema.mail, row)
