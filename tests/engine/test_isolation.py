"""Two merchants in one house, and two modes of one merchant, never meet."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from gateway.domain.merchants import MerchantSettings
from gateway.engine.idempotency import Intent
from gateway.engine.paging import PageRequest
from gateway.engine.records import Owner
from gateway.kernel.errors import AuthenticationError, ConflictError, NotFoundError
from gateway.storage.database import Database
from tests.engine.paper import NETWORK, Shop, a_session, reply_field


class Scene:
    """A merchant with one paid order, one open order and one unmatched transfer, and a stranger who knows all ids."""

    def __init__(self, db: Database) -> None:
        self.shop = Shop(db)
        self.paid, self.open = self.shop.session("12.30"), self.shop.session("11.00")
        attempt = self.shop.engine.attempts.choose(self.paid, "sol")
        self.attempt = self.shop.engine.attempts.choose(self.open, "sol")
        self.shop.engine.observations.observe(
            [self.shop.observation(attempt.due.atomic, attempt.reference_key), self.shop.observation(77)]
        )
        (waiting,) = self.shop.engine.unmatched.page(self.shop.owner, PageRequest(), status="unmatched").data
        self.transfer: str = waiting["id"]


@pytest.fixture
def scene(db: Database) -> Scene:
    return Scene(db)


@pytest.fixture(params=["another merchant", "the same merchant in live mode"])
def stranger(request: pytest.FixtureRequest, scene: Scene, db: Database) -> Owner:
    """Return who may see nothing of the scene."""
    if request.param == "another merchant":
        return Shop(db).owner
    return Owner(merchant_id=scene.shop.merchant.id, livemode=True)


def intent(owner: Owner) -> Intent:
    return Intent(owner=owner, route="POST /v1/test", key=None, request_hash="")


REACHES: dict[str, Callable[[Scene, Owner], object]] = {
    "retrieve a session": lambda it, who: it.shop.engine.sessions.retrieve(who, it.open.id),
    "expire a session": lambda it, who: it.shop.engine.sessions.expire(intent(who), it.open.id),
    "retrieve a payment": lambda it, who: it.shop.engine.payments.retrieve(who, it.paid.payment_id),
    "match his transfer to his payment": lambda it, who: it.shop.engine.unmatched.match(
        intent(who), it.transfer, it.open.payment_id
    ),
}


@pytest.mark.parametrize("verb", REACHES)
def test_a_foreign_id_is_not_found_and_nothing_changes(scene: Scene, stranger: Owner, verb: str) -> None:
    with pytest.raises(NotFoundError) as foreign:
        REACHES[verb](scene, stranger)
    assert scene.open.payment_id not in foreign.value.message
    assert scene.shop.payment(scene.open)["status"] == "open"
    assert scene.shop.reload(scene.open.token).status == "open"


@pytest.mark.parametrize("verb", REACHES)
def test_the_owner_himself_reaches_all_of_it(scene: Scene, verb: str) -> None:
    assert REACHES[verb](scene, scene.shop.owner)


def test_a_foreign_object_reads_like_one_that_does_not_exist(scene: Scene, stranger: Owner) -> None:
    told = []
    for wanted in (scene.open.id, "cs_01kavk3b0000000000000000"):
        with pytest.raises(NotFoundError) as caught:
            scene.shop.engine.sessions.retrieve(stranger, wanted)
        told.append((caught.value.message, caught.value.code, caught.value.param, caught.value.object_id))
    assert told[0] == told[1]


def test_lists_and_books_of_a_stranger_are_empty(scene: Scene, stranger: Owner) -> None:
    engine, page = scene.shop.engine, PageRequest(limit=100)
    assert engine.sessions.page(stranger, page, status=None, reference=None).data == []
    assert engine.payments.page(stranger, page, status=None, reference=None).data == []
    assert engine.unmatched.page(stranger, page, status=None).data == []
    journal = scene.shop.core.journal
    assert scene.shop.db.read(lambda tx: journal.balances(tx, stranger.merchant_id, stranger.livemode)) == []
    cursor = PageRequest(limit=100, starting_after=scene.open.id)
    assert engine.sessions.page(stranger, cursor, status=None, reference=None).data == []


def test_a_transfer_cannot_be_matched_to_a_strangers_payment(scene: Scene, db: Database) -> None:
    other = Scene(db)
    for transfer, payment, owner in (
        (scene.transfer, other.open.payment_id, scene.shop.owner),
        (other.transfer, scene.open.payment_id, scene.shop.owner),
    ):
        with pytest.raises(NotFoundError):
            scene.shop.engine.unmatched.match(intent(owner), transfer, payment)


def test_money_that_names_a_strangers_order_is_not_told_of_it(scene: Scene, db: Database) -> None:
    """Whoever pays A with the reference of B's order must not make A's queue show B's payment."""
    other = Shop(db)
    other.engine.observations.observe([other.observation(scene.attempt.due.atomic, scene.attempt.reference_key)])
    (waiting,) = other.engine.unmatched.page(other.owner, PageRequest(), status="unmatched").data
    assert (waiting["reason"], waiting["suggestions"]) == ("unknown_reference", [])
    assert scene.shop.payment(scene.open)["status"] == "open"


