"""Webhooks: Stripe's signature over the raw bytes, and what an event is about. No I/O.

The signature is checked here and not by stripe-python, whose check accepts any time in the future
(https://docs.stripe.com/webhooks#verify-manually). Whatever is wrong with a notification, the answer is the same
refusal: a forger learns nothing. Bodies are read for ids only; what is true is read at Stripe.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from gateway.domain.provider import Notification
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.kernel.log import Log

TOLERANCE_S: Final = 300  # to both sides, as Stripe's own libraries have it to one
MAX_BODY_BYTES: Final = 1_048_576  # Stripe's largest events are a few hundred kilobytes
_MAX_HEADER: Final = 2_048  # a timestamp and some twenty signatures
_MAX_TIME_DIGITS: Final = 12
_MAX_ID: Final = 255  # Stripe's own limit for ids; the inbox keeps ids and types of this length
_MAX_MARK: Final = 40  # our own ids are shorter; a longer mark is somebody else's
_MAX_REFERENCES: Final = 16
_HEADER: Final = "stripe-signature"
_DECLINE: Final = "payment_intent.payment_failed"
_FRAUD_WARNING: Final = "radar.early_fraud_warning."
# Fields that name other objects; each holds an id, or the object itself.
_LINKS: Final = ("payment_intent", "charge", "latest_charge", "subscription", "invoice", "setup_intent", "payout")
_ATTEMPT: Final = "sp_attempt"

log: Final = Log("processors.stripe")

Json = Mapping[str, Any]


class _RefusedError(Exception):
    """A notification is not to be believed; the reason is for the log alone."""


def read_notification(
    body: bytes, headers: Mapping[str, str], *, secrets: Mapping[bool, Sequence[str]], now: datetime
) -> Notification:
    """Verify a webhook and return what it is about.

    Args:
        body: the raw bytes, as they came.
        headers: of the request; names in any case.
        secrets: the signing secrets by livemode.
        now: the time of arrival.

    Raises:
        InvalidRequestError: `notification_refused`.
    """
    try:
        livemode = _signed_mode(body, headers, secrets=secrets, now=now)
        return _notification(_event(body, livemode=livemode))
    except _RefusedError as refusal:
        log.warning("stripe_notification_refused", reason=str(refusal), size=len(body))
    raise InvalidRequestError(
        ErrorCode.NOTIFICATION_REFUSED, "The notification's signature, age, form or mode is wrong. Nothing was kept."
    )


def _signed_mode(
    body: bytes, headers: Mapping[str, str], *, secrets: Mapping[bool, Sequence[str]], now: datetime
) -> bool:
    """Return the mode whose secret signed the body just now."""
    if len(body) > MAX_BODY_BYTES:
        raise _RefusedError("too_large")
    stamp, signatures = _signature_header(headers)
    if abs(int(now.timestamp()) - int(stamp)) > TOLERANCE_S:
        raise _RefusedError("stale_or_future")
    message = stamp.encode() + b"." + body
    # Every secret is tried, whether or not one has fitted already, so that the time tells nothing.
    fitting = [
        livemode
        for livemode, candidates in secrets.items()
        for secret in candidates
        if _fits(secret, message, signatures)
    ]
    if not fitting:
        raise _RefusedError("no_signature_fits")
    return fitting[0]


def _signature_header(headers: Mapping[str, str]) -> tuple[str, Sequence[bytes]]:
    """Return the timestamp as it was written, and every `v1` signature; other schemes count for nothing."""
    header = next((value for name, value in headers.items() if name.lower() == _HEADER), "")
    if not header.isascii() or not 0 < len(header) <= _MAX_HEADER:
        raise _RefusedError("signature_header_malformed")
    parts = [part.strip().partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in parts if name == "t"]
    signatures = [value.encode() for name, _, value in parts if name == "v1"]
    if len(stamps) != 1 or not stamps[0].isdigit() or len(stamps[0]) > _MAX_TIME_DIGITS or not signatures:
        raise _RefusedError("signature_header_malformed")
    return stamps[0], signatures


def _fits(secret: str, message: bytes, signatures: Sequence[bytes]) -> bool:
    expected = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest().encode()
    return sum(hmac.compare_digest(expected, signature) for signature in signatures) > 0  # no early end


def _event(body: bytes, *, livemode: bool) -> Json:
    """Return a body, signed for a mode, as a classic event of that mode.

    Thin events (`v2.core.event`) carry no object; an endpoint of ours is never asked for them.
    """
    try:
        event = json.loads(body.decode(), parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        raise _RefusedError("not_json") from None
    if not isinstance(event, dict) or event.get("object") != "event":
        raise _RefusedError("not_an_event")
    is_whole = (
        _is_id(event.get("id"))
        and _is_id(event.get("type"))
        and type(event.get("livemode")) is bool
        and type(event.get("created")) is int
        and isinstance(event.get("data"), dict)
        and isinstance(event["data"].get("object"), dict)
    )
    if not is_whole:
        raise _RefusedError("event_malformed")
    if event["livemode"] is not livemode:
        raise _RefusedError("wrong_mode")
    return event


def _notification(event: Json) -> Notification:
    subject = event["data"]["object"]
    return Notification(
        event_id=event["id"],
        type=event["type"],
        is_livemode=event["livemode"],
        created_at=_instant(event["created"]),
        references=tuple(dict.fromkeys(_references(subject)))[:_MAX_REFERENCES],
        attempt_id=_attempt(subject),
        is_fraud_warning=event["type"].startswith(_FRAUD_WARNING),
        is_about_payout=event["type"].startswith("payout."),
        is_decline=event["type"] == _DECLINE,
        card=_refused_card(subject) if event["type"] == _DECLINE else None,
        is_about_person=subject.get("object") == "customer",
    )


def _refused_card(intent: Json) -> str | None:
    """Return the fingerprint of the card that a payment intent was refused with."""
    method = _inner(_inner(intent, "last_payment_error"), "payment_method")
    found = _inner(method, "card").get("fingerprint")
    return found if _is_id(found) else None


def _instant(created: int) -> datetime:
    try:
        return datetime.fromtimestamp(created, UTC)
    except (ValueError, OverflowError, OSError):
        raise _RefusedError("event_malformed") from None


def _references(subject: Json) -> Iterator[str]:
    """Yield the ids of the object and of what it belongs to, the object's own first."""
    for place in (subject, _inner(subject, "payment"), _parent(subject)):
        for name in ("id", *_LINKS):
            value = place.get(name)
            found = value.get("id") if isinstance(value, dict) else value
            if isinstance(found, str) and _is_id(found):
                yield found


def _attempt(subject: Json) -> str | None:
    """Return our attempt, from the object's metadata or, for an invoice, from its subscription's."""
    for place in (subject, _parent(subject)):
        found = _inner(place, "metadata").get(_ATTEMPT)
        if _is_id(found, longest=_MAX_MARK):
            return str(found)
    return None


def _parent(subject: Json) -> Json:
    """Return what an invoice says of its subscription (API versions of 2025 and later keep it under `parent`)."""
    return _inner(_inner(subject, "parent"), "subscription_details")


def _inner(owner: Json, name: str) -> Json:
    value = owner.get(name)
    return value if isinstance(value, dict) else {}


def _is_id(value: object, *, longest: int = _MAX_ID) -> bool:
    return isinstance(value, str) and 0 < len(value) <= longest and value.isascii() and value.isprintable()
