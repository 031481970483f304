"""A chain on paper: builders for engine tests, and a processor whose chain is what the test says it saw.

The real processor runs against a real VM in tests/processors and tests/journey; here any order of facts must be cheap.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, update

from gateway.domain.chain import ChainObservation, ChainPart, StageChange
from gateway.domain.merchants import MerchantSettings
from gateway.domain.ports import (
    Inspection,
    Method,
    Rate,
    ReceivingAccount,
    RefundRequest,
    SignatureState,
    SignedBy,
    SignedTransfer,
    SourceRate,
    TransferRequest,
    UnsignedTransfer,
)
from gateway.domain.words import TransferStage
from gateway.engine.core import Core
from gateway.engine.engine import Engine
from gateway.engine.idempotency import Intent, Reply
from gateway.engine.records import Owner, SessionRecord
from gateway.engine.sessions import NewSession, session_by_token
from gateway.kernel.canonical import sha256_hex
from gateway.kernel.clock import ManualClock
from gateway.kernel.errors import ErrorCode, InvalidRequestError, TemporaryError
from gateway.kernel.ids import RandomIds, secret_token
from gateway.kernel.money import Money, parse_money
from gateway.keys.secrets import SecretBox
from gateway.keys.tokens import new_webhook_secret
from gateway.ledger.journal import Journal
from gateway.outbox.endpoints import Endpoints
from gateway.outbox.guard import OutboundPolicy
from gateway.storage import schema
from gateway.storage.database import Database

NETWORK = "solana:localnet"
START = datetime(2026, 11, 20, 12, tzinfo=UTC)


class PaperRates:
    """Rates that a test sets."""

    def __init__(self) -> None:
        self.prices: dict[tuple[str, str], tuple[int, int]] = {("SOL", "USD"): (200, 1), ("USDC", "USD"): (1, 1)}

    def rate(self, base: str, quote: str) -> Rate:
        """Return the price that the test set."""
        if (base, quote) not in self.prices:
            raise TemporaryError(ErrorCode.RATE_UNAVAILABLE, f"No fresh price of {base} in {quote}.")
        num, den = self.prices[base, quote]
        words = tuple(
            SourceRate(source=name, base=base, quote=quote, num=num, den=den, as_of=START) for name in ("one", "two")
        )
        return Rate(base=base, quote=quote, num=num, den=den, as_of=START, sources=words)


@dataclass
class PaperProcessor:
    """A wallet processor whose chain does what the test says."""

    name: str = "solana"
    broadcasts: list[str] = field(default_factory=list)
    failure: Exception | None = None
    height: int = 0
    states: dict[str, SignatureState] = field(default_factory=dict)

    def methods(self, *, livemode: bool) -> Sequence[Method]:
        """Offer SOL and USDC in test mode, SOL in live mode."""
        network = "solana:mainnet" if livemode else NETWORK
        both = [
            Method(id="sol", title="Solana", asset="SOL", processor=self.name, network=network),
            Method(id="usdc", title="USDC", asset="USDC", processor=self.name, network=network),
        ]
        return both[:1] if livemode else both

    def receiving_accounts(self, wallet: str, *, livemode: bool) -> Sequence[ReceivingAccount]:
        """Name one account an asset."""
        return [
            ReceivingAccount(network=one.network, asset=str(one.asset), wallet=wallet, account=f"{wallet}-{one.asset}")
            for one in self.methods(livemode=livemode)
        ]

    def inspect(self, *, livemode: bool, wallet: str | None = None) -> Sequence[Inspection]:
        """Find nothing: paper is patient."""
        return ()

    def new_reference(self) -> str:
        """Return a random key."""
        return secret_token()

    def pay_url(self, request: TransferRequest) -> str:
        """Return something readable."""
        return f"solana:{request.wallet}?amount={request.due.major}&reference={request.reference_key}"

    def explorer_url(self, network: str, signature: str) -> str | None:
        """Know no explorer."""
        return None

    def build(self, request: TransferRequest, *, payer: str, legacy: bool = False) -> UnsignedTransfer:
        """Write the request down."""
        return UnsignedTransfer(payload=f"{payer} pays {request.due}", last_valid_height=150)

    def check_signed(self, request: TransferRequest, payload: str) -> SignedTransfer:
        """Take the payload as its own signature."""
        return SignedTransfer(payload=payload, signature=f"sig-{payload}", payer="payer", last_valid_height=150)

    def refund_destination(self, wallet: str) -> str:
        """Take any wallet but the empty one."""
        if not wallet:
            raise InvalidRequestError(ErrorCode.WALLET_ADDRESS_INVALID, "No wallet.", param="/destination")
        return wallet

    def has_own_key(self, wallet: str) -> bool:
        """Tell vaults by their name."""
        return not wallet.startswith("vault")

    def build_refund(self, request: RefundRequest) -> UnsignedTransfer:
        """Write the request down."""
        payload = f"{request.payer} sends {request.amount} to {request.destination} for {request.memo}"
        return UnsignedTransfer(payload=payload, last_valid_height=150)

    def signed_by(self, payload: str) -> SignedBy:
        """Take the payload's first word as who signed."""
        return SignedBy(payer=payload.split(" ", 1)[0], signature=signature_of(payload))

    def check_refund(self, request: RefundRequest, payload: str) -> SignedTransfer:
        """Refuse other bytes than those that were built, whatever stands behind them to tell two of them apart."""
        if not payload.startswith(self.build_refund(request).payload):
            raise InvalidRequestError(ErrorCode.WALLET_PAYLOAD_REFUSED, "Other bytes.", param="/payload")
        return SignedTransfer(
            payload=payload,
            signature=signature_of(payload),
            payer=request.payer,
            last_valid_height=self.height + 150,
        )

    def broadcast(self, network: str, payload: str) -> None:
        """Remember the bytes, or fail as the test wants."""
        self.broadcasts.append(payload)
        if self.failure is not None:
            raise self.failure

    def signature_state(self, network: str, signature: str) -> SignatureState:
        """Return what the test put there, else nothing known."""
        unknown = SignatureState(stage=None, has_failed=False, finalized_height=self.height)
        return self.states.get(signature, unknown)


