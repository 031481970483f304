"""Whose money is it: from the effect of one signature on one account to credits. Pure.

Attribution goes by reference key, never by position (wallets insert instructions of their own), never by amount alone.
What cannot be attributed beyond doubt is credited to nobody and waits in the unmatched queue.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.domain.chain import ChainObservation, ChainPart
from gateway.domain.words import UnmatchedReason

NET_PATH: Final = "net"
FEE_PATH: Final = "fee"
RENT_PATH: Final = "rent"
GIFT_PATH: Final = "gift"  # what a charity's own account gained by a signature that paid an order
COST_PATHS: Final = frozenset({FEE_PATH, RENT_PATH})
MAX_DUST: Final = 100  # crumbs that one payment takes; a flood of them would make its every change dear
DUST_SHARE: Final = 100  # a crumb is less than a hundredth of what is due
_REFUND_ID: Final = re.compile(r"(?<![0-9A-Za-z_])re_[0-7][0-9a-hjkmnp-tv-z]{25}(?![0-9A-Za-z_])", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An attempt that a reference key found: it asks `due` atomic units of `asset` on `account`.

    Attributes:
        gift_account: where the charity takes the payer's gift itself; None where there is none.
    """

    attempt_id: str
    payment_id: str
    reference_key: str
    account: str
    asset: str
    due: int
    gift_account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRefund:
    """The one refund that an outflow names, by its id in the memo or by its reference key; it gives `asset` back."""

    refund_id: str
    asset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Credit:
    """So many atomic units of the observed account belong to this attempt, or to nobody yet, for a reason.

    `path` names the part of the signature; (network, signature, account, path) is credited once, ever. A credit that is
    unmatched for its asset still names the attempt that it was meant for; an outflow may name the refund that it pays.
    """

    path: str
    amount: int
    attempt_id: str | None = None
    payment_id: str | None = None
    refund_id: str | None = None
    unmatched_reason: UnmatchedReason | None = None


def named_refunds(memo: str | None) -> frozenset[str]:
    """Return the refund ids that stand in a memo."""
    return frozenset(_REFUND_ID.findall(memo or ""))


def attribute(
    observation: ChainObservation, candidates: Mapping[str, Candidate], refund: NamedRefund | None = None
) -> tuple[Credit, ...]:
    """Split an observation into credits.

    Args:
        observation: the effect of one signature on one of our accounts.
        candidates: attempts by reference key, for every reference of the observation that we know.
        refund: what an outflow names; None for one that names nothing, or more than one.

    Returns:
        Credits whose amounts add up to the account's change; none for a signature that changed nothing. Beside them,
        at `GIFT_PATH`, what the charity of a credited attempt gained.
    """
    fee = (Credit(path=FEE_PATH, amount=-observation.fee, unmatched_reason=UnmatchedReason.OUTFLOW),)
    fees = fee if observation.fee else ()
    if observation.net == 0:
        return fees
    if observation.net < 0:
        return (_outflow(observation, refund), *fees)
    parts = observation.parts
    if parts and sum(part.amount for part in parts) == observation.net and all(part.amount > 0 for part in parts):
        found = _by_parts(observation, parts, candidates)
    else:
        known = _known(observation, observation.references, candidates)
        found = [_credit(observation, NET_PATH, observation.net, known)]
    return (*found, *gifts_beside(observation, found, candidates.values()), *fees)


def gifts_beside(
    observation: ChainObservation, credited: Sequence[Credit], candidates: Iterable[Candidate]
) -> list[Credit]:
    """Credit the attempt that was paid with what its charity gained; several at once could not be told apart."""
    paid = {one.attempt_id for one in credited if one.payment_id is not None}
    takers = [one for one in candidates if one.attempt_id in paid and one.gift_account is not None]
    if len(takers) != 1 or len(paid) != 1:
        return []
    gain = observation.beside.get(str(takers[0].gift_account), 0)
    taker = takers[0]
    return [Credit(path=GIFT_PATH, amount=gain, attempt_id=taker.attempt_id, payment_id=taker.payment_id)] * (gain > 0)


def _outflow(observation: ChainObservation, refund: NamedRefund | None) -> Credit:
    """Return what left: a refund, what it cost beside the network fee, or money that the merchant moved himself."""
    reason = UnmatchedReason.OUTFLOW
    if refund is not None and refund.asset == observation.asset:
        return Credit(path=NET_PATH, amount=observation.net, refund_id=refund.refund_id, unmatched_reason=reason)
    # The account that paid the network fee of a refund in another asset also paid for the payer's new account.
    path = RENT_PATH if refund is not None and observation.fee else NET_PATH
    return Credit(path=path, amount=observation.net, unmatched_reason=reason)


def is_dust(amount: int, due: int) -> bool:
    """Tell whether an amount is a crumb of what is due: it costs its sender next to nothing."""
    return amount * DUST_SHARE < due


def _by_parts(
    observation: ChainObservation, parts: Sequence[ChainPart], candidates: Mapping[str, Candidate]
) -> list[Credit]:
    credits_ = []
    for part in parts:
        known = _known(observation, part.references, candidates)
        if not known and len(parts) == 1:
            known = _known(observation, observation.references, candidates)
        if len(known) > 1:
            # One transfer that names two orders pays one of them: the one that asks exactly this, else the first named.
            exact = [candidate for candidate in known if candidate.due == part.amount]
            known = (exact or known)[:1]
        credits_.append(_credit(observation, part.path, part.amount, known))
    return credits_


def _known(
    observation: ChainObservation, references: Sequence[str], candidates: Mapping[str, Candidate]
) -> list[Candidate]:
    """Return the distinct attempts that these references name, in order; only those that ask for this money, if any."""
    found = list(dict.fromkeys(candidates[key] for key in references if key in candidates))
    return [candidate for candidate in found if _fits(candidate, observation)] or found


def _fits(candidate: Candidate, observation: ChainObservation) -> bool:
    return (candidate.asset, candidate.account) == (observation.asset, observation.account)


def _credit(observation: ChainObservation, path: str, amount: int, known: Sequence[Candidate]) -> Credit:
    if len(known) > 1:
        return Credit(path=path, amount=amount, unmatched_reason=UnmatchedReason.AMBIGUOUS)
    if not known:
        has_reference = bool(observation.references)
        reason = UnmatchedReason.UNKNOWN_REFERENCE if has_reference else UnmatchedReason.NO_REFERENCE
        return Credit(path=path, amount=amount, unmatched_reason=reason)
    one = known[0]
    if not _fits(one, observation):
        return Credit(path=path, amount=amount, attempt_id=one.attempt_id, unmatched_reason=UnmatchedReason.WRONG_ASSET)
    return Credit(path=path, amount=amount, attempt_id=one.attempt_id, payment_id=one.payment_id)
