"""From state to books: where the money of a payment, or of an unmatched transfer, must stand. Pure.

The engine posts the difference between this target and what is posted already. So the books follow the facts in any
order, a repeated fact posts nothing, and what a reorg took back is reversed by the same rule.
Accounts as in docs/ledger.md; debits positive, credits negative.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway.domain.payments import Allocation, Place
from gateway.domain.returns import UNDER_WAY, DisputeFact, RefundFact
from gateway.domain.words import DisputeStatus, RefundStatus, TransferStage, UnmatchedReason
from gateway.kernel.money import Money

POSTED: Final = "posted"
PENDING: Final = "pending"

MERCHANT_PENDING: Final = "merchant:pending"
MERCHANT_AVAILABLE: Final = "merchant:available"
MERCHANT_WITHDRAWN: Final = "merchant:withdrawn"
SUSPENSE_CHAIN: Final = "suspense:chain"
REFUND_PAYABLE: Final = "refund:payable"
NETWORK_FEE: Final = "expense:network_fee"
SUSPENSE_PSP: Final = "suspense:psp"
DISPUTE_RESERVE: Final = "dispute:reserve"
PSP_FEE: Final = "expense:psp_fee"

_DONATIONS: Final = "donation:"
_AT_SOURCE: Final = ":at_source"
_CREDITED: Final = {
    Place.PENDING: MERCHANT_PENDING,
    Place.AVAILABLE: MERCHANT_AVAILABLE,
    Place.SUSPENSE: SUSPENSE_CHAIN,
    Place.REFUND_PAYABLE: REFUND_PAYABLE,
}
_GIVEN_BACK_FIRST: Final = (REFUND_PAYABLE, SUSPENSE_PSP, SUSPENSE_CHAIN, MERCHANT_AVAILABLE)


class Spot(NamedTuple):
    """One place in the books."""

    account: str
    currency: str
    layer: str


Target = Mapping[Spot, int]


def hot_account(network: str) -> str:
    """Return the code of the merchant's receiving account on a chain: `chain:solana:devnet:hot`."""
    return f"chain:{network}:hot"


def clearing_account(processor: str) -> str:
    """Return the code of what a provider owes the merchant: `psp:stripe:clearing`."""
    return f"psp:{processor}:clearing"


def owed_account(charity_id: str, *, is_own: bool) -> str:
    """Return the code of what is owed to a charity, or of what the account holder's own charity was given."""
    return f"{_DONATIONS}charity:{charity_id}:{'own' if is_own else 'payable'}"


def charity_paid_account(charity_id: str) -> str:
    """Return the code of what a charity was paid: by the merchant, or by a payer at once."""
    return f"{_DONATIONS}charity:{charity_id}:paid_out"


def at_source_account(charity_id: str) -> str:
    """Return the code of what payers sent to a charity's own address."""
    return f"{_DONATIONS}charity:{charity_id}{_AT_SOURCE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beneficiary:
    """The charity that a payment gives to.

    Attributes:
        is_own: it is the account holder himself, so nothing is owed.
        is_whole: the whole payment is the gift; else what came on top of it.
    """

    charity_id: str
    is_own: bool
    is_whole: bool

    @property
    def account(self) -> str:
        """The account that holds its gifts."""
        return owed_account(self.charity_id, is_own=self.is_own)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFact:
    """What a provider booked for a charge: the change of its balance, the fee it kept, and whether it was paid out."""

    source_id: str
    amount: Money
    fee: Money
    is_paid_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """What went back from, or was kept of, a payment's receipts."""

    refunds: Sequence[RefundFact] = ()
    disputes: Sequence[DisputeFact] = ()
    lines: Sequence[LineFact] = ()


