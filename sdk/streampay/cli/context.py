"""What the commands share: configuration, exact bytes, forwarding, output."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass

import requests
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from streampay import ConfigurationError, ConnectionFailed, Event, RateLimited, ServerError, StreamPay
from streampay.testing import event_types, sign_headers

OK, PROBLEM, USAGE = 0, 1, 2
RETRY_PAUSES_S = (1, 3, 10)  # a shop or gateway that is restarted after a change of code is back by then
TIMEOUT_S = 20  # what a gateway waits for a webhook's answer
_COLORS = {"succeeded": "green", "completed": "green", "failed": "red", "expired": "yellow", "canceled": "yellow"}
out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)


def say(line: str) -> None:
    """Print a line with markup."""
    out.print(line)


def show_json(value: object) -> None:
    """Print JSON for programs, one line."""
    out.file.write(json.dumps(value, ensure_ascii=False) + "\n")
    out.file.flush()


def connect(args: Namespace) -> StreamPay:
    """Return a client by flags and environment."""
    return StreamPay(args.api_key, base_url=args.base_url, app_info="streampay-cli")


def secret_of(args: Namespace) -> str:
    """Return the signing secret: of the flag, of the environment, or one that belongs to the API key for ever.

    Raises:
        ConfigurationError: there is neither a secret nor a key.
    """
    named = args.secret or os.environ.get("STREAMPAY_WEBHOOK_SECRET", "")
    key = args.api_key or os.environ.get("STREAMPAY_API_KEY", "")
    if not named and not key:
        raise ConfigurationError("set STREAMPAY_WEBHOOK_SECRET or pass --secret", code="webhook_secret_missing")
    own = hmac.digest(key.encode(), b"streampay listen", hashlib.sha256)
    return str(named).split()[0] if named else "whsec_" + base64.b64encode(own).decode()


def chosen_types(args: Namespace) -> list[str] | None:
    """Return the types of `--events`; None for all.

    Raises:
        ConfigurationError: one of them is not in the catalogue.
    """
    types = [one.strip() for one in (args.events or "").split(",") if one.strip()]
    for one in types:
        if one not in event_types():
            raise ConfigurationError(f"there is no event {one}; see docs/webhooks.md", code="event_unknown")
    return types or None


def exact(client: StreamPay, event_id: str) -> bytes:
    """Return the very bytes of an event that webhooks carry."""
    api = client._api  # noqa: SLF001 - of the same package; objects are parsed, and signatures need the bytes
    request = api._request("GET", f"/v1/events/{event_id}", None, None, None)  # noqa: SLF001 - as above
    for pause_s in RETRY_PAUSES_S:
        with contextlib.suppress(ConnectionFailed):
            answer = api.transport.send(request)
            if answer.status == requests.codes.ok:
                return answer.body
        time.sleep(pause_s)
    raise ConnectionFailed(f"the event {event_id} cannot be read", code="event_unreadable")


def newest(client: StreamPay) -> str:
    """Return the place in the feed after everything that has happened until now."""
    return next((one.id for one in client.events.list(limit=1).page), "start")


def follow(client: StreamPay, types: list[str] | None, poll_s: float, after: str) -> Iterator[list[Event]]:
    """Yield what happens after a place in the feed, for ever; an empty list after each quiet turn."""
    while True:
        try:
            page = client.events.list(types=types, after=after, limit=100).page
        except (ConnectionFailed, RateLimited, ServerError) as error:
            err.print(f"[yellow]{escape(error.message)}; trying again[/]")
            page = ()
        yield list(page)
        if page:
            after = page[-1].id
        else:
            time.sleep(poll_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a shop answered: a status, or why there was none."""

    status: int | None
    error: str
    took_ms: int

    @property
    def is_taken(self) -> bool:
        """Any 2xx."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own figures

    def __str__(self) -> str:
        color = "green" if self.is_taken else "red"
        return f"[{color}]{self.status or escape(self.error)}[/] in {self.took_ms} ms"


def forward(url: str, body: bytes, secret: str, event_id: str) -> Answer:
    """Post a signed event as the gateway does: no redirects, twenty seconds."""
    headers = {"Content-Type": "application/json", "User-Agent": "StreamPay/cli"}
    headers |= sign_headers(body, secret, message_id=event_id)
    began, status, error = time.monotonic(), None, ""
    try:
        with requests.post(url, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False) as answer:
            status = answer.status_code
    except requests.RequestException as failure:
        error = type(failure).__name__
    return Answer(status=status, error=error, took_ms=round((time.monotonic() - began) * 1000))


def told(event: Event) -> str:
    """Return an event as a line of a log."""
    about = event.data.object.to_dict()
    color = _COLORS.get(event.type.rpartition(".")[2], "cyan")
    facts = [str(about[name]) for name in ("reference", "status", "amount", "currency") if about.get(name)]
    return f"[dim]{event.timestamp:%H:%M:%S}[/] [{color}]{event.type}[/] {escape(' '.join(facts))} [dim]{event.id}[/]"


def plain(line: str) -> str:
    """Return a line without its markup."""
    return Text.from_markup(line).plain