def test_one_idempotency_key_of_two_owners_is_two_intents(scene: Scene, stranger: Owner) -> None:
    new = a_session("5.00", "USD", "order-7")
    first = scene.shop.engine.sessions.create(
        Intent(owner=scene.shop.owner, route="r", key="same", request_hash="h"), new
    )
    second = scene.shop.engine.sessions.create(Intent(owner=stranger, route="r", key="same", request_hash="other"), new)
    assert (first.is_replay, second.is_replay) == (False, False)
    assert reply_field(first, "id") != reply_field(second, "id")


def test_nobody_takes_a_strangers_receiving_address(scene: Scene, db: Database) -> None:
    other = Shop(db)
    with pytest.raises(ConflictError):
        other.engine.merchants.set_wallet(other.owner, "solana", scene.shop.wallet)
    (kept,) = {one["address"] for one in other.engine.merchants.wallets(other.owner)}
    assert kept == other.wallet, "nothing changed"


def test_a_test_order_offers_only_the_test_network(scene: Scene) -> None:
    live = Owner(merchant_id=scene.shop.merchant.id, livemode=True)
    settings = MerchantSettings()
    offers = scene.shop.engine.attempts.offers(scene.shop.owner, scene.open.amount, settings)
    assert {offer.method.network for offer in offers} == {NETWORK}
    assert scene.shop.engine.attempts.offers(live, scene.open.amount, settings) == []


def test_a_key_opens_only_its_own_merchant_and_mode(scene: Scene) -> None:
    merchants = scene.shop.engine.merchants
    for livemode in (False, True):
        principal = merchants.authenticate(merchants.create_key(scene.shop.merchant.id, livemode=livemode))
        assert principal.owner == Owner(merchant_id=scene.shop.merchant.id, livemode=livemode)


def test_rolling_a_key_never_brings_an_ended_one_back(shop: Shop) -> None:
    merchants = shop.engine.merchants
    old = merchants.create_key(shop.merchant.id, livemode=False)
    key_id = merchants.authenticate(old).key_id
    new = merchants.roll_key(key_id)
    assert merchants.authenticate(old).key_id == key_id, "the grace"
    shop.clock.advance(timedelta(hours=25))
    with pytest.raises(AuthenticationError):
        merchants.authenticate(old)
    merchants.roll_key(key_id)
    with pytest.raises(AuthenticationError):
        merchants.authenticate(old)
    assert merchants.authenticate(new).owner == shop.owner
    merchants.revoke_key(merchants.authenticate(new).key_id)
    with pytest.raises(AuthenticationError):
        merchants.authenticate(new)
