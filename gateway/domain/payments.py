"""From facts to state: what a payment is, given everything that was observed. Pure; order and repetition cannot matter.

Chain transfers and providers' charges are facts of one kind here: both become receipts, money of one attempt that is
settled or not. The state also says where every unit of money belongs, so that the books follow from the same function
as the status.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Final

from gateway.domain.conversion import covered as covered_part
from gateway.domain.conversion import credited_price, rest_due
from gateway.domain.merchants import MerchantSettings
from gateway.domain.words import ChargeStatus, LatePolicy, PaymentException, PaymentStatus, TransferStage
from gateway.kernel.money import Money

# A chain's clock and ours may differ, and a wallet takes a moment: this close behind the deadline is in time.
LATE_GRACE: Final = timedelta(seconds=60)
# How long late money may still count at the kept rate; after that it is owed back, whatever the merchant's rule.
LATE_LIMIT: Final = timedelta(days=3)
_BPS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentTerms:
    """The obligation: what is due, until when, and by whose rules.

    Attributes:
        closed_at: the window is over and the scanner has passed it with nothing left unread; None before.
        canceled_at: the merchant or the shopper called it off; None otherwise.
        gift: what the shopper gives to a charity on top of the amount; None for nothing.
    """

    amount: Money
    gift: Money | None = None
    expires_at: datetime
    closed_at: datetime | None
    canceled_at: datetime | None
    settings: MerchantSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFact:
    """One offer to pay `due`, and a `gift` for a charity on top, until `expires_at` at a kept rate."""

    id: str
    due: Money
    expires_at: datetime
    gift: Money | None = None

    @property
    def asked(self) -> Money:
        """All that is asked for."""
        return self.due if self.gift is None else self.due + self.gift


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferFact:
    """One chain transfer that was attributed to an attempt.

    Attributes:
        highest_stage: the furthest it ever came, so that a reorg of settled money is never forgotten.
        is_accepted_by_hand: staff decided that it counts, whenever it came.
        is_to_charity: it is the gift, and went to the charity's own address.
    """

    id: str
    attempt_id: str
    amount: Money
    stage: TransferStage
    highest_stage: TransferStage
    slot: int
    signature: str
    path: str
    happened_at: datetime
    is_accepted_by_hand: bool
    is_to_charity: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeFact:
    """One charge at a provider, as it was read last.

    Attributes:
        amount: what it is for, held or asked; `captured`: what was taken; `capturable`: what may still be taken.
        happened_at: when the shopper's part was done, so that a bank's slowness makes nobody late.
        was_held: the shopper had done his part; a hold that was let go or lapsed afterwards is the payment's end.
    """

    id: str
    attempt_id: str
    status: ChargeStatus
    amount: Money
    captured: Money
    capturable: Money
    happened_at: datetime
    was_held: bool
    has_fraud_warning: bool


class Place(StrEnum):
    """Where a unit of received money belongs."""

    PENDING = "pending"
    AVAILABLE = "available"
    SUSPENSE = "suspense"
    REFUND_PAYABLE = "refund_payable"
    GIFT = "gift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """So much of one receipt (a chain transfer, a charge) belongs there."""

    source_id: str
    money: Money
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentState:
    """What follows from the facts.

    Attributes:
        amount_received: what settled and counts, in the price's currency, rounded down.
        amount_capturable: what is held and may still be taken, in the price's currency.
        covered: the settled part of the obligation, exact; 1 is everything.
        announced: the same with what was seen but is not settled.
        gift_received: how much of the gift on top came, in the price's currency, rounded down.
        gift_announced: the share of the gift that was seen, settled or not.
    """

    status: PaymentStatus
    exceptions: frozenset[PaymentException]
    amount_received: Money
    amount_capturable: Money
    covered: Fraction
    announced: Fraction
    gift_received: Money
    gift_announced: Fraction
    allocations: tuple[Allocation, ...]


class _Wait(StrEnum):
    """What a receipt that is not settled waits for."""

    CHAIN = "chain"
    CAPTURE = "capture"
    PROVIDER = "provider"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Receipt:
    """Money of one attempt: settled, or waiting for something."""

    source_id: str
    offer: AttemptFact
    amount: Money
    wait: _Wait | None
    counts: bool
    is_to_charity: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gifts:
    """What of the receipts is the gift: by receipt, as a share of the price, and as a share of the gift."""

    parts: Mapping[str, Money]
    of_price: Fraction
    of_gift: Fraction


def derive(
    terms: PaymentTerms,
    attempts: Sequence[AttemptFact],
    transfers: Sequence[TransferFact],
    charges: Sequence[ChargeFact] = (),
    *,
    has_unknown_operation: bool = False,
) -> PaymentState:
    """Return the state that these facts make; the order in which they are given does not matter."""
    offers = {attempt.id: attempt for attempt in attempts}
    ordered = sorted(transfers, key=lambda fact: (fact.slot, fact.signature, fact.path))
    charged = sorted(charges, key=lambda fact: (fact.happened_at, fact.id))
    receipts = [_of_transfer(terms, offers, fact) for fact in ordered if fact.stage is not TransferStage.DROPPED]
    receipts += [receipt for fact in charged for receipt in _of_charge(terms, offers[fact.attempt_id], fact)]
    counted = [receipt for receipt in receipts if receipt.counts]
    settled = [receipt for receipt in counted if receipt.wait is None and not receipt.is_to_charity]
    giving = [receipt for receipt in receipts if receipt.counts or receipt.is_to_charity]
    gifts, announced = _gifts(giving, is_settled_only=True), _gifts(giving, is_settled_only=False)
    covered = _covered(settled) - gifts.of_price
    has_excess = _has_excess(terms.settings, settled, covered=covered)
    status = _status(terms, charged, counted, covered)
    exceptions = _exceptions_of_transfers(terms, offers, ordered) | _exceptions_of_charges(terms, offers, charged)
    return PaymentState(
        status=status,
        exceptions=exceptions
        | _exceptions_of_receipts(settled, has_excess=has_excess)
        | ({PaymentException.UNKNOWN_OPERATION} if has_unknown_operation else frozenset()),
        amount_received=credited_price(covered, terms.amount),
        amount_capturable=_capturable(terms, counted),
        covered=covered,
        announced=_covered(counted) - announced.of_price,
        gift_received=credited_price(gifts.of_gift, terms.gift or Money.zero(terms.amount.currency)),
        gift_announced=announced.of_gift,
        allocations=_allocate(receipts, gifts, is_paid=status is PaymentStatus.PAID, has_excess=has_excess),
    )


def _of_transfer(terms: PaymentTerms, offers: dict[str, AttemptFact], fact: TransferFact) -> _Receipt:
    offer = offers[fact.attempt_id]
    return _Receipt(
        source_id=fact.id,
        offer=offer,
        amount=fact.amount,
        wait=None if is_settled(terms.settings, _at_stake(offer, fact), fact.stage) else _Wait.CHAIN,
        counts=fact.is_accepted_by_hand or _counts(terms, offer, fact.happened_at),
        is_to_charity=fact.is_to_charity,
    )


def _of_charge(terms: PaymentTerms, offer: AttemptFact, fact: ChargeFact) -> Iterator[_Receipt]:
    """Yield what a charge has taken, what it holds, and what its provider still works on."""
    counts = fact.amount.currency == offer.due.currency and _counts(terms, offer, fact.happened_at)
    parts: list[tuple[Money, _Wait | None]] = [(fact.captured, None)]
    if fact.status is ChargeStatus.AUTHORIZED:
        parts.append((fact.capturable, _Wait.CAPTURE))
    elif fact.status is ChargeStatus.PROCESSING:
        parts.append((fact.amount - fact.captured, _Wait.PROVIDER))
    for amount, wait in parts:
        if amount.atomic:
            yield _Receipt(source_id=fact.id, offer=offer, amount=amount, wait=wait, counts=counts)


def is_settled(settings: MerchantSettings, amount: Money, stage: TransferStage) -> bool:
    """Tell whether a transfer at this stage may be relied on: final, or confirmed below the merchant's own limit."""
    if stage is TransferStage.FINAL:
        return True
    limit = (settings.accept_confirmed_below or {}).get(amount.currency, 0)
    return stage is TransferStage.CONFIRMED and amount.atomic < limit


