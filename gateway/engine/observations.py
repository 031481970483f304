"""Observations: what the monitor saw becomes facts, each credited once, and every payment it touches is refreshed.

Implements `domain.ports.ObservationSink`. Repeating an observation changes nothing; money that belongs to nobody is
kept in suspense and in the unmatched queue.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, select, update

from gateway.domain.attribution import (
    COST_PATHS,
    GIFT_PATH,
    MAX_DUST,
    Candidate,
    Credit,
    attribute,
    gifts_beside,
    is_dust,
)
from gateway.domain.chain import ChainObservation, StageChange
from gateway.domain.events import Event, EventType
from gateway.domain.postings import unmatched_target
from gateway.domain.words import OperationKind, OperationStatus, PaymentStatus, TransferStage, UnmatchedReason
from gateway.engine.core import Core
from gateway.engine.outflows import named_refund, payment_of_refund
from gateway.engine.posting import Subject, post_difference
from gateway.engine.records import Owner, TransferRecord, load_merchant, load_payment
from gateway.engine.refresh import refresh
from gateway.engine.wire import chain_transfer_object
from gateway.kernel.ids import id_at
from gateway.kernel.log import Log
from gateway.kernel.money import Money
from gateway.outbox.events import append, next_sequence
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import exact_sum, insert_new

log = Log("engine")

_ORDER: Final = {TransferStage.SEEN: 1, TransferStage.CONFIRMED: 2, TransferStage.FINAL: 3}
_MEMO_LIMIT: Final = 600
_UNIQUE_TRANSFER: Final = "uq_chain_transfer_network_signature_account_path"
MAX_TOLD_PER_HOUR: Final = 100  # unmatched transfers announced to a merchant; dust costs its sender next to nothing
UNMATCHED_INFLOWS: Final = tuple(reason.value for reason in UnmatchedReason if reason is not UnmatchedReason.OUTFLOW)
MAX_ASKERS: Final = 50  # attempts looked at for one sum; two payments that ask it are one too many already
MAX_SUGGESTIONS: Final = 5
_GUESSABLE: Final = frozenset({UnmatchedReason.NO_REFERENCE, UnmatchedReason.UNKNOWN_REFERENCE})
SEARCH_LIMIT: Final = 100  # references looked up on the chain for one gap, once a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class _Receiver:
    """Whose account was credited."""

    owner: Owner
    match_by_exact_amount: bool


class Observations:
    """The sink of the monitor."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def observe(self, observations: Sequence[ChainObservation]) -> None:
        """Record facts, one tx each, so that one bad observation cannot hold back the others' money.

        Raises:
            Exception: what the first failing one raised, after all the others were recorded.
        """
        self._each([partial(self._observe, observation) for observation in observations])

    def restage(self, changes: Sequence[StageChange]) -> None:
        """Move facts on, or take them back after a reorg; one tx each, as in `observe`."""
        self._each([partial(self._restage, change) for change in changes])

    def explained(self, network: str, account: str) -> int:
        """Return the final change of an account that our records explain, in atomic units: in, out, fees."""
        table = schema.chain_transfer
        is_final = (table.c.stage == TransferStage.FINAL.value) & (table.c.path != GIFT_PATH)
        query = select(table.c.amount).where(table.c.network == network, table.c.account == account, is_final)
        return self._core.db.read(lambda tx: exact_sum(tx, query.subquery().c.amount))

    def unpaid_references(self, network: str, account: str) -> list[str]:
        """Return reference keys, newest first, that were shown for an account and whose payments are not paid.

        For the search when an account holds money that nothing explains; the limit bounds what one search costs.
        """
        attempt, payment = schema.attempt, schema.payment
        query = (
            select(attempt.c.reference_key)
            .join(payment, payment.c.id == attempt.c.payment_id)
            .where(
                attempt.c.network == network,
                attempt.c.account == account,
                payment.c.status != PaymentStatus.PAID.value,
            )
            .order_by(attempt.c.id.desc())
            .limit(SEARCH_LIMIT)
        )
        return self._core.db.read(lambda tx: list(tx.scalars(query)))

    def _each(self, verbs: Sequence[Callable[[Tx], None]]) -> None:
        failures: list[Exception] = []
        for verb in verbs:
            try:
                self._core.db.write(verb)
            except Exception as error:  # a loop over strangers' data: logged, and raised at its end
                log.exception("fact_not_recorded")
                failures.append(error)
        if verbs:
            self._core.wake_delivery()
        if failures:
            raise failures[0]

    def _observe(self, observation: ChainObservation, tx: Tx) -> None:
        receiver = _receiver(tx, observation)
        if receiver is None:
            log.warning("observation_of_unknown_account", network=observation.network, account=observation.account)
            return
        _keep_evidence(tx, observation, self._core.clock.now())
        known = _standing(tx, observation)
        candidates = _candidates(tx, receiver.owner, observation)
        refund = named_refund(tx, receiver.owner, observation)
        attributed = _by_exact_amount(tx, receiver, observation, known, attribute(observation, candidates, refund))
        credits_ = [_without_flood(tx, credit, candidates) for credit in attributed]
        if _is_refuted(observation, known, credits_):
            return
        gone = known.keys() - {credit.path for credit in credits_}
        payments = {one for path in sorted(gone) for one in self._amend(tx, known[path], observation, None)}
        for credit in credits_:
            payments |= self._record(tx, receiver.owner, observation, credit)
        payments |= _close_operations(tx, observation.signature, self._core.clock.now())
        for payment_id in sorted(payments):
            refresh(self._core, tx, payment_id)

    def _record(self, tx: Tx, owner: Owner, observation: ChainObservation, credit: Credit) -> set[str]:
        """Insert a fact, or bring the one that stands there to what is seen now; return the payments it touches."""
        table = schema.chain_transfer
        values = _transfer_row(self._core, owner, observation, credit)
        if insert_new(tx, table, values):
            return self._follow(tx, TransferRecord.of(values))
        query = select(table).where(_is_of(observation), table.c.path == credit.path)
        known = TransferRecord.of(tx.execute(query.with_for_update()).mappings().one())
        if known.amount.atomic != credit.amount:
            return self._amend(tx, known, observation, credit)
        moved = _advance(tx, known, observation.stage, observation.slot, observation.occurred_at)
        return set() if moved is None else self._follow(tx, moved)

    def _amend(self, tx: Tx, known: TransferRecord, observation: ChainObservation, credit: Credit | None) -> set[str]:
        """Give a fact that landed again after a fork its new amount, zero if that part is gone; return its payments.

        Whose it is follows the new amount, too, unless staff decided it.
        """
        amended = _amended(known, observation, credit)
        if amended.amount == known.amount and amended.stage is known.stage:
            return set()
        log.warning("transfer_landed_otherwise", transfer_id=known.id, network=known.network)
        table = schema.chain_transfer
        tx.execute(
            update(table)
            .where(table.c.id == known.id)
            .values(
                amount=amended.amount.atomic,
                stage=amended.stage.value,
                highest_stage=amended.highest_stage.value,
                slot=amended.slot,
                occurred_at=amended.occurred_at,
                payment_id=amended.payment_id,
                attempt_id=amended.attempt_id,
                refund_id=amended.refund_id,
                unmatched_reason=None if amended.unmatched_reason is None else amended.unmatched_reason.value,
                is_accepted_by_hand=amended.is_accepted_by_hand,
                version=amended.version,
            )
        )
        if known.payment_id is None and amended.payment_id is not None:
            book_unmatched(self._core, tx, amended)
        return _payments_of(tx, known) | self._follow(tx, amended)

    def _follow(self, tx: Tx, record: TransferRecord) -> set[str]:
        """Book a changed fact that belongs to nobody; return the payment of any other."""
        payments = _payments_of(tx, record)
        if not payments:
            self._book_unmatched(tx, record)
        return payments

    def _restage(self, change: StageChange, tx: Tx) -> None:
        payments: set[str] = set()
        for known in _standing(tx, change).values():
            moved = _advance(tx, known, change.stage, change.slot, None)
            payments |= set() if moved is None else self._follow(tx, moved)
        for payment_id in sorted(payments):
            refresh(self._core, tx, payment_id)

    def _book_unmatched(self, tx: Tx, record: TransferRecord) -> None:
        """Keep money that belongs to nobody in suspense, and tell the merchant once it is final."""
        book_unmatched(self._core, tx, record)
        if record.stage is TransferStage.FINAL and record.amount.atomic > 0 and self._is_worth_telling(tx, record):
            append(
                tx,
                Event(
                    id=self._core.ids.new("evt"),
                    type=EventType.TRANSFER_UNMATCHED,
                    merchant_id=record.merchant_id,
                    livemode=record.livemode,
                    object_id=record.id,
                    sequence=next_sequence(tx, record.id),
                    created_at=self._core.clock.now(),
                    data=chain_transfer_object(record, suggestions(tx, record)),
                ),
            )

    def _is_worth_telling(self, tx: Tx, record: TransferRecord) -> bool:
        """Tell whether unmatched money is news for webhooks; in a flood of it, the queue itself must be read."""
        if record.unmatched_reason in {UnmatchedReason.OUTFLOW, UnmatchedReason.DUST}:
            return False
        table, hour_ago = schema.chain_transfer, self._core.clock.now() - timedelta(hours=1)
        recent = select(table.c.id).where(
            table.c.merchant_id == record.merchant_id,
            table.c.livemode == record.livemode,
            table.c.id > id_at("xfer", hour_ago),
            table.c.unmatched_reason.in_(UNMATCHED_INFLOWS),
        )
        is_flood = len(tx.execute(recent.limit(MAX_TOLD_PER_HOUR + 1)).all()) > MAX_TOLD_PER_HOUR
        if is_flood:
            log.warning("unmatched_not_told", transfer_id=record.id, merchant_id=record.merchant_id)
        return not is_flood


