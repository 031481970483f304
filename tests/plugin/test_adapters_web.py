"""The webhook and the return address in real Flask, FastAPI and Starlette apps."""

import gzip
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from flask import Flask, url_for
from starlette.applications import Starlette

from streampay.adapters.flask import blueprint
from streampay.adapters.starlette import routes
from streampay.webhooks import MAX_BODY_BYTES
from tests.plugin.shop import ORDER, Shop, a_shop, event, payment
from tests.sdk.objects import REFUND

HOOK = "/webhooks/streampay"


@dataclass
class Web:
    """A shop's app: `send` gives status, body and the Location header."""

    shop: Shop
    send: Callable[..., tuple[int, str, str | None]]

    def deliver(self, about: dict[str, Any], *, number: int = 1) -> int:
        body, headers = event(about, number=number)
        return self.send("POST", HOOK, body, headers)[0]


def _order_page(order_id: str) -> str:
    return f"/orders/{order_id}"


def _flask(shop: Shop) -> Callable[..., tuple[int, str, str | None]]:
    app = Flask(__name__)
    app.register_blueprint(blueprint(shop.plugin, order_url=_order_page))

    @app.errorhandler(Exception)
    def polite(_: Exception) -> tuple[str, int]:
        return "Something went wrong, but we are polite.", 200

    def send(method: str, path: str, body: bytes = b"", headers: Any = ()) -> tuple[int, str, str | None]:
        found = app.test_client().open(path, method=method, data=body, headers=headers)
        return found.status_code, found.text, found.headers.get("Location")

    return send


def _asgi(make: Callable[[Shop], Any]) -> Callable[[Shop], Callable[..., tuple[int, str, str | None]]]:
    def build(shop: Shop) -> Callable[..., tuple[int, str, str | None]]:
        client = TestClient(make(shop), follow_redirects=False, raise_server_exceptions=False)

        def send(method: str, path: str, body: bytes = b"", headers: Any = ()) -> tuple[int, str, str | None]:
            found = client.request(method, path, content=body, headers=dict(headers))
            return found.status_code, found.text, found.headers.get("Location")

        return send

    return build


def _fastapi(shop: Shop) -> FastAPI:
    app = FastAPI()
    app.routes.extend(routes(shop.plugin, order_url=_order_page))
    return app


def _starlette(shop: Shop) -> Starlette:
    return Starlette(routes=routes(shop.plugin, order_url=_order_page))


APPS = {"flask": _flask, "fastapi": _asgi(_fastapi), "starlette": _asgi(_starlette)}


@pytest.fixture(params=APPS)
def web(request: pytest.FixtureRequest, tmp_path: Path, create_database: Callable[[str], str]) -> Iterator[Web]:
    """Serve a shop by each framework."""
    with a_shop("sqlite", tmp_path, create_database) as shop:
        yield Web(shop, APPS[request.param](shop))


def test_a_signed_delivery_pays_the_order_once(web: Web) -> None:
    web.shop.expect()
    assert [web.deliver(payment(2, "paid")) for _ in range(2)] == [200, 200]
    assert (web.shop.status(), web.shop.told.kinds()) == ("paid", ["paid"])


def test_a_bad_signature_is_400_whatever_the_shops_error_pages_do(web: Web) -> None:
    web.shop.expect()
    body, headers = event(payment(2, "paid"))
    assert web.send("POST", HOOK, body + b" ", headers)[:2] == (400, "signature_mismatch")
    assert web.send("POST", HOOK, body)[:2] == (400, "headers_missing")
    assert web.shop.status() == "new"


def test_an_unknown_order_is_404_so_that_the_gateway_comes_again(web: Web) -> None:
    assert web.deliver(payment(2, "paid")) == 404
    web.shop.expect()
    assert web.deliver(payment(2, "paid")) == 200


def test_a_body_beyond_the_limit_is_413_before_anybody_reads_it(web: Web) -> None:
    _, headers = event(payment(2, "paid"))
    assert web.send("POST", HOOK, b"x" * (MAX_BODY_BYTES + 1), headers)[:2] == (413, "body_too_large")
    assert web.send("POST", HOOK, b"x" * MAX_BODY_BYTES, headers)[0] == 400


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"\xff\xfe\x00"),
        ("application/json", b""),
        ("application/json", gzip.compress(event(payment(2, "paid"))[0])),
        ("application/x-www-form-urlencoded", b"status=paid&reference=order-1001"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'),
    ],
)
def test_what_is_no_delivery_is_400(kind: str, body: bytes, web: Web) -> None:
    _, headers = event(payment(2, "paid"))
    encoding = {"Content-Encoding": "gzip"} if body[:2] == b"\x1f\x8b" else {}
    assert web.send("POST", HOOK, body, headers | encoding | {"Content-Type": kind})[0] == 400


