"""Endpoints: where a merchant wants events, with which secret, and in what state.

Merchant and mode stand in every query; a foreign id looks like one that does not exist. Deleting is soft: deliveries
keep their endpoint. Secrets are sealed for their merchant and endpoint and shown once; several are valid during a
rotation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, insert, or_, select, update

from gateway.domain.events import EventType
from gateway.kernel.clock import Clock
from gateway.kernel.errors import ConflictError, ErrorCode, InvalidRequestError, NotFoundError
from gateway.kernel.ids import Ids, is_id
from gateway.outbox.guard import OutboundPolicy, check_url
from gateway.outbox.model import (
    ALL_EVENTS,
    Endpoint,
    EndpointChanges,
    EndpointStatus,
    IssuedEndpoint,
    OutboxStatus,
    Page,
    SecretBox,
)
from gateway.outbox.paging import newest_first
from gateway.storage.database import Tx
from gateway.storage.schema import merchant, outbox, webhook_endpoint, webhook_secret, webhook_subscription

MAX_ENDPOINTS: Final = 16  # a merchant and mode: each event costs one row an endpoint
MAX_SECRETS: Final = 4  # valid at once: receivers read at most 16 signatures, headers stay short
GRACE_DEFAULT_S: Final = 86_400
GRACE_MAX_S: Final = 604_800
MAX_DESCRIPTION: Final = 200
_SUBSCRIBABLE: Final = frozenset(each.value for each in EventType)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The verbs and reads of endpoints; each runs in its caller's tx.

    Attributes:
        new_secret: makes a fresh `whsec_…`; `gateway.keys.tokens.new_webhook_secret`.
        policy: where webhooks may go.
    """

    box: SecretBox
    clock: Clock
    ids: Ids
    new_secret: Callable[[], str]
    policy: OutboundPolicy = field(default_factory=OutboundPolicy)

    def create(
        self,
        tx: Tx,
        merchant_id: str,
        *,
        livemode: bool,
        url: str,
        enabled_events: Sequence[str] = (ALL_EVENTS,),
        description: str | None = None,
    ) -> IssuedEndpoint:
        """Add an endpoint, enabled, and return it with its secret.

        Raises:
            InvalidRequestError: URL, events or description are refused.
            ConflictError: `endpoint_limit_reached`.
        """
        check_url(url, livemode=livemode, policy=self.policy)
        now = self.clock.now()
        endpoint = Endpoint(
            id=self.ids.new("we"),
            merchant_id=merchant_id,
            livemode=livemode,
            url=url,
            description=_description(description),
            enabled_events=_events(enabled_events),
            status=EndpointStatus.ENABLED,
            disabled_reason=None,
            created_at=now,
        )
        _check_room(tx, merchant_id, livemode=livemode)
        tx.execute(
            insert(webhook_endpoint).values(
                id=endpoint.id,
                merchant_id=merchant_id,
                livemode=livemode,
                url=url,
                description=endpoint.description,
                status=endpoint.status.value,
                created_at=now,
            )
        )
        _subscribe(tx, endpoint, endpoint.enabled_events)
        return IssuedEndpoint(endpoint=endpoint, secret=self._issue_secret(tx, endpoint, now))

    def update(
        self, tx: Tx, merchant_id: str, endpoint_id: str, *, livemode: bool, changes: EndpointChanges
    ) -> Endpoint:
        """Change what `changes` names and return the endpoint.

        Raises:
            NotFoundError: no such endpoint of this merchant and mode.
            InvalidRequestError: URL, events or description are refused.
        """
        endpoint = lock(tx, merchant_id, endpoint_id, livemode=livemode)
        if changes.url is not None:
            check_url(changes.url, livemode=livemode, policy=self.policy)
            _set(tx, endpoint_id, url=changes.url)
        if changes.description is not None:
            _set(tx, endpoint_id, description=_description(changes.description))
        if changes.enabled_events is not None:
            _subscribe(tx, endpoint, _events(changes.enabled_events))
        if changes.status is EndpointStatus.ENABLED and endpoint.status is not EndpointStatus.ENABLED:
            _enable(tx, endpoint_id, self.clock.now())
        if changes.status is EndpointStatus.DISABLED and endpoint.status is not EndpointStatus.DISABLED:
            switch_off(tx, endpoint_id, "Disabled by the merchant.")
        return retrieve(tx, merchant_id, endpoint_id, livemode=livemode)

    def enable(self, tx: Tx, merchant_id: str, endpoint_id: str, *, livemode: bool) -> Endpoint:
        """Enable an endpoint; what waited for it is due now.

        Raises:
            NotFoundError: no such endpoint of this merchant and mode.
        """
        changes = EndpointChanges(status=EndpointStatus.ENABLED)
        return self.update(tx, merchant_id, endpoint_id, livemode=livemode, changes=changes)

    def disable(self, tx: Tx, merchant_id: str, endpoint_id: str, *, livemode: bool) -> Endpoint:
        """Disable an endpoint; what waits for it stays until it is enabled again.

        Raises:
            NotFoundError: no such endpoint of this merchant and mode.
        """
        changes = EndpointChanges(status=EndpointStatus.DISABLED)
        return self.update(tx, merchant_id, endpoint_id, livemode=livemode, changes=changes)

    def delete(self, tx: Tx, merchant_id: str, endpoint_id: str, *, livemode: bool) -> None:
        """Delete an endpoint, its secrets and what waits for it; its deliveries stay in the log.

        Raises:
            NotFoundError: no such endpoint of this merchant and mode.
        """
        lock(tx, merchant_id, endpoint_id, livemode=livemode)
        _set(tx, endpoint_id, status=EndpointStatus.DISABLED.value, deleted_at=self.clock.now())
        tx.execute(delete(webhook_secret).where(webhook_secret.c.endpoint_id == endpoint_id))
        tx.execute(delete(webhook_subscription).where(webhook_subscription.c.endpoint_id == endpoint_id))
        waiting = [OutboxStatus.PENDING.value, OutboxStatus.PARKED.value]
        tx.execute(
            update(outbox)
            .where(outbox.c.endpoint_id == endpoint_id, outbox.c.status.in_(waiting))
            .values(status=OutboxStatus.DROPPED.value)
        )

    def rotate_secret(
        self, tx: Tx, merchant_id: str, endpoint_id: str, *, livemode: bool, grace_s: int = GRACE_DEFAULT_S
    ) -> IssuedEndpoint:
        """Issue a new secret; the old ones sign beside it for `grace_s` seconds, 0 to a week.

        Raises:
            NotFoundError: no such endpoint of this merchant and mode.
            InvalidRequestError: `parameter_invalid` for the grace.
        """
        if not 0 <= grace_s <= GRACE_MAX_S:
            raise InvalidRequestError(
                ErrorCode.PARAMETER_INVALID, "Send a grace of 0 to 604800 seconds.", param="/grace_s"
            )
        endpoint = lock(tx, merchant_id, endpoint_id, livemode=livemode)
        now = self.clock.now()
        _retire_secrets(tx, endpoint_id, now, until=now + timedelta(seconds=grace_s))
        return IssuedEndpoint(endpoint=endpoint, secret=self._issue_secret(tx, endpoint, now))

    def _issue_secret(self, tx: Tx, endpoint: Endpoint, now: datetime) -> str:
        secret = self.new_secret()
        tx.execute(
            insert(webhook_secret).values(
                id=self.ids.new("whs"),
                endpoint_id=endpoint.id,
                sealed_secret=self.box.seal(secret, aad=secret_aad(endpoint.merchant_id, endpoint.id)),
                created_at=now,
            )
        )
        return secret


