"""``python -m sandbox.demo.services``: the Test Bank and the test exchange on one port, until SIGTERM or SIGINT.

The bank has the origin: its pages, `/v1` and its control panel stand where they stand when it is alone. The exchange
answers beside it under `/kraken`, `/coinbase`, `/bitstamp`, `/ecb` and `/exchange/control`.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from flask import Flask

from sandbox import test_bank
from sandbox.endings import endings_held
from sandbox.exchange.app import exchange_blueprint
from sandbox.exchange.market import Market
from sandbox.test_bank import Bank

SEED_BYTES: Final = 8


def create_app(bank: Bank, market: Market) -> Flask:
    """Return both as one application."""
    app = test_bank.create_app(bank)
    app.register_blueprint(exchange_blueprint(market))
    return app


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    with endings_held() as wait:
        return _run(options, wait)


def _run(options: argparse.Namespace, wait: Callable[[], object]) -> int:
    # A link of an earlier demo must not lead to another payment of this one, so no two begin with the same seed.
    bank, market = Bank(path=options.database, seed=secrets.token_hex(SEED_BYTES)), Market()
    try:
        with test_bank.serve(bank, app=create_app(bank, market), port=options.port) as running:
            sys.stdout.write(json.dumps({"event": "services_ready", "url": running.url}) + "\n")
            sys.stdout.flush()
            wait()
            market.stopping.set()
    except OSError as error:
        sys.stderr.write(f"services: cannot listen on port {options.port}: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.demo.services", description="The Test Bank and the test exchange on one loopback port."
    )
    parser.add_argument("--port", type=int, default=8090, help="HTTP port (default: %(default)s)")
    parser.add_argument("--database", type=Path, required=True, help="the bank's SQLite file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
