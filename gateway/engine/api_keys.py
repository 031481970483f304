"""API keys: made, listed, rolled and revoked by a key of the same account and mode.

A merchant must not lock himself out by accident, nor may a key that is on its way out find a way back in:

- The key that asks, and the last key that does not end by itself, are revoked only by force.
- A key that rolls itself goes on for a minute at the least, unless by force: an answer that is lost can be asked again.
- A key that is ending reads the list, and manages nothing.
- Who asks is looked up again in the same tx, so that a key that another process revoked a moment ago makes no new one.

`streampay-server keys` is bound by none of this: it is how a merchant who lost every key gets in again.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self

from sqlalchemy import RowMapping, insert, or_, select, update

from gateway.domain.words import KeyStatus
from gateway.engine.core import Core
from gateway.engine.idempotency import Intent, Reply, once
from gateway.engine.paging import Page, PageRequest, fetch_page
from gateway.engine.records import Owner, Row, not_found
from gateway.kernel.canonical import canonical_json
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import AuthenticationError, ConflictError, ErrorCode, PermissionDeniedError
from gateway.keys.tokens import digest, hint, new_api_key
from gateway.outbox.model import SecretBox
from gateway.storage import schema
from gateway.storage.database import Tx

CREATED: Final = 201
OK: Final = 200
ROLL_GRACE: Final = timedelta(hours=24)  # an old key goes on working this long after a roll, unless told otherwise
ROLL_GRACE_MAX: Final = timedelta(days=7)
OWN_GRACE_MIN: Final = timedelta(seconds=60)  # an answer that was lost is asked again within it, with the old key
MAX_KEYS: Final = 100  # living ones in one mode: each has rate limits of its own

_table: Final = schema.api_key


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """An API key as it may be shown: never the key itself."""

    id: str
    merchant_id: str
    livemode: bool
    hint: str
    description: str | None
    status: KeyStatus
    replaced_by: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @classmethod
    def of(cls, row: Row, now: datetime) -> Self:
        """Read a row; what the key may still do depends on the time."""
        return cls(status=status_of(row, now), **{name: row[name] for name in _SHOWN})

    def wire(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "id": self.id,
            "object": "api_key",
            "livemode": self.livemode,
            "description": self.description,
            "hint": self.hint,
            "status": self.status.value,
            "replaced_by": self.replaced_by,
            "created_at": rfc3339(self.created_at),
            "expires_at": _shown(self.expires_at),
            "revoked_at": _shown(self.revoked_at),
            "last_used_at": _shown(self.last_used_at),
        }


_SHOWN: Final = tuple(name for name in KeyRow.__dataclass_fields__ if name != "status")


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedKey:
    """A key that was just made, with its secret."""

    id: str
    secret: str


class ApiKeys:
    """The verbs that a key may use on the keys of its own account and mode."""

    def __init__(self, core: Core, box: SecretBox, forget_known: Callable[[], None]) -> None:
        self._core = core
        self._box = box
        self._forget_known = forget_known

    def create(self, intent: Intent, asking_id: str, description: str | None) -> Reply:
        """Make a key and show it, this once.

        Raises:
            PermissionDeniedError: the key that asks is ending.
            ConflictError: there are as many keys as there may be.
        """

        def verb(tx: Tx) -> IssuedKey:
            living = self._living(tx, intent.owner, asking_id)
            return issue_key(self._core, tx, intent.owner, description, living)

        return self._issue(intent, verb)

    def roll(self, intent: Intent, asking_id: str, key_id: str, *, grace: timedelta, is_forced: bool) -> Reply:
        """Make a successor of a key and show it, this once; the old key ends after `grace`.

        Raises:
            NotFoundError: there is no such key of this account and mode.
            PermissionDeniedError: the key that asks is ending.
            ConflictError: the key is not active, or would be gone before its answer is sure to have arrived.
        """

        def verb(tx: Tx) -> IssuedKey:
            owner = intent.owner
            living, row = self._living(tx, owner, asking_id), _own(tx, owner, key_id)
            if status_of(row, self._core.clock.now()) is not KeyStatus.ACTIVE:
                raise ConflictError(
                    ErrorCode.API_KEY_NOT_ACTIVE,
                    "Only an active key is rolled: this one has ended, or was rolled already.",
                    object_id=key_id,
                )
            if key_id == asking_id and grace < OWN_GRACE_MIN and not is_forced:
                raise ConflictError(
                    ErrorCode.API_KEY_NEEDED,
                    "A key that rolls itself needs a grace_s of 60 or more, so that an answer that is lost can be "
                    "asked again. Send force: true if you mean it.",
                    object_id=key_id,
                )
            fresh = issue_key(self._core, tx, owner, row["description"], living)
            end_key(self._core, tx, row, grace, fresh.id)
            return fresh

        reply = self._issue(intent, verb)
        self._forget_known()
        return reply

    def revoke(self, intent: Intent, asking_id: str, key_id: str, *, is_forced: bool) -> Reply:
        """End a key at once; one that has ended stays as it is.

        Raises:
            NotFoundError: there is no such key of this account and mode.
            PermissionDeniedError: the key that asks is ending.
            ConflictError: it is the key that asks, or the last one that does not end by itself, and nobody forced it.
        """

        def verb(tx: Tx) -> Reply:
            living = self._living(tx, intent.owner, asking_id)
            _own(tx, intent.owner, key_id)
            if key_id in living:
                _refuse_lockout(living, asking_id, key_id, is_forced=is_forced)
                revoke_key(self._core, tx, key_id)
            shown = KeyRow.of(_own(tx, intent.owner, key_id), self._core.clock.now())
            return Reply(status_code=OK, body=canonical_json(shown.wire()))

        reply = once(self._core, intent, verb)
        self._forget_known()
        return reply

    def retrieve(self, owner: Owner, key_id: str) -> dict[str, Any]:
        """Return a key of this account and mode, as it may be shown.

        Raises:
            NotFoundError: there is none, or it is somebody else's.
        """
        now = self._core.clock.now()
        return self._core.db.read(lambda tx: KeyRow.of(_own(tx, owner, key_id), now).wire())

    def page(self, owner: Owner, request: PageRequest) -> Page:
        """Return a page of this account's keys in this mode, newest first, those that ended included."""
        now = self._core.clock.now()

        def to_object(row: dict[str, Any]) -> dict[str, Any]:
            return KeyRow.of(row, now).wire()

        return self._core.db.read(lambda tx: fetch_page(tx, _table, select(_table), owner, request, to_object))

    def _living(self, tx: Tx, owner: Owner, asking_id: str) -> Mapping[str, RowMapping]:
        """Lock and return the living keys; who asks must be one of them, and must not be ending."""
        living = living_keys(tx, owner, self._core.clock.now())
        asking = living.get(asking_id)
        if asking is None:
            raise AuthenticationError(
                ErrorCode.API_KEY_INVALID, "This key is not valid. Use an active secret key of this gateway."
            )
        if asking["expires_at"] is not None:
            raise PermissionDeniedError(
                ErrorCode.API_KEY_NOT_ACTIVE,
                "The key that asks is ending, and manages no keys any more. Use its successor.",
                object_id=asking_id,
            )
        return living

    def _issue(self, intent: Intent, verb: Callable[[Tx], IssuedKey]) -> Reply:
        """Show a new key; the memory of the answer holds it sealed."""

        def sealing(tx: Tx) -> Reply:
            issued = verb(tx)
            shown = KeyRow.of(_own(tx, intent.owner, issued.id), self._core.clock.now()).wire()
            shown["secret"] = self._box.seal(issued.secret, aad=_reply_aad(intent.owner, issued.id))
            return Reply(status_code=CREATED, body=canonical_json(shown))

        reply = once(self._core, intent, sealing)
        shown = json.loads(reply.body)
        shown["secret"] = self._box.open(shown["secret"], aad=_reply_aad(intent.owner, shown["id"]))
        return Reply(status_code=reply.status_code, body=canonical_json(shown), is_replay=reply.is_replay)


