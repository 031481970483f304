"""Rows as immutable records, and the few queries that several verbs share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import RowMapping, select

from gateway.domain.attribution import GIFT_PATH
from gateway.domain.merchants import Merchant, MerchantSettings
from gateway.domain.words import (
    AttemptStage,
    CaptureMethod,
    ChargeStatus,
    DisputesStatus,
    DisputeStatus,
    OperationKind,
    OperationStatus,
    PaymentException,
    PaymentKind,
    PaymentStatus,
    RefundsStatus,
    RefundStatus,
    SessionMode,
    SessionStatus,
    TransferStage,
    UnmatchedReason,
)
from gateway.kernel.errors import ErrorCode, NotFoundError
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx

Row = RowMapping | Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose data, and in which mode; stands in every query that a caller can reach."""

    merchant_id: str
    livemode: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A row of `checkout_session`."""

    id: str
    merchant_id: str
    livemode: bool
    payment_id: str
    token: str
    status: SessionStatus
    open_key: str | None
    reference: str
    amount: Money
    success_url: str
    cancel_url: str | None
    customer_email: str | None
    locale: str | None
    line_items: Sequence[dict[str, Any]]
    methods: Sequence[str] | None
    mode: SessionMode
    capture_method: CaptureMethod
    customer_country: str | None
    metadata: dict[str, str]
    attempt_id: str | None
    sequence: int
    created_at: datetime
    expires_at: datetime
    extended_at: datetime | None
    completed_at: datetime | None
    customer_id: str | None = None
    plan_id: str | None = None
    subscription_id: str | None = None
    page_over_at: datetime | None = None
    saved_method: dict[str, Any] | None = None
    donation: dict[str, Any] | None = None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        values["amount"] = Money(values["amount"], values.pop("currency"))
        values["status"] = SessionStatus(values["status"])
        values["mode"] = SessionMode(values["mode"])
        values["capture_method"] = CaptureMethod(values["capture_method"])
        return cls(**values)

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(merchant_id=self.merchant_id, livemode=self.livemode)

    @property
    def is_page_over(self) -> bool:
        """Whether the shopper's part is done without a payment: a subscription has begun, or a method was saved."""
        return self.subscription_id is not None or self.page_over_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRecord:
    """A row of `payment`."""

    id: str
    merchant_id: str
    livemode: bool
    session_id: str
    kind: PaymentKind
    status: PaymentStatus
    exceptions: tuple[PaymentException, ...]
    reference: str
    amount: Money
    amount_received: Money
    amount_capturable: Money
    amount_refunded: Money
    refunds: RefundsStatus
    dispute: DisputesStatus
    version: int
    sequence: int
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None
    canceled_at: datetime | None
    paid_at: datetime | None
    metadata: dict[str, str]
    rules: dict[str, Any] | None
    charity_id: str | None
    gift: Money

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        code = values.pop("currency")
        for name in ("amount", "amount_received", "amount_capturable", "amount_refunded"):
            values[name] = Money(values[name], code)
        values["gift"] = Money(values.pop("gift_amount"), code)
        values["refunds"] = RefundsStatus(values["refunds"])
        values["dispute"] = DisputesStatus(values["dispute"])
        values["status"] = PaymentStatus(values["status"])
        values["kind"] = PaymentKind(values["kind"])
        values["exceptions"] = tuple(PaymentException(word) for word in values["exceptions"])
        return cls(**values)

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(merchant_id=self.merchant_id, livemode=self.livemode)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """A row of `attempt`: an offer to pay `due` to `wallet`, or on a provider's page, until `expires_at`.

    Attributes:
        gift: what is asked on top of it, for a charity; to its own `gift_wallet` where it has one.
        stage: how far an attempt on a provider's page has come; None for a wallet's.
        reads: how many reads of it at the provider were stored.
    """

    id: str
    merchant_id: str
    livemode: bool
    payment_id: str
    processor: str
    method: str
    network: str
    due: Money
    quote_id: str | None
    reference_key: str
    wallet: str
    account: str
    created_at: datetime
    expires_at: datetime
    gift: Money
    gift_wallet: str | None = None
    gift_account: str | None = None
    stage: AttemptStage | None = None
    provider_reference: str | None = None
    redirect_url: str | None = None
    reads: int = 0
    read_at: datetime | None = None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        code = values.pop("pay_currency")
        values["due"], values["gift"] = Money(values.pop("pay_amount"), code), Money(values.pop("gift_amount"), code)
        del values["asked_amount"]  # their sum, kept for an index
        values["stage"] = None if values["stage"] is None else AttemptStage(values["stage"])
        return cls(**values)

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(merchant_id=self.merchant_id, livemode=self.livemode)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRecord:
    """A row of `chain_transfer`."""

    id: str
    merchant_id: str
    livemode: bool
    network: str
    signature: str
    account: str
    path: str
    amount: Money
    stage: TransferStage
    highest_stage: TransferStage
    slot: int
    occurred_at: datetime | None
    first_seen_at: datetime
    payer: str | None
    references: Sequence[str]
    memo: str | None
    payment_id: str | None
    attempt_id: str | None
    unmatched_reason: UnmatchedReason | None
    is_accepted_by_hand: bool
    version: int
    # The refund that an outflow names.
    refund_id: str | None = None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        values["amount"] = Money(values["amount"], values.pop("asset"))
        values["stage"] = TransferStage(values["stage"])
        values["highest_stage"] = TransferStage(values["highest_stage"])
        reason = values["unmatched_reason"]
        values["unmatched_reason"] = None if reason is None else UnmatchedReason(reason)
        return cls(**values)

    @property
    def is_to_charity(self) -> bool:
        """Whether it went to a charity's own account, by the signature that paid the order."""
        return self.path == GIFT_PATH


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationRecord:
    """A row of `operation`: a command and what became of it."""

    id: str
    merchant_id: str
    livemode: bool
    payment_id: str
    attempt_id: str
    refund_id: str | None
    kind: OperationKind
    status: OperationStatus
    provider_reference: str | None
    payload: str | None
    last_valid_height: int | None
    reason: str | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        values["kind"] = OperationKind(values["kind"])
        values["status"] = OperationStatus(values["status"])
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRecord:
    """A row of `charge`."""

    id: str
    merchant_id: str
    livemode: bool
    payment_id: str
    attempt_id: str
    network: str
    reference: str
    status: ChargeStatus
    amount: Money
    captured: Money
    capturable: Money
    authorized_at: datetime | None
    capture_before: datetime | None
    failure_code: str | None
    instrument: dict[str, str | None] | None
    risk_level: str | None
    has_fraud_warning: bool
    is_refundable: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        code = values.pop("currency")
        for name in ("amount", "captured", "capturable"):
            values[name] = Money(values[name], code)
        values["status"] = ChargeStatus(values["status"])
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRecord:
    """A row of `refund`."""

    id: str
    merchant_id: str
    livemode: bool
    payment_id: str
    source_id: str
    operation_id: str | None
    network: str
    reference: str | None
    status: RefundStatus
    amount: Money
    reason: str | None
    failure_code: str | None
    destination: str | None
    metadata: dict[str, str]
    sequence: int
    created_at: datetime
    updated_at: datetime
    # How much of it is taken from the gift.
    gift: Money
    # By which its chain transfer may be found; None for a refund that a provider carries out.
    reference_key: str | None = None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        code = values.pop("currency")
        values["amount"], values["gift"] = Money(values["amount"], code), Money(values.pop("gift_amount"), code)
        values["status"] = RefundStatus(values["status"])
        return cls(**values)

    @property
    def is_by_transfer(self) -> bool:
        """Whether the merchant's wallet sends it over a chain."""
        return self.reference_key is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeRecord:
    """A row of `dispute`; `withdrawn` less `reinstated` is what the provider still has."""

    id: str
    merchant_id: str
    livemode: bool
    payment_id: str
    charge_id: str
    network: str
    reference: str
    status: DisputeStatus
    amount: Money
    withdrawn: Money
    reinstated: Money
    reason: str
    evidence_due_by: datetime | None
    sequence: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        code = values.pop("currency")
        for name in ("amount", "withdrawn", "reinstated"):
            values[name] = Money(values[name], code)
        values["status"] = DisputeStatus(values["status"])
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteRecord:
    """A row of `quote`: `price` costs `pay` until `expires_at`, for the reasons in `evidence`."""

    id: str
    merchant_id: str
    livemode: bool
    method: str
    price: Money
    pay: Money
    rate_num: int
    rate_den: int
    evidence: dict[str, Any]
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        """Read a row."""
        values = dict(row)
        values["price"] = Money(values.pop("amount"), values.pop("currency"))
        values["pay"] = Money(values.pop("pay_amount"), values.pop("pay_currency"))
        return cls(**values)


