"""Reading the journal: entries with their postings."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import RowMapping, select

from gateway.kernel.money import Money
from gateway.ledger.entries import Entry, Layer, PostedLeg
from gateway.storage.database import Tx
from gateway.storage.schema import account, journal_entry, posting

_POSTINGS = (
    select(
        posting.c.entry_id, posting.c.account_id, account.c.code, account.c.currency, posting.c.amount, posting.c.layer
    )
    .join(account, account.c.id == posting.c.account_id)
    .order_by(posting.c.entry_id, posting.c.seq)
)


def entries_by_id(tx: Tx, entry_ids: Sequence[str]) -> dict[str, Entry]:
    """Return entries with their postings, by id; ids that do not exist are left out."""
    rows = tx.execute(select(journal_entry).where(journal_entry.c.id.in_(entry_ids))).mappings().all()
    return {entry.id: entry for entry in with_postings(tx, rows)}


def with_postings(tx: Tx, rows: Sequence[RowMapping]) -> list[Entry]:
    """Return the entries of rows of `journal_entry`, in their order, with postings that one query brings."""
    legs: dict[str, list[PostedLeg]] = defaultdict(list)
    query = _POSTINGS.where(posting.c.entry_id.in_([row["id"] for row in rows]))
    for entry_id, account_id, code, currency, amount, layer in tx.execute(query):
        money = Money(amount, currency)
        legs[entry_id].append(PostedLeg(account_id=account_id, account=code, money=money, layer=Layer(layer)))
    return [Entry(**row, legs=tuple(legs[row["id"]])) for row in rows]
