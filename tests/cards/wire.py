"""A short wire: the real Stripe room and the real bank in one process, without sockets, and lossy on demand.

stripe-python, its requests session and the bank's own door are the same as over HTTP; only the bytes take a shorter
way, and a time-out costs no waiting. So a storm of ten thousand lost answers fits into minutes.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter

from gateway.processors.stripe import StripeProcessor
from sandbox.test_bank.bank import Bank
from sandbox.test_bank.door import Door, Reply, Request


class Loss(StrEnum):
    """How a call is lost: before the bank has heard of it, or after it has done its work."""

    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"

    @property
    def is_after(self) -> bool:
        """Whether the bank has done what it was asked."""
        return self in {Loss.TIMEOUT_AFTER, Loss.RESET_AFTER}

    def failure(self, request: requests.PreparedRequest) -> requests.RequestException:
        """Return what a requests session raises then."""
        if self in {Loss.TIMEOUT_BEFORE, Loss.TIMEOUT_AFTER}:
            return requests.ReadTimeout("Read timed out.", request=request)
        return requests.ConnectionError("Connection aborted.", request=request)


# Decides about one call by its method and path; None lets it pass.
Decide = Callable[[str, str], Loss | None]


class ShortWire(BaseAdapter):
    """A transport of `requests` that ends at a bank's door.

    Attributes:
        decide: asked before every call.
        linger: called with the path between the bank's answer and its arrival: an answer that waits here grows old.
    """

    def __init__(self, bank: Bank) -> None:
        super().__init__()
        self._door = Door(bank)
        self.decide: Decide = lambda _method, _path: None
        self.linger: Callable[[str], object] = lambda _path: None

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Carry one request and its answer, or lose one of them."""
        asked = _asked(request)
        loss = self.decide(asked.method, asked.path)
        if loss is not None and not loss.is_after:
            raise loss.failure(request)
        reply = self._door.answer(asked)
        self.linger(asked.path)
        if loss is not None:
            raise loss.failure(request)
        return _response(request, reply)

    def close(self) -> None:
        """Nothing is kept open."""


def join(processor: StripeProcessor, bank: Bank) -> ShortWire:
    """Lay a short wire from a processor to a bank, for every mode it has."""
    wire = ShortWire(bank)
    for api in processor._apis.values():
        api._session.mount("http://", wire)
    return wire


def _asked(request: requests.PreparedRequest) -> Request:
    assert request.method is not None, "a prepared request has one"
    assert request.url is not None, "the same"
    parts, body = urlsplit(request.url), request.body or b""
    return Request(
        method=request.method,
        path=parts.path,
        query=parts.query,
        body=body.encode() if isinstance(body, str) else body,
        headers={name.lower(): _text(value) for name, value in request.headers.items()},
        base_url=f"{parts.scheme}://{parts.netloc}",
    )


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode()


def _response(request: requests.PreparedRequest, reply: Reply) -> requests.Response:
    response = requests.Response()
    response.status_code = reply.status
    response.headers.update(_headers(reply))
    response.request, response.url = request, request.url or ""
    response._content = reply.body.encode()
    return response


def _headers(reply: Reply) -> Mapping[str, str]:
    return reply.headers | {"Content-Type": "application/json"}
