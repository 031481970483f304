"""``python -m sandbox.devchain``: serve an offline Solana chain until SIGTERM or SIGINT."""

import argparse
import json
import sys
from collections.abc import Callable

from sandbox.devchain.chain import DevChain
from sandbox.devchain.faucet import FEE_MINT, USDC_MINT
from sandbox.devchain.server import RunningServer, serve
from sandbox.endings import endings_held


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    with endings_held() as wait:
        return _run(options, wait)


def _run(options: argparse.Namespace, wait: Callable[[], object]) -> int:
    chain = DevChain(slot_ms=options.slot_ms, auto=not options.manual, alpenglow=options.alpenglow)
    try:
        server = serve(chain, host=options.host, port=options.port, ws_port=options.ws_port)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"devchain: cannot listen on {options.host}:{options.port}: {error}\n")
        return 1
    with server:
        sys.stdout.write(json.dumps(_ready(server)) + "\n")
        sys.stdout.flush()
        wait()
    return 0


def _ready(server: RunningServer) -> dict[str, object]:
    chain = server.chain
    return {
        "event": "devchain_ready",
        "url": server.url,
        "ws_url": server.ws_url,
        "genesis_hash": str(chain.genesis_hash),
        "usdc_mint": str(USDC_MINT),
        "fee_mint": str(FEE_MINT),
        "slot_ms": chain.slot_ms,
        "auto": chain.auto,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.devchain",
        description="An offline Solana chain with JSON-RPC, WebSocket, faucet, test USDC and fault controls.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8899, help="HTTP port (default: %(default)s)")
    parser.add_argument("--ws-port", type=int, help="WebSocket port (default: HTTP port + 1)")
    parser.add_argument("--slot-ms", type=_positive, default=400, help="length of a slot in ms (default: %(default)s)")
    parser.add_argument("--manual", action="store_true", help="make slots only when dev_tick asks for them")
    parser.add_argument("--alpenglow", action="store_true", help="confirmed and finalized in one step")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value <= 0:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
