"""Attempts: the shopper picks a method; a rate, an address and a reference key are stored, and only then shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import insert, select, update

from gateway.domain.conversion import pay_amount
from gateway.domain.merchants import MerchantSettings
from gateway.domain.ports import Method, Rate, ReceivingAccount
from gateway.domain.routing import candidates
from gateway.domain.words import PaymentStatus, SessionMode
from gateway.engine.core import QUOTE_LIFETIME, Core
from gateway.engine.donations.records import DonationRecord, donation_of, load_charity
from gateway.engine.idempotency import Intent, Reply, once
from gateway.engine.records import (
    AttemptRecord,
    Owner,
    PaymentRecord,
    QuoteRecord,
    SessionRecord,
    load_attempts,
    load_merchant,
    load_payment,
)
from gateway.engine.wire import quote_object
from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import ConflictError, ErrorCode, GatewayError, InvalidRequestError, TemporaryError
from gateway.kernel.money import Money, parse_money
from gateway.storage import schema
from gateway.storage.database import Tx

CREATED = 201
_PAYABLE = frozenset({PaymentStatus.OPEN, PaymentStatus.REQUIRES_ACTION, PaymentStatus.UNDERPAID})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A method as it stands for one price now: payable by `pay` at `rate`, or not, for a `refusal`.

    Attributes:
        gift: what is asked on top of `pay` for a charity; None for nothing.
    """

    method: Method
    pay: Money | None
    rate: Rate | None
    refusal: GatewayError | None
    gift: Money | None = None


