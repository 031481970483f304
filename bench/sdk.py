"""What the SDK costs: importing it, verifying a webhook, downloading it.

Import times are CPU milliseconds of a fresh interpreter beyond a bare one, the lowest of several runs that take turns.
"""

import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import standardwebhooks

from bench import harness
from streampay.webhooks import Webhook, sign
from tests.sdk import fuzz

SDK = Path(__file__).parents[1] / "sdk"
IMPORT_RUNS = 9
VERIFY_ROUNDS = 3
VERIFY_WINDOW_S = 0.3
IMPORTS = {
    "import_ms": "import streampay",
    "import_ms_webhooks": "import streampay.webhooks",
    "import_ms_client": "import streampay.client",
    "requests": "import requests",
    "stripe": "import stripe",
    "standardwebhooks": "import standardwebhooks",
}
FUZZED_INPUTS = 1_000_000
FUZZ_PARTS = 10
_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
_MSG_ID = "evt_01jd0000000000000000000001"


def main() -> None:
    """Measure and print."""
    options = harness.parser(__doc__).parse_args()
    table = harness.Table("sdk")
    imports = import_ms()
    stripe_ms, peer_ms = (round(imports[name]) for name in ("stripe", "standardwebhooks"))
    table.add("import streampay", imports["import_ms"], "ms CPU", beside=f"< 10; stripe: {stripe_ms}", key="import_ms")
    table.add(
        "import streampay.webhooks",
        imports["import_ms_webhooks"],
        "ms CPU",
        beside=f"standardwebhooks, untyped: {peer_ms}",
        key="import_ms_webhooks",
    )
    requests_ms = f"requests alone: {imports['requests']:.0f}"
    table.add("import streampay.client", imports["import_ms_client"], "ms CPU", beside=requests_ms)
    ours_us, peer_us = verify_us()
    table.add(
        "verify 1 kB", ours_us, "us CPU", beside=f"< 50; standardwebhooks, untyped: {peer_us:.0f}", key="verify_us"
    )
    core, extras = (wheel_bytes(source) for source in (SDK, SDK / "extras"))
    table.add("wheel", core, "bytes", beside=f"< 80,000; streampay-extras: {extras:,}", key="wheel_bytes")
    inputs, foreign, wrong = fuzzed()
    table.add("fuzzed webhooks", inputs, "", beside=">= 1,000,000", key="fuzz_inputs")
    table.add("  exceptions not the verifier's own", foreign, "", beside="0", key="fuzz_foreign_exceptions")
    table.add("  forgeries believed", wrong, "", beside="0", key="fuzz_wrong_accepts")
    table.print(as_json=options.json)


def fuzzed() -> tuple[int, int, int]:
    """Return inputs, foreign exceptions and wrong accepts of a storm on every core."""
    with ProcessPoolExecutor() as pool:
        parts = list(pool.map(_storm, range(FUZZ_PARTS)))
    inputs, foreign, wrong = (sum(part[position] for part in parts) for position in range(3))
    return inputs, foreign, wrong


def _storm(seed: int) -> tuple[int, int, int]:
    found = fuzz.storm(FUZZED_INPUTS // FUZZ_PARTS, seed=seed)
    return found.inputs, len(found.foreign), len(found.wrong)


def import_ms() -> dict[str, float]:
    """Return the lowest CPU milliseconds of each import in a fresh interpreter that knows the SDK's folder."""
    lowest = dict.fromkeys(IMPORTS, float("inf"))
    for _ in range(IMPORT_RUNS):
        for key, statement in IMPORTS.items():
            program = f"import time; t = time.process_time_ns(); {statement}; print(time.process_time_ns() - t)"
            took = subprocess.check_output([sys.executable, "-c", program], cwd=SDK, text=True)
            lowest[key] = min(lowest[key], int(took) / 1e6)
    return lowest


def verify_us() -> tuple[float, float]:
    """Return CPU microseconds per verification of a 1 kB event: ours, typed, and the reference library's, untyped."""
    body = json.dumps(_event(), separators=(",", ":")).encode()
    now = int(time.time())
    headers = {
        "webhook-id": _MSG_ID,
        "webhook-timestamp": str(now),
        "webhook-signature": sign(_SECRET, _MSG_ID, now, body),
    }
    ours, peer = Webhook(_SECRET), standardwebhooks.Webhook(_SECRET)
    workloads = {
        "ours": _repeat(lambda: ours.verify(body, headers)),
        "peer": _repeat(lambda: peer.verify(body, headers)),
    }
    meters = {name: {"client": harness.client_cpu_s} for name in workloads}
    best = harness.interleaved_best(workloads, rounds=VERIFY_ROUNDS, window_s=VERIFY_WINDOW_S, meters=meters)
    return best["ours"].cpu_us(), best["peer"].cpu_us()


def _repeat(call: Callable[[], object]) -> harness.Workload:
    def work(seconds: float) -> int:
        deadline, count = time.perf_counter() + seconds, 0
        while time.perf_counter() < deadline:
            for _ in range(100):
                call()
            count += 100
        return count

    return work


def wheel_bytes(source: Path) -> int:
    """Return the size of a distribution's wheel, built from its sources."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder]
        subprocess.run([*command, str(source)], check=True, capture_output=True)
        (wheel,) = Path(folder).glob("*.whl")
        return wheel.stat().st_size


def _event() -> dict[str, Any]:
    at = "2026-11-20T10:00:00.000Z"
    attempt = {
        "id": "att_01jd0000000000000000000001",
        "processor": "solana",
        "method": "sol",
        "amount": "0.061500000",
        "currency": "SOL",
        "network": "solana:mainnet",
        "receiving_address": "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM",
        "reference_key": "7dQsxFyUiYWKyZp1u1MkKeFNP42skyjqc9mbEK2JqkLf",
        "quote": None,
        "expires_at": at,
        "created_at": at,
    }
    payment = {
        "id": "pay_01jd0000000000000000000001",
        "object": "payment",
        "livemode": False,
        "session": "cs_01jd0000000000000000000001",
        "kind": "sale",
        "status": "paid",
        "exceptions": [],
        "refunds": "none",
        "dispute": "none",
        "amount": "12.30",
        "currency": "USD",
        "amount_received": "12.30",
        "reference": "order-1001",
        "metadata": {},
        "attempts": [attempt],
        "transfers": [],
        "created_at": at,
        "expires_at": at,
        "paid_at": at,
    }
    return {
        "id": _MSG_ID,
        "object": "event",
        "type": "payment.succeeded",
        "timestamp": at,
        "api_version": "2026-11-20",
        "livemode": False,
        "sequence": 3,
        "data": {"object": payment, "previous": {"status": "confirming"}},
    }


if __name__ == "__main__":
    main()
