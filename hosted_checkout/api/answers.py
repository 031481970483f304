"""What the API answers, as models. They write the OpenAPI document, and the tests hold every real answer to them.

Nothing is validated against them at run time: the engine's objects are already exact.
"""

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

from gateway.domain.declines import Decline
from gateway.domain.events import EventType
from gateway.domain.words import (
    AttemptStage,
    CaptureMethod,
    ChargeStatus,
    DisputesStatus,
    DisputeStatus,
    KeyStatus,
    LatePolicy,
    PaymentException,
    PaymentStatus,
    RefundsStatus,
    RefundStatus,
    SessionMode,
    SessionStatus,
    TransferStage,
    UnmatchedReason,
)
from gateway.kernel.errors import ErrorCode
from gateway.outbox.model import DeliveryOutcome, EndpointStatus
from hosted_checkout.api.answers_books import Payout
from hosted_checkout.api.answers_giving import Donation, DonationPayout, SessionGift
from hosted_checkout.api.answers_recurring import Subscription
from hosted_checkout.api.fields import LOCALES
from hosted_checkout.api.shown import (
    AttemptId,
    ChargeId,
    CharityId,
    Currency,
    CustomerId,
    DeliveryId,
    DisputeId,
    EndpointId,
    EventId,
    Instant,
    KeyId,
    MajorUnits,
    MerchantId,
    PaymentId,
    PlanId,
    QuoteId,
    RefundId,
    SessionId,
    Shown,
    SubscriptionId,
    TransferId,
)

Item = TypeVar("Item")


class LineItem(Shown):
    """One line of the order; `amount` is for the whole quantity."""

    name: str
    quantity: int
    amount: MajorUnits


class Instrument(Shown):
    """What the shopper paid with, as a receipt may show it."""

    type: str = Field(description="The provider's word, such as `card`.")
    brand: str | None
    last4: str | None = Field(description="The last four digits; nobody here ever sees the others.")
    country: str | None


class SavedMethod(Shown):
    """What a customer left with a provider for later charges."""

    network: str
    reference: str = Field(description="The provider's id of it; Stripe: a payment method.")
    customer_reference: str = Field(description="The provider's id of the customer that it belongs to.")
    instrument: Instrument


class CheckoutSession(Shown):
    """A merchant's request to collect one amount on our page. Send the shopper to `url`."""

    id: SessionId
    object: Literal["checkout.session"]
    livemode: bool
    url: str
    status: SessionStatus
    payment_status: PaymentStatus | Literal["no_payment_required"] = Field(
        description="The status of the payment. Ship when it is `paid`."
    )
    payment: PaymentId | None = Field(description="Null with mode `setup`, which asks for no money.")
    mode: SessionMode
    plan: PlanId | None = Field(description="Of a session that begins, or renews, a subscription.")
    customer: CustomerId | None
    subscription: SubscriptionId | None = Field(description="Set once it has begun.")
    saved_method: SavedMethod | None = Field(description="What a session of mode `setup` has saved, once complete.")
    donation: SessionGift | None = Field(description="What the shopper gives to a charity.")
    capture_method: CaptureMethod = Field(description="`manual`: a card is only held until you capture.")
    amount: MajorUnits
    currency: Currency
    reference: str
    success_url: str
    cancel_url: str | None
    customer_email: str | None
    customer_country: str | None
    locale: Annotated[str, Field(json_schema_extra={"enum": list(LOCALES)})] | None
    line_items: list[LineItem]
    methods: list[str] | None = Field(description="The methods on offer; null offers all.")
    metadata: dict[str, str]
    created_at: Instant
    expires_at: Instant
    completed_at: Instant | None


class Order(Shown):
    """A payment as the small payment API shows it. Send the shopper to `url`; ship when `state` is `paid`."""

    id: PaymentId
    url: str
    reference: str
    state: PaymentStatus


class Attempt(Shown):
    """One try through one processor: `amount` of `currency`, to an address of a chain or on a provider's page."""

    id: AttemptId
    processor: str
    method: str
    amount: MajorUnits
    currency: Currency
    network: str
    receiving_address: str | None = Field(description="Where a chain transfer goes; null on a provider's page.")
    reference_key: str | None = Field(description="What a chain transfer names; null on a provider's page.")
    quote: QuoteId | None
    stage: AttemptStage | None = Field(description="How far the provider's page has come; null for a wallet.")
    provider_reference: str | None = Field(description="The provider's id of its page; null before it is known.")
    expires_at: Instant
    created_at: Instant


class Charge(Shown):
    """A provider's charge for one attempt."""

    id: ChargeId
    attempt: AttemptId
    reference: str = Field(description="The provider's id of it.")
    status: ChargeStatus
    amount: MajorUnits
    amount_captured: MajorUnits
    amount_capturable: MajorUnits = Field(description="What is held and may still be captured.")
    currency: Currency
    capture_before: Instant | None = Field(description="When an uncaptured hold lapses.")
    failure_code: str | None = Field(description="The provider's word for the newest refusal.")
    instrument: Instrument | None
    risk_level: str | None = Field(description="The provider's opinion.")
    authorized_at: Instant | None


