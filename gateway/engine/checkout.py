"""The checkout page's side of the engine: fills the views of `page.py` and carries out its buttons."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from sqlalchemy import select

from gateway.domain.donations import GiftKind
from gateway.domain.merchants import Merchant
from gateway.domain.payments import PaymentState, Place, late_policy_at
from gateway.domain.ports import TransferRequest
from gateway.domain.words import (
    LatePolicy,
    OperationKind,
    OperationStatus,
    PaymentException,
    PaymentStatus,
    SessionStatus,
    TransferStage,
)
from gateway.engine.attempts import Attempts, Offer
from gateway.engine.core import Core
from gateway.engine.donations.gifts import Gifts, takes_gifts
from gateway.engine.facts import charge_fact, load_facts, transfer_fact
from gateway.engine.hosted import Hosted
from gateway.engine.pace import Pace
from gateway.engine.page import (
    CheckoutPage,
    PageAsking,
    PageAttempt,
    PageGift,
    PageHosted,
    PageLine,
    PageMethod,
    PageRate,
    PageRefund,
    PageRenewal,
    PageTransfer,
    UnsignedTransfer,
    WalletState,
)
from gateway.engine.records import (
    AttemptRecord,
    OperationRecord,
    PaymentRecord,
    QuoteRecord,
    SessionRecord,
    TransferRecord,
    load_merchant,
    load_payment,
)
from gateway.engine.registrations import recurring_terms
from gateway.engine.sessions import Sessions, session_by_token
from gateway.engine.wallets import Wallets, rest_of, shown_attempt, wallet_operations
from gateway.kernel.canonical import sha256_hex
from gateway.kernel.errors import ConflictError, ErrorCode
from gateway.kernel.money import Money, parse_money
from gateway.storage import schema
from gateway.storage.database import Tx

_CHOOSING: Final = frozenset({PaymentStatus.OPEN, PaymentStatus.REQUIRES_ACTION, PaymentStatus.UNDERPAID})
WALLET_PATIENCE: Final = timedelta(seconds=45)  # a signature that no node knows after this was sent somewhere else


class Checkout:
    """Implements `page.CheckoutVerbs`; a token is the only credential."""

    def __init__(
        self, core: Core, sessions: Sessions, attempts: Attempts, wallets: Wallets, hosted: Hosted, gifts: Gifts
    ) -> None:
        self._core = core
        self._sessions = sessions
        self._attempts = attempts
        self._wallets = wallets
        self._hosted = hosted
        self._gifts = gifts
        self._pace = Pace(core.clock)

    def page(self, token: str) -> CheckoutPage:
        """Return the session as it stands now."""
        facts = self._core.db.snapshot(lambda tx: _Facts(tx, token))
        is_open = facts.payment.status in _CHOOSING
        offers = self._attempts.offers_of(facts.session, facts.merchant.settings) if is_open else []
        page = self._view(facts, offers)
        return replace(page, version=sha256_hex(repr(page).encode())[:32])

    def choose_method(self, token: str, method: str) -> None:
        """Quote and open an attempt; choosing the open one again changes nothing."""
        self._attempts.choose(self._session(token), method)

    def redirect(self, token: str, method: str) -> str:
        """Return the address of the provider's page on which this session is paid."""
        session = self._session_at_pace(token)
        return self._hosted.start(session, self._attempts.routed(session, method))

    def returned(self, token: str) -> None:
        """Take the shopper back from a provider's page."""
        self._hosted.returned(self._session_at_pace(token))

    def choose_gift(self, token: str, kind: GiftKind, amount: str) -> None:
        """Add a gift on top of the order, in place of another."""
        session = self._session_at_pace(token)
        self._gifts.choose(session, kind, parse_money(amount, session.amount.currency, param="/gift"))

    def drop_gift(self, token: str) -> None:
        """Take the gift off again."""
        self._gifts.drop(self._session_at_pace(token))

    def renew_quote(self, token: str) -> None:
        """Replace a quote that ran out by a fresh one."""
        session = self._session(token)
        attempt = self._core.db.read(lambda tx: shown_attempt(tx, session))
        if attempt is None:
            raise ConflictError(ErrorCode.PAYMENT_NOT_PAYABLE, "Choose how to pay first.")
        self._attempts.choose(session, attempt.method)

    def extend(self, token: str) -> None:
        """Give the shopper more time, once."""
        self._sessions.extend(self._session(token))

    def build_transfer(self, token: str, payer: str, *, legacy: bool) -> UnsignedTransfer:
        """Build what `payer` is to sign now."""
        session = self._session_at_pace(token)
        network = self._wallets.request(session).network
        built = self._wallets.build(session, payer, legacy=legacy)
        return UnsignedTransfer(payload=built.payload, chain=network, last_valid_height=built.last_valid_height)

    def submit_signed(self, token: str, payload: str) -> str:
        """Check what a wallet signed, broadcast it, and return its signature."""
        return self._wallets.submit(self._session_at_pace(token), payload)

    def hint(self, token: str, signature: str) -> None:
        """Remember a signature that a wallet says it sent, and look for it."""
        self._wallets.hint(self._session_at_pace(token), signature)

    def cancel(self, token: str) -> None:
        """Give up an open session on the shopper's wish."""
        self._sessions.call_off(self._session(token))

    def _session(self, token: str) -> SessionRecord:
        return self._core.db.read(lambda tx: session_by_token(tx, token))

    def _session_at_pace(self, token: str) -> SessionRecord:
        """Return the session for work that asks a chain's node; a page may do so only so often."""
        session = self._session(token)
        self._pace.take(session.id)
        return session

    def _view(self, facts: "_Facts", offers: Sequence[Offer]) -> CheckoutPage:
        session, payment, settings = facts.session, facts.payment, facts.merchant.settings
        is_waiting = session.status is SessionStatus.OPEN and payment.closed_at is None
        return CheckoutPage(
            session_id=session.id,
            token=session.token,
            livemode=session.livemode,
            merchant_name=facts.merchant.name,
            brand_color=settings.brand_color,
            logo_url=settings.logo_url,
            mode=session.mode,
            reference=session.reference,
            amount=session.amount,
            lines=tuple(_line(line, session.amount.currency) for line in session.line_items),
            locale=session.locale,
            success_url=session.success_url,
            cancel_url=session.cancel_url,
            session_status=session.status,
            payment_status=payment.status,
            exceptions=frozenset(payment.exceptions),
            created_at=session.created_at,
            expires_at=session.expires_at,
            can_extend=is_waiting and session.extended_at is None,
            methods=tuple(
                self._method(offer)
                for offer in offers
                if facts.payment.status is not PaymentStatus.UNDERPAID
                or offer.method.processor not in self._core.hosted
            ),
            gift=_gift(session),
            asking=self._asking(facts),
            attempt=None if facts.attempt is None or facts.attempt.stage else self._attempt(facts, facts.attempt),
            hosted=self._visit(facts),
            transfers=tuple(self._transfer(one, facts) for one in facts.transfers),
            refunds=tuple(
                PageRefund(amount=one.amount, status=one.status, created_at=one.created_at) for one in facts.refunds
            ),
            wallet_state=self._wallet_state(facts.operations),
            late_policy=self._late_policy(facts),
            paid_at=payment.paid_at,
            version="",
            renewal=facts.renewal,
        )

    def _asking(self, facts: "_Facts") -> PageAsking | None:
        if facts.transfers or not takes_gifts(facts.session, facts.payment):
            return None
        active, offers = self._gifts.offers(facts.session.owner, facts.session.amount)
        if active is None or not offers:
            return None
        return PageAsking(charity=active.charity.name, disclosure=active.config.disclosure, offers=tuple(offers))

    def _method(self, offer: Offer) -> PageMethod:
        return PageMethod(
            id=offer.method.id,
            title=offer.method.title,
            asset=offer.method.asset,
            available=offer.pay is not None,
            reason=None if offer.refusal is None else offer.refusal.code.value,
            is_hosted=offer.method.processor in self._core.hosted,
        )

    def _late_policy(self, facts: "_Facts") -> LatePolicy:
        """Return what becomes, or became, of late money: judged when it came, or now while none has."""
        deadline = facts.payment.expires_at if facts.attempt is None else facts.attempt.expires_at
        times = [transfer_fact(one).happened_at for one in facts.transfers]
        times += [charge_fact(one).happened_at for one in facts.charges]
        instant = max(times) if PaymentException.LATE in facts.payment.exceptions else self._core.clock.now()
        return late_policy_at(facts.merchant.settings.under(facts.payment.rules), deadline, instant)

    def _attempt(self, facts: "_Facts", attempt: AttemptRecord) -> PageAttempt:
        processor = self._core.processors[attempt.processor]
        code = attempt.due.currency
        rest, gift = rest_of(facts.state, attempt)
        request = TransferRequest(
            network=attempt.network,
            wallet=attempt.wallet,
            account=attempt.account,
            due=rest or attempt.due,
            reference_key=attempt.reference_key,
            label=facts.merchant.name,
            message=facts.session.reference,
            memo=facts.payment.id,
            gift=gift if rest else None,
        )
        return PageAttempt(
            method=attempt.method,
            title=next(
                (one.title for one in processor.methods(livemode=attempt.livemode) if one.id == attempt.method), code
            ),
            processor=attempt.processor,
            network=attempt.network,
            due=attempt.due + attempt.gift,
            rest=rest if gift is None else rest + gift.amount,
            received=facts.received(code),
            overpaid=facts.excess(code),
            wallet=attempt.wallet,
            reference_key=attempt.reference_key,
            pay_url=processor.pay_url(request),
            rate=None if facts.quote is None else _rate(facts.quote),
            expires_at=attempt.expires_at,
            is_quote_expired=self._core.clock.now() >= attempt.expires_at,
        )

    def _visit(self, facts: "_Facts") -> PageHosted | None:
        """Return the newest visit to a provider's page, whatever the shopper chose since."""
        attempt = next((one for one in reversed(facts.attempts) if one.stage is not None), None)
        if attempt is None or attempt.stage is None:
            return None
        charge = next((one for one in facts.charges if one.attempt_id == attempt.id), None)
        saved = (facts.session.saved_method or {}).get("instrument")
        processor = self._core.hosted.get(attempt.processor)
        methods = () if processor is None else processor.methods(livemode=attempt.livemode)
        return PageHosted(
            method=attempt.method,
            title=next((one.title for one in methods if one.id == attempt.method), attempt.method),
            processor=attempt.processor,
            stage=attempt.stage,
            charge_status=None if charge is None else charge.status,
            amount=attempt.due + attempt.gift if charge is None else charge.captured or charge.amount,
            failure_code=None if charge is None else charge.failure_code,
            instrument=saved if charge is None else charge.instrument,
        )

    def _transfer(self, transfer: TransferRecord, facts: "_Facts") -> PageTransfer:
        processor = facts.processor_of.get(transfer.attempt_id or "")
        link = (
            None
            if processor is None
            else self._core.processors[processor].explorer_url(transfer.network, transfer.signature)
        )
        return PageTransfer(
            signature=transfer.signature,
            stage=transfer.stage,
            amount=transfer.amount,
            confirmations=None,
            needed=0,
            explorer_url=link,
            given=facts.given.get(transfer.signature),
        )

    def _wallet_state(self, operations: Sequence[OperationRecord]) -> WalletState:
        if not operations or operations[-1].status is OperationStatus.SUCCEEDED:
            return WalletState.NONE
        newest = operations[-1]
        is_rejected = newest.status is OperationStatus.REJECTED
        if newest.kind is OperationKind.BROADCAST:
            # We sent it ourselves: until its block hash has expired it may land, and nobody should pay again.
            return WalletState.NONE if is_rejected else WalletState.WAITING
        if is_rejected:
            return WalletState.UNKNOWN if newest.reason == "never_seen" else WalletState.NONE
        is_young = self._core.clock.now() - newest.created_at < WALLET_PATIENCE
        return WalletState.WAITING if is_young else WalletState.UNKNOWN


