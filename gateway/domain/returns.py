"""Money that goes back: what refunds and disputes add up to, and what may still be refunded. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.domain.words import DisputesStatus, DisputeStatus, RefundsStatus, RefundStatus, TransferStage
from gateway.kernel.money import Money

UNDER_WAY: Final = frozenset({RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION})
_INQUIRIES: Final = frozenset({DisputeStatus.INQUIRY})
_CONTESTED: Final = frozenset({DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW})


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFact:
    """One refund of one receipt (a charge, a chain transfer), in the currency that was received.

    Attributes:
        gift: how much of it is taken from the gift to a charity; None for nothing.
    """

    id: str
    source_id: str
    status: RefundStatus
    amount: Money
    gift: Money | None = None

    @property
    def own(self) -> Money:
        """What is taken from the merchant's part."""
        return self.amount if self.gift is None else self.amount - self.gift


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeFact:
    """One dispute of one charge; `held` is what the provider took and has not given back."""

    id: str
    source_id: str
    status: DisputeStatus
    held: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A receipt that money may go back from: a charge with what it captured, or a settled chain transfer.

    Attributes:
        gift: how much of it is a gift on top of the order, which stays given unless asked for; None for nothing.
    """

    id: str
    received: Money
    is_refundable: bool
    gift: Money | None = None

    @property
    def own(self) -> Money:
        """What is not the gift."""
        return self.received if self.gift is None else self.received - self.gift


@dataclass(frozen=True, slots=True, kw_only=True)
class OutflowFact:
    """A chain transfer out of a merchant's account that names a refund; `amount` is what left, above zero."""

    id: str
    amount: Money
    stage: TransferStage
    slot: int
    signature: str


def paying_outflow(amount: Money, outflows: Iterable[OutflowFact]) -> OutflowFact | None:
    """Return the one outflow that pays a refund: of exactly its amount, a final one before others, then the earliest.

    Whatever else names the refund is money that the merchant moved for reasons of his own.
    """
    fitting = [one for one in outflows if one.stage is not TransferStage.DROPPED and one.amount == amount]
    return min(
        fitting,
        key=lambda one: (one.stage is not TransferStage.FINAL, one.slot, one.signature, one.id),
        default=None,
    )


def transfer_refund_status(before: RefundStatus, paying: OutflowFact | None, *, is_sent: bool) -> RefundStatus:
    """Return where a refund by chain transfer stands; `is_sent`: signed bytes of it may still land."""
    if paying is not None:
        return RefundStatus.SUCCEEDED if paying.stage is TransferStage.FINAL else RefundStatus.PENDING
    if is_sent:
        return RefundStatus.PENDING
    return RefundStatus.CANCELED if before is RefundStatus.CANCELED else RefundStatus.REQUIRES_ACTION


def refunded(refunds: Iterable[RefundFact], code: str) -> Money:
    """Return what was given back in this currency, gifts on top aside."""
    done = (one.own for one in refunds if one.status is RefundStatus.SUCCEEDED and one.amount.currency == code)
    return sum(done, start=Money.zero(code))


def gift_left(source: Source, refunds: Iterable[RefundFact]) -> Money:
    """Return how much of a source's gift was not given back and is not on its way."""
    zero = Money.zero(source.received.currency)
    spent = [
        one.gift
        for one in refunds
        if one.source_id == source.id and one.gift is not None and one.status in {*UNDER_WAY, RefundStatus.SUCCEEDED}
    ]
    return max(zero, (source.gift or zero) - sum(spent, start=zero))


def refundable(source: Source, refunds: Iterable[RefundFact], disputes: Iterable[DisputeFact]) -> Money:
    """Return what may still be given back of a source: what came, less what went, is on its way, or is contested.

    Nothing while a dispute would make a refund a second loss.
    """
    zero = Money.zero(source.received.currency)
    held = [one.held for one in disputes if one.source_id == source.id and one.held]
    if not source.is_refundable or any(one.currency != zero.currency for one in held):
        return zero
    spent = [
        one.amount
        for one in refunds
        if one.source_id == source.id and (one.status in UNDER_WAY or one.status is RefundStatus.SUCCEEDED)
    ]
    return max(zero, source.received - sum([*spent, *held], start=zero))


def refunds_status(sources: Sequence[Source], refunds: Sequence[RefundFact]) -> RefundsStatus:
    """Return one word for all refunds of a payment."""
    statuses = {one.status for one in refunds}
    if RefundStatus.SUCCEEDED in statuses:
        is_full = all(_given_back(source, refunds) >= source.own for source in sources)
        return RefundsStatus.FULL if is_full else RefundsStatus.PARTIAL
    if statuses & UNDER_WAY:
        return RefundsStatus.PENDING
    return RefundsStatus.FAILED if RefundStatus.FAILED in statuses else RefundsStatus.NONE


def _given_back(source: Source, refunds: Iterable[RefundFact]) -> Money:
    return refunded([one for one in refunds if one.source_id == source.id], source.received.currency)


def disputes_status(disputes: Iterable[DisputeFact]) -> DisputesStatus:
    """Return one word for all disputes of a payment: the most serious."""
    statuses = {one.status for one in disputes}
    if statuses & _CONTESTED:
        return DisputesStatus.OPEN
    if DisputeStatus.LOST in statuses:
        return DisputesStatus.LOST
    if statuses & _INQUIRIES:
        return DisputesStatus.INQUIRY
    return DisputesStatus.WON if DisputeStatus.WON in statuses else DisputesStatus.NONE


def own_left(source: Source, refunds: Sequence[RefundFact], disputes: Iterable[DisputeFact]) -> Money:
    """Return what may still be given back of a source while its gift stays given."""
    return max(Money.zero(source.received.currency), refundable(source, refunds, disputes) - gift_left(source, refunds))
