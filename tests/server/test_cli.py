"""The command as a new user meets it: what it prints, how it ends, and what it says when something is missing."""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select, text

from gateway.engine.merchants import KNOWN_NS
from gateway.kernel.clock import ManualClock
from gateway.kernel.errors import AuthenticationError
from gateway.kernel.ids import RandomIds
from gateway.ledger.journal import Journal
from gateway.ledger.sealing import InclusionProof, check_proof, seal
from gateway.settings import load_settings
from gateway.storage import schema
from gateway.storage.database import Database, Tx, open_database
from gateway.storage.migrate import newest_revision, upgrade
from gateway.wiring import build_house
from hosted_checkout import cli
from hosted_checkout.app import create_app
from sandbox.devchain.chain import DevChain
from sandbox.devchain.faucet import USDC_MINT
from sandbox.devchain.server import RunningServer, serve
from sandbox.devchain.wallet import TestWallet
from sandbox.exchange import server as exchange_server
from sandbox.exchange.market import Market
from tests.ledger.books import NOW, Books, a_receipt

NOBODY = "http://127.0.0.1:9"  # the discard port: nobody listens
KEY_FORM = re.compile(r"sk_test_[A-Za-z0-9_\-]{40,}\n")
COMMANDS = (
    "serve", "worker", "migrate", "doctor", "account create", "account show", "account set", "keys create", "keys list",
    "dashboard", "keys roll", "keys revoke", "ledger verify", "ledger prove", "reconcile", "settlement",
    "donations owed", "donations report", "donations resend", "donations statement", "donations erase",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a command left behind."""

    status: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Set an environment whose chain and exchanges are out of reach."""
    values = {
        "STREAMPAY_DATABASE_URL": f"sqlite:///{tmp_path / 'gateway.db'}",
        "STREAMPAY_SOLANA_TEST_NETWORK": "solana:localnet",
        "STREAMPAY_SOLANA_TEST_RPC_URLS": NOBODY,
        "STREAMPAY_SOLANA_LIVE_NETWORK": "",
        "STREAMPAY_RATES_BASE_URL": NOBODY,
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


@pytest.fixture
def run(environment: dict[str, str], capfd: pytest.CaptureFixture[str]) -> Run:
    """Return ``(*arguments) -> Ended``: run one command in this process."""
    assert environment

    def command(*arguments: str) -> Ended:
        capfd.readouterr()
        try:
            status = cli.main(arguments)
        except SystemExit as end:  # argparse ends by itself
            status = int(end.code or 0)
        out, err = capfd.readouterr()
        return Ended(status=status, out=out, err=err)

    return command


@pytest.fixture
def account(run: Run) -> str:
    """Open an account and return its id."""
    return run("account", "create", "--name", "My shop").out.split()[0]


@pytest.fixture
def db(environment: dict[str, str]) -> Iterator[Database]:
    """Open the database beside the commands."""
    with closing(open_database(environment["STREAMPAY_DATABASE_URL"])) as database:
        yield database


def key_ids(run: Run) -> list[str]:
    return re.findall(r"^key_\w+", run("keys", "list").out, re.MULTILINE)


# --- what it says about itself ---------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(run: Run, command: str) -> None:
    ended = run(*command.split(), "--help")
    assert (ended.status, ended.err) == (0, "")
    about = ended.out.split("\n\n")[1]
    assert re.fullmatch(r"[A-Z][^.]{15,}\.", " ".join(about.split()))
    options = ended.out.partition("options:")[2]
    assert all(re.search(rf"{flag}\b.*?[a-z]{{3}}", options, re.DOTALL) for flag in re.findall(r"--[a-z-]+", options))


def test_every_command_is_in_the_table_above() -> None:
    def names(parser: argparse.ArgumentParser, prefix: str = "") -> Iterator[str]:
        groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        if not groups:
            yield prefix.strip()
        for group in groups:
            for name, sub in group.choices.items():
                yield from names(sub, f"{prefix} {name}")

    assert set(names(cli.parser())) == set(COMMANDS)


def test_the_version_is_the_packages(run: Run) -> None:
    assert re.fullmatch(r"streampay-server \d+\.\d+\.\d+\S*\n", run("--version").out)


@pytest.mark.parametrize("arguments", [(), ("no-such",), ("keys",), ("ledger", "prove"), ("account", "create")])
def test_wrong_usage_ends_with_2_and_shows_the_usage(run: Run, arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("usage: streampay-server")


# --- clear errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [("keys", "create"), ("keys", "list"), ("account", "show"), ("account", "set", "--name", "x")],
)
def test_without_an_account_it_says_how_to_open_one(run: Run, arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == 'There is no account yet: run `streampay-server account create --name "My shop"`.\n'


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ("account create --name Other", 1, "There is an account already: use `streampay-server account set`."),
        ("account set", 1, "Nothing to change"),
        ("account set --brand-color red", 1, "brand_color: Write the colour as #rrggbb."),
        ("account set --origins https://shop.example/path", 1, "origins: Give origins such as https://shop.example"),
        ("account set --tolerance-bps -1", 1, "tolerance_bps: Give hundredths of a percent, from 0 to 2000."),
        ("account set --tolerance-bps x", 2, "--tolerance-bps"),
        ("account set --late-policy maybe", 2, "--late-policy"),
        ("account set --logo /no/such.png", 2, "cannot read the image: No such file or directory"),
        ("account set --logo setup.cfg", 1, "logo_url: Give a PNG, JPEG, WebP or SVG image"),
        ("account set --name ", 2, "give 1 to 120 characters"),
        ("account set --solana-test-address nonsense", 1, "wallet: This is not a Solana wallet address."),
        ("account set --solana-live-address 4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU", 1, "live"),
        ("keys revoke key_unknown", 1, "There is no key key_unknown: `streampay-server keys list` names them all."),
        ("keys roll key_unknown", 1, "There is no key key_unknown: `streampay-server keys list` names them all."),
        ("keys roll key_unknown --grace-h -1", 2, "whole hours from 0 to 720"),
        ("keys roll key_unknown --grace-h 99999", 2, "whole hours from 0 to 720"),
        ("keys create --test --live", 2, "not allowed with"),
        ("ledger prove pay_unknown", 1, "No sealed entry belongs to pay_unknown"),
        ("reconcile --older-than-days -1", 2, "whole days from 0 to 365"),
        ("settlement po_unknown", 1, "There is no such payout"),
        ("donations report cmp_unknown", 1, "There is no such charity or campaign"),
        ("donations owed --older-than-days 31", 2, "invalid choice"),
    ],
)
def test_a_mistake_is_said_in_words_and_changes_nothing(
    run: Run, account: str, db: Database, arguments: str, status: int, said: str
) -> None:
    assert account
    before = _rows(db)
    ended = run(*arguments.split(" "))
    assert ended.status == status
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) == 1 or ended.err.startswith("usage:")
    assert _rows(db) == before


