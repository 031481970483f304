"""The processor `stripe`: what the engine asks through the port `HostedProcessor`. No card number ever comes here."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.declines import Decline, ProviderDeclinedError
from gateway.domain.ports import Inspection, Method
from gateway.domain.provider import (
    BalanceLine,
    Command,
    Notification,
    ProviderPayout,
    ProviderRefund,
    ProviderSnapshot,
    RefundCommand,
    Registration,
)
from gateway.domain.words import RefundReason
from gateway.kernel.errors import ErrorCode, NotFoundError, TemporaryError
from gateway.kernel.money import Money
from gateway.processors.stripe import amounts, balances, notifications, snapshots
from gateway.processors.stripe.config import StripeConfig
from gateway.processors.stripe.inspection import inspect_account
from gateway.processors.stripe.pages import ATTEMPT, OPERATION, PAYMENT, page_params
from gateway.processors.stripe.subscriptions import StripeSubscriptions
from gateway.processors.stripe.wire import Json, StripeApi, expanded, id_of, is_reference, read, safe_reference, text

KEY_LIFETIME: Final = timedelta(hours=23)  # Stripe may forget a key after 24
_SESSIONS: Final = "/v1/checkout/sessions"
_INTENTS: Final = "/v1/payment_intents"
_SETUPS: Final = "/v1/setup_intents"
_REFUND: Final = "sp_refund"
_PAGE, _INTENT, _SETUP, _REFUND_ID, _PAYOUT = "cs_", "pi_", "seti_", ("re_", "pyr_"), "po_"
_IN_FULL: Final = ("latest_charge.balance_transaction", "latest_charge.refunds")
_PAGE_IN_FULL: Final = tuple(f"payment_intent.{field}" for field in _IN_FULL)
_METHOD: Final = "payment_method"
# Where a lost registration is looked for, in seconds since it was made. It is nearly always in the first few, so a busy
# account is not listed for a day to find one page; before zero, because Stripe's clock may be behind ours.
_WINDOWS_S: Final = ((-5, 5), (6, 60), (61, 900), (-300, -6), (901, 86_400))
# Lists longer than this are not read: the answer would come too late, and a cut list proves nothing.
_MAX_SESSION_PAGES: Final = 300
_MAX_OBJECT_PAGES: Final = 10
_MAX_PAYOUT_PAGES: Final = 50
_MAX_LINE_PAGES: Final = 2_000


class StripeProcessor:
    """One Stripe account for each mode; safe among threads.

    Args:
        name: in routes and attempts; a second account has another name.
        configs: by livemode; a mode without a configuration offers no methods.
    """

    def __init__(self, name: str, configs: Mapping[bool, StripeConfig]) -> None:
        assert all(config.livemode is livemode for livemode, config in configs.items()), "a key stands under its mode"
        secrets = [secret for config in configs.values() for secret in config.webhook_secrets]
        assert len(set(secrets)) == len(secrets), "test and live webhooks never share a secret"
        self._name: Final = name
        self._configs: Final = dict(configs)
        self._apis: Final = {livemode: StripeApi(config) for livemode, config in configs.items()}
        self.subscriptions: Final = StripeSubscriptions(self._apis)

    @property
    def name(self) -> str:
        """The processor's name."""
        return self._name

    @property
    def key_lifetime(self) -> timedelta:
        """How long Stripe is sure to remember an idempotency key."""
        return KEY_LIFETIME

    def methods(self, *, livemode: bool) -> Sequence[Method]:
        """Return the one method, whose page offers whatever the account has switched on; no I/O."""
        if livemode not in self._configs:
            return ()
        mode = "live" if livemode else "test"
        return (Method(id="card", title="Card", asset=None, processor=self._name, network=f"{self._name}:{mode}"),)

    def accepts(self, price: Money, *, livemode: bool) -> bool:
        """Tell whether Stripe takes this amount in this currency; no I/O."""
        return livemode in self._configs and amounts.accepts(price)

    def register(self, registration: Registration) -> ProviderSnapshot:
        """Open a Checkout Session; the same registration opens one, however often it is sent.

        Raises:
            ProviderDeclinedError: refused for good.
            TemporaryError: nothing happened.
            UnknownOutcomeError: it may be open; send it again within `key_lifetime`, or look for it.
        """
        session = self._apis[registration.livemode].post(
            _SESSIONS, key=registration.operation_id, params=page_params(registration)
        )
        return read(lambda: snapshots.page_snapshot(session, intent=None), has_effect=True)

    def find_registration(self, registration: Registration) -> ProviderSnapshot | None:
        """Look through the sessions that were made around then; None when there certainly is none.

        Raises:
            TemporaryError: Stripe does not answer, or has too many sessions of that time.
        """
        made_s = int(registration.created_at.timestamp())
        api = self._apis[registration.livemode]
        narrowed = {} if registration.customer is None else {"customer": registration.customer}
        for first_s, last_s in _WINDOWS_S:
            created = {"gte": made_s + first_s, "lte": made_s + last_s}
            for session in api.listed(_SESSIONS, max_pages=_MAX_SESSION_PAGES, created=created, **narrowed):
                reference, operation_id = _marked(session)
                if operation_id == registration.operation_id:
                    return self.retrieve(reference, livemode=registration.livemode)
        return None

    def retrieve(self, reference: str, *, livemode: bool) -> ProviderSnapshot:
        """Read a Checkout Session, or a payment intent without one, and what came of it.

        One call; one more each for refunds, disputes and captures in parts, when there are any, and for what a page
        saved, and two for a subscription's first charge.

        Raises:
            NotFoundError: Stripe knows no such object in this mode.
            TemporaryError: Stripe does not answer.
        """
        api = self._apis[livemode]
        if not is_reference(reference, _PAGE, _INTENT):
            raise NotFoundError(ErrorCode.NOT_FOUND, "The payment provider knows no such object.")
        if reference.startswith(_INTENT):
            intent = api.get(f"{_INTENTS}/{reference}", expand=list(_IN_FULL))
            after = _aftermath(api, intent)
            return read(lambda: snapshots.charge_snapshot(intent, after=after))
        session = api.get(f"{_SESSIONS}/{reference}", expand=list(_PAGE_IN_FULL))
        charged, setup = _intent_of(api, session), _setup_of(api, session)
        after = _aftermath(api, charged)
        return read(lambda: snapshots.page_snapshot(session, intent=charged, after=after, setup=setup))

    def expire(self, command: Command) -> None:
        """Close an open Checkout Session.

        Raises:
            ConflictError: it is not open.
        """
        path = f"{_SESSIONS}/{safe_reference(command.reference, _PAGE)}/expire"
        self._apis[command.livemode].post(path, key=command.operation_id, params={}, refuses_by_state=True)

    def capture(self, command: Command, amount: Money, *, is_final: bool) -> None:
        """Take held money; Stripe releases the rest unless told otherwise.

        Raises:
            ConflictError: nothing is held.
        """
        params: dict[str, object] = {"amount_to_capture": _wire_amount(amount)}
        if not is_final:
            params["final_capture"] = False
        self._command(_INTENTS, command, "capture", params)

    def void(self, command: Command) -> None:
        """Release a hold.

        Raises:
            ConflictError: nothing is held.
        """
        self._command(_INTENTS, command, "cancel", {"cancellation_reason": "requested_by_customer"})

    def refund(self, command: RefundCommand) -> ProviderRefund:
        """Give captured money back.

        Raises:
            ProviderDeclinedError: refused for good, for example because it was refunded elsewhere.
        """
        params: dict[str, object] = {
            "payment_intent": safe_reference(command.reference, _INTENT),
            "amount": _wire_amount(command.amount),
            "metadata": {
                OPERATION: command.operation_id,
                ATTEMPT: command.attempt_id,
                PAYMENT: command.payment_id,
                _REFUND: command.refund_id,
            },
        }
        if command.reason in set(RefundReason):
            params["reason"] = command.reason
        refund = self._apis[command.livemode].post("/v1/refunds", key=command.operation_id, params=params)
        return read(lambda: snapshots.provider_refund(refund), has_effect=True)

    def find_refund(self, command: RefundCommand) -> ProviderRefund | None:
        """Look for a refund of this operation among those of the charge."""
        listed = list(_refunds(self._apis[command.livemode], safe_reference(command.reference, _INTENT)))
        found = read(lambda: [snapshots.provider_refund(refund) for refund in listed])
        return next((refund for refund in found if refund.operation_id == command.operation_id), None)

    def cancel_refund(self, command: Command) -> ProviderRefund:
        """Call off a refund that waits for the customer.

        Raises:
            ConflictError: it cannot be called off any more.
        """
        path = f"/v1/refunds/{safe_reference(command.reference, *_REFUND_ID)}/cancel"
        refund = self._apis[command.livemode].post(path, key=command.operation_id, params={}, refuses_by_state=True)
        return read(lambda: snapshots.provider_refund(refund), has_effect=True)

    def read_notification(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Notification:
        """Verify a webhook; no I/O.

        Raises:
            InvalidRequestError: `notification_refused`.
        """
        secrets = {livemode: config.webhook_secrets for livemode, config in self._configs.items()}
        return notifications.read_notification(body, headers, secrets=secrets, now=now)

    def payouts(self, *, livemode: bool, since: datetime) -> Sequence[ProviderPayout]:
        """List payouts that were created since then, oldest first."""
        created = {"gte": int(since.timestamp())}
        listed = list(self._apis[livemode].listed("/v1/payouts", max_pages=_MAX_PAYOUT_PAGES, created=created))
        return read(lambda: [balances.provider_payout(one) for one in reversed(listed)])

    def payout_lines(self, payout: str, *, livemode: bool) -> Sequence[BalanceLine]:
        """List every line of an automatic payout, once Stripe has reconciled it.

        Raises:
            TemporaryError: Stripe has not reconciled it yet, so lines could be missing.
            ProviderDeclinedError: it is a manual payout, which has no lines.
        """
        api = self._apis[livemode]
        found = api.get(f"/v1/payouts/{safe_reference(payout, _PAYOUT)}")
        status = read(lambda: text(found["reconciliation_status"]))
        if status == balances.MANUAL:
            raise ProviderDeclinedError(Decline.REQUEST_REFUSED)
        if status != balances.RECONCILED:
            raise TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, "The payout is not reconciled yet. Ask again later.")
        listed = api.listed(
            "/v1/balance_transactions", max_pages=_MAX_LINE_PAGES, payout=payout, expand=["data.source"]
        )
        lines = list(listed)
        # The payout lists itself as well; what it paid out is everything else.
        return read(lambda: [balances.payout_line(one, payout) for one in lines if id_of(one["source"]) != payout])

    def dashboard_url(self, reference: str, *, livemode: bool) -> str | None:
        """Return Stripe's dashboard page of a charge; None for the Test Bank."""
        config = self._configs.get(livemode)
        if config is None or config.base_url is not None or not reference.startswith(_INTENT):
            return None
        mode = "" if livemode else "test/"
        return f"https://dashboard.stripe.com/{mode}payments/{reference}"

    def inspect(self, *, livemode: bool, url: str) -> Sequence[Inspection]:
        """Look at the key of a mode and at its webhook endpoint, which should call `url`; for `doctor`.

        Raises:
            TemporaryError: Stripe does not answer, or does not know the key.
        """
        config = self._configs.get(livemode)
        if config is None:
            return ()
        return inspect_account(self._apis[livemode], account=config.account_name, url=url)

    def close(self) -> None:
        """Give kept connections back; used at the end of a process."""
        for api in self._apis.values():
            api.close()

    def _command(self, path: str, command: Command, verb: str, params: Json) -> None:
        target = f"{path}/{safe_reference(command.reference, _INTENT)}/{verb}"
        self._apis[command.livemode].post(target, key=command.operation_id, params=params)


