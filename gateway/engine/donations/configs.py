"""Donation configs: what shoppers are offered at checkout. One never changes, because shoppers agreed to its terms."""

from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import insert, select, update

from gateway.domain.donations import ConfigMode, GiftTerms
from gateway.engine.core import Core
from gateway.engine.donations.charities import active_charity
from gateway.engine.donations.gifts import Gifts
from gateway.engine.donations.records import ConfigRecord, own_config
from gateway.engine.idempotency import Intent, Reply, once
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.records import Owner, not_found
from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx

CREATED: Final = 201
OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConfig:
    """What a merchant asks for; texts already checked by the door."""

    charity_id: str
    terms: GiftTerms
    disclosure: str
    payout_terms: str


class DonationConfigs:
    """The verbs of donation configs."""

    def __init__(self, core: Core, gifts: Gifts) -> None:
        self._core = core
        self._gifts = gifts

    def create(self, intent: Intent, new: NewConfig) -> Reply:
        """Offer gifts at checkout; the newest config of a currency that is in force is the one that counts.

        Raises:
            NotFoundError: there is no such charity, or it is somebody else's.
            ConflictError: `charity_archived`.
            InvalidRequestError: the terms do not fit together.
        """
        _refuse_odd(new.terms)

        def verb(tx: Tx) -> Reply:
            active_charity(tx, intent.owner, new.charity_id)
            if new.terms.ends_at is not None and new.terms.ends_at <= self._core.clock.now():
                raise _refused("ends_at", "Send a time that is still to come.")
            config = ConfigRecord(
                id=self._core.ids.new("dcf"),
                merchant_id=intent.owner.merchant_id,
                livemode=intent.owner.livemode,
                charity_id=new.charity_id,
                terms=new.terms,
                disclosure=new.disclosure,
                payout_terms=new.payout_terms,
                created_at=self._core.clock.now(),
                archived_at=None,
            )
            tx.execute(insert(schema.donation_config), config.row())
            return Reply(status_code=CREATED, body=canonical_json(config_object(config)))

        return once(self._core, intent, verb)

    def retrieve(self, owner: Owner, config_id: str) -> dict[str, Any]:
        """Return a config of this owner.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        return self._core.db.read(lambda tx: config_object(own_config(tx, owner, config_id)))

    def page(self, owner: Owner, request: PageRequest, *, charity_id: str | None, is_active: bool | None) -> Page:
        """Return a page of this owner's configs, newest first."""
        table = schema.donation_config
        query = select(table)
        if charity_id is not None:
            query = query.where(table.c.charity_id == charity_id)
        if is_active is not None:
            query = query.where(table.c.archived_at.is_(None) if is_active else table.c.archived_at.is_not(None))

        def to_object(row: dict[str, Any]) -> dict[str, Any]:
            return config_object(ConfigRecord.of(row))

        return self._core.db.read(lambda tx: fetch_page(tx, table, query, owner, request, to_object))

    def archive(self, intent: Intent, config_id: str) -> Reply:
        """Offer nothing by this config any more; gifts that were chosen stay.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """

        def verb(tx: Tx) -> Reply:
            config = own_config(tx, intent.owner, config_id, lock=True)
            if config.archived_at is None:
                config = replace(config, archived_at=self._core.clock.now())
                table = schema.donation_config
                values = {"archived_at": config.archived_at}
                tx.execute(update(table).where(table.c.id == config.id).values(values))
            return Reply(status_code=OK, body=canonical_json(config_object(config)))

        return once(self._core, intent, verb)

    def active(self, owner: Owner, price: Money) -> dict[str, Any]:
        """Return what shoppers of this account are offered on top of a price now, and for whom.

        Raises:
            NotFoundError: no config is in force for this currency now.
        """
        active, offers = self._gifts.offers(owner, price)
        if active is None:
            raise not_found("donation config in force for this currency")
        return {
            "object": "donation_offer",
            "donation_config": active.config.id,
            "charity": active.charity.id,
            "charity_name": active.charity.name,
            "disclosure": active.config.disclosure,
            "payout_terms": active.config.payout_terms,
            "amount": price.major,
            "currency": price.currency,
            "options": [
                {"kind": one.kind.value, "amount": one.amount.major, "total": one.total.major} for one in offers
            ],
        }


def config_object(config: ConfigRecord) -> dict[str, Any]:
    """Return a `donation_config`."""
    terms = config.terms
    return {
        "id": config.id,
        "object": "donation_config",
        "livemode": config.livemode,
        "charity": config.charity_id,
        "currency": terms.unit.currency,
        "mode": terms.mode.value,
        "unit": terms.unit.major,
        "cap": terms.cap.major,
        "amounts": [money.major for money in terms.amounts],
        "whole_totals": terms.whole_totals.value,
        "disclosure": config.disclosure,
        "payout_terms": config.payout_terms,
        "starts_at": None if terms.starts_at is None else rfc3339(terms.starts_at),
        "ends_at": None if terms.ends_at is None else rfc3339(terms.ends_at),
        "is_active": config.archived_at is None,
        "created_at": rfc3339(config.created_at),
    }


def _refuse_odd(terms: GiftTerms) -> None:
    """Refuse terms that would offer nothing, or that say what is never offered."""
    if terms.mode is not ConfigMode.ROUND_UP and not terms.amounts:
        raise _refused("amounts", "Send the fixed amounts that this mode offers.")
    if terms.mode is ConfigMode.ROUND_UP and terms.amounts:
        raise _refused("amounts", "Leave these out with mode round_up.")
    for place, amount in enumerate(terms.amounts):
        if amount > terms.cap:
            raise _refused(f"amounts/{place}", "Send at most the cap.")
    if terms.starts_at is not None and terms.ends_at is not None and terms.starts_at >= terms.ends_at:
        raise _refused("ends_at", "Send a time after starts_at.")


def _refused(field_name: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(ErrorCode.PARAMETER_INVALID, message, param=f"/{field_name}")