class Transfer(Shown):
    """One movement on a chain to the merchant's account."""

    id: TransferId
    network: str
    signature: str
    currency: Currency
    amount: MajorUnits
    stage: TransferStage
    payer: str | None
    slot: int
    occurred_at: Instant | None


class Payment(Shown):
    """The obligation, and what has come. Ship on `paid` and on nothing else."""

    id: PaymentId
    object: Literal["payment"]
    livemode: bool
    session: SessionId
    kind: Literal["sale", "recurring"]
    version: int = Field(description="Counts the changes of this payment: of two readings the larger one is newer.")
    status: PaymentStatus
    exceptions: list[PaymentException]
    refunds: RefundsStatus = Field(description="What all its refunds add up to.")
    dispute: DisputesStatus = Field(description="What all its disputes add up to.")
    amount: MajorUnits
    currency: Currency
    amount_received: MajorUnits
    amount_capturable: MajorUnits = Field(description="What a card holds and may still be captured.")
    amount_refunded: MajorUnits = Field(description="What has gone back, refunds that failed left out.")
    charity: CharityId | None = Field(description="To whom the gift goes, or all of it, to a campaign.")
    gift_amount: MajorUnits = Field(description="What a charity is given on top of `amount`.")
    reference: str
    metadata: dict[str, str]
    attempts: list[Attempt]
    transfers: list[Transfer] = Field(description="What came over a chain.")
    charges: list[Charge] = Field(description="What was charged by a provider.")
    created_at: Instant
    expires_at: Instant
    paid_at: Instant | None


class Refund(Shown):
    """Money on its way back. A provider may turn `succeeded` into `failed` weeks later: the money is yours again."""

    id: RefundId
    object: Literal["refund"]
    livemode: bool
    payment: PaymentId
    source: str = Field(description="The charge, or the chain transfer, whose money goes back.")
    status: RefundStatus
    amount: MajorUnits
    currency: Currency
    gift_amount: MajorUnits = Field(description="What of `amount` comes from a gift on top of the order.")
    reason: str | None = Field(description="Yours, or the provider's own word for a refund that was made there.")
    failure_code: str | None
    destination: str | None = Field(description="The address to which a chain refund goes.")
    network: str
    provider_reference: str | None = Field(description="The provider's id of it; null before it is known.")
    metadata: dict[str, str]
    created_at: Instant
    updated_at: Instant


class RefundTransfer(Shown):
    """An unsigned chain transfer that pays a refund; of no use after `last_valid_height`."""

    object: Literal["refund_transfer"]
    refund: RefundId
    network: str
    payer: str = Field(description="The wallet that is to sign: it pays the refund and the network's fee.")
    destination: str
    amount: MajorUnits
    currency: Currency
    reference_key: str
    memo: str = Field(description="The refund's id. A transfer of another tool must carry it too.")
    payload: str = Field(description="Base64 of the message with an empty signature.")
    last_valid_height: int


class Dispute(Shown):
    """A customer's bank asks about a charge, or takes its money back. Answer it at the provider."""

    id: DisputeId
    object: Literal["dispute"]
    livemode: bool
    payment: PaymentId
    charge: ChargeId
    status: DisputeStatus
    amount: MajorUnits
    currency: Currency
    amount_withdrawn: MajorUnits = Field(description="What the provider took from its balance.")
    amount_reinstated: MajorUnits = Field(description="What of it the provider gave back.")
    reason: str
    provider_reference: str
    evidence_due_by: Instant | None = Field(description="Until when the bank takes your evidence.")
    created_at: Instant
    updated_at: Instant


class ChainTransfer(Transfer):
    """A chain transfer as the queue of unmatched money shows it; `suggestions` are payments it may belong to."""

    object: Literal["chain_transfer"]
    livemode: bool
    status: Literal["unmatched", "matched"]
    reason: UnmatchedReason | None
    memo: str | None
    payment: PaymentId | None
    suggestions: list[PaymentId]


class WebhookEndpoint(Shown):
    """A merchant's URL for events."""

    id: EndpointId
    object: Literal["webhook_endpoint"]
    livemode: bool
    url: str
    description: str | None
    enabled_events: list[Literal["*"] | EventType]
    status: EndpointStatus
    disabled_reason: str | None
    created_at: Instant


class IssuedWebhookEndpoint(WebhookEndpoint):
    """An endpoint with its signing secret, which is shown this once."""

    secret: str = Field(pattern=r"^whsec_[A-Za-z0-9+/=]+$", description="Store it now; it is not shown again.")


class ApiKey(Shown):
    """A secret key as it may be shown: never the key itself."""

    id: KeyId
    object: Literal["api_key"]
    livemode: bool
    description: str | None
    hint: str = Field(description="Its beginning and its end.", examples=["sk_test_…9f3"])
    status: KeyStatus = Field(description="`ending` was rolled, and works until `expires_at`.")
    replaced_by: KeyId | None = Field(description="The key that it was rolled to.")
    created_at: Instant
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None = Field(description="Exact to a minute.")