def _rows(db: Database) -> list[tuple[object, ...]]:
    tables = ("merchant", "api_key", "receiving_account", "watch")
    return [tuple(row) for table in tables for row in db.read(partial(_all, table=table))]


def _all(tx: Tx, *, table: str) -> Sequence[Row[Any]]:
    return tx.execute(schema.metadata.tables[table].select()).all()


def test_settings_that_do_not_add_up_end_with_2_and_all_problems(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMPAY_PORT", "0")
    monkeypatch.setenv("STREAMPAY_COLOUR", "red")
    ended = run("keys", "list")
    assert (ended.status, ended.out) == (2, "")
    assert ended.err == (
        "The settings do not add up:\n"
        "STREAMPAY_PORT: give a whole number from 1 to 65535\n"
        "STREAMPAY_COLOUR: there is no such setting\n"
    )


@pytest.mark.parametrize("command", ["keys list", "migrate", "serve", "worker"])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://streampay:hunter2@127.0.0.1:9/streampay", "The database does not answer"),
        ("mariadb://streampay:hunter2@127.0.0.1:9/streampay", "The database does not answer"),
    ],
)
def test_a_database_that_is_down_is_one_line_without_the_password(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str, url: str, said: str
) -> None:
    monkeypatch.setenv("STREAMPAY_DATABASE_URL", url)
    monkeypatch.setenv("STREAMPAY_SECRET_KEYS", "A" * 43 + "=")
    ended = run(*command.split())
    assert (ended.status, ended.out) == (1, "")
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1
    assert "hunter2" not in ended.err


@pytest.mark.parametrize("command", ["keys list", "migrate", "serve", "worker", "doctor"])
def test_a_folder_that_is_none_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STREAMPAY_DATABASE_URL", f"sqlite:///{tmp_path}/file/gateway.db")
    ended = run(*command.split())
    assert (ended.status, ended.out) == (1, "")
    assert "The database's folder cannot be used" in ended.err
    assert len(ended.err.splitlines()) == 1


