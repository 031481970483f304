"""Nobody is billed or booked twice: racing readers, a crash around every commit, a period that is billed twice."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import stripe
from sqlalchemy import func, select, update

from gateway.domain.subscriptions import PeriodStatus, ProviderInvoice, ProviderSubscription, SubscriptionStatus
from gateway.domain.words import PaymentException, PaymentStatus
from gateway.engine.recurring import SubscriptionRecord, load_subscription
from gateway.kernel.errors import WorldError
from gateway.storage import schema
from tests.cards.stage import CardShop
from tests.cards.subscribers import Club

RACERS = 8


@pytest.fixture
def club(shop: CardShop) -> Iterator[Club]:
    """Return a shop with members; afterwards nobody looks after them, because their bank is closed."""
    yield Club(shop)
    table = schema.subscription
    shop.db.write(lambda tx: tx.execute(update(table).values(due_at=None)))


def rows_of(shop: CardShop) -> dict[str, int]:
    """Count what a merchant has."""
    tables = (schema.subscription, schema.subscription_period, schema.payment, schema.customer, schema.checkout_session)
    mine = {
        table.name: select(func.count()).select_from(table).where(table.c.merchant_id == shop.owner.merchant_id)
        for table in tables
    }
    return shop.db.read(lambda tx: {name: int(tx.scalar(query) or 0) for name, query in mine.items()})


def test_racing_readers_make_one_payment_of_one_bill(club: Club, shop: CardShop) -> None:
    session = club.open(club.plan())
    shop.pay_at_bank(shop.start(session))

    def look(_number: int) -> None:
        with suppress(WorldError):
            shop.engine.checkout.returned(session.token)
        shop.engine.billing.read_due()

    with ThreadPoolExecutor(RACERS) as pool:
        list(pool.map(look, range(RACERS)))
        shop.pass_time(timedelta(days=31))
        list(pool.map(look, range(RACERS)))
    shop.engine.sweep()
    member = club.newest()
    assert member.status is SubscriptionStatus.ACTIVE
    assert [one.status for one in club.payments(member)] == [PaymentStatus.PAID] * 2
    assert rows_of(shop) == {
        "subscription": 1, "subscription_period": 2, "payment": 2, "customer": 1, "checkout_session": 2,
    }  # fmt: skip
    assert club.events() == ["created", "renewed"]
    club.check()


class Dying:
    """Lets the process die around its n-th commit: just before it, or just after."""

    def __init__(self, write: Callable[..., Any], *, nth: int, is_after: bool) -> None:
        self._write = write
        self._left = nth
        self._is_after = is_after
        self.has_died = False

    def __call__(self, verb: Callable[..., Any]) -> Any:
        """Write, or die."""
        self._left -= 1
        if self._left or self.has_died:
            return self._write(verb)
        self.has_died = True
        if self._is_after:
            self._write(verb)
        raise SystemExit


@pytest.mark.parametrize("is_after", [False, True], ids=["before the commit", "after the commit"])
def test_a_crash_around_any_commit_ends_in_the_same_truth(
    club: Club,
    shop: CardShop,
    monkeypatch: pytest.MonkeyPatch,
    is_after: bool,  # noqa: FBT001 - a test's parameter
) -> None:
    session = club.open(club.plan())
    shop.pay_at_bank(shop.start(session))
    deaths = 0
    for months in range(3):
        shop.pass_time(timedelta(days=31 if months else 0))
        news = shop.post_from_bank()
        for nth in range(1, 10):
            dying = Dying(shop.db.write, nth=nth, is_after=is_after)
            with monkeypatch.context() as patched, suppress(SystemExit):
                patched.setattr(type(shop.db), "write", lambda _db, verb, dying=dying: dying(verb))
                shop.deliver(news)
                shop.engine.sweep()
            deaths += dying.has_died
        shop.deliver(news)
        shop.engine.sweep()
    member = club.newest()
    assert deaths > 9, "somebody must have died, or nothing was shown"
    assert [one.status for one in club.payments(member)] == [PaymentStatus.PAID] * 3
    assert rows_of(shop)["payment"] == 3
    assert club.events() == ["created", "renewed", "renewed"]
    club.check()


def test_a_period_that_is_billed_twice_is_one_payment_with_the_excess_in_suspense(club: Club, shop: CardShop) -> None:
    member = club.join()
    (period,) = club.periods(member)
    second = _charged_again(shop, member)
    bill = ProviderInvoice(
        reference="in_again", status=PeriodStatus.PAID, amount=period.amount, period_start=period.starts_at,
        period_end=period.ends_at, charges=(second,), is_first=False, next_attempt_at=None,
        created_at=shop.clock.now(),
    )  # fmt: skip
    renewals = shop.engine.billing._renewals
    for _ in range(2):
        (attempt_id,) = shop.db.write(lambda tx: renewals.take(tx, load_subscription(tx, member.id), bill))
        shop.engine.reading.read(attempt_id)
    (payment,) = club.payments(member)
    assert rows_of(shop)["payment"] == rows_of(shop)["subscription_period"] == 1
    assert set(payment.exceptions) == {PaymentException.DOUBLE_PAYMENT, PaymentException.OVERPAID}
    assert (shop.posted("merchant:available"), shop.posted("suspense:psp")) == (-1000, -1000)


def _charged_again(shop: CardShop, member: SubscriptionRecord) -> str:
    """Charge the customer's card once more, as a provider that bills twice would; return the payment intent."""
    client = stripe.StripeClient("sk_test_stage", base_addresses={"api": shop.bank_url})
    found = client.v1.subscriptions.retrieve(member.reference)
    intent = client.v1.payment_intents.create(
        {
            "amount": 1000,
            "currency": "usd",
            "customer": member.customer_reference,
            "payment_method": str(found.default_payment_method),
            "off_session": True,
            "confirm": True,
        }
    )
    assert intent.status == "succeeded"
    return intent.id


def during_a_read(shop: CardShop, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    """Let something happen once, after the provider has answered a read and before that is stored."""
    room = shop.engine.core.subscribing["stripe"]
    retrieve, pending = room.retrieve, [happens]

    def slowly(*asked: Any, **more: Any) -> ProviderSubscription:
        found = retrieve(*asked, **more)
        if pending:
            pending.pop()()
        return found

    monkeypatch.setattr(room, "retrieve", slowly)


def test_an_older_read_never_overwrites_a_newer_one(
    club: Club, shop: CardShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = club.join()

    def ends_meanwhile() -> None:
        stripe.StripeClient("sk_test_stage", base_addresses={"api": shop.bank_url}).v1.subscriptions.cancel(
            member.reference
        )
        shop.engine.billing.read(member.id)

    during_a_read(shop, monkeypatch, ends_meanwhile)
    shop.engine.billing.read(member.id)
    assert club.status() is SubscriptionStatus.CANCELED
    assert club.events() == ["created", "canceled"]


def test_a_hint_that_comes_during_a_read_is_not_lost(
    club: Club, shop: CardShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = club.join()
    during_a_read(shop, monkeypatch, lambda: _said(shop.engine.billing.hint(member.network, [member.reference])))
    shop.engine.billing.read(member.id)
    due_at = club.newest().due_at
    assert due_at is not None
    assert due_at <= shop.clock.now()


def _said(known: object) -> None:
    assert known, "the hint names a subscription"
