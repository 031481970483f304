"""What the gateway answers of payments: sessions, attempts, receipts, refunds, disputes. `models` names them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from streampay._decoding import READERS, Model, many, one, or_none


@dataclass(frozen=True, slots=True, kw_only=True)
class LineItem(Model):
    """One line of an order; `amount` is for the whole line, in the session's currency."""

    name: str
    quantity: int = 1
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument(Model):
    """What the shopper paid with, as a receipt may show it: `visa`, `4242`."""

    type: str
    brand: str | None = None
    last4: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedMethod(Model):
    """What a customer left with a provider for later charges: the provider's ids of it and of the customer."""

    network: str
    reference: str
    customer_reference: str
    instrument: Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionGift(Model):
    """The gift of a checkout session: on top of its `amount`, or all of it where a `campaign` is named.

    `kind` is campaign, round_up or fixed; `frequency` is once, monthly, quarterly or yearly; `fee_cover` is the part
    that the donor added for fees.
    """

    id: str
    charity: str
    charity_name: str
    campaign: str | None = None
    kind: str
    frequency: str
    amount: str
    fee_cover: str
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutSession(Model):
    """A request to collect one amount on the hosted page: send the shopper to `url`.

    `status` is open, complete or expired; `payment_status` is the payment's (see `Payment`); `mode` is payment,
    subscription or setup; `capture_method` automatic or manual. One of mode setup has no payment
    (`no_payment_required`): once complete, it has a `customer` and a `saved_method`. `donation` is what the shopper
    gives to a charity.
    """

    OBJECT: ClassVar[str | None] = "checkout.session"

    id: str
    livemode: bool
    url: str
    status: str
    payment_status: str
    payment: str | None = None
    amount: str
    currency: str
    reference: str
    success_url: str | None = None
    cancel_url: str | None = None
    customer_email: str | None = None
    customer_country: str | None = None
    locale: str | None = None
    line_items: tuple[LineItem, ...] = ()
    methods: tuple[str, ...] | None = None
    mode: str = "payment"
    plan: str | None = None
    customer: str | None = None
    subscription: str | None = None
    saved_method: SavedMethod | None = None
    donation: SessionGift | None = None
    capture_method: str = "automatic"
    metadata: dict[str, str] = field(default_factory=dict, hash=False)
    created_at: datetime
    expires_at: datetime
    completed_at: datetime | None = None

    @property
    def is_paid(self) -> bool:
        """All the money is here and final."""
        return self.payment_status == "paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt(Model):
    """One try to pay through one processor; `amount` in the `currency` that the shopper pays in.

    `stage` is set for a provider's page: registering, open, complete, expired or refused.
    """

    id: str
    processor: str
    method: str
    amount: str
    currency: str
    network: str | None = None
    receiving_address: str | None = None
    reference_key: str | None = None
    quote: str | None = None
    stage: str | None = None
    provider_reference: str | None = None
    expires_at: datetime | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge(Model):
    """A provider's charge for one attempt.

    `status` is open, requires_action, processing, authorized, succeeded, failed or canceled; an authorized one must be
    captured before `capture_before`.
    """

    id: str
    attempt: str
    reference: str
    status: str
    amount: str
    amount_captured: str
    amount_capturable: str
    currency: str
    capture_before: datetime | None = None
    failure_code: str | None = None
    instrument: Instrument | None = None
    risk_level: str | None = None
    authorized_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTransfer(Model):
    """One movement on a chain to the merchant's account; `stage` is seen, confirmed, final or dropped.

    What follows `occurred_at` is set in the queue of unmatched money only. `status` is unmatched or matched; `reason`
    says why nobody is credited: no_reference, unknown_reference, ambiguous, wrong_asset, dust or outflow.
    """

    OBJECT: ClassVar[str | None] = "chain_transfer"

    id: str
    network: str
    signature: str
    currency: str
    amount: str
    stage: str
    payer: str | None = None
    slot: int | None = None
    occurred_at: datetime | None = None
    livemode: bool = False
    status: str | None = None
    reason: str | None = None
    memo: str | None = None
    payment: str | None = None
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment(Model):
    """What is owed and what has come.

    `status` is open, requires_action, processing, confirming, authorized, underpaid, paid, expired or canceled. Ship
    on paid and on nothing else. `exceptions` holds overpaid, late, amount_mismatch, double_payment, reorg,
    early_fraud_warning, unknown_operation. `kind` is sale or recurring. `refunds` is none, pending, partial, full or
    failed; `dispute` none, inquiry, open, won or lost. While it is authorized, a card holds `amount_capturable`. A
    `charity` is given `gift_amount` on top of the order. Of two readings the one with the larger `version` is newer.
    """

    OBJECT: ClassVar[str | None] = "payment"

    id: str
    livemode: bool
    session: str | None = None
    kind: str = "sale"
    version: int = 0
    status: str
    exceptions: tuple[str, ...] = ()
    refunds: str = "none"
    dispute: str = "none"
    amount: str
    currency: str
    amount_received: str
    amount_capturable: str | None = None
    amount_refunded: str | None = None
    charity: str | None = None
    gift_amount: str | None = None
    reference: str
    metadata: dict[str, str] = field(default_factory=dict, hash=False)
    attempts: tuple[Attempt, ...] = ()
    transfers: tuple[ChainTransfer, ...] = ()
    charges: tuple[Charge, ...] = ()
    created_at: datetime
    expires_at: datetime | None = None
    paid_at: datetime | None = None

    @property
    def is_paid(self) -> bool:
        """All the money is here and final."""
        return self.status == "paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund(Model):
    """Money on its way back.

    `status` is pending, requires_action, succeeded, failed or canceled; succeeded may turn into failed weeks later.
    `source` is the charge or chain transfer whose money goes back; `gift_amount` of it was a charity's.
    """

    OBJECT: ClassVar[str | None] = "refund"

    id: str
    livemode: bool
    payment: str
    source: str | None = None
    status: str
    amount: str
    currency: str
    gift_amount: str | None = None
    reason: str | None = None
    failure_code: str | None = None
    destination: str | None = None
    network: str | None = None
    provider_reference: str | None = None
    metadata: dict[str, str] = field(default_factory=dict, hash=False)
    created_at: datetime
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundTransfer(Model):
    """An unsigned chain transfer that pays a refund: let the wallet `payer` sign `payload`, base64."""

    OBJECT: ClassVar[str | None] = "refund_transfer"

    refund: str
    network: str
    payer: str
    destination: str
    amount: str
    currency: str
    reference_key: str
    memo: str
    payload: str
    last_valid_height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute(Model):
    """A customer's bank asks about a charge (inquiry) or takes its money back.

    `status` is inquiry, inquiry_closed, needs_response, under_review, won or lost. Answer at the provider, before
    `evidence_due_by`.
    """

    OBJECT: ClassVar[str | None] = "dispute"

    id: str
    livemode: bool
    payment: str
    charge: str | None = None
    status: str
    amount: str
    currency: str
    amount_withdrawn: str | None = None
    amount_reinstated: str | None = None
    reason: str | None = None
    provider_reference: str | None = None
    evidence_due_by: datetime | None = None
    created_at: datetime
    updated_at: datetime | None = None


READERS.update(
    {
        "tuple[LineItem, ...]": or_none(many(one(LineItem))),
        "tuple[Attempt, ...]": many(one(Attempt)),
        "tuple[ChainTransfer, ...]": many(one(ChainTransfer)),
        "tuple[Charge, ...]": many(one(Charge)),
        "Instrument": one(Instrument),
        "Instrument | None": or_none(one(Instrument)),
        "SavedMethod | None": or_none(one(SavedMethod)),
        "SessionGift | None": or_none(one(SessionGift)),
    }
)
