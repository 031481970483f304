"""``python -m sandbox.test_bank``: serve the test bank until SIGTERM or SIGINT."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from sandbox.endings import endings_held
from sandbox.test_bank.bank import DEFAULT_SEED, Bank
from sandbox.test_bank.server import serve


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    with endings_held() as wait:
        return _run(options, wait)


def _run(options: argparse.Namespace, wait: Callable[[], object]) -> int:
    path = None if options.database == ":memory:" else Path(options.database)
    try:
        with serve(Bank(path=path, seed=options.seed), host=options.host, port=options.port) as running:
            ready = {"event": "test_bank_ready", "url": running.url, "seed": running.bank.vault.seed}
            sys.stdout.write(json.dumps(ready) + "\n")
            sys.stdout.flush()
            wait()
    except (OSError, ValueError) as error:
        sys.stderr.write(f"test_bank: cannot listen on {options.host}:{options.port}: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.test_bank",
        description="A bank that speaks Stripe's API, with test cards, webhooks and its own clock. No money moves.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8090, help="HTTP port (default: %(default)s)")
    parser.add_argument("--database", default=":memory:", help="SQLite file that survives a restart (default: none)")
    parser.add_argument("--seed", default=DEFAULT_SEED, help="what identifiers follow from (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
