"""How entries reach the tables: one statement on PostgreSQL, three elsewhere.

On PostgreSQL entries, postings and balances go in one data-modifying statement over JSON, whose text never changes:
one round trip, prepared once, for one entry as for a batch. Elsewhere the same rows go in three statements.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy.exc import IntegrityError

from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import to_micros
from gateway.ledger.accounts import Account, AccountKey
from gateway.ledger.entries import EntryDraft, Layer
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import add_to_rows

AMOUNTS: Final = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")


class EntryRow(NamedTuple):
    """A row of `journal_entry`, in the order of the statement below."""

    id: str
    merchant_id: str
    livemode: bool
    kind: str
    subject_id: str
    subject_version: int
    reverses_id: str | None
    rates: object | None
    effective_at: datetime
    recorded_at: datetime


class PostingRow(NamedTuple):
    """A row of `posting`."""

    entry_id: str
    seq: int
    account_id: str
    amount: int
    layer: str
    subject_id: str


class BalanceChange(NamedTuple):
    """What all entries of one call add to one row of `balance`."""

    account_id: str
    slot: int
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int
    version: int


class Rows(NamedTuple):
    """Everything that one call writes; `changes` stand in the order in which their rows are to be locked."""

    entries: Sequence[EntryRow]
    postings: Sequence[PostingRow]
    changes: Sequence[BalanceChange]


def rows_of(
    drafts: Iterable[tuple[str, EntryDraft]], accounts: Mapping[AccountKey, Account], *, now: datetime, seed: int
) -> Rows:
    """Return the rows of drafts with their new ids; `seed` chooses the slot of accounts that have several. Pure."""
    entries, postings = [], []
    sums: dict[tuple[bool, str, int], list[int]] = {}
    for entry_id, draft in drafts:
        merchant_id, livemode, subject_id = draft.merchant_id, draft.livemode, draft.subject_id
        entries.append(
            EntryRow(
                entry_id, merchant_id, livemode, draft.kind, subject_id, draft.subject_version, draft.reverses_id,
                draft.rates, draft.effective_at, now,
            )
        )  # fmt: skip
        for seq, leg in enumerate(draft.legs):
            amount = leg.money.atomic
            account_id, slots = accounts[AccountKey(merchant_id, livemode, leg.account, leg.money.currency)]
            postings.append(PostingRow(entry_id, seq, account_id, amount, leg.layer.value, subject_id))
            # Rows in slots are the contended ones: they are locked last and so held shortest.
            total = sums.setdefault((slots > 1, account_id, seed % slots), [0, 0, 0, 0, 0])
            total[(2 if leg.layer is Layer.PENDING else 0) + (amount < 0)] += abs(amount)
            total[4] += 1
    changes = [BalanceChange(account_id, slot, *sums[_, account_id, slot]) for _, account_id, slot in sorted(sums)]
    return Rows(entries, postings, changes)


def write(tx: Tx, rows: Rows) -> bool:
    """Write everything; False when one of the entries is posted already.

    After False a single entry has left nothing behind; of several, some may stand: the caller rolls back.
    """
    if tx.dialect.name == "postgresql":
        return _write_at_once(tx, rows)
    try:
        tx.execute(schema.journal_entry.insert(), [row._asdict() for row in rows.entries])
    except IntegrityError as error:
        if not _is_duplicate(error):
            raise
        return False
    tx.execute(schema.posting.insert(), [row._asdict() for row in rows.postings])
    add_to_rows(tx, schema.balance, [row._asdict() for row in rows.changes], AMOUNTS)
    return True


def _is_duplicate(error: IntegrityError) -> bool:
    """Tell a duplicate key (SQLite by its words, MariaDB by error 1062) from every other broken constraint."""
    assert error.orig is not None
    return str(error.orig).startswith("UNIQUE constraint failed") or error.orig.args[:1] == (1062,)


_AT_ONCE: Final = """
WITH entries AS (
    INSERT INTO journal_entry (id, merchant_id, livemode, kind, subject_id, subject_version, reverses_id, rates,
                               effective_at, recorded_at)
    SELECT * FROM json_to_recordset(%s::json) AS
        entry (id text, merchant_id text, livemode bool, kind text, subject_id text, subject_version int,
               reverses_id text, rates text, effective_at bigint, recorded_at bigint)
    ON CONFLICT DO NOTHING RETURNING id
), postings AS (
    INSERT INTO posting (entry_id, seq, account_id, amount, layer, subject_id)
    SELECT * FROM json_to_recordset(%s::json) AS
        leg (entry_id text, seq int, account_id text, amount numeric, layer text, subject_id text)
    WHERE (SELECT count(*) FROM entries) = %s
)
INSERT INTO balance (account_id, slot, debits_posted, credits_posted, debits_pending, credits_pending, version)
SELECT account_id, slot, debits_posted, credits_posted, debits_pending, credits_pending, version
FROM ROWS FROM (
    json_to_recordset(%s::json) AS
        (account_id text, slot int, debits_posted numeric, credits_posted numeric, debits_pending numeric,
         credits_pending numeric, version bigint)
) WITH ORDINALITY AS change (account_id, slot, debits_posted, credits_posted, debits_pending, credits_pending, version,
                             place)
WHERE (SELECT count(*) FROM entries) = %s
ORDER BY place
ON CONFLICT (account_id, slot) DO UPDATE SET
    debits_posted = balance.debits_posted + excluded.debits_posted,
    credits_posted = balance.credits_posted + excluded.credits_posted,
    debits_pending = balance.debits_pending + excluded.debits_pending,
    credits_pending = balance.credits_pending + excluded.credits_pending,
    version = balance.version + excluded.version
"""


def _write_at_once(tx: Tx, rows: Rows) -> bool:
    """Write by the one statement; it writes neither postings nor balances unless every entry is new.

    Rows travel as JSON: measured, arrays cost the driver half as much again. JSON's integers are exact, on this side
    and in PostgreSQL's `numeric`.
    """
    entries = [
        row._asdict()
        | {
            "rates": None if row.rates is None else canonical_json(row.rates),
            "effective_at": to_micros(row.effective_at),
            "recorded_at": to_micros(row.recorded_at),
        }
        for row in rows.entries
    ]
    postings = [row._asdict() for row in rows.postings]
    changes = [row._asdict() for row in rows.changes]
    count = len(entries)
    parameters = (json.dumps(entries), json.dumps(postings), count, json.dumps(changes), count)
    return tx.exec_driver_sql(_AT_ONCE, parameters).rowcount == len(changes)