def payment_target(
    holders: Mapping[str, str],
    allocations: Iterable[Allocation],
    returns: Returns | None = None,
    beneficiary: Beneficiary | None = None,
) -> Target:
    """Return where the money of a payment must stand; `holders` names the account that holds each receipt."""
    returns = returns or Returns()
    target: dict[Spot, int] = defaultdict(int)
    owed: dict[str, list[tuple[str, Money]]] = defaultdict(list)
    for part in allocations:
        holder = holders[part.source_id]
        is_pending = part.place is Place.PENDING
        credited = _credited(part.place, holder, beneficiary)
        _move(target, part.money, debit=holder, credit=credited, layer=PENDING if is_pending else POSTED)
        if not is_pending:
            owed[part.source_id].append((credited, part.money))
    for refund in returns.refunds:
        _give_back(target, holders[refund.source_id], owed[refund.source_id], refund)
    for dispute in returns.disputes:
        holder = holders[dispute.source_id]
        if dispute.status is DisputeStatus.LOST:
            _lose(target, holder, owed[dispute.source_id], dispute)
        else:
            _move(target, dispute.held, debit=DISPUTE_RESERVE, credit=holder, layer=POSTED)
    _settle(target, holders, returns.lines)
    return {spot: amount for spot, amount in target.items() if amount}


def _credited(place: Place, holder: str, beneficiary: Beneficiary | None) -> str:
    if place is Place.GIFT or (place is Place.AVAILABLE and beneficiary is not None and beneficiary.is_whole):
        assert beneficiary is not None, "a gift is for somebody"
        is_there = holder.endswith(_AT_SOURCE)
        return charity_paid_account(beneficiary.charity_id) if is_there else beneficiary.account
    is_held_by_provider = holder.startswith("psp:")
    return SUSPENSE_PSP if place is Place.SUSPENSE and is_held_by_provider else _CREDITED[place]


def _move(target: dict[Spot, int], money: Money, *, debit: str, credit: str, layer: str) -> None:
    target[Spot(debit, money.currency, layer)] += money.atomic
    target[Spot(credit, money.currency, layer)] -= money.atomic


def _give_back(target: dict[Spot, int], holder: str, owed: list[tuple[str, Money]], refund: RefundFact) -> None:
    """Take a refund from the gift so far as it is meant; else from what is owed back, excess, and the merchant's own.

    What is more than all of these together is a charity's again, and at last the merchant's loss.
    """
    if refund.status is RefundStatus.SUCCEEDED:
        layer = POSTED
    elif refund.status in UNDER_WAY:
        layer = PENDING
    else:
        return
    gift, own = _halves(owed)
    rest = refund.amount - _take(target, holder, gift, refund.gift or Money.zero(refund.amount.currency), layer)
    rest -= _take(target, holder, own, rest, layer)
    rest -= _take(target, holder, gift, rest, layer)
    owed[:] = [*own, *gift]
    _move(target, rest, debit=MERCHANT_AVAILABLE, credit=holder, layer=layer)


def _lose(target: dict[Spot, int], holder: str, owed: list[tuple[str, Money]], dispute: DisputeFact) -> None:
    """Let the merchant bear a lost dispute, and the charity what is more than his part of the receipt."""
    gift, own = _halves(owed)
    zero = Money.zero(dispute.held.currency)
    taken = _take(target, holder, gift, max(zero, dispute.held - sum((money for _, money in own), start=zero)), POSTED)
    _move(target, dispute.held - taken, debit=MERCHANT_AVAILABLE, credit=holder, layer=POSTED)


def _halves(owed: list[tuple[str, Money]]) -> tuple[list[tuple[str, Money]], list[tuple[str, Money]]]:
    """Return what is a charity's, and what else is owed, in the order in which it is given back."""
    gift = [part for part in owed if part[0].startswith(_DONATIONS)]
    own = [part for part in owed if not part[0].startswith(_DONATIONS)]
    return gift, sorted(own, key=lambda part: _GIVEN_BACK_FIRST.index(part[0]))


