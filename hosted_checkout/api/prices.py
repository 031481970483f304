"""`/v1/rates`, `/v1/quotes`, `/v1/methods`: what paying costs, and how one may pay."""

from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from gateway.domain.ports import Method
from gateway.engine.wire import decimal_text
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import ErrorCode
from gateway.kernel.money import parse_money
from hosted_checkout.api.answers import ListOf, PaymentMethod, Quote, Rate
from hosted_checkout.api.books import Whole
from hosted_checkout.api.fields import AMOUNT_PATTERN, Amount, CurrencyCode, check_amount, refuse
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, listed

NO_ACCOUNT = "The account has no receiving address for this method."
NOT_TAKEN = "The provider does not take this sum in this currency."

routes = Routes("Prices and methods")


class RateQuery(Strict):
    """One pair."""

    base: CurrencyCode = Field(description="What is bought: `SOL`.")
    quote: CurrencyCode = Field(description="What it is paid with: `USD`.")


class NewQuote(Strict):
    """A price to be locked."""

    currency: CurrencyCode
    amount: Amount
    method: str = Field(min_length=1, max_length=40, description="An id of `GET /v1/methods`.", examples=["sol"])


class MethodQuery(Strict):
    """A price, to learn which methods can take it now."""

    currency: CurrencyCode | None = None
    amount: str | None = Field(
        default=None,
        description="Major units; with `currency`, methods without a rate are not available.",
        json_schema_extra={"pattern": AMOUNT_PATTERN},
    )

    @field_validator("amount")
    @classmethod
    def _with_currency(cls, amount: str | None, info: ValidationInfo) -> str | None:
        if amount is None:
            return None
        if info.data.get("currency", "") is None:
            raise refuse(ErrorCode.PARAMETER_MISSING, "Send currency beside amount.")
        return check_amount(amount, info)


@routes.get("/v1/rates", query=RateQuery, answers={200: Rate}, errors=(ErrorCode.RATE_UNAVAILABLE,))
def retrieve_rate(rooms: Rooms, call: Call[Empty, RateQuery]) -> Answer:
    """Read what one `base` costs in `quote` now.

    The median of at least two fresh sources that agree; without them there is no rate, and the answer says why.
    """
    rate = rooms.engine.core.rates.rate(call.query.base, call.query.quote)
    sources = [
        {"name": each.source, "rate": decimal_text(each.num, each.den), "as_of": rfc3339(each.as_of)}
        for each in rate.sources
    ]
    return Answer.of(
        {
            "object": "rate",
            "base": rate.base,
            "quote": rate.quote,
            "rate": decimal_text(rate.num, rate.den),
            "sources": sources,
            "as_of": rfc3339(rate.as_of),
        }
    )


@routes.post(
    "/v1/quotes",
    body=NewQuote,
    answers={201: Quote},
    errors=(ErrorCode.AMOUNT_INVALID, ErrorCode.METHOD_UNAVAILABLE, ErrorCode.RATE_UNAVAILABLE),
)
def create_quote(rooms: Rooms, call: Call[NewQuote, Empty]) -> Answer:
    """Lock a rate for your own display.

    The checkout page locks its own rate when the shopper chooses a method.
    """
    price = parse_money(call.body.amount, call.body.currency)
    return Answer.reply(rooms.engine.attempts.quote(call.intent, price, call.body.method))


@routes.get("/v1/methods", query=MethodQuery, answers={200: ListOf[PaymentMethod]})
def list_methods(rooms: Rooms, call: Call[Empty, MethodQuery]) -> Answer:
    """List the ways to pay.

    With `amount` and `currency`, a method that cannot take that price now says why.
    """
    query, owner = call.query, call.owner
    reasons = _reasons(rooms, call)
    if query.amount is not None and query.currency is not None:
        price = parse_money(query.amount, query.currency)
        offers = rooms.engine.attempts.offers(owner, price, call.principal.merchant.settings)
        # An account may be there and the method still not on offer: then its provider does not take such a price.
        reasons = {method_id: reason or NOT_TAKEN for method_id, reason in reasons.items()}
        reasons |= {offer.method.id: offer.refusal.message if offer.refusal else None for offer in offers}
    methods = rooms.engine.core.methods(livemode=owner.livemode)
    return listed(Whole(data=[_method(method, reasons[method.id]) for method in methods]), call.path)


def _reasons(rooms: Rooms, call: Call[Any, Any]) -> dict[str, str | None]:
    """Return why each method is not on offer; None for one that has a receiving address, or needs none."""
    networks = {wallet["network"] for wallet in rooms.engine.merchants.wallets(call.owner)}
    return {
        method.id: None if method.asset is None or method.network in networks else NO_ACCOUNT
        for method in rooms.engine.core.methods(livemode=call.owner.livemode)
    }


def _method(method: Method, reason: str | None) -> dict[str, Any]:
    return {
        "object": "method",
        "id": method.id,
        "title": method.title,
        "currency": method.asset,
        "processor": method.processor,
        "network": method.network,
        "available": reason is None,
        "reason": reason,
    }
