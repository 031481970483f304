"""A street for journey tests: a real chain and a real exchange, the whole house between them, its shops, its shoppers.

Nothing moves by itself. The test makes slots, moves the clock and turns the house's own loops; everything that the
gateway knows of the chain and of prices reached it over HTTP.
"""

import base64
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from sqlalchemy import select

from gateway.domain.merchants import MerchantSettings
from gateway.engine.idempotency import Intent
from gateway.engine.page import CheckoutPage, PageAttempt
from gateway.engine.paging import PageRequest
from gateway.engine.records import OperationRecord, Owner
from gateway.engine.sessions import NewSession
from gateway.engine.wallets import wallet_operations
from gateway.kernel.clock import ManualClock, to_micros
from gateway.kernel.errors import TemporaryError
from gateway.kernel.money import parse_money
from gateway.ledger.proof import verify
from gateway.ledger.sealing import seal
from gateway.settings import load_settings
from gateway.storage import schema
from gateway.wiring import House, build_house
from gateway.workers.loops import all_loops
from hosted_checkout.checkout.states import state_of
from sandbox.devchain import programs
from sandbox.devchain.chain import DevChain
from sandbox.devchain.faucet import FEE_MINT, USDC_MINT
from sandbox.devchain.server import RunningServer, serve
from sandbox.devchain.wallet import TestWallet
from sandbox.exchange.server import RunningExchange

LOCALNET: Final = "solana:localnet"
SOL: Final = 10**9
USDC: Final = 10**6
HOT: Final = f"chain:{LOCALNET}:hot"
AVAILABLE: Final = "merchant:available"
PENDING: Final = "merchant:pending"
WITHDRAWN: Final = "merchant:withdrawn"
SUSPENSE: Final = "suspense:chain"
REFUND_PAYABLE: Final = "refund:payable"
NETWORK_FEE: Final = "expense:network_fee"
MINTS: Final = {"USDC": USDC_MINT, "FEEUSD": FEE_MINT}
TOKENS: Final = [
    {"code": "USDC", "title": "USD Coin", "mint": str(USDC_MINT), "decimals": 6},
    {"code": "FEEUSD", "title": "Fee dollar", "mint": str(FEE_MINT), "decimals": 6, "program": "token-2022"},
]
_SECRET: Final = base64.b64encode(b"journey" * 4 + b"!!!!").decode()
_ENOUGH: Final = 100  # objects on one page of a list

Books = dict[tuple[str, str], tuple[str, str]]


def environment(database_url: str, chain_url: str, exchange_url: str) -> dict[str, str]:
    """Return the settings of a house on this street, as an operator would write them."""
    return {
        "STREAMPAY_DATABASE_URL": database_url,
        "STREAMPAY_BASE_URL": "http://127.0.0.1:8080",
        "STREAMPAY_SECRET_KEYS": _SECRET,
        "STREAMPAY_SOLANA_TEST_NETWORK": LOCALNET,
        "STREAMPAY_SOLANA_TEST_RPC_URLS": chain_url,
        "STREAMPAY_SOLANA_TEST_TOKENS": json.dumps(TOKENS),
        "STREAMPAY_SOLANA_LIVE_NETWORK": "",
        "STREAMPAY_RATES_BASE_URL": exchange_url,
    }


