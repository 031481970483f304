"""The dev chain's faucet: money from nothing, test tokens, and the genesis that every chain starts with.

Everything is paid out by real signed txs, so that signatures, balances and the address index look as on a public test
cluster. The keys come from fixed seeds: addresses are the same on every chain, and they are worthless anywhere else.
"""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from solders.account import Account
from solders.compute_budget import set_compute_unit_limit
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from sandbox.devchain import programs
from sandbox.devchain.layouts import MINT_BYTES, read_mint
from sandbox.devchain.records import Rejected

if TYPE_CHECKING:
    from sandbox.devchain.chain import DevChain

FAUCET_LAMPORTS = 9 * 10**15
"""Nine million SOL: the largest round sum that a JavaScript number still holds exactly."""
MAX_AIRDROP_LAMPORTS = 10**13
"""Ten thousand SOL at once: a typing error should not empty the faucet."""
USDC_DECIMALS = 6
FEE_MINT_BPS = 150
"""The transfer fee of the second genesis mint: 1.5 %."""
_FEE_MINT_BYTES = 278
"""A Token-2022 mint with a transfer-fee extension: 165 padded + 1 kind + 4 header + 108 body."""
_NO_MAXIMUM = 2**64 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FaucetMint:
    """A token that the faucet can mint; ``fee_bps`` is its transfer fee in hundredths of a percent."""

    symbol: str
    address: Pubkey
    decimals: int
    program: Pubkey
    fee_bps: int = 0

    def as_json(self) -> dict[str, str | int]:
        """Return the mint in the shape of ``dev_info``."""
        return {
            "symbol": self.symbol,
            "mint": str(self.address),
            "decimals": self.decimals,
            "program": programs.TOKEN_PROGRAMS[self.program],
            "program_id": str(self.program),
            "transfer_fee_bps": self.fee_bps,
        }


def seeded_keypair(label: str) -> Keypair:
    """Return the keypair that belongs to a label, the same on every chain."""
    return Keypair.from_seed(hashlib.sha256(f"streampay dev chain: {label}".encode()).digest())


USDC_MINT = seeded_keypair("mint usdc").pubkey()
"""The address of the test USDC that every dev chain has."""
FEE_MINT = seeded_keypair("mint feeusd").pubkey()
"""The address of the Token-2022 test token with a transfer fee that every dev chain has."""


class Faucet:
    """Pays out SOL and tokens on one chain."""

    def __init__(self, chain: "DevChain") -> None:
        self._chain = chain
        self._key = seeded_keypair("faucet")
        self._count = 0
        self.mints: dict[Pubkey, FaucetMint] = {}
        chain.set_account(self._key.pubkey(), Account(FAUCET_LAMPORTS, b"", programs.SYSTEM, False, 2**64 - 1))  # noqa: FBT003 -- foreign signature
        self.create_mint(symbol="USDC", decimals=USDC_DECIMALS)
        self.create_mint(symbol="FEEUSD", decimals=USDC_DECIMALS, program=programs.TOKEN_2022, fee_bps=FEE_MINT_BPS)

    @property
    def address(self) -> Pubkey:
        """Return the faucet's own address: fee payer of airdrops and authority of its mints."""
        return self._key.pubkey()

    def airdrop(self, address: Pubkey, lamports: int) -> Signature:
        """Send SOL.

        Raises:
            Rejected: the faucet cannot pay, or the amount leaves the account below rent exemption.
        """
        return self._send([programs.sol_transfer(self._key.pubkey(), address, lamports)])

    def airdrop_token(self, mint: Pubkey, owner: Pubkey, amount_atomic: int) -> Signature:
        """Mint tokens to a wallet, creating its associated token account when it has none.

        Raises:
            Rejected: the mint does not exist or the faucet is not its authority.
        """
        account = self._chain.account(mint)
        known = read_mint(account)
        if known is None or known.authority != self._key.pubkey():
            raise Rejected("InvalidAccountForFee", [f"{mint} is not a mint of this faucet"])
        faucet, program = self._key.pubkey(), known.program
        target = programs.token_address(owner, mint, program)
        create = programs.create_token_account(faucet, owner, mint, program)
        pay = programs.mint_to_checked(mint, target, faucet, amount_atomic, decimals=known.decimals, program=program)
        return self._send([create, pay])

    def create_mint(
        self, *, symbol: str, decimals: int, program: Pubkey = programs.TOKEN, fee_bps: int = 0
    ) -> FaucetMint:
        """Create a mint whose authority is the faucet.

        Its address follows from the symbol and the number of mints before, so a repeated test sees the same one.
        """
        assert fee_bps == 0 or program == programs.TOKEN_2022, "only Token-2022 knows transfer fees"
        label = symbol.lower() if len(self.mints) < 2 else f"{symbol.lower()} {len(self.mints)}"  # noqa: PLR2004 -- the two of genesis
        key, authority = seeded_keypair(f"mint {label}"), self._key.pubkey()
        size = _FEE_MINT_BYTES if fee_bps else MINT_BYTES
        lamports = self._chain.rent_exempt_lamports(size)
        steps = [programs.create_account(authority, key.pubkey(), lamports, space=size, owner=program)]
        if fee_bps:
            steps.append(
                programs.initialize_transfer_fee(key.pubkey(), authority, fee_bps=fee_bps, max_fee_atomic=_NO_MAXIMUM)
            )
        steps.append(programs.initialize_mint(key.pubkey(), authority, decimals=decimals, program=program))
        self._send(steps, key)
        mint = FaucetMint(symbol=symbol, address=key.pubkey(), decimals=decimals, program=program, fee_bps=fee_bps)
        self.mints[mint.address] = mint
        return mint

    def _send(self, steps: list[Instruction], *signers: Keypair) -> Signature:
        # Equal airdrops under one block hash would be one tx: the compute limit makes each different.
        self._count += 1
        unique = set_compute_unit_limit(400_000 + self._count % 1_000_000)
        blockhash, _ = self._chain.latest_blockhash()
        message = Message.new_with_blockhash([unique, *steps], self._key.pubkey(), blockhash)
        tx = VersionedTransaction(message, [self._key, *signers])
        return self._chain.land_own(tx)
