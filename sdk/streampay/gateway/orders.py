"""What the plugin keeps of a shop's order, and what the gateway has said about its payments.

A record is a set of readings, never a running total: its status is worked out from all of them, so the order in which
they came, and how often, cannot matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from enum import Enum
from typing import Any

from streampay.errors import refused
from streampay.models import Payment


class OrderStatus(str, Enum):
    """Where an order stands. Ship in PAID and in nothing else."""

    NEW = "new"
    PENDING = "pending"
    ON_HOLD = "on_hold"
    AUTHORIZED = "authorized"
    PAID = "paid"
    PARTLY_REFUNDED = "partly_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    FAILED = "failed"
    EXPIRED = "expired"

    def __str__(self) -> str:
        return str(self.value)


class Hook(str, Enum):
    """What a shop can do something about."""

    PAID = "paid"
    PENDING = "pending"
    FAILED = "failed"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    REVIEW = "review"

    def __str__(self) -> str:
        return str(self.value)


# The money came: from here an order goes on to these alone, whatever is said of other tries to pay it.
SETTLED = frozenset({OrderStatus.PAID, OrderStatus.PARTLY_REFUNDED, OrderStatus.REFUNDED, OrderStatus.DISPUTED})


@dataclass(frozen=True)
class OrderLine:
    """One line of the order; `amount` is for the whole quantity."""

    name: str
    amount: str | Decimal
    quantity: int = 1


@dataclass(frozen=True)
class Order:
    """An order as the shop hands it over, to be paid.

    Attributes:
        id: the shop's own number of it.
        amount: major units as text or Decimal, `"12.30"`; never a float or int.
        currency: `"EUR"`.
        description: what the only line is called when there are no `lines`.
        lines: what is bought; they add up to the amount.
        email, country, locale: of the customer, as far as they are known.
        metadata: up to 50 texts, given back with every object.
    """

    id: str
    amount: str | Decimal
    currency: str
    description: str | None = None
    lines: tuple[OrderLine, ...] = ()
    email: str | None = None
    country: str | None = None
    locale: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PaymentReading:
    """The newest that the gateway said of one payment; `was_paid` holds once any reading, old or new, said so."""

    id: str
    version: int
    status: str
    amount: str
    currency: str
    refunds: str = "none"
    amount_refunded: str = "0"
    dispute: str = "none"
    exceptions: tuple[str, ...] = ()
    was_paid: bool = False

    @classmethod
    def of(cls, payment: Payment) -> PaymentReading:
        """Read what the gateway says of a payment."""
        return cls(
            id=payment.id,
            version=payment.version,
            status=payment.status,
            amount=payment.amount,
            currency=payment.currency,
            refunds=payment.refunds,
            amount_refunded=payment.amount_refunded or "0",
            dispute=payment.dispute,
            exceptions=tuple(sorted(payment.exceptions)),
            was_paid=payment.is_paid,
        )

    def joined(self, other: PaymentReading) -> PaymentReading:
        """Return what two readings of the payment say together: the newer one, and that it was paid, as either did.

        What was paid is the sum that stood beside it, whatever sum an unpaid reading names.
        """
        newer, older = (self, other) if self.version >= other.version else (other, self)
        paid = older if older.was_paid and not newer.was_paid else newer
        return replace(newer, was_paid=paid.was_paid, amount=paid.amount, currency=paid.currency)


@dataclass(frozen=True)
class OrderRecord:
    """What the plugin knows of one order.

    Attributes:
        tries: how many sessions were opened for it.
        session_id, payment_id, url: the newest of them, where the shopper pays.
        pages: the address of every one of them, by its payment.
        paid_by: the payment that paid it: the first that was seen to; None before.
        readings: of every payment that named this order.
        reviews: what a person should look at, such as `amount_mismatch:pay_…`.
    """

    id: str
    amount: str
    currency: str
    status: OrderStatus = OrderStatus.NEW
    tries: int = 0
    session_id: str | None = None
    payment_id: str | None = None
    url: str | None = None
    pages: Mapping[str, str] = field(default_factory=dict)
    paid_by: str | None = None
    readings: Mapping[str, PaymentReading] = field(default_factory=dict)
    reviews: tuple[str, ...] = ()

    @classmethod
    def new(cls, order: Order) -> OrderRecord:
        """Return the record of an order of which nothing is known yet."""
        return cls(id=order.id, amount=amount_of(order), currency=order.currency)

    @property
    def is_settled(self) -> bool:
        """The money came, whatever became of it since."""
        return self.status in SETTLED

    @property
    def receipt_url(self) -> str | None:
        """The page that was paid on, which stays the receipt; before that the newest one."""
        return self.pages.get(self.paid_by or "", self.url)

    def asks(self, order: Order) -> bool:
        """Tell whether the shop still asks for the same money."""
        return Decimal(self.amount) == Decimal(amount_of(order)) and self.currency == order.currency

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON can hold it."""
        return asdict(self) | {"status": self.status.value}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> OrderRecord:
        """Read what `to_dict` wrote."""
        values = dict(kept)
        readings = {
            name: PaymentReading(**(one | {"exceptions": tuple(one["exceptions"])}))
            for name, one in values.pop("readings").items()
        }
        status, reviews = OrderStatus(values.pop("status")), tuple(values.pop("reviews"))
        return cls(**values, status=status, readings=readings, reviews=reviews)


@dataclass(frozen=True)
class HookCall:
    """One thing to do for an order, once.

    Attributes:
        subject: what it is about: the payment, and where one payment can mean several calls, what sets them apart.
        key: names the call for ever; hand it to a mail or warehouse service as its idempotency key.
        order: the order as it stands when the hook runs.
        status: the same in the shop's own words (see `status_map`).
        tx: the store's open transaction. What a hook writes through it is committed together with the note that the
            hook has run; anything else may happen twice if the machine dies in between.
    """

    order_id: str
    hook: Hook
    subject: str
    order: OrderRecord | None = None
    status: str = ""
    tx: Any = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> str:
        """The name of this call."""
        return f"{self.order_id}/{self.hook}/{self.subject}"

    @property
    def payment_id(self) -> str:
        """The payment that it is about."""
        return self.subject.partition(":")[0]


def amount_of(order: Order) -> str:
    """Return an order's amount as text.

    Raises:
        InvalidRequest: it is no text or Decimal, or no amount.
    """
    amount = order.amount
    text = plain(amount) if isinstance(amount, Decimal) and amount.is_finite() else amount
    if isinstance(text, str) and text.replace(".", "", 1).isdecimal() and text.isascii() and text[:1] != ".":
        return text
    raise refused(
        "write an order's amount as text or Decimal in major units, such as '12.30'",
        code="amount_invalid",
        param="/amount",
    )


def plain(amount: Decimal) -> str:
    """Return a number as text without needless zeros: a database's 1200.00 yen have no decimals."""
    return format(amount.normalize(), "f")
