"""What the outbox's tests share: a migrated database of each kind, a merchant's events and endpoints, a receiver."""

import itertools
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway.domain.events import Event, EventType
from gateway.kernel.clock import ManualClock
from gateway.kernel.ids import RandomIds
from gateway.keys.secrets import SecretBox
from gateway.keys.tokens import new_webhook_secret
from gateway.outbox import events
from gateway.outbox.delivery import Dispatcher, DispatchPolicy
from gateway.outbox.endpoints import Endpoints
from gateway.outbox.guard import OutboundPolicy
from gateway.outbox.http import GuardedHttp
from gateway.outbox.model import IssuedEndpoint
from gateway.storage.database import Database, open_database
from gateway.storage.migrate import upgrade
from gateway.storage.schema import delivery, outbox
from tests.outbox.receivers import Receiver, Tls, receiving

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
MERCHANT = "mer_01jd4k0000e008000000000001"
STRANGER = "mer_01jd4k0000e008000000000002"


@pytest.fixture(scope="module")
def migrated_url(database_kind: str, create_database: Callable[[str], str]) -> str:
    """Return an empty database of this kind at the newest revision; tests copy it."""
    url = create_database(database_kind)
    db = open_database(url)
    upgrade(db)
    db.close()
    return url


@pytest.fixture
def url(migrated_url: str, copy_database: Callable[[str], str]) -> str:
    return copy_database(migrated_url)


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    database = open_database(url)
    yield database
    database.close()


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """Return both ends of TLS: a certificate for `localhost` alone, by an authority of our own."""
    return Tls.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


class Shop:
    """A merchant at work: makes events and endpoints, runs dispatchers, and looks into the tables."""

    def __init__(self, db: Database, receiver: Receiver) -> None:
        self.db = db
        self.receiver = receiver
        self.clock = ManualClock(START)
        self.ids = RandomIds(self.clock)
        self.box = SecretBox(bytes(32))
        self.outbound = OutboundPolicy(allowed=frozenset({receiver.authority}))
        self.endpoints = Endpoints(
            box=self.box, clock=self.clock, ids=self.ids, new_secret=new_webhook_secret, policy=self.outbound
        )
        self._numbers = itertools.count(1)
        self._dispatchers: list[Dispatcher] = []
        self._https: list[GuardedHttp] = []

    def endpoint(self, path: str = "/hook", **over: Any) -> IssuedEndpoint:
        wanted: dict[str, Any] = {"livemode": False, "url": self.receiver.url(path), **over}
        merchant_id = wanted.pop("merchant_id", MERCHANT)
        return self.db.write(lambda tx: self.endpoints.create(tx, merchant_id, **wanted))

    def event(self, **over: Any) -> Event:
        number = next(self._numbers)
        values: dict[str, Any] = {
            "id": self.ids.new("evt"),
            "type": EventType.PAYMENT_SUCCEEDED,
            "merchant_id": MERCHANT,
            "livemode": False,
            "object_id": f"pay_{number:026}",
            "sequence": 1,
            "created_at": self.clock.now(),
            "data": {"object": "payment", "number": number, "note": "Größe ☃ \u2028"},
        }
        return Event(**{**values, **over})

    def append(self, count: int = 1, **over: Any) -> list[Event]:
        made = [self.event(**over) for _ in range(count)]

        def verb(tx: Any) -> None:
            for each in made:
                events.append(tx, each)

        self.db.write(verb)
        return made

    def trust(self, authority: str) -> None:
        """Allow-list one more host and port, before dispatchers are made."""
        self.outbound = OutboundPolicy(allowed=self.outbound.allowed | {authority})
        self.endpoints = replace(self.endpoints, policy=self.outbound)

    def dispatcher(
        self,
        *,
        deadline_s: float = 2.0,
        db: Database | None = None,
        tls: ssl.SSLContext | None = None,
        **policy: Any,
    ) -> Dispatcher:
        http = GuardedHttp(self.outbound, deadline_s=deadline_s, tls=tls)
        made = Dispatcher(
            db or self.db, self.box, self.clock, self.ids, http=http, policy=DispatchPolicy(**{"threads": 8, **policy})
        )
        self._dispatchers.append(made)
        self._https.append(http)
        return made

    def advance(self, **step: float) -> None:
        self.clock.advance(timedelta(**step))

    def outbox_rows(self) -> list[Any]:
        return list(self.db.read(lambda tx: tx.execute(select(outbox).order_by(outbox.c.event_id)).all()))

    def deliveries(self) -> list[Any]:
        return list(self.db.read(lambda tx: tx.execute(select(delivery).order_by(delivery.c.id)).all()))

    def count(self, table: Any) -> int:
        return int(self.db.read(lambda tx: tx.execute(select(func.count()).select_from(table)).scalar_one()))

    def close(self) -> None:
        self.receiver.released.set()
        for each in self._dispatchers:
            each.close()
        for http in self._https:
            http.close()


@pytest.fixture
def shop(db: Database, receiver: Receiver) -> Iterator[Shop]:
    made = Shop(db, receiver)
    yield made
    made.close()