def _at_stake(offer: AttemptFact, fact: TransferFact) -> Money:
    """Return what would be lost if a transfer were taken back: its sum, or all that it is a part of.

    Else an order of any size, paid in small parts, would be relied on before one of them is final.
    """
    return max(fact.amount, offer.asked)


def is_late(terms: PaymentTerms, attempt: AttemptFact, happened_at: datetime) -> bool:
    """Tell whether money came after its offer's deadline, or after the payment was called off."""
    if happened_at > attempt.expires_at + LATE_GRACE:
        return True
    return terms.canceled_at is not None and happened_at > terms.canceled_at + LATE_GRACE


def late_policy_at(settings: MerchantSettings, deadline: datetime, instant: datetime) -> LatePolicy:
    """Return what becomes of money that comes at `instant`: a kept rate must not be an option for ever."""
    return settings.late_policy if instant <= deadline + LATE_LIMIT else LatePolicy.REFUND


def _counts(terms: PaymentTerms, attempt: AttemptFact, happened_at: datetime) -> bool:
    """Late money counts by the merchant's rule, and never once the payment was called off."""
    if not is_late(terms, attempt, happened_at):
        return True
    policy = late_policy_at(terms.settings, attempt.expires_at, happened_at)
    return policy is LatePolicy.ACCEPT and terms.canceled_at is None


