"""A gateway in your process, with the rules of the real one for what a shop asks of it.

The same requests get the same answers, and the same facts make the same states and events: the project's contract suite
holds both to the same lives. Not played, and refused with a `ConfigurationError`: rates, quotes, the ledger, keys,
money without a payment, and sending chain refunds.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from streampay._api import amount_text
from streampay.errors import ConfigurationError
from streampay.models import CheckoutSession, Dispute, Payment, Refund
from streampay.testing import _rules as rules
from streampay.testing._deliver import Delivered, receiver
from streampay.testing._events import SampleEvent, event_types, rfc3339, sign_headers
from streampay.testing._gate import ACCEPTED, CREATED, OK, Call, Wire, cut, not_found, page_query
from streampay.testing._members import Members
from streampay.testing._payouts import Payouts
from streampay.testing._rules import CONFLICT, REQUIRED, Fields, Refusal, atomic, figure, major, taken
from streampay.testing._state import Hidden, asked, name_of, read, received

MAX_ENDPOINTS = 16
_SECRET = "whsec_c3RyZWFtcGF5LXRlc3Rpbmctc2VjcmV0"  # noqa: S105 - known to everybody, for tests alone
_EVENT_LIST = rules.many(rules.one_of("*", *event_types()), 100)
_DESCRIPTION = (rules.text(200, r"(?s).*"), None)
_ENDPOINT: Fields = {
    "url": (rules.text(2048), REQUIRED),
    "enabled_events": (_EVENT_LIST, ["*"]),
    "description": _DESCRIPTION,
}
_ENDPOINT_CHANGES: Fields = {
    "url": (rules.text(2048), None),
    "enabled_events": (_EVENT_LIST, None),
    "description": _DESCRIPTION,
    "status": (rules.one_of("enabled", "disabled"), None),
}
_REFUND: Fields = {
    "payment": (rules.object_id("pay"), REQUIRED),
    "currency": (rules.currency, None),
    "amount": (rules.amount, None),
    "source": (rules.object_id("ch", "xfer"), None),
    "destination": (rules.text(90, "[0-9A-Za-z]+"), None),
    "reason": (rules.one_of("duplicate", "fraudulent", "requested_by_customer"), None),
    "metadata": (rules.metadata, {}),
}
_PERSON: Fields = {"email": (rules.email, None), "name": (rules.text(200), None), "metadata": (rules.metadata, {})}
_CARD = {"object": "method", "id": "card", "title": "Card", "currency": None, "processor": "stripe"}
_ACCOUNT = {"id": "mer_01jd4k00000000000000000000", "object": "account", "name": "Fake shop", "livemode": False}
About = CheckoutSession | Payment | str


class FakeStreamPay(Members, Payouts):
    """A transport that is a whole gateway: `StreamPay("sk_test_x…", base_url="http://fake.example", transport=fake)`.

    Threads may share it. Its verbs act as a shopper, a bank or time would; they take a session, a payment, or the id of
    one. `refund_outcome` (succeeded, pending or failed), `latency_s` and `fault` decide how requests end.

    Args:
        api_key: the only key that is good; default every `sk_test_…`.
        origins: where shoppers may be sent besides loopback; default everywhere.
        webhook_secret: signs what `deliver` sends.
        requests_per_minute: of each key, before it is told to wait (429).
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        origins: Iterable[str] | None = None,
        webhook_secret: str = _SECRET,
        requests_per_minute: int = 3000,
    ) -> None:
        super().__init__(api_key, requests_per_minute)
        self.webhook_secret = webhook_secret
        self.refund_outcome = "succeeded"
        self._accepted: set[str] = set()
        self._origins = None if origins is None else tuple(origins)
        members = self._member_verbs(rules.return_url(self._origins))
        self._routes = {**dict(self._reads()), **dict(self._verbs()), **dict(members)}
        self._session_fields = _session_fields(self._origins)

    @property
    def events(self) -> tuple[SampleEvent, ...]:
        """Everything that has happened, in order."""
        return tuple(self._events)

    # --- what happens to a shop ------------------------------------------------------------------------------------

    def pay(self, about: About, amount: str | Decimal | None = None) -> Payment:
        """Let the shopper pay by card, or send `amount` over a chain. With a manual capture a card is only held.

        A session that begins a subscription or saves a card has verbs of its own: `subscribe` and `save_card`.
        """
        return self._by_card(about, "succeeded") if amount is None else self.underpay(about, amount)

    def underpay(self, about: About, amount: str | Decimal) -> Payment:
        """Let the shopper send this much over a chain: too little, too much, or after the end."""
        return self._over_chain(about, amount_text(amount, "amount"))

    def decline(self, about: About, code: str = "generic_decline") -> Payment:
        """Let the bank refuse the card; the session stays open for another try."""
        return self._by_card(about, "open", code)

    def challenge(self, about: About) -> Payment:
        """Let the bank ask the shopper for something (3-D Secure); `pay` or `decline` follows."""
        return self._by_card(about, "requires_action")

    def process(self, about: About) -> Payment:
        """Let a delayed method be on its way; `pay` or `fail` follows."""
        return self._by_card(about, "processing")

    def fail(self, about: About, code: str = "generic_decline") -> Payment:
        """Let a delayed method fail in the end."""
        return self._by_card(about, "failed", code)

    def warn(self, about: About) -> Payment:
        """Let the card's network warn of a fraud."""
        with self._lock:
            payment = self._payment(about)
            self._hidden[payment["id"]].is_warned = True
            return read(Payment, self._refresh(payment))

    def expire(self, about: About) -> CheckoutSession:
        """Let a session's time run out."""
        with self._lock:
            session = self._objects["cs"].get(name_of(about))
            if session is None or session["payment"] is not None:
                payment = self._payment(about)
                self._close(payment)
                session = self._hidden[payment["id"]].session
            elif session["status"] == "open":
                self._turn(session, "expired", self._place(session))
            return read(CheckoutSession, session)

    def advance(self, seconds: float) -> datetime:
        """Let time pass; sessions expire a minute after their end. Return the new time."""
        with self._lock:
            self._ahead += timedelta(seconds=seconds)
            self._before()
            return self.now

    def refund_elsewhere(self, about: About, amount: str | Decimal | None = None) -> Refund:
        """Refund a card at its provider, behind the gateway's back."""
        with self._lock:
            payment = self._payment(about)
            charge = payment["charges"][-1]
            left = self._left(charge)
            number = left if amount is None else asked(amount_text(amount, "amount"), payment["currency"])
            if not 0 < number <= left:
                raise ConfigurationError("more than is left cannot go back", code="amount_too_large")
            refund = self._draft(
                payment, charge, number, status="succeeded", provider_reference=f"re_{secrets.token_hex(12)}"
            )
            self._tell("refund.created", refund)
            self._tell("refund.succeeded", refund)
            self._refresh(payment, has_moved=True)
            return read(Refund, refund)

    def settle_refund(self, refund: Refund | str, status: str = "succeeded") -> Refund:
        """Let a refund end; a bank may turn one that succeeded into `failed`, weeks later."""
        with self._lock:
            found = self._own("re", name_of(refund))
            self._move_refund(found, status, "declined" if status == "failed" else None)
            self._refresh(self._own("pay", found["payment"]), has_moved=True)
            return read(Refund, found)

    def dispute(self, about: About, *, reason: str = "fraudulent", is_inquiry: bool = False) -> Dispute:
        """Let the customer's bank contest a charge and take its money, or only ask."""
        with self._lock:
            payment = self._payment(about)
            charge = payment["charges"][-1]
            amount, code = charge["amount_captured"], payment["currency"]
            about_it = {"payment": payment["id"], "charge": charge["id"], "amount": amount, "currency": code}
            about_it |= {
                "amount_withdrawn": major(0, code) if is_inquiry else amount,
                "amount_reinstated": major(0, code),
            }
            about_it |= {"reason": reason, "provider_reference": f"du_{secrets.token_hex(12)}"}
            status = "inquiry" if is_inquiry else "needs_response"
            dispute = self._made("dsp", "Dispute", **about_it, status=status, evidence_due_by=self._stamp(7 * 86_400))
            for kind in ("opened",) if is_inquiry else ("opened", "funds_withdrawn"):
                self._tell(f"dispute.{kind}", dispute)
            self._refresh(payment, has_moved=True)
            return read(Dispute, dispute)

    def close_dispute(self, dispute: Dispute | str, *, is_won: bool) -> Dispute:
        """Let the bank decide; a won dispute brings the money back."""
        with self._lock:
            found = self._own("dsp", name_of(dispute))
            is_inquiry = found["status"] == "inquiry"
            found |= {
                "status": "inquiry_closed" if is_inquiry else "won" if is_won else "lost",
                "updated_at": self._stamp(),
            }
            if is_won and not is_inquiry:
                found["amount_reinstated"] = found["amount_withdrawn"]
                self._tell("dispute.funds_reinstated", found)
            self._tell("dispute.closed", found)
            self._refresh(self._own("pay", found["payment"]), has_moved=True)
            return read(Dispute, found)

    def deliver(self, target: object, *, path: str | None = None, secret: str | None = None) -> list[Delivered]:
        """Send, signed and in order, what was not answered with 2xx yet; return what was sent and answered.

        Args:
            target: a callable of body and headers, or a web app or test client, see `receiver`.
            path: of the webhook in the app.
            secret: signs it; default `webhook_secret`.
        """
        send, sent = receiver(target, path), []
        for one in self.events:
            if one.event.id not in self._accepted:
                headers = sign_headers(one.body, secret or self.webhook_secret, message_id=one.event.id)
                sent.append(Delivered(event=one.event, status=send(one.body, headers)))
                if sent[-1].is_accepted:
                    self._accepted.add(one.event.id)
        return sent

    # --- what a shop asks for --------------------------------------------------------------------------------------

    def _verbs(self) -> Iterator[tuple[str, tuple[str, Callable[[str, Wire], Call]]]]:
        endpoints, one = "/v1/webhook_endpoints", "/v1/webhook_endpoints/{id}"
        yield "POST /v1/checkout/sessions", ("", self._create_session)
        yield "POST /v1/checkout/sessions/{id}/expire", ("cs", self._expire_session)
        yield "POST /v1/payments/{id}/capture", ("pay", self._capture)
        yield "POST /v1/payments/{id}/cancel", ("pay", self._cancel)
        yield "POST /v1/refunds", ("", self._create_refund)
        yield "POST /v1/refunds/{id}/cancel", ("re", self._cancel_refund)
        yield "POST /v1/customers", ("", self._create_customer)
        yield "PATCH /v1/customers/{id}", ("cus", self._update_customer)
        yield "GET /v1/payouts/{id}/settlement", ("po", self._settlement)
        yield "GET /v1/events", ("", self._list_events)
        yield "GET /v1/events/{id}", ("evt", lambda event_id, _: (OK, self._event(event_id).body))
        yield f"POST {endpoints}", ("", self._create_endpoint)
        yield f"PATCH {one}", ("we", self._update_endpoint)
        yield f"DELETE {one}", ("we", self._delete("we", "webhook_endpoint"))
        yield f"POST {one}/rotate_secret", ("we", self._rotate)
        yield f"POST {one}/test", ("we", lambda found, _: (ACCEPTED, self._tell("ping", self._enabled(found)).body))
        yield f"POST {one}/resend", ("we", self._resend)
        yield f"GET {one}/deliveries", ("we", self._deliveries)
        yield "GET /v1/methods", ("", self._methods)
        yield "GET /v1/account", ("", self._account)
        yield "POST /v1/test/clock/advance", ("", self._advance)

    def _create_session(self, _: str, sent: Wire) -> Call:
        body = taken(sent, self._session_fields)
        price = self._price(body)
        known = {"email": None} if body["customer"] is None else self._own("cus", body["customer"])
        code, locale, mode = price["currency"], body["locale"], body["mode"]
        whose = () if mode == "payment" else (body["plan"], body["customer"])
        place = (body["reference"], price["amount"], code, *whose)
        if place in self._open:
            return OK, self._open[place]
        body |= {**price, "locale": locale and locale.partition("-")[0]}
        body |= {"expires_at": self._stamp(body.pop("expires_in"))}
        body["customer_email"] = body["customer_email"] or known["email"]
        session = self._made("cs", "CheckoutSession", **body, payment=None)
        session["url"] = f"http://fake.example/c/{secrets.token_urlsafe(32)}"
        self._open[place] = session
        if mode == "setup":
            session["payment_status"] = "no_payment_required"
        else:
            payment = self._due(session, kind="sale" if mode == "payment" else "recurring")
            self._hidden[payment["id"]] = Hidden(session, place)
        self._tell("checkout.session.created", session)
        return CREATED, session

    def _price(self, body: Wire) -> Wire:
        """Return what is asked and for what: the plan's price, the order's, or nothing."""
        if body["mode"] == "subscription":
            plan = self._offered(body["plan"])
            line = {"name": plan["name"], "quantity": 1, "amount": plan["amount"]}
            return {"amount": plan["amount"], "currency": plan["currency"], "line_items": [line]}
        code = body["currency"]
        if body["mode"] == "setup":
            return {"amount": major(0, code), "currency": code, "line_items": []}
        lines = [{**line, "amount": major(atomic(line["amount"], code), code)} for line in body["line_items"] or ()]
        return {"amount": major(atomic(body["amount"], code), code), "currency": code, "line_items": lines}

    def _expire_session(self, session_id: str, sent: Wire) -> Call:
        taken(sent, {})
        session = self._own("cs", session_id)
        payment = self._objects["pay"].get(session["payment"])
        is_untouched = payment is None or payment["status"] in {"open", "requires_action"}
        if session["status"] != "open" or not is_untouched:
            detail = "Only an open session without any payment can be expired."
            raise Refusal("session_not_open", detail, status=CONFLICT, about=session_id)
        if payment is None:
            self._turn(session, "expired", self._place(session))
            return OK, session
        self._hidden[payment["id"]].is_canceled = True
        self._shut(payment)
        self._refresh(payment)
        return OK, session

    def _capture(self, payment_id: str, sent: Wire) -> Call:
        body = taken(sent, {"amount": (rules.amount, None), "final_capture": (rules.flag, True)})
        payment, charge = self._held(payment_id)
        held, before = figure(charge["amount_capturable"]), figure(charge["amount_captured"])
        number = held if body["amount"] is None else asked(body["amount"], payment["currency"])
        if number > held:
            raise Refusal("amount_too_large", "That is more than is held.", param="/amount")
        left = 0 if body["final_capture"] else held - number
        self._set_charge(charge, "authorized" if left else "succeeded", before + number, left)
        return OK, self._refresh(payment, has_moved=True)

    def _cancel(self, payment_id: str, sent: Wire) -> Call:
        taken(sent, {})
        payment, charge = self._held(payment_id)
        captured = figure(charge["amount_captured"])
        self._set_charge(charge, "succeeded" if captured else "canceled", captured, 0)
        return OK, self._refresh(payment, has_moved=True)

    def _create_refund(self, _: str, sent: Wire) -> Call:
        body = taken(sent, _REFUND)
        payment = self._own("pay", body["payment"])
        source, left = self._source(payment, body)
        code, is_card = source["currency"], source in payment["charges"]
        if body["currency"] not in {None, code}:
            raise Refusal("currency_mismatch", f"This payment was received in {code}.", param="/currency")
        number = left if body["amount"] is None else asked(body["amount"], code)
        if number > left:
            raise Refusal("amount_too_large", "That is more than is left to refund.", param="/amount")
        if is_card and body["destination"] is not None:
            raise Refusal("parameter_invalid", "A card payment goes back to its card alone.", param="/destination")
        more = {name: body[name] for name in ("reason", "metadata", "destination")}
        refund = self._draft(payment, source, number, **more)
        self._tell("refund.created", refund)
        self._refresh(payment, has_moved=True)
        if is_card:
            outcome = self.refund_outcome
            self._move_refund(refund, outcome, "provider_declined" if outcome == "failed" else None)
            self._refresh(payment, has_moved=outcome != "pending")
        return CREATED, refund

    def _source(self, payment: Wire, body: Wire) -> tuple[Wire, int]:
        """Return what was named, else what has most left, of this currency if some came in it."""
        sources = [one for one in (*payment["charges"], *payment["transfers"]) if received(one)]
        found = [(one, self._left(one)) for one in sources if body["source"] in {None, one["id"]}]
        if body["source"] is not None and not found:
            raise Refusal("parameter_invalid", "This is no receipt of the payment.", param="/source")
        found = [one for one in found if one[0]["currency"] == body["currency"]] or found
        if not any(left for _, left in found):
            detail = "Nothing of this payment is left that could be refunded now."
            raise Refusal("nothing_to_refund", detail, status=CONFLICT, about=payment["id"])
        return max(found, key=lambda one: one[1])

    def _cancel_refund(self, refund_id: str, sent: Wire) -> Call:
        taken(sent, {})
        refund = self._own("re", refund_id)
        if refund["status"] != "requires_action":
            detail = "Only a refund that still waits can be called off."
            raise Refusal("refund_not_cancelable", detail, status=CONFLICT, about=refund_id)
        self._move_refund(refund, "canceled")
        self._refresh(self._own("pay", refund["payment"]), has_moved=True)
        return OK, refund

    def _create_customer(self, _: str, sent: Wire) -> Call:
        return CREATED, self._made("cus", "Customer", **taken(sent, _PERSON))

    def _update_customer(self, customer_id: str, sent: Wire) -> Call:
        body, customer = taken(sent, _PERSON), self._own("cus", customer_id)
        customer |= {name: body[name] for name in sent} | {"updated_at": self._stamp()}
        return OK, customer

    def _delete(self, prefix: str, name: str) -> Callable[[str, Wire], Call]:
        def delete(object_id: str, _: Wire) -> Call:
            self._own(prefix, object_id)
            del self._objects[prefix][object_id]
            return OK, {"id": object_id, "object": name, "deleted": True}

        return delete

    def _list_events(self, _: str, sent: Wire) -> Call:
        asked_for = {"types": rules.text(1000), "after": rules.text(40)}
        query = page_query(sent, asked_for, "evt")
        types = query["types"] and set(query["types"].split(","))
        if types and not types <= set(event_types()):
            raise Refusal("parameter_invalid", "Send event types of the catalogue.", param="/types")
        after, start = query["after"], 0
        if after not in {None, "start"}:
            ids = [one.event.id for one in self._events]
            if after not in ids:
                raise Refusal("cursor_invalid", "Send the id of an event of yours, or start.", param="/after")
            start = ids.index(after) + 1
        found = [
            {"id": one.event.id, "body": one.body}
            for one in self._events[start:]
            if not types or one.event.type in types
        ]
        page = cut(found, query, "", is_reversed=after is not None)
        listed, more = b",".join(one["body"] for one in page["data"]), b"true" if page["has_more"] else b"false"
        return OK, b'{"data":[%b],"has_more":%b,"object":"list","url":"/v1/events"}' % (listed, more)

    def _event(self, event_id: str) -> SampleEvent:
        for one in self._events:
            if one.event.id == event_id:
                return one
        raise not_found()

    def _create_endpoint(self, _: str, sent: Wire) -> Call:
        body = taken(sent, _ENDPOINT)
        rules.check_endpoint_url(body["url"])
        if len(self._objects["we"]) >= MAX_ENDPOINTS:
            raise Refusal("endpoint_limit_reached", "Delete an endpoint first.", status=CONFLICT)
        return CREATED, {**self._made("we", "WebhookEndpoint", **body), "secret": self.webhook_secret}

    def _update_endpoint(self, endpoint_id: str, sent: Wire) -> Call:
        body, endpoint = taken(sent, _ENDPOINT_CHANGES), self._own("we", endpoint_id)
        if body["url"] is not None:
            rules.check_endpoint_url(body["url"])
        endpoint |= {name: body[name] for name in sent if body[name] is not None or name == "description"}
        reason = None if endpoint["status"] == "enabled" else "Disabled by the merchant."
        endpoint |= {"description": endpoint["description"] or None, "disabled_reason": reason}
        return OK, endpoint

    def _rotate(self, endpoint_id: str, sent: Wire) -> Call:
        taken(sent, {"grace_s": (rules.whole(0, 604_800), 86_400)})
        self.webhook_secret = "whsec_" + secrets.token_hex(24)
        return OK, {**self._own("we", endpoint_id), "secret": self.webhook_secret}

    def _resend(self, endpoint_id: str, sent: Wire) -> Call:
        event_id = taken(sent, {"event": (rules.object_id("evt"), REQUIRED)})["event"]
        self._enabled(endpoint_id)
        found = self._event(event_id)
        self._accepted.discard(event_id)
        return ACCEPTED, found.body

    def _enabled(self, endpoint_id: str) -> Wire:
        endpoint = self._own("we", endpoint_id)
        if endpoint["status"] != "enabled":
            raise Refusal("endpoint_disabled", "Enable the endpoint first.", status=CONFLICT, about=endpoint_id)
        return endpoint

    def _deliveries(self, endpoint_id: str, sent: Wire) -> Call:
        self._own("we", endpoint_id)
        return OK, cut([], page_query(sent, {}, "dlv"), f"/v1/webhook_endpoints/{endpoint_id}/deliveries")

    def _methods(self, _: str, sent: Wire) -> Call:
        taken(sent, {"currency": (rules.currency, None), "amount": (rules.amount, None)})
        card = {**_CARD, "network": "stripe:test", "available": True, "reason": None}
        return OK, {"object": "list", "data": [card], "has_more": False, "url": "/v1/methods"}

    def _account(self, _: str, __: Wire) -> Call:
        shown: Wire = {**_ACCOUNT, "origins": list(self._origins or ()), "receiving_addresses": []}
        return OK, {**shown, "brand_color": None, "logo_url": None, "late_policy": "accept", "tolerance_bps": 0}

    def _advance(self, _: str, sent: Wire) -> Call:
        seconds = taken(sent, {"seconds": (rules.whole(1, 31_622_400), REQUIRED)})["seconds"]
        now = rfc3339(self.advance(seconds))
        ahead_s = round(self._ahead.total_seconds())
        return OK, {"object": "test_clock", "now": now, "ahead_s": ahead_s, "also_advance": []}


def _session_fields(origins: Iterable[str] | None) -> Fields:
    url = rules.return_url(origins)
    return {
        "mode": (rules.one_of("payment", "subscription", "setup"), "payment"),
        "plan": (rules.object_id("plan"), rules.Where("subscription")),
        "currency": (rules.currency, rules.Where("payment", "setup")),
        "amount": (rules.amount, rules.Where("payment")),
        "reference": (rules.text(120), REQUIRED),
        "success_url": (url, REQUIRED),
        "cancel_url": (url, None),
        "customer": (rules.object_id("cus"), None),
        "customer_email": (rules.email, None),
        "customer_country": (rules.text(2, "[A-Z]{2}"), None),
        "locale": (rules.text(40, r"(en|de|ar)(-[A-Za-z0-9]{1,8}){0,4}"), None),
        "line_items": (rules.line_items, None),
        "methods": (rules.many(rules.one_of("card", "usdc"), 20), None),
        "expires_in": (rules.whole(300, 604_800), 1800),
        "capture_method": (rules.capture_method, "automatic"),
        "metadata": (rules.metadata, {}),
    }