# --- keys ------------------------------------------------------------------------------------------------


def let_the_other_process_be_heard() -> None:
    """Wait out the second for which a server believes what it knew of a key before another process changed it."""
    time.sleep(KNOWN_NS / 1e9 + 0.01)


def test_a_key_is_made_rolled_and_revoked(run: Run, account: str, environment: dict[str, str]) -> None:
    """As an operator does it, with every step tried at the API's door."""
    made = run("keys", "create")
    assert (made.status, account[:4]) == (0, "mer_")
    assert KEY_FORM.fullmatch(made.out)
    assert made.out.strip() not in made.err
    clock = ManualClock(datetime.now(UTC))
    with closing(build_house(load_settings(environment), clock=clock)) as house:
        http = create_app(house).test_client()

        def knock(key: str) -> int:
            return http.get("/v1/account", headers={"Authorization": f"Bearer {key}"}).status_code

        first = made.out.strip()
        assert knock(first) == 200
        (first_id,) = key_ids(run)
        rolled = run("keys", "roll", first_id, "--grace-h", "2")
        assert KEY_FORM.fullmatch(rolled.out)
        second = rolled.out.strip()
        assert first_id in rolled.err
        assert second not in rolled.err
        assert (knock(first), knock(second)) == (200, 200)
        let_the_other_process_be_heard()
        clock.advance(timedelta(hours=2, minutes=1))
        assert (knock(first), knock(second)) == (401, 200)
        (second_id,) = set(key_ids(run)) - {first_id}
        revoked = run("keys", "revoke", second_id)
        assert (revoked.status, revoked.out) == (0, f"{second_id} is revoked\n")
        let_the_other_process_be_heard()
        assert knock(second) == 401
        with pytest.raises(AuthenticationError):
            house.engine.merchants.authenticate(second)


def test_a_roll_without_grace_ends_the_old_key_at_once(run: Run, account: str) -> None:
    assert account
    run("keys", "create")
    (key_id,) = key_ids(run)
    assert run("keys", "roll", key_id, "--grace-h", "0").status == 0
    assert re.search(rf"^{key_id}  \S+  test  ended  never used$", run("keys", "list").out, re.MULTILINE)


def test_the_list_shows_what_keys_may_do_and_never_a_key(run: Run, account: str) -> None:
    assert account
    keys = [run("keys", "create", *mode).out.strip() for mode in ((), ("--test",), ("--live",))]
    shown = run("keys", "list").out
    assert not any(key in shown for key in keys)
    assert [line.split()[2:4] for line in shown.splitlines()] == [["test", "active"]] * 2 + [["live", "active"]]
    assert keys[2].startswith("sk_live_")


# --- account ---------------------------------------------------------------------------------------------


def test_the_account_shows_what_was_set(run: Run, account: str, tmp_path: Path) -> None:
    logo = tmp_path / "logo.svg"
    logo.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    address = "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU"
    ended = run(
        *("account", "set", "--name", "Marble & Moss", "--brand-color", "#1f6f54", "--logo", str(logo)),
        *("--origins", "https://shop.example", "http://127.0.0.1:5000", "--late-policy", "refund"),
        *("--tolerance-bps", "50", "--spread-bps", "100", "--match-by-exact-amount", "--solana-test-address", address),
    )
    assert ended.status == 0
    assert ended.out.splitlines()[0] == f"SOL on solana:localnet arrives at {address}"
    assert json.loads(run("account", "show").out) == {
        "id": account,
        "name": "Marble & Moss",
        "brand_color": "#1f6f54",
        "logo_url": "data:image/svg+xml;base64,…",
        "origins": ["https://shop.example", "http://127.0.0.1:5000"],
        "late_policy": "refund",
        "tolerance_bps": 50,
        "spread_bps": 100,
        "accept_confirmed_below": None,
        "match_by_exact_amount": True,
        "receiving_addresses": {"test": [{"network": "solana:localnet", "address": address}], "live": []},
    }


# --- migrate ---------------------------------------------------------------------------------------------


def test_migrate_makes_a_schema_once(run: Run) -> None:
    newest = newest_revision()
    assert run("migrate").out == f"database at revision {newest} (was empty)\n"
    assert run("migrate").out == f"database at revision {newest} (was {newest})\n"


def _pretend_newer(db: Database) -> None:
    upgrade(db)
    db.write(lambda tx: tx.execute(text("UPDATE alembic_version SET version_num = '9999'")))


