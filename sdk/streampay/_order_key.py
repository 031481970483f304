"""The idempotency key of an order, for shops that may ask twice for one session."""

from __future__ import annotations

from hashlib import sha256

from streampay.errors import refused


def order_key(reference: str, attempt: int = 1) -> str:
    """Return the idempotency key under which a shop opens the session of an order, the same on every machine.

        session = client.checkout.sessions.create(
            **order, reference=order_id, idempotency_key=order_key(order_id, attempt)
        )

    A shop that crashed, or a second worker with the same order, then gets the first answer again and never a second
    session. The gateway keeps that answer for seven days, long after the session in it has expired. So count
    `attempt` up, and store it with the order, before you ask anew: when the session is over, and when the order's
    amount or anything else of the request has changed (the same key with another request is an IdempotencyMismatch).

    Args:
        reference: the order's id, as in `reference` of the session.
        attempt: which try of this order it is, counted from 1.

    Raises:
        InvalidRequest: one of them is of the wrong kind.
    """
    if not isinstance(reference, str) or not reference.strip():
        raise refused("give the reference of the order", code="parameter_missing", param="reference")
    if type(attempt) is not int or attempt < 1:  # exactly: True would be a first attempt
        raise refused("attempts are counted from 1", code="parameter_invalid", param="attempt")
    digest = sha256(reference.encode("utf-8", "surrogatepass")).hexdigest()
    return f"order_{digest}_{attempt}"
