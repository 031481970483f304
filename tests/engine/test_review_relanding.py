"""A signature that a fork drops may land again with another effect: the newest word holds until one is final."""

from dataclasses import replace

import pytest

from gateway.domain.chain import ChainObservation, ChainPart
from gateway.domain.words import TransferStage
from gateway.ledger.proof import verify
from tests.engine.paper import NETWORK, Shop

HOT = f"chain:{NETWORK}:hot"
S = TransferStage


def landed_again(first: ChainObservation, *amounts: int, stage: TransferStage = S.CONFIRMED) -> ChainObservation:
    """Return the same signature in a later slot, paying by other instructions."""
    parts = tuple(
        ChainPart(path=str(place), amount=amount, references=first.references) for place, amount in enumerate(amounts)
    )
    return replace(first, net=sum(amounts), parts=parts, stage=stage, slot=first.slot + 7)


def proven(shop: Shop) -> dict[tuple[str, str], tuple[str, str]]:
    """Return the books, after proof that they are whole."""
    assert shop.db.snapshot(verify).problems == ()
    return shop.books()


@pytest.mark.parametrize("is_drop_seen", [True, False])
def test_a_transfer_that_lands_again_with_another_amount_counts_at_the_new_one(
    shop: Shop, *, is_drop_seen: bool
) -> None:
    session = shop.session("10.00")
    attempt = shop.engine.attempts.choose(session, "sol")
    first = shop.observation(attempt.due.atomic, attempt.reference_key, stage=S.CONFIRMED)
    shop.engine.observations.observe([first])
    if is_drop_seen:
        shop.drop(first)
    again = landed_again(first, attempt.due.atomic // 2)
    shop.engine.observations.observe([again, again])
    shop.stage(again, S.FINAL)
    assert shop.payment(session)["status"] == "underpaid"
    half = shop.payment(session)["transfers"][0]["amount"]  # type: ignore[index]  # wire JSON
    assert proven(shop) == {(HOT, "SOL"): (half, "0.000000000"), ("suspense:chain", "SOL"): (f"-{half}", "0.000000000")}
    assert shop.engine.observations.explained(NETWORK, attempt.account) == attempt.due.atomic // 2


def test_a_transfer_that_lands_again_in_other_parts_is_not_counted_twice(shop: Shop) -> None:
    session = shop.session("10.00")
    attempt = shop.engine.attempts.choose(session, "sol")
    due = attempt.due.atomic
    first = replace(shop.observation(due, attempt.reference_key, stage=S.CONFIRMED), parts=())
    shop.engine.observations.observe([first])
    shop.drop(first)
    again = landed_again(first, due // 4, due - due // 4)
    shop.engine.observations.observe([again])
    shop.stage(again, S.FINAL)
    payment = shop.payment(session)
    assert (payment["status"], payment["exceptions"]) == ("paid", [])
    assert len(payment["transfers"]) == 2  # type: ignore[arg-type]  # wire JSON
    assert shop.engine.observations.explained(NETWORK, attempt.account) == due
    proven(shop)


def test_money_that_lands_again_as_an_outflow_is_taken_from_its_payment(shop: Shop) -> None:
    session = shop.session("10.00")
    attempt = shop.engine.attempts.choose(session, "sol")
    first = replace(shop.observation(attempt.due.atomic, attempt.reference_key, stage=S.CONFIRMED), parts=())
    shop.engine.observations.observe([first])
    shop.engine.observations.observe([replace(first, net=-5, slot=first.slot + 1, stage=S.FINAL)])
    assert (shop.payment(session)["status"], shop.payment(session)["transfers"]) == ("open", [])
    assert proven(shop)["merchant:withdrawn", "SOL"][0] == "0.000000005"


def test_unmatched_money_that_lands_again_with_another_amount_moves_in_suspense(shop: Shop) -> None:
    first = shop.observation(700, stage=S.CONFIRMED)
    shop.engine.observations.observe([first])
    shop.engine.observations.observe([landed_again(first, 900, stage=S.FINAL)])
    assert proven(shop)["suspense:chain", "SOL"] == ("-0.000000900", "0.000000000")
    assert shop.event_types() == ["transfer.unmatched"]


def test_what_is_final_keeps_its_amount_whatever_a_node_says_later(shop: Shop) -> None:
    session = shop.session("10.00")
    attempt = shop.engine.attempts.choose(session, "sol")
    first = shop.observation(attempt.due.atomic, attempt.reference_key)
    shop.engine.observations.observe([first])
    shop.engine.observations.observe([landed_again(first, 1), landed_again(first, 1, stage=S.FINAL)])
    assert shop.payment(session)["status"] == "paid"
    proven(shop)


def test_a_slow_node_that_still_shows_the_first_landing_changes_nothing(shop: Shop) -> None:
    session = shop.session("10.00")
    attempt = shop.engine.attempts.choose(session, "sol")
    first = shop.observation(5, attempt.reference_key, stage=S.SEEN)
    shop.engine.observations.observe([first])
    shop.engine.observations.observe([landed_again(first, attempt.due.atomic, stage=S.CONFIRMED)])
    shop.engine.observations.observe([first])
    shop.stage(first, S.FINAL)
    assert shop.payment(session)["status"] == "paid"
