"""Sample sessions, one for each thing a checkout page can show: for the gallery and for the suites, never for money."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.domain.donations import GiftKind, GiftOffer
from gateway.domain.words import (
    AttemptStage,
    ChargeStatus,
    LatePolicy,
    PaymentException,
    PaymentStatus,
    RefundStatus,
    SessionMode,
    SessionStatus,
    TransferStage,
)
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
    WalletState,
)
from gateway.kernel.money import Money
from hosted_checkout.checkout.states import ClientState, PageState

MINUTE: Final = timedelta(minutes=1)
SAMPLE_TIME: Final = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
_WALLET: Final = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"
_REFERENCE: Final = "82ZJ7nbGpixjeDCmEhUcmwXYfvurzAgGdtSMuHnUgyny"
_SIGNATURE: Final = "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW"
_DUE: Final = Money(121_543_000, "SOL")
_NOTHING: Final = Money(0, "SOL")
_PRICE: Final = Money(2490, "EUR")
CARD_METHOD: Final = PageMethod(id="card", title="Card", asset=None, available=True, reason=None, is_hosted=True)
_VISA: Final = {"type": "card", "brand": "visa", "last4": "4242", "country": "DE"}
_DEBIT: Final = {"type": "sepa_debit", "brand": None, "last4": "3204", "country": "AT"}


def _pay_url(amount: Money) -> str:
    return (
        f"solana:{_WALLET}?amount={amount.major.rstrip('0')}&reference={_REFERENCE}"
        "&label=Northwind%20Outfitters&message=Order%201001&memo=pay_01jd9x2k7qf8rb3s5v6w7x8y9z"
    )


def sample_attempt(now: datetime, **changed: Any) -> PageAttempt:
    """Return an attempt to pay in SOL whose quote has ten minutes left."""
    attempt = PageAttempt(
        method="sol",
        title="Solana",
        processor="solana",
        network="solana:localnet",
        due=_DUE,
        rest=_DUE,
        received=_NOTHING,
        overpaid=_NOTHING,
        wallet=_WALLET,
        reference_key=_REFERENCE,
        pay_url=_pay_url(_DUE),
        rate=PageRate(num=20_487, den=100, sources=("Coinbase", "Kraken", "Bitstamp"), as_of=now - MINUTE),
        expires_at=now + 10 * MINUTE,
        is_quote_expired=False,
    )
    return replace(attempt, **changed)


def sample_visit(**changed: Any) -> PageHosted:
    """Return a visit to a card provider's page on which nothing was paid yet."""
    visit = PageHosted(
        method="card",
        title="Card",
        processor="stripe",
        stage=AttemptStage.OPEN,
        charge_status=None,
        amount=_PRICE,
        failure_code=None,
        instrument=None,
    )
    return replace(visit, **changed)


def sample_transfer(**changed: Any) -> PageTransfer:
    """Return a chain transfer of the whole amount."""
    transfer = PageTransfer(
        signature=_SIGNATURE,
        stage=TransferStage.SEEN,
        amount=_DUE,
        confirmations=None,
        needed=32,
        explorer_url="https://explorer.solana.com/tx/" + _SIGNATURE,
    )
    return replace(transfer, **changed)


def _split_transfer() -> PageTransfer:
    return sample_transfer(stage=TransferStage.FINAL, confirmations=32, given=Money(9_973_958, "SOL"))


def sample_page(now: datetime, **changed: Any) -> CheckoutPage:
    """Return an open session in which nothing was chosen yet."""
    page = CheckoutPage(
        session_id="cs_01jd9x2k7qf8rb3s5v6w7x8y9z",
        token="sample",  # noqa: S106 - it opens nothing
        livemode=False,
        merchant_name="Northwind Outfitters",
        brand_color="#0f766e",
        logo_url=None,
        mode=SessionMode.PAYMENT,
        reference="1001",
        amount=_PRICE,
        lines=(
            PageLine(name="Wool socks, grey", quantity=2, amount=Money(1590, "EUR")),
            PageLine(name="Postage", quantity=1, amount=Money(900, "EUR")),
        ),
        locale=None,
        success_url="https://shop.northwind.example/orders/1001",
        cancel_url="https://shop.northwind.example/basket",
        session_status=SessionStatus.OPEN,
        payment_status=PaymentStatus.OPEN,
        exceptions=frozenset(),
        created_at=now - 5 * MINUTE,
        expires_at=now + 25 * MINUTE,
        can_extend=True,
        methods=(
            CARD_METHOD,
            PageMethod(id="sol", title="Solana", asset="SOL", available=True, reason=None, is_hosted=False),
            PageMethod(id="usdc", title="USD Coin", asset="USDC", available=True, reason=None, is_hosted=False),
        ),
        gift=None,
        asking=None,
        attempt=None,
        hosted=None,
        transfers=(),
        refunds=(),
        wallet_state=WalletState.NONE,
        late_policy=LatePolicy.ACCEPT,
        paid_at=None,
        version="1",
    )
    return replace(page, **changed)