def _take(target: dict[Spot, int], holder: str, owed: list[tuple[str, Money]], money: Money, layer: str) -> Money:
    """Take up to so much out of these accounts, in order, and note what is left there; return what was taken."""
    rest = money
    for place, (account, held) in enumerate(owed):
        part = min(rest, held)
        owed[place] = (account, held - part)
        rest -= part
        _move(target, part, debit=account, credit=holder, layer=layer)
    return money - rest


def _settle(target: dict[Spot, int], holders: Mapping[str, str], lines: Sequence[LineFact]) -> None:
    """Book a provider's fees and payouts; where it settles in another currency, both sides go through `trading`."""
    for line in lines:
        holder = holders[line.source_id]
        _convert(target, holder, line)
        _move(target, line.fee, debit=PSP_FEE, credit=holder, layer=POSTED)
        if line.is_paid_out:
            paid_out = holder.replace(":clearing", ":paid_out")
            _move(target, line.amount - line.fee, debit=paid_out, credit=holder, layer=POSTED)


def _convert(target: dict[Spot, int], holder: str, line: LineFact) -> None:
    """Let what the provider changed into its own currency leave the price's currency and come in as that.

    The provider says what a line became, not what it was; so all that clears in another currency is changed at once.
    """
    code = line.amount.currency
    foreign = [spot for spot in target if spot[0] == holder and spot.currency != code and spot.layer == POSTED]
    if not foreign and Spot(f"trading:{code}", code, POSTED) not in target:
        return
    for spot in foreign:
        money = Money(target[spot], spot.currency)
        _move(target, money, debit=f"trading:{spot.currency}", credit=holder, layer=POSTED)
    _move(target, line.amount, debit=holder, credit=f"trading:{code}", layer=POSTED)


def unmatched_target(
    network: str, money: Money, stage: TransferStage, reason: UnmatchedReason, *, is_fee: bool
) -> Target:
    """Return where a transfer without a payment must stand: in suspense, or as moved by the merchant himself."""
    if stage is TransferStage.DROPPED:
        return {}
    layer = POSTED if stage is TransferStage.FINAL else PENDING
    if reason is UnmatchedReason.OUTFLOW:
        counterpart = NETWORK_FEE if is_fee else MERCHANT_WITHDRAWN
    else:
        counterpart = SUSPENSE_CHAIN
    return {
        Spot(hot_account(network), money.currency, layer): money.atomic,
        Spot(counterpart, money.currency, layer): -money.atomic,
    }


def difference(target: Target, position: Target) -> Target:
    """Return what must be posted to come from `position` to `target`; empty when nothing changed."""
    spots = {*target, *position}
    gaps = {spot: target.get(spot, 0) - position.get(spot, 0) for spot in spots}
    return {spot: gap for spot, gap in sorted(gaps.items()) if gap}


def entry_kind(gap: Target) -> str:
    """Name an entry by what it does first: settles, pays out, keeps a fee, gives back, receives, or only announces."""
    posted = {spot.account: amount for spot, amount in gap.items() if spot.layer == POSTED}
    if not posted:
        return "pending"
    if posted.get(MERCHANT_AVAILABLE, 0) < 0:
        return "settlement"
    if any(account.endswith(":paid_out") for account in posted):
        return "payout"
    if PSP_FEE in posted:
        return "fee"
    if any(account.startswith(_DONATIONS) and amount < 0 for account, amount in posted.items()):
        return "settlement"
    is_return = MERCHANT_AVAILABLE in posted or DISPUTE_RESERVE in posted or posted.get(REFUND_PAYABLE, 0) > 0
    return "return" if is_return or _gives_excess_back(posted) else "receipt"


def _gives_excess_back(posted: Mapping[str, int]) -> bool:
    """Tell whether money that nothing was due for leaves its holder; into a payment's own place it only moves."""
    has_left = any(amount < 0 for account, amount in posted.items() if account.startswith(("chain:", "psp:")))
    return has_left and any(posted.get(account, 0) > 0 for account in (SUSPENSE_CHAIN, SUSPENSE_PSP))
