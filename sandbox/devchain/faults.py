"""The faults that a test can switch on: what real clusters and RPC providers do on bad days."""

import time
from collections import Counter
from dataclasses import dataclass, field, fields
from typing import Any

from solders.signature import Signature

MAX_LATENCY_MS = 30_000
"""Longest answer delay; longer than any sane client's time-out."""
HTTP_FAULTS = (429, 500, 502, 503, 504)


@dataclass(slots=True, kw_only=True)
class Faults:
    """The faults now on; every field at its default means a healthy node.

    Attributes:
        index_lag: ``getSignaturesForAddress`` hides the newest this many slots.
        tx_lag: ``getTransaction`` answers null for the newest this many slots.
        hidden: signatures that the address index never shows (they exist, and balances moved).
        drop_sends: the next this many sends are answered with a signature and thrown away.
        hold: sends are accepted but land only when the fault ends.
        http_status: the HTTP status that the next ``http_calls`` calls get.
        http_calls: see above.
        latency_ms: added before every answer.
        substitutes: ``getTransaction`` for the first answers with the second's.
    """

    index_lag: int = 0
    tx_lag: int = 0
    hidden: set[Signature] = field(default_factory=set)
    drop_sends: int = 0
    hold: bool = False
    http_status: int = 0
    http_calls: int = 0
    latency_ms: int = 0
    substitutes: dict[Signature, Signature] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    http_requests: int = 0

    def clear(self) -> None:
        """Switch every fault off; the counts of calls stay."""
        healthy = Faults()
        for each in fields(self):
            if each.name not in ("calls", "http_requests"):
                setattr(self, each.name, getattr(healthy, each.name))

    def take_http_fault(self) -> int | None:
        """Return the HTTP status to answer this call with, None for a normal answer."""
        if self.http_calls <= 0:
            return None
        self.http_calls -= 1
        return self.http_status

    def take_drop(self) -> bool:
        """Tell whether this send is to be lost."""
        if self.drop_sends <= 0:
            return False
        self.drop_sends -= 1
        return True

    def wait(self) -> None:
        """Sleep for the latency; call it outside the chain's lock."""
        if self.latency_ms:
            time.sleep(self.latency_ms / 1000)

    def as_json(self) -> dict[str, Any]:
        """Return the faults in the shape of ``dev_fault``."""
        return {
            "index_lag": self.index_lag,
            "tx_lag": self.tx_lag,
            "hide_signature": sorted(map(str, self.hidden)),
            "drop_sends": self.drop_sends,
            "hold": self.hold,
            "http_status": self.http_status,
            "calls": self.http_calls,
            "latency_ms": self.latency_ms,
            "substitute_transaction": {str(asked): str(given) for asked, given in self.substitutes.items()},
        }
