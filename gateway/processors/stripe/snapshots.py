"""Stripe's objects read into a `ProviderSnapshot`.

Most of Stripe's enums are open: a new value may come any day, in the pinned version too. Each table below names what an
unknown word is taken for: the reading that neither ships goods nor gives a payment up.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from gateway.domain.declines import Decline
from gateway.domain.provider import (
    BalanceLine,
    Instrument,
    ProviderCharge,
    ProviderDispute,
    ProviderRefund,
    ProviderSnapshot,
    SavedMethod,
)
from gateway.domain.words import AttemptStage, ChargeStatus, DisputeStatus, RefundStatus
from gateway.kernel.money import Money
from gateway.processors.stripe.amounts import from_wire
from gateway.processors.stripe.balances import balance_line, instant, optional_instant
from gateway.processors.stripe.pages import ATTEMPT, OPERATION
from gateway.processors.stripe.refusals import parse_decline
from gateway.processors.stripe.wire import Json, expanded, id_of, optional_text, text, whole

_STAGES: Final[Mapping[str, AttemptStage]] = MappingProxyType(
    {"open": AttemptStage.OPEN, "complete": AttemptStage.COMPLETE, "expired": AttemptStage.EXPIRED}
)
_UNKNOWN_STAGE: Final = AttemptStage.OPEN  # keeps being read
_CHARGE_STATUSES: Final[Mapping[str, ChargeStatus]] = MappingProxyType(
    {
        "requires_payment_method": ChargeStatus.OPEN,
        "requires_confirmation": ChargeStatus.OPEN,
        "requires_action": ChargeStatus.REQUIRES_ACTION,
        "processing": ChargeStatus.PROCESSING,
        "requires_capture": ChargeStatus.AUTHORIZED,
        "succeeded": ChargeStatus.SUCCEEDED,
        "canceled": ChargeStatus.CANCELED,
    }
)
_UNKNOWN_CHARGE: Final = ChargeStatus.PROCESSING  # money may be on its way, and none is ours yet
_REFUND_STATUSES: Final[Mapping[str, RefundStatus]] = MappingProxyType(
    {status.value: status for status in RefundStatus}
)
_UNKNOWN_REFUND: Final = RefundStatus.PENDING  # the money stays reserved
_DISPUTE_STATUSES: Final[Mapping[str, DisputeStatus]] = MappingProxyType(
    {
        "warning_needs_response": DisputeStatus.INQUIRY,
        "warning_under_review": DisputeStatus.INQUIRY,
        "warning_closed": DisputeStatus.INQUIRY_CLOSED,
        "needs_response": DisputeStatus.NEEDS_RESPONSE,
        "appeal_needs_response": DisputeStatus.NEEDS_RESPONSE,
        "under_review": DisputeStatus.UNDER_REVIEW,
        "appeal_under_review": DisputeStatus.UNDER_REVIEW,
        "won": DisputeStatus.WON,
        "prevented": DisputeStatus.WON,
        "lost": DisputeStatus.LOST,
    }
)
_UNKNOWN_DISPUTE: Final = DisputeStatus.NEEDS_RESPONSE  # somebody should look
# The shopper's part is done in these: what `authorized_at` dates.
_SUBMITTED: Final = frozenset({ChargeStatus.PROCESSING, ChargeStatus.AUTHORIZED, ChargeStatus.SUCCEEDED})
_FRAUDULENT: Final = "fraudulent"
_WON: Final = "won"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What Stripe lists for a charge beside the charge itself.

    Attributes:
        entries: what the balance has for captures; the charge names the entry of the newest alone.
    """

    refunds: Sequence[Json] = ()
    disputes: Sequence[Json] = ()
    entries: Sequence[Json] = ()


NO_AFTERMATH: Final = Aftermath()


