"""Ports: what the engine and the monitor ask of processors and rates, and what they may answer.

World failures leave a port as `TemporaryError` (nothing happened; the same call may be repeated), `DeclinedError` (the
provider said no, for good) or `UnknownOutcomeError` (it may have happened).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gateway.domain.chain import AccountBalance, ChainObservation, ListedSignature, StageChange
from gateway.domain.provider import (
    BalanceLine,
    Command,
    Notification,
    ProviderPayout,
    ProviderRefund,
    ProviderSnapshot,
    RefundCommand,
    Registration,
)
from gateway.domain.subscriptions import ProviderSubscription
from gateway.domain.words import TransferStage
from gateway.kernel.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to pay that a processor offers in one mode: `id` is the public word (`sol`, `card`).

    `asset` is the currency that is sent; None where the shopper pays in the currency of the price.
    """

    id: str
    title: str
    asset: str | None
    processor: str
    network: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivingAccount:
    """Where an asset of a merchant arrives: `wallet` is what a payer addresses, `account` what the chain credits."""

    network: str
    asset: str
    wallet: str
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftRequest:
    """What a payer gives on top, and where the charity takes it itself; None where it goes through the merchant."""

    amount: Money
    wallet: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRequest:
    """What a wallet is asked to send: `due` to `wallet`, carrying `reference_key`, with a readable label and memo.

    Attributes:
        gift: what goes to a charity in the same chain transfer, or to `wallet` on top of what is due.
    """

    network: str
    wallet: str
    account: str
    due: Money
    reference_key: str
    label: str
    message: str
    memo: str
    gift: GiftRequest | None = None

    @property
    def asked(self) -> Money:
        """All that the payer sends."""
        return self.due if self.gift is None else self.due + self.gift.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsignedTransfer:
    """A chain transfer built for one payer to sign: `payload` is base64, useless after `last_valid_height`."""

    payload: str
    last_valid_height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTransfer:
    """A wallet's signed chain transfer that was checked to pay the request; `signature` is its id on the chain."""

    payload: str
    signature: str
    payer: str
    last_valid_height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """What a merchant's own wallet is asked to send: exactly `amount` leaves `payer` for the wallet `destination`.

    It carries `reference_key` and the memo, by which the monitor tells it from any other outflow.
    """

    network: str
    payer: str
    destination: str
    amount: Money
    reference_key: str
    memo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBy:
    """Who signed bytes, and the signature that is their id on the chain; nothing of what they do is proved."""

    payer: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureState:
    """What the chain knows of a signature: `stage` None means it knows nothing of it now."""

    stage: TransferStage | None
    has_failed: bool
    finalized_height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What an operator should know of a token or a wallet before money is sent there."""

    subject: str
    is_fit: bool
    detail: str


class WalletProcessor(Protocol):
    """A processor whose payers sign in a wallet and whose chain is watched by the monitor."""

    @property
    def name(self) -> str:
        """The processor's name, as in routes and attempts: `solana`."""
        ...

    def methods(self, *, livemode: bool) -> Sequence[Method]:
        """Return the methods offered in this mode; no I/O."""
        ...

    def receiving_accounts(self, wallet: str, *, livemode: bool) -> Sequence[ReceivingAccount]:
        """Return where each asset would arrive for a merchant's wallet; no I/O.

        Raises:
            InvalidRequestError: `wallet_address_invalid`.
        """
        ...

    def inspect(self, *, livemode: bool, wallet: str | None = None) -> Sequence[Inspection]:
        """Look at the allow-listed tokens of a mode, and at a wallet, as they stand on the chain.

        Raises:
            InvalidRequestError: `wallet_address_invalid`.
            TemporaryError: the chain node does not answer.
        """
        ...

    def new_reference(self) -> str:
        """Return a fresh single-use reference key: 32 random bytes, base58."""
        ...

    def pay_url(self, request: TransferRequest) -> str:
        """Return the link and QR content that any wallet of the family understands; no I/O."""
        ...

    def explorer_url(self, network: str, signature: str) -> str | None:
        """Return where a person can look a signature up; None for a network without a public explorer."""
        ...

    def build(self, request: TransferRequest, *, payer: str, legacy: bool = False) -> UnsignedTransfer:
        """Build and simulate the chain transfer that `payer` is to sign now.

        Raises:
            InvalidRequestError: `wallet_address_invalid`.
            DeclinedError: the simulation failed, for example too little balance; the message is for the payer.
            TemporaryError: the chain node does not answer.
        """
        ...

    def check_signed(self, request: TransferRequest, payload: str) -> SignedTransfer:
        """Prove that what a wallet returned is fully signed and, by effect, pays the request.

        Raises:
            InvalidRequestError: `wallet_payload_refused`.
            TemporaryError: the chain node does not answer.
        """
        ...

    def refund_destination(self, wallet: str) -> str:
        """Return the address of a wallet that money may go back to, as it is written canonically; no I/O.

        Raises:
            InvalidRequestError: `wallet_address_invalid`.
        """
        ...

    def has_own_key(self, wallet: str) -> bool:
        """Tell whether one key signs for this address, so that its owner surely controls it; no I/O."""
        ...

    def build_refund(self, request: RefundRequest) -> UnsignedTransfer:
        """Build and simulate the chain transfer that the merchant's wallet is to sign now.

        Raises:
            InvalidRequestError: `wallet_address_invalid`: the destination is no wallet.
            DeclinedError: the simulation failed, for example too little balance.
            TemporaryError: the chain node does not answer.
        """
        ...

    def signed_by(self, payload: str) -> SignedBy:
        """Read who signed; no I/O.

        Raises:
            InvalidRequestError: `wallet_payload_refused`: not fully signed by one wallet, or endless.
        """
        ...

    def check_refund(self, request: RefundRequest, payload: str) -> SignedTransfer:
        """Prove that signed bytes send exactly the refund to its destination, and nothing else from the payer.

        Raises:
            InvalidRequestError: `wallet_payload_refused`.
            TemporaryError: the chain node does not answer.
        """
        ...

    def broadcast(self, network: str, payload: str) -> None:
        """Send signed bytes; sending the same bytes again is harmless.

        Raises:
            DeclinedError: the node refused them for good.
            TemporaryError: the node certainly did not take them.
            UnknownOutcomeError: no answer; they may be on their way.
        """
        ...

    def signature_state(self, network: str, signature: str) -> SignatureState:
        """Ask the chain for a signature, history included.

        Raises:
            TemporaryError: the chain node does not answer.
        """
        ...