def book_unmatched(core: Core, tx: Tx, record: TransferRecord) -> None:
    """Bring the books to where a transfer without payment must stand; once it has one, its payment's books hold it."""
    target = {}
    if record.payment_id is None:
        assert record.unmatched_reason is not None, "a transfer has a payment or a reason"
        target = dict(
            unmatched_target(
                record.network,
                record.amount,
                record.stage,
                record.unmatched_reason,
                is_fee=record.path in COST_PATHS,
            )
        )
    owner = Owner(merchant_id=record.merchant_id, livemode=record.livemode)
    subject = Subject(owner=owner, id=record.id, version=record.version)
    post_difference(core, tx, subject, target, record.occurred_at or record.first_seen_at)


def suggestions(tx: Tx, record: TransferRecord) -> list[str]:
    """Return up to five payments that an unmatched transfer may be meant for: open, and asking this sum there."""
    if record.attempt_id is not None:
        query = select(schema.attempt.c.payment_id).where(schema.attempt.c.id == record.attempt_id)
        return [row.payment_id for row in tx.execute(query)]
    found = _askers(tx, record.network, record.account, record.amount)
    return list(dict.fromkeys(one.payment_id for one in found))[:MAX_SUGGESTIONS]


def _receiver(tx: Tx, observation: ChainObservation) -> _Receiver | None:
    table = schema.receiving_account
    row = tx.execute(
        select(table.c.merchant_id, table.c.livemode).where(
            table.c.network == observation.network, table.c.account == observation.account
        )
    ).one_or_none()
    if row is None:
        return None
    settings = load_merchant(tx, row.merchant_id).settings
    owner = Owner(merchant_id=row.merchant_id, livemode=row.livemode)
    return _Receiver(owner=owner, match_by_exact_amount=settings.match_by_exact_amount)


