"""Stripe's subscriptions: read with their invoices, paused, resumed, canceled; the customer's portal.

Since API version 2025-03-31 periods stand on the items of a subscription and on the lines of an invoice
(`invoice.period_start` is about the period *before*), and what paid an invoice stands in its `payments`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from gateway.domain.provider import Command
from gateway.domain.subscriptions import PeriodStatus, ProviderInvoice, ProviderSubscription, SubscriptionStatus
from gateway.kernel.errors import ErrorCode, NotFoundError
from gateway.processors.stripe.amounts import from_wire
from gateway.processors.stripe.balances import instant, optional_instant
from gateway.processors.stripe.wire import (
    Json,
    StripeApi,
    id_of,
    is_reference,
    optional_text,
    read,
    safe_reference,
    text,
    whole,
)

_SUBSCRIPTIONS: Final = "/v1/subscriptions"
_SUBSCRIPTION, _CUSTOMER, _INTENT = "sub_", "cus_", "pi_"
_MAX_INVOICE_PAGES: Final = 20
_STATUSES: Final[Mapping[str, SubscriptionStatus]] = MappingProxyType(
    {
        "incomplete": SubscriptionStatus.INCOMPLETE,
        "incomplete_expired": SubscriptionStatus.CANCELED,
        "trialing": SubscriptionStatus.TRIALING,
        "active": SubscriptionStatus.ACTIVE,
        "past_due": SubscriptionStatus.PAST_DUE,
        "unpaid": SubscriptionStatus.PAST_DUE,
        "paused": SubscriptionStatus.PAUSED,
        "canceled": SubscriptionStatus.CANCELED,
    }
)
_UNKNOWN_STATUS: Final = SubscriptionStatus.PAST_DUE  # somebody should look; what is paid stays paid
_PERIOD_STATUSES: Final[Mapping[str, PeriodStatus]] = MappingProxyType(
    {
        "draft": PeriodStatus.OPEN,
        "open": PeriodStatus.OPEN,
        "paid": PeriodStatus.PAID,
        "uncollectible": PeriodStatus.UNCOLLECTIBLE,
        "void": PeriodStatus.VOID,
    }
)


class StripeSubscriptions:
    """The part of the processor that repeats; safe among threads.

    Args:
        apis: by livemode.
    """

    def __init__(self, apis: Mapping[bool, StripeApi]) -> None:
        self._apis: Final = apis

    def retrieve(self, reference: str, *, livemode: bool, since: datetime | None) -> ProviderSubscription:
        """Read a subscription, and its invoices since then; None for all of them. Two calls.

        Raises:
            NotFoundError: Stripe knows no such subscription in this mode.
            TemporaryError: Stripe does not answer.
        """
        if not is_reference(reference, _SUBSCRIPTION):
            raise NotFoundError(ErrorCode.NOT_FOUND, "The payment provider knows no such object.")
        api = self._apis[livemode]
        found = api.get(f"{_SUBSCRIPTIONS}/{reference}")
        created = {} if since is None else {"created": {"gte": int(since.timestamp())}}
        invoices = list(
            api.listed(
                "/v1/invoices",
                max_pages=_MAX_INVOICE_PAGES,
                subscription=reference,
                expand=["data.payments"],
                **created,
            )
        )
        return read(lambda: provider_subscription(found, invoices))

    def pause(self, command: Command) -> None:
        """Stop collecting; invoices that fall into the pause are voided."""
        self._update(command, {"pause_collection": {"behavior": "void"}})

    def resume(self, command: Command) -> None:
        """Collect again from the next period on, and lift an end that was set."""
        self._update(command, {"pause_collection": "", "cancel_at_period_end": False})

    def cancel(self, command: Command, *, at_period_end: bool) -> None:
        """End it now, or when what is paid is over."""
        if at_period_end:
            self._update(command, {"cancel_at_period_end": True})
            return
        self._apis[command.livemode].delete(_path(command), key=command.operation_id)

    def portal_url(self, customer: str, *, livemode: bool, key: str, return_url: str) -> str:
        """Return a fresh link to the page on which a customer mends a card or cancels; it is short-lived.

        Raises:
            TemporaryError: Stripe does not answer.
            ProviderDeclinedError: refused, for example because no portal is set up at Stripe.
        """
        params = {"customer": safe_reference(customer, _CUSTOMER), "return_url": return_url}
        session = self._apis[livemode].post("/v1/billing_portal/sessions", key=key, params=params)
        return read(lambda: text(session["url"]), has_effect=True)

    def forget_customer(self, customer: str, *, livemode: bool, key: str) -> None:
        """Delete a customer with everything Stripe holds of the person; one that is gone is no error.

        Raises:
            ProviderDeclinedError: refused for good.
            TemporaryError, UnknownOutcomeError: send it again; it may be sent any number of times.
        """
        api, path = self._apis[livemode], f"/v1/customers/{safe_reference(customer, _CUSTOMER)}"
        try:
            found = api.get(path)
        except NotFoundError:
            return
        if found.get("deleted") is not True:
            api.delete(path, key=key)

    def _update(self, command: Command, params: Json) -> None:
        self._apis[command.livemode].post(_path(command), key=command.operation_id, params=params)


def _path(command: Command) -> str:
    return f"{_SUBSCRIPTIONS}/{safe_reference(command.reference, _SUBSCRIPTION)}"


def provider_subscription(found: Json, invoices: Sequence[Json]) -> ProviderSubscription:
    """Read a subscription with its invoices, which come newest first."""
    items = found["items"]["data"]
    status = _STATUSES.get(text(found["status"]), _UNKNOWN_STATUS)
    period_end = max(instant(item["current_period_end"]) for item in items)
    cancels_at = optional_instant(found["cancel_at"])
    return ProviderSubscription(
        reference=text(found["id"]),
        is_livemode=found["livemode"] is True,
        status=status,
        is_held=found["pause_collection"] is not None,
        customer=_required(id_of(found["customer"])),
        period_start=min(instant(item["current_period_start"]) for item in items),
        period_end=period_end,
        trial_ends_at=optional_instant(found["trial_end"]),
        cancels_at=cancels_at or (period_end if found["cancel_at_period_end"] is True else None),
        canceled_at=optional_instant(found["canceled_at"]),
        ended_at=optional_instant(found["ended_at"]),
        invoices=tuple(_invoice(one, is_overdue=status is SubscriptionStatus.PAST_DUE) for one in reversed(invoices)),
    )


def _invoice(invoice: Json, *, is_overdue: bool) -> ProviderInvoice:
    status = _PERIOD_STATUSES.get(optional_text(invoice["status"]) or "draft", PeriodStatus.OPEN)
    # A delayed method also leaves an invoice attempted and open; only then is the subscription not overdue.
    if status is PeriodStatus.OPEN and whole(invoice["attempt_count"]) > 0 and is_overdue:
        status = PeriodStatus.FAILED
    start, end = _period(invoice)
    return ProviderInvoice(
        reference=text(invoice["id"]),
        status=status,
        amount=from_wire(whole(invoice["amount_due"]), text(invoice["currency"])),
        period_start=start,
        period_end=end,
        charges=tuple(_charges(invoice)),
        is_first=invoice["billing_reason"] == "subscription_create",
        next_attempt_at=optional_instant(invoice["next_payment_attempt"]),
        created_at=instant(invoice["created"]),
    )


def _period(invoice: Json) -> tuple[datetime, datetime]:
    """Return the service period that an invoice bills: that of its lines, those of a change of plan apart."""
    lines = invoice["lines"]["data"]
    whole_ones = [line for line in lines if not _is_proration(line)] or lines
    periods = [line["period"] for line in whole_ones] or [{"start": invoice["created"], "end": invoice["created"]}]
    return min(instant(one["start"]) for one in periods), max(instant(one["end"]) for one in periods)


def _is_proration(line: Json) -> bool:
    details = (line.get("parent") or {}).get("subscription_item_details") or {}
    return details.get("proration") is True


def _charges(invoice: Json) -> Sequence[str]:
    """Return the payment intents of an invoice, the one that paid it first."""
    ranked = sorted(invoice["payments"]["data"], key=lambda one: one["status"] == "paid", reverse=True)
    found = [id_of(one["payment"].get("payment_intent")) for one in ranked if one["status"] != "canceled"]
    return [safe_reference(one, _INTENT) for one in found if one is not None]


def _required(reference: str | None) -> str:
    if reference is None:
        raise TypeError("a subscription has a customer")
    return reference
