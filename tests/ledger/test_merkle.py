"""The hash tree: its form is fixed by vectors, its proofs by every leaf of every small tree."""

from hashlib import sha256

import pytest

from gateway.ledger.merkle import climb, head_hash, leaf_hash, path_of, root_of


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(str(number)) for number in range(count)]


def test_leaves_nodes_and_heads_are_hashed_as_documented() -> None:
    one, two, three = leaves(3)
    assert one == sha256(b"\x000").digest()
    left = sha256(b"\x01" + one + two).digest()
    right = sha256(b"\x01" + three + three).digest()
    assert root_of([one]) == one
    assert root_of([one, two, three]) == sha256(b"\x01" + left + right).digest()
    assert head_hash(bytes(32), one) == sha256(bytes(32) + one).digest()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 33])
def test_every_leaf_climbs_to_the_root_and_only_from_its_own_place(count: int) -> None:
    tree = leaves(count)
    root = root_of(tree)
    for index, leaf in enumerate(tree):
        path = path_of(tree, index)
        assert climb(leaf, index, count, path) == root
        places = [place for place in range(count) if climb(leaf, place, count, path) == root]
        assert places == [index]
        assert climb(leaf_hash("forged"), index, count, path) != root


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_a_path_of_another_length_leads_nowhere(count: int) -> None:
    tree = leaves(count)
    path = path_of(tree, 0)
    assert climb(tree[0], 0, count, path[:-1]) is None
    assert climb(tree[0], 0, count, [*path, path[-1]]) is None
    assert climb(tree[0], count, count, path) is None
    assert climb(tree[0], -1, count, path) is None


def test_trees_that_share_a_root_differ_in_their_count() -> None:
    three = leaves(3)
    four = [*three, three[2]]
    assert root_of(three) == root_of(four)
    assert climb(four[3], 3, 4, path_of(four, 3)) == root_of(three)
    assert climb(four[3], 3, 3, path_of(four, 3)) is None
