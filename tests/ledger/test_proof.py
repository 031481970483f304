"""The proof finds nothing in honest books, and every kind of forgery in others; on all three databases."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.ledger.entries import EntryDraft, Layer
from gateway.ledger.proof import MAX_PROBLEMS, Check, verify
from gateway.ledger.sealing import seal
from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from tests.ledger.books import AVAILABLE, HOT, MERCHANT, PENDING, Books, a_receipt, books_over, change, legs, tamper

ACCOUNTS = (HOT, AVAILABLE, PENDING, "suspense:chain")


@st.composite
def drafts(draw: st.DrawFn) -> EntryDraft:
    """Draw an entry over four accounts: amounts from 1 to 10**60, either layer, one or two currencies, any order."""
    lines = []
    for currency in draw(st.sampled_from([("USDC",), ("SOL",), ("USDC", "SOL")])):
        layer = draw(st.sampled_from(Layer))
        amounts = draw(st.lists(st.sampled_from([1, 7, 10**18, 10**60, -1, -(10**18)]), min_size=1, max_size=3))
        moves = [(draw(st.sampled_from(ACCOUNTS)), amount) for amount in amounts]
        if sum(amounts):
            moves.append((draw(st.sampled_from(ACCOUNTS)), -sum(amounts)))
        if len(moves) == 1 or not sum(amounts):
            moves += [(ACCOUNTS[0], 1), (ACCOUNTS[1], -1)]
        lines += draw(st.permutations(legs(*moves, currency=currency, layer=layer)))
    return a_receipt(legs=tuple(lines), subject_id=draw(st.sampled_from(["pay_one", "pay_two"])))


STEPS = st.one_of(drafts(), st.lists(drafts(), min_size=1, max_size=4), st.just("reverse"), st.just("seal"))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=1, max_size=6))
def test_whatever_is_posted_batched_reversed_and_sealed_the_books_prove_clean(
    books: Books, steps: list[EntryDraft | list[EntryDraft] | str]
) -> None:
    posted: list[str] = []
    for step in steps:
        match step:
            case EntryDraft():
                posted.append(books.post(step))
            case list():
                posted.extend(books.post_many(*step))
            case "reverse" if posted:
                books.reverse(posted.pop())
            case _:
                seal(books.db, books.clock)
    assert books.verify().problems == ()
    recomputed: dict[tuple[str, str, Layer], int] = {}
    for entry in books.db.read(lambda tx: books.journal.entries(tx, MERCHANT, False, limit=1000)):  # noqa: FBT003 - test mode
        for leg in entry.legs:
            spot = (leg.account, leg.money.currency, leg.layer)
            recomputed[spot] = recomputed.get(spot, 0) + leg.money.atomic
    for one in books.db.read(lambda tx: books.journal.balances(tx, MERCHANT, False)):  # noqa: FBT003 - test mode
        assert one.posted.atomic == recomputed.get((one.account, one.currency, Layer.POSTED), 0)
        assert one.pending.atomic == recomputed.get((one.account, one.currency, Layer.PENDING), 0)


def test_the_proof_counts_what_it_looked_at(books: Books) -> None:
    books.post_many(*(a_receipt() for _ in range(3)))
    block = seal(books.db, books.clock, limit=2)
    report = books.verify()
    assert block is not None
    assert (report.entries, report.postings, report.accounts) == (3, 6, 2)
    assert (report.blocks, report.sealed_entries, report.head) == (1, 2, block.head)
    assert report.is_clean


ENTRY = "(SELECT entry_id FROM sealed_entry WHERE block = 1 AND leaf = 0)"
# (what the intruder does, what the proof must say at least)
FORGERIES = [
    ("an amount is raised", ["UPDATE posting SET amount = '8' WHERE seq = 0 AND entry_id = {entry}"],
     {Check.UNBALANCED, Check.BALANCE_DIFFERS, Check.ENTRY_CHANGED}),
    ("both amounts are raised and the balances with them",
     ["UPDATE posting SET amount = '8' WHERE seq = 0 AND entry_id = {entry}",
      "UPDATE posting SET amount = '-8' WHERE seq = 1 AND entry_id = {entry}",
      "UPDATE balance SET debits_posted = '22' WHERE debits_posted = '21'",
      "UPDATE balance SET credits_posted = '22' WHERE credits_posted = '21'"],
     {Check.ENTRY_CHANGED}),
    ("a posting is deleted", ["DELETE FROM posting WHERE seq = 0 AND entry_id = {entry}"],
     {Check.TOO_FEW_LEGS, Check.UNBALANCED, Check.BALANCE_DIFFERS, Check.ENTRY_CHANGED}),
    ("an entry is deleted", ["DELETE FROM journal_entry WHERE id = {entry}"],
     {Check.STRAY_POSTING, Check.ENTRY_CHANGED}),
    ("an entry vanishes with its postings",
     ["DELETE FROM posting WHERE entry_id = {entry}", "DELETE FROM journal_entry WHERE id = {entry}"],
     {Check.BALANCE_DIFFERS, Check.ENTRY_CHANGED}),
    ("an entry changes its date", ["UPDATE journal_entry SET effective_at = 0 WHERE id = {entry}"],
     {Check.ENTRY_CHANGED}),
    ("an entry changes its subject", ["UPDATE journal_entry SET subject_id = 'pay_two' WHERE id = {entry}"],
     {Check.STRAY_POSTING, Check.ENTRY_CHANGED}),
    ("a posting moves to the other layer",
     ["UPDATE posting SET layer = 'pending' WHERE seq = 0 AND entry_id = {entry}"],
     {Check.UNBALANCED, Check.BALANCE_DIFFERS, Check.ENTRY_CHANGED}),
    ("a balance is raised", ["UPDATE balance SET debits_posted = '22' WHERE debits_posted = '21'"],
     {Check.BALANCE_DIFFERS}),
    ("a balance is deleted", ["DELETE FROM balance WHERE debits_posted = '21'"], {Check.BALANCE_DIFFERS}),
    ("a balance has no account", ["UPDATE balance SET account_id = 'acct_x' WHERE debits_posted = '21'"],
     {Check.BALANCE_DIFFERS, Check.STRAY_BALANCE}),
    ("an account is renamed", ["UPDATE account SET code = 'x' WHERE code = 'merchant:available'"],
     {Check.ENTRY_CHANGED}),
    ("an account changes hands", ["UPDATE account SET merchant_id = 'x' WHERE code = 'merchant:available'"],
     {Check.STRAY_POSTING}),
    ("a sealed hash is replaced", ["UPDATE sealed_entry SET digest = '{zeros}' WHERE leaf = 0 AND block = 1"],
     {Check.ENTRY_CHANGED, Check.SEAL_BROKEN}),
    ("a leaf is taken out", ["DELETE FROM sealed_entry WHERE leaf = 0 AND block = 1"], {Check.SEAL_BROKEN}),
    ("a root is replaced", ["UPDATE seal_block SET root = previous_head WHERE number = 1"], {Check.SEAL_BROKEN}),
    ("a head is replaced", ["UPDATE seal_block SET head = previous_head WHERE number = 1"], {Check.SEAL_BROKEN}),
    ("the first block is deleted", ["DELETE FROM seal_block WHERE number = 1"], {Check.SEAL_BROKEN}),
    ("every block is deleted", ["DELETE FROM seal_block"], {Check.SEAL_BROKEN}),
]  # fmt: skip


@pytest.mark.parametrize(("statements", "found"), [forgery[1:] for forgery in FORGERIES], ids=[f[0] for f in FORGERIES])
def test_a_forgery_is_found(opened_books: Books, statements: list[str], found: set[Check]) -> None:
    assert opened_books.verify().is_clean
    with opened_books.db.engine.connect() as tx:  # closed without a commit: the next forger finds honest books
        change(tx, *(statement.format(entry=ENTRY, zeros="0" * 64) for statement in statements))
        checks = {problem.check for problem in verify(tx).problems}
    assert checks >= found, f"found only {checks}"


@pytest.mark.parametrize("text", ["", "-", "abc", "1.5", "+7", "07", "-0", "1e3", "٣"])
def test_what_is_no_number_is_found_where_amounts_are_text(sqlite_url: str, text: str) -> None:
    db = open_database(sqlite_url)
    upgrade(db)
    books = books_over(db)
    entry_id = books.post(a_receipt(7))
    assert books.verify().is_clean
    tamper(db, f"UPDATE posting SET amount = '{text}' WHERE seq = 0")  # noqa: S608 - the intruder is us
    assert [(one.check, one.object_id) for one in books.verify().problems] == [(Check.NOT_A_NUMBER, entry_id)]
    db.close()


def test_a_report_of_ruined_books_is_bounded(books: Books) -> None:
    for _ in range(3):
        books.post_many(*(a_receipt(7) for _ in range(500)))
    tamper(books.db, "UPDATE posting SET amount = '8' WHERE seq = 0")
    assert len(books.verify().problems) == MAX_PROBLEMS
    assert books.verify().entries == 1500
