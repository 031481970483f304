"""Wallets: bytes are committed before they are sent, sent again byte for byte, and only the chain closes them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from gateway.domain.ports import SignatureState, SignedTransfer, TransferRequest
from gateway.domain.words import TransferStage
from gateway.engine.core import Core
from gateway.engine.engine import Engine
from gateway.engine.records import SessionRecord
from gateway.kernel.errors import (
    ConflictError,
    DeclinedError,
    ErrorCode,
    InvalidRequestError,
    TemporaryError,
    UnknownOutcomeError,
)
from gateway.storage import schema
from tests.engine.paper import Shop

TEMPORARY = TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, "The node is busy.")
DECLINED = DeclinedError(ErrorCode.PROVIDER_DECLINED, "Too little balance.")
UNKNOWN = UnknownOutcomeError(ErrorCode.OUTCOME_UNKNOWN, "No answer.")
PATIENCE = timedelta(seconds=11)


class CrashError(BaseException):
    """The process dies here."""


@dataclass
class Till:
    """A shop with one chosen method, and what its only payment's operations say."""

    shop: Shop
    session: SessionRecord

    def submit(self, payload: str = "bytes") -> str:
        """Send bytes of this order: a signature is unique in the world, and tests share a database."""
        return self.shop.engine.wallets.submit(self.shop.reload(self.session.token), f"{payload} {self.session.id}")

    def sent(self) -> list[str]:
        """Return what went to the node for this order."""
        return [
            one.removesuffix(f" {self.session.id}") for one in self.shop.processor.broadcasts if self.session.id in one
        ]

    def operations(self) -> list[tuple[str, str | None]]:
        table = schema.operation
        query = select(table.c.status, table.c.reason).where(table.c.payment_id == self.session.payment_id)
        rows = self.shop.db.read(lambda tx: tx.execute(query.order_by(table.c.id)).all())
        return [(row.status, row.reason) for row in rows]

    def chain_says(
        self, signature: str, *, stage: TransferStage | None = None, failed: bool = False, height: int = 0
    ) -> None:
        state = SignatureState(stage=stage, has_failed=failed, finalized_height=height)
        self.shop.processor.states[signature] = state

    def later(self, wait: timedelta = PATIENCE) -> None:
        self.shop.clock.advance(wait)
        self.shop.engine.wallets.reconcile()

    def exceptions(self) -> object:
        return self.shop.payment(self.session)["exceptions"]

    def observe(self, signature: str) -> None:
        attempt = self.shop.engine.checkout.page(self.session.token).attempt
        assert attempt is not None
        self.shop.engine.observations.observe(
            [self.shop.observation(attempt.due.atomic, attempt.reference_key, signature=signature)]
        )


@pytest.fixture
def till(shop: Shop) -> Till:
    session = shop.session()
    shop.engine.attempts.choose(session, "sol")
    return Till(shop, shop.reload(session.token))


def test_signed_bytes_are_sent_and_the_chain_closes_the_operation(till: Till) -> None:
    signature = till.submit()
    assert till.operations() == [("submitted", None)]
    till.observe(signature)
    assert till.operations() == [("succeeded", None)]
    assert till.shop.payment(till.session)["status"] == "paid"


def test_the_same_bytes_twice_are_one_operation(till: Till) -> None:
    assert till.submit() == till.submit()
    assert till.operations() == [("submitted", None)]
    assert till.sent() == ["bytes", "bytes"]


@pytest.mark.parametrize("chosen", [None, "usdc"], ids=["nothing", "another coin"])
def test_what_another_tab_chose_while_bytes_were_checked_is_a_conflict_and_nothing_is_sent(
    till: Till, monkeypatch: pytest.MonkeyPatch, chosen: str | None
) -> None:
    check = till.shop.processor.check_signed

    def choose_meanwhile(request: TransferRequest, payload: str) -> SignedTransfer:
        table = schema.checkout_session
        row = update(table).where(table.c.id == till.session.id).values(attempt_id=None)
        till.shop.db.write(lambda tx: tx.execute(row))
        if chosen is not None:
            till.shop.engine.attempts.choose(till.shop.reload(till.session.token), chosen)
        return check(request, payload)

    monkeypatch.setattr(till.shop.processor, "check_signed", choose_meanwhile)
    with pytest.raises(ConflictError, match="Nothing can be paid here now"):
        till.submit()
    assert (till.operations(), till.sent()) == ([], [])


