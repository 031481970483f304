"""The journal: post, reverse, read.

Every method takes the database tx first and leaves commit and rollback to its owner: an entry stands or falls with the
facts that it books.
"""

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from sqlalchemy import select

from gateway.kernel.clock import Clock
from gateway.kernel.ids import Ids
from gateway.kernel.money import Money
from gateway.ledger.accounts import AccountKey, Accounts
from gateway.ledger.entries import Balance, Entry, EntryDraft, Layer, Leg
from gateway.ledger.reading import entries_by_id, with_postings
from gateway.ledger.writing import rows_of, write
from gateway.storage.database import Tx
from gateway.storage.schema import account, balance, journal_entry, posting

MAX_BATCH: Final = 500  # entries a call: bounds the statement, and how long hot balances stay locked
MAX_PAGE: Final = 1000  # entries a read
MAX_SUBJECT_POSTINGS: Final = 100_000  # of one subject; a payment has a handful
REVERSAL: Final = "reversal"


class AlreadyPostedError(Exception):
    """An entry of this merchant, kind, subject and version stands already, or the entry was reversed before."""

    def __init__(self, drafts: Sequence[EntryDraft]) -> None:
        names = ", ".join(f"{draft.kind} {draft.subject_id} v{draft.subject_version}" for draft in drafts[:3])
        super().__init__(f"posted already, at least one of {len(drafts)}: {names}")


