"""The monitor's eyes on one Solana network: `ChainReader` over JSON-RPC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from solders.pubkey import Pubkey
from solders.signature import Signature

from gateway.domain.chain import AccountBalance, ChainObservation, ListedSignature
from gateway.domain.words import TransferStage
from gateway.kernel.errors import TemporaryError
from gateway.kernel.log import Log
from gateway.processors.solana.answers import RawAccount, context_slot, raw_accounts, read, whole
from gateway.processors.solana.landed import MalformedError
from gateway.processors.solana.mints import read_balance
from gateway.processors.solana.networks import SOL, SolanaConfig, Token
from gateway.processors.solana.programs import token_account
from gateway.processors.solana.rpc import NodeError, RpcClient
from gateway.processors.solana.verify import OwnAccount, observe

MAX_STATUSES: Final = 256  # getSignatureStatuses takes no more
MAX_ACCOUNTS: Final = 100  # getMultipleAccounts takes no more
MAX_LISTED: Final = 1000  # getSignaturesForAddress gives no more
# Version 1 messages (SIMD-0296) are read as well: one that we refused would hold up its account for ever.
_READ_OPTIONS: Final = {"commitment": "confirmed", "encoding": "base64", "maxSupportedTransactionVersion": 1}
_STAGES: Final = {
    "processed": TransferStage.SEEN,
    "confirmed": TransferStage.CONFIRMED,
    "finalized": TransferStage.FINAL,
}

log: Final = Log("processors.solana.reader")

Effects = tuple[ChainObservation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SolanaReader:
    """Reads one network; `second` is another provider, asked before a large gain counts."""

    rpc: RpcClient
    config: SolanaConfig
    second: RpcClient | None = None

    @property
    def network(self) -> str:
        """The network's name."""
        return self.config.network

    def accepts(self, asset: str) -> bool:
        """Tell whether this asset can be read: SOL always, a token while it is on the list."""
        return asset == SOL or asset in {token.code for token in self.config.accepted_tokens}

    def signatures(
        self, account: str, *, until: str | None, before: str | None, limit: int
    ) -> Sequence[ListedSignature]:
        """List signatures that touch `account` at `confirmed`, newest first: above `until`, below `before`.

        Raises:
            TemporaryError: the node does not answer.
        """
        assert 0 < limit <= MAX_LISTED, "a page holds 1 to 1000 signatures"
        options: dict[str, Any] = {"commitment": "confirmed", "limit": limit}
        options |= {name: value for name, value in (("until", until), ("before", before)) if value is not None}
        answer = self.rpc.call("getSignaturesForAddress", account, options)
        return read(lambda: [_listed(entry) for entry in answer])

    def read(
        self, signatures: Sequence[str], accounts: Mapping[str, str]
    ) -> Mapping[str, Sequence[ChainObservation] | None]:
        """Read and verify signatures: their effects on our `accounts` (account -> asset).

        None means unknown, not readable yet, not authentic, or contradicted by the second provider. An empty sequence
        means read, with no effect on us.

        Raises:
            TemporaryError: the node does not answer.
        """
        own = {address: self._own(address, asset) for address, asset in accounts.items()}
        wanted = [signature for signature in dict.fromkeys(signatures) if _is_signature(signature)]
        found: dict[str, Effects | None] = dict.fromkeys(signatures)
        found |= self._ask(self.rpc, wanted, own)
        return self._confirmed_by_second(found, own)

    def stages(self, signatures: Sequence[str], *, reached: int = 0) -> Mapping[str, TransferStage | None]:
        """Return the stage of up to 256 signatures, history searched; None for one that is lost or has failed.

        A node that has not reached slot `reached` proves no loss: what it does not know is left out.

        Raises:
            TemporaryError: the node does not answer.
        """
        assert len(signatures) <= MAX_STATUSES, "one call asks for 256 signatures"
        answer = self.rpc.call("getSignatureStatuses", list(signatures), {"searchTransactionHistory": True})
        found = read(lambda: dict(zip(signatures, map(_effective_stage, answer["value"]), strict=True)))
        if context_slot(answer) >= reached:
            return found
        log.warning("node_behind", network=self.network, slot=context_slot(answer), reached=reached)
        return {signature: stage for signature, stage in found.items() if stage is not None}

    def balances(self, accounts: Mapping[str, str]) -> Sequence[AccountBalance]:
        """Return finalized balances of accounts (account -> asset).

        Raises:
            TemporaryError: the node does not answer.
        """
        names = list(accounts)
        pages = [names[start : start + MAX_ACCOUNTS] for start in range(0, len(names), MAX_ACCOUNTS)]
        options = {"commitment": "finalized", "encoding": "base64"}
        answers = self.rpc.batch_all([("getMultipleAccounts", [page, options]) for page in pages])
        return [
            balance
            for page, answer in zip(pages, answers, strict=True)
            for balance in self._balances(page, answer, accounts)
        ]

    def _balances(self, page: Sequence[str], answer: Any, accounts: Mapping[str, str]) -> list[AccountBalance]:
        slot, raw = context_slot(answer), raw_accounts(answer)
        return read(
            lambda: [
                AccountBalance(account=name, amount=self._held(name, account, accounts[name]), slot=slot)
                for name, account in zip(page, raw, strict=True)
            ]
        )

    def _own(self, address: str, asset: str) -> OwnAccount:
        return OwnAccount(address=address, asset=asset, token=self.config.token(asset))

    def _ask(
        self, rpc: RpcClient, signatures: Sequence[str], own: Mapping[str, OwnAccount]
    ) -> dict[str, Effects | None]:
        answers = rpc.batch([("getTransaction", [signature, _READ_OPTIONS]) for signature in signatures])
        return {
            signature: self._effects(signature, answer, own)
            for signature, answer in zip(signatures, answers, strict=True)
        }

    def _effects(self, signature: str, answer: Any, own: Mapping[str, OwnAccount]) -> Effects | None:
        if answer is None:
            return None
        if isinstance(answer, NodeError):
            log.warning("signature_not_read", network=self.network, signature=signature, rpc_code=answer.rpc_code)
            return None
        try:
            return observe(self.network, signature, answer, accounts=own)
        except MalformedError as error:
            reason = str(error)
        log.error("signature_not_authentic", network=self.network, signature=signature, reason=reason)
        return None

    def _confirmed_by_second(
        self, found: Mapping[str, Effects | None], own: Mapping[str, OwnAccount]
    ) -> dict[str, Effects | None]:
        """Withhold large gains that the second provider does not report alike; its silence withholds them, too."""
        large = [signature for signature, effects in found.items() if effects and any(map(self._is_large, effects))]
        if self.second is None or not large:
            return dict(found)
        try:
            others = self._ask(self.second, large, own)
        except TemporaryError:
            log.warning("second_opinion_missing", network=self.network, signatures=len(large))
            others = {}
        agreed = dict(found)
        for signature in large:
            if _facts(others.get(signature)) != _facts(found[signature]):
                log.error("second_opinion_differs", network=self.network, signature=signature)
                agreed[signature] = None
        return agreed

    def _is_large(self, observation: ChainObservation) -> bool:
        threshold = self.config.second_opinion_above.get(observation.asset)
        return threshold is not None and observation.net >= threshold

    def _held(self, address: str, account: RawAccount | None, asset: str) -> int:
        token = self.config.token(asset)
        if account is None:
            return 0
        return account.lamports if token is None else _token_amount(address, account, token)