def _candidates(tx: Tx, owner: Owner, observation: ChainObservation) -> Mapping[str, Candidate]:
    """Return the attempts that the references name; another merchant's order is no candidate for this one's money."""
    keys = set(observation.references).union(*(part.references for part in observation.parts))
    if not keys:
        return {}
    table = schema.attempt
    rows = tx.execute(
        select(table).where(
            table.c.network == observation.network,
            table.c.reference_key.in_(keys),
            table.c.merchant_id == owner.merchant_id,
            table.c.livemode == owner.livemode,
        )
    )
    return {row.reference_key: _candidate(row) for row in rows}


def _candidate(row: Any) -> Candidate:
    return Candidate(
        attempt_id=row.id,
        payment_id=row.payment_id,
        reference_key=row.reference_key,
        account=row.account,
        asset=row.pay_currency,
        due=row.pay_amount,
        gift_account=row.gift_account,
    )


def _by_exact_amount(
    tx: Tx,
    receiver: _Receiver,
    observation: ChainObservation,
    known: Mapping[str, TransferRecord],
    attributed: Sequence[Credit],
) -> list[Credit]:
    """Credit the only open payment that asks exactly this sum, where the merchant chose that rule.

    Its gift is in that sum, or its charity gained it beside: then it is credited, too. Whose a part was when it was
    seen first, it stays: its payment is not open any more.
    """
    if not receiver.match_by_exact_amount:
        return list(attributed)
    askers = [
        _guessed(tx, observation, known.get(credit.path), credit.amount)
        if credit.unmatched_reason in _GUESSABLE
        else None
        for credit in attributed
    ]
    credited = [
        credit
        if one is None
        else replace(credit, attempt_id=one.attempt_id, payment_id=one.payment_id, unmatched_reason=None)
        for credit, one in zip(attributed, askers, strict=True)
    ]
    return [*credited, *gifts_beside(observation, credited, [one for one in askers if one is not None])]


