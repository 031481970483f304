"""The fake's memory of who pays again and again: plans, subscriptions with their bills, and saved cards."""

from __future__ import annotations

import calendar
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from streampay.errors import ConfigurationError
from streampay.models import CheckoutSession, Subscription
from streampay.testing import _rules as rules
from streampay.testing._events import rfc3339
from streampay.testing._gate import CREATED, OK, Call, Wire, not_found
from streampay.testing._rules import CONFLICT, REQUIRED, Fields, Refusal, atomic, figure, major, taken
from streampay.testing._state import Hidden, State, name_of, read

TRIAL_NOTICE = timedelta(days=3)
COLLECTED_AFTER = timedelta(hours=1)  # a bill stands open for an hour before it is charged
RETRIED_AFTER = (timedelta(days=3), timedelta(days=5), timedelta(days=7))
SHOWN_PERIODS = 12
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}
_MOST = {"day": 1095, "week": 156, "month": 36, "year": 3}  # three years
_LIVING = ("trialing", "active", "past_due")
_CARD = {"type": "card", "brand": "visa", "last4": "4242", "country": "US"}


@dataclass(slots=True)
class Bill:
    """A provider's bill of one period; `due_at` is when it is tried next, None once nobody does."""

    shown: Wire
    due_at: datetime | None = None
    tries: int = 0


@dataclass(slots=True)
class Term:
    """What the wire does not show of a subscription; periods are counted from `anchor`, so that the 31st comes back."""

    plan: Wire
    payment: str  # of the session with which it began
    anchor: datetime
    ends: datetime  # of the period that runs
    begun: int = 0  # periods since the anchor
    bills: list[Bill] = field(default_factory=list)  # newest first
    is_card_good: bool = True
    is_held: bool = False
    is_noticed: bool = False


