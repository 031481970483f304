"""Which processors may take a payment, in which order. A table that the operator writes; pure.

The first route that fits decides; without one, every processor that offers the method is tried in the order of the
configuration. A processor that is not named by the route that fits is not tried at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.kernel.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Processors for payments that fit; None means any.

    Attributes:
        processors: names, the first choice first; the next is tried only when the one before certainly did nothing.
        countries: of the customer, ISO 3166 alpha-2; a payment whose country is not known fits no such route.
        at_least, below: amounts with their currency; a payment in another currency fits no such route.
    """

    processors: tuple[str, ...]
    methods: frozenset[str] | None = None
    currencies: frozenset[str] | None = None
    countries: frozenset[str] | None = None
    at_least: Money | None = None
    below: Money | None = None


def candidates(
    routes: Sequence[Route], offered: Sequence[str], *, method: str, price: Money, country: str | None
) -> list[str]:
    """Return the names among `offered` that may take this payment, in the order in which to try them."""
    fitting = next((route for route in routes if _fits(route, method=method, price=price, country=country)), None)
    return list(offered) if fitting is None else [name for name in fitting.processors if name in offered]


def _fits(route: Route, *, method: str, price: Money, country: str | None) -> bool:
    return (
        (route.methods is None or method in route.methods)
        and (route.currencies is None or price.currency in route.currencies)
        and (route.countries is None or country in route.countries)
        and (route.at_least is None or (price.currency == route.at_least.currency and price >= route.at_least))
        and (route.below is None or (price.currency == route.below.currency and price < route.below))
    )