class _Facts:
    """Everything that one page rests on, read in one go."""

    def __init__(self, tx: Tx, token: str) -> None:
        self.session = session_by_token(tx, token)
        self.payment: PaymentRecord = load_payment(tx, self.session.payment_id)
        self.merchant: Merchant = load_merchant(tx, self.session.merchant_id)
        facts = load_facts(tx, self.payment)
        self.attempts = facts.attempts
        self.processor_of = {attempt.id: attempt.processor for attempt in facts.attempts}
        self.attempt = next((one for one in facts.attempts if one.id == self.session.attempt_id), None)
        self.quote = _quote(tx, self.attempt)
        seen = [one for one in facts.transfers if one.stage is not TransferStage.DROPPED]
        self.transfers = [one for one in seen if not one.is_to_charity]
        self.given = {one.signature: one.amount for one in seen if one.is_to_charity}
        self.charges = facts.charges
        self.refunds = facts.refunds
        self.operations = wallet_operations(tx, self.payment.id)
        self.renewal = _renewal(tx, self.session)
        self.state: PaymentState = facts.state()

    def received(self, code: str) -> Money:
        """Return what came in this currency, settled or not."""
        total = sum(one.amount.atomic for one in self.transfers if one.amount.currency == code)
        return Money(total, code)

    def excess(self, code: str) -> Money:
        """Return what came beyond the obligation in this currency."""
        if self.payment.status is not PaymentStatus.PAID:
            return Money.zero(code)
        parts = self.state.allocations
        spare = (one.money.atomic for one in parts if one.place is Place.SUSPENSE and one.money.currency == code)
        return Money(sum(spare), code)


