"""`POST /inbound/<processor>`: a provider's notification is verified, stored byte for byte, and answered at once.

Nothing is worked on here and nothing is believed: what a notification names is read again at its provider, afterwards.
The sender's signature is the only credential; there are no cookies, and the body is never logged.
"""

from typing import Final

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from gateway.engine.inbound import Inbound
from gateway.kernel.canonical import canonical_json
from gateway.kernel.errors import ErrorCode, GatewayError, InvalidRequestError, PayloadTooLargeError
from gateway.kernel.log import Log

MAX_BODY_BYTES: Final = 512 * 1024  # providers' largest events are some hundred kilobytes
_RECEIVED: Final = canonical_json({"received": True})
_FAILED: Final = canonical_json({"received": False})
log = Log("inbound")


def inbound_blueprint(inbox: Inbound) -> Blueprint:
    """Return the door to an inbox."""
    door = Blueprint("inbound", __name__)

    @door.post("/inbound/<processor>")
    def take(processor: str) -> Response:
        try:
            is_new = inbox.accept(processor, _body(), dict(request.headers))
        except GatewayError as error:
            log.info("notification_refused", code=error.code, status=error.status)
            return _problem(error)
        except Exception:
            log.exception("notification_failed")
            return Response(_FAILED, status=500, mimetype="application/json")
        log.debug("notification_taken", is_new=is_new)
        return Response(_RECEIVED, mimetype="application/json")

    return door


def _body() -> bytes:
    """Return the raw bytes, as they were signed.

    Raises:
        PayloadTooLargeError: there are more than 512 KiB of them.
        InvalidRequestError: they broke off.
    """
    request.max_content_length = MAX_BODY_BYTES + 1  # Werkzeug cuts a chunked body at its limit without a word
    try:
        body = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise _too_large() from None
    except HTTPException:
        raise InvalidRequestError(
            ErrorCode.NOTIFICATION_REFUSED, "The notification could not be read to its end."
        ) from None
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()
    return body


def _too_large() -> PayloadTooLargeError:
    return PayloadTooLargeError(ErrorCode.BODY_TOO_LARGE, "Send at most 512 KiB.")


def _problem(error: GatewayError) -> Response:
    """Say what is wrong in the words of RFC 9457, and nothing of what was sent."""
    shown = {"type": "about:blank", "status": error.status, "code": error.code.value, "detail": error.message}
    return Response(canonical_json(shown), status=error.status, mimetype="application/problem+json")