def load_merchant(tx: Tx, merchant_id: str) -> Merchant:
    """Return a merchant that our own rows name."""
    row = tx.execute(select(schema.merchant).where(schema.merchant.c.id == merchant_id)).mappings().one()
    return Merchant(id=row["id"], name=row["name"], settings=MerchantSettings.from_json(row["settings"]))


def load_payment(tx: Tx, payment_id: str, *, lock: bool = False) -> PaymentRecord:
    """Return a payment that our own rows name; `lock` holds its row until the tx ends."""
    query = select(schema.payment).where(schema.payment.c.id == payment_id)
    return PaymentRecord.of(tx.execute(query.with_for_update() if lock else query).mappings().one())


def load_session(tx: Tx, session_id: str) -> SessionRecord:
    """Return a session that our own rows name."""
    query = select(schema.checkout_session).where(schema.checkout_session.c.id == session_id)
    return SessionRecord.of(tx.execute(query).mappings().one())


def load_attempts(tx: Tx, payment_id: str) -> list[AttemptRecord]:
    """Return the attempts of a payment, oldest first."""
    query = select(schema.attempt).where(schema.attempt.c.payment_id == payment_id).order_by(schema.attempt.c.id)
    return [AttemptRecord.of(row) for row in tx.execute(query).mappings()]