class HostedProcessor(Protocol):
    """A processor whose payers pay on the provider's own page, such as Stripe Checkout.

    Every command carries our operation's id as the provider's idempotency key: sending it again, byte for byte, within
    `key_lifetime` has the effect of sending it once. Besides the errors named on each verb, all of them raise
    `TemporaryError` (nothing happened), `DeclinedError` (refused for good) and `UnknownOutcomeError` (it may have
    happened; `RepeatedFailureError`: it has not, and will not under this key).
    """

    @property
    def name(self) -> str:
        """The processor's name, as in routes and attempts: `stripe`."""
        ...

    @property
    def key_lifetime(self) -> timedelta:
        """How long the provider is sure to remember an idempotency key; older commands are only reconciled."""
        ...

    def methods(self, *, livemode: bool) -> Sequence[Method]:
        """Return the methods offered in this mode; empty without a key for it; no I/O."""
        ...

    def accepts(self, price: Money, *, livemode: bool) -> bool:
        """Tell whether the provider takes this amount in this currency; no I/O."""
        ...

    def register(self, registration: Registration) -> ProviderSnapshot:
        """Open a page for a payment; the snapshot has its reference and url."""
        ...

    def find_registration(self, registration: Registration) -> ProviderSnapshot | None:
        """Look for the page that an earlier `register` may have opened; None when the provider certainly has none."""
        ...

    def retrieve(self, reference: str, *, livemode: bool) -> ProviderSnapshot:
        """Read a page, its charge, refunds, disputes and balance lines as they stand now.

        Raises:
            NotFoundError: the provider knows no such page.
        """
        ...

    def expire(self, command: Command) -> None:
        """Close the page `command.reference`, so that nobody can pay on it any more.

        Raises:
            ConflictError: it is not open; read it again.
        """
        ...

    def capture(self, command: Command, amount: Money, *, is_final: bool) -> None:
        """Take held money; `is_final` releases the rest of the hold.

        Raises:
            ConflictError: the charge is not in a state that allows it; read it again.
        """
        ...

    def void(self, command: Command) -> None:
        """Release a hold.

        Raises:
            ConflictError: the charge is not in a state that allows it; read it again.
        """
        ...

    def refund(self, command: RefundCommand) -> ProviderRefund:
        """Give captured money back."""
        ...

    def find_refund(self, command: RefundCommand) -> ProviderRefund | None:
        """Look for the refund that an earlier `refund` may have made; None when there certainly is none."""
        ...

    def cancel_refund(self, command: Command) -> ProviderRefund:
        """Call off the refund `command.reference` that waits for the customer.

        Raises:
            ConflictError: it cannot be called off any more.
        """
        ...

    def read_notification(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Notification:
        """Verify a webhook's signature over its raw bytes; no I/O.

        Raises:
            InvalidRequestError: `notification_refused`: forged, stale, from the future, malformed or of the wrong mode.
        """
        ...

    def payouts(self, *, livemode: bool, since: datetime) -> Sequence[ProviderPayout]:
        """List payouts that were created since then, oldest first."""
        ...

    def payout_lines(self, payout: str, *, livemode: bool) -> Sequence[BalanceLine]:
        """List every line that a reconciled payout paid out."""
        ...

    def inspect(self, *, livemode: bool, url: str) -> Sequence[Inspection]:
        """Look whether the key works and whether the provider will tell `url` everything that must be known.

        Raises:
            TemporaryError: the provider does not answer, or does not let this key look.
        """
        ...

    def dashboard_url(self, reference: str, *, livemode: bool) -> str | None:
        """Return where the merchant's staff can look a charge up; None where there is no such page."""
        ...


class SubscriptionProcessor(Protocol):
    """What a hosted processor offers for subscriptions: its provider keeps the schedule and collects.

    Commands and errors are as of `HostedProcessor`; `command.reference` names the provider's subscription.
    """

    def retrieve(self, reference: str, *, livemode: bool, since: datetime | None) -> ProviderSubscription:
        """Read a subscription with its invoices that were made since then, or all of them.

        Raises:
            NotFoundError: the provider knows no such subscription.
        """
        ...

    def pause(self, command: Command) -> None:
        """Stop collecting until `resume`; periods that begin meanwhile are not billed."""
        ...

    def resume(self, command: Command) -> None:
        """Collect again, and lift an end that was set."""
        ...

    def cancel(self, command: Command, *, at_period_end: bool) -> None:
        """End it now, or at the end of the current period."""
        ...

    def portal_url(self, customer: str, *, livemode: bool, key: str, return_url: str) -> str:
        """Return a short-lived link to the provider's page for a customer's own subscriptions and cards."""
        ...

    def forget_customer(self, customer: str, *, livemode: bool, key: str) -> None:
        """Erase a customer at the provider; one that is gone is no error."""
        ...


class ChainReader(Protocol):
    """What the monitor asks one network; `signatures` and `stages` cost exactly one call."""

    @property
    def network(self) -> str:
        """The network's name: `solana:mainnet`, `solana:devnet`, `solana:localnet`."""
        ...

    def accepts(self, asset: str) -> bool:
        """Tell whether this asset can be read; costs no call. An asset that was taken off the list waits unread."""
        ...

    def signatures(
        self, account: str, *, until: str | None, before: str | None, limit: int
    ) -> Sequence[ListedSignature]:
        """List signatures that touch `account` at `confirmed`, newest first: above `until`, below `before`."""
        ...

    def read(
        self, signatures: Sequence[str], accounts: Mapping[str, str]
    ) -> Mapping[str, Sequence[ChainObservation] | None]:
        """Read and verify signatures, one call each (batched): their effects on our `accounts` (account -> asset).

        None means indexed but not readable yet, or not authentic: retry, never skip. An empty sequence means read, with
        no effect on us (failed ones included).
        """
        ...

    def stages(self, signatures: Sequence[str], *, reached: int = 0) -> Mapping[str, TransferStage | None]:
        """Return the stage of up to 256 signatures in one call, history searched; None for one that the chain lost.

        What a node does not know that has not reached slot `reached` is left out: its silence proves nothing.
        """
        ...

    def balances(self, accounts: Mapping[str, str]) -> Sequence[AccountBalance]:
        """Return finalized balances of accounts (account -> asset), batched by 100."""
        ...


class ObservationSink(Protocol):
    """Where the monitor puts what it saw; both are idempotent and durable when they return."""

    def observe(self, observations: Sequence[ChainObservation]) -> None:
        """Record facts; each is credited at most once."""
        ...

    def restage(self, changes: Sequence[StageChange]) -> None:
        """Move facts on, or take them back after a reorg."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRate:
    """One source's word: one major unit of `base` costs `num / den` major units of `quote`, exactly as it said."""

    source: str
    base: str
    quote: str
    num: int
    den: int
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A rate that may be quoted: the median of fresh sources, with every word that went into it."""

    base: str
    quote: str
    num: int
    den: int
    as_of: datetime
    sources: tuple[SourceRate, ...]


class Rates(Protocol):
    """Where prices come from."""

    def rate(self, base: str, quote: str) -> Rate:
        """Return the price of one major unit of `base` in `quote`, from memory; never waits for the network.

        Raises:
            TemporaryError: `rate_unavailable`, with a reason that a shopper may read.
        """
        ...
