"""Posting: the books of one subject are brought to where its facts want them, by difference."""

from dataclasses import dataclass
from datetime import datetime

from gateway.domain.postings import Spot, Target, difference, entry_kind
from gateway.engine.core import Core
from gateway.engine.records import Owner
from gateway.kernel.money import Money
from gateway.ledger.entries import EntryDraft, Layer, Leg
from gateway.storage.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What an entry is about: a payment or an unmatched transfer, at one version."""

    owner: Owner
    id: str
    version: int


def post_difference(core: Core, tx: Tx, subject: Subject, target: Target, effective_at: datetime) -> bool:
    """Post what separates the books of a subject from `target`; return whether anything was.

    A difference that exactly takes back what stands there is posted as a reversal.
    """
    position = {Spot(*spot): amount for spot, amount in core.journal.position(tx, subject.id).items()}
    gap = difference(target, position)
    if not gap:
        return False
    is_reversal = bool(position) and not any(target.values())
    core.journal.post(
        tx,
        EntryDraft(
            merchant_id=subject.owner.merchant_id,
            livemode=subject.owner.livemode,
            kind="reversal" if is_reversal else entry_kind(gap),
            subject_id=subject.id,
            subject_version=subject.version,
            legs=tuple(
                Leg(spot.account, Money(amount, spot.currency), Layer(spot.layer)) for spot, amount in gap.items()
            ),
            effective_at=effective_at,
        ),
    )
    return True