def _guessed(tx: Tx, observation: ChainObservation, before: TransferRecord | None, amount: int) -> Candidate | None:
    """Return the attempt that a sum without a reference is for; None where nobody asks it, or more than one payment."""
    if before is not None and before.attempt_id is not None and before.amount.atomic == amount:
        row = tx.execute(select(schema.attempt).where(schema.attempt.c.id == before.attempt_id)).one()
        return _candidate(row) if before.payment_id == row.payment_id else None
    found = _askers(tx, observation.network, observation.account, Money(amount, observation.asset))
    return found[-1] if len({one.payment_id for one in found}) == 1 else None


def _without_flood(tx: Tx, credit: Credit, candidates: Mapping[str, Candidate]) -> Credit:
    """Keep crumbs apart from a payment that has had its fill of them: a stranger could send any number."""
    due = next((one.due for one in candidates.values() if one.attempt_id == credit.attempt_id), 0)
    if credit.payment_id is None or credit.path == GIFT_PATH or not is_dust(credit.amount, due):
        return credit
    table = schema.chain_transfer
    some = select(table.c.id).where(table.c.payment_id == credit.payment_id).limit(MAX_DUST)
    if len(tx.execute(some).all()) < MAX_DUST:
        return credit
    return replace(credit, payment_id=None, unmatched_reason=UnmatchedReason.DUST)


def _askers(tx: Tx, network: str, account: str, money: Money) -> list[Candidate]:
    """Return attempts of open payments that ask exactly this sum, with or without the gift on top; the newest last."""
    attempt, payment = schema.attempt, schema.payment
    query = (
        select(attempt)
        .join(payment, payment.c.id == attempt.c.payment_id)
        .where(attempt.c.network == network, attempt.c.account == account, attempt.c.pay_currency == money.currency)
        .where(payment.c.status == PaymentStatus.OPEN.value)
        .order_by(attempt.c.id)
        .limit(MAX_ASKERS)
    )
    # One index each: a condition that joins them by OR would read every attempt of a busy account.
    sums = (attempt.c.pay_amount, attempt.c.asked_amount)
    found = {row.id: _candidate(row) for asked in sums for row in tx.execute(query.where(asked == money.atomic))}
    return [found[attempt_id] for attempt_id in sorted(found)]


def _keep_evidence(tx: Tx, observation: ChainObservation, now: datetime) -> None:
    values = {
        "network": observation.network,
        "signature": observation.signature,
        "raw": observation.raw,
        "recorded_at": now,
    }
    insert_new(tx, schema.chain_evidence, values)


def _is_of(seen: ChainObservation | StageChange) -> ColumnElement[bool]:
    table = schema.chain_transfer
    is_same = (table.c.network == seen.network) & (table.c.signature == seen.signature)
    return is_same & (table.c.account == seen.account)


def _standing(tx: Tx, seen: ChainObservation | StageChange) -> dict[str, TransferRecord]:
    """Return the facts of one signature on one account by path, in the order of their ids.

    Locked: two reports at once must not both decide on what the other is about to change.
    """
    table = schema.chain_transfer
    # MariaDB, left alone, may wait on an index that holds the stage: a row whose stage changes meanwhile moves in it,
    # past the scan, and is not found at all.
    query = select(table).where(_is_of(seen)).with_hint(table, f"FORCE INDEX ({_UNIQUE_TRANSFER})", "mysql")
    rows = tx.execute(query.order_by(table.c.id).with_for_update()).mappings().all()
    return {row["path"]: TransferRecord.of(row) for row in rows}


def _is_refuted(observation: ChainObservation, known: Mapping[str, TransferRecord], credits_: Sequence[Credit]) -> bool:
    """Tell whether an observation says another effect than facts that are final, or that are further than it.

    Until then the newest word holds: a signature that a fork drops may land again with other amounts and parts.
    """
    found = {credit.path: credit.amount for credit in credits_}
    if not known or found == {path: row.amount.atomic for path, row in known.items() if row.amount}:
        return False
    furthest = max(_ORDER.get(row.stage, 0) for row in known.values())
    if furthest == _ORDER[TransferStage.FINAL]:
        log.error("final_effect_differs", network=observation.network, signature=observation.signature)
        return True
    return _ORDER.get(observation.stage, 0) < furthest


