"""Endpoints belong to one merchant and mode; their secrets are sealed, rotated and forgotten."""

import threading
from typing import Any

import pytest
from sqlalchemy import insert, select

from gateway.kernel.errors import ConflictError, ErrorCode, GatewayError, InvalidRequestError, NotFoundError
from gateway.outbox import endpoints as reads
from gateway.outbox.model import EndpointChanges, EndpointStatus
from gateway.storage.schema import merchant, outbox, webhook_secret, webhook_subscription
from tests.outbox.conftest import MERCHANT, STRANGER, Shop


def update(shop: Shop, endpoint_id: str, **changes: Any) -> Any:
    wanted = EndpointChanges(**changes)
    return shop.db.write(lambda tx: shop.endpoints.update(tx, MERCHANT, endpoint_id, livemode=False, changes=wanted))


def test_an_endpoint_is_created_with_a_secret_that_is_stored_sealed(shop: Shop) -> None:
    issued = shop.endpoint(description="Main shop", enabled_events=["payment.late", "ping", "ping"])
    assert issued.secret.startswith("whsec_")
    found = shop.db.read(lambda tx: reads.retrieve(tx, MERCHANT, issued.endpoint.id, livemode=False))
    assert found == issued.endpoint
    assert found.enabled_events == ("payment.late", "ping")
    assert found.wire() == {
        "id": found.id,
        "object": "webhook_endpoint",
        "livemode": False,
        "url": shop.receiver.url("/hook"),
        "description": "Main shop",
        "enabled_events": ["payment.late", "ping"],
        "status": "enabled",
        "disabled_reason": None,
        "created_at": "2026-11-20T09:00:00.000Z",
    }
    (sealed,) = shop.db.read(lambda tx: tx.execute(select(webhook_secret.c.sealed_secret)).scalars().all())
    assert issued.secret not in sealed
    assert shop.box.open(sealed, aad=reads.secret_aad(MERCHANT, found.id)) == issued.secret


