"""What the gateway answers of prices: rates, quotes, ways to pay. `models` names them all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from streampay._decoding import READERS, Model, many, one


@dataclass(frozen=True, slots=True, kw_only=True)
class RateSource(Model):
    """What one exchange said, and when."""

    name: str
    rate: str
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate(Model):
    """The median of fresh sources: one `base` costs `rate` of `quote`."""

    OBJECT: ClassVar[str | None] = "rate"

    base: str
    quote: str
    rate: str
    sources: tuple[RateSource, ...] = ()
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote(Model):
    """`amount` of `currency` costs `pay_amount` of `pay_currency` until `expires_at`."""

    OBJECT: ClassVar[str | None] = "quote"

    id: str
    method: str
    amount: str
    currency: str
    pay_amount: str
    pay_currency: str
    rate: str
    expires_at: datetime
    livemode: bool = False
    created_at: datetime | None = None
    evidence: dict[str, object] = field(default_factory=dict, repr=False, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethod(Model):
    """A way to pay; when it is not `available`, `reason` says why."""

    OBJECT: ClassVar[str | None] = "method"

    id: str
    title: str
    currency: str | None = None
    processor: str
    network: str | None = None
    available: bool
    reason: str | None = None


READERS["tuple[RateSource, ...]"] = many(one(RateSource))
