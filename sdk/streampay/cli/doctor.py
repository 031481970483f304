"""The two examinations: a webhook's signature, and the whole way between shop and gateway."""

from __future__ import annotations

import json
import os
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime

from streampay import ConfigurationError, SignatureVerificationError, StreamPay, StreamPayError, Webhook, models
from streampay.cli.context import connect
from streampay.gateway.health import ROUND_TRIP_S, first_try
from streampay.testing._events import to_bytes
from streampay.webhooks import MAX_TOLERANCE_S

MAX_SKEW_S = 30  # signatures bear five minutes; a clock that is off by more than this is not being set


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was looked at, whether it is well, what is there, and what to do."""

    name: str
    is_well: bool
    detail: str
    hint: str = ""

    def to_dict(self) -> dict[str, object]:
        """Return it for programs."""
        return asdict(self)


def verify(request: bytes, headers: Sequence[str], secret: str) -> Finding:
    """Say why a signature fails; `request` is a body, or a whole HTTP request when there are no `headers`."""
    lines, body = list(headers), request
    if not lines:
        head, _, rest = request.replace(b"\r\n", b"\n").partition(b"\n\n")
        if rest and b"webhook-" in head.lower():
            lines = [line for line in head.decode("latin-1").split("\n") if ": " in line]
            body = request.partition(b"\r\n\r\n")[2] or rest
    found = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    try:
        event = Webhook(secret).verify(body, found)
    except SignatureVerificationError as error:
        return Finding(
            name="signature",
            is_well=False,
            detail=f"{error.message} ({error.code})",
            hint=_why(error.code, body, found, secret),
        )
    return Finding(name="signature", is_well=True, detail=f"the signature is good: {event.type} {event.id}")


def _why(code: str, body: bytes, headers: dict[str, str], secret: str) -> str:
    """Say what to do about a signature that fails."""
    if code in {"timestamp_too_old", "timestamp_in_future"}:
        behind_s = round(time.time() - int(headers["webhook-timestamp"]))
        when = f"{_span(abs(behind_s))} {'ago' if behind_s > 0 else 'from now'}"
        return f"The secret is right. It was signed {when}; five minutes are borne. Set the clocks, or it is a replay."
    if code == "signature_mismatch":
        for name, other in _other_bodies(body):
            if _matches(other, headers, secret):
                return f"The secret is right; the body was changed: {name}. Verify the raw bytes, as they arrived."
        return "Wrong secret (each endpoint has its own), or the body, webhook-id or webhook-timestamp was changed."
    if code == "headers_missing":
        return "A proxy or framework dropped them, or this is not a delivery of StreamPay."
    return "The form is wrong: see docs/webhooks.md."


def _other_bodies(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield what the body may have been before somebody touched it."""
    yield "blanks or a line end were added or cut", body.strip()
    yield "line ends were changed", body.replace(b"\r\n", b"\n")
    try:
        yield "its JSON was parsed and written again", to_bytes(json.loads(body))
    except ValueError:
        return


def _matches(body: bytes, headers: dict[str, str], secret: str) -> bool:
    try:
        Webhook(secret, tolerance_s=MAX_TOLERANCE_S).verify(body, headers)
    except SignatureVerificationError as error:
        return error.code.startswith(("timestamp_too", "timestamp_in"))
    return True


def _span(seconds: int) -> str:
    for size, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} seconds"


def doctor(args: Namespace) -> Iterator[Finding]:
    """Yield findings in the order in which one thing needs the other; the first that blocks the rest ends them."""
    try:
        client = connect(args).with_options(max_retries=0)
    except ConfigurationError as error:
        yield Finding(name="configuration", is_well=False, detail=error.message, hint=_HINTS.get(error.code, ""))
        return
    mode = "live: real money" if client.livemode else "test"
    yield Finding(name="key", is_well=True, detail=f"mode {mode}")
    try:
        answer = client.request("GET", "/v1/account")
    except StreamPayError as error:
        hint = _HINTS.get(error.code, f"Is this the address of your gateway: {client.base_url}?")
        yield Finding(name="gateway", is_well=False, detail=f"{client.base_url}: {error.message}", hint=hint)
        return
    name = answer.json.get("name", "") if isinstance(answer.json, dict) else ""
    yield Finding(name="gateway", is_well=True, detail=f"{client.base_url} knows the key: {name}")
    yield _tls(client)
    yield _clock(answer.headers.get("date", ""))
    yield from _secret()
    try:
        yield from _endpoints(client)
    except StreamPayError as error:
        yield Finding(name="webhooks", is_well=False, detail=error.message, hint=_HINTS.get(error.code, ""))


