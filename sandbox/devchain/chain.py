"""The dev chain's core, without I/O: slots, commitment levels, block hashes, the index, exact rollback.

LiteSVM executes; this class owns everything around it. All public methods take the one lock, so the chain may be
shared by the threads of a server. In ``auto`` mode slots follow the clock and are caught up on every call; otherwise
only ``tick`` makes slots.

Limits: everything lives in memory; reads of accounts honour the commitment level, but a simulation always runs on the
newest state; durable nonces are not known.
"""

import hashlib
import json
import threading
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from itertools import takewhile

from solders.account import Account
from solders.clock import Clock
from solders.hash import Hash
from solders.litesvm import LiteSVM
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, SimulatedTransactionInfo

from sandbox.devchain import effects
from sandbox.devchain.faucet import Faucet
from sandbox.devchain.faults import Faults
from sandbox.devchain.programs import LOOKUP_TABLE, SYSTEM
from sandbox.devchain.records import Block, Level, Rejected, Simulation, TxRecord

BLOCKHASH_LIFE = 150
"""Blocks for which a block hash is accepted, as on every Solana cluster."""
GENESIS_SLOTS = 64
"""Empty slots made at the start, so that the genesis state is final before the first question."""
SLOTS_PER_EPOCH = 432_000
MAX_BLOCKS = 50_000
"""Blocks remembered (five and a half hours of 400 ms slots); older ones are forgotten like on a pruned node."""
MAX_TXS = 1_000_000
"""Landed txs remembered; the chain refuses more, because memory is its only disk."""
MAX_TICK = 10_000
"""Slots that one call may make; catching up with a sleeping laptop takes no longer than this either."""
_SLOT_HASHES = 512