@pytest.mark.parametrize(
    ("over", "param"),
    [
        ({"url": "https://127.0.0.1/"}, "/url"),
        ({"enabled_events": []}, "/enabled_events"),
        ({"enabled_events": ["payment.exploded"]}, "/enabled_events"),
        ({"description": "x" * 201}, "/description"),
        ({"description": "a\0b"}, "/description"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_stored(shop: Shop, over: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        shop.endpoint(**over)
    assert caught.value.param == param
    assert shop.count(webhook_subscription) == 0
    issued = shop.endpoint()
    over = {name: tuple(value) if isinstance(value, list) else value for name, value in over.items()}
    with pytest.raises(InvalidRequestError):
        update(shop, issued.endpoint.id, **over)
    assert shop.db.read(lambda tx: reads.retrieve(tx, MERCHANT, issued.endpoint.id, livemode=False)) == issued.endpoint


def test_an_update_changes_what_it_names(shop: Shop) -> None:
    issued = shop.endpoint(description="Main shop")
    changed = update(shop, issued.endpoint.id, url=shop.receiver.url("/new"), enabled_events=("payment.late",))
    assert (changed.url, changed.enabled_events, changed.description) == (
        shop.receiver.url("/new"),
        ("payment.late",),
        "Main shop",
    )
    assert update(shop, issued.endpoint.id, description="").description is None
    off = update(shop, issued.endpoint.id, status=EndpointStatus.DISABLED)
    assert (off.status, off.disabled_reason) == (EndpointStatus.DISABLED, "Disabled by the merchant.")
    on = update(shop, issued.endpoint.id, status=EndpointStatus.ENABLED)
    assert (on.status, on.disabled_reason) == (EndpointStatus.ENABLED, None)


def test_a_foreign_or_deleted_endpoint_does_not_exist(shop: Shop) -> None:
    issued = shop.endpoint()
    each = issued.endpoint.id
    verbs = (
        lambda tx, merchant_id, livemode: reads.retrieve(tx, merchant_id, each, livemode=livemode),
        lambda tx, merchant_id, livemode: shop.endpoints.enable(tx, merchant_id, each, livemode=livemode),
        lambda tx, merchant_id, livemode: shop.endpoints.disable(tx, merchant_id, each, livemode=livemode),
        lambda tx, merchant_id, livemode: shop.endpoints.rotate_secret(tx, merchant_id, each, livemode=livemode),
        lambda tx, merchant_id, livemode: shop.endpoints.delete(tx, merchant_id, each, livemode=livemode),
    )
    for verb in verbs:
        for merchant_id, livemode in ((STRANGER, False), (MERCHANT, True)):
            with pytest.raises(NotFoundError):
                shop.db.write(lambda tx, v=verb, m=merchant_id, mode=livemode: v(tx, m, mode))  # type: ignore[misc]  # mypy infers no lambda defaults
    shop.append(2)
    shop.db.write(lambda tx: shop.endpoints.delete(tx, MERCHANT, each, livemode=False))
    for verb in verbs:
        with pytest.raises(NotFoundError):
            shop.db.write(lambda tx, v=verb: v(tx, MERCHANT, livemode=False))  # type: ignore[misc]  # as above
    assert shop.count(webhook_secret) == 0
    statuses = shop.db.read(lambda tx: tx.execute(select(outbox.c.status)).scalars().all())
    assert set(statuses) == {"dropped"}
    assert shop.dispatcher().drain().claimed == 0


def test_a_merchant_has_sixteen_endpoints_in_each_mode_even_when_two_are_created_at_once(shop: Shop) -> None:
    with shop.db.engine.begin() as tx:
        tx.execute(insert(merchant).values(id=MERCHANT, name="Shop", settings={}, created_at=shop.clock.now()))
    for number in range(15):
        shop.endpoint(f"/{number}")
    refused = []

    def create() -> None:
        try:
            shop.endpoint()
        except ConflictError as error:
            refused.append(error.code)

    racers = [threading.Thread(target=create) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert refused == [ErrorCode.ENDPOINT_LIMIT_REACHED] * 3
    shop.endpoint(livemode=True, url="https://shop.example/")
    shop.endpoint(merchant_id=STRANGER)


def test_rotations_keep_few_secrets_and_never_lengthen_an_old_ones_life(shop: Shop) -> None:
    issued = shop.endpoint()

    def rotate(grace_s: int) -> None:
        shop.db.write(
            lambda tx: shop.endpoints.rotate_secret(tx, MERCHANT, issued.endpoint.id, livemode=False, grace_s=grace_s)
        )
        shop.advance(seconds=1)

    def valid() -> int:
        now = shop.clock.now()
        return len(shop.db.read(lambda tx: reads.valid_secrets(tx, [issued.endpoint.id], now))[issued.endpoint.id])

    rotate(60)
    assert valid() == 2
    rotate(604_800)
    assert valid() == 3
    shop.advance(seconds=60)
    assert valid() == 2, "the first secret's minute was not lengthened by the second rotation"
    for _ in range(6):
        rotate(3600)
    assert valid() == 4
    rotate(0)
    assert valid() == 1
    assert shop.count(webhook_secret) == 1
    for grace_s in (-1, 604_801):
        with pytest.raises(GatewayError):
            rotate(grace_s)


def test_endpoints_are_listed_newest_first_in_pages(shop: Shop) -> None:
    made = []
    for number in range(5):
        made.append(shop.endpoint(f"/{number}").endpoint.id)
        shop.advance(seconds=1)
    shop.endpoint(merchant_id=STRANGER)
    expected = made[::-1]

    def page(**cursor: Any) -> tuple[list[str], bool]:
        found = shop.db.read(lambda tx: reads.list_endpoints(tx, MERCHANT, livemode=False, limit=2, **cursor))
        return [each.id for each in found.items], found.has_more

    assert page() == (expected[:2], True)
    assert page(starting_after=expected[1]) == (expected[2:4], True)
    assert page(ending_before=expected[2]) == (expected[:2], False)
