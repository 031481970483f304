"""Two worlds in which the same lives are lived: the real gateway with the Test Bank, and the fake one."""

import itertools
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

import streampay
from sandbox.test_bank.portal_desk import PortalDesk
from streampay import StreamPay, models
from streampay.testing import FakeStreamPay
from tests.cards.stage import DECLINED, DISPUTED, GOOD, REFUND_WAITS, CardShop
from tests.cards.subscribers import FAILS_LATER

_ID = re.compile(r"\b(cs|pay|att|ch|re|dsp|cus|plan|sub|po|we|evt|xfer|req)_[0-7][0-9a-hjkmnp-tv-z]{25}\b")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z")
_MASKED = {"url", "provider_reference", "last4", "request_id", "doc_url", "type_url", "secret", "customer_reference"}
_THEIRS = re.compile(r"\b(pi|pm|ch|py|txn|re|po)_(?![0-7][0-9a-hjkmnp-tv-z]{25}\b)\w+")


class World(Protocol):
    """A gateway, and what people do to it."""

    client: StreamPay

    def pay(self, session: models.CheckoutSession, *, refunds_wait: bool = False) -> None: ...

    def decline(self, session: models.CheckoutSession) -> None: ...

    def run_out(self, session: models.CheckoutSession) -> None: ...

    def refund_elsewhere(self, session: models.CheckoutSession, amount: str) -> None: ...

    def dispute(self, session: models.CheckoutSession) -> None: ...

    def subscribe(self, session: models.CheckoutSession, *, fails_later: bool = False) -> None: ...

    def mend_card(self, subscription: models.Subscription) -> None: ...

    def save_card(self, session: models.CheckoutSession) -> None: ...

    def pass_days(self, *steps: float) -> None: ...

    def pay_out(self) -> None: ...


class Real:
    """The real gateway with the Test Bank."""

    def __init__(self, cards: CardShop, client: StreamPay) -> None:
        self.cards, self.client, self.pages = cards, client, dict[str, str]()

    def pay(self, session: models.CheckoutSession, *, refunds_wait: bool = False) -> None:
        self._with_card(session, REFUND_WAITS if refunds_wait else GOOD)

    def decline(self, session: models.CheckoutSession) -> None:
        self._with_card(session, DECLINED)

    def run_out(self, session: models.CheckoutSession) -> None:
        self.cards.pass_time(timedelta(seconds=1 + (session.expires_at - session.created_at).total_seconds() + 60))
        self.cards.engine.sweep()
        self.cards.engine.sweep()

    def refund_elsewhere(self, session: models.CheckoutSession, amount: str) -> None:
        (charge,) = self.client.payments.retrieve(str(session.payment)).charges
        self.cards.refund_at_bank(charge.reference, int(amount.replace(".", "")))
        self.cards.catch_up()

    def dispute(self, session: models.CheckoutSession) -> None:
        self._with_card(session, DISPUTED)

    def subscribe(self, session: models.CheckoutSession, *, fails_later: bool = False) -> None:
        self._with_card(session, FAILS_LATER if fails_later else GOOD)
        self.pass_days(0)

    def mend_card(self, subscription: models.Subscription) -> None:
        portal = self.client.customers.create_portal_session(subscription.customer, return_url="http://localhost/club")
        card: dict[str, Any] = {"number": GOOD, "exp_month": 12, "exp_year": 2039, "cvc": "123", "name": "Jo Doe"}
        PortalDesk(self.cards.bank).portal_update_card(portal.url.rpartition("/")[2], **card)
        self.pass_days(0)

    def save_card(self, session: models.CheckoutSession) -> None:
        self._with_card(session, GOOD)

    def pass_days(self, *steps: float) -> None:
        for step in steps:
            self.cards.pass_time(timedelta(days=step))
            self.cards.catch_up()
            self.cards.engine.sweep()

    def pay_out(self) -> None:
        self.pass_days(9)
        self.cards.control("payouts")
        self.cards.catch_up()
        self.cards.engine.payouts.settle()

    def _with_card(self, session: models.CheckoutSession, number: str) -> None:
        record = self.cards.reload(session.url.rpartition("/")[2])
        page = self.pages.setdefault(session.id, "") or self.cards.start(record)
        self.pages[session.id] = page
        self.cards.pay_at_bank(page, number)
        self.cards.engine.checkout.returned(record.token)


