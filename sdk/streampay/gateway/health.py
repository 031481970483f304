"""The self-test: what a merchant presses before the first shopper comes, and when something is odd."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from streampay import models
from streampay.client import StreamPay
from streampay.errors import AuthenticationFailed, StreamPayError

MAX_SKEW_S = 120  # webhooks are refused at 300
ROUND_TRIP_S = 15.0
_POLL_S = 0.5


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: `detail` says what was found, or what to do."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class Report:
    """What a self-test has found; true if everything is well."""

    checks: tuple[Check, ...]

    def __bool__(self) -> bool:
        return all(check.ok for check in self.checks)

    def __str__(self) -> str:
        return "\n".join(f"{'ok    ' if check.ok else 'FAILED'}  {check.name}: {check.detail}" for check in self.checks)


def inspect(client: StreamPay, webhook_url: str | None) -> Report:
    """Look at everything that the plugin needs; what fails names the blocker, and what rests on it is left out."""
    try:
        account = client.account.retrieve()
    except AuthenticationFailed:
        return Report((Check("key", ok=False, detail="The gateway does not know this key. Make a new one there."),))
    except StreamPayError as error:
        return Report((Check("gateway", ok=False, detail=f"{client.base_url} does not answer: {error}"),))
    mode = "live" if client.livemode else "test"
    checks = [Check("key", ok=True, detail=f"{account.name}, {mode} mode")]
    try:
        checks += [_methods(client), *_webhooks(client, webhook_url)]
    except StreamPayError as error:
        checks.append(Check("gateway", ok=False, detail=str(error)))
    return Report(tuple(checks))


def _methods(client: StreamPay) -> Check:
    names = [method.id for method in client.methods.list() if method.available]
    told = ", ".join(names) if names else "none: set up a receiving address or a card provider at the gateway"
    return Check("methods", ok=bool(names), detail=told)


def _webhooks(client: StreamPay, url: str | None) -> Iterator[Check]:
    if url is None:
        yield Check("webhooks", ok=False, detail="Not tried: tell the plugin its webhook_url.")
        return
    endpoint = next((one for one in client.webhook_endpoints.list() if one.url == url), None)
    if endpoint is None:
        yield Check("webhooks", ok=False, detail=f"The gateway has no endpoint for {url}. Add it there.")
        return
    if endpoint.status != "enabled":
        yield Check("webhooks", ok=False, detail="The endpoint is disabled. Enable it at the gateway.")
        return
    ping = client.webhook_endpoints.test(endpoint.id)
    yield _clock(ping)
    yield _arrival(client, endpoint.id, ping.id)


def _clock(ping: models.Event) -> Check:
    skew_s = round((datetime.now(timezone.utc) - ping.timestamp).total_seconds())
    is_good = abs(skew_s) <= MAX_SKEW_S
    told = "agrees with the gateway's" if is_good else f"is {skew_s} s off the gateway's. Let NTP set it."
    return Check("clock", ok=is_good, detail=f"This server's clock {told}")


def _arrival(client: StreamPay, endpoint_id: str, event_id: str) -> Check:
    newest = first_try(client, endpoint_id, event_id, time.monotonic() + ROUND_TRIP_S)
    if newest is None:
        return Check("webhooks", ok=False, detail="The gateway has not sent its test event. Is its worker running?")
    return Check("webhooks", ok=newest.outcome == "succeeded", detail=_told(newest))


def first_try(client: StreamPay, endpoint_id: str, event_id: str, deadline: float) -> models.Delivery | None:
    """Wait until an event was sent to an endpoint, as the gateway tells of it; None if that was not by `deadline`.

    Args:
        client: of the gateway.
        endpoint_id: where it goes.
        event_id: what was asked for, such as a test event.
        deadline: by the monotonic clock.
    """
    while True:
        tries = (one for one in client.webhook_endpoints.deliveries.list(endpoint_id).page if one.event == event_id)
        newest = next(tries, None)
        if newest is not None or time.monotonic() >= deadline:
            return newest
        time.sleep(_POLL_S)


def _told(tried: models.Delivery) -> str:
    if tried.outcome == "succeeded":
        return f"A test event came here and was answered with {tried.status_code} in {tried.latency_ms} ms."
    if tried.status_code == 400:  # noqa: PLR2004 - what `handle_webhook` answers to a bad signature
        return "The test event came, and its signature was refused: the webhook secret is another endpoint's."
    if tried.status_code is not None:
        return f"The test event was answered with {tried.status_code}. Something before the plugin stands in the way."
    return f"The gateway cannot reach this address: {tried.error or 'no answer'}."
