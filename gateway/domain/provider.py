"""What a payment provider reports of its own objects, in one shape for every provider.

Everything here is a snapshot: what one read said at one moment. Amounts are in atomic units of the named currency.
Snapshots are stored by `engine.reading` in the order of their reads, never by the time of an event.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.declines import Decline
from gateway.domain.words import AttemptStage, CaptureMethod, ChargeStatus, DisputeStatus, RefundStatus, SessionMode
from gateway.kernel.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationLine:
    """One line of the order as the provider's page shows it; `amount` is for the whole quantity."""

    name: str
    quantity: int
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringTerms:
    """How a subscription repeats: every `interval_count` of `interval` (day, week, month, year)."""

    interval: str
    interval_count: int
    trial_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A request to open a payment page at a provider, exactly once.

    Attributes:
        operation_id: the idempotency key; the same registration under the same key opens one page.
        attempt_id, payment_id: put on every object at the provider, so that each can be found again.
        expires_at: when the provider's page must close; the provider may round it to what it allows.
        customer: the provider's id of a known customer, or None.
        recurring: the terms of a subscription; None for the other modes.
    """

    operation_id: str
    attempt_id: str
    payment_id: str
    livemode: bool
    mode: SessionMode
    amount: Money
    capture_method: CaptureMethod
    lines: Sequence[RegistrationLine]
    reference: str
    merchant_name: str
    customer_email: str | None
    customer: str | None
    locale: str | None
    success_url: str
    cancel_url: str
    created_at: datetime
    expires_at: datetime
    recurring: RecurringTerms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """What the shopper paid with, as a receipt may show it: never more than the last four digits."""

    type: str
    brand: str | None = None
    last4: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedMethod:
    """What a shopper left with a provider for later charges; `reference` is the provider's id of it."""

    reference: str
    instrument: Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCharge:
    """A provider's charge for one attempt.

    Attributes:
        reference: the provider's id of it, by which webhooks, refunds and disputes name it (Stripe: payment intent).
        amount: what is or was held or asked; `captured`: what was taken; `capturable`: what may still be taken.
        authorized_at: when the shopper's part was done: judges whether it was late; None before.
        capture_before: when an uncaptured hold lapses.
        failure_code: the provider's word for the newest refusal; None without one. `decline` is ours for it.
        has_fraud_warning: the card's network has told the provider of a likely fraud.
        is_refundable: False while a dispute makes a refund a second loss.
    """

    reference: str
    status: ChargeStatus
    amount: Money
    captured: Money
    capturable: Money
    authorized_at: datetime | None
    capture_before: datetime | None = None
    failure_code: str | None = None
    decline: Decline | None = None
    instrument: Instrument | None = None
    risk_level: str | None = None
    has_fraud_warning: bool = False
    is_refundable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRefund:
    """A provider's refund; `operation_id` is ours, read back from it, or None when somebody made it elsewhere."""

    reference: str
    status: RefundStatus
    amount: Money
    reason: str | None
    failure_code: str | None
    operation_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDispute:
    """A provider's dispute; `withdrawn` minus `reinstated` is what the provider took from the balance and still has."""

    reference: str
    status: DisputeStatus
    amount: Money
    withdrawn: Money
    reinstated: Money
    reason: str
    evidence_due_by: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceLine:
    """One line of a provider's account: what it booked for a charge, refund or dispute, what it kept as fee.

    Attributes:
        source: the reference of the charge that this line, or its refund or dispute, is about; None for others.
        amount, fee, net: signed, `net = amount - fee`, in the currency of the provider's balance.
        payout: the provider's id of the payout that paid it out; None while it is not, or not known yet.
    """

    reference: str
    type: str
    source: str | None
    amount: Money
    fee: Money
    net: Money
    payout: str | None
    available_on: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderPayout:
    """Money that a provider sent to the merchant's bank; its lines are complete once `is_reconciled`."""

    reference: str
    amount: Money
    status: str
    arrives_on: datetime
    is_automatic: bool
    is_reconciled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSnapshot:
    """Everything that one read of an attempt at its provider said.

    Attributes:
        reference: the provider's id of the page; None for a charge that had no page (a renewal).
        url: where the shopper pays; None once that is over.
        is_livemode: which of the provider's worlds it is from.
        total: what the page asked in the end; providers may change it (taxes, promotions).
        lines: the balance lines of the charge that the provider had booked by then.
        saved: what a page of mode `setup` saved; None before, and in other modes.
    """

    reference: str
    stage: AttemptStage
    url: str | None
    expires_at: datetime | None
    is_livemode: bool
    attempt_id: str | None
    total: Money | None
    charge: ProviderCharge | None = None
    refunds: Sequence[ProviderRefund] = ()
    disputes: Sequence[ProviderDispute] = ()
    lines: Sequence[BalanceLine] = ()
    customer: str | None = None
    subscription: str | None = None
    saved: SavedMethod | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a command at a provider names: our operation (the idempotency key) and the provider's object."""

    operation_id: str
    attempt_id: str
    payment_id: str
    livemode: bool
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundCommand:
    """A refund of `amount` of the charge `reference`."""

    operation_id: str
    refund_id: str
    attempt_id: str
    payment_id: str
    livemode: bool
    reference: str
    amount: Money
    reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A verified webhook: a hint that something changed at the provider. The body is kept, never believed.

    Attributes:
        references: the provider's ids of what it is about: page, charge, subscription, invoice, payout.
        attempt_id: ours, where the object carries it.
        is_fraud_warning: the network warned of a likely fraud. No read of the charge need ever say so again; the signed
            notification is the only sure word of it, and it is never taken back.
        is_about_payout: money was sent to the merchant's bank, or every line of it is known now.
        is_decline: a bank refused a charge. A read shows only the newest refusal, so each is counted when it is told.
        card: the provider's word for the card that was refused, the same for one number always; None if it is not told.
        is_about_person: it tells of a customer and nothing else; its body is not kept, for it may come after the person
            asked to be forgotten.
    """

    event_id: str
    type: str
    is_livemode: bool
    created_at: datetime
    references: Sequence[str] = ()
    attempt_id: str | None = None
    is_fraud_warning: bool = False
    is_about_payout: bool = False
    is_decline: bool = False
    card: str | None = None
    is_about_person: bool = False
