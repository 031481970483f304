"""One line of log for each request to a page: its route, never its address, which is the shopper's credential.

The API writes lines of its own. Whatever a page or a probe asks all the time is for developers only.
"""

import time
from typing import Final

from flask import Flask, Response, g, request

from gateway.kernel.log import Log

_ELSEWHERE: Final = frozenset({"api.v1"})
_ALL_THE_TIME: Final = frozenset({"api.healthz", "api.readyz", "checkout.status", "assets.asset"})
log = Log("pages")


def install_access_log(app: Flask) -> None:
    """Measure each request and write its line."""

    @app.before_request
    def start() -> None:
        g.started_ns = time.perf_counter_ns()

    @app.after_request
    def write(response: Response) -> Response:
        if request.endpoint not in _ELSEWHERE:
            took_ms = (time.perf_counter_ns() - g.started_ns) // 1_000_000
            line = log.debug if request.endpoint in _ALL_THE_TIME else log.info
            method, route = (
                ("other", "unknown") if request.url_rule is None else (request.method, request.url_rule.rule)
            )
            line("request", method=method, route=route, status=response.status_code, took_ms=took_ms)
        return response