# --- reads, and what the rest of the room shares -----------------------------------------------------------------


def retrieve(tx: Tx, merchant_id: str, endpoint_id: str, *, livemode: bool) -> Endpoint:
    """Return one endpoint.

    Raises:
        NotFoundError: no such endpoint of this merchant and mode.
    """
    return _read(tx, merchant_id, endpoint_id, livemode=livemode, is_locked=False)


def lock(tx: Tx, merchant_id: str, endpoint_id: str, *, livemode: bool) -> Endpoint:
    """Return one endpoint and hold its row until the tx ends.

    Raises:
        NotFoundError: no such endpoint of this merchant and mode.
    """
    return _read(tx, merchant_id, endpoint_id, livemode=livemode, is_locked=True)


def list_endpoints(
    tx: Tx,
    merchant_id: str,
    *,
    livemode: bool,
    limit: int = 10,
    starting_after: str | None = None,
    ending_before: str | None = None,
) -> Page[Endpoint]:
    """Return endpoints, newest first.

    Raises:
        InvalidRequestError: `cursor_invalid`.
    """
    rows, has_more = newest_first(
        tx,
        _owned(merchant_id, livemode=livemode),
        webhook_endpoint.c.id,
        prefix="we",
        limit=limit,
        starting_after=starting_after,
        ending_before=ending_before,
    )
    return Page(items=with_subscriptions(tx, rows), has_more=has_more)


