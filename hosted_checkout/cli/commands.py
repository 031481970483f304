"""The command `streampay-server`: parses, calls one engine verb, prints. No logic stands here."""

import argparse
import base64
import csv
import json
import mimetypes
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Final

from gateway import __version__
from gateway.domain.merchants import MerchantSettings
from gateway.domain.words import LatePolicy
from gateway.engine.records import Owner
from gateway.engine.staff import LINK_LIFETIME
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import GatewayError, NotFoundError
from gateway.kernel.log import Log, configure_logging
from gateway.ledger.proof import verify
from gateway.ledger.sealing import prove
from gateway.reporting.reconciliation import CLEARING_PATIENCE, cases
from gateway.reporting.settlements import CSV_HEAD, Settlements
from gateway.settings import Settings, SettingsError, load_settings
from gateway.storage.database import DatabaseUnavailableError
from gateway.storage.migrate import newest_revision, upgrade
from gateway.wiring import House
from gateway.workers.endings import endings_held
from gateway.workers.loops import Workers, all_loops
from hosted_checkout.cli.donations import add_donations
from hosted_checkout.cli.house import (
    FAILED,
    OK,
    USAGE,
    Command,
    RefusedError,
    add,
    built,
    complain,
    group,
    is_found,
    known_revision,
    opened,
    the_merchant,
)
from hosted_checkout.doctor import examine

QUEUE_PER_THREAD: Final = 8  # requests waiting for each thread; more are left in the kernel's queue
KILL_AFTER_S: Final = 9  # a server process that does not end; service managers kill everything after ten seconds
MAX_NAME: Final = 120
MAX_GRACE_H: Final = 720
MAX_DAYS: Final = 365
log = Log("cli")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status: 0 done, 1 refused or unhealthy, 2 wrong usage or settings."""
    options = parser().parse_args(arguments)
    command: Command = options.command
    try:
        configure_logging("ERROR")  # a command speaks to a person; `serve` and `worker` set their own level
        return command(options, load_settings())
    except SettingsError as error:
        return complain(f"The settings do not add up:\n{error}", USAGE)
    except RefusedError as error:
        return complain(str(error), FAILED)
    except DatabaseUnavailableError as error:
        return complain(f"The database does not answer (STREAMPAY_DATABASE_URL): {error.reason}", FAILED)
    except GatewayError as error:
        return complain(f"{error.param.lstrip('/')}: {error.message}" if error.param else error.message, FAILED)
    except BrokenPipeError:  # `… | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def serve(options: argparse.Namespace, settings: Settings) -> int:
    """Serve API and pages, and do the background work unless STREAMPAY_BACKGROUND is no."""
    del options
    _refuse_busy_port(settings)
    with opened(settings):
        pass
    from granian import Granian  # noqa: PLC0415 - no other command needs it, and it loads for a while
    from granian.constants import Interfaces  # noqa: PLC0415 - the same
    from granian.log import LogLevels  # noqa: PLC0415 - the same

    configure_logging(settings.log_level)
    Granian(
        "hosted_checkout.server:application",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.WSGI,
        workers=settings.processes,
        blocking_threads=settings.serving_threads,
        backpressure=settings.serving_threads * QUEUE_PER_THREAD,
        # Its words go the way of all logs; below an error it only wonders about the number of threads.
        log_level=LogLevels.error,
        log_dictconfig={"loggers": {"_granian": {"handlers": [], "propagate": True}}},
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_AFTER_S,
    ).serve()
    return OK


def worker(options: argparse.Namespace, settings: Settings) -> int:
    """Do the background work: watch chains, deliver webhooks, expire, fetch rates, seal the journal."""
    del options
    with endings_held() as wait, opened(settings) as house:
        configure_logging(settings.log_level)
        workers = Workers(all_loops(house.work))
        workers.start()
        log.info("worker_ready", database=house.db.dialect)
        wait()
        workers.stop()
    return OK


def migrate(options: argparse.Namespace, settings: Settings) -> int:
    """Create or upgrade the database's tables."""
    del options
    with closing(built(settings)) as house:
        before = known_revision(house)
        upgrade(house.db)
        print(f"database at revision {newest_revision()} (was {before or 'empty'})")
    return OK


