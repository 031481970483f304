"""The public words: statuses, stages and kinds, as the API, the pages and the books use them."""

from enum import StrEnum


class SessionStatus(StrEnum):
    """Life of a checkout session."""

    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


class PaymentStatus(StrEnum):
    """Where the obligation stands; a pure function of the facts."""

    OPEN = "open"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    CONFIRMING = "confirming"
    AUTHORIZED = "authorized"
    UNDERPAID = "underpaid"
    PAID = "paid"
    EXPIRED = "expired"
    CANCELED = "canceled"


class PaymentException(StrEnum):
    """What went otherwise than agreed; a payment may carry several."""

    OVERPAID = "overpaid"
    LATE = "late"
    AMOUNT_MISMATCH = "amount_mismatch"
    DOUBLE_PAYMENT = "double_payment"
    REORG = "reorg"
    UNKNOWN_OPERATION = "unknown_operation"
    EARLY_FRAUD_WARNING = "early_fraud_warning"


class PaymentKind(StrEnum):
    """One time, again and again, or nothing at all: `setup` is the empty obligation of a session that saves a card."""

    SALE = "sale"
    RECURRING = "recurring"
    SETUP = "setup"


class TransferStage(StrEnum):
    """How far a chain transfer has come; `dropped` means a reorg removed it."""

    SEEN = "seen"
    CONFIRMED = "confirmed"
    FINAL = "final"
    DROPPED = "dropped"


class SessionMode(StrEnum):
    """What a session collects: one amount, a subscription's first period, or only a means to pay later."""

    PAYMENT = "payment"
    SUBSCRIPTION = "subscription"
    SETUP = "setup"


class CaptureMethod(StrEnum):
    """Whether a card payment takes the money at once or only holds it until the merchant captures."""

    AUTOMATIC = "automatic"
    MANUAL = "manual"


class AttemptStage(StrEnum):
    """How far an attempt at a provider has come; `refused`: the provider would not open it."""

    REGISTERING = "registering"
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"
    REFUSED = "refused"


class ChargeStatus(StrEnum):
    """Where a provider's charge stands."""

    OPEN = "open"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    AUTHORIZED = "authorized"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class RefundStatus(StrEnum):
    """Where a refund stands; a provider may turn `succeeded` into `failed` weeks later."""

    PENDING = "pending"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class GiftRefund(StrEnum):
    """What a refund does to a gift on top of the order: lets it be, gives it back too, or gives nothing else back."""

    KEEP = "keep"
    INCLUDE = "include"
    ONLY = "only"


class RefundsStatus(StrEnum):
    """What all refunds of a payment add up to."""

    NONE = "none"
    PENDING = "pending"
    PARTIAL = "partial"
    FULL = "full"
    FAILED = "failed"


class RefundReason(StrEnum):
    """Why a merchant gives money back."""

    DUPLICATE = "duplicate"
    FRAUDULENT = "fraudulent"
    REQUESTED_BY_CUSTOMER = "requested_by_customer"


class DisputeStatus(StrEnum):
    """Where one dispute stands; an `inquiry` has withdrawn nothing."""

    INQUIRY = "inquiry"
    INQUIRY_CLOSED = "inquiry_closed"
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"


class DisputesStatus(StrEnum):
    """What all disputes of a payment add up to."""

    NONE = "none"
    INQUIRY = "inquiry"
    OPEN = "open"
    WON = "won"
    LOST = "lost"


class OperationKind(StrEnum):
    """Commands that move money or announce it."""

    BROADCAST = "broadcast"
    WALLET_SEND = "wallet_send"
    REGISTER = "register"
    EXPIRE = "expire"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    CANCEL_REFUND = "cancel_refund"
    REFUND_TRANSFER = "refund_transfer"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


class OperationStatus(StrEnum):
    """Life of a command; `unknown` is a real outcome that only reconciliation closes."""

    RESERVED = "reserved"
    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class LatePolicy(StrEnum):
    """What the merchant does with money that comes after the deadline."""

    ACCEPT = "accept"
    REFUND = "refund"


class UnmatchedReason(StrEnum):
    """Why a chain transfer was credited to nobody."""

    NO_REFERENCE = "no_reference"
    UNKNOWN_REFERENCE = "unknown_reference"
    AMBIGUOUS = "ambiguous"
    WRONG_ASSET = "wrong_asset"
    DUST = "dust"
    OUTFLOW = "outflow"


class KeyStatus(StrEnum):
    """What an API key may still do: one that is ending was rolled, and works until its time is over."""

    ACTIVE = "active"
    ENDING = "ending"
    ENDED = "ended"
    REVOKED = "revoked"

    @property
    def is_living(self) -> bool:
        """Whether the gateway opens to it."""
        return self in {KeyStatus.ACTIVE, KeyStatus.ENDING}
