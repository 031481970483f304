"""Check and make webhook signatures (Standard Webhooks, https://www.standardwebhooks.com); standard library only.

    webhook = Webhook()  # STREAMPAY_WEBHOOK_SECRET
    event = webhook.verify(request.get_data(), request.headers)  # raises SignatureVerificationError: answer 400

Always verify the raw bytes of the body: JSON that was parsed and written again has another signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn, Protocol

from streampay._decoding import WireError, decode
from streampay._events import Event
from streampay.errors import ConfigurationError, SignatureVerificationError

SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix, not a secret
DEFAULT_TOLERANCE_S = 300
MAX_TOLERANCE_S = 86_400  # a longer window would make a captured webhook replayable for days
MAX_SECRETS = 8  # each one costs an HMAC on every webhook
MAX_SIGNATURES = 16  # a rotation needs two
MAX_BODY_BYTES = 1 << 20  # events are below 20 kB
MAX_HEADERS = 1_000  # a WSGI environment holds about a hundred
_SECRET_BYTES = range(24, 65)  # Standard Webhooks, section "Symmetric"
_NAMES = {"webhook-id": "id", "webhook-timestamp": "timestamp", "webhook-signature": "signature"}
_LONGEST_NAME = len("HTTP_WEBHOOK_TIMESTAMP")
_ID = re.compile(r"[!-\-/-~]{1,255}", re.ASCII)  # no dot: it separates the signed parts
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURES = re.compile(r"[ -~]{1,4096}", re.ASCII)


class SupportsItems(Protocol):
    """A mapping, or what only behaves like one, such as the headers of Werkzeug."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Return names and values."""
        ...


Headers = Mapping[str, str] | Mapping[str, object] | SupportsItems | Iterable[tuple[str | bytes, str | bytes]]


class Webhook:
    """Verifies what the gateway sends to your endpoint.

    Args:
        secrets: the endpoint's secret (`whsec_…`); while rotating, the new one and the old one. Without any, the
            environment's STREAMPAY_WEBHOOK_SECRET, which may hold several with blanks between them.
        tolerance_s: how far, in seconds, the sender's clock may be from yours, on both sides; greater than 0.
        clock: returns Unix time in seconds.

    Raises:
        ConfigurationError: a secret is missing or malformed.
    """

    def __init__(
        self, *secrets: str, tolerance_s: float = DEFAULT_TOLERANCE_S, clock: Callable[[], float] = time.time
    ) -> None:
        chosen = secrets or tuple(os.environ.get("STREAMPAY_WEBHOOK_SECRET", "").split())
        if not 0 < len(chosen) <= MAX_SECRETS:
            raise ConfigurationError(
                f"set STREAMPAY_WEBHOOK_SECRET or pass 1 to {MAX_SECRETS} webhook secrets",
                code="webhook_secret_missing",
            )
        if isinstance(tolerance_s, bool) or not 0 < tolerance_s <= MAX_TOLERANCE_S:
            raise ConfigurationError(f"tolerance_s is above 0 and at most {MAX_TOLERANCE_S}", code="tolerance_invalid")
        self._keys = tuple(_key(secret) for secret in chosen)
        self._tolerance_s = tolerance_s
        self._clock = clock

    def __repr__(self) -> str:
        return f"Webhook(<{len(self._keys)} secret(s)>, tolerance_s={self._tolerance_s})"

    def verify(self, body: bytes | bytearray | memoryview | str, headers: Headers) -> Event:
        """Return the event that `body` holds, if your gateway sent it just now.

        Args:
            body: the request's body exactly as it arrived.
            headers: any mapping, in any case: Flask, Django (`request.META`), requests, WSGI environment, ASGI pairs.

        Raises:
            SignatureVerificationError: and nothing else, whatever comes in. `code` is one of `headers_missing`,
                `headers_invalid`, `body_invalid`, `body_too_large`, `timestamp_invalid`, `signature_mismatch`,
                `timestamp_too_old`, `timestamp_in_future`, `payload_invalid`.
        """
        try:
            return self._verify(body, headers)
        except SignatureVerificationError:
            raise
        except Exception:  # noqa: BLE001 - a door: hostile input must not become a 500 of the merchant
            reason = "the request cannot be read"
        raise SignatureVerificationError("headers_invalid", reason)

    def _verify(self, body: object, headers: object) -> Event:
        content = _content(body)
        found = _find(headers)
        msg_id, timestamp = found["id"], found["timestamp"]
        if _ID.fullmatch(msg_id) is None:
            _refuse("headers_invalid", "webhook-id is malformed")
        if _TIMESTAMP.fullmatch(timestamp) is None:
            _refuse("timestamp_invalid", "webhook-timestamp is not a whole number of Unix seconds")
        signed = b"%b.%b.%b" % (msg_id.encode("ascii"), timestamp.encode("ascii"), content)
        if not self._matches(signed, _signatures(found["signature"])):
            _refuse("signature_mismatch", "no signature matches: wrong secret, or the body was changed on its way")
        self._check_time(int(timestamp))
        return _event(content)

    def _matches(self, signed: bytes, given: list[bytes]) -> bool:
        """Compare every key with every signature, without an early exit, in constant time."""
        is_match = False
        for key in self._keys:
            expected = _mac(key, signed)
            for signature in given:
                is_match |= hmac.compare_digest(expected, signature)
        return is_match

    def _check_time(self, timestamp: int) -> None:
        behind_s = self._clock() - timestamp
        if abs(behind_s) <= self._tolerance_s:
            return
        if behind_s < 0:
            _refuse("timestamp_in_future", "the webhook is dated in the future: check your server's clock")
        _refuse("timestamp_too_old", "the webhook is too old: a replay, or check your server's clock")


