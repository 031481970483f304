"""Sealing: committed entries go into blocks whose hashes form a chain, so that a change of the past shows.

Off the hot path. A block takes entries that no block has yet, never "ids above the last one": ids are made before the
commit, and a slow writer's entry appears after its neighbours are sealed.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Self

from sqlalchemy import exists, func, select

from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import Clock, to_micros
from gateway.kernel.ids import id_at
from gateway.ledger.entries import Entry
from gateway.ledger.merkle import climb, head_hash, leaf_hash, path_of, root_of
from gateway.ledger.reading import entries_by_id
from gateway.storage.database import Database, Tx
from gateway.storage.schema import balance, journal_entry, seal_block, sealed_entry
from gateway.storage.statements import insert_new

BLOCK_LIMIT: Final = 1000  # entries a block: a proof has ten siblings, a block hashes in milliseconds
MAX_RACES: Final = 5  # other sealers that may be faster before this one leaves the work to them
MAX_PROOFS: Final = 100  # entries of one subject
OVERLAP: Final = timedelta(hours=1)  # how far before the last block the search begins; only its speed depends on it
FIRST_HEAD: Final = bytes(32).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBlock:
    """A block of the chain; hashes in hexadecimal, numbers from 1; `posting_total` counts from the first block on."""

    number: int
    leaf_count: int
    posting_total: int
    root: str
    previous_head: str
    head: str
    sealed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InclusionProof:
    """What shows to a stranger that an entry stands in the chain.

    Attributes:
        entry: the entry as canonical JSON text: exactly the bytes that were hashed.
        block: the block's number.
        leaf: the entry's place in the block, from 0.
        leaf_count: how many entries the block has.
        path: siblings from the bottom up, hexadecimal.
        root, previous_head, head: of the block, hexadecimal; compare `head` with the one that was published.
    """

    entry: str
    block: int
    leaf: int
    leaf_count: int
    path: tuple[str, ...]
    root: str
    previous_head: str
    head: str

    def to_json(self) -> str:
        """Return the proof as canonical JSON text."""
        return canonical_json(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            ValueError: the text is no proof.
        """
        try:
            fields = json.loads(text)
            return cls(**(fields | {"path": tuple(fields["path"])}))
        except (KeyError, TypeError) as error:
            raise ValueError("not an inclusion proof") from error


def seal(db: Database, clock: Clock, limit: int = BLOCK_LIMIT) -> SealedBlock | None:
    """Seal up to `limit` committed entries that no block has yet; None when there are none, or others seal them.

    Several may seal at once: the block's number is the lock. Whoever finds it taken looks again.
    """
    assert 0 < limit <= BLOCK_LIMIT, f"a block has 1 to {BLOCK_LIMIT} entries"
    for _ in range(MAX_RACES):
        # The last block is read before the entries: a block that slips in between costs a second look, never a leaf.
        last, entries = db.read(lambda tx: _look(tx, limit))
        if not entries:
            return None
        digests = [leaf_hash(leaf_text(entry)) for entry in entries]
        block = _next_block(last, entries, digests, clock.now())
        rows = [
            {"entry_id": entry.id, "block": block.number, "leaf": leaf, "digest": digest.hex()}
            for leaf, (entry, digest) in enumerate(zip(entries, digests, strict=True))
        ]
        if db.write(partial(_append, block=block, rows=rows)):
            return block
    return None


def last_block(tx: Tx) -> SealedBlock | None:
    """Return the newest block, whose head speaks for all sealed entries."""
    row = tx.execute(select(seal_block).order_by(seal_block.c.number.desc()).limit(1)).mappings().first()
    return None if row is None else SealedBlock(**row)


def leaf_text(entry: Entry) -> str:
    """Return an entry with its postings as the canonical JSON text that is hashed; amounts as text."""
    return canonical_json(
        {
            "id": entry.id,
            "merchant_id": entry.merchant_id,
            "livemode": entry.livemode,
            "kind": entry.kind,
            "subject_id": entry.subject_id,
            "subject_version": entry.subject_version,
            "reverses_id": entry.reverses_id,
            "rates": entry.rates,
            "effective_at_us": to_micros(entry.effective_at),
            "recorded_at_us": to_micros(entry.recorded_at),
            "postings": [
                {
                    "account_id": leg.account_id,
                    "account": leg.account,
                    "currency": leg.money.currency,
                    "amount": str(leg.money.atomic),
                    "layer": leg.layer.value,
                }
                for leg in entry.legs
            ],
        }
    )


