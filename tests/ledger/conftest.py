"""A migrated database of every kind, one for a module or one for a test, with a journal over it."""

from collections.abc import Callable, Iterator

import pytest

from gateway.ledger.sealing import seal
from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from tests.ledger.books import Books, a_receipt, books_over, open_by_force


@pytest.fixture(scope="session")
def empty_books_url(database_kind: str, create_database: Callable[[str], str]) -> str:
    """Return the URL of a migrated, empty database to copy from."""
    url = create_database(database_kind)
    db = open_database(url)
    upgrade(db)
    db.close()
    return url


@pytest.fixture(scope="module")
def opened_books(empty_books_url: str, copy_database: Callable[[str], str]) -> Iterator[Books]:
    """Return books of three sealed entries of 7 in three blocks that stand open to forgers; tests undo what they do."""
    db = open_database(copy_database(empty_books_url))
    books = books_over(db)
    for _ in range(3):
        books.post(a_receipt(7))
        seal(db, books.clock)
    open_by_force(db)
    yield books
    db.close()


@pytest.fixture
def books(empty_books_url: str, copy_database: Callable[[str], str]) -> Iterator[Books]:
    """Return empty books on a database of this test's own."""
    db = open_database(copy_database(empty_books_url))
    yield books_over(db)
    db.close()