_HINTS = {
    "api_key_missing": "export STREAMPAY_API_KEY=sk_test_… (streampay-server keys create)",
    "base_url_missing": "export STREAMPAY_BASE_URL=https://pay.your-shop.example",
    "api_key_invalid": "The key belongs to another gateway, or was revoked. Make a new one.",
    "tls_failed": "Its certificate is expired, self-signed or for another name. Fix it there; never switch checks off.",
    "connection_failed": "Nothing answers there: is the gateway running, and does a firewall or DNS stand between?",
    "timeout": "It is reached but does not answer: look at its /readyz and its log.",
    "answer_invalid": "Something else answers there: base_url must be the gateway's, without /v1.",
}


def _tls(client: StreamPay) -> Finding:
    if client.base_url.startswith("https:"):
        return Finding(name="tls", is_well=True, detail="https, and the certificate is good")
    return Finding(
        name="tls", is_well=True, detail="plain http", hint="Fine on one machine; use https everywhere else."
    )


def _clock(date: str) -> Finding:
    try:
        skew_s = round(time.time() - parsedate_to_datetime(date).timestamp())
    except (TypeError, ValueError, OverflowError):
        return Finding(name="clock", is_well=True, detail="the server does not say its time")
    is_well = abs(skew_s) <= MAX_SKEW_S
    hint = "" if is_well else "Set this machine's clock (NTP): webhooks older than five minutes are refused."
    where = "behind" if skew_s < 0 else "ahead"
    return Finding(name="clock", is_well=is_well, detail=f"this machine is {_span(abs(skew_s))} {where}", hint=hint)


def _secret() -> Iterator[Finding]:
    if os.environ.get("STREAMPAY_WEBHOOK_SECRET"):
        try:
            Webhook()
        except ConfigurationError as error:
            yield Finding(name="secret", is_well=False, detail=error.message)
        else:
            yield Finding(name="secret", is_well=True, detail="STREAMPAY_WEBHOOK_SECRET has the right form")


def _endpoints(client: StreamPay) -> Iterator[Finding]:
    """Send a test event to each endpoint and see how it is answered."""
    endpoints = list(client.webhook_endpoints.list())
    if not endpoints:
        hint = "Add one, poll events, or use `streampay listen` while you develop."
        yield Finding(name="webhooks", is_well=True, detail="there is no endpoint", hint=hint)
    sent = {one.id: client.webhook_endpoints.test(one.id).id for one in endpoints if one.status == "enabled"}
    deadline = time.monotonic() + ROUND_TRIP_S
    for one in endpoints:
        if one.id in sent:
            yield _round_trip(one.url, first_try(client, one.id, sent[one.id], deadline))
        else:
            hint = f"Fix it, then enable it: client.webhook_endpoints.update({one.id!r}, status='enabled')"
            yield Finding(
                name="webhooks", is_well=False, detail=f"{one.url} is disabled: {one.disabled_reason}", hint=hint
            )


def _round_trip(url: str, tried: models.Delivery | None) -> Finding:
    if tried is None:
        detail = f"{url}: the gateway has not sent its test event"
        return Finding(name="webhooks", is_well=False, detail=detail, hint="Is the gateway's worker running?")
    if tried.outcome == "succeeded":
        detail = f"{url}: a test event was answered with {tried.status_code} in {tried.latency_ms} ms"
        return Finding(name="webhooks", is_well=True, detail=detail)
    detail = f"{url}: a test event failed: {tried.status_code or tried.error}"
    return Finding(name="webhooks", is_well=False, detail=detail, hint=_delivery_hint(tried.status_code))


def _delivery_hint(status: int | None) -> str:
    hints: dict[int | None, str] = {
        None: "The gateway cannot reach it: DNS, firewall, certificate, or a private address.",
        400: "Your view refuses it: check the secret with `streampay webhooks verify`.",
        401: "Something before your view asks for a login: let this path through.",
        403: "A firewall, or a CSRF check before your view, refuses it: exempt this path.",
        404: "There is no view at this path.",
        405: "The view must take POST.",
    }
    return hints.get(status, "Look into your server's log; the gateway comes again.")