def load_transfers(tx: Tx, payment_id: str) -> list[TransferRecord]:
    """Return the chain transfers credited to a payment, in chain order, without parts that a fork made nothing."""
    table = schema.chain_transfer
    query = select(table).where(table.c.payment_id == payment_id, table.c.amount != 0)
    query = query.order_by(table.c.slot, table.c.signature, table.c.path)
    return [TransferRecord.of(row) for row in tx.execute(query).mappings()]


def load_charges(tx: Tx, payment_id: str) -> list[ChargeRecord]:
    """Return the charges of a payment, oldest first."""
    query = select(schema.charge).where(schema.charge.c.payment_id == payment_id).order_by(schema.charge.c.id)
    return [ChargeRecord.of(row) for row in tx.execute(query).mappings()]


def load_refunds(tx: Tx, payment_id: str) -> list[RefundRecord]:
    """Return the refunds of a payment, oldest first."""
    query = select(schema.refund).where(schema.refund.c.payment_id == payment_id).order_by(schema.refund.c.id)
    return [RefundRecord.of(row) for row in tx.execute(query).mappings()]


def load_disputes(tx: Tx, payment_id: str) -> list[DisputeRecord]:
    """Return the disputes of a payment, oldest first."""
    query = select(schema.dispute).where(schema.dispute.c.payment_id == payment_id).order_by(schema.dispute.c.id)
    return [DisputeRecord.of(row) for row in tx.execute(query).mappings()]


def load_attempt(tx: Tx, attempt_id: str) -> AttemptRecord:
    """Return an attempt that our own rows name."""
    return AttemptRecord.of(
        tx.execute(select(schema.attempt).where(schema.attempt.c.id == attempt_id)).mappings().one()
    )


def not_found(noun: str) -> NotFoundError:
    """Return the one answer for an object that does not exist or is somebody else's."""
    return NotFoundError(ErrorCode.NOT_FOUND, f"There is no such {noun} in this account and mode.")