def with_subscriptions(tx: Tx, rows: Sequence[Any]) -> tuple[Endpoint, ...]:
    """Return the endpoints of some rows, each with its events; one statement for all of them."""
    wanted = select(webhook_subscription.c.endpoint_id, webhook_subscription.c.type).where(
        webhook_subscription.c.endpoint_id.in_([row.id for row in rows])
    )
    events: dict[str, list[str]] = {row.id: [] for row in rows}
    for endpoint_id, event_type in tx.execute(wanted):
        events[endpoint_id].append(event_type)
    return tuple(_endpoint(row, events[row.id]) for row in rows)


def switch_off(tx: Tx, endpoint_id: str, reason: str) -> None:
    """Disable an endpoint and park what waits for it."""
    _set(tx, endpoint_id, status=EndpointStatus.DISABLED.value, disabled_reason=reason)
    tx.execute(
        update(outbox)
        .where(outbox.c.endpoint_id == endpoint_id, outbox.c.status == OutboxStatus.PENDING.value)
        .values(status=OutboxStatus.PARKED.value)
    )


def secret_aad(merchant_id: str, endpoint_id: str) -> str:
    """Return what binds a sealed webhook secret to its owner."""
    return f"{merchant_id}:{endpoint_id}|webhook_secret"


def _enable(tx: Tx, endpoint_id: str, now: datetime) -> None:
    _set(tx, endpoint_id, status=EndpointStatus.ENABLED.value, disabled_reason=None, failing_since=None)
    tx.execute(
        update(outbox)
        .where(outbox.c.endpoint_id == endpoint_id, outbox.c.status == OutboxStatus.PARKED.value)
        .values(status=OutboxStatus.PENDING.value, due_at=now, lease=None)
    )


def _owned(merchant_id: str, *, livemode: bool) -> Any:
    return select(webhook_endpoint).where(
        webhook_endpoint.c.merchant_id == merchant_id,
        webhook_endpoint.c.livemode == livemode,
        webhook_endpoint.c.deleted_at.is_(None),
    )


def _read(tx: Tx, merchant_id: str, endpoint_id: str, *, livemode: bool, is_locked: bool) -> Endpoint:
    row = None
    if is_id(endpoint_id, "we"):
        query = _owned(merchant_id, livemode=livemode).where(webhook_endpoint.c.id == endpoint_id)
        row = tx.execute(query.with_for_update() if is_locked else query).one_or_none()
    if row is None:
        raise NotFoundError(ErrorCode.NOT_FOUND, "There is no such webhook endpoint.")
    return with_subscriptions(tx, [row])[0]


def _endpoint(row: Any, events: Sequence[str]) -> Endpoint:
    return Endpoint(
        id=row.id,
        merchant_id=row.merchant_id,
        livemode=row.livemode,
        url=row.url,
        description=row.description,
        enabled_events=tuple(sorted(events)),
        status=EndpointStatus(row.status),
        disabled_reason=row.disabled_reason,
        created_at=row.created_at,
    )


