"""Accounts: opened at first use, then remembered by this process.

Only what is certainly committed is remembered: a row that is seen after the database tx that opened it has ended. Were
it remembered earlier, a rollback would leave postings that point to nothing.
"""

import threading
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from sqlalchemy import event, select, tuple_

from gateway.kernel.clock import Clock
from gateway.kernel.ids import Ids
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import insert_new

MAX_KNOWN: Final = 100_000  # about 40 MB; beyond it the process forgets all and asks the database again
MAX_SLOTS: Final = 64  # more rows than writers only make reads slower

_account = schema.account
_KEY: Final = (_account.c.merchant_id, _account.c.livemode, _account.c.code, _account.c.currency)


class AccountKey(NamedTuple):
    """What names an account."""

    merchant_id: str
    livemode: bool
    code: str
    currency: str


class Account(NamedTuple):
    """What writing needs of an account: its id, and over how many balance rows its changes are spread."""

    id: str
    slots: int


class Accounts:
    """Finds accounts and opens those that are missing. Safe among threads, processes and rollbacks."""

    def __init__(self, ids: Ids, clock: Clock, slots: Mapping[str, int]) -> None:
        assert all(1 <= count <= MAX_SLOTS for count in slots.values()), f"slots are 1 to {MAX_SLOTS}"
        self._ids = ids
        self._clock = clock
        self._slots = slots
        self._known: dict[AccountKey, Account] = {}
        # Accounts that a still open tx of this process has opened, and that tx.
        self._fresh: dict[AccountKey, int] = {}
        self._lock = threading.Lock()

    def resolve(self, tx: Tx, keys: Collection[AccountKey]) -> dict[AccountKey, Account]:
        """Return the account of each key; opens what is missing, sorted, so that openers do not cross."""
        known = self._known
        found = {key: known[key] for key in keys if key in known}
        if len(found) < len(keys):
            found.update(self._load(tx, sorted(key for key in keys if key not in found)))
        return found

    def _load(self, tx: Tx, keys: list[AccountKey]) -> dict[AccountKey, Account]:
        found = _read(tx, keys)
        missing = [key for key in keys if key not in found]
        if missing:
            for key in missing:
                self._open(tx, key)
            found.update(_read(tx, missing))
        self._remember(found)
        return found

    def _open(self, tx: Tx, key: AccountKey) -> None:
        values = key._asdict() | {
            "id": self._ids.new("acct"),
            "slots": self._slots.get(key.code, 1),
            "created_at": self._clock.now(),
        }
        for end in ("commit", "rollback"):
            if not event.contains(tx.engine, end, self._is_over):
                event.listen(tx.engine, end, self._is_over)
        if insert_new(tx, _account, values):
            with self._lock:
                self._fresh[key] = id(tx)

    def _is_over(self, tx: Tx) -> None:
        """Note that `tx` commits or rolls back: whoever sees its accounts from now on sees committed rows."""
        if self._fresh:
            with self._lock:
                self._fresh = {key: opener for key, opener in self._fresh.items() if opener != id(tx)}

    def _remember(self, found: Mapping[AccountKey, Account]) -> None:
        with self._lock:
            if len(self._known) + len(found) > MAX_KNOWN:
                self._known.clear()
            self._known.update((key, account) for key, account in found.items() if key not in self._fresh)


def _read(tx: Tx, keys: Iterable[AccountKey]) -> dict[AccountKey, Account]:
    query = select(*_KEY, _account.c.id, _account.c.slots).where(tuple_(*_KEY).in_([tuple(key) for key in keys]))
    return {AccountKey(*row[:4]): Account(row[4], row[5]) for row in tx.execute(query)}