def test_the_content_type_does_not_matter_only_the_bytes(web: Web) -> None:
    web.shop.expect()
    body, headers = event(payment(2, "paid"))
    form = headers | {"Content-Type": "application/x-www-form-urlencoded"}
    assert web.send("POST", HOOK, body, form)[0] == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_405(method: str, tmp_path: Path, create_database: Callable[[str], str]) -> None:
    with a_shop("sqlite", tmp_path, create_database) as shop:
        for make in (_fastapi, _starlette):
            assert _asgi(make)(shop)(method, HOOK)[0] == 405
        app = Flask(__name__)
        app.register_blueprint(blueprint(shop.plugin))
        assert app.test_client().open(HOOK, method=method).status_code == 405


def test_a_gateway_that_is_away_postpones_what_must_be_read_there(web: Web) -> None:
    web.shop.expect()
    web.shop.gateway.is_away = True
    assert web.deliver(REFUND) == 503


def test_who_comes_back_before_the_webhook_finds_the_order_paid(web: Web) -> None:
    web.shop.expect()
    web.shop.gateway.payments = [payment(2, "paid")]
    assert web.send("GET", f"/streampay/return/{ORDER.id}")[::2] == (303, f"/orders/{ORDER.id}")
    assert (web.shop.status(), web.shop.told.kinds()) == ("paid", ["paid"])
    asked = len(web.shop.gateway.sent)
    assert web.send("GET", f"/streampay/return/{ORDER.id}")[0] == 303
    assert len(web.shop.gateway.sent) == asked, "a settled order costs no question"


def test_who_comes_back_while_the_gateway_is_away_still_sees_the_order(web: Web) -> None:
    web.shop.expect()
    web.shop.gateway.is_away = True
    assert web.send("GET", f"/streampay/return/{ORDER.id}")[0] == 303
    assert web.shop.status() == "new"


def test_a_stranger_at_the_return_address_asks_the_gateway_nothing(
    tmp_path: Path, create_database: Callable[[str], str]
) -> None:
    with a_shop("sqlite", tmp_path, create_database) as shop:
        app = Flask(__name__)
        app.register_blueprint(blueprint(shop.plugin, order_url=_order_page))
        assert app.test_client().get("/streampay/return/nobody").status_code == 404
        assert _asgi(_fastapi)(shop)("GET", "/streampay/return/nobody")[0] == 404
        assert shop.gateway.sent == []


def test_the_return_address_has_a_name_and_is_absent_without_an_order_page(shop_only: Shop) -> None:
    app = Flask(__name__)
    app.register_blueprint(blueprint(shop_only.plugin, order_url=_order_page))
    with app.test_request_context(base_url="https://shop.example"):
        address = url_for("streampay.returned", order_id="7", _external=True)
    assert address == "https://shop.example/streampay/return/7"
    named = _fastapi(shop_only)
    assert named.url_path_for("streampay.returned", order_id="7") == "/streampay/return/7"
    assert [route.name for route in routes(shop_only.plugin)] == ["streampay.webhook"]


@pytest.fixture
def shop_only(tmp_path: Path, create_database: Callable[[str], str]) -> Iterator[Shop]:
    """Open a shop without a web app."""
    with a_shop("sqlite", tmp_path, create_database) as shop:
        yield shop


def test_a_storm_through_the_app_ships_once(web: Web) -> None:
    """woo-stripe #3414 and #4271: the storm of test_storm.py through the web, with the shopper coming back."""
    order, dice = replace(ORDER, id="order-1001"), random.Random(7)
    web.shop.expect(order)
    life = [payment(version, status) for version, status in
            enumerate(("open", "processing", "confirming", "paid", "paid"), start=1)]  # fmt: skip
    web.shop.gateway.payments = [life[-1]]
    storm = [(one, number) for number, one in enumerate(life, start=1)] * 8
    dice.shuffle(storm)
    with ThreadPoolExecutor(8) as pool:
        heard = [pool.submit(web.deliver, one, number=number) for one, number in storm]
        heard += [pool.submit(lambda: web.send("GET", f"/streampay/return/{order.id}")[0]) for _ in range(4)]
        assert {one.result() for one in heard} == {200, 303}
    web.shop.plugin.run_hooks(limit=100)
    assert web.shop.status() == "paid"
    assert web.shop.told.names().count(f"paid/{life[-1]['id']}") == 1
