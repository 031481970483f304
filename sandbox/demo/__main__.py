"""``python -m sandbox.demo``: a running StreamPay on this machine, without network, keys or accounts."""

import argparse
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import requests

from sandbox.demo import clock
from sandbox.demo.books import verify_ledger
from sandbox.demo.card_purchase import DECLINED_CARD, GOOD_CARD, CardPurchase
from sandbox.demo.gift import WalletGift
from sandbox.demo.passing_time import let_time_pass
from sandbox.demo.ports import DEFAULT_BASE, Ports
from sandbox.demo.processes import DemoError
from sandbox.demo.shopper import step
from sandbox.demo.stage import STAFF_FILE, Scene, dashboard_link, open_stage
from sandbox.demo.wallet_purchase import WalletPurchase
from sandbox.endings import ENDINGS

FOLDER: Final = Path(".demo")
BASES: Final = range(1024, 65535 - 820)  # the highest port that follows is base + 820
OK: Final = 0
FAILED: Final = 1


@dataclass(slots=True)
class Ending:
    """What Ctrl-C does: it interrupts once, and it is remembered.

    An interrupt that falls into a finalizer is swallowed by Python; a second one would break off the taking down.
    """

    is_asked: bool = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Interrupt, the first time; the handler of a signal."""
        if not self.is_asked:
            self.is_asked = True
            raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    ending = Ending()
    for number in ENDINGS:
        signal.signal(number, ending)
    ports = Ports.from_base(options.port_base)
    try:
        with open_stage(ports, FOLDER.resolve()) as scene:
            return _check(scene) if options.check else show(scene, ending)
    except (DemoError, requests.RequestException) as error:
        sys.stderr.write(f"demo: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stdout.write("\ndemo: everything is stopped\n")
        return OK


def _check(scene: Scene) -> int:
    started = time.monotonic()
    CardPurchase(scene).run()
    WalletPurchase(scene).run()
    WalletGift(scene).run()
    let_time_pass(scene)
    step("the ledger verifies", lambda: verify_ledger(scene))
    sys.stdout.write(f"demo: ok, paid in {time.monotonic() - started:.1f} s\n")
    return OK


def show(scene: Scene, ending: Ending) -> int:
    """Say where everything is, and watch over it until Ctrl-C or a death.

    Raises:
        KeyboardInterrupt: Ctrl-C.
        DemoError: a process died.
    """
    link = dashboard_link(scene)
    sys.stdout.write(
        f"""
  StreamPay is running. Open the shop and buy something:

      {scene.shop_url}

  At the checkout you may round up for a charity, whose own page collects with the donation widget:

      {scene.charity_url}

  The merchant's dashboard; this link lets you in once, within ten minutes:

      {link}

  For another link, and for every other command of the server, in a second terminal:

      . {scene.folder}/{STAFF_FILE}; {Path(sys.executable).parent}/streampay-server dashboard

  By card: {GOOD_CARD} is good, {DECLINED_CARD} is declined; any later date, any code.
  By wallet: choose a coin, then "Test wallet", which signs for real on a chain that exists only here.

  The card's bank can refuse, fail, lose webhooks, open disputes and let months pass. Its control panel:

      {scene.bank_url}/control

  Logs and databases are in {scene.folder}. Ctrl-C ends everything.

"""
    )
    sys.stdout.flush()
    while all(process.is_alive for process in scene.processes):
        _keep_time(scene)
        time.sleep(1)
        if ending.is_asked:
            raise KeyboardInterrupt
    dead = next(process for process in scene.processes if not process.is_alive)
    raise DemoError(f"{dead.name} stopped:\n{dead.complaint()}")


def _keep_time(scene: Scene) -> None:
    try:
        clock.follow(scene.gateway_url, scene.bank_url, scene.shop_environment["STREAMPAY_API_KEY"])
    except requests.RequestException:
        return  # somebody is on the way out, or busy: the next second tells


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dev.py demo", description="Gateway, shop, dev chain, Test Bank and test exchange in one terminal."
    )
    parser.add_argument("--check", action="store_true", help="buy by card and by wallet without a person, then stop")
    parser.add_argument(
        "--port-base",
        type=_port,
        default=DEFAULT_BASE,
        help="port of the gateway; the others follow (default: %(default)s)",
    )
    return parser


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number not in BASES:
        raise argparse.ArgumentTypeError(f"give a port from {BASES.start} to {BASES.stop - 1}")
    return number


if __name__ == "__main__":
    sys.exit(main())
