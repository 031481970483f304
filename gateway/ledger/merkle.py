"""The hash tree over one block of entries. Pure.

leaf = sha256(0x00 || text), node = sha256(0x01 || left || right): the first byte keeps a node from posing as a leaf.
An odd level repeats its last node. Two trees of different sizes could so share a root (compare CVE-2012-2459); that is
why the number of leaves belongs to every root and every proof.
Form: RFC 6962 section 2.1 but for the odd level.
"""

from collections.abc import Sequence
from hashlib import sha256


def leaf_hash(text: str) -> bytes:
    """Return the hash of one leaf's canonical text."""
    return sha256(b"\x00" + text.encode()).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def head_hash(previous_head: bytes, root: bytes) -> bytes:
    """Return the head that chains a block's root to everything before it."""
    return sha256(previous_head + root).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over at least one leaf."""
    return _levels(leaves)[-1][0]


def path_of(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the siblings of a leaf from the bottom up; with them anybody can climb to the root."""
    path = []
    for level in _levels(leaves)[:-1]:
        sibling = index ^ 1
        path.append(level[sibling] if sibling < len(level) else level[index])
        index //= 2
    return path


def climb(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a path leads to; None if the path does not fit a tree of `count` leaves."""
    if not 0 <= index < count:
        return None
    node = leaf
    for sibling in path:
        if count == 1:
            return None
        if index % 2:
            node = node_hash(sibling, node)
        elif index == count - 1 and sibling != node:
            return None
        else:
            node = node_hash(node, sibling)
        index, count = index // 2, (count + 1) // 2
    return node if count == 1 else None


def _levels(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Return all levels of the tree, leaves first, root last."""
    assert leaves, "a tree has leaves"
    levels = [leaves]
    while len(level := levels[-1]) > 1:
        even = [*level, level[-1]] if len(level) % 2 else level
        levels.append([node_hash(even[place], even[place + 1]) for place in range(0, len(even), 2)])
    return levels
