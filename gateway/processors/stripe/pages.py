"""A registration as the body of Stripe's `POST /v1/checkout/sessions`. Pure, and the same bytes every time.

Stripe refuses a key that comes back with another body, so everything here follows from the registration alone: no
clock, no dice. Our ids stand in the metadata of the session *and* of what it makes, because Stripe does not copy them.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from gateway.domain.declines import Decline, ProviderDeclinedError
from gateway.domain.provider import Registration, RegistrationLine
from gateway.domain.words import CaptureMethod, SessionMode
from gateway.kernel.money import Money
from gateway.processors.stripe.amounts import AmountError, accepts, to_wire

# Stripe: 30 minutes to 24 hours from creation at *its* clock; a minute on each side for the way and for clocks.
SHORTEST: Final = timedelta(minutes=31)
LONGEST: Final = timedelta(hours=23, minutes=59)
OPERATION: Final = "sp_op"
ATTEMPT: Final = "sp_attempt"
PAYMENT: Final = "sp_payment"
_MAX_LINES: Final = 100  # Stripe's limit for one-time lines
_MAX_NAME: Final = 250
_SPOKEN: Final = (
    "bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hi-IN hr hu id it ja ko lt lv ms mt nb nl pl pt pt-BR ro ru "
    "sk sl sv th tr vi zh zh-HK zh-TW"
)
_LOCALES: Final = frozenset(_SPOKEN.split())
_LOCALE_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {"hi": "hi-IN", "no": "nb", "nn": "nb", "tl": "fil", "zh-Hant": "zh-TW", "zh-Hans": "zh", "zh-CN": "zh"}
)

Params = dict[str, Any]


def page_params(registration: Registration) -> Params:
    """Return the body that opens a page.

    Raises:
        ProviderDeclinedError: Stripe does not take the amount.
    """
    marks = metadata(registration)
    params: Params = {
        "mode": registration.mode.value,
        "client_reference_id": registration.payment_id,
        "metadata": marks,
        "success_url": registration.success_url,
        "cancel_url": registration.cancel_url,
        "expires_at": expires_at(registration),
        "locale": stripe_locale(registration.locale),
    }
    if registration.customer is not None:
        params["customer"] = registration.customer
    elif registration.customer_email is not None:
        params["customer_email"] = registration.customer_email
    return params | _of_mode(registration, marks)


def metadata(registration: Registration) -> dict[str, str]:
    """Return our ids as they stand on every object of an attempt."""
    return {
        OPERATION: registration.operation_id,
        ATTEMPT: registration.attempt_id,
        PAYMENT: registration.payment_id,
    }


def expires_at(registration: Registration) -> int:
    """Return when Stripe's page closes: as asked, but no sooner and no later than Stripe allows."""
    wanted = registration.expires_at - registration.created_at
    return int((registration.created_at + min(max(wanted, SHORTEST), LONGEST)).timestamp())


def stripe_locale(tag: str | None) -> str:
    """Return Stripe's locale for a language tag; `auto`, the browser's, for one that Stripe does not speak."""
    parts = (tag or "").replace("_", "-").split("-")
    whole = "-".join([parts[0].lower(), *parts[1:]])
    for candidate in (whole, parts[0].lower()):
        found = _LOCALE_ALIASES.get(candidate, candidate)
        if found in _LOCALES:
            return found
    return "auto"


def _of_mode(registration: Registration, marks: Mapping[str, str]) -> Params:
    match registration.mode:
        case SessionMode.PAYMENT:
            intent: Params = {"description": registration.reference[:_MAX_NAME], "metadata": marks}
            page: Params = {"line_items": _lines(registration), "payment_intent_data": intent}
            if registration.capture_method is CaptureMethod.MANUAL:
                intent["capture_method"] = "manual"
                page["payment_method_options"] = {"card": {"request_multicapture": "if_available"}}
            return page
        case SessionMode.SUBSCRIPTION:
            return _subscription(registration, marks)
        case SessionMode.SETUP:
            saving: Params = {
                "currency": registration.amount.currency.lower(),
                "setup_intent_data": {"metadata": marks},
            }
            # A method that belongs to no customer can never be charged.
            return saving if registration.customer is not None else saving | {"customer_creation": "always"}


def _subscription(registration: Registration, marks: Mapping[str, str]) -> Params:
    terms = registration.recurring
    assert terms is not None, "a subscription has terms"
    name = registration.lines[0].name if registration.lines else _only_name(registration)
    line = _line(name, _checked(registration.amount))
    line["price_data"]["recurring"] = {"interval": terms.interval, "interval_count": terms.interval_count}
    subscription: Params = {"metadata": marks}
    if terms.trial_days:
        subscription["trial_period_days"] = terms.trial_days
    return {"line_items": [line], "subscription_data": subscription}


def _lines(registration: Registration) -> list[Params]:
    """Return the order's lines; one line with the total where they would not add up to it exactly."""
    total = _checked(registration.amount)
    return _itemized(registration.lines, total) or [_line(_only_name(registration), total)]


def _itemized(lines: Sequence[RegistrationLine], total: Money) -> list[Params] | None:
    if not 0 < len(lines) <= _MAX_LINES or any(line.amount.currency != total.currency for line in lines):
        return None
    if any(line.amount.atomic < 0 or line.quantity < 1 or not line.name.strip() for line in lines):
        return None
    if sum(line.amount.atomic for line in lines) != total.atomic:
        return None
    try:
        return [_itemized_line(line) for line in lines]
    except AmountError:
        return None


def _itemized_line(line: RegistrationLine) -> Params:
    each, rest = divmod(line.amount.atomic, line.quantity)
    if not rest:
        with suppress(AmountError):
            return _line(line.name, Money(each, line.amount.currency), quantity=line.quantity)
    # Three for ten: no price of one makes that total exactly, so one line stands for all three.
    return _line(f"{line.quantity} x {line.name}", line.amount)


def _line(name: str, each: Money, *, quantity: int = 1) -> Params:
    """Return a line with an ad-hoc price.

    Raises:
        AmountError: Stripe cannot say the price of one.
    """
    return {
        "quantity": quantity,
        "price_data": {
            "currency": each.currency.lower(),
            "unit_amount": to_wire(each),
            "product_data": {"name": name.strip()[:_MAX_NAME]},
        },
    }


def _only_name(registration: Registration) -> str:
    """Return what the single line is called: the order's own name, or whose order it is."""
    return registration.reference.strip() or registration.merchant_name.strip() or registration.payment_id


def _checked(amount: Money) -> Money:
    if not accepts(amount):
        raise ProviderDeclinedError(Decline.AMOUNT_REFUSED)
    return amount
