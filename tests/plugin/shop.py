"""A shop with the plugin, on every kind of store, and what the gateway says about its order."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text

from streampay import ConnectionFailed, StreamPay
from streampay._http import HttpRequest, HttpResponse
from streampay.gateway import HookCall, Hooks, Order, OrderStore, PaymentGateway, SqliteOrderStore
from streampay.gateway.sqlalchemy import SqlAlchemyOrderStore
from tests.sdk.objects import EVENT, PAYMENT, SECRET, signed_headers

KEY = "sk_test_0123456789abcdef"
ORDER = Order(id="order-1001", amount="12.30", currency="USD")


def payment(version: int = 1, status: str = "open", *, number: int = 1, **over: Any) -> dict[str, Any]:
    """Return a payment of the order as the gateway would show it; `number` tells its tries apart."""
    own = {"id": f"pay_{number:026d}", "session": f"cs_{number:026d}", "version": version, "status": status}
    return PAYMENT | own | {"amount_refunded": "0.00"} | over


def event(about: dict[str, Any], *, number: int = 1, kind: str = "payment.succeeded") -> tuple[bytes, dict[str, str]]:
    """Return a signed delivery."""
    body = json.dumps(EVENT | {"id": f"evt_{number:026d}", "type": kind, "data": {"object": about, "previous": None}})
    return body.encode(), signed_headers(body.encode(), message_id=f"evt_{number:026d}")


class ScriptedGateway:
    """Stands for the gateway's API where a test is about what it says: answers with the payments it is given."""

    def __init__(self, payments: Sequence[dict[str, Any]] = ()) -> None:
        self.payments = list(payments)
        self.sent: list[HttpRequest] = []
        self.is_away = False

    def send(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        if self.is_away:
            raise ConnectionFailed("nobody answers", code="connection_failed", should_retry=False)
        path = request.url.partition("://")[2].partition("/")[2].partition("?")[0]
        if path == "v1/payments":
            return _answer({"object": "list", "data": self.payments, "has_more": False})
        if path.startswith("v1/payments/"):
            found = [one for one in self.payments if one["id"] == path.rpartition("/")[2]]
            return _answer(found[-1]) if found else _answer({"status": 404, "code": "not_found", "title": "No"}, 404)
        if path.endswith("/expire"):
            return _answer({"status": 409, "code": "session_not_open", "title": "It is over."}, 409)
        raise AssertionError(f"nobody said what to answer to {path}")

    def close(self) -> None:
        """Nothing is open."""


def _answer(body: dict[str, Any], status: int = 200) -> HttpResponse:
    return HttpResponse(status=status, headers={"content-type": "application/json"}, body=json.dumps(body).encode())


class Told:
    """Writes down each hook in the store's own transaction, as a warehouse would."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._execute("CREATE TABLE told (name VARCHAR(200) NOT NULL)")

    def hooks(self) -> Hooks:
        names = ("paid", "pending", "failed", "expired", "refunded", "disputed", "review")
        return Hooks(**{f"on_{name}": self._write for name in names})

    def names(self) -> list[str]:
        """Return what was done, as `hook/subject`, in order."""
        if self._url.startswith("sqlite-file:"):
            db = sqlite3.connect(self._url.partition(":")[2])
            rows = [row[0] for row in db.execute("SELECT name FROM told ORDER BY rowid")]
            db.close()
            return rows
        engine = create_engine(self._url)
        with engine.connect() as connection:
            rows = list(connection.scalars(text("SELECT name FROM told")))
        engine.dispose()
        return rows

    def kinds(self) -> list[str]:
        return sorted(name.partition("/")[0] for name in self.names())

    def _write(self, call: HookCall) -> None:
        name = f"{call.hook}/{call.subject}"
        if isinstance(call.tx, Connection):
            call.tx.execute(text("INSERT INTO told VALUES (:name)"), {"name": name})
        elif isinstance(call.tx, sqlite3.Connection):
            call.tx.execute("INSERT INTO told VALUES (?)", (name,))
        else:  # Django's
            call.tx.cursor().execute("INSERT INTO told VALUES (%s)", [name])

    def _execute(self, statement: str) -> None:
        if self._url.startswith("sqlite-file:"):
            db = sqlite3.connect(self._url.partition(":")[2])
            db.execute(statement)
            db.commit()
            db.close()
            return
        engine = create_engine(self._url)
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()


class Shop:
    """One shop: its store, its plugin, what its hooks did, and the gateway's side."""

    def __init__(self, store: OrderStore, told: Told) -> None:
        self.store = store
        self.told = told
        self.gateway = ScriptedGateway()
        client = StreamPay(KEY, base_url="http://127.0.0.1:1", transport=self.gateway)
        self.plugin = PaymentGateway(client, store, secrets=[SECRET], hooks=told.hooks())

    def expect(self, order: Order = ORDER, *, number: int = 1) -> None:
        """Make the order known, with the session of this number as its newest."""
        self.store.add(order)
        with self.store.locked(order.id) as tx:
            assert tx.record is not None
            made = payment(number=number)
            tx.save(replace(tx.record, tries=number, session_id=made["session"], payment_id=made["id"]))

    def status(self, order_id: str = ORDER.id) -> str:
        record = self.store.load(order_id)
        assert record is not None
        return str(record.status)

    def hear(self, about: dict[str, Any], *, number: int) -> int:
        return self.plugin.handle_webhook(*event(about, number=number)).status_code


@contextmanager
def a_shop(kind: str, folder: Path, create_database: Callable[[str], str]) -> Iterator[Shop]:
    """Open a shop on a kind of store: `sqlite`, or another library's on a database, such as `django-postgresql`."""
    if kind == "sqlite":
        path = folder / "orders.db"
        yield Shop(SqliteOrderStore(path), Told(f"sqlite-file:{path}"))
        return
    url = create_database(kind.partition("-")[2])
    if kind.startswith("django-"):
        from tests.plugin import django_project

        with django_project.a_database(url, "streampay") as alias:
            yield Shop(django_project.a_store(alias), Told(url))
        return
    engine = create_engine(url, pool_size=16)
    store = SqlAlchemyOrderStore(engine)
    store.create_tables()
    try:
        yield Shop(store, Told(url))
    finally:
        engine.dispose()


STORES = (
    "sqlite",
    "sqlalchemy-sqlite",
    "sqlalchemy-postgresql",
    "sqlalchemy-mariadb",
    "django-sqlite",
    "django-postgresql",
    "django-mariadb",
)
