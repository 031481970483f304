"""The processor `solana`: what the engine asks through the port `WalletProcessor`. It holds no spending key."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from solders.pubkey import Pubkey

from gateway.domain.ports import (
    Inspection,
    Method,
    ReceivingAccount,
    RefundRequest,
    SignatureState,
    SignedBy,
    SignedTransfer,
    TransferRequest,
    UnsignedTransfer,
)
from gateway.kernel.errors import DeclinedError, ErrorCode, InvalidRequestError, TemporaryError, UnknownOutcomeError
from gateway.processors.solana import refunding, refusals, signed
from gateway.processors.solana.addresses import parse_wallet
from gateway.processors.solana.answers import RawAccount, raw_accounts, read, whole
from gateway.processors.solana.build import Builder
from gateway.processors.solana.mints import MintReport, Verdict, judge
from gateway.processors.solana.networks import NETWORKS, SOL, SolanaConfig, Token
from gateway.processors.solana.pay_links import transfer_link
from gateway.processors.solana.programs import SYSTEM, TOKEN, TOKEN_2022, token_account
from gateway.processors.solana.reader import SolanaReader, stage_of
from gateway.processors.solana.rpc import NodeError, RpcClient

NAME: Final = "solana"
_PREFLIGHT_FAILED: Final = -32002
_SIGNATURE_WRONG: Final = -32003
_PARAMS_WRONG: Final = -32602


class SolanaProcessor:
    """One Solana network for each mode; safe among threads.

    Args:
        configs: by livemode; a mode without a configuration offers no methods.
    """

    def __init__(self, configs: Mapping[bool, SolanaConfig]) -> None:
        networks = [config.network for config in configs.values()]
        assert len(set(networks)) == len(networks), "test and live money never share a network"
        self._configs: Final = dict(configs)
        self._by_network: Final = {config.network: config for config in configs.values()}
        self._clients: Final = {name: RpcClient(config.endpoints) for name, config in self._by_network.items()}
        self._second: Final = {
            name: RpcClient((config.second_opinion_url,))
            for name, config in self._by_network.items()
            if config.second_opinion_url
        }

    @property
    def name(self) -> str:
        """The processor's name."""
        return NAME

    @property
    def networks(self) -> Sequence[str]:
        """The networks that are configured."""
        return tuple(self._by_network)

    def methods(self, *, livemode: bool) -> Sequence[Method]:
        """Return the methods offered in this mode; no I/O."""
        config = self._configs.get(livemode)
        if config is None:
            return ()
        return tuple(
            Method(id=asset.lower(), title=title, asset=asset, processor=NAME, network=config.network)
            for asset, title in _assets(config)
        )

    def receiving_accounts(self, wallet: str, *, livemode: bool) -> Sequence[ReceivingAccount]:
        """Return where each asset arrives for a wallet: the wallet itself, and its associated token accounts; no I/O.

        Raises:
            InvalidRequestError: `wallet_address_invalid`.
        """
        config = self._configs.get(livemode)
        owner = parse_wallet(wallet, param="/wallet")
        if config is None:
            return ()
        return tuple(
            ReceivingAccount(
                network=config.network,
                asset=asset,
                wallet=str(owner),
                account=_account_of(owner, config.token(asset)),
            )
            for asset, _ in _assets(config)
        )

    def new_reference(self) -> str:
        """Return a fresh single-use reference key: 32 random bytes, base 58; nobody holds a key to it."""
        return str(Pubkey(secrets.token_bytes(32)))

    def pay_url(self, request: TransferRequest) -> str:
        """Return the Solana Pay transfer request, for a link and a QR code; no I/O."""
        return transfer_link(request, self._config(request.network).token(request.due.currency))

    def explorer_url(self, network: str, signature: str) -> str | None:
        """Return where a person can look a signature up; None for a network without a public explorer."""
        page = NETWORKS[network].explorer
        return None if page is None else page.format(signature=quote(signature, safe=""))

    def build(self, request: TransferRequest, *, payer: str, legacy: bool = False) -> UnsignedTransfer:
        """Build and simulate the chain transfer that `payer` is to sign now.

        Raises:
            InvalidRequestError: `wallet_address_invalid`.
            DeclinedError: it would fail; the message is for the payer.
            TemporaryError: the node does not answer.
        """
        builder = Builder(rpc=self._clients[request.network], config=self._config(request.network))
        return builder.build(request, payer=payer, legacy=legacy)

    def check_signed(self, request: TransferRequest, payload: str) -> SignedTransfer:
        """Prove that what a wallet returned is fully signed and, by effect, pays the request.

        Raises:
            InvalidRequestError: `wallet_payload_refused`.
            TemporaryError: the node does not answer.
        """
        return signed.check_signed(self._clients[request.network], self._config(request.network), request, payload)

    def refund_destination(self, wallet: str) -> str:
        """Return a wallet's address; no I/O.

        Raises:
            InvalidRequestError: `wallet_address_invalid`.
        """
        return str(parse_wallet(wallet, param="/destination"))

    def has_own_key(self, wallet: str) -> bool:
        """Tell whether one key signs for this address; a program or a multisig signs for the others. No I/O."""
        try:
            return parse_wallet(wallet, param="/destination").is_on_curve()
        except InvalidRequestError:
            return False

    def build_refund(self, request: RefundRequest) -> UnsignedTransfer:
        """Build and simulate the chain transfer that the merchant's wallet is to sign now.

        Raises:
            InvalidRequestError: `wallet_address_invalid`: the destination is no wallet.
            DeclinedError: it would fail.
            TemporaryError: the node does not answer.
        """
        return refunding.build(self._clients[request.network], self._config(request.network), request)

    def signed_by(self, payload: str) -> SignedBy:
        """Read who signed; no I/O.

        Raises:
            InvalidRequestError: `wallet_payload_refused`.
        """
        tx = signed.signed_by_one(payload)
        return SignedBy(payer=str(tx.message.account_keys[0]), signature=str(tx.signatures[0]))

    def check_refund(self, request: RefundRequest, payload: str) -> SignedTransfer:
        """Prove that signed bytes send exactly the refund to its destination, and nothing else from the payer.

        Raises:
            InvalidRequestError: `wallet_payload_refused`.
            TemporaryError: the node does not answer.
        """
        return refunding.check(self._clients[request.network], self._config(request.network), request, payload)

    def broadcast(self, network: str, payload: str) -> None:
        """Send signed bytes; sending the same bytes again is harmless.

        Raises:
            DeclinedError: the node refused them: they would fail, and had not landed where it looked.
            TemporaryError: the node certainly did not take them.
            UnknownOutcomeError: no answer, or an expired block hash, behind which they may have landed already.
        """
        options = {"encoding": "base64", "preflightCommitment": "processed"}
        try:
            self._clients[network].call("sendTransaction", payload, options, has_effect=True)
        except NodeError as error:
            refusal = _refusal(error)
            if refusal is not None:
                raise refusal from error

    def signature_state(self, network: str, signature: str) -> SignatureState:
        """Ask the chain for a signature, history included.

        Raises:
            TemporaryError: the node does not answer.
        """
        # The height first: a height past the limit and then no status proves that the signature can never land.
        height, statuses = self._clients[network].batch_all(
            [
                ("getBlockHeight", [{"commitment": "finalized"}]),
                ("getSignatureStatuses", [[signature], {"searchTransactionHistory": True}]),
            ]
        )
        status = read(lambda: statuses["value"][0])
        return SignatureState(
            stage=None if status is None else read(lambda: stage_of(status)),
            has_failed=status is not None and read(lambda: status["err"]) is not None,
            finalized_height=read(lambda: whole(height)),
        )

    def reader(self, network: str) -> SolanaReader:
        """Return the monitor's eyes on a network of ours."""
        return SolanaReader(rpc=self._clients[network], config=self._config(network), second=self._second.get(network))

    def inspect(self, *, livemode: bool, wallet: str | None = None) -> Sequence[Inspection]:
        """Look at the allow-listed mints of a mode, and at a wallet, as they stand on the chain.

        Raises:
            InvalidRequestError: `wallet_address_invalid`.
            TemporaryError: the node does not answer.
        """
        mints = [
            Inspection(
                subject=f"mint {report.mint}",
                is_fit=report.verdict is not Verdict.REFUSED,
                detail=" ".join(report.reasons) or "an ordinary token",
            )
            for report in self.inspect_mints(livemode=livemode)
        ]
        if wallet is None:
            return mints
        doubt = self.inspect_wallet(wallet, livemode=livemode)
        return [*mints, Inspection(subject=wallet, is_fit=doubt is None, detail=doubt or "an ordinary wallet")]

    def inspect_mints(self, *, livemode: bool) -> Sequence[MintReport]:
        """Judge every allow-listed mint of a mode as it stands on the chain; for `doctor` and the start.

        Raises:
            TemporaryError: the node does not answer.
        """
        config = self._configs.get(livemode)
        tokens = () if config is None else config.accepted_tokens
        if config is None or not tokens:
            return ()
        mints = [token.mint for token in tokens]
        options = {"commitment": "confirmed", "encoding": "base64"}
        found = raw_accounts(self._clients[config.network].call("getMultipleAccounts", mints, options))
        return tuple(
            judge(token, owner=account.owner if account else None, data=account.data if account else b"")
            for token, account in read(lambda: list(zip(tokens, found, strict=True)))
        )

    def inspect_wallet(self, wallet: str, *, livemode: bool) -> str | None:
        """Return why money sent to a wallet might be out of its owner's reach; None for an ordinary or new wallet.

        For `doctor` and for the moment when a merchant enters the address.

        Raises:
            InvalidRequestError: `wallet_address_invalid`.
            TemporaryError: the node does not answer.
        """
        config = self._configs.get(livemode)
        owner = parse_wallet(wallet, param="/wallet")
        if config is None:
            return None
        options = {"commitment": "confirmed", "encoding": "base64"}
        answer = self._clients[config.network].call("getMultipleAccounts", [str(owner)], options)
        return _doubt(owner, read(lambda: raw_accounts(answer)[0]))

    def calls(self, network: str) -> int:
        """Return how many RPC calls this network has cost so far; for benches and the health page."""
        return self._clients[network].calls.total()

    def close(self) -> None:
        """Give kept connections back; used at the end of a process."""
        for client in (*self._clients.values(), *self._second.values()):
            client.close()

    def _config(self, network: str) -> SolanaConfig:
        return self._by_network[network]


