"""`PaymentGateway`: everything between a shop's order and the gateway, with each order shipped exactly once."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar

from streampay import models
from streampay.client import StreamPay
from streampay.errors import (
    ApiError,
    Conflict,
    NotFound,
    ServerError,
    SignatureVerificationError,
    StreamPayError,
    refused,
)
from streampay.gateway.health import Report, inspect
from streampay.gateway.orders import HookCall, Order, OrderRecord, OrderStatus, PaymentReading, amount_of, plain
from streampay.gateway.reducer import reduce
from streampay.gateway.settings import (
    Amount,
    Choice,
    Field,
    Secret,
    Secrets,
    Switch,
    Url,
    WordMap,
    cleaned,
    form_html,
    read_form,
)
from streampay.gateway.stores import OrderStore
from streampay.webhooks import Headers, Webhook

log = logging.getLogger("streampay")

_UNDER_WAY = (OrderStatus.AUTHORIZED, OrderStatus.ON_HOLD)
_QUICK_S = (2, 4)  # to connect and to answer, where a person waits for a page
HOOKS_A_CALL = 20  # a webhook's answer is waited for; what is left is run by the next one, or by `run_hooks`
HookFunction = Callable[[HookCall], object]
SessionFilter = Callable[[Order, dict[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class Hooks:
    """What the shop does when something has happened to an order; each is called once for each thing that happens.

    One that raises is called again later, with growing pauses. See `HookCall` for what it is given.
    """

    on_paid: HookFunction | None = None
    on_pending: HookFunction | None = None
    on_failed: HookFunction | None = None
    on_expired: HookFunction | None = None
    on_refunded: HookFunction | None = None
    on_disputed: HookFunction | None = None
    on_review: HookFunction | None = None


@dataclass(frozen=True)
class Availability:
    """Whether an order can be paid here, and why not: codes such as `disabled`, `no_method`, `currency_unknown`."""

    reasons: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return not self.reasons


@dataclass(frozen=True)
class Redirect:
    """Where to send the shopper; `is_done`: there is nothing to pay any more, so it is the shop's own page."""

    url: str
    session_id: str | None
    is_done: bool = False


@dataclass(frozen=True)
class WebhookResult:
    """What became of a delivery: answer it with `status_code`.

    Attributes:
        code: `processed`, `repeated`, `ignored`, or why not: `unknown_order`, `unavailable`, or the signature's fault.
    """

    status_code: int
    code: str
    order: OrderRecord | None = None


