"""What a campaign collected, day by day. Reads only."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, func, select, type_coerce

from gateway.engine.donations.records import CampaignRecord
from gateway.kernel.clock import from_micros
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import total

MAX_DAYS: Final = 3_660  # ten years: more points than any chart has pixels
_DAY_MICROS: Final = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftDay:
    """The gifts that came on one day of UTC, in one currency.

    Attributes:
        count: how many came.
        received: what came, with what covers the fees.
        reversed_: what of it went back, on whatever day it did.
    """

    day: date
    count: int
    received: Money
    reversed_: Money


def gift_days(tx: Tx, campaign: CampaignRecord, since: date, until: date) -> list[GiftDay]:
    """Return the days on which gifts came, from `since` to `until`, both included; the oldest first.

    Raises:
        InvalidRequestError: these are more than `MAX_DAYS`, or run backwards.
    """
    if not timedelta(0) <= until - since < timedelta(days=MAX_DAYS):
        raise InvalidRequestError(
            ErrorCode.PARAMETER_INVALID, f"Ask for 1 to {MAX_DAYS} days, the earlier one first.", param="/until"
        )
    table = schema.donation
    moment = type_coerce(table.c.received_at, BigInteger)
    midnight = (moment - moment % _DAY_MICROS).label("midnight")
    sums = (total(tx, table.c.amount_received), total(tx, table.c.amount_reversed))
    query = (
        select(midnight, func.count(), *sums)
        .where(table.c.campaign_id == campaign.id)
        .where(table.c.received_at >= _start(since), table.c.received_at < _start(until) + timedelta(days=1))
        .group_by(midnight)
        .order_by(midnight)
    )
    return [
        GiftDay(
            day=from_micros(int(start)).date(),
            count=count,
            received=Money(int(received), campaign.currency),
            reversed_=Money(int(gone), campaign.currency),
        )
        for start, count, received, gone in tx.execute(query)
    ]


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
