"""A foreign wallet, built on the npm packages that wallets use, pays our link unmodified."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from sandbox.devchain.faucet import USDC_MINT
from tests.processors.solana_stage import USDC, Stage

HERE = Path(__file__).parent
PACKAGES = HERE.parent / "sandbox" / "node"


@pytest.mark.parametrize(("asset", "amount"), [("SOL", 123_456_789), ("USDC", 12_345_678)])
def test_solana_pay_reads_our_link_and_pays_it(
    stage: Stage, node: str, engine_missing: Callable[[str, str], NoReturn], asset: str, amount: int
) -> None:
    if not (PACKAGES / "node_modules" / "@solana").is_dir():
        engine_missing("node packages", "npm ci --prefix tests/sandbox/node")
    wallet = stage.wallet(usdc=50 * USDC)
    wallet.pay_token(str(USDC_MINT), stage.merchant, USDC)  # createTransfer insists on the recipient's account
    stage.confirm()
    request = replace(stage.request(amount, asset), label="Blumenladen & Söhne #1 + Co", message="50 % off?")
    environment = {
        **os.environ,
        "PACKAGES": str(PACKAGES),
        "RPC_URL": stage.server.url,
        "PAYER": json.dumps(list(bytes(wallet.keypair))),
        "LINK": stage.processor.pay_url(request),
    }
    done = subprocess.run(
        [node, HERE / "pay_our_link.mjs"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    paid = json.loads(done.stdout.splitlines()[-1])
    assert (paid["label"], paid["message"], paid["memo"]) == (request.label, request.message, request.memo)
    seen = stage.effect(paid["signature"])
    assert (seen.net, seen.references, seen.memo) == (amount, (request.reference_key,), request.memo)
    assert seen.payer == wallet.address
