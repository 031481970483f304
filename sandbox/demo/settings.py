"""The environments of the demo's processes: what tells each of them where the others are."""

import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sandbox.demo.ports import HOST, Ports
from sandbox.demo.processes import ROOT

SHOP_PORTS: Final = (5000, 8000)  # where Flask serves the quickstart's shop, and Django its own
WALLET_SCRIPT: Final = ROOT / "sandbox" / "wallet" / "wallet.js"
BANK_KEY: Final = "sk_test_demo"  # the Test Bank opens to any test key
_FOR_THE_QUICKSTART: Final = ("STREAMPAY_API_KEY", "STREAMPAY_BASE_URL", "STREAMPAY_WEBHOOK_SECRET")


def clean_environment(folder: Path) -> dict[str, str]:
    """Return our environment without settings that somebody exported for another gateway."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STREAMPAY_", "SHOP_"))}
    return kept | {
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "STREAMPAY_DATABASE_URL": f"sqlite:///{folder / 'gateway.db'}",
    }


def gateway_settings(ports: Ports, usdc_mint: str) -> dict[str, str]:
    """Return what connects the gateway to the dev chain and the test exchange, and lets it tell the shop."""
    usdc = {"code": "USDC", "title": "USD Coin", "mint": usdc_mint, "decimals": 6}
    return {
        "STREAMPAY_BASE_URL": ports.gateway_url,
        "STREAMPAY_PORT": str(ports.gateway),
        "STREAMPAY_SANDBOX": "yes",
        "STREAMPAY_TEST_CLOCK": "yes",
        "STREAMPAY_SANDBOX_CHAIN_URL": ports.chain_url,
        "STREAMPAY_SANDBOX_WALLET_SCRIPT": str(WALLET_SCRIPT),
        "STREAMPAY_SOLANA_TEST_NETWORK": "solana:localnet",
        "STREAMPAY_SOLANA_TEST_RPC_URLS": ports.chain_url,
        "STREAMPAY_SOLANA_TEST_TOKENS": json.dumps([usdc]),
        "STREAMPAY_SOLANA_LIVE_NETWORK": "",
        "STREAMPAY_RATES_BASE_URL": ports.bank_url,
        "STREAMPAY_WEBHOOK_ALLOWED_HOSTS": " ".join(f"{HOST}:{port}" for port in (ports.shop, *SHOP_PORTS)),
    }


def card_settings(ports: Ports, secret: str) -> dict[str, str]:
    """Return what connects the gateway to the Test Bank, which signs its webhooks with the secret."""
    return {
        "STREAMPAY_STRIPE_TEST_KEY": BANK_KEY,
        "STREAMPAY_STRIPE_TEST_WEBHOOK_SECRETS": secret,
        "STREAMPAY_STRIPE_TEST_BASE_URL": ports.bank_url,
    }


def shop_settings(ports: Ports, folder: Path, *, key: str, secret: str) -> dict[str, str]:
    """Return what connects the shop to the gateway."""
    return {
        "STREAMPAY_API_KEY": key,
        "STREAMPAY_BASE_URL": ports.gateway_url,
        "STREAMPAY_WEBHOOK_SECRET": secret,
        "SHOP_BASE_URL": ports.shop_url,
        "SHOP_DATABASE": str(folder / "shop.db"),
    }


def write_for_quickstart(path: Path, shop: Mapping[str, str]) -> None:
    """Leave the shop's settings for the quickstart."""
    _write(path, {name: shop[name] for name in _FOR_THE_QUICKSTART})


def write_for_staff(path: Path, gateway: Mapping[str, str]) -> None:
    """Leave the gateway's settings for whoever runs commands of `streampay-server` beside it."""
    _write(path, {name: value for name, value in gateway.items() if name.startswith("STREAMPAY_")})


def _write(path: Path, values: Mapping[str, str]) -> None:
    """Write lines for a shell, readable by their owner alone."""
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        file.write(lines)
