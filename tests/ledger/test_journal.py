"""The journal on all three databases: posting once, in batches, in slots, and reading it back."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
import sqlalchemy as sa

from gateway.ledger.entries import Layer
from gateway.ledger.journal import AlreadyPostedError
from gateway.storage import schema
from gateway.storage.database import Tx
from tests.ledger.books import AVAILABLE, HOT, MERCHANT, NOW, PENDING, Books, a_receipt, books_over, legs


@pytest.mark.parametrize("amount", [1, 10**18, 10**60])
def test_an_entry_is_read_back_exactly(books: Books, amount: int) -> None:
    moves = (*legs((HOT, amount), (AVAILABLE, -amount)), *legs((HOT, -3), (PENDING, 3), layer=Layer.PENDING))
    draft = a_receipt(legs=moves, rates={"num": "13333", "den": "100", "source": "median ä"}, livemode=True)
    entry_id = books.post(draft)
    (entry,) = books.db.read(lambda tx: books.journal.entries(tx, MERCHANT, True, limit=10))  # noqa: FBT003 - live mode
    assert (entry.id, entry.kind, entry.subject_id, entry.rates) == (entry_id, "receipt", "pay_one", draft.rates)
    assert (entry.subject_version, entry.reverses_id) == (draft.subject_version, None)
    assert (entry.effective_at, entry.recorded_at) == (NOW, books.clock.now())
    assert [(leg.account, leg.money, leg.layer) for leg in entry.legs] == [
        (leg.account, leg.money, leg.layer) for leg in moves
    ]
    balances = books.db.read(lambda tx: books.journal.balances(tx, MERCHANT, True))  # noqa: FBT003 - live mode
    assert [(one.account, one.posted.atomic, one.pending.atomic) for one in balances] == [
        (HOT, amount, -3),
        (AVAILABLE, -amount, 0),
        (PENDING, 0, 3),
    ]
    assert books.posted() == {}, "test mode saw live money"


def test_a_second_posting_of_the_same_fact_is_refused_and_leaves_nothing(books: Books) -> None:
    draft = a_receipt(7)
    books.post(draft)

    def post_twice(tx: Tx) -> str:
        with pytest.raises(AlreadyPostedError, match="posted already"):
            books.journal.post(tx, draft)
        return books.journal.post(tx, a_receipt(5))  # the tx is as good as before

    books.db.write(post_twice)
    assert books.posted() == {(HOT, "USDC"): 12, (AVAILABLE, "USDC"): -12}
    assert books.verify().entries == 2
    assert books.verify().is_clean


def test_a_batch_with_one_posted_entry_leaves_nothing(books: Books) -> None:
    draft = a_receipt(7)
    books.post(draft)

    def post_batch(tx: Tx) -> None:
        with pytest.raises(AlreadyPostedError):
            books.journal.post_many(tx, [a_receipt(), draft, a_receipt()])
        twin = a_receipt()
        with pytest.raises(AlreadyPostedError):
            books.journal.post_many(tx, [twin, twin])

    books.db.write(post_batch)
    report = books.verify()
    assert (report.entries, report.postings, report.problems) == (1, 2, ())


def test_the_same_subject_and_version_may_be_another_kind_or_another_merchant(books: Books) -> None:
    draft = a_receipt(7)
    books.post_many(draft, replace(draft, kind="settlement"), replace(draft, merchant_id="mer_two"))
    assert books.posted("mer_two") == {(HOT, "USDC"): 7, (AVAILABLE, "USDC"): -7}
    assert books.posted() == {(HOT, "USDC"): 14, (AVAILABLE, "USDC"): -14}


def test_a_batch_of_nothing_is_nothing(books: Books) -> None:
    assert books.post_many() == ()


def test_a_reversal_mirrors_its_entry_once(books: Books) -> None:
    entry_id = books.post(a_receipt(10**60, subject_version=1))
    books.reverse(entry_id)
    assert set(books.posted().values()) == {0}
    entries = books.db.read(lambda tx: books.journal.entries(tx, MERCHANT, False, limit=10))  # noqa: FBT003 - test mode
    assert {entry.reverses_id for entry in entries} == {None, entry_id}
    with pytest.raises(AlreadyPostedError):
        books.reverse(entry_id)
    with pytest.raises(LookupError):
        books.reverse("je_none")
    assert books.verify().is_clean


def test_the_position_of_a_subject_is_what_all_its_postings_add_up_to(books: Books) -> None:
    books.post(a_receipt(subject_id="pay_two", legs=legs((HOT, 9), (PENDING, -9), layer=Layer.PENDING)))
    books.post(
        a_receipt(
            subject_id="pay_two",
            legs=(
                *legs((HOT, -9), (PENDING, 9), layer=Layer.PENDING),
                *legs((HOT, 9), (AVAILABLE, -9)),
            ),
        )
    )
    books.post(a_receipt(4))
    assert books.db.read(lambda tx: books.journal.position(tx, "pay_two")) == {
        (HOT, "USDC", Layer.POSTED): 9,
        (AVAILABLE, "USDC", Layer.POSTED): -9,
    }
    assert books.db.read(lambda tx: books.journal.position(tx, "pay_nobody")) == {}


def test_entries_come_newest_first_in_pages_that_meet(books: Books) -> None:
    ids = sorted(books.post_many(*(a_receipt() for _ in range(7))), reverse=True)
    books.post(a_receipt(subject_id="pay_two", merchant_id="mer_two"))

    def page(**edges: str) -> list[str]:
        found = books.db.read(lambda tx: books.journal.entries(tx, MERCHANT, False, limit=3, **edges))  # noqa: FBT003 - test mode
        return [entry.id for entry in found]

    assert page() == ids[:3]
    assert page(after=ids[2]) == ids[3:6]
    assert page(after=ids[5]) == ids[6:]
    assert page(before=ids[6]) == ids[3:6]
    assert page(subject_id="pay_two") == []


def test_what_is_rolled_back_leaves_no_account_behind_in_memory(books: Books) -> None:
    class ChangedMindError(Exception):
        pass

    def post_and_fail(tx: Tx) -> None:
        books.journal.post(tx, a_receipt())
        books.journal.post(tx, a_receipt())  # finds the accounts that the same tx has opened
        raise ChangedMindError

    for _ in range(2):
        with pytest.raises(ChangedMindError):
            books.db.write(post_and_fail)
    books.post(a_receipt(3))
    books.post(a_receipt(3))
    report = books.verify()
    assert (report.entries, report.accounts, report.problems) == (2, 2, ())


def test_accounts_opened_in_a_failed_savepoint_are_opened_again(books: Books) -> None:
    def post_around_a_savepoint(tx: Tx) -> None:
        savepoint = tx.begin_nested()
        books.journal.post(tx, a_receipt())
        savepoint.rollback()
        books.journal.post(tx, a_receipt(3))

    books.db.write(post_around_a_savepoint)
    books.post(a_receipt(3))
    assert books.posted() == {(HOT, "USDC"): 6, (AVAILABLE, "USDC"): -6}
    assert books.verify().is_clean


def test_a_known_account_costs_no_query(books: Books) -> None:
    books.post(a_receipt())
    books.post(a_receipt())
    statements: list[str] = []
    sa.event.listen(books.db.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    books.post(a_receipt())
    written = [statement for statement in statements if "SAVEPOINT" not in statement and "BEGIN" not in statement]
    assert len(written) == (1 if books.db.dialect == "postgresql" else 3)


def test_eight_threads_on_hot_accounts_end_without_deadlock_and_with_the_right_sums(books: Books) -> None:
    """Every thread names its accounts in another order; singles and batches mix; nothing is tried twice."""
    books.post(a_receipt(1, legs=legs((HOT, 3), (AVAILABLE, -2), (PENDING, -1))))
    start = threading.Barrier(8)

    def once(verb: Callable[[Tx], object]) -> None:
        if books.db.dialect == "sqlite":
            books.db.write(verb)
        else:  # without the retries of `write`, which would hide a deadlock
            with books.db.engine.begin() as tx:
                verb(tx)

    def work(number: int) -> None:
        start.wait()
        for step in range(6):
            moves = [(HOT, 5), (AVAILABLE, -3), (PENDING, -2)]
            moves = moves[number % 3 :] + moves[: number % 3]
            drafts = [a_receipt(subject_id=f"pay_{number}", legs=legs(*moves)) for _ in range(5)]
            if step % 2:
                once(partial(books.journal.post_many, drafts=drafts))
            else:
                for draft in drafts:
                    once(partial(books.journal.post, draft=draft))

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(work, number) for number in range(8)]:
            done.result(timeout=60)
    assert books.posted() == {(HOT, "USDC"): 1203, (AVAILABLE, "USDC"): -722, (PENDING, "USDC"): -481}
    report = books.verify()
    assert (report.entries, report.accounts, report.problems) == (241, 3, ())


def test_an_account_in_slots_spreads_its_changes_and_adds_up(books: Books) -> None:
    spread = books_over(books.db, merchant_available=4)
    for _ in range(40):
        spread.post(a_receipt(10**18))
    assert spread.posted() == {(HOT, "USDC"): 40 * 10**18, (AVAILABLE, "USDC"): -40 * 10**18}
    rows = sa.select(sa.func.count(), schema.account.c.code).join(
        schema.balance, schema.balance.c.account_id == schema.account.c.id
    )
    counts = {code: count for count, code in books.db.read(lambda tx: tx.execute(rows.group_by("code")).all())}
    assert counts == {HOT: 1, AVAILABLE: 4}
    # A process that was told otherwise keeps to what the account was opened with.
    books.post(a_receipt(5))
    assert books.posted()[AVAILABLE, "USDC"] == -40 * 10**18 - 5
    assert books.verify().is_clean


@pytest.mark.parametrize("table", ["journal_entry", "posting"])
@pytest.mark.parametrize("change", ["UPDATE {0} SET subject_id = 'pay_two'", "DELETE FROM {0}"])
def test_the_database_refuses_to_change_or_delete_what_is_booked(books: Books, table: str, change: str) -> None:
    books.post(a_receipt())
    with pytest.raises(sa.exc.DBAPIError, match=f"{table} is append-only"):
        books.db.write(lambda tx: tx.exec_driver_sql(change.format(table)))
    assert books.verify().is_clean
