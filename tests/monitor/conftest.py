"""A lookout over a fresh chain and a fresh SQLite file; `every_database` for the monitor's SQL."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Table

from gateway.kernel.clock import ManualClock, to_micros
from gateway.storage.database import Tx, open_database
from gateway.storage.migrate import upgrade
from gateway.storage.schema import balance_audit, pending_signature, watch
from tests.monitor.lookout import Lookout, a_lookout
from tests.processors.solana_stage import Stage, a_stage


@pytest.fixture
def clock() -> ManualClock:
    """Return the one clock of chain and monitor."""
    return ManualClock()


@pytest.fixture
def stage(clock: ManualClock) -> Iterator[Stage]:
    """Return a stage whose merchant got his first SOL an hour ago."""
    stage = a_stage(clock=lambda: to_micros(clock.now()) // 1000)
    clock.advance(timedelta(hours=1))
    stage.chain.tick()
    yield stage
    stage.processor.close()
    stage.server.close()


@pytest.fixture(scope="session")
def empty_sqlite(create_database: Callable[[str], str]) -> str:
    """Return the URL of a migrated SQLite file, to be copied."""
    url = create_database("sqlite")
    database = open_database(url)
    upgrade(database)
    database.close()
    return url


@pytest.fixture
def lookout(
    stage: Stage, clock: ManualClock, empty_sqlite: str, copy_database: Callable[[str], str]
) -> Iterator[Lookout]:
    """Return a lookout on SQLite."""
    database = open_database(copy_database(empty_sqlite))
    yield a_lookout(stage, clock, database)
    database.close()


@pytest.fixture(scope="session")
def migrated_url(database_kind: str, create_database: Callable[[str], str]) -> str:
    """Return a database of this kind with every table; tests share it and find the monitor's tables empty."""
    url = create_database(database_kind)
    database = open_database(url)
    upgrade(database)
    database.close()
    return url


@pytest.fixture
def lookout_everywhere(stage: Stage, clock: ManualClock, migrated_url: str) -> Iterator[Lookout]:
    """Return a lookout, once on every database."""
    database = open_database(migrated_url)
    for table in (watch, pending_signature, balance_audit):
        database.write(partial(_empty, table=table))
    yield a_lookout(stage, clock, database)
    database.close()


def _empty(tx: Tx, *, table: Table) -> None:
    tx.execute(table.delete())