def dashboard(options: argparse.Namespace, settings: Settings) -> int:
    """Print a link that lets staff into the dashboard, once."""
    with opened(settings) as house:
        has_real_money = bool(house.engine.core.methods(livemode=True)) and not options.test
        owner = Owner(merchant_id=the_merchant(house).id, livemode=has_real_money)
        print(f"{house.engine.core.base_url}/dashboard/enter/{house.engine.staff.invite(owner)}")
    print(f"It works once, within {LINK_LIFETIME.seconds // 60} minutes.", file=sys.stderr)
    return OK


def keys_create(options: argparse.Namespace, settings: Settings) -> int:
    """Print a new secret key, this once."""
    with opened(settings) as house:
        merchant = the_merchant(house)
        print(house.engine.merchants.create_key(merchant.id, livemode=options.live, description=options.description))
    print("Keep it now: it is not shown again. The shop's program reads it as STREAMPAY_API_KEY.", file=sys.stderr)
    return OK


def keys_list(options: argparse.Namespace, settings: Settings) -> int:
    """Print the account's keys: never the keys themselves."""
    del options
    with opened(settings) as house:
        for key in house.engine.merchants.keys(the_merchant(house).id):
            used = "never used" if key.last_used_at is None else f"used {key.last_used_at:%Y-%m-%d %H:%M} UTC"
            named = "" if key.description is None else f"  {key.description}"
            print(f"{key.id}  {key.hint}  {'live' if key.livemode else 'test'}  {key.status}  {used}{named}")
    return OK


def keys_roll(options: argparse.Namespace, settings: Settings) -> int:
    """Print a successor of a key; the old one goes on working for a while."""
    with opened(settings) as house, _key_named(options.key_id):
        print(house.engine.merchants.roll_key(options.key_id, timedelta(hours=options.grace_h)))
    print(f"Keep it now: it is not shown again. {options.key_id} ends in {options.grace_h} hours.", file=sys.stderr)
    return OK


def keys_revoke(options: argparse.Namespace, settings: Settings) -> int:
    """End a key at once."""
    with opened(settings) as house, _key_named(options.key_id):
        house.engine.merchants.revoke_key(options.key_id)
        print(f"{options.key_id} is revoked")
    return OK


def account_create(options: argparse.Namespace, settings: Settings) -> int:
    """Open the merchant's account."""
    with opened(settings) as house:
        if house.engine.merchants.first() is not None:
            raise RefusedError("There is an account already: use `streampay-server account set`.")
        merchant = house.engine.merchants.create(options.name, MerchantSettings())
        print(f"{merchant.id}  {merchant.name}")
    return OK


def account_show(options: argparse.Namespace, settings: Settings) -> int:
    """Print the account, its rules and where it takes money."""
    del options
    with opened(settings) as house:
        merchant = the_merchant(house)
        wallets = {
            mode: house.engine.merchants.wallets(Owner(merchant_id=merchant.id, livemode=mode == "live"))
            for mode in ("test", "live")
        }
        shown = {"id": merchant.id, "name": merchant.name, **asdict(merchant.settings), "receiving_addresses": wallets}
        shown["logo_url"] = shown["logo_url"] and f"{shown['logo_url'].partition(',')[0]},…"  # not 24 KiB of it
        print(json.dumps(shown, indent=2))
    return OK


def account_set(options: argparse.Namespace, settings: Settings) -> int:
    """Change the account's name, rules or receiving address."""
    changes = {name: getattr(options, name) for name in _RULES if getattr(options, name) is not None}
    if not (changes or options.name or options.solana_test_address or options.solana_live_address):
        raise RefusedError("Nothing to change: `streampay-server account set --help` names what can be set.")
    if "origins" in changes:
        changes["origins"] = tuple(changes["origins"])
    if "late_policy" in changes:
        changes["late_policy"] = LatePolicy(changes["late_policy"])
    with opened(settings) as house:
        merchant = the_merchant(house)
        wallets = [(options.solana_test_address, False), (options.solana_live_address, True)]
        wallets = [(address, livemode) for address, livemode in wallets if address]
        for _, livemode in wallets:
            _refuse_without_network(house, livemode=livemode)
        if changes or options.name:
            house.engine.merchants.configure(merchant.id, name=options.name, **changes)
        for address, livemode in wallets:
            owner = Owner(merchant_id=merchant.id, livemode=livemode)
            for account in house.engine.merchants.set_wallet(owner, "solana", address):
                print(f"{account.asset} on {account.network} arrives at {account.account}")
    return OK


