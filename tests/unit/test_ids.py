"""Ids: form, order by time, uniqueness."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.kernel.clock import ManualClock, SystemClock
from gateway.kernel.ids import RandomIds, id_at, is_id, is_secret_token, secret_token

MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2500, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001 - made aware at once


def test_an_id_is_a_uuid_of_version_7_in_crockford_base_32() -> None:
    """Vector: RFC 9562 appendix A.6, its bits spelled as TypeID 0.3 does."""
    millis = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    text = id_at("pay", millis, entropy=0x18C4DC0C0C07398F)
    assert text == "pay_01fwhe4ydge009hh6w1g60eecf"
    number = 0
    for digit in text.removeprefix("pay_"):
        number = number << 5 | "0123456789abcdefghjkmnpqrstvwxyz".index(digit)
    assert f"{number:032x}" == "017f22e279b0700098c4dc0c0c07398f"


@given(MOMENTS, st.integers(0, 2**62 - 1))
def test_every_id_has_the_form_of_an_id(moment: datetime, entropy: int) -> None:
    text = id_at("je", moment, entropy=entropy)
    assert len(text) == 29
    assert is_id(text, "je")


@given(MOMENTS, MOMENTS, st.integers(0, 2**62 - 1), st.integers(0, 2**62 - 1))
def test_ids_sort_by_time_to_the_microsecond(one: datetime, other: datetime, left: int, right: int) -> None:
    first, second = id_at("pay", one, entropy=left), id_at("pay", other, entropy=right)
    if one != other:
        assert (first < second) is (one < other)


@given(MOMENTS, st.integers(0, 2**62 - 1))
def test_the_id_without_entropy_bounds_its_moment_from_below(moment: datetime, entropy: int) -> None:
    later = moment + timedelta(microseconds=1)
    assert id_at("pay", moment) <= id_at("pay", moment, entropy=entropy) < id_at("pay", later)


def test_ten_thousand_ids_of_one_moment_are_different() -> None:
    ids = RandomIds(ManualClock())
    assert len({ids.new("evt") for _ in range(10_000)}) == 10_000


def test_ids_of_one_moment_come_in_the_order_in_which_they_were_made() -> None:
    ids = RandomIds(ManualClock())
    made = [ids.new("evt") for _ in range(1_000)]
    assert made == sorted(made)
    assert len({one[-1] for one in made}) > 1, "and are not simply counted up"


def test_ids_of_two_processes_in_one_moment_are_different() -> None:
    clock = ManualClock()
    one, other = RandomIds(clock), RandomIds(clock)
    assert not {one.new("evt") for _ in range(1_000)} & {other.new("evt") for _ in range(1_000)}


def test_ids_of_a_running_clock_come_in_order() -> None:
    clock = ManualClock()
    ids = RandomIds(clock)
    made = []
    for _ in range(500):
        made.append(ids.new("pay"))
        clock.advance(timedelta(microseconds=1))
    assert made == sorted(made)
    assert is_id(RandomIds(SystemClock()).new("cs"), "cs")


GOOD = id_at("pay", datetime(2026, 11, 20, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    ["", "pay", "pay_", GOOD[:-1], GOOD + "0", GOOD + "\n", GOOD.upper(), GOOD.replace("pay", "cs"), "x" + GOOD,
     "pay_8" + GOOD[5:], GOOD[:-1] + "u", GOOD[:-1] + "l", GOOD[:-1] + "i", GOOD[:-1] + "o", GOOD[:-1] + "\u0660",
     GOOD[:-1] + "'", GOOD[:-1] + "/"],
)  # fmt: skip
def test_what_is_no_id_is_not_taken_for_one(text: str) -> None:
    assert is_id(GOOD, "pay")
    assert not is_id(text, "pay")


def test_a_secret_has_256_bits_and_is_safe_in_an_address() -> None:
    tokens = {secret_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert {len(token) for token in tokens} == {43}
    assert set("".join(tokens)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@pytest.mark.parametrize("end", ["", "xx", "\x00", "\n", "é", "x\n"])
def test_what_is_no_token_of_ours_is_not_asked_for(end: str) -> None:
    assert is_secret_token(secret_token())
    assert not is_secret_token("x" * 42 + end)
