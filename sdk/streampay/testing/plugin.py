"""The pytest plugin: `streampay`, a client on a fake gateway; `streampay_fake`, that gateway; `streampay_webhook`.

def test_a_paid_order_ships(streampay, streampay_fake, streampay_webhook, app):
    session = streampay.checkout.sessions.create(amount="12.30", currency="USD", reference="o-1", success_url="http://localhost/")
    streampay_fake.pay(session)
    assert streampay_webhook(app) == [204, 204, 204]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # a test run that uses none of this must not wait for it
    from streampay import StreamPay
    from streampay.testing import FakeStreamPay

Post = Callable[..., list[int]]


@pytest.fixture
def streampay_fake(monkeypatch: pytest.MonkeyPatch) -> FakeStreamPay:
    """Return a gateway of this test's own; STREAMPAY_WEBHOOK_SECRET holds its secret."""
    from streampay.testing import FakeStreamPay  # noqa: PLC0415 - see above

    fake = FakeStreamPay()
    monkeypatch.setenv("STREAMPAY_WEBHOOK_SECRET", fake.webhook_secret)
    return fake


@pytest.fixture
def streampay(streampay_fake: FakeStreamPay) -> StreamPay:
    """Return a client of the fake gateway."""
    from streampay import StreamPay  # noqa: PLC0415 - see above

    return StreamPay("sk_test_fixture_key", base_url="http://fake.example", transport=streampay_fake)


@pytest.fixture
def streampay_webhook(streampay_fake: FakeStreamPay) -> Post:
    """Return `post(app, kind=None, *, path=None, secret=None, **over)`, which delivers signed events to your shop.

    Without a kind it delivers what has happened at the fake and was not answered with 2xx yet; with one, a sample of
    it. `app` is a Flask app, a Flask or Django test client, any WSGI or ASGI app, or a callable; the answered statuses
    come back.
    """
    from streampay.testing import event, receiver  # noqa: PLC0415 - see above

    def post(
        app: object,
        kind: str | None = None,
        *,
        path: str | None = None,
        secret: str | None = None,
        **over: object,
    ) -> list[int]:
        if kind is None:
            return [one.status for one in streampay_fake.deliver(app, path=path, secret=secret)]
        made = event(kind, **over)  # type: ignore[arg-type]  # fields of any type
        return [receiver(app, path)(made.body, made.headers(secret or streampay_fake.webhook_secret))]

    return post
