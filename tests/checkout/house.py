"""Builders for the checkout's suites: a whole app over sample sessions, and a live server for browsers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from flask import Flask
from werkzeug.serving import make_server

import hosted_checkout
from gateway.engine.page import CheckoutPage, UnsignedTransfer
from gateway.kernel.clock import Clock, ManualClock
from gateway.kernel.errors import ErrorCode, GatewayError, NotFoundError
from hosted_checkout.assets import assets_blueprint
from hosted_checkout.checkout import SandboxWallet, checkout_blueprint
from hosted_checkout.checkout.samples import SAMPLE_TIME, SERVER_SAMPLES, sample
from hosted_checkout.compression import install_compression
from hosted_checkout.i18n import install_i18n
from hosted_checkout.security import install_security

WALLET_SCRIPT = Path(__file__).parents[2] / "sandbox" / "wallet" / "wallet.js"


@dataclass
class StatesGallery:
    """A fixture of page states behind the real protocol: the token names a state, `pages` may override one.

    It decides nothing: `calls` keeps what the page asked, `failures` what a verb raises, `signatures` what it answers.
    """

    clock: Clock
    pages: dict[str, CheckoutPage] = field(default_factory=dict)
    calls: list[tuple[str, ...]] = field(default_factory=list)
    failures: dict[str, GatewayError] = field(default_factory=dict)
    provider_url: str = "https://bank.example/c/pay/cs_test_1"
    chain: str = "solana:localnet"
    payload: str = "AQ=="

    def page(self, token: str) -> CheckoutPage:
        if token in self.pages:
            return replace(self.pages[token], token=token)
        if token not in SERVER_SAMPLES:
            raise NotFoundError(ErrorCode.NOT_FOUND, "There is no such session.")
        return replace(sample(token, self.clock.now())[0], token=token)

    def choose_method(self, token: str, method: str) -> None:
        self._did("choose_method", token, method)

    def redirect(self, token: str, method: str) -> str:
        self._did("redirect", token, method)
        return self.provider_url

    def returned(self, token: str) -> None:
        self.page(token)
        self._did("returned", token)

    def choose_gift(self, token: str, kind: str, amount: str) -> None:
        self._did("choose_gift", token, kind, amount)

    def drop_gift(self, token: str) -> None:
        self._did("drop_gift", token)

    def renew_quote(self, token: str) -> None:
        self._did("renew_quote", token)

    def extend(self, token: str) -> None:
        self._did("extend", token)

    def build_transfer(self, token: str, payer: str, *, legacy: bool) -> UnsignedTransfer:
        self._did("build_transfer", token, payer, "legacy" if legacy else "versioned")
        return UnsignedTransfer(payload=self.payload, chain=self.chain, last_valid_height=150)

    def submit_signed(self, token: str, payload: str) -> str:
        self._did("submit_signed", token, payload)
        return "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnb"

    def hint(self, token: str, signature: str) -> None:
        self._did("hint", token, signature)

    def cancel(self, token: str) -> None:
        self._did("cancel", token)

    def _did(self, *call: str) -> None:
        self.calls.append(call)
        if call[0] in self.failures:
            raise self.failures[call[0]]


def a_clock(start: datetime = SAMPLE_TIME) -> ManualClock:
    return ManualClock(start)


def a_checkout_app(
    verbs: StatesGallery,
    *,
    sandbox_rpc_url: str | None = None,
    mints: dict[str, str] | None = None,
    form_action: tuple[str, ...] = (),
) -> Flask:
    """Build the app as production does, with or without the test wallet."""
    package = Path(hosted_checkout.__file__).parent
    app = Flask("checkout", template_folder=str(package / "templates"), static_folder=None)
    wallet = (
        SandboxWallet(script=WALLET_SCRIPT, rpc_url=sandbox_rpc_url, mints=mints or {}) if sandbox_rpc_url else None
    )
    install_i18n(app)
    install_compression(app)
    install_security(
        app, sandbox_wallet=wallet is not None, sandbox_rpc_origin=sandbox_rpc_url, form_action=form_action
    )
    app.register_blueprint(assets_blueprint())
    app.register_blueprint(checkout_blueprint(verbs, clock=verbs.clock, sandbox_wallet=wallet, form_action=form_action))
    return app


@contextmanager
def serving(app: Flask, *, port: int = 0) -> Iterator[str]:
    """Serve the app on loopback, with threads, on a free port unless it must know its own; return its origin."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(timeout=5)
        server.server_close()
