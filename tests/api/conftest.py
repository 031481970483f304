"""A gateway's API over a chain on paper: an app, a key, and a count of every row for "nothing changed"."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, literal, select, union_all
from werkzeug.test import TestResponse

from gateway.domain.events import API_VERSION
from gateway.domain.merchants import MerchantSettings
from gateway.storage import schema
from gateway.storage.database import Database, open_database
from gateway.storage.migrate import upgrade
from hosted_checkout.api import Limits, create_api
from hosted_checkout.api.answers import Problem
from hosted_checkout.api.blueprint import ROUTES, RouteMap
from tests.engine.paper import Shop

ORIGIN = "https://shop.example"
_MAP = RouteMap(ROUTES)


def conforming(method: str, response: TestResponse) -> Any:
    """Return an answer that has exactly the fields, types and headers that the document promises."""
    assert response.headers["Request-Id"].startswith("req_")
    assert response.headers["StreamPay-Version"] == API_VERSION
    assert response.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in response.headers
    assert response.headers["RateLimit"].startswith(response.headers["RateLimit-Policy"].partition(";")[0])
    if response.status_code < 400:
        assert response.mimetype == "application/json"
        route, _ = _MAP.find(method, response.request.path)
        assert route is not None
        if method != "HEAD":
            route.answers[response.status_code].model_validate_json(response.data, strict=False)
    elif method != "HEAD":
        assert response.mimetype == "application/problem+json"
        problem = Problem.model_validate_json(response.data, strict=False)
        assert problem.status == response.status_code
        assert problem.request_id == response.headers["Request-Id"]
    return response


@dataclass
class Door:
    """One merchant's way into the API."""

    shop: Any  # a `Shop`, or a `CardShop`: whatever has this merchant's engine and clock
    client: Any  # a test client, whose answers mypy does not know to be JSON
    key: str

    def send(self, method: str, path: str, **more: Any) -> Any:
        """Send a request with this merchant's key."""
        headers = {"Authorization": f"Bearer {self.key}", **more.pop("headers", {})}
        return conforming(method, self.client.open(path, method=method, headers=headers, **more))

    def get(self, path: str, **more: Any) -> Any:
        """Read."""
        return self.send("GET", path, **more)

    def post(self, path: str, body: object | None = None, *, key: str | None = None, **more: Any) -> Any:
        """Do something, once per key; then let a moment go by, so that ids sort as they were made."""
        headers = more.pop("headers", {}) | ({} if key is None else {"Idempotency-Key": key})
        answer = self.send("POST", path, json={} if body is None else body, headers=headers, **more)
        self.shop.clock.advance(timedelta(milliseconds=1))
        return answer


@pytest.fixture(scope="session")
def migrated_sqlite(create_database: Callable[[str], str]) -> str:
    """Return a migrated, empty SQLite file, to be copied."""
    url = create_database("sqlite")
    database = open_database(url)
    upgrade(database)
    database.close()
    return url


@pytest.fixture
def db(migrated_sqlite: str, copy_database: Callable[[str], str]) -> Iterator[Database]:
    """Open a database of this test's own."""
    database = open_database(copy_database(migrated_sqlite))
    yield database
    database.close()


@pytest.fixture(scope="session")
def migrated_everywhere(database_kind: str, create_database: Callable[[str], str]) -> str:
    """Return a migrated database of each kind, to be shared: every test has a merchant of its own."""
    url = create_database(database_kind)
    database = open_database(url)
    upgrade(database)
    database.close()
    return url


@pytest.fixture
def every_db(migrated_everywhere: str) -> Iterator[Database]:
    """Open the shared database of each kind; suites about SQL use it as their `db`."""
    database = open_database(migrated_everywhere)
    yield database
    database.close()


@pytest.fixture
def shop(db: Database) -> Shop:
    """Return a merchant with an engine around him."""
    return Shop(db, settings=MerchantSettings(origins=(ORIGIN,), brand_color="#0a7cff"))


def an_app(shop: Any, limits: Limits | None = None) -> Flask:
    """Return a Flask app that serves nothing but the API."""
    app = Flask("api_test")
    app.register_blueprint(create_api(shop.engine, clock=shop.clock, ids=shop.engine.core.ids, limits=limits))
    return app


def a_door(shop: Shop, *, livemode: bool = False, limits: Limits | None = None) -> Door:
    """Return a merchant's way in, with a new key."""
    key = shop.engine.merchants.create_key(shop.merchant.id, livemode=livemode)
    return Door(shop=shop, client=an_app(shop, limits).test_client(), key=key)


def row_counter(db: Database) -> Callable[[], dict[str, int]]:
    """Return a function that counts the rows of every table."""
    tables = schema.metadata.tables
    counts = [select(literal(name), func.count()).select_from(table) for name, table in tables.items()]

    def count() -> dict[str, int]:
        rows = db.read(lambda tx: tx.execute(union_all(*counts)).all())
        return {str(row[0]): int(row[1]) for row in rows}

    return count


@pytest.fixture
def door(shop: Shop) -> Door:
    """Return the merchant's way in, with a test key."""
    return a_door(shop)


@pytest.fixture
def rows(db: Database) -> Callable[[], dict[str, int]]:
    """Return a function that counts the rows of every table."""
    return row_counter(db)


def an_order(**over: object) -> dict[str, object]:
    """Return the body of a create."""
    body: dict[str, object] = {
        "amount": "12.30",
        "currency": "USD",
        "reference": "order-1001",
        "success_url": f"{ORIGIN}/thanks",
    }
    return {name: value for name, value in {**body, **over}.items() if value is not ...}