class Members(State):
    """Plans, subscriptions and saved cards, and what follows from them."""

    def __init__(self, api_key: str | None, requests_per_minute: int) -> None:
        super().__init__(api_key, requests_per_minute)
        self._terms: dict[str, Term] = {}
        self._at_bank: dict[str, str] = {}  # the provider's id of each customer whom it knows

    # --- what people do --------------------------------------------------------------------------------------------

    def subscribe(self, about: CheckoutSession | str) -> Subscription:
        """Let the shopper begin the subscription of a session by card; renewals come as time passes (`advance`).

        Raises:
            ConfigurationError: the session is over, or begins no subscription.
        """
        with self._lock:
            session = self._begun(about, "subscription")
            return read(Subscription, self._joined(session, self._objects["plan"][session["plan"]]))

    def save_card(self, about: CheckoutSession | str) -> CheckoutSession:
        """Let the shopper save a card on the page of a session of mode `setup`.

        Raises:
            ConfigurationError: the session is over, or saves no card.
        """
        with self._lock:
            session = self._begun(about, "setup")
            instrument = {"reference": f"pm_{secrets.token_hex(12)}", "instrument": dict(_CARD)}
            known = {"network": "stripe:test", "customer_reference": self._customer_at_bank(session)}
            session["saved_method"] = {**known, **instrument}
            self._turn(session, "complete", self._place(session))
            return read(CheckoutSession, session)

    def break_card(self, subscription: Subscription | str) -> None:
        """Let the bank refuse the card at every renewal from now on, until `mend_card`."""
        with self._lock:
            self._term(subscription).is_card_good = False

    def mend_card(self, subscription: Subscription | str) -> None:
        """Let the customer leave a good card on the provider's page; what is owed is tried again in its time."""
        with self._lock:
            self._term(subscription).is_card_good = True

    def _term(self, subscription: Subscription | str) -> Term:
        found = self._terms.get(name_of(subscription))
        if found is None:
            raise ConfigurationError(f"this gateway has no subscription {name_of(subscription)!r}", code="not_found")
        return found

    def _begun(self, about: CheckoutSession | str, mode: str) -> Wire:
        session = self._objects["cs"].get(name_of(about))
        if session is None or session["mode"] != mode:
            raise ConfigurationError(f"this is no session of mode {mode}", code="not_found")
        if session["status"] != "open":
            raise ConfigurationError("the session is over: nobody can do anything on its page", code="session_not_open")
        return session

    def _place(self, session: Wire) -> tuple[object, ...]:
        return next((place for place, one in self._open.items() if one is session), ())

    def _customer_at_bank(self, session: Wire) -> str:
        """Return the provider's id of a session's customer, who is made if the session names none."""
        if session["customer"] is None:
            made = self._made("cus", "Customer", email=session["customer_email"])
            session["customer"] = made["id"]
        return self._at_bank.setdefault(session["customer"], f"cus_{secrets.token_hex(7)}")

    # --- how a subscription goes on --------------------------------------------------------------------------------

    def _joined(self, session: Wire, plan: Wire) -> Wire:
        """Begin a subscription: its first period is paid on the page, or free."""
        payment, now = self._objects["pay"][session["payment"]], self.now
        self._customer_at_bank(session)
        trial_ends = now + timedelta(days=plan["trial_days"]) if plan["trial_days"] else None
        term = Term(plan=plan, payment=payment["id"], anchor=trial_ends or now, ends=trial_ends or now)
        terms = {name: plan[name] for name in ("amount", "currency")} | {"plan": plan["id"]}
        about = {name: session[name] for name in ("customer", "metadata")} | {"session": session["id"]}
        times = {"trial_ends_at": trial_ends and rfc3339(trial_ends), "period_start": rfc3339(now)}
        subscription = self._made("sub", "Subscription", **terms, **about, **times)
        self._terms[subscription["id"]], session["subscription"] = term, subscription["id"]
        page = self._on_page(payment, "open")["attempts"][-1]
        page["stage"] = "complete"
        self._hidden[payment["id"]].has_begun = True
        self._open_bill(subscription, term, now, is_free=trial_ends is not None)
        first = term.bills[0]
        first.due_at, first.shown["status"] = None, "paid"
        if trial_ends is None:
            first.shown["payment"] = payment["id"]
            self._take(self._charged(payment, page), now)
        self._refresh(payment, has_moved=True)
        self._look(subscription, None)
        return subscription

    def _open_bill(self, subscription: Wire, term: Term, at: datetime, *, is_free: bool = False) -> None:
        """Begin a period with its bill."""
        if not is_free:
            term.begun += 1
            term.ends = _moved(term.anchor, term.plan, term.begun)
        code = term.plan["currency"]
        shown: Wire = {
            "starts_at": rfc3339(at),
            "ends_at": rfc3339(term.ends),
            "status": "void" if term.is_held else "open",
            "amount": major(0, code) if is_free else term.plan["amount"],
            "currency": code,
            "payment": None,
            "next_attempt_at": None,
            "provider_reference": f"in_{secrets.token_hex(12)}",
        }
        term.bills.insert(0, Bill(shown, None if term.is_held else at + COLLECTED_AFTER))
        subscription |= {"period_start": shown["starts_at"], "period_end": shown["ends_at"]}

    def _before(self) -> None:
        super()._before()
        for subscription in self._objects["sub"].values():
            if subscription["status"] != "canceled":
                self._collect(subscription)

    def _collect(self, subscription: Wire) -> None:
        """Let the provider do what has become due, in order of time, and tell once what came of it."""
        term, before, now = self._terms[subscription["id"]], dict(subscription), self.now
        known: list[Wire] = []
        new: list[Wire] = []
        while subscription["ended_at"] is None:
            bill = min((one for one in term.bills if one.due_at), key=lambda one: one.due_at or now, default=None)
            if bill is not None and bill.due_at is not None and bill.due_at <= min(now, term.ends):
                (known if bill.shown["payment"] else new).append(self._try(subscription, term, bill, bill.due_at))
            elif term.ends > now:
                break
            elif subscription["cancels_at"] is not None:
                known += self._end(subscription, term, term.ends)
            else:
                self._open_bill(subscription, term, term.ends)
        self._tell_of(subscription, before, known, new)

    def _tell_of(self, subscription: Wire, before: Wire, known: list[Wire], new: list[Wire]) -> None:
        for payment in known:
            self._refresh(payment)
        self._look(subscription, before)
        for payment in new:
            self._refresh(payment)

    def _try(self, subscription: Wire, term: Term, bill: Bill, at: datetime) -> Wire:
        """Charge a bill; return its payment."""
        if bill.shown["payment"] is None:
            payment = self._owed(term)
            bill.shown["payment"] = payment["id"]
            self._charged(payment, self._attempt(payment, payment["amount"], payment["currency"], stage="complete"))
        payment = self._objects["pay"][bill.shown["payment"]]
        charge, bill.tries = payment["charges"][-1], bill.tries + 1
        if term.is_card_good:
            self._take(charge, at)
            bill.due_at = None
            bill.shown |= {"status": "paid", "next_attempt_at": None}
            return payment
        charge["failure_code"] = "generic_decline"
        self._set_charge(charge, "failed", 0, 0)
        if bill.tries > len(RETRIED_AFTER):
            self._end(subscription, term, at)
        else:
            bill.due_at = at + RETRIED_AFTER[bill.tries - 1]
            bill.shown |= {"status": "failed", "next_attempt_at": rfc3339(bill.due_at)}
        return payment

    def _take(self, charge: Wire, at: datetime) -> None:
        charge |= {"failure_code": None, "authorized_at": rfc3339(at)}
        self._set_charge(charge, "succeeded", figure(charge["amount"]), 0)

    def _owed(self, term: Term) -> Wire:
        """Return the payment of a period: the session's own for the first with money, else a new one."""
        if all(one.shown["payment"] != term.payment for one in term.bills):
            return self._objects["pay"][term.payment]
        first = self._hidden[term.payment].session
        like = {name: value for name, value in first.items() if name not in {"id", "created_at"}}
        like |= {"url": f"http://fake.example/c/{secrets.token_urlsafe(32)}", "payment_status": "open"}
        like |= {"completed_at": self._stamp(), "expires_at": self._stamp(86_400)}
        session = self._made("cs", "CheckoutSession", **like)
        made = self._due(session, kind="recurring")
        self._hidden[made["id"]] = Hidden(session, (), has_begun=True)
        return made

    def _due(self, session: Wire, *, kind: str) -> Wire:
        """Return a new payment of a session."""
        code = session["currency"]
        zero = dict.fromkeys(("amount_received", "amount_capturable", "amount_refunded", "gift_amount"), major(0, code))
        shared = {name: session[name] for name in ("amount", "currency", "reference", "metadata", "expires_at")}
        payment = self._made("pay", "Payment", **shared, **zero, kind=kind, attempts=[], charges=[], version=1)
        payment["session"], session["payment"] = session["id"], payment["id"]
        return payment

    def _end(self, subscription: Wire, term: Term, at: datetime) -> list[Wire]:
        """End a subscription: nobody goes on collecting; return its own payment if nothing was ever charged."""
        for bill in term.bills:
            bill.due_at = None
            if bill.shown["status"] == "failed":
                bill.shown |= {"status": "open", "next_attempt_at": None}
        subscription |= {"ended_at": rfc3339(at), "canceled_at": subscription["canceled_at"] or rfc3339(at)}
        if any(one.shown["payment"] == term.payment for one in term.bills):
            return []
        self._hidden[term.payment].is_canceled = True
        return [self._objects["pay"][term.payment]]

    def _look(self, subscription: Wire, before: Wire | None) -> None:
        """Derive a subscription from its facts, and tell what is news."""
        term = self._terms[subscription["id"]]
        trial_ends = subscription["trial_ends_at"]
        subscription["periods"] = [dict(one.shown) for one in term.bills[:SHOWN_PERIODS]]
        subscription |= _derived(subscription, term, self._stamp())
        kinds = ["created"] if before is None else list(_news(before, subscription))
        is_near = subscription["status"] == "trialing" and self._stamp(TRIAL_NOTICE.total_seconds()) >= trial_ends
        if is_near and not term.is_noticed:
            term.is_noticed = True
            kinds.append("trial_will_end")
        if kinds:
            subscription["updated_at"] = self._stamp()
        was = None if before is None else before["status"]
        previous = {} if was in {None, subscription["status"]} else {"status": was}
        for kind in kinds:
            is_first = subscription["id"] not in self._sequences
            self._tell(f"subscription.{kind}", subscription, None if is_first else previous)

    # --- what a shop asks for --------------------------------------------------------------------------------------

    def _member_verbs(self, return_url: rules.Check) -> Iterator[tuple[str, tuple[str, Callable[[str, Wire], Call]]]]:
        portal: Fields = {"return_url": (return_url, REQUIRED)}
        yield "POST /v1/plans", ("", self._create_plan)
        yield "POST /v1/plans/{id}/archive", ("plan", self._archive)
        yield "POST /v1/subscriptions/{id}/pause", ("sub", self._pause)
        yield "POST /v1/subscriptions/{id}/resume", ("sub", self._resume)
        yield "POST /v1/subscriptions/{id}/cancel", ("sub", self._cancel_subscription)
        yield "DELETE /v1/customers/{id}", ("cus", self._delete_customer)
        yield "POST /v1/customers/{id}/portal_session", ("cus", lambda found, sent: self._portal(found, sent, portal))

    def _create_plan(self, _: str, sent: Wire) -> Call:
        body = taken(sent, _PLAN)
        code = body["currency"]
        body["amount"] = major(atomic(body["amount"], code), code)
        return CREATED, self._made("plan", "Plan", **body, is_active=True)

    def _archive(self, plan_id: str, sent: Wire) -> Call:
        taken(sent, {})
        plan = self._own("plan", plan_id)
        plan["is_active"] = False
        return OK, plan

    def _offered(self, plan_id: str) -> Wire:
        """Return a plan to which one may subscribe."""
        plan = self._own("plan", plan_id)
        if not plan["is_active"]:
            detail = "Nobody can subscribe to this plan any more."
            raise Refusal("plan_archived", detail, status=CONFLICT, about=plan_id)
        return plan

    def _pause(self, subscription_id: str, sent: Wire) -> Call:
        taken(sent, {})
        subscription = self._own("sub", subscription_id)
        if subscription["status"] != "paused":
            before = self._going_on(subscription)
            self._terms[subscription_id].is_held = True
            self._look(subscription, before)
        return OK, subscription

    def _resume(self, subscription_id: str, sent: Wire) -> Call:
        taken(sent, {})
        subscription = self._own("sub", subscription_id)
        if subscription["status"] in {"paused", "canceled"} or subscription["cancels_at"] is not None:
            before = self._going_on(subscription)
            self._terms[subscription_id].is_held = False
            subscription |= {"cancels_at": None, "canceled_at": None}
            self._look(subscription, before)
        return OK, subscription

    def _cancel_subscription(self, subscription_id: str, sent: Wire) -> Call:
        at_period_end = taken(sent, {"at_period_end": (rules.flag, True)})["at_period_end"]
        subscription, before = self._own("sub", subscription_id), dict(self._own("sub", subscription_id))
        if subscription["status"] == "canceled" or (at_period_end and subscription["cancels_at"] is not None):
            return OK, subscription
        released: list[Wire] = []
        if at_period_end:
            subscription |= {"cancels_at": subscription["period_end"], "canceled_at": self._stamp()}
        else:
            released = self._end(subscription, self._terms[subscription_id], self.now)
        self._tell_of(subscription, before, released, [])
        return OK, subscription

    def _going_on(self, subscription: Wire) -> Wire:
        """Return how a subscription stands that has not ended."""
        if subscription["status"] == "canceled":
            detail = "This subscription has ended. Open a new session to begin another one."
            raise Refusal("subscription_ended", detail, status=CONFLICT, about=subscription["id"])
        return dict(subscription)

    def _delete_customer(self, customer_id: str, _: Wire) -> Call:
        self._own("cus", customer_id)
        if any(one["status"] != "canceled" for one in self._of("sub", "customer", customer_id)):
            detail = "This customer has a subscription that has not ended. Cancel it first."
            raise Refusal("customer_in_use", detail, status=CONFLICT, about=customer_id)
        del self._objects["cus"][customer_id]
        self._at_bank.pop(customer_id, None)
        for session in self._of("cs", "customer", customer_id):
            session |= {"customer_email": None, "saved_method": None}
        return OK, {"id": customer_id, "object": "customer", "deleted": True}

    def _portal(self, customer_id: str, sent: Wire, fields: Fields) -> Call:
        taken(sent, fields)
        self._own("cus", customer_id)
        if customer_id not in self._at_bank:
            raise not_found()
        return CREATED, {"object": "portal_session", "url": f"http://fake.example/p/{secrets.token_urlsafe(16)}"}


