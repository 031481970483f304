"""The check of what a wallet returned: it may have added instructions, but it must still pay us, fully signed.

The effect is measured by simulation: our account's balance after minus before. The node's word is enough here: whoever
deceives it has a transfer broadcast that pays nothing, and the payment stays open until the monitor sees money.
"""

import base64
from collections.abc import Sequence
from typing import Any, Final

from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from gateway.domain.ports import SignedTransfer, TransferRequest
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.processors.solana import refusals
from gateway.processors.solana.answers import (
    RawAccount,
    block_hash,
    raw_accounts,
    read,
    simulated_accounts,
    simulation_error,
)
from gateway.processors.solana.landed import decode_tx, steps_of
from gateway.processors.solana.mints import read_balance
from gateway.processors.solana.networks import SolanaConfig, Token
from gateway.processors.solana.paying import payments_of
from gateway.processors.solana.rpc import RpcClient

_PROCESSED: Final = {"commitment": "processed"}
_PARAM: Final = "/payload"


def check_signed(rpc: RpcClient, config: SolanaConfig, request: TransferRequest, payload: str) -> SignedTransfer:
    """Prove that the payload is fully signed by one wallet and, by effect, pays the request.

    Raises:
        InvalidRequestError: `wallet_payload_refused`, with a sentence that says why.
        TemporaryError: the node does not answer.
    """
    tx = signed_by_one(payload)
    keys = tx.message.account_keys
    if Pubkey.from_string(request.reference_key) not in keys:
        raise refused("The wallet returned a transfer for another order. Start the payment again.")
    token = config.token(request.due.currency)
    # The newest block hash outlives every older one, so its height is a safe bound for this one's, whichever it is.
    latest, before, simulated = rpc.batch_all(
        [
            ("getLatestBlockhash", [_PROCESSED]),
            ("getMultipleAccounts", [_accounts(request), {**_PROCESSED, "encoding": "base64"}]),
            ("simulateTransaction", [payload, _simulation(request)]),
        ]
    )
    held = read(lambda: [raw_accounts(before)[place] for place in range(len(_accounts(request)))])
    _require_gain(tx, request, token, before=held, simulated=simulated)
    return SignedTransfer(
        payload=base64.b64encode(bytes(tx)).decode(),
        signature=str(tx.signatures[0]),
        payer=str(keys[0]),
        last_valid_height=block_hash(latest).last_valid_height,
    )


def signed_by_one(payload: str) -> VersionedTransaction:
    """Read bytes that exactly one wallet has signed, and that do not live for ever.

    Raises:
        InvalidRequestError: `wallet_payload_refused`.
    """
    try:
        tx = decode_tx(payload)
    except ValueError as error:
        raise refused("The wallet returned something that is no Solana transfer. Try again.") from error
    if tx.message.header.num_required_signatures != 1 or len(tx.signatures) != 1:
        raise refused("The transfer needs signatures of others. Pay from a wallet that signs alone.")
    if not all(tx.verify_with_results()):
        raise refused("The wallet did not sign the transfer. Try again and approve it.")
    if tx.uses_durable_nonce():
        raise refused("The wallet made the transfer endless. Use a wallet that signs it as it was asked.")
    return tx


def _simulation(request: TransferRequest) -> dict[str, Any]:
    return {
        **_PROCESSED,
        "encoding": "base64",
        "sigVerify": False,  # verified here already
        "replaceRecentBlockhash": False,
        "accounts": {"addresses": _accounts(request), "encoding": "base64"},
    }


def _accounts(request: TransferRequest) -> list[str]:
    """Return whose gain is measured: ours, and the charity's."""
    gift = request.gift
    return [request.account, *([gift.account] if gift is not None and gift.account is not None else [])]


def _require_gain(
    tx: VersionedTransaction,
    request: TransferRequest,
    token: Token | None,
    *,
    before: Sequence[RawAccount | None],
    simulated: Any,
) -> None:
    err = simulation_error(simulated)
    if err == "AlreadyProcessed":
        # The wallet sent it by itself as well; its effect cannot be simulated twice, so its own words must do.
        gains = [_promised(tx, account) for account in _accounts(request)]
    elif err is not None:
        raise refused(sentence(err, request.due.currency))
    else:
        after = simulated_accounts(simulated, len(before))
        gains = [_held(then, token) - _held(now, token) for then, now in zip(after, before, strict=True)]
    gain, gift = gains[0], sum(gains[1:])
    # The gift may also be part of what we get: the charity had no account when the transfer was built.
    if gain < request.due.atomic or gain + gift < request.asked.atomic:
        raise refused("The wallet returned a transfer that does not pay this order. Start the payment again.")


def _held(account: RawAccount | None, token: Token | None) -> int:
    if account is None:
        return 0
    if token is None:
        return account.lamports
    balance = read_balance(account.data) if account.owner == str(token.program.address) else None
    return balance.amount if balance is not None and str(balance.mint) == token.mint else 0


def _promised(tx: VersionedTransaction, account: str) -> int:
    """Return what the signed instructions say they pay to an account."""
    try:
        steps = steps_of(tx, tx.message.account_keys)
    except IndexError:
        return 0  # keys from a lookup table: nothing we built has any
    return sum(payment.amount for payment in payments_of(steps) if payment.destination == account)


def sentence(err: Any, asset: str) -> str:
    """Return why bytes would fail, for whoever signed them."""
    if err == "BlockhashNotFound":
        return "The wallet took too long, and the transfer has expired. Start the payment again."
    return refusals.explain(err, asset=asset).message


def refused(message: str) -> InvalidRequestError:
    """Return the refusal of signed bytes, with a sentence that says why."""
    return InvalidRequestError(ErrorCode.WALLET_PAYLOAD_REFUSED, message, param=_PARAM)
