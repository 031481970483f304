"""The dashboard as production serves it, over a shop that collects for charities, on a database of every kind."""

from collections.abc import Callable, Iterator

import pytest

from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from sandbox.test_bank.server import RunningBank
from tests.cards.stage import a_bank
from tests.dashboard.stage import Desk
from tests.widget.stage import Campaigns, campaigns


@pytest.fixture(scope="session")
def migrated_url(database_kind: str, create_database: Callable[[str], str]) -> str:
    """Return a database of this kind with every table; tests share it, each with a merchant of its own."""
    url = create_database(database_kind)
    database = open_database(url)
    upgrade(database)
    database.close()
    return url


@pytest.fixture(scope="module")
def bank() -> Iterator[RunningBank]:
    with a_bank() as running:
        yield running


@pytest.fixture
def shop(migrated_url: str, bank: RunningBank) -> Iterator[Campaigns]:
    """Return a merchant nobody else has."""
    with campaigns(migrated_url, bank) as opened:
        yield opened


@pytest.fixture
def desk(shop: Campaigns) -> Desk:
    """Return a browser at the dashboard of this merchant, not yet let in."""
    return Desk(shop)