class Shop:
    """A merchant with an engine around him, and short words for long calls."""

    def __init__(self, db: Database, *, settings: MerchantSettings | None = None) -> None:
        self.clock = ManualClock(START)
        self.ids = RandomIds(self.clock)
        self.rates = PaperRates()
        self.processor = PaperProcessor()
        self.core = Core(
            db=db,
            clock=self.clock,
            ids=self.ids,
            journal=Journal(self.ids, self.clock),
            rates=self.rates,
            processors={"solana": self.processor},
            base_url="http://gateway.test",
        )
        self.box = SecretBox(b"paper" * 6 + b"!!")
        self.endpoints = Endpoints(
            box=self.box,
            clock=self.clock,
            ids=self.ids,
            new_secret=new_webhook_secret,
            policy=OutboundPolicy(allowed=frozenset({"127.0.0.1:9"})),
        )
        self.engine = Engine(self.core, self.endpoints)
        self.db = db
        self.merchant = self.engine.merchants.create("Paper & Sons", settings or MerchantSettings())
        self.owner = Owner(merchant_id=self.merchant.id, livemode=False)
        self.wallet = f"wallet-{self.merchant.id[-12:]}"
        self.engine.merchants.set_wallet(self.owner, "solana", self.wallet)
        self._slots = itertools.count(100)

    def intent(self, key: str | None = None, body: str = "") -> Intent:
        """Return an intent of this merchant."""
        return Intent(owner=self.owner, route="POST /v1/test", key=key, request_hash=body)

    def open(
        self, amount: str = "12.30", code: str = "USD", *, reference: str | None = None, key: str | None = None
    ) -> Reply:
        """Open a checkout session."""
        return self.engine.sessions.create(self.intent(key), a_session(amount, code, reference or secret_token()))

    def session(self, amount: str = "12.30", code: str = "USD") -> SessionRecord:
        """Open a checkout session and return its record."""
        token = reply_field(self.open(amount, code), "url").rsplit("/", 1)[1]
        return self.reload(token)

    def reload(self, token: str) -> SessionRecord:
        """Return a session as it stands now."""
        return self.db.read(lambda tx: session_by_token(tx, token))

    def payment(self, session: SessionRecord) -> dict[str, object]:
        """Return a session's payment as the API shows it."""
        return self.engine.payments.retrieve(self.owner, session.payment_id)

    def observation(
        self,
        amount: int,
        *references: str,
        asset: str = "SOL",
        stage: TransferStage = TransferStage.FINAL,
        signature: str | None = None,
        **over: object,
    ) -> ChainObservation:
        """Return what the monitor would report of one plain transfer."""
        values: dict[str, object] = {
            "network": NETWORK,
            "signature": signature or secret_token(),
            "account": f"{self.wallet}-{asset}",
            "asset": asset,
            "net": amount,
            "fee": 0,
            "parts": (ChainPart(path="0", amount=amount, references=references),),
            "references": references,
            "stage": stage,
            "slot": next(self._slots),
            "occurred_at": self.clock.now(),
            "payer": "payer",
            "memo": None,
            "raw": "{}",
        }
        return ChainObservation(**{**values, **over})  # type: ignore[arg-type]  # a builder takes what the test gives

    def stage(self, observed: ChainObservation, stage: TransferStage) -> None:
        """Let the monitor report that what it saw has moved on, or is gone."""
        change = StageChange(
            network=observed.network,
            signature=observed.signature,
            account=observed.account,
            stage=stage,
            slot=observed.slot,
        )
        self.engine.observations.restage([change])

    def drop(self, observed: ChainObservation) -> None:
        """Let a fork take away what was seen."""
        self.stage(observed, TransferStage.DROPPED)

    def scanned(self, until: datetime | None = None) -> None:
        """Let the monitor have read everything up to now."""
        values: Mapping[str, object] = {"scanned_until": until or self.clock.now()}
        self.db.write(lambda tx: tx.execute(update(schema.watch).values(values)))

    def pass_time(self, **delta: int) -> None:
        """Let time go by, with the monitor keeping up."""
        self.clock.advance(timedelta(**delta))
        self.scanned()

    def books(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Return balances by account and currency, as (posted, pending) in major units; zeros left out."""
        rows = self.db.read(lambda tx: self.core.journal.balances(tx, self.owner.merchant_id, self.owner.livemode))
        return {
            (row.account, row.currency): (row.posted.major, row.pending.major)
            for row in rows
            if row.posted.atomic or row.pending.atomic
        }

    def event_types(self) -> list[str]:
        """Return the types of all events of this merchant, sorted by name."""
        table = schema.event
        query = select(table.c.type).where(table.c.merchant_id == self.merchant.id)
        return sorted(self.db.read(lambda tx: list(tx.scalars(query))))


def a_session(amount: str, code: str, reference: str) -> NewSession:
    """Return an order."""
    return NewSession(
        amount=parse_money(amount, code),
        reference=reference,
        success_url="https://shop.test/thanks",
        cancel_url=None,
        customer_email=None,
        locale=None,
        line_items=(),
        methods=None,
        expires_in=timedelta(minutes=30),
        metadata={},
    )


def reply_field(reply: Reply, name: str) -> str:
    """Return one field of a reply's body."""
    import json

    return str(json.loads(reply.body)[name])


def signature_of(payload: str) -> str:
    """Return a signature of the length that chains have."""
    return f"sig-{sha256_hex(payload.encode())}"


def lamports(sol: str) -> int:
    """Return SOL in lamports."""
    return parse_money(sol, "SOL").atomic


__all__ = [
    "NETWORK",
    "START",
    "Money",
    "PaperProcessor",
    "PaperRates",
    "Shop",
    "a_session",
    "lamports",
    "reply_field",
    "signature_of",
]