def page_snapshot(
    session: Json, *, intent: Json | None, after: Aftermath = NO_AFTERMATH, setup: Json | None = None
) -> ProviderSnapshot:
    """Read a Checkout Session with what came of it; `setup`: the setup intent of a page that saves a method."""
    stage = _STAGES.get(text(session["status"]), _UNKNOWN_STAGE) if session["status"] else _UNKNOWN_STAGE
    return ProviderSnapshot(
        reference=text(session["id"]),
        stage=stage,
        url=optional_text(session["url"]) if stage is AttemptStage.OPEN else None,
        expires_at=optional_instant(session["expires_at"]),
        is_livemode=session["livemode"] is True,
        attempt_id=mark(session, ATTEMPT),
        total=_total(session),
        charge=None if intent is None else _charge(intent, after.disputes, is_over=stage is not AttemptStage.OPEN),
        refunds=tuple(provider_refund(one) for one in after.refunds),
        disputes=tuple(_dispute(one) for one in after.disputes),
        lines=tuple(_lines(intent, after)),
        customer=id_of(session["customer"]),
        subscription=id_of(session["subscription"]),
        saved=_saved(setup),
    )


def charge_snapshot(intent: Json, *, after: Aftermath) -> ProviderSnapshot:
    """Read a payment intent that had no page: a renewal."""
    return ProviderSnapshot(
        reference=text(intent["id"]),
        stage=AttemptStage.COMPLETE,
        url=None,
        expires_at=None,
        is_livemode=intent["livemode"] is True,
        attempt_id=mark(intent, ATTEMPT),
        total=from_wire(whole(intent["amount"]), text(intent["currency"])),
        charge=_charge(intent, after.disputes, is_over=True),
        refunds=tuple(provider_refund(one) for one in after.refunds),
        disputes=tuple(_dispute(one) for one in after.disputes),
        lines=tuple(_lines(intent, after)),
        customer=id_of(intent["customer"]),
    )


def provider_refund(refund: Json) -> ProviderRefund:
    """Read a refund."""
    return ProviderRefund(
        reference=text(refund["id"]),
        status=_REFUND_STATUSES.get(optional_text(refund["status"]) or "", _UNKNOWN_REFUND),
        amount=from_wire(whole(refund["amount"]), text(refund["currency"])),
        reason=optional_text(refund.get("reason")),
        failure_code=optional_text(refund.get("failure_reason")),
        operation_id=mark(refund, OPERATION),
        created_at=instant(refund["created"]),
    )


def mark(owner: Json, name: str) -> str | None:
    """Return one of our ids from an object's metadata."""
    return optional_text((owner.get("metadata") or {}).get(name))


def charge_of(intent: Json | None) -> Json | None:
    """Return the newest charge of a payment intent, which was asked for in full."""
    return None if intent is None else expanded(intent.get("latest_charge"))


def had_refunds(charge: Json) -> bool:
    """Tell whether a charge has, or had, a refund.

    The refunded amount alone does not tell: it falls back to nothing when a refund fails.
    """
    listed = expanded(charge.get("refunds"))
    return whole(charge["amount_refunded"]) > 0 or bool(listed and listed["data"])


def is_booked_in_parts(charge: Json) -> bool:
    """Tell whether the balance may have other entries for a charge than the one it names.

    So it is for a hold that may be captured several times, unless that one entry is all that was captured.
    """
    taken = whole(charge["amount_captured"])
    may_be_parts = (_method(charge)[1].get("multicapture") or {}).get("status") == "available"
    named = expanded(charge.get("balance_transaction"))
    is_all = named is not None and (named["amount"], named["currency"]) == (taken, charge["currency"])
    return taken > 0 and may_be_parts and not is_all


def _total(session: Json) -> Money | None:
    amount, code = session["amount_total"], session["currency"]
    return None if amount is None or code is None else from_wire(whole(amount), text(code))


def _charge(intent: Json, disputes: Sequence[Json], *, is_over: bool) -> ProviderCharge:
    charge = charge_of(intent) or {}
    code = text(intent["currency"])
    status = _status(intent, is_over=is_over)
    failure_code, decline = _failure(intent)
    return ProviderCharge(
        reference=text(intent["id"]),
        status=status,
        amount=from_wire(whole(intent["amount"]), code),
        captured=from_wire(whole(intent["amount_received"]), code),
        capturable=from_wire(whole(intent["amount_capturable"]), code),
        authorized_at=optional_instant(charge.get("created")) if status in _SUBMITTED else None,
        capture_before=_capture_before(charge) if status is ChargeStatus.AUTHORIZED else None,
        failure_code=failure_code,
        decline=decline,
        instrument=_instrument(charge),
        risk_level=optional_text((charge.get("outcome") or {}).get("risk_level")),
        has_fraud_warning=(charge.get("fraud_details") or {}).get("stripe_report") == _FRAUDULENT,
        is_refundable=all(_lets_refund(one) for one in disputes),
    )