def _moved(anchor: datetime, plan: Wire, periods: int) -> datetime:
    """Return the moment that many periods after an anchor, by the calendar."""
    count = periods * plan["interval_count"]
    if plan["interval"] in _DAYS:
        return anchor + timedelta(days=count * _DAYS[plan["interval"]])
    months = anchor.month - 1 + count * _MONTHS[plan["interval"]]
    year, month = anchor.year + months // 12, months % 12 + 1
    return anchor.replace(year=year, month=month, day=min(anchor.day, calendar.monthrange(year, month)[1]))


def _derived(subscription: Wire, term: Term, now: str) -> Wire:
    """Return what follows from the facts; a paid bill is the truth for its period."""
    ended_at, trial_ends_at = subscription["ended_at"], subscription["trial_ends_at"]
    words = {
        "canceled": ended_at is not None,
        "paused": term.is_held,
        "past_due": any(one.shown["status"] == "failed" for one in term.bills),
        "trialing": trial_ends_at is not None and trial_ends_at > now,
    }
    status = next((word for word, fits in words.items() if fits), "active")
    paid_until = max((one.shown["ends_at"] for one in term.bills if one.shown["status"] == "paid"), default=None)
    ends_at = ended_at or subscription["cancels_at"]
    access_until = paid_until
    if paid_until is not None and ends_at is not None:
        access_until = min(paid_until, ends_at)
    elif paid_until is not None and status in _LIVING:
        served = datetime.fromisoformat(paid_until[:-1] + "+00:00") + timedelta(days=term.plan["grace_days"])
        access_until = rfc3339(served)
    cancels_at = None if status == "canceled" else subscription["cancels_at"]
    return {"status": status, "paid_until": paid_until, "access_until": access_until, "cancels_at": cancels_at}


def _news(before: Wire, after: Wire) -> Iterator[str]:
    """Yield which events a change of a subscription is worth, in order."""
    was, now = before["status"], after["status"]
    if after["paid_until"] is not None and after["paid_until"] > (before["paid_until"] or ""):
        yield "renewed"
    if was == "paused" and now in _LIVING:
        yield "resumed"
    if was != now and now in {"past_due", "paused", "canceled"}:
        yield now
    elif was in _LIVING and before["cancels_at"] != after["cancels_at"]:
        yield "updated"


def _count(value: object, found: rules.Found) -> object:
    number = rules.whole(1, _MOST["day"])(value, found)
    most = _MOST.get(found.get("interval", "day"), _MOST["day"])
    if number > most:
        raise rules.refuse(f"Send at most {most}: three years.")
    return number


_PLAN: Fields = {
    "name": (rules.text(120), REQUIRED),
    "currency": (rules.currency, REQUIRED),
    "amount": (rules.amount, REQUIRED),
    "interval": (rules.one_of(*_MOST), REQUIRED),
    "interval_count": (_count, 1),
    "trial_days": (rules.whole(0, 730), 0),
    "grace_days": (rules.whole(0, 60), 3),
    "metadata": (rules.metadata, {}),
}
