"""A migrated database of every kind, with a table of our own beside the gateway's."""

from collections.abc import Callable, Iterator

import pytest

from gateway.storage.database import Database, open_database
from gateway.storage.migrate import upgrade
from tests.storage.probe import probe


@pytest.fixture(scope="module")
def db(database_url: str) -> Iterator[Database]:
    """Open a migrated database of this kind; a module shares it."""
    database = open_database(database_url)
    upgrade(database)
    probe.metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def sqlite(create_database: Callable[[str], str]) -> Iterator[Database]:
    """Open a fresh SQLite file."""
    database = open_database(create_database("sqlite"))
    probe.metadata.create_all(database.engine)
    yield database
    database.close()
