"""The pytest plugin as a shop uses it: in a run of its own, and light for runs that do not use it."""

import os
import subprocess
import sys
from pathlib import Path

SDK = Path(__file__).parents[2] / "sdk"
SHOP_TEST = """
import os
from flask import Flask, request
from streampay import SignatureVerificationError, Webhook

app = Flask("shop")
paid = []


@app.post("/webhooks/streampay")
def hook():
    try:
        event = Webhook().verify(request.get_data(), request.headers)
    except SignatureVerificationError:
        return "", 400
    if event.type == "payment.succeeded":
        paid.append(event.payment.reference)
    return "", 204


def test_a_paid_order_ships(streampay, streampay_fake, streampay_webhook):
    session = streampay.checkout.sessions.create(
        amount="12.30", currency="USD", reference="o-1", success_url="http://localhost/thanks"
    )
    streampay_fake.pay(session)
    assert streampay_webhook(app) == [204, 204, 204]
    assert paid == ["o-1"]


def test_a_sample_reaches_the_shop(streampay_webhook):
    assert streampay_webhook(app.test_client(), "payment.succeeded", reference="o-2") == [204]
    assert streampay_webhook(app, "payment.succeeded", secret="whsec_" + "A" * 32) == [400]
    assert paid == ["o-1", "o-2"]


def test_the_secret_is_gone_afterwards():
    assert "STREAMPAY_WEBHOOK_SECRET" not in os.environ
"""


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(SDK), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("STREAMPAY_WEBHOOK_SECRET", None)
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_fixtures_serve_a_shops_own_tests(tmp_path: Path) -> None:
    (tmp_path / "test_shop.py").write_text(SHOP_TEST)
    found = run(tmp_path, "-m", "pytest", "-q", "-p", "streampay.testing.plugin", "-W", "error", "test_shop.py")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "3 passed" in found.stdout


def test_a_run_that_does_not_use_it_loads_neither_client_nor_requests(tmp_path: Path) -> None:
    loaded = run(tmp_path, "-c", "import sys, streampay.testing.plugin; print(*sys.modules)").stdout.split()
    assert "streampay.testing.plugin" in loaded
    assert not {"requests", "streampay.models", "streampay.testing.fake"} & set(loaded)


def test_events_and_signatures_need_the_standard_library_only(tmp_path: Path) -> None:
    loaded = run(
        tmp_path, "-c", "import sys; from streampay.testing import event; event('ping'); print(*sys.modules)"
    ).stdout
    assert "streampay.testing._events" in loaded
    assert "requests" not in loaded.split()
