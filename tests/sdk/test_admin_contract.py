"""The real SDK against the real server: API keys, and the test clock."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest

import streampay
from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from hosted_checkout.app import create_app
from streampay import StreamPay, models
from tests.api.live import serving
from tests.cards.stage import a_bank, a_card_shop
from tests.sdk.live_gateway import LiveGateway


@pytest.fixture
def testing_client(create_database: Callable[[str], str]) -> Iterator[StreamPay]:
    """Return a client of a gateway with a test clock, and a Test Bank beside it."""
    url = create_database("sqlite")
    with closing(open_database(url)) as database:
        upgrade(database)
    with a_bank() as bank, a_card_shop(url, bank, {"STREAMPAY_TEST_CLOCK": "yes"}) as shop:
        key = shop.engine.merchants.create_key(shop.owner.merchant_id, livemode=False)
        with serving(create_app(shop.house)) as url, StreamPay(key, base_url=url) as client:
            yield client


def test_a_key_lives_through_all_its_verbs(live_client: StreamPay, live_gateway: LiveGateway) -> None:
    keys = live_client.api_keys
    made = keys.create(description="Warehouse")
    assert made.secret is not None
    assert made.secret not in repr(made)
    shown = keys.retrieve(made.id)
    assert (shown.description, shown.status, shown.secret, shown.livemode) == ("Warehouse", "active", None, False)
    rolled = keys.roll(made.id, grace_s=600)
    assert (keys.retrieve(made.id).status, keys.retrieve(made.id).replaced_by) == ("ending", rolled.id)
    with StreamPay(rolled.secret, base_url=live_gateway.base_url) as client:
        assert client.account.retrieve().name == "Contract & Co"
        own = next(each for each in client.api_keys.list(limit=1) if each.id == rolled.id)
        assert own.last_used_at is not None
        with pytest.raises(streampay.Conflict) as caught:
            client.api_keys.revoke(rolled.id)
        assert (caught.value.code, caught.value.object_id) == ("api_key_needed", rolled.id)
    with StreamPay(made.secret, base_url=live_gateway.base_url) as client, pytest.raises(streampay.PermissionDenied):
        client.api_keys.create()
    assert keys.revoke(rolled.id).status == keys.revoke(made.id, force=True).status == "revoked"
    assert [each.id for each in keys.list(limit=1)][:2] == [rolled.id, made.id]
    assert [each.extra for each in (made, shown, rolled, own)] == [{}] * 4


def test_a_roll_whose_answer_was_lost_is_asked_again(live_client: StreamPay) -> None:
    made = live_client.api_keys.create()
    first, again = (live_client.api_keys.roll(made.id, idempotency_key=f"roll-{made.id}") for _ in range(2))
    assert (again.secret, again.response is not None and again.response.replayed) == (first.secret, True)


def test_time_passes(testing_client: StreamPay) -> None:
    before = testing_client.test_clock.retrieve()
    moved = testing_client.test_clock.advance(86_400)
    assert (before.ahead_s, moved.ahead_s, moved.extra) == (0, 86_400, {})
    assert moved.now - before.now >= timedelta(days=1)
    assert moved.also_advance[0].endswith("/_sandbox/clock/advance")
    assert isinstance(moved, models.GatewayTime)


def test_a_gateway_without_a_test_clock_says_so(live_client: StreamPay) -> None:
    with pytest.raises(streampay.NotFound) as caught:
        live_client.test_clock.advance(1)
    assert caught.value.code == "test_clock_off"
