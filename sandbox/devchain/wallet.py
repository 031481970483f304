"""A wallet for tests and demos: holds one key, builds, signs and sends over JSON-RPC, and pays Solana Pay links.

It behaves as wallets are known to: it signs only its own slot, may add guard instructions before and after what it
was given (Phantom with Lighthouse does), and puts the memo just before the transfer with references behind it as
read-only keys. It needs nothing of the chain but its URL, so it works against any cluster; only ``airdrop_token``
asks for the dev chain.

    wallet = TestWallet("http://127.0.0.1:8899", seed="alice")
    wallet.airdrop(2_000_000_000)
    wallet.airdrop_token(wallet.info()["usdc_mint"], 50_000_000)
    signature = wallet.pay_link("solana:...?amount=12.5&spl-token=...&reference=...")
    wallet.wait(signature, "finalized")
"""

import base64
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import requests
from solders.account import Account
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message, MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from sandbox.devchain import programs
from sandbox.devchain.effects import keys_of, table_addresses
from sandbox.devchain.layouts import read_mint
from sandbox.devchain.paylink import RequestLink, TransferLink, read_pay_link

SOL_DECIMALS = 9
TIMEOUT_S = 30
_POLL_S = 0.1
_LEVELS = ("processed", "confirmed", "finalized")


