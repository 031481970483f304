"""Compress answers with gzip when the client takes it.

BREACH (https://breachattack.com) needs an answer that holds a secret *and* echoes what a stranger put into the request.
Our pages echo nothing: no query parameter, header or body appears in them; keep it so, or exclude the view. The one
exception is a campaign's form, which shows a donor what he wrote: its one secret, the token, is another each time.
"""

import gzip
from typing import Final

from flask import Flask, Response, request

MIN_BYTES: Final = 600  # below one network packet there is nothing to win
LEVEL: Final = 6  # a 10 KB page takes 0.2 ms; level 9 doubles the time for one per cent
_TYPES: Final = frozenset(
    {
        "application/javascript",
        "application/json",
        "application/problem+json",
        "image/svg+xml",
        "text/css",
        "text/html",
        "text/javascript",
        "text/plain",
    }
)


def compress(body: bytes, *, level: int = LEVEL) -> bytes:
    """Return the body as gzip, the same bytes for the same input: no time stamp inside."""
    return gzip.compress(body, compresslevel=level, mtime=0)


def accepts_gzip() -> bool:
    """Say whether this request's client takes gzip."""
    return request.accept_encodings["gzip"] > 0


def install_compression(app: Flask) -> None:
    """Compress text answers of the whole app."""

    @app.after_request
    def compressed(response: Response) -> Response:
        if response.mimetype not in _TYPES or response.status_code in {204, 304}:
            return response
        response.vary.add("Accept-Encoding")
        if response.is_streamed or "Content-Encoding" in response.headers or not accepts_gzip():
            return response
        body = response.get_data()
        if len(body) >= MIN_BYTES:
            response.set_data(compress(body))
            response.headers["Content-Encoding"] = "gzip"
        return response
