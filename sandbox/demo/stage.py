"""The stage: starts every process of the demo, connects them over HTTP, and takes everything down again."""

import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

from sandbox.demo.charity import open_campaign
from sandbox.demo.folder import claimed
from sandbox.demo.ports import Ports, refuse_busy_ports
from sandbox.demo.processes import ROOT, DemoError, Process, await_answer, run
from sandbox.demo.settings import (
    card_settings,
    clean_environment,
    gateway_settings,
    shop_settings,
    write_for_quickstart,
    write_for_staff,
)
from sandbox.devchain.wallet import TestWallet

__all__ = ["DemoError", "Ports", "Scene", "open_stage", "refuse_busy_ports"]

SLOT_MS: Final = 400  # as on the real network, where finality takes 13 s
MODULE: Final = (sys.executable, "-m")
SERVER: Final = (*MODULE, "hosted_checkout.cli")
SHOP: Final = ROOT / "examples" / "shop_flask" / "app.py"
CHARITY: Final = ROOT / "examples" / "charity_page" / "charity.py"
STAFF_FILE: Final = "gateway.env"
MERCHANT_SEED: Final = "the demo's merchant"  # a test wallet: its key is public, and worth nothing anywhere
HTTP_S: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A running demo, as a visitor finds it."""

    gateway_url: str
    shop_url: str
    charity_url: str
    campaign_url: str
    bank_url: str
    chain_url: str
    usdc_mint: str
    folder: Path
    environment: Mapping[str, str]
    shop_environment: Mapping[str, str]
    processes: "Sequence[Process]"


@contextmanager
def open_stage(ports: Ports, folder: Path, *, slot_ms: int = SLOT_MS) -> Iterator[Scene]:
    """Start everything in an empty folder; end everything on the way out.

    Args:
        ports: where everything listens.
        folder: of databases and logs; emptied first. While another demo runs in it, one beside it is taken.
        slot_ms: the dev chain's slot; it is final 32 slots later.

    Raises:
        DemoError: a port is busy, the folder cannot be used, or something does not start.
    """
    refuse_busy_ports(ports)
    with _usable(folder, ports) as own:
        stage = _Stage(ports, own)
        try:
            yield stage.set_up(slot_ms)
        finally:
            stage.take_down()


@contextmanager
def _usable(folder: Path, ports: Ports) -> Iterator[Path]:
    with ExitStack() as stack:
        try:
            own = stack.enter_context(claimed(folder, beside=folder.with_name(f"{folder.name}-{ports.gateway}")))
        except OSError as error:
            problem = f"{error.filename or folder}: {error.strerror}"
            raise DemoError(f"The demo's folder cannot be used ({problem}). Delete it by hand.") from error
        yield own


class _Stage:
    """What runs, in the order in which it was started."""

    def __init__(self, ports: Ports, folder: Path) -> None:
        self._ports = ports
        self._folder = folder
        self._base = clean_environment(folder)
        self._running: list[Process] = []

    def set_up(self, slot_ms: int) -> Scene:
        """Start everything; what does not need each other starts at the same time."""
        ports, base = self._ports, self._base
        chain, services = self._start_outside_world(slot_ms)
        run([*SERVER, "account", "create", "--name", "Double Entry"], base)
        await_answer(chain, ports.chain_url)
        usdc_mint, merchant = _merchant_wallet(ports.chain_url)
        bank_secret = f"whsec_{secrets.token_hex(24)}"
        gateway = base | gateway_settings(ports, usdc_mint) | card_settings(ports, bank_secret)
        serving = self._start("gateway", [*SERVER, "serve"], gateway)
        run([*SERVER, "account", "set", "--solana-test-address", merchant, "--brand-color", "#3b2fc9"], gateway)
        key = run([*SERVER, "keys", "create"], gateway).strip()
        await_answer(services, ports.bank_url)
        _connect_bank(ports, bank_secret)
        await_answer(serving, f"{ports.gateway_url}/readyz")
        shop = base | shop_settings(ports, self._folder, key=key, secret=_connect_shop(ports, key))
        write_for_quickstart(self._folder / "env", shop)
        write_for_staff(self._folder / STAFF_FILE, gateway)
        selling = self._start("shop", [sys.executable, str(SHOP), "--port", str(ports.shop)], shop)
        campaign_url = open_campaign(ports, key, usdc_mint)
        collecting = self._collect(campaign_url)
        await_answer(selling, ports.shop_url)
        await_answer(collecting, ports.charity_url)
        return self._scene(usdc_mint, gateway, shop, campaign_url)

    def take_down(self) -> None:
        """End everything, the last started first."""
        for process in reversed(self._running):
            process.stop()

    def _start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Process:
        process = Process(name, command, environment, self._folder / f"{name}.log")
        self._running.append(process)
        return process

    def _start_outside_world(self, slot_ms: int) -> tuple[Process, Process]:
        ports, database = self._ports, str(self._folder / "bank.db")
        chain = [*MODULE, "sandbox.devchain", "--port", str(ports.chain), "--slot-ms", str(slot_ms)]
        services = [*MODULE, "sandbox.demo.services", "--port", str(ports.sandbox), "--database", database]
        return self._start("devchain", chain, self._base), self._start("sandbox", services, self._base)

    def _collect(self, campaign_url: str) -> Process:
        """Start the charity's own site, of another origin, which embeds the campaign's form."""
        ports, campaign_id = self._ports, campaign_url.rpartition("/")[2]
        options = ["--gateway", ports.gateway_url, "--campaign", campaign_id, "--port", str(ports.charity)]
        return self._start("charity", [sys.executable, str(CHARITY), *options], self._base)

    def _scene(self, usdc_mint: str, gateway: Mapping[str, str], shop: Mapping[str, str], campaign_url: str) -> Scene:
        ports = self._ports
        return Scene(
            gateway_url=ports.gateway_url,
            shop_url=ports.shop_url,
            charity_url=ports.charity_url,
            campaign_url=campaign_url,
            bank_url=ports.bank_url,
            chain_url=ports.chain_url,
            usdc_mint=usdc_mint,
            folder=self._folder,
            environment=gateway,
            shop_environment=shop,
            processes=self._running,
        )


def dashboard_link(scene: Scene) -> str:
    """Return a link that lets staff into the dashboard, once."""
    return run([*SERVER, "dashboard"], scene.environment).strip()


def _merchant_wallet(chain_url: str) -> tuple[str, str]:
    """Return the test USDC mint and the merchant's address, with both of its accounts open on the chain."""
    wallet = TestWallet(chain_url, seed=MERCHANT_SEED)
    wallet.airdrop(1_000_000_000)
    mint = str(wallet.info()["usdc_mint"])
    wallet.airdrop_token(mint, 1)
    return mint, wallet.address


def _connect_bank(ports: Ports, secret: str) -> None:
    """Tell the bank where the gateway listens, as one does in Stripe's dashboard."""
    endpoint = {"url": f"{ports.gateway_url}/inbound/stripe", "secret": secret}
    answer = requests.post(f"{ports.bank_url}/_sandbox/webhook_endpoints", json=endpoint, timeout=HTTP_S)
    if not answer.ok:
        raise DemoError(f"The Test Bank refused the gateway's webhook endpoint: {answer.text}")


def _connect_shop(ports: Ports, key: str) -> str:
    """Tell the gateway where the shop listens; return the secret with which it will sign."""
    answer = requests.post(
        f"{ports.gateway_url}/v1/webhook_endpoints",
        json={"url": f"{ports.shop_url}/webhooks/streampay"},
        headers={"Authorization": f"Bearer {key}"},
        timeout=HTTP_S,
    )
    if not answer.ok:
        raise DemoError(f"The gateway refused the shop's webhook endpoint: {answer.text}")
    return str(answer.json()["secret"])
