"""What the checkout page reads and asks: frozen views of one session, and the verbs behind its buttons.

No logic stands here. The engine fills the views, the page turns them into words; neither knows the other's inside. The
token in a page's address is its only credential: whoever holds it may see and pay this one session, nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

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
from gateway.kernel.money import Money


class WalletState(StrEnum):
    """What became of a signature that the page told us of; a hint, never proof."""

    NONE = "none"
    WAITING = "waiting"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLine:
    """One line of the order; `amount` is for the whole quantity."""

    name: str
    quantity: int
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PageMethod:
    """A way to pay.

    Attributes:
        asset: what is sent; None where the shopper pays in the currency of the price.
        reason: why it is not on offer: an `ErrorCode` value, or a sentence for the shopper.
        is_hosted: the shopper pays on the provider's own page.
    """

    id: str
    title: str
    asset: str | None
    available: bool
    reason: str | None
    is_hosted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRate:
    """The price that the quote kept: one major unit of the asset costs `num / den` major units of the session."""

    num: int
    den: int
    sources: tuple[str, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAttempt:
    """The chosen way to pay.

    Attributes:
        due: what the quote asks for; `rest`: what is still missing; `received`: what came; `overpaid`: the excess.
        pay_url: link and QR content for exactly `rest`.
        rate: None when asset and price are the same currency.
        expires_at: until when the quote stands.
    """

    method: str
    title: str
    processor: str
    network: str
    due: Money
    rest: Money
    received: Money
    overpaid: Money
    wallet: str
    reference_key: str
    pay_url: str
    rate: PageRate | None
    expires_at: datetime
    is_quote_expired: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PageHosted:
    """The newest visit to a provider's page.

    Attributes:
        stage: whether that page is open, complete, expired, or was never opened.
        charge_status: what the provider said of the charge when it was read last; None before there was one.
        failure_code: why the newest try there was declined; None without one.
        instrument: type, brand, last4 and country of what was paid with or saved, as far as they are known.
    """

    method: str
    title: str
    processor: str
    stage: AttemptStage
    charge_status: ChargeStatus | None
    amount: Money
    failure_code: str | None
    instrument: Mapping[str, str | None] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRefund:
    """Money that goes back to the shopper."""

    amount: Money
    status: RefundStatus
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTransfer:
    """A chain transfer that pays this session; `confirmations` is None while the chain does not say.

    `given` is what it brought to the charity's own address at once; `amount` is without it.
    """

    signature: str
    stage: TransferStage
    amount: Money
    confirmations: int | None
    needed: int
    explorer_url: str | None
    given: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRenewal:
    """How what is bought here repeats: every `interval_count` of `interval` (day, week, month, year)."""

    interval: str
    interval_count: int
    trial_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PageGift:
    """The gift that is paid with the session; `is_whole`: the session is nothing else."""

    charity: str
    kind: GiftKind
    amount: Money
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAsking:
    """What the shopper may give on top, for whom, and what the merchant says of it; he has not begun to pay yet."""

    charity: str
    disclosure: str
    offers: tuple[GiftOffer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckoutPage:
    """Everything that the page of one session shows; `version` changes whenever anything here does."""

    session_id: str
    token: str
    livemode: bool
    merchant_name: str
    brand_color: str | None
    logo_url: str | None
    mode: SessionMode
    reference: str
    amount: Money
    lines: tuple[PageLine, ...]
    locale: str | None
    success_url: str
    cancel_url: str | None
    session_status: SessionStatus
    payment_status: PaymentStatus
    exceptions: frozenset[PaymentException]
    created_at: datetime
    expires_at: datetime
    can_extend: bool
    methods: tuple[PageMethod, ...]
    gift: PageGift | None
    asking: PageAsking | None
    attempt: PageAttempt | None
    hosted: PageHosted | None
    transfers: tuple[PageTransfer, ...]
    refunds: tuple[PageRefund, ...]
    wallet_state: WalletState
    late_policy: LatePolicy
    paid_at: datetime | None
    version: str
    renewal: PageRenewal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedTransfer:
    """A chain transfer for one payer to sign: `payload` is base64, `chain` a CAIP-like name (`solana:mainnet`)."""

    payload: str
    chain: str
    last_valid_height: int


class CheckoutVerbs(Protocol):
    """What the page may do with one session; every verb raises `NotFoundError` for a token that is not ours.

    Those that ask a chain's node (`build_transfer`, `submit_signed`, `hint`) also raise `RateLimitedError`.
    """

    def page(self, token: str) -> CheckoutPage:
        """Return the session as it stands now."""
        ...

    def choose_method(self, token: str, method: str) -> None:
        """Quote and open an attempt; choosing the open one again changes nothing.

        Raises:
            InvalidRequestError: no such method.
            ConflictError: the session is not open any more.
            TemporaryError: the method is not on offer now.
        """
        ...

    def redirect(self, token: str, method: str) -> str:
        """Return the address of the provider's page on which this session is paid; opens it if there is none.

        Raises:
            InvalidRequestError: no such method, or one that is paid here.
            ConflictError: the session is not open any more, or an earlier command has no outcome yet.
            DeclinedError: the provider refuses such a payment.
            TemporaryError, UnknownOutcomeError: the provider does not answer; ask again.
        """
        ...

    def returned(self, token: str) -> None:
        """Take the shopper back from a provider's page: what happened there is read now."""
        ...

    def choose_gift(self, token: str, kind: GiftKind, amount: str) -> None:
        """Add a gift on top of the order, in place of another; `amount` in major units of the order's currency.

        Raises:
            InvalidRequestError: it is not on offer.
            ConflictError: the payment has begun, or the session takes no gifts.
            WorldError: a provider does not say whether its page is closed.
        """
        ...

    def drop_gift(self, token: str) -> None:
        """Take the gift off again.

        Raises:
            ConflictError, WorldError: as for `choose_gift`.
        """
        ...

    def renew_quote(self, token: str) -> None:
        """Replace a quote that ran out by a fresh one.

        Raises:
            ConflictError: the session is not open any more.
            TemporaryError: no fresh price.
        """
        ...

    def extend(self, token: str) -> None:
        """Give the shopper more time, once.

        Raises:
            ConflictError: it was extended before, or is over.
        """
        ...

    def build_transfer(self, token: str, payer: str, *, legacy: bool) -> UnsignedTransfer:
        """Build what `payer` is to sign now; `legacy` for wallets that read no versioned message.

        Raises:
            InvalidRequestError: `wallet_address_invalid`.
            ConflictError: nothing is payable here.
            DeclinedError: the simulation failed, for example too little balance.
            TemporaryError: the chain node does not answer.
        """
        ...

    def submit_signed(self, token: str, payload: str) -> str:
        """Check what a wallet signed, broadcast it, and return its signature.

        Raises:
            InvalidRequestError: `wallet_payload_refused`.
            DeclinedError: the node refused it for good.
            TemporaryError: the node certainly did not take it.
            UnknownOutcomeError: it may be on its way.
        """
        ...

    def hint(self, token: str, signature: str) -> None:
        """Remember a signature that a wallet says it sent, and look for it."""
        ...

    def cancel(self, token: str) -> None:
        """Give up an open session on the shopper's wish.

        Raises:
            ConflictError: money is on its way, or the session is over.
        """
        ...
