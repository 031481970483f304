"""The control of the test exchange: one JSON object a command, refused as a whole when any part of it is wrong.

{"set_price": {"SOL": "150.00"}}               a coin in USD, until a reset
{"set_euro": {"USD": "1.10"}}                  one euro in a currency
{"freeze": true}                               time and prices stand still, so they grow stale
{"fault": {"source": "kraken", "kind": "status", "status": 429}}
{"fault": {"source": "kraken", "kind": "hang", "seconds": 30}}       also "drip"
{"fault": {"source": "kraken", "kind": "body", "body": "{"}}
{"fault": {"source": "kraken", "kind": "skew", "skew_bps": 1000}}    10 % too dear
{"fault": {"source": "kraken", "kind": "age", "seconds": 600}}
{"fault": {"source": "kraken", "kind": "missing"}}                   the market is not listed
{"mend": "kraken"}
{"reset": true}
"""

import re
from typing import Any

from sandbox.exchange.formats import decimal
from sandbox.exchange.market import MICROS, SOURCES, Fault, FaultKind, Market

_DECIMAL = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,6}))?", re.ASCII)
_FIELDS = {
    FaultKind.STATUS: "status",
    FaultKind.HANG: "seconds",
    FaultKind.DRIP: "seconds",
    FaultKind.AGE: "seconds",
    FaultKind.BODY: "body",
    FaultKind.SKEW: "skew_bps",
    FaultKind.MISSING: None,
}
_RANGES = {"status": (400, 599), "seconds": (0, 864_000), "skew_bps": (-9_999, 100_000)}


class ControlError(Exception):
    """The command is wrong; the message says what to send."""


def apply(market: Market, command: Any) -> None:
    """Carry out one command.

    Raises:
        ControlError: nothing was changed.
    """
    if not isinstance(command, dict) or len(command) != 1:
        raise ControlError("Send one JSON object with one command.")
    ((verb, argument),) = command.items()
    match verb:
        case "set_price":
            for coin, micros in _amounts(argument, market.coins()).items():
                market.set_price(coin, micros)
        case "set_euro":
            for code, micros in _amounts(argument, market.currencies()).items():
                market.set_euro(code, micros)
        case "freeze" if isinstance(argument, bool):
            market.freeze(is_frozen=argument)
        case "fault" if isinstance(argument, dict):
            market.set_fault(_source(argument.get("source")), _fault(argument))
        case "mend":
            market.set_fault(_source(argument), None)
        case "reset" if argument is True:
            market.reset()
        case _:
            raise ControlError("Commands: set_price, set_euro, freeze, fault, mend, reset.")


def describe(market: Market) -> dict[str, Any]:
    """Return the state of the exchange."""
    faults = {source: market.fault(source) for source in SOURCES}
    return {
        "now": market.now().isoformat(),
        "reference_day": market.reference_day().isoformat(),
        "usd": {coin: decimal(market.price("kraken", coin, "USD")) for coin in market.coins()},
        "faults": {source: fault.kind.value for source, fault in faults.items() if fault is not None},
    }


def _amounts(argument: Any, known: tuple[str, ...]) -> dict[str, int]:
    if not isinstance(argument, dict) or not argument or not set(argument) <= set(known):
        raise ControlError(f"Name at least one of {', '.join(known)}, and no other.")
    return {code: _micros(text) for code, text in argument.items()}


def _micros(text: Any) -> int:
    matched = _DECIMAL.fullmatch(text) if isinstance(text, str) else None
    micros = int(matched[1]) * MICROS + int((matched[2] or "").ljust(6, "0")) if matched else 0
    if micros == 0:
        raise ControlError('Send a positive price as a string with at most six decimals, such as "150.00".')
    return micros


def _source(name: Any) -> str:
    if name not in SOURCES:
        raise ControlError(f"Sources: {', '.join(SOURCES)}.")
    return str(name)


def _fault(argument: dict[str, Any]) -> Fault:
    try:
        kind = FaultKind(str(argument.get("kind")))
    except ValueError:
        raise ControlError(f"Kinds of fault: {', '.join(FaultKind)}.") from None
    name = _FIELDS[kind]
    given = {key: value for key, value in argument.items() if key not in {"source", "kind"}}
    if not set(given) <= ({name} if name else set()):
        raise ControlError(f"A fault of this kind takes {name or 'no field'} only.")
    for key, value in given.items():
        _check(key, value)
    return Fault(kind=kind, **given)


def _check(name: str, value: Any) -> None:
    if name == "body":
        if not isinstance(value, str):
            raise ControlError("The body is a string.")
        return
    low, high = _RANGES[name]
    if type(value) is not int or not low <= value <= high:
        raise ControlError(f"{name} is a whole number from {low} to {high}.")
