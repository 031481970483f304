"""The end of a promise to give again: no reminder comes after it, and no charge."""

from sqlalchemy import select, update

from gateway.domain.words import SessionMode
from gateway.engine.core import Core
from gateway.engine.donations.pledges import PledgeRecord, Pledges, PledgeView
from gateway.engine.idempotency import Intent
from gateway.engine.subscriptions import Subscriptions
from gateway.kernel.errors import ErrorCode, TemporaryError
from gateway.kernel.log import Log
from gateway.storage import schema
from gateway.storage.database import Tx

log = Log("engine")


class Stopping:
    """Ends pledges."""

    def __init__(self, core: Core, pledges: Pledges, subscriptions: Subscriptions) -> None:
        self._core = core
        self._pledges = pledges
        self._subscriptions = subscriptions

    def stop(self, token: str) -> PledgeView:
        """End the pledge of a stop link; one that has ended stays so.

        Raises:
            NotFoundError: there is none.
            ConflictError, WorldError: the provider does not confirm it, and still collects. Ask again.
        """
        found = self._pledges.by_token(token).pledge
        if found.stopped_at is None:
            self.end(found)
        return self._pledges.by_token(token)

    def end(self, pledge: PledgeRecord) -> None:
        """End a pledge, at its provider first: one that is stopped here is never charged again.

        Raises:
            ConflictError, WorldError: the provider does not confirm it.
        """
        if pledge.subscription_id is not None:
            intent = Intent(owner=pledge.owner, route="stop a pledge", key=None, request_hash="")
            self._subscriptions.cancel(intent, pledge.subscription_id, at_period_end=False)
        elif self._core.db.read(lambda tx: _is_being_set_up(tx, pledge)):
            raise TemporaryError(
                ErrorCode.PROVIDER_UNAVAILABLE, "The provider is still setting it up. Stop it in a minute."
            )
        self._core.db.write(lambda tx: self._mark(tx, pledge.id))
        log.info("pledge_stopped", pledge_id=pledge.id)

    def _mark(self, tx: Tx, pledge_id: str) -> None:
        table = schema.pledge
        is_living = (table.c.id == pledge_id) & table.c.stopped_at.is_(None)
        tx.execute(update(table).where(is_living).values(stopped_at=self._core.clock.now(), next_at=None))


def _is_being_set_up(tx: Tx, pledge: PledgeRecord) -> bool:
    """Tell whether money came of a pledge that a provider collects, and its subscription is not known here yet."""
    donations, sessions = schema.donation, schema.checkout_session
    query = (
        select(donations.c.id)
        .join(sessions, sessions.c.id == donations.c.session_id)
        .where(
            donations.c.pledge_id == pledge.id,
            sessions.c.mode == SessionMode.SUBSCRIPTION.value,
            donations.c.received_at.is_not(None),
        )
    )
    return tx.execute(query.limit(1)).first() is not None