class WalletError(Exception):
    """A node or a pay server refused; ``code`` and ``data`` are those of a JSON-RPC error, else None."""

    def __init__(self, message: str, code: int | None = None, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


@dataclass(frozen=True, slots=True, kw_only=True)
class Guards:
    """Instructions that a wallet adds around those it was given."""

    before: tuple[Instruction, ...] = ()
    after: tuple[Instruction, ...] = ()


class TestWallet:
    """One payer.

    Args:
        rpc_url: JSON-RPC address of the chain.
        keypair: the key; wins over ``seed``.
        seed: any text; the same text gives the same key. Without both, the key is random.
    """

    __test__: ClassVar[bool] = False  # pytest would take the name for a test

    def __init__(self, rpc_url: str, *, keypair: Keypair | None = None, seed: str | None = None) -> None:
        if keypair is None and seed is not None:
            keypair = Keypair.from_seed(hashlib.sha256(f"streampay test wallet: {seed}".encode()).digest())
        self.keypair = keypair or Keypair()
        self.public_key = self.keypair.pubkey()
        self.address = str(self.public_key)
        self._rpc_url = rpc_url

    # The chain.

    def rpc(self, method: str, *params: Any) -> Any:
        """Call a JSON-RPC method and return its result.

        Raises:
            WalletError: the node answered with an error or did not answer.
        """
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        return _post(self._rpc_url, call, method)

    def info(self) -> dict[str, Any]:
        """Return the dev chain's ``dev_info``."""
        found: dict[str, Any] = self.rpc("dev_info")
        return found

    def lamports(self, level: str = "processed") -> int:
        """Return the SOL balance in lamports."""
        return int(self.rpc("getBalance", self.address, {"commitment": level})["value"])

    def token_amount(self, mint: str, level: str = "processed") -> int:
        """Return the balance of a token in atomic units, over all of the wallet's accounts for it."""
        config = {"encoding": "jsonParsed", "commitment": level}
        found = self.rpc("getTokenAccountsByOwner", self.address, {"mint": mint}, config)["value"]
        return sum(int(each["account"]["data"]["parsed"]["info"]["tokenAmount"]["amount"]) for each in found)

    def wait(self, signature: str, level: str = "confirmed", *, timeout_s: int = TIMEOUT_S) -> dict[str, Any]:
        """Wait until a signature has reached a level and return its status, whose ``err`` may be set.

        Raises:
            WalletError: it has not after ``timeout_s``.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            status: dict[str, Any] | None = self.rpc("getSignatureStatuses", [signature])["value"][0]
            if status and _LEVELS.index(status["confirmationStatus"]) >= _LEVELS.index(level):
                return status
            time.sleep(_POLL_S)
        raise WalletError(f"{signature} is not {level} after {timeout_s} s")

    # Getting money.

    def airdrop(self, lamports: int) -> str:
        """Ask the faucet for SOL and return the signature."""
        return str(self.rpc("requestAirdrop", self.address, lamports))

    def airdrop_token(self, mint: str, amount_atomic: int) -> str:
        """Ask the dev chain's faucet for tokens and return the signature."""
        wanted = {"mint": mint, "owner": self.address, "amount": amount_atomic}
        return str(self.rpc("dev_airdrop_token", wanted)["signature"])

    # Paying.

    def pay_sol(self, recipient: str, lamports: int, *, references: Sequence[str] = (), memo: str | None = None) -> str:
        """Send SOL and return the signature."""
        keys = tuple(map(Pubkey.from_string, references))
        return self.send_instructions(self._sol_steps(Pubkey.from_string(recipient), lamports, keys, memo))

    def pay_token(
        self, mint: str, recipient: str, amount_atomic: int, *, references: Sequence[str] = (), memo: str | None = None
    ) -> str:
        """Send tokens of either token program to a wallet and return the signature.

        The recipient is the wallet, not its token account; that is created when it is missing, at this wallet's cost.
        """
        keys, owner = tuple(map(Pubkey.from_string, references)), Pubkey.from_string(recipient)
        steps = self._token_steps(Pubkey.from_string(mint), owner, amount_atomic, references=keys, memo=memo)
        return self.send_instructions(steps)

    def pay_link(self, link: str) -> str:
        """Pay a ``solana:`` link, be it a transfer request or a transaction request, and return the signature.

        Raises:
            ValueError: the link breaks the Solana Pay specification.
            WalletError: a server or node refused.
        """
        match read_pay_link(link):
            case TransferLink() as request:
                return self.send_instructions(self._steps_of(request))
            case RequestLink(url=url):
                offered = _post(url, {"account": self.address}, "transaction request", key="transaction")
                return self.send(self.sign(str(offered)))

    def send_instructions(
        self,
        steps: Sequence[Instruction],
        *,
        skip_preflight: bool = False,
        tables: Sequence[AddressLookupTableAccount] = (),
    ) -> str:
        """Sign instructions as one v0 message with a fresh block hash, send it, and return the signature."""
        message = MessageV0.try_compile(self.public_key, list(steps), list(tables), self._fresh_blockhash())
        return self.send(_text(VersionedTransaction(message, [self.keypair])), skip_preflight=skip_preflight)

    def create_table(self, addresses: Sequence[str]) -> AddressLookupTableAccount:
        """Create a lookup table with these addresses; it can be used from the next slot on."""
        keys = tuple(map(Pubkey.from_string, addresses))
        create, table = programs.create_table(self.public_key, self.rpc("getSlot", {"commitment": "confirmed"}))
        self.send_instructions([create, programs.extend_table(table, self.public_key, keys)])
        return AddressLookupTableAccount(table, list(keys))

    def send(self, tx_base64: str, *, skip_preflight: bool = False) -> str:
        """Send a signed tx and return its signature."""
        config = {"encoding": "base64", "preflightCommitment": "processed", "skipPreflight": skip_preflight}
        return str(self.rpc("sendTransaction", tx_base64, config))

    # Signing what others built.

    def sign(self, tx_base64: str, *, guards: Guards | None = None) -> str:
        """Sign this wallet's slot of a tx, as a wallet does on approval, and return the signed tx.

        Other signatures are kept. With ``guards`` the message is rebuilt with more instructions, which voids them.
        A tx without any signature and without a block hash of its own gets a fresh one, as Solana Pay asks.

        Raises:
            WalletError: this wallet is not asked to sign.
        """
        tx = VersionedTransaction.from_bytes(base64.b64decode(tx_base64))
        message = tx.message
        assert isinstance(message, Message | MessageV0), "legacy and v0 are what wallets sign"
        if guards is not None or message.recent_blockhash == Hash.default():
            message = self._rebuilt(message, guards or Guards())
            tx = VersionedTransaction.populate(message, [Signature.default()] * message.header.num_required_signatures)
        signers = list(message.account_keys[: message.header.num_required_signatures])
        if self.public_key not in signers:
            raise WalletError(f"{self.address} is not a signer of this tx")
        signatures = list(tx.signatures)
        signatures[signers.index(self.public_key)] = self.keypair.sign_message(to_bytes_versioned(message))
        return _text(VersionedTransaction.populate(message, signatures))

    def phantom_guards(self) -> Guards:
        """Return guards in the positions seen from Phantom on mainnet: limit, price and three before, one after.

        The Lighthouse program is not on the dev chain; transfers of nothing to oneself stand for its assertions.
        """
        nothing = programs.sol_transfer(self.public_key, self.public_key, 0)
        budget = (set_compute_unit_limit(300_000), set_compute_unit_price(1_000))
        return Guards(before=(*budget, nothing, nothing, nothing), after=(nothing,))

    # Inside.

    def _steps_of(self, request: TransferLink) -> list[Instruction]:
        if request.mint is None:
            lamports = request.atomic(SOL_DECIMALS)
            return self._sol_steps(request.recipient, lamports, request.references, request.memo)
        _, decimals = self._mint(request.mint)
        amount, references = request.atomic(decimals), request.references
        return self._token_steps(request.mint, request.recipient, amount, references=references, memo=request.memo)

    def _sol_steps(
        self, recipient: Pubkey, lamports: int, references: tuple[Pubkey, ...], memo: str | None
    ) -> list[Instruction]:
        note = [programs.memo(memo)] if memo else []
        return [*note, programs.sol_transfer(self.public_key, recipient, lamports, references)]

    def _token_steps(
        self, mint: Pubkey, recipient: Pubkey, amount: int, *, references: tuple[Pubkey, ...], memo: str | None
    ) -> list[Instruction]:
        program, decimals = self._mint(mint)
        source = programs.token_address(self.public_key, mint, program)
        target = programs.token_address(recipient, mint, program)
        create = [] if self._account(target) else [self._creation(recipient, mint, program)]
        note = [programs.memo(memo)] if memo else []
        move = programs.transfer_checked(
            source, mint, target, self.public_key, amount, decimals=decimals, program=program, references=references
        )
        return [*create, *note, move]

    def _creation(self, owner: Pubkey, mint: Pubkey, program: Pubkey) -> Instruction:
        return programs.create_token_account(self.public_key, owner, mint, program)

    def _mint(self, address: Pubkey) -> tuple[Pubkey, int]:
        mint = read_mint(self._account(address))
        if mint is None:
            raise WalletError(f"{address} is not a token mint")
        return mint.program, mint.decimals

    def _account(self, address: Pubkey) -> Account | None:
        config = {"encoding": "base64", "commitment": "processed"}
        found = self.rpc("getAccountInfo", str(address), config)["value"]
        if found is None:
            return None
        owner, data = Pubkey.from_string(found["owner"]), base64.b64decode(found["data"][0])
        return Account(found["lamports"], data, owner, found["executable"], 0)

    def _fresh_blockhash(self) -> Hash:
        return Hash.from_string(self.rpc("getLatestBlockhash", {"commitment": "confirmed"})["value"]["blockhash"])

    def _rebuilt(self, message: Message | MessageV0, guards: Guards) -> Message | MessageV0:
        given = self._instructions(message)
        budget = [step for step in given if step.program_id == programs.COMPUTE_BUDGET]
        # A second limit or price fails the whole message: what the builder asked for stands, in front.
        before = [step for step in guards.before if not budget or step.program_id != programs.COMPUTE_BUDGET]
        rest = [step for step in given if step.program_id != programs.COMPUTE_BUDGET]
        steps = [*budget, *before, *rest, *guards.after]
        known = message.recent_blockhash
        blockhash = self._fresh_blockhash() if known == Hash.default() else known
        payer = message.account_keys[0]
        if isinstance(message, Message):
            return Message.new_with_blockhash(steps, payer, blockhash)
        return MessageV0.try_compile(payer, steps, self._tables(message), blockhash)

    def _instructions(self, message: Message | MessageV0) -> list[Instruction]:
        keys = keys_of(message, self._account)
        every = keys.every
        metas = [AccountMeta(key, keys.is_signer(at), keys.is_writable(at)) for at, key in enumerate(every)]
        return [
            Instruction(every[each.program_id_index], bytes(each.data), [metas[at] for at in each.accounts])
            for each in message.instructions
        ]

    def _tables(self, message: MessageV0) -> list[AddressLookupTableAccount]:
        found = [(lookup.account_key, self._account(lookup.account_key)) for lookup in message.address_table_lookups]
        return [AddressLookupTableAccount(key, table_addresses(table.data)) for key, table in found if table]


def _post(url: str, body: dict[str, Any], what: str, *, key: str = "result") -> Any:
    try:
        response = requests.post(url, json=body, timeout=TIMEOUT_S)
        answer = response.json()
    except requests.RequestException as error:
        raise WalletError(f"{what}: {error}") from error
    if isinstance(answer, dict) and key in answer:
        return answer[key]
    match answer:
        case {"error": {"code": int(code), "message": str(message), **rest}}:
            raise WalletError(f"{what}: {message}", code, rest.get("data"))
        case _:
            raise WalletError(f"{what}: HTTP {response.status_code} without {key}")


def _text(tx: VersionedTransaction) -> str:
    return base64.b64encode(bytes(tx)).decode()
