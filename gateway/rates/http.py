"""GET for the rates: bounded in time and size, no proxy from the environment, no redirect, no compression."""

import time
from typing import Final

import requests
from urllib3.exceptions import HTTPError

from gateway.kernel.errors import ErrorCode, TemporaryError
from gateway.rates.sources import UnusableAnswerError

CONNECT_TIMEOUT_S: Final = 3.0
READ_TIMEOUT_S: Final = 10.0
# A read time-out starts anew with each byte; this ends a body that drips.
TOTAL_TIMEOUT_S: Final = 15.0
# The largest answer, the ECB's table, has 2 KiB.
MAX_BODY_BYTES: Final = 64 * 1024
# Coinbase refuses callers that do not say who they are; and whatever is compressed could explode.
_HEADERS: Final = {"User-Agent": "StreamPay (rates)", "Accept-Encoding": "identity", "Connection": "close"}
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500


class UnreachableError(TemporaryError):
    """A source does not answer, or asks to be left alone; `reason` is a slug for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(ErrorCode.PROVIDER_UNAVAILABLE, "A price source does not answer.")
        self.reason: Final = reason


class RatesHttp:
    """One source's connections; used by one thread at a time."""

    def __init__(
        self,
        *,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
    ) -> None:
        self._timeouts_s = (connect_timeout_s, read_timeout_s)
        self._total_timeout_s = total_timeout_s

    def get(self, url: str) -> bytes:
        """Return the body of a 200 answer.

        Raises:
            UnreachableError: no answer, 429 or 5xx: asking the same source more now is useless.
            UnusableAnswerError: another status, a redirect, or a body that is too large or encoded.
        """
        deadline_s = time.monotonic() + self._total_timeout_s
        try:
            with requests.Session() as session:
                session.trust_env = False
                with session.get(
                    url, headers=_HEADERS, timeout=self._timeouts_s, stream=True, allow_redirects=False
                ) as response:
                    _check(response)
                    return _body(response, deadline_s=deadline_s)
        except requests.Timeout:
            reason = "time_out"
        except (requests.RequestException, HTTPError, OSError, ValueError):
            # ValueError: urllib3 and http.client let a few broken status lines and header fields through as such.
            reason = "no_connection"
        raise UnreachableError(reason)


def _check(response: requests.Response) -> None:
    status = response.status_code
    if status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR:
        raise UnreachableError(f"status_{status}")
    if status != requests.codes.ok:
        raise UnusableAnswerError(f"status_{status}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnusableAnswerError("encoded_body")


def _body(response: requests.Response, *, deadline_s: float) -> bytes:
    body = bytearray()
    # read1 returns what is there; read would wait for a full buffer from a source that drips.
    while chunk := response.raw.read1(MAX_BODY_BYTES + 1):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise UnusableAnswerError("body_too_large")
        if time.monotonic() > deadline_s:
            raise UnreachableError("time_out")
    return bytes(body)