@pytest.mark.parametrize("failure", [TEMPORARY, DECLINED], ids=["temporary", "declined"])
def test_a_first_refusal_means_that_nothing_was_sent_and_nothing_will_be(till: Till, failure: Exception) -> None:
    """The shopper was told so and may sign again; sending the first bytes later would make him pay twice."""
    till.shop.processor.failure = failure
    with pytest.raises(type(failure)):
        till.submit()
    assert [status for status, _ in till.operations()] == ["rejected"]
    till.shop.processor.failure = None
    till.later()
    assert till.sent() == ["bytes"]
    till.submit("other bytes")
    assert [status for status, _ in till.operations()] == ["rejected", "submitted"]


def test_an_unknown_outcome_is_no_error_shows_itself_and_is_sent_again_byte_for_byte(till: Till) -> None:
    till.shop.processor.failure = UNKNOWN
    signature = till.submit()
    assert [status for status, _ in till.operations()] == ["unknown"]
    assert till.exceptions() == ["unknown_operation"]
    till.shop.processor.failure = None
    till.later()
    assert till.sent() == ["bytes", "bytes"]
    assert (till.operations(), till.exceptions()) == ([("submitted", None)], [])
    till.observe(signature)
    assert till.operations() == [("succeeded", None)]


@pytest.mark.parametrize("failure", [TEMPORARY, DECLINED], ids=["temporary", "declined"])
def test_a_later_refusal_does_not_close_what_may_have_landed_before(till: Till, failure: Exception) -> None:
    till.shop.processor.failure = UNKNOWN
    till.submit()
    till.shop.processor.failure = failure
    till.later()
    with pytest.raises(type(failure)):
        till.submit()
    assert [status for status, _ in till.operations()] == ["unknown"]
    assert till.exceptions() == ["unknown_operation"]


def test_an_unknown_outcome_blocks_other_bytes_and_calling_off_until_the_chain_decides(till: Till) -> None:
    till.shop.processor.failure = UNKNOWN
    signature = till.submit()
    with pytest.raises(ConflictError) as caught:
        till.submit("other bytes")
    assert caught.value.code is ErrorCode.OUTCOME_UNKNOWN
    with pytest.raises(ConflictError):
        till.shop.engine.sessions.expire(till.shop.intent(), till.session.id)
    assert till.sent() == ["bytes"]
    till.chain_says(signature, height=151)
    till.later()
    assert (till.operations(), till.exceptions()) == ([("rejected", "never_seen")], [])
    till.submit("other bytes")
    till.chain_says(f"sig-other bytes {till.session.id}", height=151)
    till.later()
    till.shop.engine.sessions.expire(till.shop.intent(), till.session.id)


def test_bytes_that_can_still_land_are_not_given_up(till: Till) -> None:
    till.chain_says(till.submit(), height=150)
    till.later(timedelta(hours=1))
    assert [status for status, _ in till.operations()] == ["submitted"]


def test_a_transfer_that_failed_on_the_chain_is_rejected(till: Till) -> None:
    till.chain_says(till.submit(), stage=TransferStage.CONFIRMED, failed=True)
    till.later()
    assert till.operations() == [("rejected", "failed_on_chain")]


def reborn(shop: Shop) -> Engine:
    """Return what a new process builds over the same database."""
    core = Core(
        db=shop.db, clock=shop.clock, ids=shop.ids, journal=shop.core.journal, rates=shop.rates,
        processors={"solana": shop.processor}, base_url=shop.core.base_url,
    )  # fmt: skip
    return Engine(core, shop.endpoints)