@dataclass(slots=True)
class Street:
    """What a test acts with."""

    house: House
    server: RunningServer
    exchange: RunningExchange
    clock: ManualClock
    turns: Mapping[str, Callable[[], object]]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1001))
    shops: "list[Shop]" = field(default_factory=list)

    @property
    def chain(self) -> DevChain:
        return self.server.chain

    def fault(self, **faults: Any) -> None:
        """Switch faults of the chain on."""
        TestWallet(self.server.url).rpc("dev_fault", faults)

    def mend(self) -> None:
        """Switch every fault of the chain off."""
        self.fault(clear=True)

    def look(self, times: int = 1) -> None:
        """Let a second pass and the monitor look, hints of pages first, as its loop does while money is awaited."""
        work = self.house.work
        for _ in range(times):
            self.clock.advance(timedelta(seconds=1))
            for signature in work.wakeups.take_hints(LOCALNET):
                work.monitor.hint(LOCALNET, signature)
            work.monitor.tick(LOCALNET)

    def confirm(self) -> None:
        """Let the chain confirm what has landed, and the monitor see it."""
        self.chain.tick(2)
        self.look()

    def settle(self) -> None:
        """Let the chain make everything final, and the monitor see it."""
        self.chain.tick(32)
        self.look()

    def pass_time(self, **delta: int) -> None:
        """Let time go by on the chain too; the monitor looks when it is over."""
        self.clock.advance(timedelta(**delta))
        self.chain.tick(1)
        self.look()

    def pass_time_blind(self, **delta: int) -> None:
        """Let time go by while the monitor looks in vain, because no node answers."""
        self.clock.advance(timedelta(**delta))
        self.chain.tick(1)
        with suppress(TemporaryError):
            self.look()
            raise AssertionError("a node answered")

    def sweep(self) -> None:
        """Do what time asks for."""
        self.house.engine.sweep()

    def refresh_rates(self) -> None:
        """Ask the exchanges."""
        self.turns["rates"]()

    def audit(self) -> dict[str, int]:
        """Run the audit's turn; return the gaps that stood then, by asset, in atomic units.

        Everything on the chain must be settled, so that every account is judged.
        """
        self.turns[f"audit-{LOCALNET}"]()
        return self.gaps()

    def gaps(self) -> dict[str, int]:
        """Return what the newest audit found that nothing explains, by asset."""
        audits, watches = schema.balance_audit, schema.watch
        same = (watches.c.network == audits.c.network) & (watches.c.account == audits.c.account)
        query = select(watches.c.asset, audits.c.gap).join(audits, same)
        return {row.asset: row.gap for row in self.house.db.read(lambda tx: tx.execute(query).all()) if row.gap}

    def assert_sound(self) -> None:
        """Prove that books, seals and chain agree to the last atomic unit, with everything final."""
        seal(self.house.db, self.clock)
        report = self.house.db.snapshot(verify)
        assert report.is_clean, report.problems
        engine, monitor = self.house.engine, self.house.work.monitor
        audited = monitor.audit(LOCALNET, engine.observations.explained)
        assert (audited.unsettled, list(audited.gaps)) == (0, [])
        assert self._booked() == self._held()

    def _held(self) -> dict[str, int]:
        """Return what the chain says that all accounts gained since they are watched, by asset."""
        audits, watches = schema.balance_audit, schema.watch
        same = (watches.c.network == audits.c.network) & (watches.c.account == audits.c.account)
        query = select(watches.c.asset, watches.c.opening, audits.c.on_chain).join(audits, same)
        gained: Counter[str] = Counter()
        for row in self.house.db.read(lambda tx: tx.execute(query).all()):
            gained[row.asset] += row.on_chain - row.opening
        return {asset: amount for asset, amount in gained.items() if amount}

    def _booked(self) -> dict[str, int]:
        """Return what the books say that our accounts on the chain gained, by asset; nothing may be pending."""
        booked: Counter[str] = Counter()
        for shop in self.shops:
            for row in shop.balances():
                assert not row.pending.atomic, f"{row.account} still waits for {row.pending}"
                booked[row.currency] += row.posted.atomic if row.account == HOT else 0
        return {asset: amount for asset, amount in booked.items() if amount}

    def shop(self, name: str = "Marble & Moss", *, has_usdc: bool = True, **rules: Any) -> "Shop":
        """Open a merchant whose wallet exists on the chain, and take the baseline of his accounts."""
        wallet = self.wallet(sol=SOL)
        if has_usdc:
            wallet.airdrop_token(str(USDC_MINT), 1)
        self.chain.tick(40)
        self.clock.advance(timedelta(hours=1))  # what the wallet holds so far is history
        self.chain.tick(40)
        merchant = self.house.engine.merchants.create(name, MerchantSettings(**rules))
        shop = Shop(self, wallet, Owner(merchant_id=merchant.id, livemode=False))
        self.shops.append(shop)
        shop.receive_at(wallet)
        self.refresh_rates()
        return shop

    def wallet(self, *, sol: int = 0, **tokens: int) -> TestWallet:
        """Return a wallet of nobody yet, with so many atomic units in it."""
        wallet = TestWallet(self.server.url)
        if sol:
            wallet.airdrop(sol)
        for code, amount in tokens.items():
            wallet.airdrop_token(str(MINTS[code.upper()]), amount)
        return wallet

    def shopper(self) -> TestWallet:
        """Return a wallet with enough of everything."""
        wallet = self.wallet(sol=10 * SOL, usdc=500 * USDC, feeusd=500 * USDC)
        self.chain.tick(2)
        return wallet