def _assets(config: SolanaConfig) -> list[tuple[str, str]]:
    """Return code and title of everything that is accepted."""
    tokens = [(token.code, token.title) for token in config.accepted_tokens]
    return [(SOL, "Solana"), *tokens] if config.accepts_sol else tokens


def _account_of(owner: Pubkey, token: Token | None) -> str:
    if token is None:
        return str(owner)
    return str(token_account(owner, Pubkey.from_string(token.mint), token.program.address))


def _doubt(owner: Pubkey, account: RawAccount | None) -> str | None:
    if account is not None and account.owner in {str(program) for program in (TOKEN, TOKEN_2022)}:
        return "This is a token account or a mint, not a wallet. Enter the address of the wallet that owns it."
    if account is not None and account.owner != str(SYSTEM):
        return "This account belongs to a program. Make sure that you can spend what arrives there."
    if not owner.is_on_curve():
        return "No single key signs for this address. Make sure that it is the vault of a multisig that you control."
    return None


def _refusal(error: NodeError) -> DeclinedError | TemporaryError | UnknownOutcomeError | None:
    """Return what a node's error on sending means; None when the bytes have landed already."""
    err: Any = error.details.get("err") if isinstance(error.details, dict) else None
    match error.rpc_code:
        case code if code == _PREFLIGHT_FAILED and err == "AlreadyProcessed":
            return None
        case code if code == _PREFLIGHT_FAILED and err == "BlockhashNotFound":
            # Bytes that landed look the same once their block hash is old; only their signature's state can tell.
            return UnknownOutcomeError(
                ErrorCode.OUTCOME_UNKNOWN,
                "The transfer has expired or has arrived already. Its state is being checked.",
            )
        case code if code == _PREFLIGHT_FAILED and err is not None:
            explained = refusals.explain(err, asset="money")
            return DeclinedError(ErrorCode.PROVIDER_DECLINED, explained.message)
        case code if code in {_SIGNATURE_WRONG, _PARAMS_WRONG}:
            return DeclinedError(ErrorCode.PROVIDER_DECLINED, "The network refused the signed transfer as malformed.")
        case _:
            return error