def _covered(receipts: Sequence[_Receipt]) -> Fraction:
    own = [receipt for receipt in receipts if not receipt.is_to_charity]
    return covered_part([(receipt.amount.atomic, receipt.offer.due.atomic) for receipt in own])


def _gifts(giving: Sequence[_Receipt], *, is_settled_only: bool) -> _Gifts:
    """Say what of the receipts is the gift: the order is filled first, then the gift that its offer asks for.

    What went to a charity's own address is given, even if it came too late for the order; nobody can take it back, so
    it counts before what came through the merchant.
    """
    parts: dict[str, Money] = {}
    filled = of_price = of_gift = Fraction(0)
    there_first = sorted(giving, key=lambda receipt: not receipt.is_to_charity)
    for receipt in (one for one in there_first if one.wait is None or not is_settled_only):
        due, gift, amount = receipt.offer.due, receipt.offer.gift, receipt.amount
        if not receipt.is_to_charity:
            rest = amount - min(rest_due(filled, due), amount)
            filled += Fraction(amount.atomic, due.atomic)
            amount = rest
        if not gift:
            continue
        part = min(rest_due(of_gift, gift), amount)
        of_gift += Fraction(part.atomic, gift.atomic)
        if part and not receipt.is_to_charity:
            parts[receipt.source_id] = part
            of_price += Fraction(part.atomic, due.atomic)
    return _Gifts(parts=parts, of_price=of_price, of_gift=of_gift)


def _capturable(terms: PaymentTerms, counted: Sequence[_Receipt]) -> Money:
    """Return what is held; only providers hold, and they hold the price's own currency."""
    held = (receipt.amount for receipt in counted if receipt.wait is _Wait.CAPTURE)
    return sum(held, start=Money.zero(terms.amount.currency))


def _is_full(settings: MerchantSettings, covered: Fraction) -> bool:
    return covered * _BPS >= _BPS - settings.tolerance_bps


def _has_excess(settings: MerchantSettings, settled: Sequence[_Receipt], *, covered: Fraction) -> bool:
    """Tell whether more came than was due, beyond the tolerance and beyond what rounding alone makes.

    The rest in another currency is asked for rounded up, so parts that were paid exactly as asked may cover a hair more
    than everything: less than one atomic unit of the coarsest of their currencies.
    """
    excess = covered - 1
    if excess * _BPS <= settings.tolerance_bps:
        return False
    return excess >= max(Fraction(1, receipt.offer.due.atomic) for receipt in settled)


def _status(
    terms: PaymentTerms, charges: Sequence[ChargeFact], counted: Sequence[_Receipt], covered: Fraction
) -> PaymentStatus:
    waits = {receipt.wait for receipt in counted}
    if covered > 0 and (_is_full(terms.settings, covered) or _is_capture_closed(charges, waits)):
        return PaymentStatus.PAID
    for wait, status in _BY_WAIT.items():
        if wait in waits:
            return status
    if covered > 0:
        return PaymentStatus.UNDERPAID
    is_let_go = any(fact.status is ChargeStatus.CANCELED and fact.was_held for fact in charges)
    if terms.canceled_at is not None or is_let_go:
        return PaymentStatus.CANCELED
    if terms.closed_at is not None:
        return PaymentStatus.EXPIRED
    is_asked = any(fact.status is ChargeStatus.REQUIRES_ACTION for fact in charges)
    return PaymentStatus.REQUIRES_ACTION if is_asked else PaymentStatus.OPEN


