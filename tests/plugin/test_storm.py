"""Deliveries as they really come: doubled, shuffled, stale, all at once, with the shopper's return among them."""

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.plugin.shop import ORDER, STORES, Shop, event, payment

ROUNDS, DELIVERIES, THREADS = 15, 72, 12
# A Django shop opens a connection for each request, and MariaDB's driver in pure Python is slow at that.
LONGEST = "django-mariadb"
KINDS = [pytest.param(kind, marks=pytest.mark.deep) if kind == LONGEST else kind for kind in STORES]

# What one order lives through: an older try that expires, and the newest one, paid in the end.
LIFE = (
    payment(1, "open", number=1), payment(2, "requires_action", number=1), payment(3, "expired", number=1),
    payment(1, "open", number=2), payment(2, "processing", number=2), payment(3, "confirming", number=2),
    payment(4, "paid", number=2), payment(5, "paid", number=2),
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("shop", KINDS, indirect=True)
def test_a_storm_pays_each_order_once_and_runs_each_hook_once(shop: Shop) -> None:
    """woo-stripe #3327, #2331 and #889: notes, mails and stock twice, when the return page raced the webhook."""
    dice = random.Random(20261120)
    for round_number in range(ROUNDS):
        order = replace(ORDER, id=f"order-{round_number}")
        life = [_of(order.id, one, round_number) for one in LIFE]
        shop.expect(order, number=2)
        with shop.store.locked(order.id) as tx:
            assert tx.record is not None
            tx.save(replace(tx.record, payment_id=life[-1]["id"], session_id=life[-1]["session"]))
        shop.gateway.payments = [life[2], life[-1]]
        numbered = [(one, 100 * round_number + number) for number, one in enumerate(life)]
        deliveries = numbered + dice.choices(numbered, k=DELIVERIES - len(numbered))
        dice.shuffle(deliveries)
        with ThreadPoolExecutor(THREADS) as pool:
            heard = [pool.submit(shop.hear, one, number=number) for one, number in deliveries]
            heard += [pool.submit(_come_back, shop, order.id) for _ in range(4)]
            assert {one.result() for one in heard} == {200}
        assert shop.status(order.id) == "paid"
    shop.plugin.run_hooks(limit=1_000)
    names = shop.told.names()
    assert sorted(name for name in names if name.startswith("paid/")) == sorted(
        f"paid/{_of('', LIFE[-1], number)['id']}" for number in range(ROUNDS)
    )
    assert len(names) == len(set(names)), "no hook ran twice"


def _of(order_id: str, one: dict[str, Any], round_number: int) -> dict[str, Any]:
    """Return a payment as that of another order."""
    number = int(one["id"][4:]) + 10 * (round_number + 1)
    return one | {"id": f"pay_{number:026d}", "session": f"cs_{number:026d}", "reference": order_id}


def _come_back(shop: Shop, order_id: str) -> int:
    return shop.plugin.reconcile(order_id).status_code


def test_a_bad_signature_is_refused_whatever_it_says(shop: Shop) -> None:
    """woo-stripe #5691: a failed signature was answered with 204, and paid orders were lost."""
    shop.expect()
    body, headers = event(payment(2, "paid"))
    for wrong in (body + b" ", body.replace(b"12.30", b"99.99")):
        assert shop.plugin.handle_webhook(wrong, headers).status_code == 400
    assert shop.plugin.handle_webhook(body, {}).status_code == 400
    assert shop.status() == "new"
    assert shop.told.names() == []
