"""Who may look at the dashboard: whoever runs commands on this machine gets a link, and the link becomes a visit.

A link works once and for ten minutes; a visit ends after half an hour of silence, after twelve hours, or by leaving.
Both are 256 random bits of which only the SHA-256 is kept, so that a stolen database opens nothing. Time is the
machine's own here: a test clock that leaps must throw nobody out.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, insert, select, update

from gateway.engine.core import Core
from gateway.engine.records import Owner
from gateway.kernel.clock import real_clock
from gateway.kernel.ids import secret_token
from gateway.keys.tokens import digest
from gateway.storage import schema

LINK_LIFETIME: Final = timedelta(minutes=10)
IDLE: Final = timedelta(minutes=30)
LIFETIME: Final = timedelta(hours=12)
NOTED_EVERY: Final = timedelta(minutes=1)  # a visit's last sign is written no more often
KEPT_FOR: Final = timedelta(days=1)
PRUNE_LIMIT: Final = 500

_table: Final = schema.staff_visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Somebody of the staff, looking at one account in one mode."""

    id: str
    owner: Owner


class Staff:
    """Lets staff in, knows them again, and lets them out."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._clock = real_clock(core.clock)

    def invite(self, owner: Owner) -> str:
        """Return the secret of a link that works once."""
        link = secret_token()
        row = {
            "id": self._core.ids.new("vis"),
            "merchant_id": owner.merchant_id,
            "livemode": owner.livemode,
            "link_digest": digest(link),
            "created_at": self._clock.now(),
        }
        self._core.db.write(lambda tx: tx.execute(insert(_table), row))
        return link

    def enter(self, link: str) -> str | None:
        """Use up a link; return the secret of the visit that begins, or None: used before, too old, or never made."""
        now, secret = self._clock.now(), secret_token()
        is_fresh = _table.c.entered_at.is_(None) & (_table.c.created_at > now - LINK_LIFETIME)
        values = {"digest": digest(secret), "entered_at": now, "seen_at": now}
        entering = update(_table).where(_table.c.link_digest == digest(link), is_fresh).values(values)
        return secret if self._core.db.write(lambda tx: tx.execute(entering).rowcount) else None

    def visit(self, secret: str) -> Visit | None:
        """Return the living visit of a secret, and note that it lives; None when there is none."""
        now, is_this = self._clock.now(), _table.c.digest == digest(secret)
        is_alive = is_this & _table.c.left_at.is_(None) & (_table.c.entered_at > now - LIFETIME)
        query = select(_table).where(is_alive, _table.c.seen_at > now - IDLE)
        row = self._core.db.read(lambda tx: tx.execute(query).mappings().one_or_none())
        if row is None:
            return None
        if row["seen_at"] < now - NOTED_EVERY:
            self._note(is_this, "seen_at")
        return Visit(id=row["id"], owner=Owner(merchant_id=row["merchant_id"], livemode=row["livemode"]))

    def look_at(self, visit: Visit, *, livemode: bool) -> None:
        """Turn a visit to real money, or to test money."""
        turning = update(_table).where(_table.c.id == visit.id).values(livemode=livemode)
        self._core.db.write(lambda tx: tx.execute(turning))

    def leave(self, secret: str) -> None:
        """End a visit."""
        self._note(_table.c.digest == digest(secret), "left_at")

    def prune(self) -> int:
        """Forget links and visits that ended long ago; return how many."""
        query = select(_table.c.id).where(_table.c.created_at < self._clock.now() - KEPT_FOR).limit(PRUNE_LIMIT)
        old = self._core.db.read(lambda tx: list(tx.scalars(query)))
        if old:
            self._core.db.write(lambda tx: tx.execute(delete(_table).where(_table.c.id.in_(old))))
        return len(old)

    def _note(self, is_this: ColumnElement[bool], column: str) -> None:
        noting = update(_table).where(is_this).values({column: self._clock.now()})
        self._core.db.write(lambda tx: tx.execute(noting))