@dataclass(slots=True)
class Shop:
    """A merchant: his account here and his wallet on the chain."""

    street: Street
    wallet: TestWallet
    owner: Owner

    def receive_at(self, wallet: TestWallet) -> None:
        """Take money at this wallet from now on."""
        self.street.house.engine.merchants.set_wallet(self.owner, "solana", wallet.address)
        self.wallet = wallet
        self.street.look()

    def account(self, asset: str) -> str:
        """Return the account on the chain where an asset arrives."""
        table = schema.receiving_account
        query = select(table.c.account).where(table.c.wallet == self.wallet.address, table.c.asset == asset)
        return str(self.street.house.db.read(lambda tx: tx.scalar(query)))

    def order(
        self, amount: str = "10.00", currency: str = "USD", *, method: str | None = "usdc", minutes: int = 30
    ) -> "Order":
        """Open a checkout session, and choose how to pay."""
        engine = self.street.house.engine
        reference = f"order-{next(self.street.numbers)}"
        reply = engine.sessions.create(self.intent("sessions"), _new_session(amount, currency, reference, minutes))
        body = json.loads(reply.body)
        token = body["url"].rsplit("/", 1)[1]
        if method is not None:
            engine.checkout.choose_method(token, method)
        return Order(self, token, body["id"], body["payment"])

    def intent(self, route: str) -> Intent:
        """Return an intent of this merchant."""
        return Intent(owner=self.owner, route=route, key=None, request_hash="")

    def balances(self) -> Sequence[Any]:
        """Return the ledger's balances."""
        journal = self.street.house.engine.core.journal
        return self.street.house.db.read(lambda tx: journal.balances(tx, self.owner.merchant_id, self.owner.livemode))

    def books(self) -> Books:
        """Return balances by account and currency, as (posted, pending) in major units without idle zeros."""
        return {
            (row.account, row.currency): (_plain(row.posted.major), _plain(row.pending.major))
            for row in self.balances()
            if row.posted.atomic or row.pending.atomic
        }

    def unmatched(self) -> list[dict[str, Any]]:
        """Return the queue of money that belongs to nobody yet."""
        page = self.street.house.engine.unmatched.page(self.owner, PageRequest(limit=_ENOUGH), status="unmatched")
        return list(page.data)

    def match(self, transfer_id: str, payment_id: str) -> None:
        """Credit a transfer by hand, as the API does."""
        self.street.house.engine.unmatched.match(self.intent("match"), transfer_id, payment_id)

    def events(self) -> list[dict[str, Any]]:
        """Return every event of this merchant in the order of its object's story."""
        self.street.turns["feed"]()
        found = self.street.house.engine.events.page(self.owner, PageRequest(limit=_ENOUGH)).data
        return sorted(found, key=lambda one: (one["timestamp"], one["type"].startswith("checkout"), one["sequence"]))

    def told(self, *object_ids: str) -> list[str]:
        """Return the types of the events about these objects, or about all."""
        return [
            event["type"] for event in self.events() if not object_ids or event["data"]["object"]["id"] in object_ids
        ]


