"""An impatient shopper: two tabs, two signatures, one payment."""

from datetime import timedelta

import pytest

from gateway.domain.words import OperationKind, OperationStatus
from gateway.kernel.errors import ConflictError, ErrorCode
from tests.journey.street import AVAILABLE, Shop, Street


def test_a_second_signature_waits_until_the_chain_has_spoken_of_the_first(street: Street, shop: Shop) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    wallet = street.shopper()
    first = wallet.sign(order.build(wallet))
    street.chain.tick(1)
    second = wallet.sign(order.build(wallet))
    assert first != second
    signature = order.submit(first)
    with pytest.raises(ConflictError) as refused:
        order.submit(second)
    assert refused.value.code is ErrorCode.OUTCOME_UNKNOWN
    with pytest.raises(ConflictError) as not_built:
        order.build(wallet)
    assert not_built.value.code is ErrorCode.OUTCOME_UNKNOWN
    assert order.submit(first) == signature  # the same bytes are the same operation
    street.settle()
    with pytest.raises(ConflictError) as too_late:
        order.submit(second)
    assert too_late.value.code is ErrorCode.PAYMENT_NOT_PAYABLE
    assert order.state == ("paid", [], "paid")
    assert [one.kind for one in order.operations] == [OperationKind.BROADCAST]
    assert shop.books()[AVAILABLE, "SOL"] == ("-0.5", "0")
    street.assert_sound()


def test_a_signature_that_never_landed_makes_room_for_another(street: Street, shop: Shop) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    wallet = street.shopper()
    street.fault(drop_sends=1)
    order.approve(wallet)
    street.chain.tick(200)  # past the block hash; nobody sent the bytes again meanwhile
    street.clock.advance(timedelta(minutes=1))
    street.sweep()
    assert order.operations[0].status is OperationStatus.REJECTED
    order.approve(wallet)
    street.settle()
    assert order.state == ("paid", [], "paid")
    street.assert_sound()


def test_what_a_wallet_says_it_sent_blocks_nobody(street: Street, shop: Shop) -> None:
    order = shop.order("0.5", "SOL", method="sol")
    order.hint("5" * 87)
    order.approve(street.shopper())
    street.settle()
    assert order.state == ("paid", [], "paid")