def _lets_refund(dispute: Json) -> bool:
    """Tell whether a refund beside this dispute is no second loss: Stripe says so, or it is over and the money is back.

    The flag speaks of a dispute that is open; of one that is won it may say no for ever. Stripe has the last word, by
    refusing the refund itself.
    """
    return dispute["is_charge_refundable"] is True or dispute["status"] == _WON


def _status(intent: Json, *, is_over: bool) -> ChargeStatus:
    """Return where a charge stands; `is_over`: there is no page on which the shopper could try again."""
    status = _CHARGE_STATUSES.get(text(intent["status"]), _UNKNOWN_CHARGE)
    has_failed = status is ChargeStatus.OPEN and intent["last_payment_error"] is not None
    return ChargeStatus.FAILED if has_failed and is_over else status


def _failure(intent: Json) -> tuple[str | None, Decline | None]:
    error = intent["last_payment_error"]
    if error is None:
        return None, None
    code, decline_code = optional_text(error.get("code")), optional_text(error.get("decline_code"))
    return decline_code or code, parse_decline(code, decline_code)


def _saved(setup: Json | None) -> SavedMethod | None:
    """Return what a page saved; a setup that is not done, or was refused, saved nothing."""
    method = None if setup is None or setup["status"] != "succeeded" else expanded(setup["payment_method"])
    if method is None:
        return None
    kind = text(method["type"])
    return SavedMethod(reference=text(method["id"]), instrument=_as_instrument(kind, method.get(kind) or {}))


def _method(charge: Json) -> tuple[str | None, Mapping[str, Any]]:
    """Return the type of the method of a charge, and what Stripe says of it."""
    details = charge.get("payment_method_details") or {}
    kind = optional_text(details.get("type"))
    return kind, (details.get(kind) if kind else None) or {}


def _instrument(charge: Json) -> Instrument | None:
    kind, method = _method(charge)
    return None if kind is None else _as_instrument(kind, method)


def _as_instrument(kind: str, method: Mapping[str, Any]) -> Instrument:
    return Instrument(
        type=kind,
        brand=optional_text(method.get("brand")),
        last4=optional_text(method.get("last4")),
        country=optional_text(method.get("country")),
    )


def _capture_before(charge: Json) -> Any:
    return optional_instant(_method(charge)[1].get("capture_before"))


def _dispute(dispute: Json) -> ProviderDispute:
    amount = from_wire(whole(dispute["amount"]), text(dispute["currency"]))
    booked = [from_wire(whole(one["amount"]), text(one["currency"])) for one in dispute["balance_transactions"]]
    currencies = {one.currency for one in booked} or {amount.currency}
    if len(currencies) > 1:
        raise ValueError("a dispute is booked in one currency, the balance's")
    nothing = Money.zero(currencies.pop())
    return ProviderDispute(
        reference=text(dispute["id"]),
        status=_DISPUTE_STATUSES.get(text(dispute["status"]), _UNKNOWN_DISPUTE),
        amount=amount,
        withdrawn=sum((-one for one in booked if one.atomic < 0), start=nothing),
        reinstated=sum((one for one in booked if one.atomic > 0), start=nothing),
        reason=text(dispute["reason"]),
        evidence_due_by=optional_instant((dispute.get("evidence_details") or {}).get("due_by")),
        created_at=instant(dispute["created"]),
    )


def _lines(intent: Json | None, after: Aftermath) -> Iterator[BalanceLine]:
    """Yield what Stripe has booked for a charge, its refunds and its disputes; some of it comes later."""
    if intent is None:
        return
    found = [(charge_of(intent) or {}).get("balance_transaction"), *after.entries]
    for refund in after.refunds:
        found += [refund.get("balance_transaction"), refund.get("failure_balance_transaction")]
    for dispute in after.disputes:
        found += dispute["balance_transactions"]
    booked = {text(line["id"]): line for line in filter(None, map(expanded, found))}
    for line in booked.values():
        yield balance_line(line, source=text(intent["id"]))