def wall_clock_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class DevChain:
    """A Solana chain in one process.

    Args:
        clock: milliseconds since 1970; tests pass their own.
        slot_ms: length of a slot in ``auto`` mode.
        confirmed_after: slots on top of a slot until it counts as confirmed.
        finalized_after: slots on top of a slot until it counts as finalized.
        alpenglow: confirmed and finalized are one step, as under Alpenglow consensus.
        auto: slots follow the clock; False leaves every slot to ``tick``.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], int] = wall_clock_ms,
        slot_ms: int = 400,
        confirmed_after: int = 2,
        finalized_after: int = 32,
        alpenglow: bool = False,
        auto: bool = True,
    ) -> None:
        assert slot_ms > 0, "a slot takes time"
        assert 0 < confirmed_after <= finalized_after < GENESIS_SLOTS, "0 < confirmed_after <= finalized_after < 64"
        self.lock = threading.RLock()
        self.faults = Faults()
        self.slot_ms = slot_ms
        self.auto = auto
        self.ws_port: int | None = None
        self._clock = clock
        self._depth = {
            Level.PROCESSED: 0,
            Level.CONFIRMED: confirmed_after,
            Level.FINALIZED: confirmed_after if alpenglow else finalized_after,
        }
        self._svm = LiteSVM().with_blockhash_check(False).with_transaction_history(0)  # noqa: FBT003 -- foreign signature
        self._blocks: list[Block] = []
        self._by_hash: dict[Hash, int] = {}
        self._undo: dict[int, dict[Pubkey, Account | None]] = {}
        self._records: dict[Signature, TxRecord] = {}
        self._landed: list[TxRecord] = []
        self._index: dict[Pubkey, list[TxRecord]] = defaultdict(list)
        self._held: list[VersionedTransaction] = []
        self._orphans: list[VersionedTransaction] = []
        self._sequence = 0
        self._forks = 0
        self._anchor_ms = clock()
        self._slot_hashes_slot = -1
        with self.lock:
            self._append_block(0, self._anchor_ms)
            self.faucet = Faucet(self)
            for slot in range(1, GENESIS_SLOTS + 1):
                self._append_block(slot, self._anchor_ms)
            self._after_new_blocks()

    # Slots and commitment levels.

    def advance(self) -> None:
        """Make the slots that the clock has reached; does nothing outside ``auto`` mode."""
        with self.lock:
            due = (self._clock() - self._anchor_ms) // self.slot_ms if self.auto else 0
            if due <= 0:
                return
            skipped = max(due - MAX_TICK, 0)
            self._anchor_ms += skipped * self.slot_ms
            for _ in range(due - skipped):
                self._anchor_ms += self.slot_ms
                self._append_block(self._tip.slot + 1, self._anchor_ms)
            self._after_new_blocks()

    def tick(self, slots: int = 1) -> int:
        """Make this many slots at once, at most ``MAX_TICK``, and return the newest slot."""
        assert 0 < slots <= MAX_TICK, f"tick takes 1..{MAX_TICK} slots"
        with self.lock:
            self.advance()
            for _ in range(slots):
                self._append_block(self._tip.slot + 1, self._clock())
            self._after_new_blocks()
            return self._tip.slot

    def slot(self, level: Level = Level.PROCESSED) -> int:
        """Return the newest slot that has reached this level."""
        return self._block_at(level).slot

    def block_height(self, level: Level = Level.PROCESSED) -> int:
        """Return the number of blocks below the newest one of this level; skipped slots do not count."""
        return self._block_at(level).height

    def level_of(self, slot: int) -> Level:
        """Return the strongest level that a slot has reached."""
        if slot <= self.slot(Level.FINALIZED):
            return Level.FINALIZED
        return Level.CONFIRMED if slot <= self.slot(Level.CONFIRMED) else Level.PROCESSED

    def latest_blockhash(self, level: Level = Level.PROCESSED) -> tuple[Hash, int]:
        """Return the newest block hash of this level and the last block height at which it is accepted."""
        block = self._block_at(level)
        return block.blockhash, block.height + BLOCKHASH_LIFE

    def is_blockhash_valid(self, blockhash: Hash, level: Level = Level.PROCESSED) -> bool:
        """Tell whether a tx with this block hash would be accepted at the newest block of this level."""
        with self.lock:
            self.advance()
            height = self._by_hash.get(blockhash)
            return height is not None and 0 <= self._block_at(level).height - height <= BLOCKHASH_LIFE

    @property
    def genesis_hash(self) -> Hash:
        """Return the hash that names this chain: always the same, and no public cluster's."""
        return Hash(hashlib.sha256(b"streampay dev chain genesis").digest())

    # Txs.

    def submit(self, tx: VersionedTransaction) -> Signature:
        """Take a tx as a node's leader would: land it in the open slot, or hold it while the ``hold`` fault is on.

        Raises:
            Rejected: the tx cannot land: known or expired block hash, bad signature, no money for the fee.
        """
        with self.lock:
            self.advance()
            self._check(tx)
            if self.faults.hold:
                self._held.append(tx)
            else:
                self._land(tx)
            return tx.signatures[0]

    def land_own(self, tx: VersionedTransaction) -> Signature:
        """Land a tx of the chain's own faucet, past the ``hold`` fault.

        Raises:
            Rejected: it cannot land, or failed when it ran.
        """
        with self.lock:
            self.advance()
            self._check(tx)
            record = self._land(tx)
            if record.err is not None:
                raise Rejected(record.err, record.meta.logs())
            return record.signature

    def simulate(self, tx: VersionedTransaction, *, verify: bool = True, check_blockhash: bool = True) -> Simulation:
        """Run a tx on the newest state and keep nothing.

        Raises:
            Rejected: it would not get as far as being executed.
        """
        with self.lock:
            self.advance()
            self._check(tx, check_blockhash=check_blockhash)
            self._refresh_slot_hashes(tx)
            keys = effects.keys_of(tx.message, self._svm.get_account)
            self._svm.with_sigverify(verify)
            try:
                result = self._svm.simulate_transaction(tx)
            finally:
                self._svm.with_sigverify(True)  # noqa: FBT003 -- foreign signature
            if isinstance(result, SimulatedTransactionInfo):
                return Simulation(err=None, meta=result.meta(), keys=keys, accounts=dict(result.post_accounts()))
            assert isinstance(result, FailedTransactionMetadata)
            return Simulation(err=json.loads(result.to_json())["err"], meta=result.meta(), keys=keys, accounts={})

    def flush_held(self) -> int:
        """Land what the ``hold`` fault kept back, in order; what has expired since is dropped, as by a leader."""
        with self.lock:
            self.advance()
            held, self._held = self._held, []
            return self._land_all(held)

    def record(self, signature: Signature) -> TxRecord | None:
        """Return a landed tx, whatever its level; the caller judges levels and faults."""
        with self.lock:
            self.advance()
            return self._records.get(signature)

    def records_of(self, address: Pubkey) -> list[TxRecord]:
        """Return the txs that mention an address, oldest first, at every level."""
        with self.lock:
            self.advance()
            return list(self._index.get(address, ()))

    def records_after(self, sequence: int, level: Level) -> list[TxRecord]:
        """Return the txs of a level that landed after a sequence number, oldest first; for subscriptions."""
        with self.lock:
            last = self.slot(level)
            start = bisect_right(self._landed, sequence, key=lambda record: record.sequence)
            return list(takewhile(lambda record: record.slot <= last, self._landed[start:]))

    @property
    def newest_sequence(self) -> int:
        """Return the sequence number of the newest landed tx."""
        return self._sequence

    def block(self, slot: int) -> Block | None:
        """Return the block of a slot, None when it was skipped or is forgotten."""
        with self.lock:
            self.advance()
            at = bisect_right(self._blocks, slot, key=lambda entry: entry.slot) - 1
            return self._blocks[at] if at >= 0 and self._blocks[at].slot == slot else None

    def blocks_after(self, slot: int, level: Level) -> list[Block]:
        """Return the blocks of a level above a slot, oldest first."""
        with self.lock:
            last = self.slot(level)
            start = bisect_right(self._blocks, slot, key=lambda block: block.slot)
            return list(takewhile(lambda block: block.slot <= last, self._blocks[start:]))

    # Accounts.

    def account(self, address: Pubkey, level: Level = Level.PROCESSED) -> Account | None:
        """Return an account as it stood at the newest slot of this level."""
        with self.lock:
            self.advance()
            for slot in self._slots_after(self.slot(level)):
                if address in self._undo[slot]:
                    return self._undo[slot][address]
            return self._svm.get_account(address)

    def program_accounts(self, program: Pubkey, level: Level = Level.PROCESSED) -> dict[Pubkey, Account]:
        """Return every account that a program owned at the newest slot of this level."""
        with self.lock:
            self.advance()
            found = dict(self._svm.get_program_accounts(program))
            for slot in reversed(self._slots_after(self.slot(level))):
                for address, account in self._undo[slot].items():
                    found.pop(address, None)
                    if account is not None and account.owner == program:
                        found[address] = account
            return found

    def rent_exempt_lamports(self, size: int) -> int:
        """Return the lamports that an account of this many bytes must hold."""
        return self._svm.minimum_balance_for_rent_exemption(size)

    def set_account(self, address: Pubkey, account: Account) -> None:
        """Write an account past all rules; for genesis only, because no rollback restores it."""
        with self.lock:
            self._svm.set_account(address, account)

    # Forks.

    def rollback(self, slots: int, *, keep: bool = True, fork_blockhashes: bool = False) -> list[TxRecord]:
        """Drop the newest slots as a fork does: undo every effect exactly, forget the index, and go on above them.

        Args:
            slots: how many of the newest slots become skipped; the finalized level may be undone too, which no
                healthy cluster does.
            keep: hold the dropped txs ready for ``reland``.
            fork_blockhashes: forget the block hashes of the dropped slots as well; a tx that used one can then never
                land again.

        Returns:
            The dropped txs, oldest first.
        """
        with self.lock:
            self.advance()
            top = self._tip.slot
            cut = max(bisect_right(self._blocks, top - slots, key=lambda entry: entry.slot), 1)
            dropped, self._blocks = self._blocks[cut:], self._blocks[:cut]
            for block in reversed(dropped):
                self._undo_block(block, fork_blockhashes=fork_blockhashes)
            records = [record for block in dropped for record in block.records]
            self._orphans = self._orphans + [record.tx for record in records] if keep else []
            self._forks += 1
            self._append_block(top + 1, self._clock())
            self._after_new_blocks()
            return records

    def reland(self) -> int:
        """Land the txs that forks dropped and kept, oldest first; return how many did."""
        with self.lock:
            self.advance()
            orphans, self._orphans = self._orphans, []
            return self._land_all(orphans)

    # Inside.

    @property
    def _tip(self) -> Block:
        return self._blocks[-1]

    def _block_at(self, level: Level) -> Block:
        with self.lock:
            self.advance()
            at = bisect_right(self._blocks, self._tip.slot - self._depth[level], key=lambda block: block.slot) - 1
            return self._blocks[max(at, 0)]

    def _append_block(self, slot: int, now_ms: int) -> None:
        parent = self._blocks[-1] if self._blocks else None
        seed = f"{slot}/{self._forks}".encode() + (bytes(parent.blockhash) if parent else b"")
        block = Block(
            slot=slot,
            height=parent.height + 1 if parent else 0,
            parent_slot=parent.slot if parent else 0,
            blockhash=Hash(hashlib.sha256(seed).digest()),
            block_time=max(now_ms // 1000, parent.block_time if parent else 0),
        )
        self._blocks.append(block)
        self._by_hash[block.blockhash] = block.height

    def _after_new_blocks(self) -> None:
        tip = self._tip
        epoch = tip.slot // SLOTS_PER_EPOCH
        self._svm.set_clock(Clock(tip.slot, 0, epoch, epoch + 1, tip.block_time))
        old_hashes = len(self._by_hash) - 4 * BLOCKHASH_LIFE
        for blockhash in list(self._by_hash)[: max(old_hashes, 0)]:
            del self._by_hash[blockhash]
        if len(self._blocks) > 2 * MAX_BLOCKS:
            for block in self._blocks[:-MAX_BLOCKS]:
                self._undo.pop(block.slot, None)
            del self._blocks[:-MAX_BLOCKS]

    def _slots_after(self, slot: int) -> list[int]:
        """Return the slots with changes above a slot, oldest first."""
        recent: list[int] = []
        for changed in reversed(self._undo):
            if changed <= slot:
                break
            recent.append(changed)
        return recent[::-1]

    def _check(self, tx: VersionedTransaction, *, check_blockhash: bool = True) -> None:
        if check_blockhash and not self.is_blockhash_valid(tx.message.recent_blockhash):
            raise Rejected("BlockhashNotFound")
        if tx.signatures[0] in self._records or any(tx.signatures[0] == held.signatures[0] for held in self._held):
            raise Rejected("AlreadyProcessed")
        if len(self._records) >= MAX_TXS:
            raise Rejected("ClusterMaintenance")

    def _land_all(self, txs: list[VersionedTransaction]) -> int:
        landed = 0
        for tx in txs:
            try:
                self._check(tx)
                self._land(tx)
            except Rejected:
                continue
            landed += 1
        return landed

    def _land(self, tx: VersionedTransaction) -> TxRecord:
        self._refresh_slot_hashes(tx)
        keys = effects.keys_of(tx.message, self._svm.get_account)
        before, states = effects.observe(tx.message, keys, self._svm)
        result = self._svm.send_transaction(tx)
        err, meta = None, result
        if isinstance(result, FailedTransactionMetadata):
            err, meta = json.loads(result.to_json())["err"], result.meta()
            # A tx that never reached execution pays no fee and leaves no trace; one that failed while running pays and
            # is recorded.
            if (self._svm.get_balance(keys.static[0]) or 0) == before.lamports[0]:
                raise Rejected(err, meta.logs())
        assert not isinstance(meta, FailedTransactionMetadata)
        undo = self._undo.setdefault(self._tip.slot, {})
        for address, state in states.items():
            undo.setdefault(address, state)
        self._sequence += 1
        record = TxRecord(
            sequence=self._sequence,
            slot=self._tip.slot,
            block_time=self._tip.block_time,
            tx=tx,
            keys=keys,
            err=err,
            meta=meta,
            before=before,
            after=effects.observe(tx.message, keys, self._svm)[0],
            memo=effects.memo_text(tx.message),
        )
        self._remember(record)
        return record

    def _remember(self, record: TxRecord) -> None:
        self._tip.records.append(record)
        self._records[record.signature] = record
        self._landed.append(record)
        for address in dict.fromkeys(record.keys.every):
            self._index[address].append(record)

    def _undo_block(self, block: Block, *, fork_blockhashes: bool) -> None:
        for address, state in self._undo.pop(block.slot, {}).items():
            self._svm.set_account(address, state if state is not None else Account(0, b"", SYSTEM))
        for record in reversed(block.records):
            del self._records[record.signature]
            assert self._landed.pop() is record, "forks drop the newest first"
            for address in dict.fromkeys(record.keys.every):
                assert self._index[address].pop() is record, "the index is a stack of the landed txs"
        if fork_blockhashes:
            self._by_hash.pop(block.blockhash, None)

    def _refresh_slot_hashes(self, tx: VersionedTransaction) -> None:
        """Write the SlotHashes sysvar when a tx may read it: it costs more than a whole transfer."""
        message = tx.message
        wanted = bool(getattr(message, "address_table_lookups", ())) or LOOKUP_TABLE in message.account_keys
        if wanted and self._slot_hashes_slot != self._tip.slot:
            newest = self._blocks[-_SLOT_HASHES:]
            self._svm.set_slot_hashes([(block.slot, block.blockhash) for block in reversed(newest)])
            self._slot_hashes_slot = self._tip.slot
