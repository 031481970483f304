"""The suites that every processor must pass, and the list of them all: a new folder is a new row.

A row names a function that yields a `Subject` (payers sign in a wallet) or a `HostedSubject` (payers pay on the
provider's page): the processor, connected to an emulator of its provider that really runs. `test_conformance.py` and
`test_conformance_hosted.py` run every behaviour for every row.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from gateway.domain.ports import ChainReader, HostedProcessor, TransferRequest, WalletProcessor
from gateway.domain.provider import Registration
from gateway.processors.solana import SolanaProcessor
from gateway.processors.stripe import StripeConfig, StripeProcessor
from sandbox.devchain.wallet import TestWallet
from tests.processors import stripe_stage
from tests.processors.solana_stage import LOCALNET, SOL, USDC, Stage, a_stage, localnet


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A wallet processor under test, with hands to play the payer and the chain.

    Attributes:
        processor: the processor, in test mode.
        unreachable: the same processor, whose provider does not answer.
        merchant: a wallet that may receive.
        payer: the address of a wallet with money of every method.
        request: returns a request for so many atomic units by method id.
        sign: signs a built payload as the payer.
        confirm: lets the chain confirm what was sent.
        reader: the chain as the monitor reads it.
    """

    processor: WalletProcessor
    unreachable: WalletProcessor
    merchant: str
    payer: str
    request: Callable[[str, int], TransferRequest]
    sign: Callable[[str], str]
    confirm: Callable[[], None]
    reader: ChainReader


@contextmanager
def solana() -> Iterator[Subject]:
    """Yield the processor `solana` on a served dev chain."""
    stage = a_stage()
    unreachable = SolanaProcessor({False: localnet("http://127.0.0.1:9")})
    try:
        yield _solana_subject(stage, unreachable, stage.wallet(sol=50 * SOL, usdc=50 * USDC, feeusd=50 * USDC))
    finally:
        for processor in (stage.processor, unreachable):
            processor.close()
        stage.server.close()


def _solana_subject(stage: Stage, unreachable: SolanaProcessor, payer: TestWallet) -> Subject:
    return Subject(
        processor=stage.processor,
        unreachable=unreachable,
        merchant=stage.merchant,
        payer=payer.address,
        request=lambda method, amount: stage.request(amount, method.upper()),
        sign=payer.sign,
        confirm=stage.confirm,
        reader=stage.processor.reader(LOCALNET),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shopper:
    """Hands that play the shopper on a provider's page, by the page's reference."""

    pay: Callable[[str], None]
    be_declined: Callable[[str], None]
    pay_later: Callable[[str, bool], None]
    let_settle: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedSubject:
    """A hosted processor under test.

    Attributes:
        processor: the processor, in test mode.
        unreachable: the same processor, whose provider does not answer.
        register: returns a fresh registration; keywords replace its fields.
        shopper: plays the page; None where only a person can, as at the real provider.
        sign: returns the headers under which the provider would send a body now.
    """

    processor: HostedProcessor
    unreachable: HostedProcessor
    register: Callable[..., Registration]
    shopper: Shopper | None
    sign: Callable[[bytes], dict[str, str]]


@contextmanager
def stripe() -> Iterator[HostedSubject]:
    """Yield the processor `stripe` before a served Test Bank."""
    unreachable = stripe_stage.a_processor("http://127.0.0.1:9")
    with stripe_stage.a_bank_stage() as stage:
        yield HostedSubject(
            processor=stage.processor,
            unreachable=unreachable,
            register=stripe_stage.a_registration,
            shopper=_bank_shopper(stage),
            sign=stripe_stage.signed_now,
        )
    unreachable.close()


def _bank_shopper(stage: stripe_stage.BankStage) -> Shopper:
    def pay_later(reference: str, succeeds: bool) -> None:  # noqa: FBT001 - the one thing that it is told
        stage.bank.pay_by_bank(reference, outcome="succeed" if succeeds else "fail")

    def let_settle() -> None:
        stage.control("settle_delayed")

    return Shopper(
        pay=lambda reference: _assert_kind(stage.pay(reference).kind, "paid"),
        be_declined=lambda reference: _assert_kind(stage.pay(reference, stripe_stage.DECLINED_CARD).kind, "declined"),
        pay_later=pay_later,
        let_settle=let_settle,
    )


def _assert_kind(kind: str, expected: str) -> None:
    assert kind == expected


@contextmanager
def real_stripe() -> Iterator[HostedSubject]:
    """Yield the processor `stripe` before Stripe itself, in test mode; what needs a page is left out."""
    secrets = (stripe_stage.WEBHOOK_SECRET,)
    config = StripeConfig(livemode=False, secret_key=os.environ[REAL_STRIPE_KEY], webhook_secrets=secrets)
    processor = StripeProcessor("stripe", {False: config})
    unreachable = stripe_stage.a_processor("http://127.0.0.1:9")
    yield HostedSubject(
        processor=processor,
        unreachable=unreachable,
        register=stripe_stage.a_registration,
        shopper=None,
        sign=stripe_stage.signed_now,
    )
    for one in (processor, unreachable):
        one.close()


REAL_STRIPE_KEY = "STRIPE_TEST_KEY"
# Set for the process that may leave loopback: it runs the hosted suite, and that alone, against the real provider.
IS_REAL_RUN = "STREAMPAY_TEST_REAL_STRIPE"

PROCESSORS: dict[str, Callable[[], AbstractContextManager[Subject]]] = {"solana": solana}
HOSTED: dict[str, Callable[[], AbstractContextManager[HostedSubject]]] = {"stripe": stripe}