class Played:
    """The fake."""

    def __init__(self) -> None:
        self.fake = FakeStreamPay()
        self.client = StreamPay("sk_test_contract", base_url="http://fake.example", transport=self.fake)

    def pay(self, session: models.CheckoutSession, *, refunds_wait: bool = False) -> None:
        self.fake.refund_outcome = "pending" if refunds_wait else "succeeded"
        self.fake.pay(session)

    def decline(self, session: models.CheckoutSession) -> None:
        self.fake.decline(session)

    def run_out(self, session: models.CheckoutSession) -> None:
        self.fake.advance(1 + (session.expires_at - session.created_at).total_seconds() + 60)

    def refund_elsewhere(self, session: models.CheckoutSession, amount: str) -> None:
        self.fake.refund_elsewhere(session, amount)

    def dispute(self, session: models.CheckoutSession) -> None:
        self.fake.pay(session)
        self.fake.dispute(session)

    def subscribe(self, session: models.CheckoutSession, *, fails_later: bool = False) -> None:
        subscription = self.fake.subscribe(session)
        if fails_later:
            self.fake.break_card(subscription)

    def mend_card(self, subscription: models.Subscription) -> None:
        self.fake.mend_card(subscription)

    def save_card(self, session: models.CheckoutSession) -> None:
        self.fake.save_card(session)

    def pass_days(self, *steps: float) -> None:
        for step in steps:
            self.fake.advance(timedelta(days=step).total_seconds())

    def pay_out(self) -> None:
        self.pass_days(9)
        self.fake.pay_out()


Life = Callable[["Teller"], None]


class Teller:
    """Writes down what a gateway answers."""

    def __init__(self, world: World) -> None:
        self.world, self.client, self.lines = world, world.client, list[Any]()
        self._names: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def open(self, reference: str, **over: Any) -> models.CheckoutSession:
        body: dict[str, Any] = {"amount": "12.30", "currency": "USD", "success_url": "http://localhost/thanks"}
        session = self.client.checkout.sessions.create(reference=reference, **{**body, **over})
        self.note(session)
        return session

    def begin(self, reference: str, **body: Any) -> models.CheckoutSession:
        """Open a session that is no order's."""
        session = self.client.checkout.sessions.create(
            reference=reference, success_url="http://localhost/thanks", **body
        )
        self.note(session)
        return session

    def note(self, what: models.Model) -> None:
        replayed = what.response is not None and (what.response.status, what.response.replayed)
        self.lines.append((replayed, self.plain(what.to_dict())))

    def ask(self, call: Callable[[], models.Model]) -> None:
        """Note an answer, or how it was refused."""
        try:
            self.note(call())
        except streampay.ApiError as error:
            fields = [(each.param, each.code) for each in error.errors]
            kind = type(error).__name__
            self.lines.append(
                (kind, error.status, error.code, error.param, fields, error.retryable, self.plain(error.object_id))
            )

    def payment(self, session: models.CheckoutSession) -> None:
        self.ask(lambda: self.client.payments.retrieve(str(session.payment)))
        self.ask(lambda: self.client.checkout.sessions.retrieve(session.id))

    def plain(self, value: Any) -> Any:
        """Return JSON with names for ids and no times."""
        if isinstance(value, dict):
            return {key: "…" if key in _MASKED and one else self.plain(one) for key, one in sorted(value.items())}
        if isinstance(value, list):
            return [self.plain(one) for one in value]
        if not isinstance(value, str):
            return value
        value = _THEIRS.sub(r"\1_…", value)
        return _INSTANT.sub("<instant>", _ID.sub(lambda found: self._name(found[0]), value))

    def _name(self, object_id: str) -> str:
        if object_id not in self._names:
            prefix = object_id.partition("_")[0]
            self._counts[prefix] = self._counts.get(prefix, 0) + 1
            self._names[object_id] = f"{prefix}{self._counts[prefix]}"
        return self._names[object_id]

    def events(self, *references: str) -> None:
        """Note the events of some orders, in order."""
        for event in reversed(list(self.client.events.list(limit=100))):
            about = event.data.object.to_dict()
            is_known = any(str(about.get(name)) in self._names for name in ("id", "payment"))
            if about.get("reference") in references or is_known:
                self.lines.append(self.plain({**event.to_dict(), "timestamp": ""}))


def assert_told_alike(real: Real, life: Life) -> None:
    """Live a life in both worlds and compare what was told, word for word except ids and times."""
    told, played = Teller(real), Teller(Played())
    life(told)
    life(played)
    for number, (expected, found) in enumerate(itertools.zip_longest(told.lines, played.lines)):
        assert found == expected, f"line {number} of {life.__name__}"
    assert told.lines
