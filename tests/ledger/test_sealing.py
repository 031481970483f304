"""Sealing on all three databases: every committed entry once, in one chain, with proofs for strangers."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.kernel.clock import ManualClock
from gateway.kernel.ids import RandomIds
from gateway.ledger.journal import Journal
from gateway.ledger.sealing import FIRST_HEAD, OVERLAP, InclusionProof, SealedBlock, check_proof, prove, seal
from gateway.storage.schema import sealed_entry
from tests.ledger.books import Books, a_receipt, tamper


def sealed(books: Books) -> list[str]:
    return list(books.db.read(lambda tx: tx.execute(sa.select(sealed_entry.c.entry_id)).scalars().all()))


def proofs_of(books: Books, subject_id: str = "pay_one") -> tuple[InclusionProof, ...]:
    return books.db.read(lambda tx: prove(tx, subject_id))


def test_nothing_to_seal_is_no_block(books: Books) -> None:
    assert seal(books.db, books.clock) is None


def test_blocks_chain_from_zero_and_take_each_entry_once(books: Books) -> None:
    ids = books.post_many(*(a_receipt() for _ in range(7)))
    blocks = []
    while block := seal(books.db, books.clock, limit=3):
        blocks.append(block)
    assert [(block.number, block.leaf_count) for block in blocks] == [(1, 3), (2, 3), (3, 1)]
    assert [block.previous_head for block in blocks] == [FIRST_HEAD, blocks[0].head, blocks[1].head]
    assert sorted(sealed(books)) == sorted(ids)
    assert books.verify().is_clean


def test_an_entry_that_appears_late_is_sealed_though_its_id_is_older(books: Books) -> None:
    """A slow writer makes its id before others commit theirs; a sealer that remembers the last id would lose it."""
    slow_clock = ManualClock(books.clock.now() - 3 * OVERLAP)
    slow_writer = Journal(RandomIds(slow_clock), slow_clock)
    prompt = books.post(a_receipt())
    assert seal(books.db, books.clock) is not None
    late = books.db.write(lambda tx: slow_writer.post(tx, a_receipt()))
    assert late < prompt
    assert seal(books.db, books.clock) is not None
    assert sorted(sealed(books)) == [late, prompt]
    assert seal(books.db, books.clock) is None
    assert books.verify().is_clean


def test_the_whole_journal_is_searched_only_when_something_old_is_missing(books: Books) -> None:
    books.post_many(*(a_receipt() for _ in range(3)))
    seal(books.db, books.clock)
    books.clock.advance(2 * OVERLAP)
    books.post(a_receipt())
    searches: list[object] = []

    def note(_c: object, _k: object, statement: str, parameters: object, *_: object) -> None:
        if "NOT (EXISTS" in statement:
            searches.append(parameters)

    sa.event.listen(books.db.engine, "before_cursor_execute", note)
    assert seal(books.db, books.clock) is not None
    assert seal(books.db, books.clock) is None
    assert len(searches) == 2
    assert all("je_" in str(search) for search in searches), "it began at the beginning of the journal"


def test_sealers_that_work_at_once_seal_each_entry_once(books: Books) -> None:
    books.post_many(*(a_receipt() for _ in range(60)))
    start = threading.Barrier(3)

    def seal_all() -> list[SealedBlock]:
        start.wait()
        found = [seal(books.db, books.clock, limit=4) for _ in range(40)]
        return [block for block in found if block is not None]

    with ThreadPoolExecutor(3) as threads:
        sealers = [threads.submit(seal_all) for _ in range(3)]
        blocks = [block for sealer in sealers for block in sealer.result(timeout=60)]
    assert sorted(block.number for block in blocks) == list(range(1, 16))
    assert len(sealed(books)) == len(set(sealed(books))) == 60
    assert books.verify().is_clean


def test_every_entry_of_a_subject_has_a_proof_that_a_stranger_can_check(books: Books) -> None:
    books.post_many(*(a_receipt(10**60, subject_id=f"pay_{number % 3}") for number in range(10)))
    seal(books.db, books.clock, limit=6)
    seal(books.db, books.clock, limit=6)
    books.post(a_receipt(subject_id="pay_0"))  # not sealed yet
    proofs = proofs_of(books, "pay_0")
    assert len(proofs) == 4
    for proof in proofs:
        told = InclusionProof.from_json(proof.to_json())
        assert told == proof
        assert check_proof(told)
        entry = json.loads(told.entry)
        assert entry["subject_id"] == "pay_0"
        assert entry["postings"][0]["amount"] == "1" + "0" * 60
    assert proofs_of(books, "pay_nobody") == ()


def test_the_check_that_the_documentation_prints_agrees_with_ours(books: Books) -> None:
    books.post_many(*(a_receipt(subject_id=f"pay_{number}") for number in range(5)))
    seal(books.db, books.clock)
    page = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
    printed: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], printed)  # noqa: S102 - it is our own page
    for number in range(5):
        (proof,) = proofs_of(books, f"pay_{number}")
        told = json.loads(proof.to_json())
        assert printed["check"](told)
        assert not printed["check"](told | {"head": _flipped(proof.head)})
        assert not printed["check"](told | {"entry": told["entry"] + " "})


def _flipped(text: str) -> str:
    return ("0" if text[0] != "0" else "1") + text[1:]


def test_a_flipped_bit_anywhere_breaks_the_proof(books: Books) -> None:
    books.post_many(*(a_receipt(subject_id=f"pay_{number}") for number in range(5)))
    seal(books.db, books.clock)
    (proof,) = proofs_of(books, "pay_2")
    assert check_proof(proof)
    forged = [
        replace(proof, entry=proof.entry.replace("1000000", "1000001", 1)),
        replace(proof, leaf=proof.leaf ^ 1),
        replace(proof, leaf_count=proof.leaf_count * 2),
        replace(proof, root=_flipped(proof.root)),
        replace(proof, previous_head=_flipped(proof.previous_head)),
        replace(proof, head=_flipped(proof.head)),
        replace(proof, path=proof.path[:-1]),
        replace(proof, path=("no hex", *proof.path[1:])),
        *(
            replace(proof, path=(*proof.path[:place], _flipped(sibling), *proof.path[place + 1 :]))
            for place, sibling in enumerate(proof.path)
        ),
    ]
    assert [check_proof(one) for one in forged] == [False] * len(forged)


@pytest.mark.parametrize("text", ["{}", "[]", "null", "{", '{"entry": 1}', '{"path": []}'])
def test_what_is_no_proof_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        InclusionProof.from_json(text)


def test_the_proof_of_an_entry_that_was_changed_after_sealing_fails(books: Books) -> None:
    books.post_many(a_receipt(7), a_receipt(9, subject_id="pay_two"))
    seal(books.db, books.clock)
    tamper(books.db, "UPDATE posting SET amount = '8' WHERE amount = '7'")
    assert [check_proof(proof) for proof in proofs_of(books)] == [False]
    assert [check_proof(proof) for proof in proofs_of(books, "pay_two")] == [True]
