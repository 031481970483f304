"""What became of a gift: derived with its payment, in the same tx, from the same facts and the same books."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from sqlalchemy import update

from gateway.domain.conversion import credited_price
from gateway.domain.donations import DonationStatus, donation_status
from gateway.domain.events import Event, EventType
from gateway.domain.payments import PaymentState, Place
from gateway.domain.postings import POSTED, Spot, Target, charity_paid_account
from gateway.domain.words import PaymentStatus
from gateway.engine.core import Core
from gateway.engine.donations.days import count_gift
from gateway.engine.donations.pledges import follow_pledge
from gateway.engine.donations.receipts import follow_receipt
from gateway.engine.donations.records import DonationRecord, donation_object, donation_of
from gateway.engine.facts import PaymentFacts
from gateway.kernel.money import Money
from gateway.outbox.events import append
from gateway.storage import schema
from gateway.storage.database import Tx

_OVER: Final = frozenset({PaymentStatus.EXPIRED, PaymentStatus.CANCELED})


def follow_gift(core: Core, tx: Tx, facts: PaymentFacts, state: PaymentState, target: Target) -> DonationRecord | None:
    """Bring the gift of a payment to where its payment stands, and tell; the caller holds the payment's lock.

    Returns:
        The donation if it changed, else None.
    """
    before = None if facts.beneficiary is None else donation_of(tx, facts.payment.id)
    if before is None:
        return None
    after = _derived(core, facts, state, target, before)
    if after == before:
        return None
    events = _events(before, after)
    after = replace(after, sequence=before.sequence + len(events), updated_at=core.clock.now())
    table = schema.donation
    tx.execute(update(table).where(table.c.id == after.id).values(after.row()))
    for count, event_type in enumerate(events, start=1):
        append(
            tx,
            Event(
                id=core.ids.new("evt"),
                type=event_type,
                merchant_id=after.merchant_id,
                livemode=after.livemode,
                object_id=after.id,
                sequence=before.sequence + count,
                created_at=core.clock.now(),
                data=donation_object(after),
                previous={"status": before.status.value, "amount_reversed": before.amount_reversed.major},
            ),
        )
    count_gift(tx, before, after)
    follow_receipt(core, tx, after)
    follow_pledge(core, tx, after)
    return after


def _derived(
    core: Core, facts: PaymentFacts, state: PaymentState, target: Target, before: DonationRecord
) -> DonationRecord:
    gift = _Gift.of(facts, state, target)
    amount_received = gift.worth(facts, state)
    amount_reversed = credited_price(gift.share_gone, amount_received)
    is_over = facts.payment.status in _OVER
    status = donation_status(received=amount_received, gone=amount_reversed, is_over=is_over)
    is_there = status in {DonationStatus.RECEIVED, DonationStatus.REVERSED}
    return replace(
        before,
        status=status,
        amount_received=amount_received,
        amount_reversed=amount_reversed,
        received=gift.given,
        reversed_={code: units for code, units in gift.gone.items() if units},
        owed={code: units for code, units in gift.held.items() if units},
        received_at=(before.received_at or core.clock.now()) if is_there else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gift:
    """What a payment gave, what of it went back, and what is held: atomic units by the currency that came."""

    given: Mapping[str, int]
    gone: Mapping[str, int]
    held: Mapping[str, int]

    @classmethod
    def of(cls, facts: PaymentFacts, state: PaymentState, target: Target) -> "_Gift":
        """Read it from the state and the books: what is not owed, and was not paid at once, went back."""
        assert facts.beneficiary is not None, "a gift is for somebody"
        is_whole, charity_id = facts.beneficiary.is_whole, facts.beneficiary.charity_id
        given: dict[str, int] = defaultdict(int)
        for part in state.allocations:
            if part.place is Place.GIFT or (is_whole and part.place is Place.AVAILABLE):
                given[part.money.currency] += part.money.atomic
        held, there = (
            {code: -target.get(Spot(account, code, POSTED), 0) for code in given}
            for account in (facts.beneficiary.account, charity_paid_account(charity_id))
        )
        gone = {code: units - held[code] - there[code] for code, units in given.items()}
        return cls(given=dict(given), gone=gone, held=held)

    @property
    def share_gone(self) -> Fraction:
        """Which share went back; exact where one currency came, as nearly always."""
        shares = [Fraction(self.gone[code], units) for code, units in self.given.items()]
        return sum(shares, start=Fraction(0)) / len(shares) if shares else Fraction(0)

    def worth(self, facts: PaymentFacts, state: PaymentState) -> Money:
        """Return what came, in the currency of the price."""
        if not self.given:
            return Money.zero(facts.payment.amount.currency)
        return state.gift_received if facts.payment.gift else min(state.amount_received, facts.payment.amount)


def _events(before: DonationRecord, after: DonationRecord) -> list[EventType]:
    """Return the events of a change: it came, or more of it went back."""
    found = []
    if after.status is DonationStatus.RECEIVED and before.received_at is None:
        found.append(EventType.DONATION_RECEIVED)
    if after.amount_reversed > before.amount_reversed:
        found.append(EventType.DONATION_REFUNDED)
    return found
