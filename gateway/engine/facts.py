"""The facts of one payment, read together: what `domain.payments.derive` and the books are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from gateway.domain.payments import AttemptFact, ChargeFact, PaymentState, PaymentTerms, Place, TransferFact, derive
from gateway.domain.postings import (
    Beneficiary,
    LineFact,
    Returns,
    Target,
    at_source_account,
    clearing_account,
    hot_account,
    payment_target,
)
from gateway.domain.returns import DisputeFact, RefundFact, Source
from gateway.domain.words import OperationStatus, TransferStage
from gateway.engine.records import (
    AttemptRecord,
    ChargeRecord,
    DisputeRecord,
    PaymentRecord,
    RefundRecord,
    TransferRecord,
    load_attempts,
    load_charges,
    load_disputes,
    load_merchant,
    load_refunds,
    load_transfers,
)
from gateway.kernel.money import Money
from gateway.storage import schema
from gateway.storage.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """Everything that is known of one payment."""

    payment: PaymentRecord
    terms: PaymentTerms
    attempts: Sequence[AttemptRecord]
    transfers: Sequence[TransferRecord]
    charges: Sequence[ChargeRecord]
    refunds: Sequence[RefundRecord]
    disputes: Sequence[DisputeRecord]
    lines: Sequence[LineFact]
    has_unknown_operation: bool
    beneficiary: Beneficiary | None = None

    def state(self) -> PaymentState:
        """Return what follows from them."""
        return derive(
            self.terms,
            [attempt_fact(one) for one in self.attempts],
            [transfer_fact(one) for one in self.transfers],
            [charge_fact(one) for one in self.charges],
            has_unknown_operation=self.has_unknown_operation,
        )

    def target(self, state: PaymentState) -> Target:
        """Return where the payment's money must stand in the books."""
        returns = Returns(refunds=self.refund_facts(), disputes=self.dispute_facts(), lines=self.lines)
        return payment_target(self._holders(), state.allocations, returns, self.beneficiary)

    def refund_facts(self) -> list[RefundFact]:
        """Return its refunds."""
        return [
            RefundFact(id=one.id, source_id=one.source_id, status=one.status, amount=one.amount, gift=one.gift or None)
            for one in self.refunds
        ]

    def dispute_facts(self) -> list[DisputeFact]:
        """Return its disputes."""
        return [
            DisputeFact(id=one.id, source_id=one.charge_id, status=one.status, held=one.withdrawn - one.reinstated)
            for one in self.disputes
        ]

    def sources(self) -> list[Source]:
        """Return what money may go back from: what charges captured, and transfers to us that are final."""
        final = (one for one in self.transfers if one.stage is TransferStage.FINAL and one.amount.atomic > 0)
        ours = (one for one in final if not one.is_to_charity)
        taken = (one for one in self.charges if one.captured)
        gifts = self._gifts_on_top()
        return [
            *(
                Source(id=one.id, received=one.captured, is_refundable=one.is_refundable, gift=gifts.get(one.id))
                for one in taken
            ),
            *(Source(id=one.id, received=one.amount, is_refundable=True, gift=gifts.get(one.id)) for one in ours),
        ]

    def _gifts_on_top(self) -> dict[str, Money]:
        """Return how much of each receipt is a gift on top of the order."""
        if not self.payment.gift:
            return {}
        return {one.source_id: one.money for one in self.state().allocations if one.place is Place.GIFT}

    def _holders(self) -> Mapping[str, str]:
        """Return which account holds the money of each receipt."""
        processors = {one.id: one.processor for one in self.attempts}
        return {
            **{one.id: self._holder(one) for one in self.transfers},
            **{one.id: clearing_account(processors[one.attempt_id]) for one in self.charges},
        }

    def _holder(self, transfer: TransferRecord) -> str:
        if self.beneficiary is not None and transfer.is_to_charity:
            return at_source_account(self.beneficiary.charity_id)
        return hot_account(transfer.network)


