"""The proof of the books: every entry weighed, every balance rebuilt from postings, every seal recomputed.

Each check is one statement, so that it sees one moment even while others post, and brings only offenders or a stream of
rows; nothing grows with the journal but time. Sums are the database's own, exact: `isum` on SQLite.
"""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Text, case, cast, func, literal, or_, select

from gateway.ledger.entries import MIN_LEGS, Layer
from gateway.ledger.merkle import head_hash, leaf_hash, root_of
from gateway.ledger.reading import entries_by_id
from gateway.ledger.sealing import FIRST_HEAD, SealedBlock, last_block, leaf_text
from gateway.storage.database import Tx
from gateway.storage.schema import account, balance, journal_entry, posting, seal_block, sealed_entry

MAX_PROBLEMS: Final = 1000  # enough to see what is wrong; a report must not fill the memory
_FETCH: Final = 1000  # rows in memory at once
_COLUMNS: Final = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")


class Check(StrEnum):
    """What was found wrong."""

    NOT_A_NUMBER = "not_a_number"
    UNBALANCED = "unbalanced"
    TOO_FEW_LEGS = "too_few_legs"
    STRAY_POSTING = "stray_posting"
    STRAY_BALANCE = "stray_balance"
    BALANCE_DIFFERS = "balance_differs"
    SEAL_BROKEN = "seal_broken"
    ENTRY_CHANGED = "entry_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong; `object_id` is an entry, an account or a block's number."""

    check: Check
    object_id: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What was looked at and what is wrong; `head` is the newest block's, to be compared with the published one."""

    entries: int
    postings: int
    accounts: int
    blocks: int
    sealed_entries: int
    head: str | None
    problems: tuple[Problem, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify(tx: Tx) -> VerifyReport:
    """Prove the books and return what was found; reads everything, writes nothing.

    `tx` is one of `Database.snapshot`: PostgreSQL streams rows only within a tx, and there alone all counts agree.
    """
    last = last_block(tx)
    with closing(_problems(tx, last)) as found:
        problems = tuple(islice(found, MAX_PROBLEMS))
    return VerifyReport(
        entries=_count(tx, journal_entry.c.id),
        postings=_count(tx, posting.c.entry_id),
        accounts=_count(tx, account.c.id),
        blocks=_count(tx, seal_block.c.number),
        sealed_entries=_count(tx, sealed_entry.c.entry_id),
        head=None if last is None else last.head,
        problems=problems,
    )


def _problems(tx: Tx, last: SealedBlock | None) -> Generator[Problem]:
    if tx.dialect.name == "sqlite":
        unreadable = list(islice(_unreadable_amounts(tx), MAX_PROBLEMS))
        yield from unreadable
        if unreadable:
            return  # nothing can be added up
    yield from _unbalanced(tx)
    yield from _too_few_legs(tx)
    yield from _stray_postings(tx)
    yield from _stray_balances(tx)
    yield from _differing_balances(tx)
    yield from _broken_seals(tx, last)


def _unreadable_amounts(tx: Tx) -> Iterator[Problem]:
    """Find what is no canonical integer; SQLite alone keeps amounts as text, so it alone can hold such a thing."""
    columns = [(posting.c.entry_id, posting.c.amount), *((balance.c.account_id, balance.c[name]) for name in _COLUMNS)]
    for owner, amount in columns:
        text = cast(amount, Text)
        digits = case((text.like("-%"), func.substr(text, 2)), else_=text)
        is_canonical = (text == "0") | (digits.bool_op("GLOB")("[1-9]*") & ~digits.bool_op("GLOB")("*[^0-9]*"))
        for owner_id, found in _stream(tx, select(owner, text).where(~is_canonical)):
            message = f"{amount.table.name}.{amount.name} holds {found!r}"
            yield Problem(check=Check.NOT_A_NUMBER, object_id=owner_id, message=message)


def _unbalanced(tx: Tx) -> Iterator[Problem]:
    query = (
        select(posting.c.entry_id, account.c.currency, posting.c.layer, _total(tx, posting.c.amount).label("total"))
        .join(account, account.c.id == posting.c.account_id)
        .group_by(posting.c.entry_id, account.c.currency, posting.c.layer)
        .having(_total(tx, posting.c.amount) != _zero(tx))
    )
    for entry_id, currency, layer, total in _stream(tx, query):
        yield Problem(
            check=Check.UNBALANCED, object_id=entry_id, message=f"{layer} {currency} sums to {total}, not to zero"
        )


def _too_few_legs(tx: Tx) -> Iterator[Problem]:
    legs = func.count(posting.c.seq)
    query = (
        select(journal_entry.c.id, legs)
        .join(posting, posting.c.entry_id == journal_entry.c.id, isouter=True)
        .group_by(journal_entry.c.id)
        .having(legs < MIN_LEGS)
    )
    for entry_id, count in _stream(tx, query):
        yield Problem(check=Check.TOO_FEW_LEGS, object_id=entry_id, message=f"it has {count} postings")


def _stray_postings(tx: Tx) -> Iterator[Problem]:
    """Find postings that lack their entry or account, or disagree with either about whose they are."""
    query = (
        select(posting.c.entry_id, posting.c.seq)
        .join(journal_entry, journal_entry.c.id == posting.c.entry_id, isouter=True)
        .join(account, account.c.id == posting.c.account_id, isouter=True)
        .where(
            or_(
                journal_entry.c.id.is_(None),
                account.c.id.is_(None),
                account.c.merchant_id != journal_entry.c.merchant_id,
                account.c.livemode != journal_entry.c.livemode,
                posting.c.subject_id != journal_entry.c.subject_id,
                posting.c.layer.not_in([layer.value for layer in Layer]),
            )
        )
    )
    for entry_id, seq in _stream(tx, query):
        message = f"posting {seq} does not belong to an entry and an account of one merchant, mode and subject"
        yield Problem(check=Check.STRAY_POSTING, object_id=entry_id, message=message)


def _stray_balances(tx: Tx) -> Iterator[Problem]:
    query = (
        select(balance.c.account_id)
        .join(account, account.c.id == balance.c.account_id, isouter=True)
        .where(account.c.id.is_(None))
    )
    for (account_id,) in _stream(tx, query):
        yield Problem(check=Check.STRAY_BALANCE, object_id=account_id, message="a balance without an account")


def _differing_balances(tx: Tx) -> Iterator[Problem]:
    """Rebuild all four running totals of every account and compare."""
    rebuilt, cached = _rebuilt(tx).subquery(), _cached(tx).subquery()
    pairs = [(_or_zero(tx, rebuilt.c[name]), _or_zero(tx, cached.c[name])) for name in _COLUMNS]
    query = (
        select(account.c.id, account.c.code, *(column for pair in pairs for column in pair))
        .join(rebuilt, rebuilt.c.account_id == account.c.id, isouter=True)
        .join(cached, cached.c.account_id == account.c.id, isouter=True)
        .where(or_(*(proved != kept for proved, kept in pairs)))
    )
    for account_id, code, *totals in _stream(tx, query):
        differences = [
            f"{name} is {kept}, postings say {proved}"
            for name, proved, kept in zip(_COLUMNS, totals[::2], totals[1::2], strict=True)
            if proved != kept
        ]
        message = f"{code}: {'; '.join(differences)}"
        yield Problem(check=Check.BALANCE_DIFFERS, object_id=account_id, message=message)


def _rebuilt(tx: Tx) -> Select[Any]:
    """Return the query of running totals by account as the postings tell them, debits and credits both positive."""
    amount = posting.c.amount
    text = cast(amount, Text)
    is_sqlite = tx.dialect.name == "sqlite"
    is_credit = text.like("-%") if is_sqlite else amount < literal(0, amount.type)
    size = func.ltrim(text, "-", type_=Text) if is_sqlite else func.abs(amount)
    columns: list[ColumnElement[Any]] = []
    for layer in (Layer.POSTED, Layer.PENDING):
        for side in (~is_credit, is_credit):
            part = case((side & (posting.c.layer == layer.value), size), else_=_zero(tx))
            columns.append(_total(tx, part).label(_COLUMNS[len(columns)]))
    return select(posting.c.account_id, *columns).group_by(posting.c.account_id)


def _cached(tx: Tx) -> Select[Any]:
    columns = [_total(tx, balance.c[name]).label(name) for name in _COLUMNS]
    return select(balance.c.account_id, *columns).group_by(balance.c.account_id)


def _broken_seals(tx: Tx, last: SealedBlock | None) -> Iterator[Problem]:
    """Recompute the chain up to `last`; what is sealed meanwhile waits for the next proof."""
    previous_head, expected = FIRST_HEAD, 1
    for block in _blocks(tx, last.number if last else 0):
        if block.number != expected:
            yield _broken(block, f"block {expected} is missing before it")
        if block.previous_head != previous_head:
            yield _broken(block, "it does not continue the head before it")
        yield from _broken_block(tx, block)
        previous_head, expected = block.head, block.number + 1
    stray = select(sealed_entry.c.entry_id).join(seal_block, seal_block.c.number == sealed_entry.c.block, isouter=True)
    for (entry_id,) in _stream(tx, stray.where(seal_block.c.number.is_(None))):
        yield Problem(check=Check.SEAL_BROKEN, object_id=entry_id, message="it is sealed in a block that is missing")


def _blocks(tx: Tx, newest: int) -> Iterator[SealedBlock]:
    """Yield blocks up to `newest` by pages: leaves are read in between, and MariaDB streams one result at a time."""
    number = 0
    while page := tx.execute(
        select(seal_block)
        .where(seal_block.c.number > number, seal_block.c.number <= newest)
        .order_by(seal_block.c.number)
        .limit(_FETCH)
    ).all():
        yield from (SealedBlock(**row._asdict()) for row in page)
        number = page[-1].number


def _broken_block(tx: Tx, block: SealedBlock) -> Iterator[Problem]:
    query = select(sealed_entry).where(sealed_entry.c.block == block.number).order_by(sealed_entry.c.leaf)
    leaves = tx.execute(query).all()
    if [leaf.leaf for leaf in leaves] != list(range(block.leaf_count)):
        yield _broken(block, f"it has {len(leaves)} leaves, not {block.leaf_count} in a row")
    entries = entries_by_id(tx, [leaf.entry_id for leaf in leaves])
    digests = []
    for leaf in leaves:
        entry = entries.get(leaf.entry_id)
        digest = None if entry is None else leaf_hash(leaf_text(entry))
        if digest is None or digest.hex() != leaf.digest:
            message = "it is gone" if digest is None else "it is not what was sealed"
            yield Problem(check=Check.ENTRY_CHANGED, object_id=leaf.entry_id, message=f"{message} ({block.number})")
        digests.append(bytes.fromhex(leaf.digest))
    if not digests or root_of(digests).hex() != block.root:
        yield _broken(block, "its leaves do not lead to its root")
    if head_hash(bytes.fromhex(block.previous_head), bytes.fromhex(block.root)).hex() != block.head:
        yield _broken(block, "its root does not lead to its head")


def _broken(block: SealedBlock, message: str) -> Problem:
    return Problem(check=Check.SEAL_BROKEN, object_id=str(block.number), message=message)


def _stream(tx: Tx, query: Select[Any]) -> Iterator[Any]:
    with tx.execute(query, execution_options={"yield_per": _FETCH}) as rows:
        yield from rows


def _count(tx: Tx, column: ColumnElement[Any]) -> int:
    return tx.execute(select(func.count(column))).scalar_one()


def _total(tx: Tx, amounts: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.isum(amounts, type_=Text) if tx.dialect.name == "sqlite" else func.sum(amounts)


def _zero(tx: Tx) -> ColumnElement[Any]:
    return literal("0", Text) if tx.dialect.name == "sqlite" else literal(0, posting.c.amount.type)


def _or_zero(tx: Tx, total: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.coalesce(total, _zero(tx))
