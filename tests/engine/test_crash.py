"""A crash between every two commits of a shopper's way, and whoever repeats what he knows ends where nobody crashed."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.domain.chain import ChainObservation
from gateway.domain.words import TransferStage
from gateway.engine.engine import Engine
from gateway.kernel.errors import ConflictError
from gateway.ledger.journal import Journal
from gateway.ledger.proof import verify
from gateway.storage import schema
from gateway.storage.database import Database, Result, Tx
from tests.engine.paper import Shop, a_session, lamports, reply_field
from tests.engine.world import Landed, World


class CrashError(BaseException):
    """The process is gone."""


@dataclass
class MortalDatabase:
    """A database whose process dies at its n-th commit: just before it, or just after, before anybody is told."""

    real: Database
    dies_at: int
    is_after: bool
    commits: int = 0

    @property
    def dialect(self) -> str:
        return self.real.dialect

    def write(self, verb: Callable[[Tx], Result]) -> Result:
        return self._mortally(lambda: self.real.write(verb))

    def write_at_once(self, verb: Callable[[Tx], Result]) -> Result:
        return self._mortally(lambda: self.real.write_at_once(verb))

    def _mortally(self, commit: Callable[[], Result]) -> Result:
        self.commits += 1
        if self.commits == self.dies_at and not self.is_after:
            raise CrashError
        result = commit()
        if self.commits == self.dies_at:
            raise CrashError
        return result

    def read(self, query: Callable[[Tx], Result]) -> Result:
        return self.real.read(query)


@dataclass
class Story:
    """What shoppers, chain and staff do; every step may be repeated, as each of them would after an error."""

    shop: Shop
    chain: dict[str, ChainObservation] = field(default_factory=dict)

    def tell(self, engine: Engine) -> None:
        paid = self._order(engine, "paid", "12.30")
        self._submit(engine, paid)
        self._report(engine, "one", lamports("0.0615"), paid, TransferStage.CONFIRMED)
        self._report(engine, "one", lamports("0.0615"), paid, TransferStage.FINAL)
        short = self._order(engine, "short", "10.00")
        self._report(engine, "two", lamports("0.04"), short, TransferStage.FINAL)
        self._report(engine, "three", lamports("0.02"), short, TransferStage.FINAL)
        matched = self._order(engine, "matched", "11.00")
        self._report(engine, "stray", lamports("0.055"), None, TransferStage.FINAL)
        self._match(engine, matched)
        canceled = self._order(engine, "canceled", "9.00")
        engine.sessions.expire(self.shop.intent("expire"), canceled)

    def _order(self, engine: Engine, name: str, amount: str) -> str:
        reply = engine.sessions.create(self.shop.intent(f"create {name}"), a_session(amount, "USD", name))
        session = self.shop.reload(reply_field(reply, "url").rsplit("/", 1)[1])
        try:
            engine.attempts.choose(session, "sol")
        except ConflictError:
            assert self.shop.payment(session)["status"] in {"paid", "confirming", "canceled"}, "over, so it was chosen"
        return session.id

    def _submit(self, engine: Engine, session_id: str) -> None:
        session = self._session(session_id)
        try:
            engine.wallets.submit(session, "signed bytes")
        except ConflictError:
            assert self.shop.payment(session)["status"] != "open", "nothing is due any more"

    def _session(self, session_id: str) -> Any:
        retrieved = self.shop.engine.sessions.retrieve(self.shop.owner, session_id)
        return self.shop.reload(str(retrieved["url"]).rsplit("/", 1)[1])

    def _report(
        self, engine: Engine, signature: str, amount: int, session_id: str | None, stage: TransferStage
    ) -> None:
        if signature not in self.chain:
            references = []
            if session_id is not None:
                shown = self.shop.engine.checkout.page(self._session(session_id).token).attempt
                assert shown is not None
                references.append(shown.reference_key)
            self.chain[signature] = self.shop.observation(amount, *references, signature=signature)
        engine.observations.observe([replace(self.chain[signature], stage=stage)])

    def _match(self, engine: Engine, session_id: str) -> None:
        table = schema.chain_transfer
        query = table.select().where(table.c.signature == "stray")
        row = self.shop.db.read(lambda tx: tx.execute(query).mappings().one())
        engine.unmatched.match(self.shop.intent("match"), row["id"], self._session(session_id).payment_id)


def engine_over(shop: Shop, db: Database | MortalDatabase) -> Engine:
    core = replace(shop.core, db=db, journal=Journal(shop.ids, shop.clock))  # type: ignore[arg-type]  # a double of it
    return Engine(core, shop.endpoints)


def end_of(shop: Shop, story: Story) -> object:
    """Return all that matters at the end, without ids; and prove that it is sound."""
    world = World(shop.db, shop)
    world.chain = [Landed(what) for what in story.chain.values()]
    world.check()
    assert shop.db.snapshot(verify).is_clean
    payments = Counter(
        (row["status"], row["amount_received"], str(row["exceptions"])) for row in world.rows(schema.payment)
    )
    sessions = Counter(row["status"] for row in world.rows(schema.checkout_session))
    operations = Counter((row["status"], row["provider_reference"]) for row in world.rows(schema.operation))
    return payments, sessions, operations, shop.books(), shop.event_types()


def test_a_crash_around_any_commit_changes_nothing_of_the_end(fresh: Callable[[], Database]) -> None:
    calm = Shop(fresh())
    counting = MortalDatabase(calm.db, dies_at=0, is_after=False)
    story = Story(calm)
    story.tell(engine_over(calm, counting))
    wanted = end_of(calm, story)
    assert counting.commits > 12, "a story worth crashing"
    for commit in range(1, counting.commits + 1):
        for is_after in (False, True):
            shop = Shop(fresh())
            story = Story(shop)
            died = False
            try:
                story.tell(engine_over(shop, MortalDatabase(shop.db, dies_at=commit, is_after=is_after)))
            except CrashError:
                died = True
            assert died
            story.tell(engine_over(shop, shop.db))
            assert end_of(shop, story) == wanted, f"commit {commit}, {'after' if is_after else 'before'} it"
