"""Campaigns: what a charity collects for, with what its form offers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import insert, select, update

from gateway.domain.donations import Frequency
from gateway.engine.core import Core
from gateway.engine.donations.charities import active_charity
from gateway.engine.donations.progress import GiftDay, gift_days
from gateway.engine.donations.records import CampaignRecord, own_campaign
from gateway.engine.idempotency import Intent, Reply, once
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.records import Owner
from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.kernel.money import Money, parse_money
from gateway.storage import schema
from gateway.storage.database import Tx

CREATED: Final = 201
OK: Final = 200
_AMOUNTS: Final = ("min_amount", "max_amount")
_OPTIONAL_AMOUNTS: Final = ("goal", "fee_fixed")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCampaign:
    """What a merchant asks for; amounts in major units, their forms and all texts already checked by the door.

    Attributes:
        fee_bps, fee_fixed: what a donor who covers the fees adds: a share of the whole, and a fixed part.
        locales: the languages of its form; empty for all.
        origins: sites that may frame its form.
    """

    charity_id: str
    title: str
    currency: str
    min_amount: str
    max_amount: str
    story: str = ""
    presets: Sequence[str] = ()
    frequencies: Sequence[Frequency] = (Frequency.ONCE,)
    goal: str | None = None
    offers_fee_cover: bool = False
    fee_bps: int = 0
    fee_fixed: str | None = None
    offers_tribute: bool = False
    offers_comment: bool = False
    shows_wall: bool = False
    locales: Sequence[str] = ()
    origins: Sequence[str] = ()
    ends_at: datetime | None = None
    metadata: dict[str, str] = field(default_factory=dict)


class Campaigns:
    """The verbs of campaigns."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def create(self, intent: Intent, new: NewCampaign) -> Reply:
        """Make a campaign.

        Raises:
            NotFoundError: there is no such charity, or it is somebody else's.
            ConflictError: `charity_archived`.
            InvalidRequestError: its amounts do not fit together.
        """
        draft = self._draft(intent.owner, new)

        def verb(tx: Tx) -> Reply:
            active_charity(tx, intent.owner, new.charity_id)
            tx.execute(insert(schema.campaign), draft.row())
            return Reply(status_code=CREATED, body=canonical_json(self.shown(draft)))

        return once(self._core, intent, verb)

    def retrieve(self, owner: Owner, campaign_id: str) -> dict[str, Any]:
        """Return a campaign of this owner.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        return self._core.db.read(lambda tx: self.shown(own_campaign(tx, owner, campaign_id)))

    def page(self, owner: Owner, request: PageRequest, *, charity_id: str | None, is_open: bool | None) -> Page:
        """Return a page of this owner's campaigns, newest first."""
        table, now = schema.campaign, self._core.clock.now()
        query = select(table)
        if charity_id is not None:
            query = query.where(table.c.charity_id == charity_id)
        takes_gifts = table.c.closed_at.is_(None) & (table.c.ends_at.is_(None) | (table.c.ends_at > now))
        if is_open is not None:
            query = query.where(takes_gifts if is_open else ~takes_gifts)

        def to_object(row: dict[str, Any]) -> dict[str, Any]:
            return self.shown(CampaignRecord.of(row))

        return self._core.db.read(lambda tx: fetch_page(tx, table, query, owner, request, to_object))

    def by_day(self, owner: Owner, campaign_id: str, since: date, until: date) -> list[GiftDay]:
        """Return what came on each day of UTC, from `since` to `until`, both included; days without gifts are left out.

        Raises:
            NotFoundError: there is no such campaign, or it is somebody else's.
            InvalidRequestError: these are more than `MAX_DAYS` days, or run backwards.
        """
        return self._core.db.read(lambda tx: gift_days(tx, own_campaign(tx, owner, campaign_id), since, until))

    def update(self, owner: Owner, campaign_id: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change what its form says and offers; its charity and its currency never change.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
            InvalidRequestError: its amounts do not fit together then.
        """

        def verb(tx: Tx) -> dict[str, Any]:
            campaign = own_campaign(tx, owner, campaign_id, lock=True)
            values = _read(changes, campaign.currency) | {"updated_at": self._core.clock.now()}
            after = _fitting(replace(campaign, **values))
            table = schema.campaign
            tx.execute(update(table).where(table.c.id == campaign.id).values(after.row()))
            return self.shown(after)

        return self._core.db.write(verb)

    def close(self, intent: Intent, campaign_id: str) -> Reply:
        """Take no more gifts, for good; those that repeat go on until their donors stop them.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """

        def verb(tx: Tx) -> Reply:
            campaign, now = own_campaign(tx, intent.owner, campaign_id, lock=True), self._core.clock.now()
            if campaign.closed_at is None:
                campaign = replace(campaign, closed_at=now, updated_at=now)
                table = schema.campaign
                tx.execute(update(table).where(table.c.id == campaign.id).values(closed_at=now, updated_at=now))
            return Reply(status_code=OK, body=canonical_json(self.shown(campaign)))

        return once(self._core, intent, verb)

    def shown(self, campaign: CampaignRecord) -> dict[str, Any]:
        """Return a `donation_campaign`."""
        hidden = {"merchant_id", "charity_id", "closed_at", "created_at", "updated_at", "ends_at"}
        return {
            "object": "donation_campaign",
            **{name: value for name, value in campaign.row().items() if name not in hidden},
            "charity": campaign.charity_id,
            "min_amount": campaign.min_amount.major,
            "max_amount": campaign.max_amount.major,
            "goal": None if campaign.goal is None else campaign.goal.major,
            "fee_fixed": campaign.fee_fixed.major,
            "is_open": campaign.is_open(self._core.clock.now()),
            "url": f"{self._core.base_url}/donate/{campaign.id}",
            "ends_at": None if campaign.ends_at is None else rfc3339(campaign.ends_at),
            "closed_at": None if campaign.closed_at is None else rfc3339(campaign.closed_at),
            "created_at": rfc3339(campaign.created_at),
            "updated_at": rfc3339(campaign.updated_at),
        }

    def _draft(self, owner: Owner, new: NewCampaign) -> CampaignRecord:
        now = self._core.clock.now()
        given = {name: getattr(new, name) for name in NewCampaign.__dataclass_fields__ if name != "currency"}
        return _fitting(
            CampaignRecord(
                id=self._core.ids.new("cmp"),
                merchant_id=owner.merchant_id,
                livemode=owner.livemode,
                **_read(given, new.currency),
                created_at=now,
                updated_at=now,
                closed_at=None,
            )
        )


def _read(given: Mapping[str, Any], code: str) -> dict[str, Any]:
    """Return fields with their amounts as money of this currency, and their lists without repetitions."""
    read = dict(given)
    for name in _AMOUNTS:
        if name in read:
            read[name] = parse_money(read[name], code, param=f"/{name}")
    for name in _OPTIONAL_AMOUNTS:
        if read.get(name) is not None:
            read[name] = parse_money(read[name], code, param=f"/{name}")
    if "fee_fixed" in read:
        read["fee_fixed"] = read["fee_fixed"] or Money.zero(code)
    if "presets" in read:
        amounts = [parse_money(text, code, param=f"/presets/{place}") for place, text in enumerate(read["presets"])]
        read["presets"] = tuple(dict.fromkeys(amounts))
    for name in ("frequencies", "locales", "origins"):
        if name in read:
            read[name] = tuple(dict.fromkeys(read[name]))
    return read


def _fitting(campaign: CampaignRecord) -> CampaignRecord:
    """Return a campaign whose amounts fit together.

    Raises:
        InvalidRequestError: they do not.
    """
    if campaign.min_amount > campaign.max_amount:
        raise _refused("max_amount", "Send at least min_amount.")
    for place, preset in enumerate(campaign.presets):
        if not campaign.min_amount <= preset <= campaign.max_amount:
            raise _refused(f"presets/{place}", "Send amounts from min_amount to max_amount.")
    return campaign


def _refused(field_name: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(ErrorCode.PARAMETER_INVALID, message, param=f"/{field_name}")