_CHARITY: Final = "River Fund"
_ROUND_UP: Final = GiftOffer(kind=GiftKind.ROUND_UP, amount=Money(10, "EUR"), total=_PRICE + Money(10, "EUR"))
_FIXED: Final = GiftOffer(kind=GiftKind.FIXED, amount=Money(200, "EUR"), total=_PRICE + Money(200, "EUR"))
_GIFT: Final = PageGift(charity=_CHARITY, kind=GiftKind.ROUND_UP, amount=_ROUND_UP.amount, is_whole=False)
_ASKING: Final = PageAsking(
    charity=_CHARITY,
    disclosure="All of it goes to River Fund e.V. every quarter. The gift is yours, not ours.",
    offers=(_ROUND_UP, _FIXED),
)


def _given(page: CheckoutPage) -> CheckoutPage:
    """Return a session that is nothing but a gift."""
    gift = replace(_GIFT, kind=GiftKind.CAMPAIGN, amount=page.amount, is_whole=True)
    return replace(page, gift=gift, lines=(), reference="don_01jd9x2k7qf8rb3s5v6w7x8y9z")


def _settled(now: datetime, *exceptions: PaymentException, amount: Money = _DUE, **changed: Any) -> CheckoutPage:
    attempt = sample_attempt(now, rest=_NOTHING, received=amount, overpaid=amount - _DUE)
    return sample_page(
        now,
        session_status=SessionStatus.COMPLETE,
        payment_status=PaymentStatus.PAID,
        exceptions=frozenset(exceptions),
        attempt=attempt,
        transfers=(sample_transfer(stage=TransferStage.FINAL, confirmations=32, amount=amount),),
        paid_at=now - MINUTE,
        **changed,
    )


def _confirming(now: datetime, **changed: Any) -> CheckoutPage:
    return sample_page(
        now,
        payment_status=PaymentStatus.CONFIRMING,
        attempt=sample_attempt(now, rest=_NOTHING, received=_DUE),
        transfers=(sample_transfer(**changed),),
    )


def _underpaid(now: datetime) -> CheckoutPage:
    received = Money(100_000_000, "SOL")
    rest = _DUE - received
    return sample_page(
        now,
        payment_status=PaymentStatus.UNDERPAID,
        attempt=sample_attempt(now, received=received, rest=rest, pay_url=_pay_url(rest)),
        transfers=(sample_transfer(stage=TransferStage.FINAL, confirmations=32, amount=received),),
    )


def _visited(now: datetime, status: PaymentStatus = PaymentStatus.OPEN, **visit: Any) -> CheckoutPage:
    return sample_page(now, payment_status=status, hosted=sample_visit(**visit))


def _declined(now: datetime, failure_code: str, **visit: Any) -> CheckoutPage:
    return _visited(now, charge_status=ChargeStatus.OPEN, failure_code=failure_code, instrument=_VISA, **visit)


def _by_card(now: datetime, *refunds: PageRefund, **visit: Any) -> CheckoutPage:
    paid = {"stage": AttemptStage.COMPLETE, "charge_status": ChargeStatus.SUCCEEDED, "instrument": _VISA}
    return sample_page(
        now,
        session_status=SessionStatus.COMPLETE,
        payment_status=PaymentStatus.PAID,
        methods=(),
        hosted=sample_visit(**(paid | visit)),
        refunds=refunds,
        paid_at=now - MINUTE,
    )


def _waiting_for_bank(now: datetime, status: PaymentStatus, **visit: Any) -> CheckoutPage:
    return replace(_visited(now, status, stage=AttemptStage.COMPLETE, **visit), methods=())


def sample_refund(now: datetime, cents: int, status: RefundStatus = RefundStatus.SUCCEEDED) -> PageRefund:
    """Return a refund of so much."""
    return PageRefund(amount=Money(cents, "EUR"), status=status, created_at=now)


def _over(now: datetime, status: PaymentStatus, **visit: Any) -> CheckoutPage:
    page = _visited(now, status, **visit)
    return replace(page, session_status=SessionStatus.EXPIRED, methods=(), expires_at=now - MINUTE)


def _saving(page: CheckoutPage) -> CheckoutPage:
    """Return the page as one that only saves a card."""
    methods = tuple(method for method in page.methods if method.is_hosted)
    hosted = page.hosted and replace(page.hosted, amount=Money(0, "EUR"))
    return replace(page, mode=SessionMode.SETUP, amount=Money(0, "EUR"), lines=(), methods=methods, hosted=hosted)


