"""What people do with subscriptions, on the stage of the card shop."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import func, select

from gateway.domain.subscriptions import Interval, SubscriptionStatus
from gateway.domain.words import PaymentStatus, SessionMode
from gateway.engine.idempotency import Reply
from gateway.engine.plans import NewPlan
from gateway.engine.records import PaymentRecord, SessionRecord, load_payment
from gateway.engine.recurring import PeriodRecord, SubscriptionRecord, load_periods
from gateway.engine.sessions import NewSession
from gateway.kernel.money import parse_money
from gateway.ledger.proof import verify
from gateway.storage import schema
from sandbox.test_bank.portal_desk import PortalDesk
from tests.cards.stage import GOOD, CardShop, field

FAILS_LATER = "4000000000000341"  # attaches, and is declined whenever it is charged again


class Club:
    """A shop whose customers pay every month."""

    def __init__(self, shop: CardShop) -> None:
        self.shop = shop
        self.engine = shop.engine
        self.verbs = shop.engine.subscriptions

    def plan(self, amount: str = "10.00", *, trial_days: int = 0, grace_days: int = 3, **more: Any) -> str:
        new = NewPlan(
            name="Tea club", amount=parse_money(amount, "USD"), interval=more.pop("interval", Interval.MONTH),
            trial_days=trial_days, grace_days=grace_days, **more,
        )  # fmt: skip
        return str(field(self.engine.plans.create(self.shop.intent(), new), "id"))

    def open(self, plan_id: str, *, customer_id: str | None = None, reference: str = "club-1") -> SessionRecord:
        plan = self.engine.plans.offered(self.shop.owner, plan_id)
        new = NewSession(
            amount=plan.amount, reference=reference, success_url="https://shop.example/ok", cancel_url=None,
            customer_email="jo@example.com", locale=None,
            line_items=[{"name": plan.name, "quantity": 1, "amount": plan.amount.major}], methods=None,
            expires_in=timedelta(hours=1), metadata={"member": "7"}, mode=SessionMode.SUBSCRIPTION, plan_id=plan.id,
            customer_id=customer_id,
        )  # fmt: skip
        return self.shop.reload(field(self.engine.sessions.create(self.shop.intent(), new), "url").rsplit("/", 1)[1])

    def join(self, number: str = GOOD, **terms: Any) -> SubscriptionRecord:
        """Open a session for a new plan, pay on the bank's page, and come back."""
        session = self.open(self.plan(**terms))
        self.shop.pay_at_bank(self.shop.start(session), number)
        self.engine.checkout.returned(session.token)
        self.engine.sweep()
        return self.newest()

    def newest(self) -> SubscriptionRecord:
        table = schema.subscription
        query = select(table).where(table.c.merchant_id == self.shop.owner.merchant_id).order_by(table.c.id.desc())
        row = self.shop.db.read(lambda tx: tx.execute(query.limit(1)).mappings().one())
        return SubscriptionRecord.of(row)

    def periods(self, subscription: SubscriptionRecord) -> list[PeriodRecord]:
        """Return its periods, oldest first."""
        return self.shop.db.read(lambda tx: load_periods(tx, subscription.id))[::-1]

    def payments(self, subscription: SubscriptionRecord) -> list[PaymentRecord]:
        """Return the payments of its periods, oldest first."""
        named = [one.payment_id for one in self.periods(subscription) if one.payment_id is not None]
        return self.shop.db.read(lambda tx: [load_payment(tx, each) for each in named])

    def months(self, count: int, *, deliver: bool = True) -> None:
        """Let months pass; webhooks come once a month, or only the sweep looks."""
        self.days(*[31] * count, deliver=deliver)

    def days(self, *steps: float, deliver: bool = True) -> None:
        """Let days pass in steps; after each, webhooks come, or only the sweep looks."""
        for step in steps:
            self.shop.pass_time(timedelta(days=step))
            if deliver:
                self.shop.catch_up()
            self.engine.sweep()

    def status(self) -> SubscriptionStatus:
        return self.newest().status

    def events(self) -> list[str]:
        """Return the types of the newest subscription's events, without what stands before the point."""
        return [one.removeprefix("subscription.") for one in self.shop.events("subscription")]

    def payments_in_all(self) -> int:
        table = schema.payment
        query = select(func.count()).where(table.c.merchant_id == self.shop.owner.merchant_id)
        return int(self.shop.db.read(lambda tx: tx.scalar(query)) or 0)

    def cancel(self, subscription: SubscriptionRecord, *, at_period_end: bool, key: str | None = None) -> Reply:
        return self.verbs.cancel(self.shop.intent(key), subscription.id, at_period_end=at_period_end)

    def mend_card(self, number: str = GOOD) -> None:
        """Follow the portal link, and leave another card there."""
        url = self.verbs.portal_url(self.shop.owner, self.newest().customer_id, "https://shop.example/club")
        desk = PortalDesk(self.shop.bank)
        portal = url.rsplit("/", 1)[1]
        desk.portal_update_card(portal, number=number, exp_month=12, exp_year=2039, cvc="123", name="Jo Doe")

    def charged(self, subscription: SubscriptionRecord) -> list[dict[str, Any]]:
        """Return the bank's successful charges of the customer."""
        charges = self.shop.bank.newest("charge", limit=10_000)
        theirs = [one for one in charges if one["customer"] == subscription.customer_reference]
        return [one for one in theirs if one["status"] == "succeeded"]

    def check(self) -> None:
        """Each period has one row and one payment and was charged once; the books hold what the bank took."""
        shop, subscription = self.shop, self.newest()
        assert not shop.db.snapshot(verify).problems
        periods = self.periods(subscription)
        named = [one.payment_id for one in periods if one.payment_id is not None]
        assert len(set(named)) == len(named)
        assert len({one.starts_at for one in periods}) == len(periods)
        for before, after in pairwise(periods):
            assert before.ends_at <= after.starts_at
        paid = [one for one in self.payments(subscription) if one.status is PaymentStatus.PAID]
        assert all(one.amount_received == one.amount for one in paid)
        taken = sum(one["amount"] for one in self.charged(subscription))
        returned = sum(one["amount_refunded"] for one in self.charged(subscription))
        assert -shop.posted("merchant:available") == taken - returned == sum(p.amount.atomic for p in paid) - returned