def _gift(session: SessionRecord) -> PageGift | None:
    shown = session.donation
    if shown is None:
        return None
    return PageGift(
        charity=shown["charity_name"],
        kind=GiftKind(shown["kind"]),
        amount=parse_money(shown["amount"], shown["currency"]),
        is_whole=shown["campaign"] is not None,
    )


def _renewal(tx: Tx, session: SessionRecord) -> PageRenewal | None:
    terms = recurring_terms(tx, session)
    if terms is None:
        return None
    return PageRenewal(interval=terms.interval, interval_count=terms.interval_count, trial_days=terms.trial_days)


def _quote(tx: Tx, attempt: AttemptRecord | None) -> QuoteRecord | None:
    if attempt is None or attempt.quote_id is None:
        return None
    query = select(schema.quote).where(schema.quote.c.id == attempt.quote_id)
    return QuoteRecord.of(tx.execute(query).mappings().one())


def _line(line: dict[str, object], code: str) -> PageLine:
    amount = parse_money(str(line["amount"]), code)
    return PageLine(name=str(line["name"]), quantity=int(str(line["quantity"])), amount=amount)


def _rate(quote: QuoteRecord) -> PageRate:
    sources = tuple(str(source["name"]) for source in quote.evidence["sources"])
    return PageRate(num=quote.rate_num, den=quote.rate_den, sources=sources, as_of=quote.created_at)
