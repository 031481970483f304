"""What the SDK's tests share: a scripted gateway, a real one, and a client that does not really sleep between tries."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from hosted_checkout.app import create_app
from streampay import StreamPay
from tests.api.live import serving
from tests.cards.stage import CardShop, a_bank, a_card_shop
from tests.sdk.blocking import KINDS, a_client
from tests.sdk.live_gateway import LiveGateway, a_live_gateway
from tests.sdk.scripted_gateway import TEST_KEY, ScriptedGateway, running
from tests.sdk.worlds import Real


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    """Run a gateway that says what the test wrote down."""
    with running() as scripted:
        yield scripted


@pytest.fixture
def sleeps() -> list[float]:
    """Collect the seconds that the client would have slept."""
    return []


@pytest.fixture(params=KINDS)
def make_client(request: pytest.FixtureRequest, sleeps: list[float]) -> Iterator[Callable[..., StreamPay]]:
    """Return what makes clients, once sync ones and once async ones; they are closed at the end."""
    with ExitStack() as clients:
        yield lambda *args, **options: clients.enter_context(
            a_client(request.param, *args, sleep=sleeps.append, **options)
        )


@pytest.fixture
def client(gateway: ScriptedGateway, make_client: Callable[..., StreamPay]) -> StreamPay:
    """Return a client of the scripted gateway."""
    return make_client(TEST_KEY, base_url=gateway.base_url, timeout_s=5)


@pytest.fixture(scope="module")
def live_gateway(create_database: Callable[[str], str]) -> Iterator[LiveGateway]:
    """Serve the real gateway for a module: `base_url` and `api_key`."""
    with a_live_gateway(create_database("sqlite")) as live:
        yield live


@pytest.fixture(scope="module")
def cards(create_database: Callable[[str], str]) -> Iterator[CardShop]:
    """Open a shop that takes cards."""
    url = create_database("sqlite")
    database = open_database(url)
    upgrade(database)
    database.close()
    with a_bank() as bank, a_card_shop(url, bank) as shop:
        yield shop


@pytest.fixture(params=KINDS)
def live_client(request: pytest.FixtureRequest, live_gateway: LiveGateway) -> Iterator[StreamPay]:
    """Return a client of the real gateway."""
    with a_client(request.param, live_gateway.api_key, base_url=live_gateway.base_url) as streampay:
        yield streampay


@pytest.fixture(scope="module")
def real(cards: CardShop) -> Iterator[Real]:
    """Serve the real gateway, with people who do things to it."""
    key = cards.engine.merchants.create_key(cards.owner.merchant_id, livemode=False)
    with serving(create_app(cards.house)) as url, StreamPay(key, base_url=url) as client:
        yield Real(cards, client)
