"""What every verb works with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from gateway.domain.ports import HostedProcessor, Method, Rates, SubscriptionProcessor, WalletProcessor
from gateway.domain.routing import Route
from gateway.engine.crew import Crew
from gateway.kernel.clock import Clock
from gateway.kernel.errors import ErrorCode, TemporaryError
from gateway.kernel.ids import Ids
from gateway.ledger.journal import Journal
from gateway.storage.database import Database

QUOTE_LIFETIME: Final = timedelta(minutes=30)  # a rate is kept this long at the most; then the page offers a new one


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The parts that the wiring puts together once.

    Attributes:
        processors, hosted, subscribing: by name; the engine knows them only by their ports.
        routes: which of several hosted processors takes a payment; see `domain.routing`.
        base_url: the public origin of the gateway, without a slash at the end.
        crew: who waits for providers.
        bank_urls: the Test Banks that stand in for providers; their clocks are not moved with a test clock.
        wake_delivery: called after a commit that may have put something into the outbox; must not block.
        wake_inbox: called after a provider's notification was stored.
        wake_payouts: called after a notification about a payout was stored.
        wake_monitor: called with (network, signature) when a page says that a wallet sent something: a hint.
    """

    db: Database
    clock: Clock
    ids: Ids
    journal: Journal
    rates: Rates
    processors: Mapping[str, WalletProcessor]
    base_url: str
    hosted: Mapping[str, HostedProcessor] = field(default_factory=dict)
    subscribing: Mapping[str, SubscriptionProcessor] = field(default_factory=dict)
    routes: Sequence[Route] = ()
    crew: Crew = field(default_factory=Crew)
    bank_urls: Sequence[str] = ()
    wake_delivery: Callable[[], None] = field(default=lambda: None)
    wake_inbox: Callable[[], None] = field(default=lambda: None)
    wake_payouts: Callable[[], None] = field(default=lambda: None)
    wake_monitor: Callable[[str, str], None] = field(default=lambda _network, _signature: None)

    def provider(self, name: str) -> HostedProcessor:
        """Return a hosted processor.

        Raises:
            TemporaryError: it was taken out of the configuration; its payments wait until it is back.
        """
        if name not in self.hosted:
            raise TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, "The provider of this payment is not connected now.")
        return self.hosted[name]

    def subscriber(self, name: str) -> SubscriptionProcessor:
        """Return a processor of subscriptions.

        Raises:
            TemporaryError: it was taken out of the configuration; its subscriptions wait until it is back.
        """
        if name not in self.subscribing:
            raise TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, "The provider of this payment is not connected now.")
        return self.subscribing[name]

    def methods(self, *, livemode: bool) -> list[Method]:
        """Return every method that some processor offers in this mode, those on providers' pages first."""
        hosted = [method for one in self.hosted.values() for method in one.methods(livemode=livemode)]
        return hosted + [method for one in self.processors.values() for method in one.methods(livemode=livemode)]

    def page_url(self, token: str) -> str:
        """Return the address of a session's checkout page."""
        return f"{self.base_url}/pay/{token}"
