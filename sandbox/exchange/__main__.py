"""``python -m sandbox.exchange``: serve the test exchange until SIGTERM or SIGINT."""

import argparse
import json
import sys
from collections.abc import Callable

from sandbox.endings import endings_held
from sandbox.exchange.market import Market
from sandbox.exchange.server import serve


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    with endings_held() as wait:
        return _run(options, wait)


def _run(options: argparse.Namespace, wait: Callable[[], object]) -> int:
    try:
        with serve(Market(seed=options.seed), host=options.host, port=options.port) as running:
            ready = {"event": "exchange_ready", "url": running.url, "addresses": running.addresses}
            sys.stdout.write(json.dumps(ready) + "\n")
            sys.stdout.flush()
            wait()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"exchange: cannot listen on {options.host}:{options.port}: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.exchange",
        description="Kraken, Coinbase, Bitstamp and the ECB in their own wire formats, with faults on demand.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8090, help="HTTP port (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="where the prices drift (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