class Attempts:
    """The verbs that turn a choice on the page into something payable."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def offers(
        self, owner: Owner, price: Money, settings: MerchantSettings, only: Sequence[str] | None = None
    ) -> list[Offer]:
        """Return each method that some processor takes this price by, with what is to be paid, or why not.

        Coins need a receiving account of the merchant; a provider's page needs a provider that takes the sum.
        """
        accounts = {
            (account.network, account.asset) for account in self._core.db.read(lambda tx: receiving_accounts(tx, owner))
        }
        takeable = [
            method
            for method in self._core.methods(livemode=owner.livemode)
            if (only is None or method.id in only)
            and (method.asset is None or (method.network, method.asset) in accounts)
            and self._is_takeable(method, price, livemode=owner.livemode)
        ]
        return [self._offer(method, price, settings) for method in _first_of_each(takeable)]

    def offers_of(self, session: SessionRecord, settings: MerchantSettings) -> list[Offer]:
        """Return the offers of a session; what repeats is offered only where a provider keeps the schedule.

        Saving a method costs nothing, so it has no price that a provider could refuse.
        """
        if session.is_page_over:
            return []
        if session.mode is SessionMode.SETUP:
            saving = [one for one in self._core.methods(livemode=session.livemode) if self._fits(one, session)]
            return [self._offer(method, session.amount, settings) for method in _first_of_each(saving)]
        offers = self.offers(session.owner, session.amount, settings, session.methods)
        fitting = [
            offer
            for offer in offers
            if self._fits(offer.method, session)
            and self._is_takeable(offer.method, asked(session), livemode=session.livemode)
        ]
        return [_with_gift(offer, session, settings) for offer in fitting]

    def _fits(self, method: Method, session: SessionRecord) -> bool:
        """Tell whether a method is one of the session's, and does what its mode asks for."""
        if session.methods is not None and method.id not in session.methods:
            return False
        match session.mode:
            case SessionMode.PAYMENT:
                return True
            case SessionMode.SUBSCRIPTION:
                return method.processor in self._core.subscribing
            case SessionMode.SETUP:
                return method.processor in self._core.hosted

    def routed(self, session: SessionRecord, method_id: str) -> list[Method]:
        """Return whose pages may take this session, in the order in which to try them.

        Raises:
            InvalidRequestError: nobody's: the session does not offer that method, or it is paid from a wallet.
        """
        taking = {
            method.processor: method
            for method in self._core.methods(livemode=session.livemode)
            if method.id == method_id
            and method.processor in self._core.hosted
            and self._fits(method, session)
            and (
                session.mode is SessionMode.SETUP
                or self._is_takeable(method, asked(session), livemode=session.livemode)
            )
        }
        names = candidates(
            self._core.routes,
            list(taking),
            method=method_id,
            price=asked(session),
            country=session.customer_country,
        )
        if not names:
            raise InvalidRequestError(
                ErrorCode.METHOD_UNAVAILABLE, "This payment does not offer that method.", param="/method"
            )
        return [taking[name] for name in names]

    def choose(self, session: SessionRecord, method_id: str) -> AttemptRecord:
        """Make `method_id` what the page shows: the attempt that still holds, or a new one at a fresh rate.

        Raises:
            ConflictError: the payment takes no more money.
            InvalidRequestError: the session does not offer this method.
            TemporaryError: no trustworthy rate now; the message says why.
        """
        merchant = self._core.db.read(lambda tx: load_merchant(tx, session.merchant_id))
        offers = self.offers_of(session, merchant.settings)
        offer = next((offer for offer in offers if offer.method.id == method_id), None)
        if offer is None or offer.method.processor in self._core.hosted:
            raise InvalidRequestError(
                ErrorCode.METHOD_UNAVAILABLE, "This payment does not offer that method.", param="/method"
            )
        return self._core.db.write(lambda tx: self._choose(tx, session, offer, merchant.settings))

    def quote(self, intent: Intent, price: Money, method_id: str) -> Reply:
        """Lock a rate outside any session, for a merchant's own display.

        Raises:
            InvalidRequestError: the account does not offer this method.
            TemporaryError: no trustworthy rate now.
        """
        owner = intent.owner
        merchant = self._core.db.read(lambda tx: load_merchant(tx, owner.merchant_id))
        offers = self.offers(owner, price, merchant.settings)
        offer = next((offer for offer in offers if offer.method.id == method_id), None)

        def verb(tx: Tx) -> Reply:
            if offer is None:
                raise InvalidRequestError(
                    ErrorCode.METHOD_UNAVAILABLE, "This account does not offer that method.", param="/method"
                )
            quote = self._lock_rate(tx, owner, price, offer)
            return Reply(status_code=CREATED, body=canonical_json(quote_object(quote)))

        return once(self._core, intent, verb)

    def _is_takeable(self, method: Method, price: Money, *, livemode: bool) -> bool:
        """Tell whether a provider takes this sum; a method that never could is not shown at all."""
        hosted = self._core.hosted.get(method.processor)
        return hosted is None or hosted.accepts(price, livemode=livemode)

    def _offer(self, method: Method, price: Money, settings: MerchantSettings) -> Offer:
        if method.asset is None or method.asset == price.currency:
            return Offer(method=method, pay=price, rate=None, refusal=None)
        try:
            rate = self._core.rates.rate(method.asset, price.currency)
            pay = pay_amount(price, rate, method.asset, spread_bps=settings.spread_bps)
        except (TemporaryError, InvalidRequestError) as error:
            return Offer(method=method, pay=None, rate=None, refusal=error)
        return Offer(method=method, pay=pay, rate=rate, refusal=None)

    def _choose(self, tx: Tx, session: SessionRecord, offer: Offer, settings: MerchantSettings) -> AttemptRecord:
        now = self._core.clock.now()
        payment = load_payment(tx, session.payment_id, lock=True)
        if payment.status not in _PAYABLE or payment.closed_at or payment.canceled_at or now >= payment.expires_at:
            raise ConflictError(
                ErrorCode.PAYMENT_NOT_PAYABLE, "This payment does not take money any more.", object_id=payment.id
            )
        donation = donation_of(tx, payment.id) if payment.gift else None
        if payment.gift != (gift_on_top(session) or Money.zero(payment.gift.currency)):
            raise ConflictError(ErrorCode.PAYMENT_NOT_PAYABLE, "The gift was changed. Try again.", object_id=payment.id)
        held = [
            attempt
            for attempt in load_attempts(tx, payment.id)
            if attempt.method == offer.method.id and attempt.expires_at > now and _asks_for(attempt, donation)
        ]
        attempt = held[-1] if held else self._register(tx, payment, offer)
        if payment.rules is None:
            own = schema.payment.c.id == payment.id
            tx.execute(update(schema.payment).where(own).values(rules=settings.rules()))
        table = schema.checkout_session
        tx.execute(update(table).where(table.c.id == session.id).values(attempt_id=attempt.id))
        return attempt

    def _register(self, tx: Tx, payment: PaymentRecord, offer: Offer) -> AttemptRecord:
        """Store a new attempt with its rate and reference key; nothing is shown before this is committed."""
        if offer.pay is None:
            raise offer.refusal or TemporaryError(ErrorCode.RATE_UNAVAILABLE, "There is no rate now.")
        method, now = offer.method, self._core.clock.now()
        account = next(
            account
            for account in receiving_accounts(tx, payment.owner)
            if (account.network, account.asset) == (method.network, method.asset)
        )
        quote = self._lock_rate(tx, payment.owner, payment.amount, offer) if offer.rate is not None else None
        there = self._gift_account(tx, payment, offer)
        attempt = AttemptRecord(
            id=self._core.ids.new("att"),
            merchant_id=payment.merchant_id,
            livemode=payment.livemode,
            payment_id=payment.id,
            processor=method.processor,
            method=method.id,
            network=method.network,
            due=offer.pay,
            gift=offer.gift or Money.zero(offer.pay.currency),
            gift_wallet=None if there is None else there.wallet,
            gift_account=None if there is None else there.account,
            quote_id=None if quote is None else quote.id,
            reference_key=self._core.processors[method.processor].new_reference(),
            wallet=account.wallet,
            account=account.account,
            created_at=now,
            expires_at=payment.expires_at if quote is None else min(quote.expires_at, payment.expires_at),
        )
        tx.execute(insert(schema.attempt), attempt_row(attempt))
        return attempt

    def _gift_account(self, tx: Tx, payment: PaymentRecord, offer: Offer) -> ReceivingAccount | None:
        """Return where the charity takes a gift in this coin itself; None where it goes through the merchant."""
        if not offer.gift or payment.charity_id is None:
            return None
        wallet, method = load_charity(tx, payment.charity_id).solana_address, offer.method
        if wallet is None:
            return None
        accounts = self._core.processors[method.processor].receiving_accounts(wallet, livemode=payment.livemode)
        return next((one for one in accounts if (one.network, one.asset) == (method.network, method.asset)), None)

    def _lock_rate(self, tx: Tx, owner: Owner, price: Money, offer: Offer) -> QuoteRecord:
        if offer.pay is None or (offer.rate is None and offer.pay.currency != price.currency):
            raise offer.refusal or TemporaryError(ErrorCode.RATE_UNAVAILABLE, "There is no rate now.")
        now, rate = self._core.clock.now(), offer.rate
        quote = QuoteRecord(
            id=self._core.ids.new("quo"),
            merchant_id=owner.merchant_id,
            livemode=owner.livemode,
            method=offer.method.id,
            price=price,
            pay=offer.pay,
            rate_num=1 if rate is None else rate.num,
            rate_den=1 if rate is None else rate.den,
            evidence=evidence(rate),
            created_at=now,
            expires_at=now + QUOTE_LIFETIME,
        )
        tx.execute(insert(schema.quote), _quote_row(quote))
        return quote