@pytest.mark.parametrize("command", ["migrate", "serve", "worker", "keys list", "ledger verify"])
def test_a_database_of_a_newer_version_is_left_alone(run: Run, db: Database, command: str) -> None:
    _pretend_newer(db)
    ended = run(*command.split())
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("The database is at revision 9999, which a newer streampay-server made")
    assert len(ended.err.splitlines()) == 1


def test_a_shared_database_is_upgraded_by_its_operator_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    monkeypatch.setenv("STREAMPAY_DATABASE_URL", postgres_url)
    monkeypatch.setenv("STREAMPAY_SECRET_KEYS", "A" * 43 + "=")
    for command in ("serve", "worker", "keys list"):
        ended = run(*command.split())
        assert (ended.status, ended.out) == (1, "")
        assert ended.err == "The database is not at this version's schema: run `streampay-server migrate` first.\n"
    assert run("migrate").out == f"database at revision {newest_revision()} (was empty)\n"
    assert "There is no account yet" in run("keys", "list").err


# --- ledger ----------------------------------------------------------------------------------------------


@pytest.fixture
def booked(environment: dict[str, str], account: str) -> str:
    """Book three payments and seal them; return the id of one."""
    with closing(build_house(load_settings(environment))) as house:
        books = Books(house.db, ManualClock(NOW), Journal(RandomIds(house.clock), house.clock))
        for subject in ("pay_one", "pay_two", "pay_three"):
            books.post(a_receipt(merchant_id=account, subject_id=subject))
        seal(house.db, house.clock)
    return "pay_two"


def test_empty_books_and_sound_books_verify(run: Run, account: str, request: pytest.FixtureRequest) -> None:
    assert account
    assert run("ledger", "verify").out.splitlines() == [
        "0 entries, 0 postings, 0 accounts: everything balances",
        "0 entries sealed in 0 blocks, head none yet",
    ]
    request.getfixturevalue("booked")
    ended = run("ledger", "verify")
    assert (ended.status, ended.err) == (0, "")
    assert re.fullmatch(
        "3 entries, 6 postings, 2 accounts: everything balances\n3 entries sealed in 1 blocks, head [0-9a-f]{64}\n",
        ended.out,
    )


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("network", "flags", "livemode"),
    [("", [], False), ("solana:mainnet", [], True), ("solana:mainnet", ["--test"], False)],
    ids=["nothing live", "live", "test asked for"],
)
def test_a_link_to_the_dashboard_is_printed_once_and_kept_as_a_hash(
    run: Run, db: Database, monkeypatch: pytest.MonkeyPatch, network: str, flags: list[str], *, livemode: bool
) -> None:
    monkeypatch.setenv("STREAMPAY_SOLANA_LIVE_NETWORK", network)
    monkeypatch.setenv("STREAMPAY_SOLANA_LIVE_RPC_URLS", NOBODY)
    ended = run("dashboard", *flags)
    assert (ended.status, ended.err) == (0, "It works once, within 10 minutes.\n")
    matched = re.fullmatch(r"http\S+/dashboard/enter/([A-Za-z0-9_-]{43})\n", ended.out)
    assert matched is not None
    row = db.read(lambda tx: tx.execute(select(schema.staff_visit)).one())
    assert (row.livemode, row.digest, matched[1] in str(row)) == (livemode, None, False)


@pytest.mark.parametrize(
    ("tampering", "check"),
    [
        ("UPDATE balance SET debits_posted = '7' WHERE debits_posted != '0'", "balance_differs"),
        ("UPDATE posting SET amount = '7' WHERE seq = 0", "unbalanced"),
        ("DELETE FROM posting WHERE subject_id = 'pay_two'", "too_few_legs"),
        ("UPDATE journal_entry SET kind = 'gift' WHERE subject_id = 'pay_one'", "entry_changed"),
        ("UPDATE seal_block SET root = head", "seal_broken"),
    ],
)
def test_tampered_books_are_red(run: Run, booked: str, db: Database, tampering: str, check: str) -> None:
    assert booked

    def tamper(tx: Tx) -> None:
        for (name,) in tx.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            tx.execute(text(f"DROP TRIGGER {name}"))  # as somebody with the file in his hands does
        tx.execute(text(tampering))

    db.write(tamper)
    ended = run("ledger", "verify")
    assert ended.status == 1
    assert f"{check}: " in ended.err
    assert re.search(r"accounts: [1-9]\d* problems", ended.out)