def _amended(known: TransferRecord, observation: ChainObservation, credit: Credit | None) -> TransferRecord:
    """Return a fact as it landed again."""
    money = Money(0 if credit is None else credit.amount, known.amount.currency)
    amended = replace(
        known,
        amount=money,
        stage=observation.stage,
        highest_stage=max(known.highest_stage, observation.stage, key=lambda one: _ORDER.get(one, 0)),
        slot=observation.slot,
        occurred_at=observation.occurred_at or known.occurred_at,
        version=known.version + 1,
    )
    if credit is None or (known.is_accepted_by_hand and credit.amount > 0):
        return amended
    return replace(
        amended,
        payment_id=credit.payment_id,
        attempt_id=credit.attempt_id,
        refund_id=credit.refund_id,
        unmatched_reason=credit.unmatched_reason,
        is_accepted_by_hand=False,
    )


def _advance(
    tx: Tx, known: TransferRecord, stage: TransferStage, slot: int, occurred_at: datetime | None
) -> TransferRecord | None:
    """Move a fact to `stage` if that is news; an older report of a living fact is not."""
    is_news = stage is not known.stage and (
        TransferStage.DROPPED in {stage, known.stage} or _ORDER[stage] > _ORDER[known.stage]
    )
    if not is_news:
        return None
    if known.stage is TransferStage.FINAL:
        log.error("final_transfer_reversed", transfer_id=known.id, network=known.network)
    highest = max(known.highest_stage, stage, key=lambda one: _ORDER.get(one, 0))
    moved = replace(
        known,
        stage=stage,
        highest_stage=highest,
        slot=slot,
        occurred_at=occurred_at or known.occurred_at,
        version=known.version + 1,
    )
    table = schema.chain_transfer
    tx.execute(
        update(table)
        .where(table.c.id == moved.id)
        .values(
            stage=moved.stage.value,
            highest_stage=moved.highest_stage.value,
            slot=moved.slot,
            occurred_at=moved.occurred_at,
            version=moved.version,
        )
    )
    return moved


def _close_operations(tx: Tx, signature: str, now: datetime) -> set[str]:
    """Close the operations that sent this signature; return their payments, which the outcome may change."""
    table = schema.operation
    # Named kinds: the unique index begins with them. A refund's operation stays open until its transfer is final.
    kinds = [kind.value for kind in OperationKind if kind is not OperationKind.REFUND_TRANSFER]
    is_its = table.c.kind.in_(kinds) & (table.c.provider_reference == signature)
    is_open = is_its & (table.c.status != OperationStatus.SUCCEEDED.value)
    payments = set(tx.scalars(select(table.c.payment_id).where(is_open)))
    if payments:
        for payment_id in sorted(payments):  # before their operations, as every other verb does
            load_payment(tx, payment_id, lock=True)
        values = {"status": OperationStatus.SUCCEEDED.value, "reason": None, "updated_at": now}
        tx.execute(update(table).where(is_open).values(values))
    return payments


def _payments_of(tx: Tx, record: TransferRecord) -> set[str]:
    """Return the payment that a fact belongs to, or whose refund it names."""
    if record.refund_id is not None:
        return {payment_of_refund(tx, record.refund_id)}
    return set() if record.payment_id is None else {record.payment_id}


def _transfer_row(core: Core, owner: Owner, observation: ChainObservation, credit: Credit) -> dict[str, Any]:
    return {
        "id": core.ids.new("xfer"),
        "merchant_id": owner.merchant_id,
        "livemode": owner.livemode,
        "network": observation.network,
        "signature": observation.signature,
        "account": observation.account,
        "path": credit.path,
        "asset": observation.asset,
        "amount": credit.amount,
        "stage": observation.stage.value,
        "highest_stage": observation.stage.value,
        "slot": observation.slot,
        "occurred_at": observation.occurred_at,
        "first_seen_at": core.clock.now(),
        "payer": observation.payer,
        "references": list(observation.references),
        "memo": None if observation.memo is None else observation.memo[:_MEMO_LIMIT],
        "payment_id": credit.payment_id,
        "attempt_id": credit.attempt_id,
        "refund_id": credit.refund_id,
        "unmatched_reason": None if credit.unmatched_reason is None else credit.unmatched_reason.value,
        "is_accepted_by_hand": False,
        "version": 1,
    }
