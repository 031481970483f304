"""The real SDK, both clients, where it needs a chain: refunds that a wallet signs, and money without a reference."""

from collections.abc import Iterator

import pytest

import streampay
from hosted_checkout.app import create_app
from streampay import StreamPay
from tests.api.live import serving
from tests.journey.street import Shop, Street
from tests.sdk.blocking import KINDS, a_client


@pytest.fixture(params=KINDS)
def client(request: pytest.FixtureRequest, street: Street, shop: Shop) -> Iterator[StreamPay]:
    """Return a client of the street's gateway."""
    key = street.house.engine.merchants.create_key(shop.owner.merchant_id, livemode=False)
    with serving(create_app(street.house)) as url, a_client(request.param, key, base_url=url) as found:
        yield found


def test_a_refund_is_built_signed_and_submitted(client: StreamPay, street: Street, shop: Shop) -> None:
    order = shop.order(method="sol")
    order.approve(street.shopper())
    street.settle()
    refund = client.refunds.create(payment=order.payment_id, amount="0.01")
    assert refund.status == "requires_action"
    transfer = client.refunds.transfer(refund.id)
    assert (transfer.refund, transfer.payer, transfer.extra) == (refund.id, shop.wallet.address, {})
    assert client.refunds.submit(refund.id, shop.wallet.sign(transfer.payload)).status == "pending"
    street.settle()
    assert client.refunds.retrieve(refund.id).status == "succeeded"
    with pytest.raises(streampay.Conflict) as caught:
        client.refunds.transfer(refund.id)
    assert caught.value.code == "refund_not_sendable"


def test_money_without_a_reference_is_matched_by_hand(client: StreamPay, street: Street, shop: Shop) -> None:
    order = shop.order(method="sol")
    order.pay(street.shopper(), order.due, str(street.wallet().address))
    street.settle()
    (found,) = client.chain_transfers.list(status="unmatched")
    assert (found.status, found.extra) == ("unmatched", {})
    matched = client.chain_transfers.match(found.id, payment=order.payment_id)
    assert (matched.status, matched.payment) == ("matched", order.payment_id)
    assert client.payments.retrieve(order.payment_id).is_paid
