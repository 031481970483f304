"""Objects as the API answers them and as events carry them: one shape for both. Money as decimal strings."""

from collections.abc import Iterable
from typing import Any

from gateway.domain.words import PaymentStatus, SessionMode
from gateway.engine.records import (
    AttemptRecord,
    ChargeRecord,
    DisputeRecord,
    PaymentRecord,
    QuoteRecord,
    RefundRecord,
    Row,
    SessionRecord,
    TransferRecord,
)
from gateway.kernel.clock import rfc3339
from gateway.kernel.money import Money


def session_object(session: SessionRecord, *, payment_status: PaymentStatus, url: str) -> dict[str, Any]:
    """Return a `checkout.session`; one that only saves a method shows no payment."""
    is_owed = session.mode is not SessionMode.SETUP
    return {
        "id": session.id,
        "object": "checkout.session",
        "livemode": session.livemode,
        "url": url,
        "status": session.status.value,
        "payment_status": payment_status.value if is_owed else "no_payment_required",
        "payment": session.payment_id if is_owed else None,
        "mode": session.mode.value,
        "plan": session.plan_id,
        "customer": session.customer_id,
        "subscription": session.subscription_id,
        "saved_method": session.saved_method,
        "donation": session.donation,
        "capture_method": session.capture_method.value,
        "amount": session.amount.major,
        "currency": session.amount.currency,
        "reference": session.reference,
        "success_url": session.success_url,
        "cancel_url": session.cancel_url,
        "customer_email": None if _is_campaigns(session) else session.customer_email,
        "customer_country": session.customer_country,
        "locale": session.locale,
        "line_items": list(session.line_items),
        "methods": None if session.methods is None else list(session.methods),
        "metadata": session.metadata,
        "created_at": rfc3339(session.created_at),
        "expires_at": rfc3339(session.expires_at),
        "completed_at": None if session.completed_at is None else rfc3339(session.completed_at),
    }


def _is_campaigns(session: SessionRecord) -> bool:
    """Tell whether a donor gives here: events are kept as they were sent, and a donor may ask to be forgotten."""
    return session.donation is not None and session.donation["campaign"] is not None


def payment_object(
    payment: PaymentRecord,
    attempts: Iterable[AttemptRecord],
    transfers: Iterable[TransferRecord],
    charges: Iterable[ChargeRecord] = (),
) -> dict[str, Any]:
    """Return a `payment` with its attempts, chain transfers and charges."""
    return {
        "id": payment.id,
        "object": "payment",
        "livemode": payment.livemode,
        "session": payment.session_id,
        "kind": payment.kind.value,
        "version": payment.version,
        "status": payment.status.value,
        "exceptions": [word.value for word in payment.exceptions],
        "refunds": payment.refunds.value,
        "dispute": payment.dispute.value,
        "amount": payment.amount.major,
        "currency": payment.amount.currency,
        "amount_received": payment.amount_received.major,
        "amount_capturable": payment.amount_capturable.major,
        "amount_refunded": payment.amount_refunded.major,
        "charity": payment.charity_id,
        "gift_amount": payment.gift.major,
        "reference": payment.reference,
        "metadata": payment.metadata,
        "attempts": [attempt_object(attempt) for attempt in attempts],
        "transfers": [transfer_object(transfer) for transfer in transfers if not transfer.is_to_charity],
        "charges": [charge_object(charge) for charge in charges],
        "created_at": rfc3339(payment.created_at),
        "expires_at": rfc3339(payment.expires_at),
        "paid_at": None if payment.paid_at is None else rfc3339(payment.paid_at),
    }


def attempt_object(attempt: AttemptRecord) -> dict[str, Any]:
    """Return one attempt of a payment."""
    return {
        "id": attempt.id,
        "processor": attempt.processor,
        "method": attempt.method,
        "amount": attempt.due.major,
        "currency": attempt.due.currency,
        "network": attempt.network,
        "receiving_address": attempt.wallet or None,
        "reference_key": None if attempt.stage else attempt.reference_key,
        "quote": attempt.quote_id,
        "stage": None if attempt.stage is None else attempt.stage.value,
        "provider_reference": attempt.provider_reference,
        "expires_at": rfc3339(attempt.expires_at),
        "created_at": rfc3339(attempt.created_at),
    }


def transfer_object(transfer: TransferRecord) -> dict[str, Any]:
    """Return one chain transfer of a payment."""
    return {
        "id": transfer.id,
        "network": transfer.network,
        "signature": transfer.signature,
        "currency": transfer.amount.currency,
        "amount": transfer.amount.major,
        "stage": transfer.stage.value,
        "payer": transfer.payer,
        "slot": transfer.slot,
        "occurred_at": None if transfer.occurred_at is None else rfc3339(transfer.occurred_at),
    }


