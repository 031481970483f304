"""The inbound door: what is signed is stored and answered at once; whatever is not leaves nothing behind."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import stripe
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from gateway.domain.words import PaymentStatus
from gateway.engine.inbound import Inbound
from gateway.kernel.errors import ErrorCode, TemporaryError
from gateway.storage import schema
from hosted_checkout.app import create_app
from hosted_checkout.inbound import inbound_blueprint
from hosted_checkout.inbound.blueprint import MAX_BODY_BYTES
from sandbox.test_bank.server import RunningBank
from tests.api.conftest import row_counter
from tests.api.live import serving
from tests.cards.stage import SECRET, CardShop, a_bank, a_card_shop

PATH = "/inbound/stripe"
MARK = "hunter2-in-the-body"


@pytest.fixture(scope="module")
def bank() -> Iterator[RunningBank]:
    """Serve one bank to all these tests."""
    with a_bank() as running:
        yield running


@pytest.fixture
def shop(migrated_sqlite: str, copy_database: Callable[[str], str], bank: RunningBank) -> Iterator[CardShop]:
    """Open a shop that takes cards."""
    with a_card_shop(copy_database(migrated_sqlite), bank) as opened:
        yield opened


def an_app(inbox: Inbound) -> Flask:
    """Return an app that serves nothing but this door."""
    app = Flask("inbound_test")
    app.register_blueprint(inbound_blueprint(inbox))
    return app


@pytest.fixture
def client(shop: CardShop) -> FlaskClient:
    """Return a way to the door."""
    return an_app(shop.engine.inbound).test_client()


def an_event(**over: object) -> bytes:
    """Return an event as Stripe words it."""
    event: dict[str, object] = {
        "id": "evt_1",
        "object": "event",
        "type": "charge.updated",
        "livemode": False,
        "created": 1_763_640_000,
        "data": {"object": {"id": "ch_1", "object": "charge", "metadata": {"note": MARK}}},
    }
    return json.dumps(event | over).encode()


def signed(shop: CardShop, body: bytes, *, secret: str = SECRET, off_s: int = 0) -> dict[str, str]:
    """Return the headers under which Stripe would send a body now, or some seconds off."""
    at = int(shop.clock.now().timestamp()) + off_s
    header = stripe.WebhookSignature.generate_signature_header(body.decode("latin-1"), secret, timestamp=at)
    return {"Stripe-Signature": header}


def stored(shop: CardShop) -> list[dict[str, Any]]:
    """Return the inbox."""
    rows = shop.db.read(lambda tx: tx.execute(select(schema.notification)).mappings().all())
    return [dict(row) for row in rows]


def test_a_signed_notification_is_stored_byte_for_byte_and_answered_before_any_work(
    shop: CardShop, client: FlaskClient
) -> None:
    """Pitfalls 5 and 27: the shopper waits for this answer, and the signature is over the bytes as they came."""
    body = an_event()
    answer = client.post(PATH, data=body, headers=signed(shop, body))
    assert (answer.status_code, answer.json) == (200, {"received": True})
    assert "Set-Cookie" not in answer.headers
    (row,) = stored(shop)
    assert (row["body"], row["status"], row["tries"], row["network"]) == (body.decode(), "pending", 0, "stripe:test")


def test_a_replayed_notification_is_answered_and_stored_once(shop: CardShop, client: FlaskClient) -> None:
    body = an_event()
    headers = signed(shop, body)
    assert [client.post(PATH, data=body, headers=headers).status_code for _ in range(3)] == [200, 200, 200]
    assert client.post(PATH, data=body, headers=signed(shop, body)).status_code == 200
    assert len(stored(shop)) == 1


def test_an_event_that_nobody_here_knows_is_taken_and_left_alone(shop: CardShop, client: FlaskClient) -> None:
    """Pitfall 32: a refusal would be repeated for days, and the endpoint switched off."""
    body = an_event(id="evt_unknown", type="capital.flying_carpet.landed", data={"object": {"id": "carpet_1"}})
    assert client.post(PATH, data=body, headers=signed(shop, body)).status_code == 200
    shop.engine.inbound.drain()
    assert [row["status"] for row in stored(shop)] == ["ignored"]


Send = Callable[[CardShop], tuple[bytes, dict[str, str]]]


def with_headers(body: bytes, **how: Any) -> Send:
    return lambda shop: (body, signed(shop, body, **how))


def of_another_body(sent: bytes) -> Send:
    return lambda shop: (sent, signed(shop, an_event()))


def plain(headers: dict[str, str], body: bytes | None = None) -> Send:
    return lambda _shop: (an_event() if body is None else body, headers)


BAD: dict[str, tuple[Send, int, str]] = {
    "unsigned": (plain({}), 400, "notification_refused"),
    "empty": (plain({}, b""), 400, "notification_refused"),
    "signed by nobody": (plain({"Stripe-Signature": ""}), 400, "notification_refused"),
    "not a signature": (
        plain({"Stripe-Signature": "t=1,v1=ü".encode().decode("latin-1")}),
        400,
        "notification_refused",
    ),
    "forged": (with_headers(an_event(), secret="whsec_guessed"), 400, "notification_refused"),
    "changed": (of_another_body(an_event().replace(b"charge.updated", b"charge.deleted")), 400, "notification_refused"),
    "truncated": (of_another_body(an_event()[:-1]), 400, "notification_refused"),
    "padded": (of_another_body(an_event() + b" "), 400, "notification_refused"),
    "replayed too late": (with_headers(an_event(), off_s=-301), 400, "notification_refused"),
    "from the future": (with_headers(an_event(), off_s=301), 400, "notification_refused"),
    "from next year": (with_headers(an_event(), off_s=31_536_000), 400, "notification_refused"),
    "of the other mode": (with_headers(an_event(livemode=True)), 400, "notification_refused"),
    "no json": (with_headers(b"{"), 400, "notification_refused"),
    "no utf-8": (with_headers(b"\xff"), 400, "notification_refused"),
    "no event": (with_headers(b'{"object": "charge"}'), 400, "notification_refused"),
    "thin": (with_headers(b'{"object": "v2.core.event", "id": "evt_1"}'), 400, "notification_refused"),
    "oversized": (with_headers(b" " * MAX_BODY_BYTES + an_event()), 413, "body_too_large"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_notification_leaves_nothing_and_is_told_nothing(
    shop: CardShop, client: FlaskClient, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Pitfalls 28 and 29: a bad signature and the wrong mode are refused loudly, never nodded through."""
    send, status, code = BAD[name]
    body, headers = send(shop)
    count = row_counter(shop.db)
    before = count()
    with caplog.at_level(logging.DEBUG):
        answer = client.post(PATH, data=body, headers=headers)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.get_json(force=True)["code"] == code
    assert count() == before
    assert MARK not in answer.text
    assert MARK not in caplog.text
    assert "v1=" not in caplog.text


