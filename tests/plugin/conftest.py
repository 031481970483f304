"""A shop on every kind of store, and the real gateway."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.plugin.door import a_gateway
from tests.plugin.shop import STORES, Shop, a_shop


@pytest.fixture(params=STORES)
def shop(request: pytest.FixtureRequest, tmp_path: Path, create_database: Callable[[str], str]) -> Iterator[Shop]:
    """Open a shop of its own for a test."""
    with a_shop(request.param, tmp_path, create_database) as opened:
        yield opened


@pytest.fixture(scope="module")
def door(create_database: Callable[[str], str]) -> Iterator[str]:
    """Serve the real gateway for a module; account.py opens accounts at this door."""
    with a_gateway(create_database) as opened:
        yield opened