def _refuse_without_network(house: House, *, livemode: bool) -> None:
    if not house.engine.core.methods(livemode=livemode):
        mode = "live" if livemode else "test"
        raise RefusedError(
            f"There is no {mode} network to receive on: STREAMPAY_SOLANA_{mode.upper()}_NETWORK is empty."
        )


def ledger_verify(options: argparse.Namespace, settings: Settings) -> int:
    """Rebuild every balance from the journal, check every entry and every seal."""
    del options
    with opened(settings) as house:
        report = house.db.snapshot(verify)
    for problem in report.problems:
        print(f"{problem.check}: {problem.object_id}: {problem.message}", file=sys.stderr)
    verdict = f"{len(report.problems)} problems" if report.problems else "everything balances"
    print(f"{report.entries} entries, {report.postings} postings, {report.accounts} accounts: {verdict}")
    print(f"{report.sealed_entries} entries sealed in {report.blocks} blocks, head {report.head or 'none yet'}")
    return FAILED if report.problems else OK


def ledger_prove(options: argparse.Namespace, settings: Settings) -> int:
    """Print, as JSON, what proves that a payment's entries stand in the sealed journal."""
    with opened(settings) as house:
        proofs = house.db.read(lambda tx: prove(tx, options.subject))
        print(json.dumps([asdict(proof) for proof in proofs], indent=2, default=str))
    if proofs:
        return OK
    return complain(
        f"No sealed entry belongs to {options.subject}: check the id, or wait: the background seals every few seconds.",
        FAILED,
    )


def reconcile(options: argparse.Namespace, settings: Settings) -> int:
    """List where our records and the providers' do not agree, and nobody has explained it yet."""
    with opened(settings) as house:
        if options.now:
            house.engine.inbound.drain()
            house.engine.sweep()
            house.engine.payouts.settle()
        found = cases(house.db, house.clock.now(), clearing_patience=timedelta(days=options.older_than_days))
    if options.json:
        print(json.dumps([asdict(case) | {"explanation": case.explanation} for case in found], indent=2, default=str))
    for case in found if not options.json else ():
        what = "  ".join(str(part) for part in (case.amount, case.detail) if part is not None)
        print(f"{case.kind.value}  {case.subject}  since {rfc3339(case.since)}  {what}\n    {case.explanation}")
    print(f"{len(found)} cases" if found else "nothing is open: every record agrees", file=sys.stderr)
    return FAILED if found else OK


def settlement(options: argparse.Namespace, settings: Settings) -> int:
    """Write every line of a payout as CSV, with fees and net."""
    with opened(settings) as house:
        merchant = the_merchant(house)
        owners = [Owner(merchant_id=merchant.id, livemode=mode) for mode in (True, False)]
        if not any(is_found(house.engine.payouts, owner, options.payout) for owner in owners):
            return complain("There is no such payout; `GET /v1/payouts` lists them.", FAILED)
        report = Settlements(house.db).report(options.payout)
    table = csv.writer(sys.stdout)
    table.writerow(CSV_HEAD)
    table.writerows(report.rows())
    for total in report.totals:
        print(f"{total.count} x {total.type}: {total.amount}, fee {total.fee}, net {total.net}", file=sys.stderr)
    return FAILED if report.gap else OK


def doctor(options: argparse.Namespace, settings: Settings) -> int:
    """Look for what would keep a payment from arriving, and say what to do."""
    del options
    with closing(built(settings)) as house:
        findings = examine(house)
    for finding in findings:
        print(f"{'ok  ' if finding.is_ok else 'FAIL'}  {finding.subject}: {finding.detail}")
    return OK if all(finding.is_ok for finding in findings) else FAILED


_RULES: Final = (
    "brand_color",
    "logo_url",
    "origins",
    "late_policy",
    "tolerance_bps",
    "spread_bps",
    "match_by_exact_amount",
)