def test_a_proof_convinces_without_the_database(run: Run, booked: str) -> None:
    ended = run("ledger", "prove", booked)
    assert (ended.status, ended.err) == (0, "")
    (shown,) = json.loads(ended.out)
    proof = InclusionProof.from_json(json.dumps(shown))
    assert check_proof(proof)
    assert json.loads(proof.entry)["subject_id"] == booked
    assert proof.head in run("ledger", "verify").out
    forged = json.dumps(shown | {"entry": proof.entry.replace("1000000", "9000000")})
    assert not check_proof(InclusionProof.from_json(forged))


# --- doctor ----------------------------------------------------------------------------------------------


def findings(ended: Ended) -> dict[str, tuple[bool, str]]:
    """Return what the doctor found, by subject."""
    rows = [re.fullmatch(r"(ok  |FAIL)  (.+?): (.+)", line) for line in ended.out.splitlines()]
    return {row[2]: (row[1] == "ok  ", row[3]) for row in rows if row is not None}


def test_the_doctor_names_an_empty_database(run: Run) -> None:
    ended = run("doctor")
    assert ended.status == 1
    assert findings(ended) == {
        "database": (
            False,
            f"sqlite, empty; this version wants {newest_revision()}: run `streampay-server migrate`",
        )
    }


def test_the_doctor_names_a_newer_and_a_missing_database(
    run: Run, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pretend_newer(db)
    assert "made by a newer version" in findings(run("doctor"))["database"][1]
    monkeypatch.setenv("STREAMPAY_DATABASE_URL", "postgresql://streampay@127.0.0.1:9/streampay")
    monkeypatch.setenv("STREAMPAY_SECRET_KEYS", "A" * 43 + "=")
    ended = run("doctor")
    assert (ended.status, findings(ended)["database"][0]) == (1, False)
    assert findings(ended)["database"][1].startswith("does not answer: ")


def test_the_doctor_says_what_to_do_next_at_every_step(run: Run) -> None:
    run("migrate")
    assert findings(run("doctor"))["account"] == (
        False,
        'none: run `streampay-server account create --name "My shop"`',
    )
    run("account", "create", "--name", "My shop")
    assert findings(run("doctor"))["API keys"] == (False, "none: run `streampay-server keys create`")
    run("keys", "create")
    found = findings(run("doctor"))
    assert found["test receiving address"] == (
        False,
        "none: run `streampay-server account set --solana-test-address ADDRESS`",
    )
    assert not found["chain solana:localnet"][0]
    assert not found["rate SOL/USD"][0]


@pytest.fixture
def chain() -> Iterator[RunningServer]:
    with serve(DevChain(slot_ms=50)) as running:
        yield running


def test_the_doctor_finds_a_whole_gateway_well(
    run: Run, account: str, monkeypatch: pytest.MonkeyPatch, chain: RunningServer
) -> None:
    wallet = TestWallet(chain.url, seed="doctor")
    wallet.airdrop(1_000_000_000)
    wallet.wait(wallet.airdrop_token(str(USDC_MINT), 1))
    usdc = {"code": "USDC", "title": "USD Coin", "mint": str(USDC_MINT), "decimals": 6}
    monkeypatch.setenv("STREAMPAY_SOLANA_TEST_RPC_URLS", chain.url)
    monkeypatch.setenv("STREAMPAY_SOLANA_TEST_TOKENS", json.dumps([usdc]))
    with exchange_server.serve(Market()) as exchange:
        monkeypatch.setenv("STREAMPAY_RATES_BASE_URL", exchange.url)
        run("keys", "create")
        assert run("account", "set", "--solana-test-address", wallet.address).status == 0
        ended = run("doctor")
    assert ended.status == 0, ended.out
    assert {"database", "account", "API keys", "test receiving address", "chain solana:localnet"} <= set(
        findings(ended)
    )
    assert findings(ended)["account"] == (True, f"My shop ({account})")
    assert findings(ended)["rate SOL/USD"][0]


# --- as a process ----------------------------------------------------------------------------------------


def test_the_installed_command_speaks_as_the_function_does(environment: dict[str, str]) -> None:
    command = Path(sys.executable).with_name("streampay-server")
    assert environment
    done = subprocess.run([command, "keys", "list"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("There is no account yet")


def test_a_reader_that_leaves_early_sees_no_traceback(run: Run, account: str) -> None:
    assert (run("keys", "create").status, account[:4]) == (0, "mer_")
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m hosted_checkout.cli account show | true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