def test_the_largest_that_fits_is_taken(shop: CardShop, client: FlaskClient) -> None:
    body = an_event()
    body += b" " * (MAX_BODY_BYTES - len(body))
    assert client.post(PATH, data=body, headers=signed(shop, body)).status_code == 200
    assert client.post(PATH, data=body + b" ", headers=signed(shop, body + b" ")).status_code == 413


@pytest.mark.parametrize("processor", ["solana", "STRIPE", "stripe2", "..", "%00", "'"])
def test_a_provider_that_is_not_connected_is_not_found(shop: CardShop, client: FlaskClient, processor: str) -> None:
    body = an_event()
    answer = client.post(f"/inbound/{processor}", data=body, headers=signed(shop, body))
    assert answer.status_code == 404
    assert stored(shop) == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_posts_are_taken(client: FlaskClient, method: str) -> None:
    assert client.open(PATH, method=method).status_code == 405


def test_the_shoppers_cookies_and_origins_play_no_part(shop: CardShop, client: FlaskClient) -> None:
    body = an_event()
    headers = signed(shop, body) | {"Origin": "https://evil.example", "Cookie": "a=b", "Sec-Fetch-Site": "cross-site"}
    assert client.post(PATH, data=body, headers=headers).status_code == 200


class _FailingInbox(Inbound):
    """An inbox whose database is away, or whose code is wrong."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def accept(self, *_: object) -> bool:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, "The database does not answer."), 503),
        (RuntimeError("a defect"), 500),
    ],
)
def test_what_could_not_be_stored_is_not_acknowledged(
    error: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = an_app(_FailingInbox(error)).test_client().post(PATH, data=an_event())
    assert answer.status_code == status
    assert "a defect" not in answer.text
    assert MARK not in caplog.text


def test_the_banks_own_webhooks_settle_a_payment_whose_shopper_never_came_back(shop: CardShop) -> None:
    with serving(create_app(shop.house)) as url:
        shop.control("webhook_endpoints", url=f"{url}{PATH}", secret=SECRET)
        session = shop.open()
        shop.pay_at_bank(shop.start(session))
        shop.control("webhooks/flush")
        assert {row["status"] for row in stored(shop)} == {"pending"}
        assert shop.payment(session).status is PaymentStatus.OPEN
        shop.engine.inbound.drain()
        assert shop.payment(session).status is PaymentStatus.PAID
        known = len(stored(shop))
        (newest, *_) = shop.post_from_bank()
        shop.control(f"events/{newest['id']}/redeliver")
        shop.control("webhooks/flush")
        assert len(stored(shop)) == known
        assert requests.get(f"{url}{PATH}", timeout=10).status_code == 405
    shop.check()


def test_a_chunked_flood_is_cut_off(shop: CardShop) -> None:
    with serving(an_app(shop.engine.inbound)) as url:
        flood = (b" " * 65_536 for _ in range(9))
        answer = requests.post(f"{url}{PATH}", data=flood, headers={"Stripe-Signature": "t=1,v1=a"}, timeout=10)
    assert answer.status_code in {400, 413}
    assert stored(shop) == []