def _wire_amount(amount: Money) -> int:
    """Return the amount of a command.

    Raises:
        ProviderDeclinedError: Stripe cannot say it exactly.
    """
    try:
        return amounts.to_wire(amount)
    except amounts.AmountError:
        raise ProviderDeclinedError(Decline.AMOUNT_REFUSED) from None


def _marked(session: Json) -> tuple[str, str | None]:
    """Return the id of a session, and the operation that registered it."""
    return read(lambda: (text(session["id"]), snapshots.mark(session, OPERATION)))


def _intent_of(api: StripeApi, session: Json) -> Json | None:
    """Return the payment intent that a page charges; a subscription's is found through its first invoice."""
    intent = read(lambda: expanded(session["payment_intent"]))
    invoice = read(lambda: id_of(session["invoice"]) if session["mode"] == "subscription" else None)
    if intent is not None or invoice is None:
        return intent
    payments = list(api.listed("/v1/invoice_payments", max_pages=_MAX_OBJECT_PAGES, invoice=invoice))
    reference = read(lambda: _intent_among(payments))
    return None if reference is None else api.get(f"{_INTENTS}/{reference}", expand=list(_IN_FULL))


def _setup_of(api: StripeApi, session: Json) -> Json | None:
    """Return the setup intent of a page that saves a method; other pages need no key that may read one."""
    reference = read(lambda: id_of(session["setup_intent"]) if session["mode"] == "setup" else None)
    return None if reference is None else api.get(f"{_SETUPS}/{safe_reference(reference, _SETUP)}", expand=[_METHOD])


