"""Routes: the first that fits decides, and what it does not name is not tried."""

import pytest

from gateway.domain.routing import Route, candidates
from gateway.kernel.money import Money

BOTH = ["stripe", "stripe_eu"]
EUROS = Route(processors=("stripe_eu", "stripe"), currencies=frozenset({"EUR"}))
GERMANS = Route(processors=("stripe_eu",), countries=frozenset({"DE"}))
LARGE = Route(processors=("stripe",), at_least=Money(10_000, "USD"), below=Money(50_000, "USD"))


@pytest.mark.parametrize(
    ("routes", "price", "country", "expected"),
    [
        ([], Money(1, "USD"), None, BOTH),
        ([EUROS], Money(1, "EUR"), None, ["stripe_eu", "stripe"]),
        ([EUROS], Money(1, "USD"), None, BOTH),
        ([GERMANS], Money(1, "USD"), "DE", ["stripe_eu"]),
        ([GERMANS], Money(1, "USD"), None, BOTH),
        ([LARGE], Money(9_999, "USD"), None, BOTH),
        ([LARGE], Money(10_000, "USD"), None, ["stripe"]),
        ([LARGE], Money(49_999, "USD"), None, ["stripe"]),
        ([LARGE], Money(50_000, "USD"), None, BOTH),
        ([LARGE], Money(20_000, "EUR"), None, BOTH),
        ([LARGE, EUROS, GERMANS], Money(20_000, "EUR"), "DE", ["stripe_eu", "stripe"]),
        ([Route(processors=("gone", "stripe"))], Money(1, "USD"), None, ["stripe"]),
        ([Route(processors=("gone",))], Money(1, "USD"), None, []),
        ([Route(processors=("stripe",), methods=frozenset({"sepa"}))], Money(1, "USD"), None, BOTH),
    ],
)
def test_the_first_route_that_fits_decides(
    routes: list[Route], price: Money, country: str | None, expected: list[str]
) -> None:
    assert candidates(routes, BOTH, method="card", price=price, country=country) == expected
