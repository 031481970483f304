"""What was given on each day of UTC, kept in the tx that changes a gift, so that no page ever adds up all gifts.

A campaign's days count in the currency of its price, a charity's in what came and lies in the books.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Table

from gateway.domain.donations import DonationStatus
from gateway.engine.donations.records import DonationRecord
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import add_to_rows

# What is added up, by table.
SUMS: Final[Mapping[Table, tuple[str, ...]]] = {
    schema.campaign_day: ("gifts", "stayed", "received", "reversed", "fee_cover"),
    schema.charity_day: ("received", "reversed", "owed"),
}


def count_gift(tx: Tx, before: DonationRecord | None, after: DonationRecord) -> None:
    """Bring the sums of days from what a gift was to what it is; the caller holds its payment's lock.

    The rows are locked in one order, behind the balances of the books that gifts to one charity wait for.
    """
    for table, names in SUMS.items():
        old, new = ({} if gift is None else _parts(table, gift) for gift in (before, after))
        rows = []
        for key in sorted({*old, *new}):
            change = Counter(new.get(key, {}))
            change.subtract(old.get(key, {}))
            if any(change.values()):
                rows.append(_key_columns(table, key) | {name: change[name] for name in names} | {"version": 1})
        add_to_rows(tx, table, rows, names)


def midnight(moment: datetime) -> datetime:
    """Return when the day of UTC began."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _parts(table: Table, gift: DonationRecord) -> Mapping[tuple[str | datetime, ...], Mapping[str, int]]:
    """Return what a gift adds to rows of this table, by their keys; nothing before it came."""
    if gift.received_at is None:
        return {}
    day = midnight(gift.received_at)
    if table is schema.charity_day:
        return {(gift.charity_id, code, day): sums for code, sums in _by_currency(gift).items()}
    if gift.campaign_id is None:
        return {}
    return {
        (gift.campaign_id, day): {
            "gifts": 1,
            "stayed": int(gift.status is DonationStatus.RECEIVED),
            "received": gift.amount_received.atomic,
            "reversed": gift.amount_reversed.atomic,
            "fee_cover": gift.fee_cover.atomic,
        }
    }


def _by_currency(gift: DonationRecord) -> Mapping[str, Mapping[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for name, amounts in (("received", gift.received), ("reversed", gift.reversed_), ("owed", gift.owed)):
        for code, units in amounts.items():
            found[code][name] = units
    return found


def _key_columns(table: Table, key: tuple[str | datetime, ...]) -> dict[str, Any]:
    return {column.name: value for column, value in zip(table.primary_key, key, strict=True)}
