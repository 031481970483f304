"""What a campaign collected, day by day. Reads only."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import select

from gateway.engine.donations.records import CampaignRecord
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx

MAX_DAYS: Final = 3_660  # ten years: more points than any chart has pixels


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
    table, code = schema.campaign_day, campaign.currency
    is_wanted = (table.c.day >= _start(since)) & (table.c.day <= _start(until)) & (table.c.gifts > 0)
    query = select(table).where(table.c.campaign_id == campaign.id, is_wanted).order_by(table.c.day)
    return [
        GiftDay(
            day=row.day.date(),
            count=row.gifts,
            received=Money(row.received, code),
            reversed_=Money(row.reversed, code),
        )
        for row in tx.execute(query)
    ]


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
