"""A merchant who changes his rules changes them for the shoppers to come, not for those who have paid."""

from typing import Any

import pytest

from gateway.domain.merchants import MerchantSettings
from gateway.domain.words import LatePolicy, TransferStage
from gateway.storage.database import Database
from tests.engine.paper import Shop, lamports


@pytest.mark.parametrize(
    ("share_bps", "minutes", "stage", "changes"),
    [
        (9_900, 0, TransferStage.FINAL, {"tolerance_bps": 0}),
        (10_000, 40, TransferStage.FINAL, {"late_policy": LatePolicy.REFUND}),
        (10_000, 0, TransferStage.CONFIRMED, {"accept_confirmed_below": None}),
    ],
    ids=["tolerance", "late", "confirmed"],
)
def test_a_crumb_on_a_paid_order_does_not_undo_it_by_newer_rules(
    db: Database, share_bps: int, minutes: int, stage: TransferStage, changes: dict[str, Any]
) -> None:
    rules = MerchantSettings(tolerance_bps=100, accept_confirmed_below={"SOL": lamports("1")})
    shop = Shop(db, settings=rules)
    session = shop.session("10.00")
    attempt = shop.engine.attempts.choose(session, "sol")
    shop.pass_time(minutes=minutes)
    amount = attempt.due.atomic * share_bps // 10_000
    shop.engine.observations.observe([shop.observation(amount, attempt.reference_key, stage=stage)])
    assert shop.payment(session)["status"] == "paid"
    shop.engine.merchants.configure(shop.merchant.id, **changes)
    shop.engine.observations.observe([shop.observation(1, attempt.reference_key)])
    assert shop.payment(session)["status"] == "paid"
    assert "payment.reversed" not in shop.event_types()
    assert shop.engine.checkout.page(session.token).late_policy is LatePolicy.ACCEPT


def test_a_session_of_before_whose_shopper_comes_after_follows_the_new_rules(shop: Shop) -> None:
    session = shop.session("10.00")
    shop.engine.merchants.configure(shop.merchant.id, late_policy=LatePolicy.REFUND)
    attempt = shop.engine.attempts.choose(session, "sol")
    shop.pass_time(minutes=40)
    shop.engine.observations.observe([shop.observation(attempt.due.atomic, attempt.reference_key)])
    assert (shop.payment(session)["status"], shop.payment(session)["exceptions"]) == ("open", ["late"])
