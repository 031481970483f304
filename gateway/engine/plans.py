"""Plans: what a subscription costs and how it repeats. A plan never changes; it is archived, and another one made."""

from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import insert, select, update

from gateway.domain.subscriptions import Interval
from gateway.engine.core import Core
from gateway.engine.idempotency import Intent, Reply, once
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.records import Owner
from gateway.engine.recurring import PlanRecord, own_plan, plan_object
from gateway.kernel.canonical import canonical_json
from gateway.kernel.errors import ConflictError, ErrorCode
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx

CREATED: Final = 201
OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPlan:
    """What a merchant asks for; already checked by the door."""

    name: str
    amount: Money
    interval: Interval
    interval_count: int = 1
    trial_days: int = 0
    grace_days: int = 0
    metadata: dict[str, str] = field(default_factory=dict)


class Plans:
    """The verbs of plans."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def create(self, intent: Intent, new: NewPlan) -> Reply:
        """Make a plan."""

        def verb(tx: Tx) -> Reply:
            plan = insert_plan(self._core, tx, intent.owner, new)
            return Reply(status_code=CREATED, body=canonical_json(plan_object(plan)))

        return once(self._core, intent, verb)

    def retrieve(self, owner: Owner, plan_id: str) -> dict[str, Any]:
        """Return a plan of this owner.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        return self._core.db.read(lambda tx: plan_object(own_plan(tx, owner, plan_id)))

    def page(self, owner: Owner, request: PageRequest, *, is_active: bool | None = None) -> Page:
        """Return a page of this owner's plans, newest first."""
        table = schema.plan
        query = select(table)
        if is_active is not None:
            query = query.where(table.c.archived_at.is_(None) if is_active else table.c.archived_at.is_not(None))

        def to_object(row: dict[str, Any]) -> dict[str, Any]:
            return plan_object(PlanRecord.of(row))

        return self._core.db.read(lambda tx: fetch_page(tx, table, query, owner, request, to_object))

    def archive(self, intent: Intent, plan_id: str) -> Reply:
        """Let nobody subscribe to a plan any more; subscriptions that exist go on.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """

        def verb(tx: Tx) -> Reply:
            plan, table = own_plan(tx, intent.owner, plan_id), schema.plan
            if plan.archived_at is None:
                values = {"archived_at": self._core.clock.now()}
                tx.execute(update(table).where(table.c.id == plan.id).values(values))
            return Reply(status_code=OK, body=canonical_json(plan_object(own_plan(tx, intent.owner, plan_id))))

        return once(self._core, intent, verb)

    def offered(self, owner: Owner, plan_id: str) -> PlanRecord:
        """Return a plan to which one may subscribe.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
            ConflictError: it is archived.
        """
        plan = self._core.db.read(lambda tx: own_plan(tx, owner, plan_id))
        if plan.archived_at is not None:
            raise ConflictError(
                ErrorCode.PLAN_ARCHIVED, "Nobody can subscribe to this plan any more.", object_id=plan.id
            )
        return plan


def insert_plan(core: Core, tx: Tx, owner: Owner, new: NewPlan) -> PlanRecord:
    """Store a plan."""
    plan = PlanRecord(
        id=core.ids.new("plan"),
        merchant_id=owner.merchant_id,
        livemode=owner.livemode,
        name=new.name,
        amount=new.amount,
        interval=new.interval,
        interval_count=new.interval_count,
        trial_days=new.trial_days,
        grace_days=new.grace_days,
        metadata=new.metadata,
        created_at=core.clock.now(),
        archived_at=None,
    )
    values = {name: getattr(plan, name) for name in PlanRecord.__dataclass_fields__}
    amount = {"amount": plan.amount.atomic, "currency": plan.amount.currency}
    tx.execute(insert(schema.plan), values | amount | {"interval": plan.interval.value})
    return plan
