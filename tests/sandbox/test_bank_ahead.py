"""A bank whose clock was advanced, and a merchant whose clock was not: he still sells, for as long as he asks."""

import time
from collections.abc import Iterator

import pytest
import stripe

from sandbox.test_bank import Bank, RunningBank, serve

DAY_S, HOUR_S, MINUTE_S = 86_400, 3_600, 60


@pytest.fixture
def ahead() -> Iterator[RunningBank]:
    """Serve a bank that is a day ahead, and on which the time then stands still."""
    stands_at = time.time()
    bank = Bank(real_time_s=lambda: stands_at)
    bank.advance(DAY_S)
    with serve(bank) as running:
        yield running


def page(ahead: RunningBank, expires_at: int) -> stripe.checkout.Session:
    """Open a page that lasts until a moment."""
    client = stripe.StripeClient("sk_test_ahead", base_addresses={"api": ahead.url})
    price = client.v1.prices.create({"currency": "usd", "unit_amount": 1_230, "product_data": {"name": "Mug"}})
    return client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "success_url": "https://shop.example/ok",
            "line_items": [{"quantity": 1, "price": price.id}],
            "expires_at": expires_at,
        }
    )


def test_a_page_lasts_as_long_as_a_merchant_asks_whose_clock_stayed_behind(ahead: RunningBank) -> None:
    clock = ahead.bank.clock
    behind = clock.now() - DAY_S
    opened = page(ahead, behind + 31 * MINUTE_S)
    assert (opened.status, opened.expires_at) == ("open", clock.now() + 31 * MINUTE_S)
    ahead.bank.advance(31 * MINUTE_S)
    assert ahead.bank.checkout_session(opened.id)["status"] == "expired"


def test_a_merchant_who_travelled_along_gets_the_moment_that_he_names(ahead: RunningBank) -> None:
    wanted = ahead.bank.clock.now() + 2 * HOUR_S
    assert page(ahead, wanted).expires_at == wanted


@pytest.mark.parametrize("minutes", [-1, 0, 29])
def test_too_short_a_time_is_refused_on_the_clock_that_stayed_behind_too(minutes: int, ahead: RunningBank) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="at least 30 minutes"):
        page(ahead, ahead.bank.clock.now() - DAY_S + minutes * MINUTE_S)
