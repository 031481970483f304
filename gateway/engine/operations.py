"""Operations: a command that moves money is a row before it is a call, and stays open until its outcome is known."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import insert, select, update

from gateway.domain.words import OperationKind, OperationStatus
from gateway.engine.core import Core
from gateway.engine.records import AttemptRecord, OperationRecord
from gateway.kernel.canonical import canonical_json
from gateway.kernel.errors import ConflictError, ErrorCode
from gateway.storage import schema
from gateway.storage.database import Tx

OPEN: Final = (OperationStatus.RESERVED.value, OperationStatus.SUBMITTED.value, OperationStatus.UNKNOWN.value)
# Chain transfers that a wallet signed: the chain says what became of them, no provider does.
WALLET_KINDS: Final = (OperationKind.BROADCAST, OperationKind.WALLET_SEND, OperationKind.REFUND_TRANSFER)
_REFUNDS: Final = frozenset({OperationKind.REFUND, OperationKind.CANCEL_REFUND})


def reserve(
    core: Core,
    tx: Tx,
    attempt: AttemptRecord,
    kind: OperationKind,
    payload: Mapping[str, Any],
    *,
    refund_id: str | None = None,
) -> OperationRecord:
    """Insert an operation; `payload` is what must be sent again in the same words."""
    now = core.clock.now()
    operation = OperationRecord(
        id=core.ids.new("op"),
        merchant_id=attempt.merchant_id,
        livemode=attempt.livemode,
        payment_id=attempt.payment_id,
        attempt_id=attempt.id,
        refund_id=refund_id,
        kind=kind,
        status=OperationStatus.RESERVED,
        provider_reference=None,
        payload=canonical_json(payload),
        last_valid_height=None,
        reason=None,
        created_at=now,
        updated_at=now,
    )
    row = {name: getattr(operation, name) for name in OperationRecord.__dataclass_fields__}
    tx.execute(insert(schema.operation), row | {"kind": kind.value, "status": operation.status.value})
    return operation


def load_operation(tx: Tx, operation_id: str) -> OperationRecord:
    """Return an operation that our own rows name."""
    table = schema.operation
    return OperationRecord.of(tx.execute(select(table).where(table.c.id == operation_id)).mappings().one())


def open_operations(tx: Tx, payment_id: str) -> list[OperationRecord]:
    """Return the commands to providers whose outcome is not known, oldest first."""
    table = schema.operation
    is_open = table.c.status.in_(OPEN) & table.c.kind.not_in([kind.value for kind in WALLET_KINDS])
    query = select(table).where(table.c.payment_id == payment_id, is_open).order_by(table.c.id)
    return [OperationRecord.of(row) for row in tx.execute(query).mappings()]


def refuse_while_open(tx: Tx, payment_id: str, *, but: Sequence[OperationKind] = ()) -> None:
    """Refuse a command while an earlier one of this payment is open; refunds reserve their amounts and block nothing.

    Raises:
        ConflictError: one is; reconciliation will close it.
    """
    allowed = _REFUNDS | set(but)
    if any(one.kind not in allowed for one in open_operations(tx, payment_id)):
        raise ConflictError(
            ErrorCode.OUTCOME_UNKNOWN,
            "An earlier command of this payment has no outcome yet. Ask again in a minute.",
            object_id=payment_id,
        )


def close(core: Core, tx: Tx, operation_id: str, status: OperationStatus, reason: str | None = None) -> None:
    """Record an outcome, or that there is none yet."""
    table = schema.operation
    values = {"status": status.value, "reason": reason, "updated_at": core.clock.now()}
    tx.execute(update(table).where(table.c.id == operation_id, table.c.status.in_(OPEN)).values(values))