def status_of(row: Row, now: datetime) -> KeyStatus:
    """Return what a key may still do at a moment."""
    if row["revoked_at"] is not None:
        return KeyStatus.REVOKED
    if row["expires_at"] is None:
        return KeyStatus.ACTIVE
    return KeyStatus.ENDING if now < row["expires_at"] else KeyStatus.ENDED


def living_keys(tx: Tx, owner: Owner, now: datetime) -> Mapping[str, RowMapping]:
    """Lock and return the keys to which the gateway opens, by id: who counts them and who ends one take turns."""
    is_living = _table.c.revoked_at.is_(None) & or_(_table.c.expires_at.is_(None), _table.c.expires_at > now)
    query = select(_table).where(_is_of(owner), is_living).order_by(_table.c.id).with_for_update()
    return {row["id"]: row for row in tx.execute(query).mappings()}


def issue_key(core: Core, tx: Tx, owner: Owner, description: str | None, living: Mapping[str, RowMapping]) -> IssuedKey:
    """Write a new key; only its hash is kept.

    Raises:
        ConflictError: there are as many living keys as there may be.
    """
    if len(living) >= MAX_KEYS:
        raise ConflictError(
            ErrorCode.API_KEY_LIMIT_REACHED, f"An account has at most {MAX_KEYS} keys in each mode. Revoke one first."
        )
    issued = IssuedKey(id=core.ids.new("key"), secret=new_api_key(livemode=owner.livemode))
    values = {
        "id": issued.id,
        "merchant_id": owner.merchant_id,
        "livemode": owner.livemode,
        "digest": digest(issued.secret),
        "hint": hint(issued.secret),
        "description": description,
        "created_at": core.clock.now(),
    }
    tx.execute(insert(_table), values)
    return issued


