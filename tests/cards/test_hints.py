"""Notifications are hints: whatever comes, how often, in which order and at the same time, the provider is read."""

import itertools
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway.domain.words import PaymentStatus
from gateway.kernel.errors import InvalidRequestError
from gateway.storage import schema
from tests.cards.stage import DECLINED, CardShop

P = PaymentStatus
HANDS, ORDERS = 8, 6


def test_many_hands_at_once_settle_a_payment_once(shop: CardShop) -> None:
    """Pitfall 7: whoever looks first and acts then, acts twice, unless a lock stands before the look."""
    session = shop.open()
    shop.pay_at_bank(shop.start(session))
    news = shop.post_from_bank()
    ready = threading.Barrier(HANDS)

    def hand(number: int) -> None:
        ready.wait()
        if number % 2:
            shop.engine.checkout.returned(session.token)
        else:
            shop.deliver(news)

    with ThreadPoolExecutor(HANDS) as pool:
        list(pool.map(hand, range(HANDS)))
    shop.deliver(news)
    assert shop.events("payment") == ["payment.succeeded"]
    assert shop.posted("merchant:available") == -1230
    shop.check()


def test_every_order_with_duplicates_ends_where_the_right_one_does(shop: CardShop) -> None:
    """Pitfall 8: nothing comes in order, some things come twice, and late ones come days later."""
    ends = set()
    for seed in range(ORDERS):
        session = shop.open()
        page = shop.start(session)
        shop.pay_at_bank(page, DECLINED)
        shop.pay_at_bank(page)
        shop.engine.checkout.returned(session.token)
        shop.refund(session, "5.00")
        deck = shop.post_from_bank() * 2
        random.Random(seed).shuffle(deck)
        for card in deck:
            shop.deliver([card])
        payment = shop.payment(session)
        ends.add((payment.status, payment.amount_received.major, payment.amount_refunded.major))
    assert ends == {(P.PAID, "12.30", "5.00")}
    told = Counter(shop.events("payment.succeeded", "payment.refunded", "refund.succeeded"))
    assert told == dict.fromkeys(["payment.succeeded", "payment.refunded", "refund.succeeded"], ORDERS)
    shop.check()


def test_what_a_notification_claims_is_never_believed(shop: CardShop) -> None:
    """Pitfall 9: its body is a copy of some moment in some version; what is true is read at the provider."""
    session = shop.open()
    page = shop.start(session)
    shop.pay_at_bank(page, DECLINED)
    (failed,) = [one for one in shop.post_from_bank() if one["type"] == "payment_intent.payment_failed"]
    numbers = itertools.count()

    def claiming(event_type: str, **fields: Any) -> dict[str, Any]:
        claimed = failed["data"]["object"] | fields
        return failed | {"id": f"evt_{page}_{next(numbers)}", "type": event_type, "data": {"object": claimed}}

    shop.deliver([claiming("payment_intent.succeeded", status="succeeded", amount_received=1230)])
    assert shop.payment(session).status is P.OPEN
    shop.pay_at_bank(page)
    shop.deliver([claiming("payment_intent.payment_failed")])
    assert shop.payment(session).status is P.PAID, "the hint says failed, and the provider says paid"
    shop.deliver([claiming("payment_intent.canceled", status="canceled")])
    assert shop.payment(session).status is P.PAID
    assert shop.events("payment") == ["payment.succeeded"]
    shop.check()


def test_the_longest_id_and_type_are_kept_whole_and_longer_ones_refused(shop: CardShop) -> None:
    """Else a long id would be an error of the database, and two that begin alike would be one."""
    shop.buy()
    (event, *_) = shop.post_from_bank()
    longest = f"evt_{event['id']}".ljust(254, "x")
    kind = "t" * 255

    def stored() -> int:
        table = schema.notification
        query = select(func.count()).where(table.c.event_id.startswith(longest), table.c.type == kind)
        return shop.db.read(lambda tx: tx.scalar(query)) or 0

    shop.deliver([event | {"id": longest + last, "type": kind} for last in ("a", "b", "a")])
    assert stored() == 2
    with pytest.raises(InvalidRequestError):
        shop.deliver([event | {"id": longest + "ab", "type": kind}])
    assert stored() == 2
