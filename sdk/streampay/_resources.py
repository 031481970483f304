"""The API's resources as methods: what each call takes, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Final

from streampay import models
from streampay._api import Api, amount_text, given, path_with
from streampay._pages import Page

_SESSIONS: Final = "/v1/checkout/sessions"
_REFUNDS: Final = "/v1/refunds"
_ENDPOINTS: Final = "/v1/webhook_endpoints"


class Resource:
    """What all resources share: the way to the gateway.

    Each method returns what the way returns, untouched: the async client has the same resources on another way.
    """

    def __init__(self, api: Api) -> None:
        self._api = api


class Sessions(Resource):
    """`client.checkout.sessions`: requests to collect one amount on the hosted page."""

    def create(
        self,
        *,
        amount: str | Decimal | None = None,
        currency: str | None = None,
        reference: str,
        success_url: str,
        cancel_url: str | None = None,
        customer_email: str | None = None,
        customer_country: str | None = None,
        locale: str | None = None,
        line_items: Iterable[models.LineItem | Mapping[str, object]] = (),
        methods: Iterable[str] | None = None,
        expires_in: int | None = None,
        mode: str | None = None,
        plan: str | None = None,
        customer: str | None = None,
        capture_method: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.CheckoutSession:
        """Open a session; send the shopper to its `url`.

        Args:
            amount: major units as text or Decimal, `"12.30"`; None with a plan, which says it, and with mode setup.
            currency: the currency of the price, `"USD"`; None with a plan.
            reference: your order's id. While a session for it is open, that one is returned instead of a second one.
            success_url: where the page sends the shopper afterwards; no proof of payment.
            cancel_url: where the page's way back leads.
            customer_email: for the receipt.
            customer_country: ISO 3166 alpha-2, `"DE"`; the gateway may route payments by it.
            locale: language of the page, `"en"`, `"de"` or `"ar"`; None lets the browser choose.
            line_items: what is bought: name, quantity, amount of the line.
            methods: ids of the methods on offer; None offers all.
            expires_in: seconds, 300 to 604,800; the gateway's default is 1,800.
            mode: `"setup"` only saves a card; payment and subscription follow from amount and plan.
            plan: the id of one of `client.plans`: the session begins a subscription to it.
            customer: the id of one of `client.customers`; None makes a new one with a subscription.
            capture_method: `"automatic"`, or `"manual"`: a card is only held until `client.payments.capture`.
            metadata: up to 50 texts of your own, keys to 40 and values to 500 characters.
            idempotency_key: name it to make your own repetition safe as well; otherwise a random one is sent.
        """
        body: dict[str, object] = {"reference": reference, "success_url": success_url}
        body |= given(
            amount=None if amount is None and (plan or mode == "setup") else amount_text(amount, "/amount"),
            currency=currency,
            cancel_url=cancel_url,
            customer_email=customer_email,
            customer_country=customer_country,
            locale=locale,
            line_items=_lines(line_items) or None,
            methods=None if methods is None else list(methods),
            expires_in=expires_in,
            mode=mode or ("subscription" if plan else None),
            plan=plan,
            customer=customer,
            capture_method=capture_method,
            metadata=None if metadata is None else dict(metadata),
        )
        return self._api.post(models.CheckoutSession, _SESSIONS, body, idempotency_key)

    def retrieve(self, session_id: str) -> models.CheckoutSession:
        """Read a session."""
        return self._api.get(models.CheckoutSession, path_with(_SESSIONS, session_id))

    def list(
        self,
        *,
        status: str | None = None,
        reference: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.CheckoutSession]:
        """List sessions, newest first."""
        query = given(
            status=status,
            reference=reference,
            limit=limit,
            starting_after=starting_after,
            ending_before=ending_before,
        )
        return self._api.page(models.CheckoutSession, _SESSIONS, query)

    def expire(self, session_id: str, *, idempotency_key: str | None = None) -> models.CheckoutSession:
        """Close an open session, so that it can no longer be paid.

        Raises:
            Conflict: it is complete or expired already (`session_not_open`).
        """
        path = path_with(_SESSIONS, session_id, "/expire")
        return self._api.post(models.CheckoutSession, path, {}, idempotency_key)

    def wait(
        self,
        session_id: str,
        *,
        until: Callable[[models.CheckoutSession], bool] | None = None,
        timeout_s: float = 60,
        poll_s: float = 1,
    ) -> models.CheckoutSession:
        """Read a session again and again until it is no longer open, or until `until(session)` holds.

        For scripts and tests; a shop listens to webhooks instead.

        Raises:
            Timeout: it did not happen within `timeout_s` seconds.
        """
        is_over = until or (lambda session: session.status != "open")
        path = path_with(_SESSIONS, session_id)
        return self._api.wait(models.CheckoutSession, path, is_over, timeout_s=timeout_s, poll_s=poll_s)


class Checkout(Resource):
    """`client.checkout`."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self.sessions = Sessions(api)


