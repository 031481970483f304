"""One page's address spends only so many calls to the chain's node."""

from collections.abc import Callable

import pytest

from gateway.engine.pace import PACE_LIMIT
from gateway.engine.records import SessionRecord
from gateway.kernel.errors import RateLimitedError
from tests.engine.paper import Shop


@pytest.fixture
def session(shop: Shop) -> SessionRecord:
    """Return a session whose method is chosen."""
    opened = shop.session()
    shop.engine.attempts.choose(opened, "sol")
    return opened


ASKS: dict[str, Callable[[Shop, str], object]] = {
    "build": lambda shop, token: shop.engine.checkout.build_transfer(token, "payer", legacy=False),
    "hint": lambda shop, token: shop.engine.checkout.hint(token, "the same signature again"),
}


@pytest.mark.parametrize("ask", ASKS)
def test_a_page_that_asks_without_end_is_told_to_wait_and_another_page_is_not(
    shop: Shop, session: SessionRecord, ask: str
) -> None:
    for _ in range(PACE_LIMIT):
        ASKS[ask](shop, session.token)
    with pytest.raises(RateLimitedError) as refused:
        ASKS[ask](shop, session.token)
    assert refused.value.retry_after_s == 60
    other = shop.session()
    shop.engine.attempts.choose(other, "sol")
    ASKS[ask](shop, other.token)
    shop.pass_time(seconds=60)
    ASKS[ask](shop, session.token)


def test_what_costs_no_call_is_not_counted(shop: Shop, session: SessionRecord) -> None:
    for _ in range(PACE_LIMIT + 1):
        shop.engine.checkout.page(session.token)
        shop.engine.checkout.choose_method(session.token, "sol")
