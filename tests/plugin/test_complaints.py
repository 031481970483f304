"""What merchants complained of elsewhere and no other file of this suite covers; docs/plugin.md has the whole table."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from streampay import ConnectionFailed
from streampay.gateway import HookCall
from tests.plugin.shop import ORDER, Shop, a_shop, payment


@pytest.fixture
def shop(tmp_path: Path, create_database: Callable[[str], str]) -> Iterator[Shop]:
    """Open a shop on the store that most begin with; test_stores.py and test_storm.py run on all of them."""
    with a_shop("sqlite", tmp_path, create_database) as opened:
        yield opened


def cancel_if_unpaid(shop: Shop) -> bool:
    """Do what a shop's own timer does, as docs/plugin.md tells it to; return whether the order is cancelled."""
    found = shop.plugin.reconcile(ORDER.id).order
    return found is not None and not found.is_settled


def test_a_paid_order_whose_webhook_was_lost_is_found_before_it_is_cancelled(shop: Shop) -> None:
    """woo-stripe #5691 and mollie #1060: charged, pending in the shop, then cancelled by its timer."""
    shop.expect()
    shop.gateway.payments = [payment(1, "open")]
    assert cancel_if_unpaid(shop)
    shop.gateway.payments = [payment(4, "paid")]
    assert not cancel_if_unpaid(shop)
    assert (shop.status(), shop.told.kinds()) == ("paid", ["paid"])


def test_a_gateway_that_is_away_is_no_reason_to_cancel(shop: Shop) -> None:
    """Mollie #1060: no answer is not the answer "unpaid"."""
    shop.expect()
    shop.gateway.is_away = True
    with pytest.raises(ConnectionFailed):
        cancel_if_unpaid(shop)
    assert shop.status() == "new"


def test_who_comes_back_sees_the_newest_try_and_not_an_earlier_failure(shop: Shop) -> None:
    """Mollie #1282: the return page told of the try before."""
    shop.expect(number=2)
    shop.gateway.payments = [payment(2, "open", number=2), payment(3, "canceled", number=1)]
    seen = shop.plugin.returned(ORDER.id)
    assert seen is not None
    assert (str(seen.status), shop.told.kinds()) == ("pending", [])
    shop.gateway.payments[0] = payment(3, "confirming", number=2)
    assert str(shop.plugin.returned(ORDER.id).status) == "on_hold"  # type: ignore[union-attr]  # it is known, see above


def test_one_order_whose_hook_fails_holds_up_no_other(shop: Shop) -> None:
    """Btcpay #3146: what failed stood at the head of the line, and everything behind it waited."""
    write = shop.plugin.hooks.on_paid
    assert write is not None

    def paid(call: HookCall) -> None:
        if call.order_id == ORDER.id:
            raise OSError("no label for this address")
        write(call)

    shop.plugin.hooks = replace(shop.plugin.hooks, on_paid=paid)
    other = replace(ORDER, id="order-1002")
    shop.expect()
    shop.expect(other, number=2)
    assert shop.hear(payment(2, "paid"), number=1) == 200
    assert shop.hear(payment(2, "paid", number=2, reference=other.id), number=2) == 200
    assert (shop.status(), shop.status(other.id)) == ("paid", "paid")
    assert shop.told.names() == [f"paid/{payment(number=2)['id']}"]