def sign(secret: str, msg_id: str, timestamp: int, body: bytes | str) -> str:
    """Return the `webhook-signature` header for a message, as the gateway would send it; for your own tests.

    Args:
        secret: `whsec_…`.
        msg_id: the `webhook-id` header.
        timestamp: Unix time in whole seconds, the `webhook-timestamp` header.
        body: the exact bytes; a string is encoded in UTF-8.

    Raises:
        ConfigurationError: the secret or another argument is malformed.
    """
    if not isinstance(msg_id, str) or _ID.fullmatch(msg_id) is None:
        raise ConfigurationError("msg_id is 1-255 printable ASCII characters without a dot", code="msg_id_invalid")
    if type(timestamp) is not int or timestamp < 0:
        raise ConfigurationError("timestamp is a whole number of Unix seconds", code="timestamp_invalid")
    try:
        content = _content(body)
    except SignatureVerificationError as error:
        problem = ConfigurationError(error.message, code=error.code)
    else:
        return "v1," + _mac(_key(secret), b"%b.%d.%b" % (msg_id.encode("ascii"), timestamp, content)).decode("ascii")
    raise problem


def _mac(key: bytes, signed: bytes) -> bytes:
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256))


def _key(secret: object) -> bytes:
    if isinstance(secret, str) and secret.startswith(SECRET_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) in _SECRET_BYTES:
            return key
    raise ConfigurationError(
        "a webhook secret is whsec_ followed by base64 of 24 to 64 bytes; copy it from the endpoint's creation",
        code="webhook_secret_invalid",
    )


def _refuse(code: str, message: str) -> NoReturn:
    raise SignatureVerificationError(code, message)


def _content(body: object) -> bytes:
    if isinstance(body, str):
        try:
            content = body.encode()
        except UnicodeEncodeError:
            content = None
    else:
        content = bytes(body) if isinstance(body, (bytes, bytearray, memoryview)) else None
    if content is None:
        _refuse("body_invalid", "pass the raw bytes of the request's body, not parsed JSON")
    if len(content) > MAX_BODY_BYTES:
        _refuse("body_too_large", f"the body exceeds {MAX_BODY_BYTES} bytes")
    return content


def _find(headers: object) -> dict[str, str]:
    """Return the three headers; names in any case, as bytes or text, plain or as WSGI writes them."""
    pairs = headers.items() if hasattr(headers, "items") else headers
    found: dict[str, str] = {}
    for count, (raw_name, raw_value) in enumerate(pairs):  # type: ignore[arg-type]  # `verify` catches
        if count >= MAX_HEADERS:
            _refuse("headers_invalid", f"more than {MAX_HEADERS} headers")
        name = _NAMES.get(_header_name(raw_name))
        if name is None:
            continue
        value = _ascii(raw_value)
        if found.setdefault(name, value) != value:
            _refuse("headers_invalid", f"webhook-{name} came twice with different values")
    missing = [header for header, name in _NAMES.items() if not found.get(name)]
    if missing:
        _refuse("headers_missing", f"missing headers: {', '.join(missing)}")
    return found


def _header_name(name: object) -> str:
    if not isinstance(name, (str, bytes)) or len(name) > _LONGEST_NAME:
        return ""
    text = name.decode("latin-1") if isinstance(name, bytes) else name
    if text.startswith("HTTP_"):
        text = text.removeprefix("HTTP_").replace("_", "-")
    return text.lower()


def _ascii(value: object) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not isinstance(text, str) or not text.isascii():
        _refuse("headers_invalid", "a webhook header is not ASCII text")
    return text


def _signatures(header: str) -> list[bytes]:
    """Return the v1 signatures, still in base64; other schemes (`v1a`) and malformed ones are passed over."""
    if _SIGNATURES.fullmatch(header) is None:
        _refuse("headers_invalid", "webhook-signature is malformed")
    given = header.split(" ")
    if len(given) > MAX_SIGNATURES:
        _refuse("headers_invalid", f"more than {MAX_SIGNATURES} signatures")
    return [signature[3:].encode("ascii") for signature in given if signature.startswith("v1,")]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _event(content: bytes) -> Event:
    try:
        return decode(Event, json.loads(content.decode(), parse_constant=_no_constant))
    except WireError as error:
        reason = str(error)
    except (ValueError, RecursionError):  # not UTF-8, not JSON, nested too deeply
        reason = "the body is not JSON"
    _refuse("payload_invalid", reason)
