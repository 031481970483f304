"""Which state a checkout page shows: a pure function of what the engine tells and the time.

Server states come from the facts; client states are moments that only the browser knows, between a click and the next
fact. Each has one tone, and the sentence in `sentences.py`.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final

from gateway.domain.words import (
    AttemptStage,
    ChargeStatus,
    LatePolicy,
    PaymentException,
    PaymentStatus,
    RefundStatus,
    SessionStatus,
    TransferStage,
)
from gateway.engine.page import CheckoutPage, PageHosted, WalletState
from gateway.kernel.money import Money


class Tone(StrEnum):
    """How a state feels: it picks the colour and the icon of the status."""

    IDLE = "idle"
    BUSY = "busy"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


class PageState(StrEnum):
    """What the server knows."""

    OPEN = "open"
    UNAVAILABLE = "unavailable"
    PAGE_OPENING = "page_opening"
    PAGE_OPEN = "page_open"
    PAGE_CLOSED = "page_closed"
    PAGE_REFUSED = "page_refused"
    UNCONFIRMED = "unconfirmed"
    DECLINED = "declined"
    CHOSEN = "chosen"
    RENEW = "renew"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    REORG = "reorg"
    CLOSING = "closing"
    PROCESSING = "processing"
    SEEN = "seen"
    CONFIRMING = "confirming"
    UNDERPAID = "underpaid"
    AUTHORIZED = "authorized"
    BEGUN = "begun"
    PAID = "paid"
    OVERPAID = "overpaid"
    LATE = "late"
    LATE_REFUND = "late_refund"
    REFUND_PENDING = "refund_pending"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    EXPIRED = "expired"
    CANCELED = "canceled"


class ClientState(StrEnum):
    """What only the browser knows; the script shows it, the gallery draws it."""

    LEAVING = "leaving"
    PREPARING = "preparing"
    ASKING = "asking"
    SENT = "sent"
    REJECTED = "rejected"
    BUSY = "busy"
    WRONG_NETWORK = "wrong_network"
    UNAUTHORIZED = "unauthorized"
    FAILED = "failed"
    OFFLINE = "offline"


TONES: Final[dict[PageState, Tone]] = {
    PageState.OPEN: Tone.IDLE,
    PageState.UNAVAILABLE: Tone.WARN,
    PageState.PAGE_OPENING: Tone.WARN,
    PageState.PAGE_OPEN: Tone.IDLE,
    PageState.PAGE_CLOSED: Tone.WARN,
    PageState.PAGE_REFUSED: Tone.WARN,
    PageState.UNCONFIRMED: Tone.WARN,
    PageState.DECLINED: Tone.BAD,
    PageState.CHOSEN: Tone.IDLE,
    PageState.RENEW: Tone.WARN,
    PageState.WAITING: Tone.BUSY,
    PageState.UNKNOWN: Tone.WARN,
    PageState.REORG: Tone.WARN,
    PageState.CLOSING: Tone.BUSY,
    PageState.PROCESSING: Tone.BUSY,
    PageState.SEEN: Tone.BUSY,
    PageState.CONFIRMING: Tone.BUSY,
    PageState.UNDERPAID: Tone.WARN,
    PageState.AUTHORIZED: Tone.GOOD,
    PageState.BEGUN: Tone.IDLE,
    PageState.PAID: Tone.GOOD,
    PageState.OVERPAID: Tone.GOOD,
    PageState.LATE: Tone.GOOD,
    PageState.LATE_REFUND: Tone.WARN,
    PageState.REFUND_PENDING: Tone.IDLE,
    PageState.PARTLY_REFUNDED: Tone.GOOD,
    PageState.REFUNDED: Tone.GOOD,
    PageState.EXPIRED: Tone.BAD,
    PageState.CANCELED: Tone.BAD,
}

CLIENT_TONES: Final[dict[ClientState, Tone]] = {
    ClientState.LEAVING: Tone.BUSY,
    ClientState.PREPARING: Tone.BUSY,
    ClientState.ASKING: Tone.BUSY,
    ClientState.SENT: Tone.BUSY,
    ClientState.REJECTED: Tone.WARN,
    ClientState.BUSY: Tone.WARN,
    ClientState.WRONG_NETWORK: Tone.WARN,
    ClientState.UNAUTHORIZED: Tone.WARN,
    ClientState.FAILED: Tone.BAD,
    ClientState.OFFLINE: Tone.BAD,
}

PENDING_REFUND: Final = frozenset({RefundStatus.PENDING, RefundStatus.REQUIRES_ACTION})
# Money has come back, or is coming.
RETURNED: Final = frozenset({PageState.REFUND_PENDING, PageState.PARTLY_REFUNDED, PageState.REFUNDED})
SETTLED: Final = frozenset({PageState.PAID, PageState.OVERPAID, PageState.LATE}) | RETURNED
# Nothing that the shopper does here can change these; the page is a receipt.
FINAL: Final = SETTLED | {PageState.AUTHORIZED, PageState.BEGUN, PageState.LATE_REFUND, PageState.CANCELED}
# The shopper's part is done: the shop has the order, whatever a bank or the merchant still does.
DONE: Final = SETTLED | {PageState.AUTHORIZED, PageState.BEGUN, PageState.PROCESSING}
# The address and the QR code are shown: money is asked for.
PAYABLE: Final = frozenset({PageState.CHOSEN, PageState.UNKNOWN, PageState.UNDERPAID})
# One way leads on where the last one stopped: to the page of the same provider.
RESUMABLE: Final = frozenset(
    {
        PageState.PAGE_OPENING,
        PageState.PAGE_OPEN,
        PageState.PAGE_CLOSED,
        PageState.UNCONFIRMED,
        PageState.DECLINED,
    }
)
# Another way to pay may be chosen: nothing has been sent as far as we know.
CHOOSABLE: Final = RESUMABLE | {
    PageState.OPEN,
    PageState.UNAVAILABLE,
    PageState.PAGE_REFUSED,
    PageState.CHOSEN,
    PageState.RENEW,
}


def state_of(page: CheckoutPage, now: datetime) -> PageState:
    """Return the state that the page shows at `now`."""
    match page.payment_status:
        case PaymentStatus.PAID:
            return _returned(page) or _settled(page)
        case PaymentStatus.CANCELED | PaymentStatus.EXPIRED if PaymentException.LATE in page.exceptions:
            return _returned(page) or PageState.LATE_REFUND
        case PaymentStatus.CANCELED | PaymentStatus.EXPIRED | PaymentStatus.PROCESSING | PaymentStatus.AUTHORIZED:
            return PageState(page.payment_status.value)  # the same words
        case PaymentStatus.UNDERPAID:
            return _underpaid(page, now)
        case PaymentStatus.CONFIRMING:
            is_seen_only = all(transfer.stage is TransferStage.SEEN for transfer in page.transfers)
            return PageState.SEEN if is_seen_only else PageState.CONFIRMING
        case PaymentStatus.OPEN | PaymentStatus.REQUIRES_ACTION:
            # Complete and unpaid: a subscription's trial, or a renewal that its provider collects.
            return PageState.BEGUN if page.session_status is SessionStatus.COMPLETE else _unpaid(page, now)


def paid_by_provider(page: CheckoutPage) -> PageHosted | None:
    """Return the visit on which money was taken; None where no provider took any."""
    hosted = page.hosted
    return hosted if hosted is not None and hosted.charge_status is ChargeStatus.SUCCEEDED else None


def refunded(page: CheckoutPage, *statuses: RefundStatus) -> Money | None:
    """Return the sum of the refunds in these states; None without one, and for a mixture of currencies."""
    amounts = [refund.amount for refund in page.refunds if refund.status in statuses]
    if len({amount.currency for amount in amounts}) != 1:
        return None
    return sum(amounts[1:], start=amounts[0])


def _returned(page: CheckoutPage) -> PageState | None:
    """Return what refunds make of a paid page; one that failed or was called off makes nothing of it."""
    if any(refund.status in PENDING_REFUND for refund in page.refunds):
        return PageState.REFUND_PENDING
    if not any(refund.status is RefundStatus.SUCCEEDED for refund in page.refunds):
        return None
    back, hosted = refunded(page, RefundStatus.SUCCEEDED), paid_by_provider(page)
    paid = hosted.amount if hosted else page.attempt.received if page.attempt else page.amount
    is_twice = PaymentException.DOUBLE_PAYMENT in page.exceptions  # then the other payment may still stand
    is_whole = not is_twice and back is not None and back.currency == paid.currency and back >= paid
    return PageState.REFUNDED if is_whole else PageState.PARTLY_REFUNDED


def _settled(page: CheckoutPage) -> PageState:
    # Where late money is refused it paid nothing: what paid came in time, or was accepted by hand.
    if PaymentException.LATE in page.exceptions and page.late_policy is LatePolicy.ACCEPT:
        return PageState.LATE
    if page.exceptions & {PaymentException.OVERPAID, PaymentException.DOUBLE_PAYMENT}:
        return PageState.OVERPAID
    return PageState.PAID


def _underpaid(page: CheckoutPage, now: datetime) -> PageState:
    """The rest is asked for only while it would count: always where late money does, else at a rate that holds."""
    if page.wallet_state is WalletState.WAITING:
        return PageState.WAITING
    if page.late_policy is LatePolicy.ACCEPT:
        return PageState.UNDERPAID
    if page.session_status is SessionStatus.EXPIRED:
        return PageState.LATE_REFUND
    if now >= page.expires_at:
        return PageState.CLOSING
    is_quote_over = page.attempt is not None and (page.attempt.is_quote_expired or now >= page.attempt.expires_at)
    return PageState.RENEW if is_quote_over else PageState.UNDERPAID


def _unpaid(page: CheckoutPage, now: datetime) -> PageState:
    """Order matters: what may already be on its way comes before what could be sent."""
    if PaymentException.REORG in page.exceptions:
        return PageState.REORG
    if page.wallet_state is WalletState.WAITING:
        return PageState.WAITING
    if page.session_status is SessionStatus.EXPIRED or now >= page.expires_at:
        return PageState.CLOSING
    if page.wallet_state is WalletState.UNKNOWN:
        return PageState.UNKNOWN
    if page.attempt is None:
        return _unchosen(page) if page.hosted is None else _visited(page.hosted)
    return PageState.RENEW if page.attempt.is_quote_expired or now >= page.attempt.expires_at else PageState.CHOSEN


def _unchosen(page: CheckoutPage) -> PageState:
    return PageState.OPEN if any(method.available for method in page.methods) else PageState.UNAVAILABLE


def _visited(hosted: PageHosted) -> PageState:
    """Return what a visit to a provider's page came to, as long as it paid nothing."""
    match hosted.stage:
        case AttemptStage.REGISTERING:
            return PageState.PAGE_OPENING
        case AttemptStage.REFUSED:
            return PageState.PAGE_REFUSED
        case AttemptStage.EXPIRED:
            return PageState.PAGE_CLOSED
        case AttemptStage.OPEN | AttemptStage.COMPLETE:
            if hosted.charge_status is ChargeStatus.REQUIRES_ACTION:
                return PageState.UNCONFIRMED
            if hosted.charge_status is ChargeStatus.FAILED or hosted.failure_code is not None:
                return PageState.DECLINED
            return PageState.PAGE_OPEN if hosted.stage is AttemptStage.OPEN else PageState.PAGE_CLOSED