class Payments(Resource):
    """`client.payments`: what is owed and what has come."""

    def retrieve(self, payment_id: str) -> models.Payment:
        """Read a payment with its attempts, transfers and charges."""
        return self._api.get(models.Payment, path_with("/v1/payments", payment_id))

    def capture(
        self,
        payment_id: str,
        *,
        amount: str | Decimal | None = None,
        final_capture: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.Payment:
        """Take money that a card holds: all of it, or `amount`; the rest is let go unless `final_capture` is False.

        Raises:
            Conflict: nothing is held (`nothing_held`), or an earlier command has no outcome yet.
            PaymentDeclined: the provider refused; nothing was taken.
            ServerError: with the code `outcome_unknown` it may have happened; `retrieve` tells within a minute.
        """
        body = given(amount=None if amount is None else amount_text(amount, "/amount"), final_capture=final_capture)
        return self._api.post(models.Payment, path_with("/v1/payments", payment_id, "/capture"), body, idempotency_key)

    def cancel(self, payment_id: str, *, idempotency_key: str | None = None) -> models.Payment:
        """Let go of money that a card holds; to call off a payment nobody has paid yet, expire its session.

        Raises:
            Conflict, PaymentDeclined, ServerError: as `capture`.
        """
        return self._api.post(models.Payment, path_with("/v1/payments", payment_id, "/cancel"), {}, idempotency_key)

    def list(
        self,
        *,
        status: str | None = None,
        reference: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.Payment]:
        """List payments, newest first."""
        query = given(
            status=status,
            reference=reference,
            limit=limit,
            starting_after=starting_after,
            ending_before=ending_before,
        )
        return self._api.page(models.Payment, "/v1/payments", query)


class Refunds(Resource):
    """`client.refunds`: money that goes back."""

    def create(
        self,
        *,
        payment: str,
        amount: str | Decimal | None = None,
        currency: str | None = None,
        source: str | None = None,
        destination: str | None = None,
        donation: str | None = None,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.Refund:
        """Give money back, in part or in full.

        Args:
            payment: the payment's id.
            amount: in the currency received; None gives back all that is left.
            currency: name it to be refused when the money came in another.
            source: the charge or chain transfer whose money goes back; None for the one with most left.
            destination: the wallet to which a chain refund goes; None for the one that paid.
            donation: a gift on top of the order: `"keep"` lets it be, as the gateway does by itself, `"include"`
                gives it back too, `"only"` gives back nothing else.
            reason: `"duplicate"`, `"fraudulent"` or `"requested_by_customer"`.
            metadata: texts of your own, given back with the refund.
            idempotency_key: name it to make your own repetition safe as well; otherwise a random one is sent.

        Returns:
            The refund: `failed` if the provider refused it, `pending` while its answer is missing. What came over a
            chain is in `requires_action`: let your wallet sign `transfer(refund.id)` and `submit` it.

        Raises:
            Conflict: nothing is left to give back (`nothing_to_refund`).
            InvalidRequest: more than is left, another currency, or nobody knows the payer's wallet
                (`destination_required`).
        """
        body = given(
            payment=payment,
            amount=None if amount is None else amount_text(amount, "/amount"),
            currency=currency,
            source=source,
            destination=destination,
            donation=donation,
            reason=reason,
            metadata=None if metadata is None else dict(metadata),
        )
        return self._api.post(models.Refund, _REFUNDS, body, idempotency_key)

    def retrieve(self, refund_id: str) -> models.Refund:
        """Read a refund."""
        return self._api.get(models.Refund, path_with(_REFUNDS, refund_id))

    def list(
        self,
        *,
        payment: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.Refund]:
        """List refunds, newest first, those made at the provider included."""
        query = given(
            payment=payment, status=status, limit=limit, starting_after=starting_after, ending_before=ending_before
        )
        return self._api.page(models.Refund, _REFUNDS, query)

    def transfer(self, refund_id: str, *, payer: str | None = None) -> models.RefundTransfer:
        """Build the chain transfer of a refund; let your wallet sign its `payload` at once, it ages within a minute.

        Args:
            refund_id: a refund in `requires_action` of a payment that came over a chain.
            payer: one of your receiving wallets; None for the one at which the money came.

        Raises:
            Conflict: it waits for no signature (`refund_not_sendable`), or an earlier transfer of it may still land
                (`outcome_unknown`).
        """
        path = path_with(_REFUNDS, refund_id, "/transfer")
        return self._api.get(models.RefundTransfer, path, given(payer=payer))

    def submit(self, refund_id: str, payload: str, *, idempotency_key: str | None = None) -> models.Refund:
        """Send what your wallet signed, base64; the refund is `pending` until the chain has made it final.

        Raises:
            InvalidRequest: the bytes do anything but pay this refund, or have expired (`wallet_payload_refused`).
            Conflict: other bytes of this refund may still land (`outcome_unknown`); the same ones may be sent again.
        """
        path = path_with(_REFUNDS, refund_id, "/transfer")
        return self._api.post(models.Refund, path, {"payload": payload}, idempotency_key)

    def cancel(self, refund_id: str, *, idempotency_key: str | None = None) -> models.Refund:
        """Call off a refund that waits for the customer, or for your wallet's signature.

        Raises:
            Conflict: it cannot be called off any more (`refund_not_cancelable`).
        """
        return self._api.post(models.Refund, path_with(_REFUNDS, refund_id, "/cancel"), {}, idempotency_key)


class Disputes(Resource):
    """`client.disputes`: what customers' banks contest."""

    def retrieve(self, dispute_id: str) -> models.Dispute:
        """Read a dispute."""
        return self._api.get(models.Dispute, path_with("/v1/disputes", dispute_id))

    def list(
        self,
        *,
        payment: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.Dispute]:
        """List disputes, newest first."""
        query = given(
            payment=payment, status=status, limit=limit, starting_after=starting_after, ending_before=ending_before
        )
        return self._api.page(models.Dispute, "/v1/disputes", query)


class Payouts(Resource):
    """`client.payouts`: what card providers sent to your bank."""

    def retrieve(self, payout_id: str) -> models.Payout:
        """Read a payout."""
        return self._api.get(models.Payout, path_with("/v1/payouts", payout_id))

    def list(
        self, *, limit: int | None = None, starting_after: str | None = None, ending_before: str | None = None
    ) -> Page[models.Payout]:
        """List payouts, newest first."""
        query = given(limit=limit, starting_after=starting_after, ending_before=ending_before)
        return self._api.page(models.Payout, "/v1/payouts", query)

    def settlement(self, payout_id: str) -> models.Settlement:
        """Read what a payout consists of, with fees and net."""
        return self._api.get(models.Settlement, path_with("/v1/payouts", payout_id, "/settlement"))


class Events(Resource):
    """`client.events`: what happened; also a way to live without webhooks."""

    def retrieve(self, event_id: str) -> models.Event:
        """Read an event."""
        return self._api.get(models.Event, path_with("/v1/events", event_id))

    def list(
        self,
        *,
        types: Iterable[str] | None = None,
        after: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.Event]:
        """List events, newest first; with `after`, those published after that event, oldest first: poll with it."""
        query = given(
            types=None if types is None else _comma_list(types),
            after=after,
            limit=limit,
            starting_after=starting_after,
            ending_before=ending_before,
        )
        return self._api.page(models.Event, "/v1/events", query)


class Deliveries(Resource):
    """`client.webhook_endpoints.deliveries`: the log of what was sent to an endpoint."""

    def list(
        self,
        endpoint_id: str,
        *,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.Delivery]:
        """List deliveries, newest first."""
        query = given(limit=limit, starting_after=starting_after, ending_before=ending_before)
        return self._api.page(models.Delivery, path_with(_ENDPOINTS, endpoint_id, "/deliveries"), query)


class WebhookEndpoints(Resource):
    """`client.webhook_endpoints`: where the gateway sends events."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self.deliveries = Deliveries(api)

    def create(
        self,
        *,
        url: str,
        enabled_events: Iterable[str] | None = None,
        description: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.WebhookEndpoint:
        """Add an endpoint. The answer, and no later one, holds its `secret`."""
        body = given(
            url=url,
            enabled_events=None if enabled_events is None else text_list(enabled_events),
            description=description,
        )
        return self._api.post(models.WebhookEndpoint, _ENDPOINTS, body, idempotency_key)

    def retrieve(self, endpoint_id: str) -> models.WebhookEndpoint:
        """Read an endpoint."""
        return self._api.get(models.WebhookEndpoint, path_with(_ENDPOINTS, endpoint_id))

    def update(
        self,
        endpoint_id: str,
        *,
        url: str | None = None,
        enabled_events: Iterable[str] | None = None,
        description: str | None = None,
        status: str | None = None,
    ) -> models.WebhookEndpoint:
        """Change what is given; an empty `description` removes it, `status` is enabled or disabled."""
        body = given(
            url=url,
            enabled_events=None if enabled_events is None else text_list(enabled_events),
            description=description,
            status=status,
        )
        return self._api.patch(models.WebhookEndpoint, path_with(_ENDPOINTS, endpoint_id), body)

    def delete(self, endpoint_id: str) -> models.DeletedObject:
        """Remove an endpoint; nothing is sent to it any more."""
        return self._api.delete(models.DeletedObject, path_with(_ENDPOINTS, endpoint_id))

    def list(
        self,
        *,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.WebhookEndpoint]:
        """List endpoints, newest first."""
        query = given(limit=limit, starting_after=starting_after, ending_before=ending_before)
        return self._api.page(models.WebhookEndpoint, _ENDPOINTS, query)

    def rotate_secret(
        self, endpoint_id: str, *, grace_s: int | None = None, idempotency_key: str | None = None
    ) -> models.WebhookEndpoint:
        """Make a new secret, in the answer; for `grace_s` seconds (default a day) both sign: `Webhook(new, old)`."""
        path = path_with(_ENDPOINTS, endpoint_id, "/rotate_secret")
        return self._api.post(models.WebhookEndpoint, path, given(grace_s=grace_s), idempotency_key)

    def test(self, endpoint_id: str, *, idempotency_key: str | None = None) -> models.Event:
        """Send a `ping` event to the endpoint and return it."""
        path = path_with(_ENDPOINTS, endpoint_id, "/test")
        return self._api.post(models.Event, path, {}, idempotency_key)

    def resend(self, endpoint_id: str, *, event: str, idempotency_key: str | None = None) -> models.Event:
        """Send an event to the endpoint once more and return it; `event` is its id."""
        path = path_with(_ENDPOINTS, endpoint_id, "/resend")
        return self._api.post(models.Event, path, {"event": event}, idempotency_key)


class AccountResource(Resource):
    """`client.account`."""

    def retrieve(self) -> models.Account:
        """Read the merchant to whom the key belongs."""
        return self._api.get(models.Account, "/v1/account")


class Balances(Resource):
    """`client.balances`."""

    def list(self) -> Page[models.Balance]:
        """List what each ledger account holds in each currency."""
        return self._api.page(models.Balance, "/v1/balances", {})


class LedgerEntries(Resource):
    """`client.ledger_entries`."""

    def list(
        self,
        *,
        payment: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.LedgerEntry]:
        """List journal entries, newest first; `payment` limits them to one payment."""
        query = given(payment=payment, limit=limit, starting_after=starting_after, ending_before=ending_before)
        return self._api.page(models.LedgerEntry, "/v1/ledger_entries", query)


class Rates(Resource):
    """`client.rates`."""

    def retrieve(self, *, base: str, quote: str) -> models.Rate:
        """Read what one `base` costs in `quote`, with the sources."""
        return self._api.get(models.Rate, "/v1/rates", {"base": base, "quote": quote})


class Quotes(Resource):
    """`client.quotes`."""

    def create(
        self, *, amount: str | Decimal, currency: str, method: str, idempotency_key: str | None = None
    ) -> models.Quote:
        """Lock what `amount` of `currency` costs by a payment method, for a short time."""
        body = {"amount": amount_text(amount, "/amount"), "currency": currency, "method": method}
        return self._api.post(models.Quote, "/v1/quotes", body, idempotency_key)


class Methods(Resource):
    """`client.methods`."""

    def list(self, *, amount: str | Decimal | None = None, currency: str | None = None) -> Page[models.PaymentMethod]:
        """List the ways to pay, with the reason why one is not available for this amount."""
        query = given(amount=None if amount is None else amount_text(amount, "amount"), currency=currency)
        return self._api.page(models.PaymentMethod, "/v1/methods", query)


class ChainTransfers(Resource):
    """`client.chain_transfers`: money that came without a payment to attribute it to."""

    def list(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.ChainTransfer]:
        """List chain transfers, newest first; `status="unmatched"` is the queue to work through."""
        query = given(status=status, limit=limit, starting_after=starting_after, ending_before=ending_before)
        return self._api.page(models.ChainTransfer, "/v1/chain_transfers", query)

    def match(self, transfer_id: str, *, payment: str, idempotency_key: str | None = None) -> models.ChainTransfer:
        """Attribute an unmatched transfer to a payment."""
        path = path_with("/v1/chain_transfers", transfer_id, "/match")
        return self._api.post(models.ChainTransfer, path, {"payment": payment}, idempotency_key)


def _lines(items: Iterable[models.LineItem | Mapping[str, object]]) -> list[dict[str, object]]:
    lines = []
    for index, item in enumerate(items):
        line = item.to_dict() if isinstance(item, models.LineItem) else dict(item)
        if "amount" in line:
            line["amount"] = amount_text(line["amount"], f"/line_items/{index}/amount")  # type: ignore[arg-type]  # checks it
        lines.append(line)
    return lines


def text_list(texts: Iterable[str]) -> list[str]:
    """Return texts as a list."""
    return [texts] if isinstance(texts, str) else list(texts)  # one word is not a list of its letters


def _comma_list(texts: Iterable[str]) -> str:
    return ",".join(text_list(texts))