def end_key(core: Core, tx: Tx, row: Row, grace: timedelta, successor_id: str) -> None:
    """Let a key end after `grace`; never bring one back that has ended, nor lengthen one that is ending."""
    end = core.clock.now() + grace
    end = end if row["expires_at"] is None else min(end, row["expires_at"])
    values = {"expires_at": end, "replaced_by": successor_id}
    tx.execute(update(_table).where(_table.c.id == row["id"]).values(values))


def revoke_key(core: Core, tx: Tx, key_id: str) -> None:
    """End a key at once."""
    tx.execute(update(_table).where(_table.c.id == key_id).values(revoked_at=core.clock.now()))


def _refuse_lockout(living: Mapping[str, RowMapping], asking_id: str, key_id: str, *, is_forced: bool) -> None:
    others = [row for row in living.values() if row["id"] != key_id and row["expires_at"] is None]
    if is_forced or (key_id != asking_id and others):
        return
    which = "the key that asks" if key_id == asking_id else "the last key that does not end by itself"
    raise ConflictError(
        ErrorCode.API_KEY_NEEDED, f"This is {which}. Send force: true if you mean it.", object_id=key_id
    )


def _own(tx: Tx, owner: Owner, key_id: str) -> RowMapping:
    query = select(_table).where(_is_of(owner), _table.c.id == key_id)
    row = tx.execute(query).mappings().one_or_none()
    if row is None:
        raise not_found("API key")
    return row


def _is_of(owner: Owner) -> Any:
    return (_table.c.merchant_id == owner.merchant_id) & (_table.c.livemode == owner.livemode)


def _shown(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)


def _reply_aad(owner: Owner, key_id: str) -> str:
    return f"{owner.merchant_id}:{key_id}|idempotency.response"