def _unavailable(now: datetime) -> CheckoutPage:
    methods = sample_page(now).methods
    gone = tuple(replace(method, available=False, reason="rate_unavailable") for method in methods[1:])
    return sample_page(now, methods=gone)


def _half_available(now: datetime) -> CheckoutPage:
    methods = sample_page(now).methods
    return sample_page(now, methods=(replace(methods[1], available=False, reason="rate_unavailable"), methods[2]))


def _ending(now: datetime) -> CheckoutPage:
    return sample_page(now, attempt=sample_attempt(now, expires_at=now + 3 * MINUTE), expires_at=now + 3 * MINUTE)


def _late_refund(now: datetime) -> CheckoutPage:
    paid = _settled(now, PaymentException.LATE, late_policy=LatePolicy.REFUND)
    return replace(paid, session_status=SessionStatus.EXPIRED, payment_status=PaymentStatus.EXPIRED, paid_at=None)


def _chosen(now: datetime, **changed: Any) -> CheckoutPage:
    return sample_page(now, attempt=sample_attempt(now), **changed)


SERVER_SAMPLES: Final[dict[str, Callable[[datetime], CheckoutPage]]] = {
    "open": sample_page,
    "half_available": _half_available,
    "unavailable": _unavailable,
    "chosen": _chosen,
    "ending": _ending,
    "renew": lambda now: sample_page(now, attempt=sample_attempt(now, expires_at=now - MINUTE, is_quote_expired=True)),
    "waiting": lambda now: _chosen(now, wallet_state=WalletState.WAITING),
    "unknown": lambda now: _chosen(now, wallet_state=WalletState.UNKNOWN),
    "seen": _confirming,
    "confirming": lambda now: _confirming(now, stage=TransferStage.CONFIRMED, confirmations=12),
    "reorg": lambda now: _chosen(
        now,
        exceptions=frozenset({PaymentException.REORG}),
        transfers=(sample_transfer(stage=TransferStage.DROPPED),),
    ),
    "asked_for_a_gift": lambda now: sample_page(now, asking=_ASKING),
    "gift_chosen": lambda now: sample_page(now, asking=_ASKING, gift=_GIFT),
    "gift_paid": lambda now: replace(_by_card(now, amount=_PRICE + _GIFT.amount), gift=_GIFT),
    "gift_by_wallet": lambda now: replace(_settled(now, gift=_GIFT), transfers=(_split_transfer(),)),
    "donating": lambda now: _given(sample_page(now)),
    "donated": lambda now: _given(_by_card(now)),
    "card_only": lambda now: sample_page(now, methods=(CARD_METHOD,)),
    "page_opening": lambda now: _visited(now, stage=AttemptStage.REGISTERING),
    "page_open": _visited,
    "page_closed": lambda now: _visited(now, stage=AttemptStage.EXPIRED),
    "page_refused": lambda now: _visited(now, stage=AttemptStage.REFUSED),
    "unconfirmed": lambda now: _visited(now, PaymentStatus.REQUIRES_ACTION, charge_status=ChargeStatus.REQUIRES_ACTION),
    "declined": lambda now: _declined(now, "generic_decline"),
    "declined_funds": lambda now: _declined(now, "insufficient_funds"),
    "debit_failed": lambda now: _visited(
        now, stage=AttemptStage.COMPLETE, charge_status=ChargeStatus.FAILED, instrument=_DEBIT
    ),
    "processing": lambda now: _waiting_for_bank(
        now, PaymentStatus.PROCESSING, charge_status=ChargeStatus.PROCESSING, instrument=_DEBIT
    ),
    "authorized": lambda now: replace(
        _waiting_for_bank(now, PaymentStatus.AUTHORIZED, charge_status=ChargeStatus.AUTHORIZED, instrument=_VISA),
        session_status=SessionStatus.COMPLETE,
    ),
    "subscribing": lambda now: replace(
        sample_page(now),
        methods=(CARD_METHOD,),
        renewal=PageRenewal(interval="month", interval_count=3, trial_days=14),
    ),
    "begun": lambda now: replace(
        _visited(now, stage=AttemptStage.COMPLETE), session_status=SessionStatus.COMPLETE, methods=()
    ),
    "saving": lambda now: _saving(sample_page(now)),
    "saving_unavailable": lambda now: _saving(sample_page(now, methods=())),
    "saving_open": lambda now: _saving(_visited(now)),
    "saving_closed": lambda now: _saving(_visited(now, stage=AttemptStage.EXPIRED)),
    "saving_refused": lambda now: _saving(_visited(now, stage=AttemptStage.REFUSED)),
    "saving_closing": lambda now: _saving(replace(_visited(now), expires_at=now - timedelta(seconds=5))),
    "saving_expired": lambda now: _saving(_over(now, PaymentStatus.EXPIRED, stage=AttemptStage.EXPIRED)),
    "saving_canceled": lambda now: _saving(_over(now, PaymentStatus.CANCELED, stage=AttemptStage.EXPIRED)),
    "saved": lambda now: _saving(
        replace(
            _visited(now, stage=AttemptStage.COMPLETE, instrument=_VISA),
            session_status=SessionStatus.COMPLETE,
            methods=(),
        )
    ),
    "card_paid": _by_card,
    "card_paid_in_part": lambda now: _by_card(now, amount=Money(1590, "EUR")),
    "refund_pending": lambda now: _by_card(
        now, sample_refund(now, 500), sample_refund(now, 1000, RefundStatus.PENDING)
    ),
    "refund_begun": lambda now: _by_card(now, sample_refund(now, 1000, RefundStatus.REQUIRES_ACTION)),
    "partly_refunded": lambda now: _by_card(
        now, sample_refund(now, 1000), sample_refund(now, 100, RefundStatus.FAILED)
    ),
    "refunded": lambda now: _by_card(now, sample_refund(now, 1490), sample_refund(now, 1000)),
    "refund_failed": lambda now: _by_card(now, sample_refund(now, 1000, RefundStatus.FAILED)),
    "underpaid": _underpaid,
    "paid": _settled,
    "overpaid": lambda now: _settled(now, PaymentException.OVERPAID, amount=Money(150_000_000, "SOL")),
    "late": lambda now: _settled(now, PaymentException.LATE),
    "late_refund": _late_refund,
    "closing": lambda now: _chosen(now, expires_at=now - timedelta(seconds=5)),
    "expired": lambda now: _chosen(
        now, session_status=SessionStatus.EXPIRED, payment_status=PaymentStatus.EXPIRED, expires_at=now - MINUTE
    ),
    "card_closing": lambda now: replace(_visited(now), expires_at=now - timedelta(seconds=5)),
    "card_expired": lambda now: _over(now, PaymentStatus.EXPIRED, stage=AttemptStage.EXPIRED),
    "debit_failed_late": lambda now: _over(
        now,
        PaymentStatus.EXPIRED,
        stage=AttemptStage.COMPLETE,
        charge_status=ChargeStatus.FAILED,
        instrument=_DEBIT,
    ),
    "canceled": lambda now: sample_page(now, payment_status=PaymentStatus.CANCELED, methods=()),
    "released": lambda now: _over(
        now,
        PaymentStatus.CANCELED,
        stage=AttemptStage.COMPLETE,
        charge_status=ChargeStatus.CANCELED,
        instrument=_VISA,
    ),
}
# The samples that show another face of a state than the one named like it, by the state that they are in.
VARIANTS: Final = {
    "half_available": PageState.OPEN,
    "asked_for_a_gift": PageState.OPEN,
    "gift_chosen": PageState.OPEN,
    "gift_paid": PageState.PAID,
    "gift_by_wallet": PageState.PAID,
    "donating": PageState.OPEN,
    "donated": PageState.PAID,
    "card_only": PageState.OPEN,
    "subscribing": PageState.OPEN,
    "saving": PageState.OPEN,
    "saving_unavailable": PageState.UNAVAILABLE,
    "saving_open": PageState.PAGE_OPEN,
    "saving_closed": PageState.PAGE_CLOSED,
    "saving_refused": PageState.PAGE_REFUSED,
    "saving_closing": PageState.CLOSING,
    "saving_expired": PageState.EXPIRED,
    "saving_canceled": PageState.CANCELED,
    "saved": PageState.BEGUN,
    "ending": PageState.CHOSEN,
    "declined_funds": PageState.DECLINED,
    "debit_failed": PageState.DECLINED,
    "card_paid": PageState.PAID,
    "card_paid_in_part": PageState.PAID,
    "refund_begun": PageState.REFUND_PENDING,
    "refund_failed": PageState.PAID,
    "card_closing": PageState.CLOSING,
    "card_expired": PageState.EXPIRED,
    "debit_failed_late": PageState.EXPIRED,
    "released": PageState.CANCELED,
}
# Each moment that only the browser knows is drawn on the page on which it happens.
CLIENT_SAMPLES: Final[dict[str, ClientState]] = {f"client_{state.value}": state for state in ClientState}
_CLIENT_PAGES: Final = {ClientState.LEAVING: sample_page}  # where it is not the page that asks for a coin
SAMPLE_NAMES: Final = (*SERVER_SAMPLES, *CLIENT_SAMPLES)


def sample(name: str, now: datetime) -> tuple[CheckoutPage, ClientState | None]:
    """Return a sample session by name, and the client state to draw on it.

    Raises:
        KeyError: there is no such sample.
    """
    client_state = CLIENT_SAMPLES.get(name)
    build = _CLIENT_PAGES.get(client_state, _chosen) if client_state else SERVER_SAMPLES[name]
    return replace(build(now), token=f"sample-{name}"), client_state
