"""Customers: who pays again and again. What is known of a person can be erased; the books stay."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

from sqlalchemy import delete, insert, select, update

from gateway.domain.subscriptions import SubscriptionStatus
from gateway.domain.words import OperationKind, OperationStatus
from gateway.engine.core import Core
from gateway.engine.idempotency import Intent, Reply, once
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.records import Owner
from gateway.engine.recurring import CustomerRecord, customer_object, own_customer
from gateway.kernel.canonical import canonical_json
from gateway.kernel.errors import ConflictError, ErrorCode
from gateway.storage import schema
from gateway.storage.database import Tx

CREATED: Final = 201


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCustomer:
    """What a merchant knows of a person; already checked by the door."""

    email: str | None = None
    name: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


class Customers:
    """The verbs of customers."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def create(self, intent: Intent, new: NewCustomer) -> Reply:
        """Make a customer."""

        def verb(tx: Tx) -> Reply:
            customer = insert_customer(self._core, tx, intent.owner, new)
            return Reply(status_code=CREATED, body=canonical_json(customer_object(customer)))

        return once(self._core, intent, verb)

    def retrieve(self, owner: Owner, customer_id: str) -> dict[str, Any]:
        """Return a customer of this owner.

        Raises:
            NotFoundError: there is none, or it is somebody else's, or deleted.
        """
        return self._core.db.read(lambda tx: customer_object(own_customer(tx, owner, customer_id)))

    def page(self, owner: Owner, request: PageRequest, *, email: str | None = None) -> Page:
        """Return a page of this owner's customers, newest first, without deleted ones."""
        table = schema.customer
        query = select(table).where(table.c.deleted_at.is_(None))
        if email is not None:
            query = query.where(table.c.email == email)

        def to_object(row: dict[str, Any]) -> dict[str, Any]:
            return customer_object(CustomerRecord(**row))

        return self._core.db.read(lambda tx: fetch_page(tx, table, query, owner, request, to_object))

    def update(self, owner: Owner, customer_id: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Change what is known of a customer: `email`, `name`, `metadata`; what is not named stays.

        Raises:
            NotFoundError: there is none, or it is somebody else's, or deleted.
        """

        def verb(tx: Tx) -> dict[str, Any]:
            customer = own_customer(tx, owner, customer_id)
            after = replace(customer, **changes, updated_at=self._core.clock.now())
            table = schema.customer
            values = {name: getattr(after, name) for name in (*changes, "updated_at")}
            tx.execute(update(table).where(table.c.id == customer.id).values(values))
            return customer_object(after)

        return self._core.db.write(verb)

    def delete(self, owner: Owner, customer_id: str) -> dict[str, Any]:
        """Erase what is known of a person, at the providers first; payments, subscriptions and books stay, nameless.

        Raises:
            NotFoundError: there is none, or it is somebody else's, or deleted already.
            ConflictError: a subscription still runs; cancel it first.
            WorldError: a provider does not answer; nothing was erased here. Ask again.
        """
        found = self._core.db.read(lambda tx: self._erasable(tx, owner, customer_id))
        for network, reference in found:
            processor = self._core.subscriber(network.partition(":")[0])
            processor.forget_customer(reference, livemode=owner.livemode, key=self._core.ids.new("op"))
        self._core.db.write(lambda tx: self._erase(tx, owner, customer_id))
        return {"id": customer_id, "object": "customer", "deleted": True}

    def _erasable(self, tx: Tx, owner: Owner, customer_id: str) -> list[tuple[str, str]]:
        """Return where providers know a customer who has no subscription that runs."""
        customer = own_customer(tx, owner, customer_id)
        table = schema.subscription
        is_running = (table.c.customer_id == customer.id) & (table.c.status != SubscriptionStatus.CANCELED.value)
        if tx.execute(select(table.c.id).where(is_running).limit(1)).first() is not None:
            raise ConflictError(
                ErrorCode.CUSTOMER_IN_USE,
                "This customer has a subscription that has not ended. Cancel it first.",
                object_id=customer.id,
            )
        other = schema.customer_reference
        query = select(other.c.network, other.c.reference).where(other.c.customer_id == customer.id)
        return [(row.network, row.reference) for row in tx.execute(query)]

    def _erase(self, tx: Tx, owner: Owner, customer_id: str) -> None:
        self._erasable(tx, owner, customer_id)
        table, references, sessions = schema.customer, schema.customer_reference, schema.checkout_session
        now = self._core.clock.now()
        nothing: dict[str, Any] = {"email": None, "name": None, "metadata": {}, "deleted_at": now, "updated_at": now}
        tx.execute(update(table).where(table.c.id == customer_id).values(nothing))
        tx.execute(delete(references).where(references.c.customer_id == customer_id))
        is_theirs = sessions.c.customer_id == customer_id
        operations = schema.operation
        is_over = operations.c.status.in_([OperationStatus.SUCCEEDED.value, OperationStatus.REJECTED.value])
        payments = select(sessions.c.payment_id).where(is_theirs).scalar_subquery()
        # What was sent to open a page names the person, and is never sent again.
        is_page = (operations.c.kind == OperationKind.REGISTER.value) & operations.c.payment_id.in_(payments)
        tx.execute(update(operations).where(is_page, is_over).values(payload=None))
        tx.execute(update(sessions).where(is_theirs).values(customer_email=None, saved_method=None))


def insert_customer(core: Core, tx: Tx, owner: Owner, new: NewCustomer) -> CustomerRecord:
    """Insert a customer."""
    now = core.clock.now()
    customer = CustomerRecord(
        id=core.ids.new("cus"),
        merchant_id=owner.merchant_id,
        livemode=owner.livemode,
        email=new.email,
        name=new.name,
        metadata=new.metadata,
        created_at=now,
        updated_at=now,
        deleted_at=None,
    )
    row = {name: getattr(customer, name) for name in CustomerRecord.__dataclass_fields__}
    tx.execute(insert(schema.customer), row)
    return customer