class IssuedApiKey(ApiKey):
    """A key with its secret, which is shown this once."""

    secret: str = Field(pattern=r"^sk_(test|live)_[A-Za-z0-9_-]{49}$", description="Store it now.")


class MovedTime(Shown):
    """The gateway's time."""

    object: Literal["test_clock"]
    now: Instant
    ahead_s: int = Field(ge=0, description="Seconds before the real time.")
    also_advance: list[str] = Field(description="Where to POST the same body: the Test Banks' own clocks.")


class DeletedWebhookEndpoint(Shown):
    """What is left of a deleted endpoint."""

    id: EndpointId
    object: Literal["webhook_endpoint"]
    deleted: Literal[True]


class Delivery(Shown):
    """One try to deliver one event to one endpoint."""

    id: DeliveryId
    object: Literal["delivery"]
    event: EventId
    event_type: EventType
    endpoint: EndpointId
    attempt: int
    outcome: DeliveryOutcome
    status_code: int | None
    error: str | None
    latency_ms: int
    response_excerpt: str | None
    created_at: Instant
    next_attempt_at: Instant | None


class EventData(Shown, Generic[Item]):
    """The object at that moment, and the former values of what changed."""

    object: Item
    previous: dict[str, Any] | None


class Event(Shown, Generic[Item]):
    """A fact. The body of a webhook is exactly this text; `sequence` counts per object, so drop what is older."""

    id: EventId
    object: Literal["event"]
    type: EventType
    timestamp: Instant
    api_version: str
    livemode: bool
    sequence: int
    data: EventData[Item]


AnyEvent = Event[
    CheckoutSession
    | Payment
    | Refund
    | Dispute
    | Payout
    | Subscription
    | Donation
    | DonationPayout
    | ChainTransfer
    | WebhookEndpoint
]


def object_word(kind: EventType) -> str:
    """Return what stands before the last point of a type: the word of the object that the event carries."""
    return kind.value.rpartition(".")[0] or kind.value


_BY_PREFIX: dict[str, type[BaseModel]] = {
    "checkout.session": CheckoutSession,
    "payment": Payment,
    "refund": Refund,
    "dispute": Dispute,
    "payout": Payout,
    "subscription": Subscription,
    "donation": Donation,
    "transfer": ChainTransfer,
    "webhook_endpoint": WebhookEndpoint,
    "ping": WebhookEndpoint,
}
EVENT_OBJECTS: dict[EventType, type[BaseModel]] = {
    kind: _BY_PREFIX[prefix] for kind in EventType if (prefix := object_word(kind)) in _BY_PREFIX
} | dict.fromkeys((EventType.DONATION_PAYOUT_RECORDED, EventType.DONATION_PAYOUT_CANCELED), DonationPayout)


class RateSource(Shown):
    """One exchange's word."""

    name: str
    rate: MajorUnits
    as_of: Instant


class Rate(Shown):
    """The median of fresh sources: one `base` costs `rate` of `quote`."""

    object: Literal["rate"]
    base: Currency
    quote: Currency
    rate: MajorUnits
    sources: list[RateSource]
    as_of: Instant


class Quote(Shown):
    """`amount` of `currency` costs `pay_amount` of `pay_currency` until `expires_at`, for the reasons in `evidence`."""

    id: QuoteId
    object: Literal["quote"]
    livemode: bool
    method: str
    amount: MajorUnits
    currency: Currency
    pay_amount: MajorUnits
    pay_currency: Currency
    rate: MajorUnits
    expires_at: Instant
    created_at: Instant
    evidence: dict[str, Any]


class PaymentMethod(Shown):
    """A way to pay; when it is not `available`, `reason` says why."""

    object: Literal["method"]
    id: str
    title: str
    currency: Currency | None = Field(description="What is sent; null: whatever currency the price is in.")
    processor: str
    network: str
    available: bool
    reason: str | None


class ReceivingAddress(Shown):
    """Where money is taken on one network."""

    network: str
    address: str


class Account(Shown):
    """The merchant to whom the key belongs."""

    id: MerchantId
    object: Literal["account"]
    name: str
    livemode: bool
    origins: list[str]
    receiving_addresses: list[ReceivingAddress]
    brand_color: str | None
    logo_url: str | None
    late_policy: LatePolicy
    tolerance_bps: int


class ListOf(Shown, Generic[Item]):
    """A page of a list, newest first."""

    object: Literal["list"]
    data: list[Item]
    has_more: bool = Field(description="Whether more follow in the direction that was asked.")
    url: str


class FieldProblem(Shown):
    """One wrong field; `param` is its JSON pointer."""

    param: str
    code: ErrorCode
    detail: str


class Problem(Shown):
    """What went wrong, and what to do (RFC 9457). `code` is stable; `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: ErrorCode
    param: str | None
    errors: list[FieldProblem]
    request_id: str = Field(pattern="^req_[0-9a-z]{26}$", description="Name it when you ask for help.")
    doc_url: str
    retryable: bool = Field(description="Whether the same request, with the same key, may be sent again.")
    object_id: str | None = Field(default=None, description="The object whose state forbids it.")
    decline_code: Decline | None = Field(default=None, description="Why a provider said no, with `provider_declined`.")
