"""The chain transfer that a wallet is asked to sign: one message, the wallet as only signer and fee payer.

Order: compute limit, compute price, the merchant's token account when it is missing, memo, and last the transfer with
its references, as the Solana Pay specification has it (https://docs.solanapay.com/spec). It is built when the shopper
clicks, so that its block hash is fresh, and simulated, so that a wallet is never asked to sign what must fail.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from solders.hash import Hash
from solders.instruction import Instruction
from solders.message import Message, MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from gateway.domain.ports import TransferRequest, UnsignedTransfer
from gateway.kernel.money import Money
from gateway.processors.solana import programs, refusals
from gateway.processors.solana.addresses import parse_payer
from gateway.processors.solana.answers import (
    BlockHash,
    RawAccount,
    block_hash,
    raw_accounts,
    read,
    simulation_error,
    whole,
)
from gateway.processors.solana.mints import NO_FEE, TransferFee, fee_in_epoch, read_balance
from gateway.processors.solana.networks import SOL, SolanaConfig, Token, user_units
from gateway.processors.solana.programs import TokenProgram
from gateway.processors.solana.rpc import RpcClient

# A transfer with memo and a new token account needs about 60,000; wallets' guards need some more.
COMPUTE_UNITS: Final = 150_000
LAMPORTS_PER_SIGNATURE: Final = 5_000
TOKEN_ACCOUNT_BYTES: Final = 165
RENT_LAMPORTS_PER_BYTE: Final = 6_960  # two years at 3480 a byte-year; every account counts 128 bytes more
_MICRO: Final = 1_000_000
_CONFIRMED: Final = {"commitment": "confirmed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What the chain says just before building: accounts by address, and the newest block hash."""

    newest: BlockHash
    accounts: Mapping[str, RawAccount | None]
    epoch: int

    def lamports(self, key: Pubkey) -> int:
        account = self.accounts[str(key)]
        return 0 if account is None else account.lamports


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Builds for one network."""

    rpc: RpcClient
    config: SolanaConfig

    def build(self, request: TransferRequest, *, payer: str, legacy: bool, covers_fee: bool = True) -> UnsignedTransfer:
        """Build and simulate what `payer` is to sign.

        `covers_fee`: a token that keeps a fee of each transfer is sent so much more of, that what is due arrives.

        Raises:
            InvalidRequestError: `wallet_address_invalid`.
            DeclinedError: it would fail; the message is for the payer.
            TemporaryError: the node does not answer.
        """
        signer = parse_payer(payer)
        token = self.config.token(request.due.currency)
        scene = self._look(request, signer, token)
        request = _folded(request, scene)
        needs_account = token is not None and scene.accounts[request.account] is None
        _require_fee(scene.lamports(signer), self._cost(needs_account=needs_account))
        if token is None:
            _require_sol(scene.lamports(signer), request.asked, self._cost(needs_account=False))
            pay = _sol_steps(request, signer)
        else:
            fee = _transfer_fee(token, scene.accounts[token.mint], scene.epoch) if covers_fee else NO_FEE
            pay = _token_steps(request, signer, token, scene, fee)
        creation = [_creation(request, signer, token)] if token is not None and needs_account else []
        steps = [*self._compute_steps(), *creation, programs.memo(request.memo), *pay]
        tx = _compile(steps, signer, scene.newest.value, legacy=legacy)
        self._simulate(tx, asset=request.due.currency)
        payload = base64.b64encode(bytes(tx)).decode()
        return UnsignedTransfer(payload=payload, last_valid_height=scene.newest.last_valid_height)

    def _look(self, request: TransferRequest, signer: Pubkey, token: Token | None) -> _Scene:
        keys = [signer, Pubkey.from_string(request.account)]
        if request.gift is not None and request.gift.account is not None:
            keys.append(Pubkey.from_string(request.gift.account))
        if token is not None:
            mint = Pubkey.from_string(token.mint)
            keys += [mint, programs.token_account(signer, mint, token.program.address)]
        names = [str(key) for key in keys]
        latest, accounts, epoch = self.rpc.batch_all(
            [
                ("getLatestBlockhash", [_CONFIRMED]),
                ("getMultipleAccounts", [names, {**_CONFIRMED, "encoding": "base64"}]),
                ("getEpochInfo", [_CONFIRMED]),
            ]
        )
        return _Scene(
            newest=block_hash(latest),
            accounts=read(lambda: dict(zip(names, raw_accounts(accounts), strict=True))),
            epoch=read(lambda: whole(epoch["epoch"])),
        )

    def _cost(self, *, needs_account: bool) -> int:
        """Return the lamports that the payer needs beside what he pays: fees, and rent for a new token account."""
        priority = -(-self.config.priority_micro_lamports * COMPUTE_UNITS // _MICRO)
        rent = (TOKEN_ACCOUNT_BYTES + 128) * RENT_LAMPORTS_PER_BYTE if needs_account else 0
        return LAMPORTS_PER_SIGNATURE + priority + rent

    def _compute_steps(self) -> list[Instruction]:
        price = self.config.priority_micro_lamports
        return [programs.compute_limit(COMPUTE_UNITS), *([programs.compute_price(price)] if price else [])]

    def _simulate(self, tx: VersionedTransaction, *, asset: str) -> None:
        options = {**_CONFIRMED, "encoding": "base64", "sigVerify": False, "replaceRecentBlockhash": False}
        answer = self.rpc.call("simulateTransaction", base64.b64encode(bytes(tx)).decode(), options)
        err = simulation_error(answer)
        if err is not None:
            raise refusals.explain(err, asset=asset)


def _folded(request: TransferRequest, scene: _Scene) -> TransferRequest:
    """Return the request with the gift as part of what is due, where the charity has no account yet.

    To open one costs more than most gifts, and the payer should not bear it.
    """
    gift = request.gift
    if gift is None or (gift.account is not None and scene.accounts[gift.account] is not None):
        return request
    return replace(request, due=request.asked, gift=None)


def _sol_steps(request: TransferRequest, signer: Pubkey) -> list[Instruction]:
    """Build the gift first: the transfer that pays comes last, as wallets and readers expect."""
    wallet = Pubkey.from_string(request.wallet)
    pay = programs.sol_transfer(signer, wallet, request.due.atomic, references=_references(request))
    if request.gift is None:
        return [pay]
    charity = Pubkey.from_string(str(request.gift.account))
    return [programs.sol_transfer(signer, charity, request.gift.amount.atomic, references=[]), pay]


def _references(request: TransferRequest) -> list[Pubkey]:
    return [Pubkey.from_string(request.reference_key)]


def _require_fee(lamports: int, cost: int) -> None:
    if lamports < cost:
        raise refusals.no_sol_for_fee()


def _require_sol(lamports: int, due: Money, cost: int) -> None:
    if lamports < due.atomic:
        raise refusals.not_enough(SOL, holds=user_units(Money(lamports, SOL)), needs=user_units(due))
    if lamports < due.atomic + cost:
        raise refusals.no_sol_for_fee()


def _token_steps(
    request: TransferRequest, signer: Pubkey, token: Token, scene: _Scene, fee: TransferFee
) -> list[Instruction]:
    """Build the token transfers, grossed up by a transfer fee of the token, so that what is due arrives; gift first."""
    mint, program = Pubkey.from_string(token.mint), token.program.address
    source = programs.token_account(signer, mint, program)
    parts = [(request.account, fee.gross(request.due.atomic), _references(request))]
    if request.gift is not None:
        parts.insert(0, (str(request.gift.account), fee.gross(request.gift.amount.atomic), []))
    total = sum(amount for _, amount, _ in parts)
    _require_tokens(scene.accounts[str(source)], Money(total, request.due.currency))
    return [
        programs.transfer_checked(
            payer=signer,
            source=source,
            mint=mint,
            destination=Pubkey.from_string(account),
            amount=amount,
            decimals=token.decimals,
            program=program,
            references=references,
        )
        for account, amount, references in parts
    ]


def _transfer_fee(token: Token, mint: RawAccount | None, epoch: int) -> TransferFee:
    return fee_in_epoch(mint.data, epoch) if mint and token.program is TokenProgram.SPL_2022 else NO_FEE


def _require_tokens(account: RawAccount | None, needed: Money) -> None:
    balance = None if account is None else read_balance(account.data)
    if balance is None:
        raise refusals.holds_none(needed.currency)
    if balance.is_frozen:
        raise refusals.is_frozen(needed.currency)
    if balance.amount < needed.atomic:
        held = Money(balance.amount, needed.currency)
        raise refusals.not_enough(needed.currency, holds=user_units(held), needs=user_units(needed))


def _creation(request: TransferRequest, signer: Pubkey, token: Token) -> Instruction:
    owner, mint = Pubkey.from_string(request.wallet), Pubkey.from_string(token.mint)
    return programs.create_token_account(signer, owner, mint, program=token.program.address)


def _compile(steps: Sequence[Instruction], payer: Pubkey, blockhash: Hash, *, legacy: bool) -> VersionedTransaction:
    """Return the unsigned chain transfer; version 0, or legacy for old readers of Solana Pay requests."""
    message: Any
    if legacy:
        message = Message.new_with_blockhash(steps, payer, blockhash)
    else:
        message = MessageV0.try_compile(payer, steps, [], blockhash)
    return VersionedTransaction.populate(message, [Signature.default()])
