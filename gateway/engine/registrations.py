"""A registration as its operation keeps it: what is sent again must be sent in the same words."""

import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import select

from gateway.domain.provider import RecurringTerms, Registration, RegistrationLine
from gateway.domain.words import CaptureMethod, SessionMode
from gateway.engine.records import OperationRecord, SessionRecord
from gateway.engine.recurring import load_plan
from gateway.kernel.clock import from_micros, to_micros
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx


def recurring_terms(tx: Tx, session: SessionRecord) -> RecurringTerms | None:
    """Return how what a session begins repeats; None for a session that begins nothing."""
    if session.mode is not SessionMode.SUBSCRIPTION:
        return None
    assert session.plan_id is not None, "a session that begins a subscription names its plan"
    plan = load_plan(tx, session.plan_id)
    return RecurringTerms(interval=plan.interval.value, interval_count=plan.interval_count, trial_days=plan.trial_days)


def provider_customer(tx: Tx, session: SessionRecord, network: str) -> str | None:
    """Return by what id a provider knows the customer of a session; None for one it has never seen."""
    table = schema.customer_reference
    is_theirs = (table.c.network == network) & (table.c.customer_id == session.customer_id)
    query = select(table.c.reference).where(is_theirs).order_by(table.c.created_at, table.c.reference)
    return tx.scalar(query.limit(1)) if session.customer_id is not None else None


def registration_payload(registration: Registration) -> dict[str, Any]:
    """Return a registration as the operation keeps it, so that it can be sent again in the same words."""
    kept = asdict(registration)
    for name in ("created_at", "expires_at"):
        kept[name] = to_micros(kept[name])
    del kept["operation_id"]
    return kept


def read_registration(operation: OperationRecord) -> Registration:
    """Return the registration that an operation keeps."""
    kept: dict[str, Any] = json.loads(operation.payload or "{}")
    lines = tuple(
        RegistrationLine(name=line["name"], quantity=line["quantity"], amount=Money(**line["amount"]))
        for line in kept.pop("lines")
    )
    recurring = kept.pop("recurring")
    return Registration(
        operation_id=operation.id,
        mode=SessionMode(kept.pop("mode")),
        amount=Money(**kept.pop("amount")),
        capture_method=CaptureMethod(kept.pop("capture_method")),
        lines=lines,
        created_at=from_micros(kept.pop("created_at")),
        expires_at=from_micros(kept.pop("expires_at")),
        recurring=None if recurring is None else RecurringTerms(**recurring),
        **kept,
    )