def _with_gift(offer: Offer, session: SessionRecord, settings: MerchantSettings) -> Offer:
    """Return an offer with the gift that is asked on top of its order, at the same rate."""
    gift = gift_on_top(session)
    if gift is None or offer.pay is None:
        return offer
    if offer.rate is None:
        return replace(offer, gift=gift)
    asked = pay_amount(gift, offer.rate, offer.pay.currency, spread_bps=settings.spread_bps)
    return replace(offer, gift=asked)


def _asks_for(attempt: AttemptRecord, donation: DonationRecord | None) -> bool:
    """Tell whether an attempt asks for the gift as it was chosen last."""
    if donation is None:
        return not attempt.gift
    return bool(attempt.gift) and attempt.created_at >= donation.created_at


def gift_on_top(session: SessionRecord) -> Money | None:
    """Return the gift that a shopper adds to his order; None without one, and where the whole payment is one."""
    if session.donation is None or session.donation["campaign"] is not None:
        return None
    return parse_money(session.donation["amount"], session.donation["currency"])


def asked(session: SessionRecord) -> Money:
    """Return what a shopper pays in all: the order, and his gift on top."""
    gift = gift_on_top(session)
    return session.amount if gift is None else session.amount + gift


def _first_of_each(methods: Sequence[Method]) -> list[Method]:
    """Return one method of each id: that of the processor that is asked first."""
    return list(reversed({method.id: method for method in reversed(methods)}.values()))


