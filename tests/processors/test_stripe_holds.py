"""Held money at the Test Bank: it lapses, is taken whole or in parts, and each part is booked (pitfall 19)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.domain.declines import ProviderDeclinedError
from gateway.domain.words import CaptureMethod, ChargeStatus
from gateway.kernel.money import Money
from tests.processors.stripe_stage import BankStage, a_bank_stage, calls_during, charge_command, charge_of

PRICE = Money(10_000, "EUR")
HELD = {"capture_method": CaptureMethod.MANUAL}
CAPTURED_ONCE = "3566002020360505"


@pytest.fixture
def bank() -> Iterator[BankStage]:
    with a_bank_stage() as stage:
        yield stage


def eur(cents: int) -> Money:
    return Money(cents, "EUR")


def test_pitfall_19_a_hold_says_when_it_lapses_and_lapses(bank: BankStage) -> None:
    held = bank.paid(PRICE, **HELD)
    lapses_at = charge_of(held).capture_before
    assert lapses_at is not None
    assert timedelta(days=6) < lapses_at - datetime.now(UTC) < timedelta(days=8)
    bank.control("clock/advance", seconds=8 * 86_400)
    assert charge_of(bank.read(held.reference)).status is ChargeStatus.CANCELED


def test_pitfall_19_a_partial_capture_releases_the_rest(bank: BankStage) -> None:
    held = bank.paid(PRICE, **HELD)
    bank.processor.capture(charge_command(held), eur(4_000), is_final=True)
    taken = charge_of(bank.read(held.reference))
    assert (taken.captured, taken.capturable, taken.status) == (eur(4_000), eur(0), ChargeStatus.SUCCEEDED)
    assert taken.capture_before is None


def test_pitfall_19_the_rest_is_kept_when_that_is_asked_for(bank: BankStage) -> None:
    held = bank.paid(PRICE, **HELD)
    bank.processor.capture(charge_command(held), eur(3_000), is_final=False)
    part = charge_of(bank.read(held.reference))
    assert (part.captured, part.capturable, part.status) == (eur(3_000), eur(7_000), ChargeStatus.AUTHORIZED)
    assert part.capture_before is not None
    bank.processor.capture(charge_command(held), eur(2_000), is_final=True)
    whole = charge_of(bank.read(held.reference))
    assert (whole.captured, whole.capturable, whole.status) == (eur(5_000), eur(0), ChargeStatus.SUCCEEDED)


def test_pitfall_25_each_part_of_a_hold_has_its_fee_though_the_charge_names_the_newest(bank: BankStage) -> None:
    held = bank.paid(PRICE, **HELD)
    for cents in (3_000, 2_000, 1_000):
        bank.processor.capture(charge_command(held), eur(cents), is_final=cents == 1_000)
    bank.control("clock/advance", seconds=2)
    lines = bank.read(held.reference).lines
    assert sorted((line.amount, line.fee) for line in lines) == [
        (eur(1_000), eur(59)),
        (eur(2_000), eur(88)),
        (eur(3_000), eur(117)),
    ]


def test_a_charge_taken_at_once_or_in_one_is_read_without_asking_for_more(
    bank: BankStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sold, held = bank.paid(PRICE), bank.paid(PRICE, **HELD)
    bank.processor.capture(charge_command(held), eur(3_000), is_final=True)
    bank.control("clock/advance", seconds=2)
    for snapshot in (sold, held):
        reference = snapshot.reference
        assert len(calls_during(bank, lambda: bank.read(reference), monkeypatch)) == 1  # noqa: B023 - called at once


@pytest.mark.parametrize("lapses", [False, True])
def test_letting_the_rest_go_after_a_part_leaves_the_part(bank: BankStage, *, lapses: bool) -> None:
    held = bank.paid(PRICE, **HELD)
    bank.processor.capture(charge_command(held), eur(3_000), is_final=False)
    if lapses:
        bank.control("clock/advance", seconds=8 * 86_400)
    else:
        bank.processor.void(charge_command(held))
    left = charge_of(bank.read(held.reference))
    assert (left.captured, left.capturable, left.status) == (eur(3_000), eur(0), ChargeStatus.SUCCEEDED)


def test_pitfall_19_keeping_the_rest_is_not_every_cards(bank: BankStage) -> None:
    held = bank.paid(PRICE, card=CAPTURED_ONCE, **HELD)
    with pytest.raises(ProviderDeclinedError):
        bank.processor.capture(charge_command(held), eur(4_000), is_final=False)
    assert charge_of(bank.read(held.reference)).capturable == PRICE
