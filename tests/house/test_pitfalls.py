"""Every pitfall of cards has a test that is named after it, and stands with it on the page about Stripe."""

import ast

import pytest

from tests.house.pitfalls import PITFALLS, named_by, pitfalls_by_test, pitfalls_of_page


def test_every_pitfall_is_named_by_a_test() -> None:
    named = set().union(*pitfalls_by_test().values())
    assert sorted(PITFALLS - named) == []
    assert sorted(named - PITFALLS) == [], "a number that no pitfall has"


def test_the_page_tells_of_every_pitfall_and_of_a_test_that_names_it() -> None:
    rows, named = pitfalls_of_page(), pitfalls_by_test()
    assert sorted(PITFALLS ^ rows.keys()) == []
    assert [f"{number}: {test}" for number, test in rows.items() if number not in named.get(test, ())] == []


@pytest.mark.parametrize(
    ("source", "numbers"),
    [
        ("def test_pitfall_19_a_hold_lapses(): ...", {19}),
        ('def test_it():\n    """Pitfall 4: the webhook is lost."""', {4}),
        ('def test_it():\n    """Pitfalls 1, 6 and 8, for bills."""', {1, 6, 8}),
        ('def test_pitfall_2_it():\n    """Pitfall 3."""', {2, 3}),
        ('def test_it():\n    """It is no Pitfall 4."""', set()),
        ("def test_pitfalls(): ...", set()),
    ],
)
def test_a_named_pitfall_is_found(source: str, numbers: set[int]) -> None:
    (test,) = ast.parse(source).body
    assert isinstance(test, ast.FunctionDef)
    assert named_by(test) == numbers
