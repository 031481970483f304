"""Facts at their edges: bad ones among good ones, guesses, hands, deadlines."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gateway.domain.merchants import MerchantSettings
from gateway.domain.words import LatePolicy, TransferStage
from gateway.engine import expiry
from gateway.engine.paging import PageRequest
from gateway.kernel.errors import ConflictError
from gateway.storage import schema
from gateway.storage.database import Database
from tests.engine.paper import NETWORK, START, Shop
from tests.engine.world import World


def test_one_bad_fact_does_not_hold_back_the_money_of_others_and_is_not_swallowed(shop: Shop) -> None:
    sessions = [shop.session(), shop.session()]
    attempts = [shop.engine.attempts.choose(session, "sol") for session in sessions]
    good = [shop.observation(one.due.atomic, one.reference_key) for one in attempts]
    bad = replace(shop.observation(5), raw=None)  # type: ignore[arg-type]  # what a broken reader might give
    with pytest.raises((DBAPIError, SQLAlchemyError)):
        shop.engine.observations.observe([good[0], bad, good[1]])
    assert [shop.payment(session)["status"] for session in sessions] == ["paid", "paid"]


def test_what_staff_match_again_keeps_the_rate_at_which_it_was_sent(db: Database) -> None:
    shop = Shop(db, settings=MerchantSettings(late_policy=LatePolicy.REFUND))
    session = shop.session("10.00")
    first = shop.engine.attempts.choose(session, "sol")
    shop.engine.sessions.extend(session)
    shop.clock.advance(timedelta(minutes=44))
    shop.rates.prices["SOL", "USD"] = (100, 1)
    shop.clock.advance(timedelta(minutes=5))
    shop.engine.observations.observe([shop.observation(first.due.atomic, first.reference_key)])
    assert shop.payment(session)["exceptions"] == ["late"]
    # A second, dearer attempt of the same payment; it must not reprice money that was sent for the first.
    values = shop.db.read(
        lambda tx: dict(tx.execute(select(schema.attempt).where(schema.attempt.c.id == first.id)).mappings().one())
    )
    values |= {"id": shop.ids.new("att"), "reference_key": shop.processor.new_reference(), "pay_amount": 10**12}
    shop.db.write(lambda tx: tx.execute(insert(schema.attempt), values))
    transfer = shop.engine.payments.retrieve(shop.owner, session.payment_id)["transfers"][0]["id"]
    shop.engine.unmatched.match(shop.intent(), transfer, session.payment_id)
    payment = shop.payment(session)
    assert (payment["status"], payment["amount_received"]) == ("paid", "10.00")


def test_payments_of_a_network_that_is_not_read_do_not_fill_the_sweeps(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "SWEEP_LIMIT", 1)
    stuck, free = shop.session(), shop.session()
    shop.engine.attempts.choose(stuck, "sol")
    shop.engine.attempts.choose(free, "usdc")
    shop.clock.advance(timedelta(minutes=40))
    table = schema.watch
    is_read = table.c.account == f"{shop.wallet}-USDC"
    shop.db.write(lambda tx: tx.execute(table.update().where(is_read).values(scanned_until=shop.clock.now())))
    for _ in range(200):  # other tests' payments may stand before ours
        if not expiry.expire_due(shop.core):
            break
    assert [shop.payment(session)["status"] for session in (stuck, free)] == ["open", "expired"]


def test_a_window_does_not_close_on_money_that_came_while_the_sweep_was_running(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = shop.session()
    attempt = shop.engine.attempts.choose(session, "sol")
    shop.pass_time(minutes=40)
    seen = shop.observation(
        attempt.due.atomic, attempt.reference_key, stage=TransferStage.SEEN, occurred_at=START + timedelta(minutes=29)
    )
    close = expiry._close

    def money_first(core: object, payment_id: str, tx: object) -> bool:
        return close(core, payment_id, tx)  # type: ignore[arg-type]  # handed through

    shop.engine.observations.observe([seen])
    monkeypatch.setattr(expiry, "_close", money_first)
    assert shop.db.write(lambda tx: expiry._close(shop.core, session.payment_id, tx)) is False
    assert (shop.payment(session)["status"], shop.reload(session.token).status) == ("confirming", "open")
    assert "checkout.session.expired" not in shop.event_types()


def test_a_price_too_large_for_a_coin_is_shown_as_not_on_offer(shop: Shop) -> None:
    session = shop.session("9" * 60 + ".00")
    page = shop.engine.checkout.page(session.token)
    assert [(method.id, method.available) for method in page.methods] == [("sol", False), ("usdc", False)]
    assert all(method.reason for method in page.methods)


def test_an_unmatched_transfer_is_told_once_however_it_became_final(shop: Shop) -> None:
    world = World(shop.db, shop)
    for path in ([TransferStage.FINAL], [TransferStage.SEEN, TransferStage.CONFIRMED, TransferStage.FINAL]):
        landed = world.stray(7, path[0])
        for stage in path[1:]:
            world.move_on(landed, stage)
            world.repeat(landed)
    assert shop.event_types() == ["transfer.unmatched"] * 2
    world.check()


def test_matching_is_final_and_money_that_went_out_belongs_to_nobody(shop: Shop) -> None:
    world = World(shop.db, shop)
    one, other = world.open(), world.open("11.00")
    world.choose(one)
    world.choose(other)
    landed, out = world.stray(7), world.stray(-7)
    assert world.match(landed, one)
    assert not world.match(landed, other), "another payment has it"
    assert world.match(landed, one), "matching it again changes nothing"
    assert not world.match(out, one)
    world.check()


def test_a_transfer_cannot_be_matched_where_no_rate_was_ever_kept(shop: Shop) -> None:
    world = World(shop.db, shop)
    session = world.open()
    world.choose(session, "usdc")
    assert not world.match(world.stray(7), session)
    world.check()


def test_an_observation_of_an_account_that_is_not_ours_changes_nothing(shop: Shop) -> None:
    shop.engine.observations.observe([shop.observation(7, account="nobody's")])
    rows = select(func.count()).select_from(schema.chain_transfer).where(schema.chain_transfer.c.account == "nobody's")
    assert shop.db.read(lambda tx: tx.scalar(rows)) == 0


def test_the_explained_change_of_an_account_counts_final_money_fees_and_outflows(shop: Shop) -> None:
    world = World(shop.db, shop)
    world.stray(10**18 + 1)
    world.stray(5, TransferStage.CONFIRMED)
    shop.engine.observations.observe([shop.observation(-3, fee=2, parts=())])
    assert shop.engine.observations.explained(NETWORK, f"{shop.wallet}-SOL") == 10**18 + 1 - 3 - 2


def test_the_queue_pages_by_id_and_by_status(shop: Shop) -> None:
    world = World(shop.db, shop)
    session = world.open()
    world.choose(session)
    landed = [world.stray(amount) for amount in (1, 2, 3)]
    world.match(landed[0], session)
    page = shop.engine.unmatched.page(shop.owner, PageRequest(limit=1), status="unmatched")
    assert (len(page.data), page.has_more) == (1, True)
    rest = PageRequest(limit=1, starting_after=page.data[0]["id"])
    page = shop.engine.unmatched.page(shop.owner, rest, status="unmatched")
    assert (len(page.data), page.has_more) == (1, False)
    matched = shop.engine.unmatched.page(shop.owner, PageRequest(), status="matched")
    assert [one["payment"] for one in matched.data] == [session.payment_id]


def test_a_session_that_was_called_off_cannot_be_extended_or_chosen(shop: Shop) -> None:
    session = shop.session()
    shop.engine.checkout.cancel(session.token)
    for verb in (
        lambda: shop.engine.checkout.extend(session.token),
        lambda: shop.engine.attempts.choose(session, "sol"),
    ):
        with pytest.raises(ConflictError):
            verb()
