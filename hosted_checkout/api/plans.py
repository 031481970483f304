"""`/v1/plans`: what a subscription costs and how it repeats."""

from typing import Annotated, ClassVar, Final

from pydantic import Field, ValidationInfo, field_validator

from gateway.domain.subscriptions import Interval
from gateway.engine import plans as verbs
from gateway.kernel.money import parse_money
from hosted_checkout.api.answers import ListOf
from hosted_checkout.api.answers_recurring import Plan
from hosted_checkout.api.fields import Amount, CurrencyCode, Flag, Line, Metadata, invalid
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, listed
from hosted_checkout.api.lists import PageQuery
from hosted_checkout.api.sessions import SESSION_ERRORS

MAX_TRIAL_DAYS: Final = 730  # two years, the most that providers take
MAX_GRACE_DAYS: Final = 60
# Three years at the most, as providers have it.
MAX_COUNTS: Final = {Interval.DAY: 1095, Interval.WEEK: 156, Interval.MONTH: 36, Interval.YEAR: 3}

routes = Routes("Plans")


class NewPlan(Strict):
    """The terms that a customer agrees to."""

    name: Annotated[
        Line, Field(max_length=120, description="What is bought, as customers read it.", examples=["Tea club"])
    ]
    # Fields that others are checked against stand before them.
    currency: CurrencyCode
    amount: Amount
    interval: Annotated[Interval, Field(strict=False, description="What a period is counted in.")]
    interval_count: int = Field(default=1, ge=1, le=MAX_COUNTS[Interval.DAY], description="Three years at the most.")
    trial_days: int = Field(default=0, ge=0, le=MAX_TRIAL_DAYS, description="Days before the first charge.")
    grace_days: int = Field(
        default=3, ge=0, le=MAX_GRACE_DAYS, description="Days to serve on while a renewal is due or was declined."
    )
    metadata: Metadata = Field(default_factory=dict, description="Texts of your own, given back with the plan.")

    @field_validator("interval_count")
    @classmethod
    def _within_three_years(cls, count: int, info: ValidationInfo) -> int:
        most = MAX_COUNTS.get(info.data.get("interval", Interval.DAY), count)
        if count > most:
            raise invalid(f"Send at most {most}: three years.")
        return count


class PlanQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "plan"

    is_active: Flag | None = Field(
        default=None, description="Only plans to which one may subscribe, or only archived ones."
    )


@routes.post("/v1/plans", body=NewPlan, answers={201: Plan}, errors=SESSION_ERRORS[:5])
def create_plan(rooms: Rooms, call: Call[NewPlan, Empty]) -> Answer:
    """Make a plan.

    A plan never changes: make another one and archive this. Subscriptions are collected by card providers, so the
    currency and the amount must be theirs to take.
    """
    body = call.body
    new = verbs.NewPlan(
        name=body.name,
        amount=parse_money(body.amount, body.currency),
        interval=body.interval,
        interval_count=body.interval_count,
        trial_days=body.trial_days,
        grace_days=body.grace_days,
        metadata=body.metadata,
    )
    return Answer.reply(rooms.engine.plans.create(call.intent, new))


@routes.get("/v1/plans", query=PlanQuery, answers={200: ListOf[Plan]})
def list_plans(rooms: Rooms, call: Call[Empty, PlanQuery]) -> Answer:
    """List plans, newest first."""
    query = call.query
    return listed(rooms.engine.plans.page(call.owner, query.page(), is_active=query.is_active), call.path)


@routes.get("/v1/plans/{id}", prefix="plan", answers={200: Plan})
def retrieve_plan(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read a plan."""
    return Answer.of(rooms.engine.plans.retrieve(call.owner, call.id))


@routes.post("/v1/plans/{id}/archive", prefix="plan", answers={200: Plan})
def archive_plan(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Let nobody subscribe to a plan any more.

    Subscriptions that exist go on.
    """
    return Answer.reply(rooms.engine.plans.archive(call.intent, call.id))