class Journal:
    """Writes and reads the books of every merchant; share one per process.

    Args:
        ids: where ids of entries (`je_`) and accounts (`acct_`) come from.
        clock: what `recorded_at` says.
        slots: over how many balance rows an account's changes are spread, by account code; 1 if not named. It is taken
            when an account is opened. More rows let more writers in at once and make its balance dearer to read.
    """

    def __init__(self, ids: Ids, clock: Clock, *, slots: Mapping[str, int] = MappingProxyType({})) -> None:
        self._ids = ids
        self._clock = clock
        self._accounts = Accounts(ids, clock, slots)

    def post(self, tx: Tx, draft: EntryDraft) -> str:
        """Post one entry and return its id.

        Raises:
            AlreadyPostedError: it stands already; nothing was written, and `tx` is as good as before.
        """
        entry_ids = self._write(tx, (draft,))
        if entry_ids is None:
            raise AlreadyPostedError((draft,))
        return entry_ids[0]

    def post_many(self, tx: Tx, drafts: Sequence[EntryDraft]) -> tuple[str, ...]:
        """Post up to `MAX_BATCH` entries, all or none, and return their ids in the same order.

        The changes of one account are added up first, so that a hot balance is written once a batch.

        Raises:
            AlreadyPostedError: one of them stands already; nothing was written, and `tx` is as good as before.
        """
        assert len(drafts) <= MAX_BATCH, f"a batch has at most {MAX_BATCH} entries"
        if not drafts:
            return ()
        with tx.begin_nested():
            entry_ids = self._write(tx, drafts)
            if entry_ids is None:
                raise AlreadyPostedError(drafts)
            return entry_ids

    def reverse(
        self, tx: Tx, entry_id: str, *, subject_version: int, effective_at: datetime, kind: str = REVERSAL
    ) -> str:
        """Post the mirror of an entry, which takes it back wholly, and return the mirror's id.

        Raises:
            LookupError: there is no such entry.
            AlreadyPostedError: it was reversed before, or the mirror's own name is taken.
        """
        entry = entries_by_id(tx, (entry_id,)).get(entry_id)
        if entry is None:
            raise LookupError(f"no entry {entry_id}")
        mirror = EntryDraft(
            merchant_id=entry.merchant_id,
            livemode=entry.livemode,
            kind=kind,
            subject_id=entry.subject_id,
            subject_version=subject_version,
            legs=tuple(Leg(leg.account, -leg.money, leg.layer) for leg in entry.legs),
            effective_at=effective_at,
            reverses_id=entry_id,
            rates=entry.rates,
        )
        return self.post(tx, mirror)

    def position(self, tx: Tx, subject_id: str) -> dict[tuple[str, str, Layer], int]:
        """Return what all postings of a subject add up to, by (account code, currency, layer); zeros are left out."""
        query = (
            select(account.c.code, account.c.currency, posting.c.layer, posting.c.amount)
            .join(account, account.c.id == posting.c.account_id)
            .where(posting.c.subject_id == subject_id)
            .limit(MAX_SUBJECT_POSTINGS + 1)
        )
        rows = tx.execute(query).all()
        assert len(rows) <= MAX_SUBJECT_POSTINGS, f"{subject_id} has more postings than can be added up here"
        sums: dict[tuple[str, str, Layer], int] = defaultdict(int)
        for code, currency, layer, amount in rows:
            sums[code, currency, Layer(layer)] += amount
        return {spot: amount for spot, amount in sums.items() if amount}

    def entries(
        self,
        tx: Tx,
        merchant_id: str,
        livemode: bool,
        *,
        subject_id: str | None = None,
        limit: int,
        after: str | None = None,
        before: str | None = None,
    ) -> list[Entry]:
        """Return up to `limit` entries of a merchant in one mode, newest first; `subject_id` narrows to one subject.

        `after` and `before` are ids of entries: what comes after it in this order (older), or before it (newer, the
        nearest ones).
        """
        assert 0 < limit <= MAX_PAGE, f"a page has 1 to {MAX_PAGE} entries"
        assert after is None or before is None, "a page has one edge"
        entry = journal_entry.c
        query = select(journal_entry).where(entry.merchant_id == merchant_id, entry.livemode == livemode)
        if subject_id is not None:
            query = query.where(entry.subject_id == subject_id)
        if after is not None:
            query = query.where(entry.id < after)
        if before is not None:
            rows = tx.execute(query.where(entry.id > before).order_by(entry.id).limit(limit)).mappings().all()[::-1]
        else:
            rows = tx.execute(query.order_by(entry.id.desc()).limit(limit)).mappings().all()
        return with_postings(tx, rows)

    def balances(
        self, tx: Tx, merchant_id: str, livemode: bool, *, accounts: Sequence[str] | None = None
    ) -> list[Balance]:
        """Return balances of a merchant in one mode, by account code and currency: all, or of these accounts."""
        sums = (balance.c.debits_posted, balance.c.credits_posted, balance.c.debits_pending, balance.c.credits_pending)
        query = (
            select(account.c.code, account.c.currency, *sums)
            .join(balance, balance.c.account_id == account.c.id)
            .where(account.c.merchant_id == merchant_id, account.c.livemode == livemode)
        )
        if accounts is not None:
            query = query.where(account.c.code.in_(accounts))
        totals: dict[tuple[str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
        for code, currency, in_posted, out_posted, in_pending, out_pending in tx.execute(query):
            posted, pending = totals[code, currency]
            totals[code, currency] = posted + in_posted - out_posted, pending + in_pending - out_pending
        return [
            Balance(account=code, currency=currency, posted=Money(posted, currency), pending=Money(pending, currency))
            for (code, currency), (posted, pending) in sorted(totals.items())
        ]

    def _write(self, tx: Tx, drafts: Sequence[EntryDraft]) -> tuple[str, ...] | None:
        keys = {
            AccountKey(draft.merchant_id, draft.livemode, leg.account, leg.money.currency)
            for draft in drafts
            for leg in draft.legs
        }
        accounts = self._accounts.resolve(tx, keys)
        entry_ids = tuple(self._ids.new("je") for _ in drafts)
        seed = zlib.crc32(entry_ids[0].encode())
        rows = rows_of(zip(entry_ids, drafts, strict=True), accounts, now=self._clock.now(), seed=seed)
        return entry_ids if write(tx, rows) else None