def receiving_accounts(tx: Tx, owner: Owner) -> list[ReceivingAccount]:
    """Return where this merchant takes money in this mode."""
    table = schema.receiving_account
    rows = tx.execute(
        select(table.c.network, table.c.asset, table.c.wallet, table.c.account)
        .where(
            table.c.merchant_id == owner.merchant_id,
            table.c.livemode == owner.livemode,
            table.c.is_active.is_(True),
        )
        .order_by(table.c.id)
    )
    return [ReceivingAccount(**row) for row in rows.mappings()]


def evidence(rate: Rate | None) -> dict[str, Any]:
    """Return what a quote rests on, as it is stored and shown."""
    if rate is None:
        return {"sources": []}
    return {
        "as_of": rfc3339(rate.as_of),
        "sources": [
            {
                "name": source.source,
                "base": source.base,
                "quote": source.quote,
                "num": str(source.num),
                "den": str(source.den),
                "as_of": rfc3339(source.as_of),
            }
            for source in rate.sources
        ],
    }


def attempt_row(attempt: AttemptRecord) -> dict[str, Any]:
    """Return an attempt as its row."""
    return {
        "id": attempt.id,
        "merchant_id": attempt.merchant_id,
        "livemode": attempt.livemode,
        "payment_id": attempt.payment_id,
        "processor": attempt.processor,
        "method": attempt.method,
        "network": attempt.network,
        "pay_currency": attempt.due.currency,
        "pay_amount": attempt.due.atomic,
        "gift_amount": attempt.gift.atomic,
        "asked_amount": (attempt.due + attempt.gift).atomic,
        "gift_wallet": attempt.gift_wallet,
        "gift_account": attempt.gift_account,
        "quote_id": attempt.quote_id,
        "reference_key": attempt.reference_key,
        "wallet": attempt.wallet,
        "account": attempt.account,
        "stage": None if attempt.stage is None else attempt.stage.value,
        "reads": attempt.reads,
        "created_at": attempt.created_at,
        "expires_at": attempt.expires_at,
    }


def _quote_row(quote: QuoteRecord) -> dict[str, Any]:
    return {
        "id": quote.id,
        "merchant_id": quote.merchant_id,
        "livemode": quote.livemode,
        "method": quote.method,
        "amount": quote.price.atomic,
        "currency": quote.price.currency,
        "pay_amount": quote.pay.atomic,
        "pay_currency": quote.pay.currency,
        "rate_num": quote.rate_num,
        "rate_den": quote.rate_den,
        "evidence": quote.evidence,
        "created_at": quote.created_at,
        "expires_at": quote.expires_at,
    }
