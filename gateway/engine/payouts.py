"""Payouts: what a provider sent to the merchant's bank is booked line by line, so that its clearing account empties."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import func, select, update

from gateway.domain.events import Event, EventType
from gateway.domain.provider import BalanceLine, ProviderPayout
from gateway.engine.core import Core
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.reading import Reading, take_line
from gateway.engine.records import Owner, not_found
from gateway.engine.refresh import refresh
from gateway.engine.wire import payout_object
from gateway.kernel.errors import WorldError
from gateway.kernel.log import Log
from gateway.outbox.events import append, next_sequence
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import insert_new

log = Log("engine")

LOOK_BACK: Final = timedelta(days=30)  # a payout arrives, fails or is reconciled within days
BATCH: Final = 200  # lines a tx


class Payouts:
    """Books what providers paid out."""

    def __init__(self, core: Core, reading: Reading) -> None:
        self._core = core
        self._reading = reading

    def retrieve(self, owner: Owner, payout_id: str) -> dict[str, Any]:
        """Return a payout of this owner.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        table = schema.payout
        is_own = (table.c.merchant_id == owner.merchant_id) & (table.c.livemode == owner.livemode)
        query = select(table).where(table.c.id == payout_id, is_own)
        row = self._core.db.read(lambda tx: tx.execute(query).mappings().one_or_none())
        if row is None:
            raise not_found("payout")
        return payout_object(row)

    def page(self, owner: Owner, request: PageRequest) -> Page:
        """Return a page of this owner's payouts, newest first."""
        table = schema.payout
        return self._core.db.read(lambda tx: fetch_page(tx, table, select(table), owner, request, payout_object))

    def settle(self) -> int:
        """Take in payouts of every provider and mode; return how many were settled with all their lines.

        A provider that does not answer is left to the next time.
        """
        settled = 0
        for name, processor in self._core.hosted.items():
            for livemode in (False, True):
                if not processor.methods(livemode=livemode):
                    continue
                try:
                    settled += self._settle_mode(name, livemode=livemode)
                except WorldError as error:
                    log.warning("payouts_not_read", processor=name, livemode=livemode, code=error.code)
        return settled

    def _settle_mode(self, name: str, *, livemode: bool) -> int:
        owner = self._core.db.read(lambda tx: _holder(tx, livemode=livemode))
        if owner is None:
            return 0
        network = f"{name}:{'live' if livemode else 'test'}"
        since = self._core.db.read(partial(_unread_since, network, self._core.clock.now()))
        settled = 0
        for payout in self._core.hosted[name].payouts(livemode=livemode, since=since):
            known = self._core.db.write(partial(self._keep, owner, network, payout))
            if known or not (payout.is_automatic and payout.is_reconciled):
                continue
            lines = list(self._core.hosted[name].payout_lines(payout.reference, livemode=livemode))
            self._read_what_happened(network, lines)
            self._book(network, lines)
            self._core.db.write(partial(self._close, owner, network, payout))
            self._core.wake_delivery()
            settled += 1
        return settled

    def _keep(self, owner: Owner, network: str, payout: ProviderPayout, tx: Tx) -> bool:
        """Store a payout, or what changed of it; return whether every line of it is booked already."""
        table = schema.payout
        is_it = (table.c.network == network) & (table.c.reference == payout.reference)
        if insert_new(tx, table, self._row(owner, network, payout)):
            return False
        tx.execute(update(table).where(is_it).values(status=payout.status, arrives_on=payout.arrives_on))
        return tx.scalar(select(table.c.settled_at).where(is_it)) is not None

    def _row(self, owner: Owner, network: str, payout: ProviderPayout) -> dict[str, Any]:
        return {
            "id": self._core.ids.new("po"),
            "merchant_id": owner.merchant_id,
            "livemode": owner.livemode,
            "network": network,
            "reference": payout.reference,
            "status": payout.status,
            "currency": payout.amount.currency,
            "amount": payout.amount.atomic,
            "is_automatic": payout.is_automatic,
            "arrives_on": payout.arrives_on,
            "settled_at": None,
            "created_at": self._core.clock.now(),
        }

    def _read_what_happened(self, network: str, lines: list[BalanceLine]) -> None:
        """Read charges again of which a payout has lines that nobody told us of: a lost webhook must not cost a fact.

        Before the lines are stored, so that a provider who does not answer now is asked again with the same payout.
        """
        for portion in _portions(lines):
            for attempt_id in self._core.db.read(partial(_untold, network, portion)):
                self._reading.read(attempt_id)

    def _book(self, network: str, lines: list[BalanceLine]) -> None:
        """Store lines in portions, and bring the payments that they are about to where they now stand."""
        for portion in _portions(lines):
            touched = self._core.db.write(partial(_take, network, portion))
            for payment_id in sorted(touched):
                self._core.db.write(partial(self._refresh, payment_id))

    def _refresh(self, payment_id: str, tx: Tx) -> None:
        refresh(self._core, tx, payment_id)

    def _close(self, owner: Owner, network: str, payout: ProviderPayout, tx: Tx) -> None:
        """Note that every line is booked, and tell the merchant once."""
        table = schema.payout
        is_it = (table.c.network == network) & (table.c.reference == payout.reference)
        row = tx.execute(select(table).where(is_it).with_for_update()).mappings().one()
        if row["settled_at"] is not None:
            return
        now = self._core.clock.now()
        tx.execute(update(table).where(is_it).values(settled_at=now))
        append(
            tx,
            Event(
                id=self._core.ids.new("evt"),
                type=EventType.PAYOUT_SETTLED,
                merchant_id=owner.merchant_id,
                livemode=owner.livemode,
                object_id=row["id"],
                sequence=next_sequence(tx, row["id"]),
                created_at=now,
                data=payout_object(dict(row) | {"settled_at": now}),
            ),
        )