@dataclass(slots=True)
class Order:
    """An order of a shop, with its checkout page."""

    shop: Shop
    token: str
    session_id: str
    payment_id: str

    @property
    def page(self) -> CheckoutPage:
        return self.shop.street.house.engine.checkout.page(self.token)

    @property
    def shown(self) -> str:
        """The state that the page shows now."""
        return state_of(self.page, self.shop.street.clock.now()).value

    @property
    def attempt(self) -> PageAttempt:
        attempt = self.page.attempt
        assert attempt is not None, "nothing is chosen"
        return attempt

    @property
    def reference(self) -> str:
        return self.attempt.reference_key

    @property
    def due(self) -> int:
        return self.attempt.due.atomic

    @property
    def payment(self) -> dict[str, Any]:
        return self.shop.street.house.engine.payments.retrieve(self.shop.owner, self.payment_id)

    @property
    def state(self) -> tuple[str, list[str], str]:
        """Status, exceptions, and what the page shows."""
        payment = self.payment
        return payment["status"], payment["exceptions"], self.shown

    @property
    def told(self) -> list[str]:
        """The events about this order, without the one that opened it."""
        first, *rest = self.shop.told(self.session_id, self.payment_id)
        assert first == "checkout.session.created"
        return rest

    @property
    def operations(self) -> list[OperationRecord]:
        return self.shop.street.house.db.read(lambda tx: wallet_operations(tx, self.payment_id))

    def scan(self, wallet: TestWallet) -> str:
        """Pay what the QR code asks."""
        return wallet.pay_link(self.attempt.pay_url)

    def pay(self, wallet: TestWallet, amount: int, *references: str) -> str:
        """Pay any amount to the order's wallet, with its reference unless others are given."""
        attempt, keys = self.attempt, references or (self.reference,)
        code = attempt.due.currency
        if code == "SOL":
            return wallet.pay_sol(attempt.wallet, amount, references=keys, memo=self.payment_id)
        return wallet.pay_token(str(MINTS[code]), attempt.wallet, amount, references=keys, memo=self.payment_id)

    def build(self, wallet: TestWallet) -> str:
        """Ask for what the wallet is to sign."""
        return self.shop.street.house.engine.checkout.build_transfer(self.token, wallet.address, legacy=False).payload

    def submit(self, payload: str) -> str:
        """Hand over what a wallet signed."""
        return self.shop.street.house.engine.checkout.submit_signed(self.token, payload)

    def approve(self, wallet: TestWallet) -> str:
        """Pay with the browser's wallet: built here, signed there, checked and sent by the gateway."""
        return self.submit(wallet.sign(self.build(wallet)))

    def hint(self, signature: str) -> None:
        """Say that a wallet claims to have sent this."""
        self.shop.street.house.engine.checkout.hint(self.token, signature)

    def step(self, wallet: TestWallet, amount: int, *references: str) -> Instruction:
        """Return a bare paying instruction, for composing."""
        keys = tuple(map(Pubkey.from_string, references or (self.reference,)))
        code, to = self.attempt.due.currency, Pubkey.from_string(self.attempt.wallet)
        if code == "SOL":
            return programs.sol_transfer(wallet.public_key, to, amount, keys)
        program = programs.TOKEN_2022 if code == "FEEUSD" else programs.TOKEN
        source, target = (programs.token_address(owner, MINTS[code], program) for owner in (wallet.public_key, to))
        return programs.transfer_checked(
            source, MINTS[code], target, wallet.public_key, amount, decimals=6, program=program, references=keys
        )


def sign_and_send(steps: Sequence[Instruction], *wallets: TestWallet) -> str:
    """Send instructions that several wallets sign; the first pays the fee."""
    return wallets[0].send(signed(steps, *wallets))


def signed(steps: Sequence[Instruction], *wallets: TestWallet) -> str:
    """Return instructions as bytes that several wallets signed, in base64."""
    latest = wallets[0].rpc("getLatestBlockhash", {"commitment": "confirmed"})["value"]["blockhash"]
    message = MessageV0.try_compile(wallets[0].public_key, list(steps), [], Hash.from_string(latest))
    return base64.b64encode(bytes(VersionedTransaction(message, [wallet.keypair for wallet in wallets]))).decode()


def _new_session(amount: str, currency: str, reference: str, minutes: int) -> NewSession:
    return NewSession(
        amount=parse_money(amount, currency),
        reference=reference,
        success_url="https://shop.test/thanks",
        cancel_url=None,
        customer_email=None,
        locale=None,
        line_items=(),
        methods=None,
        expires_in=timedelta(minutes=minutes),
        metadata={},
    )


def _plain(major: str) -> str:
    return major.rstrip("0").rstrip(".") if "." in major else major


@contextmanager
def a_street(database_url: str, exchange: RunningExchange, clock: ManualClock) -> Iterator[Street]:
    """Open a street on a migrated database; close it at the end."""
    with serve(DevChain(auto=False, clock=lambda: to_micros(clock.now()) // 1000)) as server:
        settings = load_settings(environment(database_url, server.url, exchange.url))
        house = build_house(settings, clock=clock)
        turns = {loop.name: loop.turn for loop in all_loops(house.work)}
        try:
            yield Street(house, server, exchange, clock, turns)
        finally:
            house.close()
