"""Which instructions move money, from where to where: read from data and keys, never from logs or positions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from solders.pubkey import Pubkey

from gateway.processors.solana.landed import Step
from gateway.processors.solana.programs import MACHINERY, MEMO_PROGRAMS, SYSTEM, TOKEN, TOKEN_2022

MAX_MEMO: Final = 600  # characters kept of all memos of one chain transfer
_SYSTEM_TRANSFER: Final = 2
_SYSTEM_TRANSFER_WITH_SEED: Final = 11
_TRANSFER: Final = 3
_MINT_TO: Final = 7
_TRANSFER_CHECKED: Final = 12
_MINT_TO_CHECKED: Final = 14
_FEE_EXTENSION: Final = 26
_TRANSFER_CHECKED_WITH_FEE: Final = 1
_AMOUNT: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One instruction that moves `amount` atomic units: `roles` are its keys with a task, `extra` those without.

    `source` is the paying account (a wallet, or a token account; the mint itself for newly minted tokens) and
    `authority` who allowed it.
    """

    path: str
    source: str
    destination: str
    authority: str
    amount: int
    roles: frozenset[Pubkey]
    extra: tuple[Pubkey, ...]


def payments_of(steps: Sequence[Step]) -> Iterator[Payment]:
    """Yield the instructions of the System and token programs that move SOL or tokens."""
    for step in steps:
        if step.program == SYSTEM:
            layout = _system_layout(step)
        elif step.program in {TOKEN, TOKEN_2022}:
            layout = _token_layout(step)
        else:
            continue
        if layout is not None:
            yield _payment(step, layout)


def memo_of(steps: Sequence[Step]) -> str | None:
    """Return the memos, joined; None without any. Null characters, which no database text takes, are replaced."""
    found = [step.data.decode(errors="replace").replace("\x00", "\ufffd") for step in _memos(steps)]
    return "; ".join(found)[:MAX_MEMO] or None


def _memos(steps: Sequence[Step]) -> Iterator[Step]:
    return (step for step in steps if step.program in MEMO_PROGRAMS)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where source, destination and authority stand among the keys, how many keys have a task, and the amount."""

    source: int
    destination: int
    authority: int
    tasks: int
    amount_at: int


_SYSTEM_LAYOUTS: Final = {
    _SYSTEM_TRANSFER: _Layout(0, 1, 0, 2, 4),
    _SYSTEM_TRANSFER_WITH_SEED: _Layout(0, 2, 1, 3, 4),
}
_TOKEN_LAYOUTS: Final = {
    _TRANSFER: _Layout(0, 1, 2, 3, 1),
    _MINT_TO: _Layout(0, 1, 2, 3, 1),
    _TRANSFER_CHECKED: _Layout(0, 2, 3, 4, 1),
    _MINT_TO_CHECKED: _Layout(0, 1, 2, 3, 1),
}
_WITH_FEE_LAYOUT: Final = _Layout(0, 2, 3, 4, 2)


def _system_layout(step: Step) -> _Layout | None:
    return _fitting(_SYSTEM_LAYOUTS.get(int.from_bytes(step.data[:4], "little")), step)


def _token_layout(step: Step) -> _Layout | None:
    if step.data[:2] == bytes([_FEE_EXTENSION, _TRANSFER_CHECKED_WITH_FEE]):
        return _fitting(_WITH_FEE_LAYOUT, step)
    return _fitting(_TOKEN_LAYOUTS.get(step.data[0]), step) if step.data else None


def _fitting(layout: _Layout | None, step: Step) -> _Layout | None:
    """Return the layout if the instruction is long enough for it: a failed or foreign one may be anything."""
    if layout is None or len(step.accounts) < layout.tasks or len(step.data) < layout.amount_at + _AMOUNT:
        return None
    return layout


def _payment(step: Step, layout: _Layout) -> Payment:
    roles = frozenset(step.accounts[: layout.tasks])
    own = step.accounts[layout.tasks :]
    extra = [key for key in (*own, *step.outer) if key not in roles and key not in MACHINERY]
    return Payment(
        path=step.path,
        source=str(step.accounts[layout.source]),
        destination=str(step.accounts[layout.destination]),
        authority=str(step.accounts[layout.authority]),
        amount=int.from_bytes(step.data[layout.amount_at : layout.amount_at + _AMOUNT], "little"),
        roles=roles,
        extra=tuple(dict.fromkeys(extra)),
    )
