"""npm's ``stripe`` works unmodified against the bank, and verifies what the bank signs."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from sandbox.test_bank import Bank, serve
from sandbox.test_bank.webhooks import signed
from tests.sandbox.test_bank_stage import SPEC_FILE

NODE_FOLDER = Path(__file__).parent / "node_stripe"


@pytest.fixture
def run_node(node: str, engine_missing: Callable[[str, str], NoReturn]) -> Callable[..., Any]:
    """Return ``(script or code, **environment) -> its last line of output as JSON``, if it says anything."""
    if not (NODE_FOLDER / "node_modules" / "stripe").is_dir():
        engine_missing("node packages", "npm ci --prefix tests/sandbox/node_stripe")

    def run(*arguments: str, **environment: str) -> Any:
        done = subprocess.run(
            [node, *arguments],
            cwd=NODE_FOLDER,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout else None

    return run


def test_npm_stripe_lives_a_shops_day(run_node: Callable[..., Any]) -> None:
    with serve(Bank(seed="node")) as running:
        assert run_node("bank.mjs", BANK_URL=running.url) == {
            "session": ["open", 3000, True],
            "lines": [3000],
            "expired": "expired",
            "paid": ["succeeded", "succeeded"],
            "declined": ["StripeCardError", "card_declined", None, 402],
            "refund": "succeeded",
            "too_much": ["StripeInvalidRequestError", None, "amount", 400],
            "unknown": ["StripeInvalidRequestError", "parameter_unknown", "amonut", 400],
            "missing": ["StripeInvalidRequestError", "resource_missing", "id", 404],
            "reused": ["StripeIdempotencyError", None, None, 400],
            "not_emulated": ["StripeAPIError", None, None, 501],
            "captured": 400,
            "listed": 5,
            "event": "refund.created",
        }


@pytest.mark.slow
def test_the_description_is_what_the_pinned_package_says(run_node: Callable[..., Any], tmp_path: Path) -> None:
    copy = tmp_path / "stripe-openapi.json"
    shutil.copyfile(SPEC_FILE, copy)
    run_node(str(SPEC_FILE.with_name("regenerate.mjs")), ".", str(copy))
    assert copy.read_bytes() == SPEC_FILE.read_bytes()


_VERIFY = """
import Stripe from "stripe";
const { PAYLOAD, HEADER, SECRET } = process.env;
const stripe = new Stripe("sk_test_node");
const verdict = (secret) => {
  try { return stripe.webhooks.constructEvent(PAYLOAD, HEADER, secret, 300, undefined, 1795000000000).type; }
  catch (error) { return error.type; }
};
console.log(JSON.stringify([verdict(SECRET), verdict("whsec_other")]));
"""


def test_npm_stripe_verifies_what_the_bank_signs(run_node: Callable[..., Any]) -> None:
    payload = json.dumps({"id": "evt_1", "object": "event", "type": "charge.succeeded", "data": {"object": {}}})
    header = signed("whsec_node", payload, 1_795_000_000)
    seen = run_node("--input-type=module", "--eval", _VERIFY, PAYLOAD=payload, HEADER=header, SECRET="whsec_node")
    assert seen == ["charge.succeeded", "StripeSignatureVerificationError"]
