"""What type checkers make of a merchant's code, of either client: mypy --strict, and pyright where it is installed."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]
SDK = ROOT / "sdk"
PYRIGHT = Path(__file__).parent / "node" / "node_modules" / "pyright" / "index.js"

USER = """
from decimal import Decimal
import streampay
from streampay import Payment, StreamPay, Webhook

client = StreamPay("sk_test_x", base_url="http://127.0.0.1:8080")
session = client.checkout.sessions.create(
    amount=Decimal("12.30"), currency="USD", reference="o-1", success_url="https://shop.example/",
)
url: str = session.url
for payment in client.payments.list(status="paid"):
    amount: str = payment.amount
    for transfer in payment.transfers:
        signature: str = transfer.signature
event = Webhook("whsec_x").verify(b"", {"a": "b"})
match event.data.object:
    case Payment(status="paid", reference=reference):
        where: str = reference
    case _:
        pass
try:
    client.payments.retrieve("pay_1")
except streampay.NotFound as error:
    status: int | None = error.status
"""
ASYNC_USER = """
import asyncio
from decimal import Decimal
import streampay
from streampay import AsyncStreamPay, CheckoutSession, Payment, order_key

async def main() -> None:
    async with AsyncStreamPay("sk_test_x", base_url="http://127.0.0.1:8080") as client:
        session = await client.checkout.sessions.create(
            amount=Decimal("12.30"), currency="USD", reference="o-1", success_url="https://shop.example/",
            idempotency_key=order_key("o-1", 1),
        )
        url: str = session.url
        async for payment in client.payments.list(status="paid"):
            amount: str = payment.amount
        page = await client.payments.list(limit=2)
        first: Payment = page.page[0]
        following = await page.next_page()
        if following is not None:
            async for payment in following:
                first = payment
        waited: CheckoutSession = await client.checkout.sessions.wait("cs_1", until=lambda each: each.is_paid)
        quick = client.with_options(timeout_s=2, max_retries=0)
        refunds = await asyncio.gather(quick.refunds.create(payment="pay_1"), quick.refunds.retrieve("re_1"))
        status: str = refunds[0].status
        deliveries = await client.webhook_endpoints.deliveries.list("we_1")
        outcome: str = deliveries.page[0].outcome
        found: object = (await client.request("GET", "/v1/x")).json
        try:
            await client.payments.retrieve("pay_1")
        except streampay.NotFound as error:
            missing: int | None = error.status

asyncio.run(main())
"""
MISTAKES = """
from streampay import StreamPay
client = StreamPay("sk_test_x")
client.checkout.sessions.create(amount=12.3, currency="USD", reference="o", success_url="https://s.example/")
client.checkout.sessions.create(amount=1230, currency="USD", reference="o", success_url="https://s.example/")
client.payments.retrieve("pay_1").statsu
client.paymentz
import streampay
streampay.StreamPal
"""


ASYNC_MISTAKES = """
from streampay import AsyncStreamPay
client = AsyncStreamPay("sk_test_x")
async def main() -> None:
    await client.quotes.create(amount=12.3, currency="USD", method="sol")
    client.payments.retrieve("pay_1").status
    (await client.payments.retrieve("pay_1")).statsu
    for payment in client.payments.list():
        pass
    await client.payments.list(colour="red")
    await client.paymentz.list()
    async for payment in client.payments.list():
        payment.statsu
    with client:
        pass
    transport: int = client.checkout.sessions.create(reference="o", success_url="https://s.example/")
"""
GOOD = {"good.py": USER, "good_async.py": ASYNC_USER}
BAD = {"bad.py": MISTAKES, "bad_async.py": ASYNC_MISTAKES}
WRONG_LINES = {"bad.py": {4, 5, 6, 7, 9}, "bad_async.py": {5, 6, 7, 8, 10, 11, 13, 14, 16}}


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Write a merchant's files."""
    for name, source in (GOOD | BAD).items():
        (tmp_path / name).write_text(source)
    return tmp_path


def errors_of_mypy(code: Path, *names: str, flags: tuple[str, ...] = ()) -> dict[str, set[int]]:
    """Return the lines that mypy finds wrong."""
    config = code / "mypy.ini"
    config.write_text(f"[mypy]\nmypy_path = {SDK}\nwarn_unreachable = true\nenable_error_code = possibly-undefined\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.10", "--config-file", str(config)]
    command += ["--cache-dir", str(code / "cache"), *flags, *(str(code / name) for name in names)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, set[int]] = {}
    for line in done.stdout.splitlines():
        path, _, rest = line.partition(":")
        if ": error:" in line and Path(path).name in names:
            found.setdefault(Path(path).name, set()).add(int(rest.partition(":")[0]))
    return found


def errors_of_pyright(node: str, code: Path, *names: str) -> dict[str, set[int]]:
    """Return the lines that pyright in its strict mode finds wrong."""
    settings = {"typeCheckingMode": "strict", "extraPaths": [str(SDK)], "pythonVersion": "3.10"}
    settings["include"] = list(names)
    settings["reportUnusedExpression"] = settings["reportUnusedVariable"] = "none"
    (code / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [node, str(PYRIGHT), "--outputjson", "--pythonpath", sys.executable, "--project", str(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == len(names), done.stdout
    found: dict[str, set[int]] = {}
    for each in report["generalDiagnostics"]:
        if each["severity"] == "error":
            found.setdefault(Path(each["file"]).name, set()).add(each["range"]["start"]["line"] + 1)
    return found


@pytest.mark.slow
def test_mypy_is_content_with_good_code_and_finds_mistakes(code: Path) -> None:
    pytest.importorskip("mypy")
    assert errors_of_mypy(code, *GOOD, flags=("--disallow-any-expr",)) == {}
    assert errors_of_mypy(code, *BAD) == WRONG_LINES


@pytest.mark.slow
def test_pyright_is_content_with_good_code_and_finds_mistakes(
    node: str, code: Path, engine_missing: Callable[[str, str], NoReturn]
) -> None:
    if not PYRIGHT.is_file():
        engine_missing("pyright", "npm ci in tests/sdk/node")
    assert errors_of_pyright(node, code, *GOOD) == {}
    assert errors_of_pyright(node, code, *BAD) == WRONG_LINES
