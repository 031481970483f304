"""How the wire becomes frozen objects, and back. `models` holds the objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from datetime import datetime, timezone
from typing import ClassVar, TypeVar, cast

M = TypeVar("M", bound="Model")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseMeta:
    """How an object came: the request's id for support, and whether an idempotency key replayed an earlier answer."""

    status: int
    request_id: str | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What all objects share. `response` is set on what a call returned, not on the objects inside it."""

    OBJECT: ClassVar[str | None] = None

    extra: dict[str, object] = field(default_factory=dict, repr=False, hash=False)
    response: ResponseMeta | None = field(default=None, repr=False, compare=False)

    def to_dict(self) -> dict[str, object]:
        """Return the object in the wire's form: plain dicts, lists, strings, numbers."""
        wire: dict[str, object] = {} if self.OBJECT is None else {"object": self.OBJECT}
        for name in _plan(type(self)):
            wire[name] = _to_wire(getattr(self, name))
        return {**wire, **self.extra}


class WireError(ValueError):
    """The wire does not keep its contract; the message names the field and never its value."""


Reader = Callable[[object], object]


def decode(kind: type[M], wire: object, response: ResponseMeta | None = None) -> M:
    """Build an object of `kind` from parsed JSON.

    Raises:
        WireError: a required field is missing or a known one has the wrong type.
    """
    if not isinstance(wire, dict):
        raise WireError(f"{kind.__name__} is not an object")
    plan = _plan(kind)
    known: dict[str, object] = {}
    for name, (read, is_required) in plan.items():
        if name not in wire:
            if is_required:
                raise WireError(f"{kind.__name__}.{name} is missing")
            continue
        try:
            known[name] = read(wire[name])
        except WireError:
            raise
        except (TypeError, ValueError, OverflowError):
            raise WireError(f"{kind.__name__}.{name} has the wrong type") from None
    extra = {name: value for name, value in wire.items() if name not in plan and name != "object"}
    build = cast("Callable[..., M]", kind)
    return build(**known, extra=extra, response=response)


_PLANS: dict[str, dict[str, tuple[Reader, bool]]] = {}  # one entry for each class above


def _plan(kind: type[Model]) -> dict[str, tuple[Reader, bool]]:
    """Return reader and requiredness of each field on the wire; the annotation as written chooses the reader."""
    plan = _PLANS.get(kind.__name__)
    if plan is None:
        plan = _PLANS[kind.__name__] = _new_plan(kind)
    return plan


def _new_plan(kind: type[Model]) -> dict[str, tuple[Reader, bool]]:
    return {
        each.name: (READERS[str(each.type)], each.default is MISSING and each.default_factory is MISSING)
        for each in fields(kind)
        if each.name not in ("extra", "response")
    }


def _exactly(kind: type) -> Reader:
    def read(value: object) -> object:
        if type(value) is not kind:  # exactly: True is an int to isinstance
            raise TypeError
        return value

    return read


def or_none(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


def many(read: Reader) -> Reader:
    def read_all(value: object) -> object:
        if not isinstance(value, list):
            raise TypeError
        return tuple([read(item) for item in value])

    return read_all


def one(kind: type[Model]) -> Reader:
    return lambda value: decode(kind, value)


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise TypeError
    instant = datetime.fromisoformat(value.replace("Z", "+00:00"))  # Python 3.10 does not read the Z
    if instant.tzinfo is None:
        raise ValueError
    return instant.astimezone(timezone.utc)


def _texts(value: object) -> object:
    if not isinstance(value, dict) or not all(type(text) is str for text in value.values()):
        raise TypeError
    return value


_TEXT = _exactly(str)


READERS: dict[str, Reader] = {
    "str": _TEXT,
    "str | None": or_none(_TEXT),
    "bool": _exactly(bool),
    "int": _exactly(int),
    "int | None": or_none(_exactly(int)),
    "datetime": _instant,
    "datetime | None": or_none(_instant),
    "dict[str, str]": _texts,
    "dict[str, object]": _exactly(dict),
    "dict[str, object] | None": or_none(_exactly(dict)),
    "tuple[str, ...]": many(_TEXT),
    "tuple[str, ...] | None": or_none(many(_TEXT)),
}


def _to_wire(value: object) -> object:
    if isinstance(value, Model):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_to_wire(item) for item in value]
    if isinstance(value, datetime):
        precision = "microseconds" if value.microsecond % 1000 else "milliseconds"
        return value.isoformat(timespec=precision).replace("+00:00", "Z")
    return value