def _set(tx: Tx, endpoint_id: str, **values: Any) -> None:
    tx.execute(update(webhook_endpoint).where(webhook_endpoint.c.id == endpoint_id).values(**values))


def _subscribe(tx: Tx, endpoint: Endpoint, events: Sequence[str]) -> None:
    """Replace the subscriptions of an endpoint."""
    owner = {"endpoint_id": endpoint.id, "merchant_id": endpoint.merchant_id, "livemode": endpoint.livemode}
    tx.execute(delete(webhook_subscription).where(webhook_subscription.c.endpoint_id == endpoint.id))
    tx.execute(insert(webhook_subscription), [{**owner, "type": each} for each in events])


def _retire_secrets(tx: Tx, endpoint_id: str, now: datetime, *, until: datetime) -> None:
    """Let valid secrets end at `until` at the latest; forget expired ones and those beyond the limit."""
    query = select(webhook_secret.c.id, webhook_secret.c.expires_at).where(webhook_secret.c.endpoint_id == endpoint_id)
    rows = sorted(tx.execute(query).all(), key=lambda row: (row.expires_at is None, row.id), reverse=True)
    ends = {row.id: min(until, row.expires_at or until) for row in rows}
    kept = [each for each, end in ends.items() if end > now][: MAX_SECRETS - 1]
    tx.execute(
        delete(webhook_secret).where(webhook_secret.c.endpoint_id == endpoint_id, webhook_secret.c.id.not_in(kept))
    )
    for each in kept:
        tx.execute(update(webhook_secret).where(webhook_secret.c.id == each).values(expires_at=ends[each]))


def valid_secrets(tx: Tx, endpoint_ids: Sequence[str], now: datetime) -> dict[str, list[str]]:
    """Return the sealed secrets that sign now, newest first, by endpoint."""
    query = select(webhook_secret.c.endpoint_id, webhook_secret.c.sealed_secret).where(
        webhook_secret.c.endpoint_id.in_(endpoint_ids),
        or_(webhook_secret.c.expires_at.is_(None), webhook_secret.c.expires_at > now),
    )
    found: dict[str, list[str]] = {}
    for endpoint_id, sealed in tx.execute(
        query.order_by(webhook_secret.c.expires_at.is_not(None), webhook_secret.c.id.desc())
    ):
        found.setdefault(endpoint_id, []).append(sealed)
    return found


def _check_room(tx: Tx, merchant_id: str, *, livemode: bool) -> None:
    """Refuse the seventeenth endpoint; the merchant's row is held so that two creates at once cannot both pass."""
    tx.execute(select(merchant.c.id).where(merchant.c.id == merchant_id).with_for_update())
    owned = _owned(merchant_id, livemode=livemode).subquery()
    if tx.execute(select(func.count()).select_from(owned)).scalar_one() >= MAX_ENDPOINTS:
        raise ConflictError(
            ErrorCode.ENDPOINT_LIMIT_REACHED, f"There are {MAX_ENDPOINTS} endpoints already. Delete one first."
        )


def _events(wanted: Sequence[str]) -> tuple[str, ...]:
    if not wanted or any(each not in _SUBSCRIBABLE and each != ALL_EVENTS for each in wanted):
        raise InvalidRequestError(
            ErrorCode.PARAMETER_INVALID, 'Send event types of the catalogue, or "*" for all.', param="/enabled_events"
        )
    return (ALL_EVENTS,) if ALL_EVENTS in wanted else tuple(sorted(set(wanted)))


def _description(text: str | None) -> str | None:
    if text is not None and (len(text) > MAX_DESCRIPTION or not text.isprintable()):
        raise InvalidRequestError(
            ErrorCode.PARAMETER_INVALID, "Send at most 200 printable characters.", param="/description"
        )
    return text or None