_BY_WAIT: Final = {
    _Wait.CHAIN: PaymentStatus.CONFIRMING,
    _Wait.CAPTURE: PaymentStatus.AUTHORIZED,
    _Wait.PROVIDER: PaymentStatus.PROCESSING,
}


def _is_capture_closed(charges: Sequence[ChargeFact], waits: set[_Wait | None]) -> bool:
    """Tell whether the merchant took a part of a hold and released the rest: then that part is all that was owed."""
    is_part_taken = any(0 < fact.captured.atomic < fact.amount.atomic for fact in charges)
    return is_part_taken and _Wait.CAPTURE not in waits


def _exceptions_of_receipts(settled: Sequence[_Receipt], *, has_excess: bool) -> frozenset[PaymentException]:
    found = {PaymentException.OVERPAID} if has_excess else set()
    if sum(receipt.amount.atomic >= receipt.offer.due.atomic for receipt in settled) > 1:
        found.add(PaymentException.DOUBLE_PAYMENT)
    return frozenset(found)


def _exceptions_of_transfers(
    terms: PaymentTerms, offers: dict[str, AttemptFact], transfers: Sequence[TransferFact]
) -> frozenset[PaymentException]:
    found = set()
    for fact in transfers:
        offer = offers[fact.attempt_id]
        if fact.stage is TransferStage.DROPPED:
            if is_settled(terms.settings, _at_stake(offer, fact), fact.highest_stage):
                found.add(PaymentException.REORG)
        elif is_late(terms, offer, fact.happened_at):
            found.add(PaymentException.LATE)
    return frozenset(found)


_MONEY_MOVED: Final = frozenset({ChargeStatus.AUTHORIZED, ChargeStatus.PROCESSING, ChargeStatus.SUCCEEDED})


def _exceptions_of_charges(
    terms: PaymentTerms, offers: dict[str, AttemptFact], charges: Sequence[ChargeFact]
) -> frozenset[PaymentException]:
    found = set()
    for fact in (one for one in charges if one.status in _MONEY_MOVED):
        offer = offers[fact.attempt_id]
        if fact.amount != offer.asked:
            found.add(PaymentException.AMOUNT_MISMATCH)
        if is_late(terms, offer, fact.happened_at):
            found.add(PaymentException.LATE)
        if fact.has_fraud_warning:
            found.add(PaymentException.EARLY_FRAUD_WARNING)
    return frozenset(found)


def _allocate(
    receipts: Sequence[_Receipt], gifts: _Gifts, *, is_paid: bool, has_excess: bool
) -> tuple[Allocation, ...]:
    """Say where each unit belongs, in order: the first receipts fill the obligation, then the gift; the rest is excess.

    What went to a charity's own address is the gift, whatever becomes of the order, and ours at no time.
    """
    allocations = []
    filled = Fraction(0)
    for receipt in receipts:
        due, amount = receipt.offer.due, receipt.amount
        if receipt.is_to_charity:
            split = [(amount, Place.GIFT)] if receipt.wait is None else []
        elif receipt.wait is not None:
            split = [(amount, Place.PENDING)]
        elif not receipt.counts:
            split = [(amount, Place.SUSPENSE if amount.currency != due.currency else Place.REFUND_PAYABLE)]
        elif not is_paid:
            split = [(amount, Place.SUSPENSE)]
        else:
            gift = gifts.parts.get(receipt.source_id, Money.zero(amount.currency))
            needed = min(rest_due(filled, due), amount - gift) if has_excess else amount - gift
            filled += Fraction((amount - gift).atomic, due.atomic)
            excess = amount - gift - needed
            split = [(needed, Place.AVAILABLE), (gift, Place.GIFT), (excess, Place.SUSPENSE)]
        allocations += [
            Allocation(source_id=receipt.source_id, money=money, place=place) for money, place in split if money.atomic
        ]
    return tuple(allocations)
