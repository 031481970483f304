"""A migrated database of every kind, and a shop in it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.storage.database import Database, open_database
from gateway.storage.migrate import upgrade
from tests.engine.paper import Shop


@pytest.fixture(scope="session")
def migrated_url(database_kind: str, create_database: Callable[[str], str]) -> str:
    """Return a database of this kind with every table; tests share it, each with a merchant of its own."""
    url = create_database(database_kind)
    database = open_database(url)
    upgrade(database)
    database.close()
    return url


@pytest.fixture
def db(migrated_url: str) -> Iterator[Database]:
    """Open the shared database."""
    database = open_database(migrated_url)
    yield database
    database.close()


@pytest.fixture
def shop(db: Database) -> Shop:
    """Return a merchant nobody else has."""
    return Shop(db)


@pytest.fixture(scope="session")
def template(create_database: Callable[[str], str]) -> Path:
    """Return a migrated SQLite file that nobody has open."""
    url = create_database("sqlite")
    database = open_database(url)
    upgrade(database)
    database.close()
    return Path(url.removeprefix("sqlite:///"))


@pytest.fixture
def fresh(template: Path, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    """Return a maker of fresh migrated SQLite databases, each a copy of one file: far quicker than migrating."""
    opened: list[Database] = []

    def make() -> Database:
        file = shutil.copy(template, tmp_path / f"{len(opened)}.db")
        opened.append(open_database(f"sqlite:///{file}"))
        return opened[-1]

    yield make
    for database in opened:
        database.close()
