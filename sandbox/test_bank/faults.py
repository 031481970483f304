"""Faults for the next calls: the ways in which a provider lets one down, before or after it has done its work."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ANY: Final = "any"
MAX_TIMES: Final = 1_000_000
MAX_SECONDS: Final = 600


class FaultKind(StrEnum):
    """What goes wrong. `before`: nothing was done; `after`: everything was, only the answer does not arrive."""

    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    ERROR_BEFORE = "500_before"
    ERROR_AFTER = "500_after"
    RATE_LIMIT = "429"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"

    @property
    def is_before(self) -> bool:
        """Whether the call fails without an effect."""
        return self in {self.TIMEOUT_BEFORE, self.ERROR_BEFORE, self.RATE_LIMIT, self.DROP_BEFORE}


@dataclass(slots=True, kw_only=True)
class Fault:
    """A fault for the next `times` calls that fit.

    Attributes:
        on: `any`, or method and path as `POST /v1/refunds`, or with `{id}` as the API description writes it.
        kind: what goes wrong.
        times: how many calls it hits.
        seconds: how long a time-out lasts before the connection drops.
    """

    on: str
    kind: FaultKind
    times: int = 1
    seconds: float = 120


class FaultPlan:
    """The faults to come, the oldest first. The caller holds the bank's lock."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Plan a fault."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Plan nothing any more."""
        self._faults.clear()

    def take(self, method: str, path: str, template: str) -> Fault | None:
        """Return the fault that hits a call, and count it."""
        names = {ANY, f"{method} {path}", f"{method} {template}"}
        fault = next((fault for fault in self._faults if fault.on in names), None)
        if fault is None:
            return None
        fault.times -= 1
        if fault.times <= 0:
            self._faults.remove(fault)
        return fault

    def planned(self) -> list[dict[str, object]]:
        """Return the faults to come as control shows them."""
        return [{"on": fault.on, "kind": fault.kind.value, "times": fault.times} for fault in self._faults]