def load_facts(tx: Tx, payment: PaymentRecord) -> PaymentFacts:
    """Read the facts of a payment; what only providers report is asked for only where there was one."""
    attempts = load_attempts(tx, payment.id)
    has_provider = any(one.stage is not None for one in attempts)
    return PaymentFacts(
        payment=payment,
        terms=payment_terms(tx, payment),
        attempts=attempts,
        transfers=load_transfers(tx, payment.id),
        charges=load_charges(tx, payment.id) if has_provider else [],
        refunds=load_refunds(tx, payment.id),
        disputes=load_disputes(tx, payment.id) if has_provider else [],
        lines=_load_lines(tx, payment.id) if has_provider else [],
        has_unknown_operation=_has_unknown_operation(tx, payment.id),
        beneficiary=_load_beneficiary(tx, payment),
    )


def payment_terms(tx: Tx, payment: PaymentRecord) -> PaymentTerms:
    """Return the obligation with its merchant's rules, as they stood when the shopper chose how to pay."""
    return PaymentTerms(
        amount=payment.amount,
        gift=payment.gift or None,
        expires_at=payment.expires_at,
        closed_at=payment.closed_at,
        canceled_at=payment.canceled_at,
        settings=load_merchant(tx, payment.merchant_id).settings.under(payment.rules),
    )


def attempt_fact(attempt: AttemptRecord) -> AttemptFact:
    """Return the offer that an attempt is."""
    return AttemptFact(id=attempt.id, due=attempt.due, expires_at=attempt.expires_at, gift=attempt.gift or None)


def transfer_fact(transfer: TransferRecord) -> TransferFact:
    """Return the fact that a credited chain transfer is."""
    assert transfer.attempt_id is not None, "a credited transfer names its attempt"
    return TransferFact(
        id=transfer.id,
        attempt_id=transfer.attempt_id,
        amount=transfer.amount,
        stage=transfer.stage,
        highest_stage=transfer.highest_stage,
        slot=transfer.slot,
        signature=transfer.signature,
        path=transfer.path,
        happened_at=transfer.occurred_at or transfer.first_seen_at,
        is_accepted_by_hand=transfer.is_accepted_by_hand,
        is_to_charity=transfer.is_to_charity,
    )


def charge_fact(charge: ChargeRecord) -> ChargeFact:
    """Return the fact that a charge is."""
    return ChargeFact(
        id=charge.id,
        attempt_id=charge.attempt_id,
        status=charge.status,
        amount=charge.amount,
        captured=charge.captured,
        capturable=charge.capturable,
        happened_at=charge.authorized_at or charge.created_at,
        was_held=charge.authorized_at is not None,
        has_fraud_warning=charge.has_fraud_warning,
    )


def _load_beneficiary(tx: Tx, payment: PaymentRecord) -> Beneficiary | None:
    if payment.charity_id is None:
        return None
    table = schema.charity
    is_own = tx.scalar(select(table.c.is_own).where(table.c.id == payment.charity_id))
    return Beneficiary(charity_id=payment.charity_id, is_own=bool(is_own), is_whole=not payment.gift)


def _load_lines(tx: Tx, payment_id: str) -> list[LineFact]:
    table = schema.balance_line
    query = select(table).where(table.c.payment_id == payment_id).order_by(table.c.network, table.c.reference)
    return [
        LineFact(
            source_id=row.charge_id,
            amount=Money(row.amount, row.currency),
            fee=Money(row.fee, row.currency),
            is_paid_out=row.payout is not None,
        )
        for row in tx.execute(query)
    ]


def _has_unknown_operation(tx: Tx, payment_id: str) -> bool:
    table = schema.operation
    query = select(table.c.id).where(table.c.payment_id == payment_id, table.c.status == OperationStatus.UNKNOWN.value)
    return tx.execute(query.limit(1)).first() is not None
