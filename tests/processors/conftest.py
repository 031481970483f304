"""The dev chain as a fixture of processor tests."""

from collections.abc import Iterator

import pytest

from tests.processors.solana_stage import Stage, a_stage


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Serve a fresh chain with a merchant on it."""
    stage = a_stage()
    yield stage
    stage.processor.close()
    stage.server.close()
