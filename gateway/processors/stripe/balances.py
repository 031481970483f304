"""Stripe's account: balance transactions and payouts, read into ours.

Amounts are in the currency of the Stripe balance, which may differ from the charge's. The fee is known here alone.
"""

from datetime import UTC, datetime
from typing import Any, Final

from gateway.domain.provider import BalanceLine, ProviderPayout
from gateway.processors.stripe.amounts import from_wire
from gateway.processors.stripe.wire import Json, expanded, id_of, text, whole

RECONCILED: Final = "completed"
MANUAL: Final = "not_applicable"
_INTENT: Final = "pi_"


def instant(value: Any) -> datetime:
    """Return Stripe's Unix time."""
    return datetime.fromtimestamp(whole(value), UTC)


def optional_instant(value: Any) -> datetime | None:
    """Return Stripe's Unix time, or None where it gives none."""
    return None if value is None else instant(value)


def balance_line(line: Json, *, source: str | None, payout: str | None = None) -> BalanceLine:
    """Read one balance transaction.

    Args:
        line: as Stripe sent it.
        source: the payment intent it is about, where that is known.
        payout: the payout that it was listed for.
    """
    code = text(line["currency"])
    return BalanceLine(
        reference=text(line["id"]),
        type=text(line["type"]),
        source=source,
        amount=from_wire(whole(line["amount"]), code),
        fee=from_wire(whole(line["fee"]), code),
        net=from_wire(whole(line["net"]), code),
        payout=payout,
        available_on=instant(line["available_on"]),
        created_at=instant(line["created"]),
    )


def payout_line(line: Json, payout: str) -> BalanceLine:
    """Read one line of a payout, whose `source` was asked for in full."""
    return balance_line(line, source=_intent_of(line.get("source")), payout=payout)


def provider_payout(payout: Json) -> ProviderPayout:
    """Read a payout."""
    return ProviderPayout(
        reference=text(payout["id"]),
        amount=from_wire(whole(payout["amount"]), text(payout["currency"])),
        status=text(payout["status"]),
        arrives_on=instant(payout["arrival_date"]),
        is_automatic=payout["automatic"] is True,
        is_reconciled=payout["reconciliation_status"] == RECONCILED,
    )


def _intent_of(source: Any) -> str | None:
    """Return the payment intent of a charge, a refund or a dispute; None for fees, reserves and the like."""
    body = expanded(source)
    found = id_of(body.get("payment_intent")) if body is not None else None
    return found if found is not None and found.startswith(_INTENT) else None
