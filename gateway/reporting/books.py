"""The books as the API shows them: balances and journal entries. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.kernel.clock import rfc3339
from gateway.ledger.entries import Balance, Entry
from gateway.ledger.journal import Journal
from gateway.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPage:
    """Journal entries, newest first, and whether more follow in the direction that was asked."""

    data: Sequence[dict[str, Any]]
    has_more: bool


class Books:
    """One merchant's side of the ledger, as objects of the API."""

    def __init__(self, db: Database, journal: Journal) -> None:
        self._db = db
        self._journal = journal

    def balances(self, merchant_id: str, *, livemode: bool) -> list[dict[str, Any]]:
        """Return every balance, by account and currency, in major units; debits are positive."""
        rows = self._db.read(lambda tx: self._journal.balances(tx, merchant_id, livemode))
        return [balance_object(row) for row in rows]

    def entries(
        self,
        merchant_id: str,
        *,
        livemode: bool,
        subject_id: str | None = None,
        limit: int,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> EntryPage:
        """Return journal entries, newest first; `subject_id` narrows to one payment or chain transfer."""
        rows = self._db.read(
            lambda tx: self._journal.entries(
                tx,
                merchant_id,
                livemode,
                subject_id=subject_id,
                limit=limit + 1,
                after=starting_after,
                before=ending_before,
            )
        )
        has_more = len(rows) > limit
        # The one too many lies in the direction of travel: at the old end, or at the new end when going back.
        shown = rows[-limit:] if ending_before is not None else rows[:limit]
        return EntryPage(data=[entry_object(entry) for entry in shown], has_more=has_more)


def balance_object(balance: Balance) -> dict[str, Any]:
    """Return a `balance`."""
    return {
        "object": "balance",
        "account": balance.account,
        "currency": balance.currency,
        "posted": balance.posted.major,
        "pending": balance.pending.major,
    }


def entry_object(entry: Entry) -> dict[str, Any]:
    """Return a `ledger_entry` with its postings."""
    return {
        "id": entry.id,
        "object": "ledger_entry",
        "livemode": entry.livemode,
        "kind": entry.kind,
        "subject": entry.subject_id,
        "reverses": entry.reverses_id,
        "effective_at": rfc3339(entry.effective_at),
        "recorded_at": rfc3339(entry.recorded_at),
        "postings": [
            {
                "account": leg.account,
                "currency": leg.money.currency,
                "amount": leg.money.major,
                "layer": leg.layer.value,
            }
            for leg in entry.legs
        ],
    }