def charge_object(charge: ChargeRecord) -> dict[str, Any]:
    """Return one charge of a payment, with what a receipt may show of the card."""
    return {
        "id": charge.id,
        "attempt": charge.attempt_id,
        "reference": charge.reference,
        "status": charge.status.value,
        "amount": charge.amount.major,
        "amount_captured": charge.captured.major,
        "amount_capturable": charge.capturable.major,
        "currency": charge.amount.currency,
        "capture_before": None if charge.capture_before is None else rfc3339(charge.capture_before),
        "failure_code": charge.failure_code,
        "instrument": charge.instrument,
        "risk_level": charge.risk_level,
        "authorized_at": None if charge.authorized_at is None else rfc3339(charge.authorized_at),
    }


def refund_object(refund: RefundRecord) -> dict[str, Any]:
    """Return a `refund`."""
    return {
        "id": refund.id,
        "object": "refund",
        "livemode": refund.livemode,
        "payment": refund.payment_id,
        "source": refund.source_id,
        "status": refund.status.value,
        **money_fields(refund.amount),
        "gift_amount": refund.gift.major,
        "reason": refund.reason,
        "failure_code": refund.failure_code,
        "destination": refund.destination,
        "network": refund.network,
        "provider_reference": refund.reference,
        "metadata": refund.metadata,
        "created_at": rfc3339(refund.created_at),
        "updated_at": rfc3339(refund.updated_at),
    }


def dispute_object(dispute: DisputeRecord) -> dict[str, Any]:
    """Return a `dispute`."""
    return {
        "id": dispute.id,
        "object": "dispute",
        "livemode": dispute.livemode,
        "payment": dispute.payment_id,
        "charge": dispute.charge_id,
        "status": dispute.status.value,
        **money_fields(dispute.amount),
        "amount_withdrawn": dispute.withdrawn.major,
        "amount_reinstated": dispute.reinstated.major,
        "reason": dispute.reason,
        "provider_reference": dispute.reference,
        "evidence_due_by": None if dispute.evidence_due_by is None else rfc3339(dispute.evidence_due_by),
        "created_at": rfc3339(dispute.created_at),
        "updated_at": rfc3339(dispute.updated_at),
    }


def payout_object(row: Row) -> dict[str, Any]:
    """Return a `payout` from its row; `settled_at` says that every line of it is booked."""
    return {
        "id": row["id"],
        "object": "payout",
        "livemode": row["livemode"],
        "network": row["network"],
        "provider_reference": row["reference"],
        "status": row["status"],
        **money_fields(Money(row["amount"], row["currency"])),
        "automatic": row["is_automatic"],
        "arrives_on": rfc3339(row["arrives_on"]),
        "settled_at": None if row["settled_at"] is None else rfc3339(row["settled_at"]),
        "created_at": rfc3339(row["created_at"]),
    }


def chain_transfer_object(transfer: TransferRecord, suggestions: Iterable[str]) -> dict[str, Any]:
    """Return a chain transfer as the unmatched queue shows it."""
    return transfer_object(transfer) | {
        "object": "chain_transfer",
        "livemode": transfer.livemode,
        "status": "unmatched" if transfer.payment_id is None else "matched",
        "reason": None if transfer.unmatched_reason is None else transfer.unmatched_reason.value,
        "memo": transfer.memo,
        "payment": transfer.payment_id,
        "suggestions": list(suggestions),
    }


def quote_object(quote: QuoteRecord) -> dict[str, Any]:
    """Return a `quote`; the rate is what one major unit of `pay_currency` costs, cut to twelve decimals for reading."""
    return {
        "id": quote.id,
        "object": "quote",
        "livemode": quote.livemode,
        "method": quote.method,
        "amount": quote.price.major,
        "currency": quote.price.currency,
        "pay_amount": quote.pay.major,
        "pay_currency": quote.pay.currency,
        "rate": decimal_text(quote.rate_num, quote.rate_den),
        "expires_at": rfc3339(quote.expires_at),
        "created_at": rfc3339(quote.created_at),
        "evidence": quote.evidence,
    }


def money_fields(money: Money) -> dict[str, str]:
    """Return `amount` and `currency`."""
    return {"amount": money.major, "currency": money.currency}


def decimal_text(num: int, den: int, *, decimals: int = 12) -> str:
    """Return num/den as a decimal string for people, cut (not rounded) after `decimals`, trailing zeros removed."""
    whole, rest = divmod(num, den)
    digits = str(rest * 10**decimals // den).rjust(decimals, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
