"""Which tokens may be accepted, and the arithmetic of transfer fees."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.processors.solana import Token, TokenProgram, Verdict
from gateway.processors.solana.mints import NO_FEE, Extension, TransferFee, extensions, fee_in_epoch, judge
from gateway.processors.solana.programs import TOKEN, TOKEN_2022
from tests.processors.solana_stage import Stage

KEY, NO_KEY = bytes([9]) * 32, bytes(32)
NEW = Token(code="EXT", title="Extended", mint=str(TOKEN), decimals=6, program=TokenProgram.SPL_2022)


def a_mint(parts: Mapping[int, bytes] | None = None, *, decimals: int = 6, is_initialized: bool = True) -> bytes:
    """Return a mint's bytes, with Token-2022 extensions behind them if any are given."""
    base = bytes(44) + bytes([decimals, is_initialized]) + bytes(36)
    if parts is None:
        return base
    values = b"".join(
        kind.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value for kind, value in parts.items()
    )
    return base.ljust(165, b"\x00") + bytes([1]) + values


def fee_config(older: tuple[int, int, int], newer: tuple[int, int, int]) -> bytes:
    """Return TransferFeeConfig; each fee is epoch, maximum, basis points."""
    fees = [
        epoch.to_bytes(8, "little") + maximum.to_bytes(8, "little") + bps.to_bytes(2, "little")
        for epoch, maximum, bps in (older, newer)
    ]
    return KEY + KEY + bytes(8) + b"".join(fees)


@pytest.mark.parametrize(
    ("parts", "verdict", "word"),
    [
        (None, Verdict.ACCEPTED, ""),
        ({}, Verdict.ACCEPTED, ""),
        ({18: KEY + KEY}, Verdict.ACCEPTED, ""),  # a metadata pointer harms nobody
        ({Extension.TRANSFER_HOOK: KEY + KEY}, Verdict.REFUSED, "may refuse it"),
        ({Extension.TRANSFER_HOOK: NO_KEY + KEY}, Verdict.REFUSED, "may refuse it"),
        ({Extension.TRANSFER_HOOK: KEY + NO_KEY}, Verdict.WARNED, "can change which program"),
        ({Extension.TRANSFER_HOOK: NO_KEY + NO_KEY}, Verdict.ACCEPTED, ""),
        ({Extension.DEFAULT_STATE: bytes([2])}, Verdict.REFUSED, "frozen until"),
        ({Extension.DEFAULT_STATE: bytes([1])}, Verdict.ACCEPTED, ""),
        ({Extension.NON_TRANSFERABLE: b""}, Verdict.REFUSED, "cannot be transferred"),
        ({Extension.PERMANENT_DELEGATE: KEY}, Verdict.WARNED, "take tokens out of any account"),
        ({Extension.PERMANENT_DELEGATE: NO_KEY}, Verdict.ACCEPTED, ""),
        ({Extension.PAUSABLE: KEY + b"\x00"}, Verdict.WARNED, "pause"),
        ({Extension.TRANSFER_FEE: fee_config((0, 1, 1), (0, 1, 1))}, Verdict.WARNED, "fee"),
        ({Extension.SCALED_UI_AMOUNT: KEY + bytes(24)}, Verdict.WARNED, "another amount"),
        ({18: KEY, Extension.PAUSABLE: KEY, Extension.NON_TRANSFERABLE: b""}, Verdict.REFUSED, "cannot be transferred"),
    ],
)
def test_a_mint_is_judged_by_what_its_issuer_can_do(
    parts: Mapping[int, bytes] | None, verdict: Verdict, word: str
) -> None:
    report = judge(NEW, owner=str(TOKEN_2022), data=a_mint(parts))
    assert report.verdict is verdict
    assert word in " ".join(report.reasons)
    assert bool(report.reasons) == (verdict is not Verdict.ACCEPTED)


@pytest.mark.parametrize(
    ("owner", "data", "word"),
    [
        (None, b"", "no such mint"),
        (str(TOKEN), a_mint(), "does not belong"),
        (str(TOKEN_2022), b"", "not a mint"),
        (str(TOKEN_2022), bytes(165), "not a mint"),
        (str(TOKEN_2022), a_mint({})[:165] + bytes([2]), "not a mint"),
        (str(TOKEN_2022), a_mint(decimals=9), "9 decimals, not 6"),
        (str(TOKEN_2022), a_mint(is_initialized=False), "not initialised"),
    ],
)
def test_a_mint_that_is_not_what_was_allowed_is_refused(owner: str | None, data: bytes, word: str) -> None:
    report = judge(NEW, owner=owner, data=data)
    assert report.verdict is Verdict.REFUSED
    assert word in report.reasons[0]


@given(st.binary(max_size=400))
def test_extensions_of_any_bytes_end(noise: bytes) -> None:
    extensions(a_mint({}) + noise)
    judge(NEW, owner=str(TOKEN_2022), data=a_mint({}) + noise)
    fee_in_epoch(a_mint({}) + noise, 3)


def test_the_newer_fee_counts_from_its_epoch_on() -> None:
    mint = a_mint({Extension.TRANSFER_FEE: fee_config((0, 500, 100), (10, 900, 200))})
    assert fee_in_epoch(mint, 9) == TransferFee(bps=100, maximum=500)
    assert fee_in_epoch(mint, 10) == TransferFee(bps=200, maximum=900)
    assert fee_in_epoch(a_mint(), 10) == NO_FEE


@given(st.integers(1, 10**15), st.integers(0, 9_999), st.integers(0, 10**13))
def test_what_is_sent_gross_arrives_as_due_and_not_one_unit_less_would(due: int, bps: int, maximum: int) -> None:
    fee = TransferFee(bps=bps, maximum=maximum)
    gross = fee.gross(due)
    assert gross - fee.of(gross) >= due
    assert gross == due or (gross - 1) - fee.of(gross - 1) < due


def test_a_token_that_keeps_everything_cannot_be_sent_gross() -> None:
    with pytest.raises(ValueError, match="keeps everything"):
        TransferFee(bps=10_000, maximum=2**64 - 1).gross(5)
    assert TransferFee(bps=10_000, maximum=3).gross(5) == 8


def test_the_mints_of_the_dev_chain_are_inspected_where_they_stand(stage: Stage) -> None:
    usdc, fee = stage.processor.inspect_mints(livemode=False)
    assert (usdc.verdict, fee.verdict) == (Verdict.ACCEPTED, Verdict.WARNED)
    assert stage.processor.inspect_mints(livemode=True) == ()
