"""A clock that is moved: what is being sent is not sent a second time, on every database."""

from datetime import timedelta

from gateway.outbox import claims
from tests.outbox.conftest import Shop

STEP = timedelta(days=30, microseconds=1)


def claimed(shop: Shop, lease: str) -> int:
    """Claim what is due."""
    now = shop.clock.now()
    jobs = shop.db.write(
        lambda tx: claims.claim(tx, now, lease=lease, limit=9, full=(), after="", room=lambda _endpoint_id: 9)
    )
    return len(jobs)


def test_a_lease_is_carried_along_and_ends_in_its_time(shop: Shop) -> None:
    shop.endpoint()
    shop.append()
    assert claimed(shop, "first") == 1
    shop.append()  # this one waits, held by nobody
    shop.db.write(lambda tx: claims.carry_leases(tx, STEP))
    shop.clock.advance(STEP)
    assert claimed(shop, "second") == 1
    shop.clock.advance(claims.LEASE - timedelta(microseconds=1))
    assert claimed(shop, "third") == 0
    shop.clock.advance(timedelta(microseconds=1))
    assert claimed(shop, "third") == 2