@pytest.mark.parametrize("is_sent", [False, True], ids=["before the bytes left", "after the bytes left"])
def test_a_crash_while_sending_leaves_bytes_that_a_new_engine_sends_again(
    till: Till, monkeypatch: pytest.MonkeyPatch, *, is_sent: bool
) -> None:
    send: Callable[[str, str], None] = till.shop.processor.broadcast

    def dies(network: str, payload: str) -> None:
        if is_sent:
            send(network, payload)
        raise CrashError

    with monkeypatch.context() as crash:
        crash.setattr(till.shop.processor, "broadcast", dies)
        with pytest.raises(CrashError):
            till.submit()
    assert till.operations() == [("reserved", None)]
    with pytest.raises(ConflictError):
        till.submit("other bytes")
    till.shop.clock.advance(PATIENCE)
    reborn(till.shop).wallets.reconcile()
    assert set(till.sent()) == {"bytes"}
    assert till.operations() == [("submitted", None)]
    till.observe(f"sig-bytes {till.session.id}")
    till.observe(f"sig-bytes {till.session.id}")
    assert till.shop.payment(till.session)["exceptions"] == []


def test_a_crash_before_the_bytes_were_committed_sends_nothing(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object) -> None:
        raise CrashError

    with monkeypatch.context() as crash:
        crash.setattr(till.shop.engine.wallets, "_reserve", dies)
        with pytest.raises(CrashError):
            till.submit()
    assert (till.operations(), till.sent()) == ([], [])


def test_a_signature_that_reached_another_order_still_clears_its_payments_alarm(till: Till) -> None:
    till.shop.processor.failure = UNKNOWN
    signature = till.submit()
    till.shop.engine.observations.observe([till.shop.observation(5, signature=signature)])
    assert (till.operations(), till.exceptions()) == ([("succeeded", None)], [])


def test_a_hint_proves_nothing_and_is_given_up_when_no_chain_knows_it(till: Till) -> None:
    till.shop.engine.wallets.hint(till.session, f"claimed {till.session.id}")
    till.shop.engine.wallets.hint(till.session, f"claimed {till.session.id}")
    assert till.operations() == [("submitted", None)]
    assert till.shop.payment(till.session)["status"] == "open"
    till.later(timedelta(minutes=11))
    assert till.operations() == [("rejected", "never_seen")]


def test_a_final_signature_that_paid_nobody_is_not_asked_about_for_ever(till: Till) -> None:
    stranger = f"a stranger's {till.session.id}"
    till.shop.engine.wallets.hint(till.session, stranger)
    till.chain_says(stranger, stage=TransferStage.FINAL)
    till.later()
    assert till.operations() == [("submitted", None)], "the monitor may be slow"
    till.later(timedelta(minutes=11))
    assert till.operations() == [("rejected", "no_effect")]


def test_a_page_cannot_name_more_signatures_than_a_wallet_needs(till: Till) -> None:
    for number in range(20):
        till.shop.engine.wallets.hint(till.session, f"claim-{number}-{till.session.id}")
    with pytest.raises(InvalidRequestError):
        till.shop.engine.wallets.hint(till.session, f"claim-20-{till.session.id}")


def test_a_node_that_does_not_answer_sends_its_operation_to_the_end_of_the_queue(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.submit()

    def busy(*_: object) -> SignatureState:
        raise TEMPORARY

    asked = select(schema.operation.c.updated_at).where(schema.operation.c.payment_id == till.session.payment_id)
    before = till.shop.db.read(lambda tx: tx.scalar(asked))
    assert before is not None
    monkeypatch.setattr(till.shop.processor, "signature_state", busy)
    till.later()
    assert till.shop.db.read(lambda tx: tx.scalar(asked)) == before + PATIENCE
    assert till.operations() == [("submitted", None)]


def test_nothing_can_be_sent_for_a_payment_that_takes_no_money(till: Till) -> None:
    till.observe(f"done {till.session.id}")
    with pytest.raises(ConflictError):
        till.submit()
    with pytest.raises(ConflictError):
        till.shop.engine.wallets.build(till.shop.reload(till.session.token), "payer")