def _portions(lines: list[BalanceLine]) -> Iterator[list[BalanceLine]]:
    for start in range(0, len(lines), BATCH):
        yield lines[start : start + BATCH]


def _untold(network: str, lines: list[BalanceLine], tx: Tx) -> list[str]:
    """Return the attempts whose charges are known, and have lines here that are not."""
    line, charge = schema.balance_line, schema.charge
    references = [one.reference for one in lines]
    known = set(tx.scalars(select(line.c.reference).where(line.c.network == network, line.c.reference.in_(references))))
    sources = {one.source for one in lines if one.source is not None and one.reference not in known}
    is_theirs = (charge.c.network == network) & charge.c.reference.in_(sources)
    return sorted(tx.scalars(select(charge.c.attempt_id).where(is_theirs)))


def _holder(tx: Tx, *, livemode: bool) -> Owner | None:
    """Return whose payouts these are: the account that the installation was made for."""
    merchant_id = tx.scalar(select(func.min(schema.merchant.c.id)))
    return None if merchant_id is None else Owner(merchant_id=merchant_id, livemode=livemode)


def _unread_since(network: str, now: datetime, tx: Tx) -> datetime:
    """Return since when payouts may be news, however long nobody looked.

    Payouts are kept oldest first, so that none is unknown which is much older than the newest that is known. Where none
    is known, none can be older than the first page on which somebody could pay.
    """
    payout, attempt = schema.payout, schema.attempt
    newest = tx.scalar(select(func.max(payout.c.arrives_on)).where(payout.c.network == network))
    first_page = select(attempt.c.created_at).where(attempt.c.network == network).order_by(attempt.c.id).limit(1)
    known = newest or tx.scalar(first_page) or now
    return min(known, now) - LOOK_BACK


def _take(network: str, lines: list[BalanceLine], tx: Tx) -> set[str]:
    """Store lines; return the payments that they change.

    A line of nobody's charge is kept for the report; should the charge be read later, it takes its line.
    """
    charge = schema.charge
    sources = [line.source for line in lines if line.source is not None]
    query = select(charge.c.reference, charge.c.id, charge.c.payment_id)
    rows = tx.execute(query.where(charge.c.network == network, charge.c.reference.in_(sources)))
    known = {row.reference: (row.id, row.payment_id) for row in rows}
    touched = set()
    for line in sorted(lines, key=attrgetter("reference")):  # rows are locked in this order, as by a read of a charge
        charge_id, payment_id = known.get(line.source or "", (None, None))
        touched.add(take_line(tx, network, line, charge_id=charge_id, payment_id=payment_id))
    return {payment_id for payment_id in touched if payment_id is not None}