def prove(tx: Tx, subject_id: str) -> tuple[InclusionProof, ...]:
    """Return a proof for every sealed entry of a subject, in the order of their sealing."""
    query = (
        select(sealed_entry.c.entry_id, sealed_entry.c.leaf, seal_block)
        .join(journal_entry, journal_entry.c.id == sealed_entry.c.entry_id)
        .join(seal_block, seal_block.c.number == sealed_entry.c.block)
        .where(journal_entry.c.subject_id == subject_id)
        .order_by(sealed_entry.c.block, sealed_entry.c.leaf)
        .limit(MAX_PROOFS)
    )
    found = tx.execute(query).all()
    entries = entries_by_id(tx, [row.entry_id for row in found])
    return tuple(
        InclusionProof(
            entry=leaf_text(entries[row.entry_id]),
            block=row.number,
            leaf=row.leaf,
            leaf_count=row.leaf_count,
            path=tuple(node.hex() for node in path_of(digests_of(tx, row.number), row.leaf)),
            root=row.root,
            previous_head=row.previous_head,
            head=row.head,
        )
        for row in found
    )


def check_proof(proof: InclusionProof) -> bool:
    """Tell whether the entry's text leads to the root, and the root to the head. Pure: needs the proof alone.

    That `head` is the head of the chain is for the reader to compare with what was published.
    """
    try:
        path = [bytes.fromhex(sibling) for sibling in proof.path]
        root, previous, head = (bytes.fromhex(text) for text in (proof.root, proof.previous_head, proof.head))
    except ValueError:
        return False
    climbed = climb(leaf_hash(proof.entry), proof.leaf, proof.leaf_count, path)
    return climbed == root and head_hash(previous, root) == head


def digests_of(tx: Tx, number: int) -> list[bytes]:
    """Return the hashes of a block's leaves as they were sealed, in their order."""
    query = select(sealed_entry.c.digest).where(sealed_entry.c.block == number).order_by(sealed_entry.c.leaf)
    return [bytes.fromhex(digest) for digest in tx.execute(query).scalars()]


def _look(tx: Tx, limit: int) -> tuple[SealedBlock | None, list[Entry]]:
    """Return the last block and entries to seal after it, older ones first.

    The journal is long and what is not sealed yet is nearly always young, so the search begins shortly before the last
    block. Balances count the postings of all committed entries; only when that count says that older ones were missed
    is the whole journal searched. The count is read first: what is committed meanwhile can only be found too early.
    """
    last = last_block(tx)
    if last is None:
        return None, _unsealed(tx, limit, "")
    posted = int(tx.execute(select(func.sum(balance.c.version))).scalar_one() or 0)
    young = _unsealed(tx, limit, id_at("je", last.sealed_at - OVERLAP))
    if len(young) < limit and last.posting_total + sum(len(entry.legs) for entry in young) < posted:
        return last, _unsealed(tx, limit, "")
    return last, young


def _unsealed(tx: Tx, limit: int, since: str) -> list[Entry]:
    is_sealed = exists().where(sealed_entry.c.entry_id == journal_entry.c.id)
    query = select(journal_entry.c.id).where(~is_sealed, journal_entry.c.id >= since)
    entries = entries_by_id(tx, tx.execute(query.order_by(journal_entry.c.id).limit(limit)).scalars().all())
    return [entries[entry_id] for entry_id in sorted(entries)]


def _next_block(
    last: SealedBlock | None, entries: Sequence[Entry], digests: Sequence[bytes], now: datetime
) -> SealedBlock:
    previous_head = FIRST_HEAD if last is None else last.head
    root = root_of(digests)
    return SealedBlock(
        number=1 if last is None else last.number + 1,
        leaf_count=len(digests),
        posting_total=(0 if last is None else last.posting_total) + sum(len(entry.legs) for entry in entries),
        root=root.hex(),
        previous_head=previous_head,
        head=head_hash(bytes.fromhex(previous_head), root).hex(),
        sealed_at=now,
    )


def _append(tx: Tx, block: SealedBlock, rows: Sequence[dict[str, object]]) -> bool:
    """Write a block and its leaves; False when its number was taken meanwhile."""
    if not insert_new(tx, seal_block, asdict(block)):
        return False
    tx.execute(sealed_entry.insert(), rows)
    return True