def _token_amount(address: str, account: RawAccount, token: Token) -> int:
    """Return what a token account of ours holds; 0 once it is somebody else's or another token's."""
    program = token.program.address
    balance = read_balance(account.data) if account.owner == str(program) else None
    if balance is None or str(balance.mint) != token.mint:
        return 0
    is_ours = str(token_account(balance.owner, Pubkey.from_string(token.mint), program)) == address
    return balance.amount if is_ours else 0


def _is_signature(text: str) -> bool:
    try:
        Signature.from_string(text)
    except ValueError:
        return False
    return True


def _listed(entry: Any) -> ListedSignature:
    block_time_s = entry.get("blockTime")
    return ListedSignature(
        signature=str(Signature.from_string(entry["signature"])),
        slot=whole(entry["slot"]),
        # Nodes older than this field list only what is at least confirmed.
        stage=_STAGES[entry.get("confirmationStatus") or "confirmed"],
        has_failed=entry["err"] is not None,
        occurred_at=None if block_time_s is None else datetime.fromtimestamp(whole(block_time_s), UTC),
    )


def _effective_stage(status: Any) -> TransferStage | None:
    # A signature may land again after a fork and fail this time: then its effect is as lost as if it were unknown.
    return None if status is None or status["err"] is not None else stage_of(status)


def stage_of(status: Any) -> TransferStage:
    """Return the stage of an entry of `getSignatureStatuses`.

    Raises:
        KeyError, TypeError: it is malformed; callers go through `answers.read`.
    """
    if status.get("confirmationStatus") is None:
        return TransferStage.FINAL if status["confirmations"] is None else TransferStage.CONFIRMED
    return _STAGES[status["confirmationStatus"]]


def _facts(effects: Effects | None) -> Effects | None:
    """Return what two providers must agree on: everything but how they print it and what they may not know yet."""
    if effects is None:
        return None
    return tuple(replace(effect, raw="", occurred_at=None) for effect in effects)
