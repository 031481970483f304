"""Refunds: the chain transfer that a merchant's own wallet signs, and the check of what it returned.

A shopper's bytes are checked by what they bring us; a merchant's must also be checked for what else they take from him.
So every instruction must be one of a closed list: the one payment, the payer's new token account, the memo, a compute
limit or price, and the assertions that wallets add. None of these can move anything else. The gateway holds no key: it
builds, checks and sends.
"""

import base64
from collections.abc import Sequence
from typing import Any, Final

from solders.pubkey import Pubkey

from gateway.domain.ports import RefundRequest, SignedTransfer, TransferRequest, UnsignedTransfer
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.processors.solana import programs
from gateway.processors.solana.addresses import parse_wallet
from gateway.processors.solana.answers import block_hash, raw_accounts, read, simulation_error
from gateway.processors.solana.build import Builder
from gateway.processors.solana.landed import Step, steps_of
from gateway.processors.solana.networks import SOL, SolanaConfig, Token
from gateway.processors.solana.paying import Payment, memo_of, payments_of
from gateway.processors.solana.rpc import RpcClient
from gateway.processors.solana.signed import refused, sentence, signed_by_one

# It asserts what accounts hold; Phantom puts it around what it signs. https://github.com/Jac0xb/lighthouse
LIGHTHOUSE: Final = Pubkey.from_string("L2TExMFKdjpN9kozasaurPirfHy9P8sbXoAN1qA3S95")
_FIRST_ASSERTION: Final = 2  # 0 writes and 1 closes an account of notes, at the signer's cost
_HARMLESS: Final = frozenset({programs.COMPUTE_BUDGET, *programs.MEMO_PROGRAMS})
_CREATE: Final = frozenset({b"", b"\x00", b"\x01"})
_CONFIRMED: Final = {"commitment": "confirmed"}
_PROCESSED: Final = {"commitment": "processed"}
_ALREADY: Final = "AlreadyProcessed"


def build(rpc: RpcClient, config: SolanaConfig, request: RefundRequest) -> UnsignedTransfer:
    """Build and simulate what the merchant's wallet is to sign.

    Exactly the refund leaves it: what a token keeps of each transfer is missing at the destination.

    Raises:
        InvalidRequestError: `wallet_address_invalid`: the destination is no wallet.
        DeclinedError: it would fail.
        TemporaryError: the node does not answer.
    """
    destination = parse_wallet(request.destination, param="/destination")
    options = {**_CONFIRMED, "encoding": "base64"}
    (found,) = read(lambda: raw_accounts(rpc.call("getMultipleAccounts", [str(destination)], options)))
    if found is not None and found.owner in {str(programs.TOKEN), str(programs.TOKEN_2022)}:
        raise InvalidRequestError(
            ErrorCode.WALLET_ADDRESS_INVALID,
            "The refund's destination is a token account or a mint, not a wallet. Cancel it and name the wallet.",
        )
    token = _token(config, request.amount.currency)
    transfer = TransferRequest(
        network=request.network,
        wallet=str(destination),
        account=_account_of(destination, token),
        due=request.amount,
        reference_key=request.reference_key,
        label="",
        message="",
        memo=request.memo,
    )
    return Builder(rpc=rpc, config=config).build(transfer, payer=request.payer, legacy=False, covers_fee=False)


def check(rpc: RpcClient, config: SolanaConfig, request: RefundRequest, payload: str) -> SignedTransfer:
    """Prove that signed bytes send exactly the refund, and that they would land now or have landed.

    Raises:
        InvalidRequestError: `wallet_payload_refused`, with a sentence that says why.
        TemporaryError: the node does not answer.
    """
    tx = signed_by_one(payload)
    keys = tx.message.account_keys
    if str(keys[0]) != request.payer:
        raise refused("Another wallet signed this refund than the one that was to pay it.")
    try:
        steps = steps_of(tx, keys)
    except IndexError as error:
        raise refused("The transfer looks addresses up elsewhere. Sign it as it was built.") from error
    _require_memo(steps, request)
    _require_only_refund(steps, request, _token(config, request.amount.currency))
    # The newest block hash outlives every older one, so its height is a safe bound for this one's, whichever it is.
    latest, simulated = rpc.batch_all(
        [("getLatestBlockhash", [_PROCESSED]), ("simulateTransaction", [payload, _simulation()])]
    )
    err = simulation_error(simulated)
    if err is not None and err != _ALREADY:  # the wallet may have sent it by itself as well
        raise refused(_failure(err, request.amount.currency))
    return SignedTransfer(
        payload=base64.b64encode(bytes(tx)).decode(),
        signature=str(tx.signatures[0]),
        payer=str(keys[0]),
        last_valid_height=block_hash(latest).last_valid_height,
    )


def _simulation() -> dict[str, Any]:
    # The signature is verified here already.
    return {**_PROCESSED, "encoding": "base64", "sigVerify": False, "replaceRecentBlockhash": False}


def _require_memo(steps: Sequence[Step], request: RefundRequest) -> None:
    if memo_of(steps) != request.memo:
        raise refused("The transfer's memo is not this refund's id. Sign it as it was built.")


def _require_only_refund(steps: Sequence[Step], request: RefundRequest, token: Token | None) -> None:
    payer, destination = Pubkey.from_string(request.payer), Pubkey.from_string(request.destination)
    source, target = _account_of(payer, token), _account_of(destination, token)
    payments: list[Payment] = []
    for step in steps:
        found = list(payments_of([step]))
        payments += [one for one in found if one.source != one.destination]
        if not (found or step.program in _HARMLESS or _asserts(step) or _creates(step, target)):
            raise refused("The transfer does more than the refund. Sign it as it was built.")
    if [(one.source, one.destination, one.amount) for one in payments] != [(source, target, request.amount.atomic)]:
        raise refused("The transfer does not pay exactly this refund to its destination. Sign it as it was built.")


def _asserts(step: Step) -> bool:
    return step.program == LIGHTHOUSE and len(step.data) > 0 and step.data[0] >= _FIRST_ASSERTION


def _creates(step: Step, account: str) -> bool:
    """Tell whether an instruction creates the payer's token account, and nothing else."""
    is_creation = step.program == programs.ASSOCIATED_TOKEN and step.data in _CREATE
    return is_creation and len(step.accounts) > 1 and str(step.accounts[1]) == account


def _failure(err: Any, asset: str) -> str:
    if err == "BlockhashNotFound":
        return "The transfer was signed too late and has expired. Have it built again and sign that."
    return sentence(err, asset)


def _token(config: SolanaConfig, asset: str) -> Token | None:
    """Return the token of what goes back; None for SOL.

    Raises:
        InvalidRequestError: it was taken off the list, so nobody would see the refund land.
    """
    if asset != SOL and asset not in {token.code for token in config.accepted_tokens}:
        raise InvalidRequestError(
            ErrorCode.METHOD_UNAVAILABLE, f"{asset} is no longer on the gateway's list of tokens. Put it back first."
        )
    return config.token(asset)


def _account_of(owner: Pubkey, token: Token | None) -> str:
    if token is None:
        return str(owner)
    return str(programs.token_account(owner, Pubkey.from_string(token.mint), token.program.address))