class PaymentGateway:
    """A payment method of a shop.

    Args:
        client: of the merchant's gateway.
        store: where orders are kept.
        secrets: of the webhook endpoint; default: the environment's STREAMPAY_WEBHOOK_SECRET.
        hooks: what the shop does.
        settings: values of `fields`; default: their defaults.
        prefix: begins every reference, so that several shops can share one account: orders of others are left alone.
        webhook_url: where the gateway reaches this shop, for `self_test`.
    """

    id: ClassVar[str] = "streampay"
    supports: ClassVar[frozenset[str]] = frozenset({"products", "refunds", "partial_refunds"})
    fields: ClassVar[tuple[Field, ...]] = (
        Switch("enabled", "Offer this way to pay", "Off: nobody sees it; open payments go on.", default=True),
        Field("title", "Title", "What shoppers read in the checkout.", default="Card or crypto wallet"),
        Field(
            "description",
            "Description",
            "What they read below it.",
            default="You pay on our own page, then you come back.",
        ),
        Url("base_url", "Gateway", "The address of your StreamPay, such as https://pay.shop.example."),
        Secret("api_key", "Secret key", "From streampay-server keys. It stays on your server."),
        Secrets("webhook_secrets", "Webhook secrets", "Shown once when you add the endpoint; two while you rotate."),
        Choice(
            "capture_method",
            "Take the money",
            "A held card must be captured before its time is over.",
            default="automatic",
            options=(("automatic", "at once"), ("manual", "when I ship (cards only)")),
        ),
        Amount("min_amount", "Smallest order", "In the order's currency; empty for none.", default=None),
        Amount("max_amount", "Largest order", "In the order's currency; empty for none.", default=None),
        WordMap(
            "status_map",
            "Order statuses",
            "What your shop calls them.",
            default={},
            words=tuple(status.value for status in OrderStatus),
        ),
    )

    def __init__(
        self,
        client: StreamPay,
        store: OrderStore,
        *,
        secrets: Sequence[str] = (),
        hooks: Hooks | None = None,
        settings: Mapping[str, Any] | None = None,
        prefix: str = "",
        webhook_url: str | None = None,
    ) -> None:
        self.client = client
        self.store = store
        self.hooks = Hooks() if hooks is None else hooks
        self.settings = cleaned(self.fields, settings or {})
        self.prefix = prefix
        self.webhook_url = webhook_url
        self._webhook = Webhook(*(secrets or self.settings["webhook_secrets"]))
        self._filters: list[SessionFilter] = []

    @classmethod
    def from_settings(
        cls, settings: Mapping[str, Any], store: OrderStore, *, hooks: Hooks | None = None, prefix: str = "",
        webhook_url: str | None = None,
    ) -> PaymentGateway:  # fmt: skip
        """Return a plugin that is set up by a settings form alone.

        Raises:
            SettingsError, ConfigurationError: something is missing or cannot be used.
        """
        values = cleaned(cls.fields, settings)
        client = StreamPay(values["api_key"] or None, base_url=values["base_url"] or None)
        return cls(client, store, hooks=hooks, settings=values, prefix=prefix, webhook_url=webhook_url)

    @property
    def title(self) -> str:
        """What shoppers read."""
        return str(self.settings["title"])

    @classmethod
    def settings_form(cls, values: Mapping[str, Any], errors: Mapping[str, str] | None = None) -> str:
        """Return the settings as the fields of an HTML form; secrets are never in it."""
        return form_html(cls.fields, values, errors or {})

    @classmethod
    def read_form(cls, form: Mapping[str, Any], known: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the settings that a sent `settings_form` asks for; secrets left empty stay as they are `known`.

        Raises:
            SettingsError: some cannot be used; hand its `errors` to `settings_form`.
        """
        return read_form(cls.fields, form, known or {})

    def filter_session(self, change: SessionFilter) -> SessionFilter:
        """Let a function change what a session is created with, after the plugin has filled it in; a decorator."""
        self._filters.append(change)
        return change

    # --- paying ------------------------------------------------------------------------------------------------------

    def available(self, order: Order) -> Availability:
        """Tell whether an order can be paid here now, asking the gateway whether some method takes it."""
        reasons = list(self._reasons(order))
        if not reasons:
            try:
                quick = self.client.with_options(timeout_s=_QUICK_S, max_retries=0)
                methods = quick.methods.list(amount=amount_of(order), currency=order.currency)
                reasons += [] if any(method.available for method in methods) else ["no_method"]
            except StreamPayError as error:
                log.warning("not_available code=%s", error.code)
                is_answer = isinstance(error, ApiError) and not isinstance(error, ServerError)
                reasons.append(error.code if is_answer else "unreachable")
        return Availability(tuple(reasons))

    def _reasons(self, order: Order) -> Iterable[str]:
        amount = Decimal(amount_of(order))
        if not self.settings["enabled"]:
            yield "disabled"
        if not amount:
            yield "nothing_to_pay"
        if self.settings["min_amount"] is not None and amount < self.settings["min_amount"]:
            yield "amount_too_small"
        if self.settings["max_amount"] is not None and amount > self.settings["max_amount"]:
            yield "amount_too_large"

    def start(self, order: Order, *, success_url: str, cancel_url: str | None = None) -> Redirect:
        """Return where the shopper pays: the session that is open for this order, or a new one.

        The order is kept before the gateway hears of it, so a crash at any moment loses nothing: the next click finds
        the session by the order's own number.

        Raises:
            StreamPayError: the gateway refuses, or does not answer. Nothing was charged; offer to try again.
        """
        record = self.store.add(order)
        if record.session_id is not None and not record.is_settled:
            session = self.client.checkout.sessions.retrieve(record.session_id)
            if session.status == "open" and record.asks(order):
                return Redirect(session.url, session.id)
            if session.status == "open":
                self._close(session.id)  # the basket changed: nobody shall pay the old sum
            record = self._read(self.client, order.id).order or record  # its hooks wait until the new page stands
        if record.is_settled or record.status in _UNDER_WAY:  # money is held or coming: nobody asks for it twice
            self.run_hooks()
            own = success_url if record.is_settled else record.url or success_url
            return Redirect(own, record.session_id, is_done=True)
        session = self._create(order, record.tries + 1, success_url=success_url, cancel_url=cancel_url)
        record = self._attach(order, session)
        self.run_hooks()
        if record.is_settled:  # an older try paid in the meantime
            self._close(session.id)
            return Redirect(success_url, session.id, is_done=True)
        return Redirect(session.url, session.id)

    def _create(self, order: Order, count: int, *, success_url: str, cancel_url: str | None) -> models.CheckoutSession:
        params: dict[str, Any] = {
            "amount": amount_of(order),
            "currency": order.currency,
            "success_url": success_url,
            "cancel_url": cancel_url,
            "customer_email": order.email,
            "customer_country": order.country,
            "locale": order.locale,
            "line_items": _lines(order),
            "capture_method": None if self.settings["capture_method"] == "automatic" else "manual",
            "metadata": dict(order.metadata) or None,
        }
        for change in self._filters:
            params = dict(change(order, params))
        params["reference"] = self.prefix + order.id  # by this the order is found again, so no filter changes it
        words = json.dumps([params, count], sort_keys=True, default=str)
        key = f"order-{hashlib.sha256(words.encode()).hexdigest()[:40]}"
        return self.client.checkout.sessions.create(**params, idempotency_key=key)

    def abandon(self, order_id: str) -> OrderRecord | None:
        """Close an order's open session, then read its payments: only what is not settled then may be cancelled.

        Raises:
            StreamPayError: the gateway does not answer. Do not cancel the order now.
        """
        record = self.store.load(order_id)
        if record is not None and record.session_id is not None and not record.is_settled:
            try:
                self.client.checkout.sessions.expire(record.session_id)
            except Conflict:
                log.info("session_over id=%s", record.session_id)
            record = self.reconcile(order_id).order or record
        return record

    def _attach(self, order: Order, session: models.CheckoutSession) -> OrderRecord:
        with self.store.locked(order.id) as tx:
            record = tx.record or OrderRecord.new(order)
            if record.session_id == session.id:
                return record
            opened: dict[str, Any] = {"session_id": session.id, "payment_id": session.payment, "url": session.url}
            if session.payment is not None:
                opened["pages"] = {**record.pages, session.payment: session.url}
            after = replace(record, tries=record.tries + 1, **opened)
            if not record.is_settled:
                after = replace(after, amount=amount_of(order), currency=order.currency)
                is_waiting = record.status in (OrderStatus.NEW, OrderStatus.FAILED, OrderStatus.EXPIRED)
                after = replace(after, status=OrderStatus.PENDING if is_waiting else record.status)
            tx.save(after)
            return after

    # --- what the gateway says ---------------------------------------------------------------------------------------

    def handle_webhook(self, body: bytes, headers: Headers) -> WebhookResult:
        """Take one delivery in: verify, lock, claim, reduce and commit; then run the hooks that are due.

        Answer with `status_code` of the result. Nothing that was not kept is ever answered with 2xx, so the gateway
        sends it again.
        """
        try:
            event = self._webhook.verify(body, headers)
        except SignatureVerificationError as error:
            log.warning("webhook_refused code=%s", error.code)
            return WebhookResult(400, error.code)
        try:
            payment = self._payment_of(event)
        except NotFound:
            return WebhookResult(200, "ignored")
        except StreamPayError as error:
            log.warning("webhook_postponed event=%s code=%s", event.id, error.code)
            return WebhookResult(503, "unavailable")
        if payment is None or not self._is_ours(event, payment):
            return WebhookResult(200, "ignored")
        result = self._apply([payment], event_id=event.id)
        self.run_hooks()
        return result

    def order_of(self, body: bytes, headers: Headers) -> str | None:
        """Return whose order a delivery is about, for a shop that must know before `handle_webhook`; None: no order's.

        Raises:
            SignatureVerificationError: it is not the gateway's.
            StreamPayError: the gateway does not answer; let it send the delivery again.
        """
        event = self._webhook.verify(body, headers)
        try:
            payment = self._payment_of(event)
        except NotFound:
            return None
        is_ours = payment is not None and self._is_ours(event, payment)
        return payment.reference.removeprefix(self.prefix) if payment is not None and is_ours else None

    def _is_ours(self, event: models.Event, payment: models.Payment) -> bool:
        return event.livemode == self.client.livemode and payment.reference.startswith(self.prefix)

    def reconcile(self, order_id: str) -> WebhookResult:
        """Read every payment of an order at the gateway: on the return page, by cron, and before any auto-cancel.

        Raises:
            StreamPayError: the gateway does not answer. Do not cancel the order now.
        """
        result = self._read(self.client, order_id)
        self.run_hooks()
        return result

    def returned(self, order_id: str) -> OrderRecord | None:
        """Return an order for the page that a shopper comes back to; None for one that is not known.

        He may be quicker than the webhook, so the gateway is asked, but not for long. If it does not answer, the order
        is shown as it stood, and the webhook tells the rest.
        """
        record = self.store.load(order_id)
        if record is None or record.is_settled or record.session_id is None:
            return record
        quick = self.client.with_options(timeout_s=_QUICK_S, max_retries=0)
        try:
            record = self._read(quick, order_id).order or record
        except StreamPayError as error:
            log.warning("return_not_read order=%s code=%s", order_id, error.code)
            return record
        self.run_hooks()
        return record

    def _read(self, client: StreamPay, order_id: str) -> WebhookResult:
        payments = list(client.payments.list(reference=self.prefix + order_id))
        return self._apply(payments, order_id=order_id)

    def run_hooks(self, limit: int = HOOKS_A_CALL) -> int:
        """Run hooks that are due and return how many were; also for cron, so that what failed is tried again."""
        return self.store.run_due(self._run, limit)

    def _payment_of(self, event: models.Event) -> models.Payment | None:
        """Return the payment that an event is about; read now where the event says only that something changed."""
        if event.payment is not None:
            return event.payment
        about = event.data.object
        named = getattr(about, "payment", None)
        if not isinstance(named, str) or isinstance(about, models.ChainTransfer):
            return None
        return self.client.payments.retrieve(named)

    def _apply(
        self, payments: Sequence[models.Payment], *, event_id: str | None = None, order_id: str | None = None
    ) -> WebhookResult:
        found = order_id if order_id is not None else payments[0].reference.removeprefix(self.prefix)
        with self.store.locked(found) as tx:
            record = tx.record
            if record is None:  # perhaps not committed yet: the gateway asks again
                return WebhookResult(404, "unknown_order")
            if event_id is not None and not tx.claim(event_id):
                return WebhookResult(200, "repeated", record)
            for payment in payments:
                record, calls = reduce(record, PaymentReading.of(payment))
                tx.queue(calls)
            tx.save(record)
        self._close_other_ways(record)
        return WebhookResult(200, "processed", record)

    def _close_other_ways(self, record: OrderRecord) -> None:
        """Close the page that is still open when an older one has paid: nobody shall pay twice."""
        newest = record.readings.get(record.payment_id or "")
        is_open = newest is None or newest.status in ("open", "requires_action")
        if record.paid_by not in (None, record.payment_id) and record.session_id is not None and is_open:
            self._close(record.session_id)

    def _close(self, session_id: str) -> None:
        try:
            self.client.with_options(max_retries=0).checkout.sessions.expire(session_id)
        except Conflict:
            log.info("session_over id=%s", session_id)
        except StreamPayError as error:
            log.warning("session_not_closed id=%s code=%s", session_id, error.code)

    def _run(self, call: HookCall) -> None:
        if call.order is None:
            return
        function: HookFunction | None = getattr(self.hooks, f"on_{call.hook}")
        if function is not None:
            words: Mapping[str, str] = self.settings["status_map"]
            function(replace(call, status=words.get(call.order.status.value, call.order.status.value)))

    # --- afterwards --------------------------------------------------------------------------------------------------

    def refund(
        self, order_id: str, amount: str | Decimal | None = None, *, reason: str | None = None, key: str | None = None
    ) -> models.Refund:
        """Give an order's money back, in part or, without an amount, all that is left.

        Two clicks at once, and a repetition after a time-out, give one refund. A click that comes after the first one
        was done is a second wish, unless both carry the same `key`: a form's one-time number, or your credit note's.

        Raises:
            Conflict, InvalidRequest: nothing is left, more than is left, or the order was never paid.
            StreamPayError: the gateway does not answer; asking again is safe.
        """
        record = self.store.load(order_id)
        if record is None or record.paid_by is None:
            raise refused("this order was not paid here", code="nothing_to_refund", param="order_id")
        amount = None if amount is None else _text(amount)
        told = record.readings[record.paid_by].amount_refunded
        words = json.dumps([record.paid_by, *((str(amount), reason, told) if key is None else ("key", key))])
        named = f"refund-{hashlib.sha256(words.encode()).hexdigest()[:40]}"
        refund = self.client.refunds.create(payment=record.paid_by, amount=amount, reason=reason, idempotency_key=named)
        try:
            self.reconcile(order_id)
        except StreamPayError as error:
            log.warning("refund_not_read order=%s code=%s", order_id, error.code)  # its webhook tells
        return refund

    def transaction_url(self, order_id: str) -> str | None:
        """Return the page that an order was paid on, its receipt, or else its newest; None before there was one."""
        record = self.store.load(order_id)
        return None if record is None else record.receipt_url

    def self_test(self) -> Report:
        """Check key, mode, clock, methods and, with `webhook_url`, a whole webhook round trip; takes some seconds."""
        return inspect(self.client, self.webhook_url)


def _text(amount: str | Decimal) -> str:
    return plain(amount) if isinstance(amount, Decimal) else amount


def _lines(order: Order) -> list[dict[str, Any]]:
    if order.lines:
        return [{"name": line.name, "quantity": line.quantity, "amount": _text(line.amount)} for line in order.lines]
    return [{"name": order.description, "quantity": 1, "amount": amount_of(order)}] if order.description else []