def _refuse_busy_port(settings: Settings) -> None:
    """The server would share a port in silence with whoever else allows it: two gateways would take turns."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise RefusedError(
                f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
                "STREAMPAY_HOST and STREAMPAY_PORT choose another address."
            ) from error


@contextmanager
def _key_named(key_id: str) -> Iterator[None]:
    try:
        yield
    except NotFoundError as error:
        raise RefusedError(f"There is no key {key_id}: `streampay-server keys list` names them all.") from error


def parser() -> argparse.ArgumentParser:
    """Return the parser of every command."""
    whole = argparse.ArgumentParser(
        prog="streampay-server",
        description="StreamPay: a payment gateway that a merchant runs for himself.",
        epilog="Settings come from the environment: STREAMPAY_DATABASE_URL and others, see docs/settings.md.",
    )
    whole.add_argument("--version", action="version", version=f"streampay-server {__version__}")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    add(commands, "serve", serve)
    add(commands, "worker", worker)
    add(commands, "migrate", migrate)
    look = add(commands, "dashboard", dashboard)
    look.add_argument("--test", action="store_true", help="begin with test money; a button there changes it")
    _add_account(group(commands, "account", "the merchant's account, its rules and receiving addresses"))
    _add_keys(group(commands, "keys", "secret API keys"))
    ledger = group(commands, "ledger", "the books and their proofs")
    add(ledger, "verify", ledger_verify)
    add(ledger, "prove", ledger_prove).add_argument("subject", help="a payment (pay_…) or chain transfer (xfer_…)")
    review = add(commands, "reconcile", reconcile)
    review.add_argument("--now", action="store_true", help="first ask the providers, as the worker does by itself")
    review.add_argument(
        "--older-than-days", type=_days, default=CLEARING_PATIENCE.days, help="how long a payout may take (default 10)"
    )
    review.add_argument("--json", action="store_true", help="for programs")
    add(commands, "settlement", settlement).add_argument("payout", help="po_… as `GET /v1/payouts` lists it")
    add_donations(group(commands, "donations", "what charities are owed, receipts, and what donors ask for"))
    add(commands, "doctor", doctor)
    return whole


def _add_account(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    add(commands, "create", account_create).add_argument("--name", required=True, type=_name, help="what shoppers see")
    add(commands, "show", account_show)
    change = add(commands, "set", account_set)
    change.add_argument("--name", type=_name, help="what shoppers see")
    change.add_argument("--brand-color", help="as #rrggbb; contrast is repaired where needed")
    change.add_argument("--logo", dest="logo_url", type=_logo, metavar="FILE", help="PNG, JPEG, WebP or SVG, 24 KiB")
    change.add_argument("--origins", nargs="+", help="where success_url may lead, such as https://shop.example")
    change.add_argument("--late-policy", choices=[word.value for word in LatePolicy], help="money after the deadline")
    change.add_argument("--tolerance-bps", type=int, help="how much under or over still counts as exact, in 1/100 %%")
    change.add_argument("--spread-bps", type=int, help="margin on quoted rates, in 1/100 %%")
    change.add_argument(
        "--match-by-exact-amount",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="credit a transfer without reference to the only open payment of that sum",
    )
    change.add_argument("--solana-test-address", help="wallet that takes test money")
    change.add_argument("--solana-live-address", help="wallet that takes real money")


def _add_keys(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    create = add(commands, "create", keys_create)
    create.add_argument("--description", type=_name, help="what the key is for")
    mode = create.add_mutually_exclusive_group()
    mode.add_argument("--test", dest="live", action="store_false", default=False, help="for test money (default)")
    mode.add_argument("--live", dest="live", action="store_true", help="for real money")
    add(commands, "list", keys_list)
    roll = add(commands, "roll", keys_roll)
    roll.add_argument("key_id", help="key_… as `keys list` prints it")
    roll.add_argument(
        "--grace-h", type=_grace_h, default=24, help="hours that the old key goes on working (default 24; 0: none)"
    )
    add(commands, "revoke", keys_revoke).add_argument("key_id", help="key_… as `keys list` prints it")


def _name(text: str) -> str:
    if not 1 <= len(text.strip()) <= MAX_NAME:
        raise argparse.ArgumentTypeError(f"give 1 to {MAX_NAME} characters")
    return text.strip()


def _grace_h(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > len(str(MAX_GRACE_H)) or int(text) > MAX_GRACE_H:
        raise argparse.ArgumentTypeError(f"give whole hours from 0 to {MAX_GRACE_H}")
    return int(text)


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > len(str(MAX_DAYS)) or int(text) > MAX_DAYS:
        raise argparse.ArgumentTypeError(f"give whole days from 0 to {MAX_DAYS}")
    return int(text)


def _logo(path: str) -> str:
    """Read an image into the address that the page carries."""
    kind = mimetypes.guess_type(path)[0]
    try:
        return f"data:{kind};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"
    except OSError as error:
        raise argparse.ArgumentTypeError(f"cannot read the image: {error.strerror}") from error