def _intent_among(payments: Sequence[Json]) -> str | None:
    """Return the payment intent of an invoice: the one that paid it, else the one that is to."""
    ranked = sorted(payments, key=lambda one: (one["status"] == "paid", one["is_default"] is True), reverse=True)
    found = [id_of(one["payment"].get("payment_intent")) for one in ranked]
    return next((safe_reference(one, _INTENT) for one in found if one is not None), None)


def _aftermath(api: StripeApi, intent: Json | None) -> snapshots.Aftermath:
    """Return what is listed for a charge; asked for only when there is any of it."""
    charge = read(lambda: snapshots.charge_of(intent))
    if intent is None or charge is None:
        return snapshots.NO_AFTERMATH
    reference = read(lambda: safe_reference(text(intent["id"]), _INTENT))
    refunds = list(_refunds(api, reference)) if read(lambda: snapshots.had_refunds(charge)) else []
    is_disputed = read(lambda: charge["disputed"] is True)
    disputes = api.listed("/v1/disputes", max_pages=_MAX_OBJECT_PAGES, payment_intent=reference) if is_disputed else ()
    entries = _entries(api, charge) if read(lambda: snapshots.is_booked_in_parts(charge)) else ()
    return snapshots.Aftermath(refunds=refunds, disputes=list(disputes), entries=list(entries))


def _entries(api: StripeApi, charge: Json) -> Iterator[Json]:
    """Yield what the balance has for each capture of a charge."""
    return api.listed("/v1/balance_transactions", max_pages=_MAX_OBJECT_PAGES, source=read(lambda: text(charge["id"])))


def _refunds(api: StripeApi, reference: str) -> Iterator[Json]:
    return api.listed(
        "/v1/refunds",
        max_pages=_MAX_OBJECT_PAGES,
        payment_intent=reference,
        expand=["data.balance_transaction", "data.failure_balance_transaction"],
    )
