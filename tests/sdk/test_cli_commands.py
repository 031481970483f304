"""The command line as people run it: in a process of its own, against the real server and a real local shop."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request

from streampay import SignatureVerificationError, StreamPay, Webhook
from streampay.cli import main
from streampay.testing import event
from tests.api.live import serving
from tests.sdk.live_gateway import ORIGIN, LiveGateway

pytest.importorskip("rich", reason='pip install "streampay[cli]"')
from streampay.cli.context import secret_of

SDK = Path(__file__).parents[2] / "sdk"
SECRET = "whsec_c3RyZWFtcGF5LXRlc3Rpbmctc2VjcmV0"


class LocalShop:
    """A webhook on this machine that answers what `answers` says, then 204."""

    def __init__(self) -> None:
        self.secret, self.answers = SECRET, list[int]()
        self.received: list[tuple[str, bytes, int]] = []
        self.app = Flask("local")
        self.app.add_url_rule("/hook", view_func=self.hook, methods=["POST"])

    def hook(self) -> tuple[str, int]:
        try:
            kind = Webhook(self.secret).verify(request.get_data(), request.headers).type
            status = self.answers.pop(0) if self.answers else 204
        except SignatureVerificationError as error:
            kind, status = error.code, 400
        self.received.append((kind, request.get_data(), status))
        return "", status


@pytest.fixture
def shop() -> Iterator[LocalShop]:
    found = LocalShop()
    with serving(found.app) as url:
        found.app.config["HOOK"] = f"{url}/hook"
        yield found


@pytest.fixture
def merchant(live_gateway: LiveGateway) -> Iterator[StreamPay]:
    """Return a client of the real gateway."""
    with StreamPay(live_gateway.api_key, base_url=live_gateway.base_url) as client:
        yield client


def environment(gateway: LiveGateway | None, **more: str) -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if not name.startswith("STREAMPAY_")}
    found |= {"PYTHONPATH": str(SDK), "PYTHONUNBUFFERED": "1", "COLUMNS": "300", "NO_COLOR": "1"}
    if gateway is not None:
        found |= {"STREAMPAY_API_KEY": gateway.api_key, "STREAMPAY_BASE_URL": gateway.base_url}
    return {**found, **more}


Run = Callable[..., subprocess.CompletedProcess[str]]
# Ctrl-C must be heard in a background shell, too.
PROGRAM = (
    "import signal, sys; from streampay.cli import main;"
    "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main())"
)


@pytest.fixture
def cli(live_gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs `streampay` with arguments; `stdin` is its standard input."""

    def run(*arguments: str, stdin: bytes = b"", **more: str) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            for name, value in {**environment(live_gateway), "STREAMPAY_WEBHOOK_SECRET": "", **more}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            status = main(arguments)
        found = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, status, found.out, found.err)

    return run


@contextlib.contextmanager
def in_background(gateway: LiveGateway, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command that goes on until Ctrl-C; it must end by it, cleanly."""
    quiet = "ignore:unclosed:ResourceWarning"  # Ctrl-C amid a connect leaves its socket to the collector
    command, pipe = [sys.executable, "-W", "error", "-W", quiet, "-c", PROGRAM, *arguments], subprocess.PIPE
    with subprocess.Popen(command, env=environment(gateway), stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=20)
            process.story = out  # type: ignore[attr-defined]  # for the test to read
            assert (process.returncode, "Traceback" in errors) == (0, False), errors


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def a_session(client: StreamPay, reference: str) -> str:
    return client.checkout.sessions.create(
        amount="12.30", currency="USD", reference=reference, success_url=f"{ORIGIN}/thanks"
    ).id


def test_listen_forwards_the_exact_bytes_signed_and_again_on_failure(
    live_gateway: LiveGateway, merchant: StreamPay, shop: LocalShop
) -> None:
    a_session(merchant, "before")
    shop.answers = [500, 204]
    arguments = (
        "listen",
        "--forward-to",
        shop.app.config["HOOK"],
        "--poll",
        "0.1",
        "--events",
        "checkout.session.created",
    )
    with in_background(live_gateway, *arguments) as process:
        assert process.stdout is not None
        head = [process.stdout.readline() for _ in range(3)]
        shop.secret = head[2].strip().partition("=")[2]
        session = a_session(merchant, "while-it-listens")
        until(lambda: len(shop.received) == 2)
    told = next(iter(merchant.events.list(types=["checkout.session.created"])))
    assert {(kind, json.loads(body)["data"]["object"]["id"]) for kind, body, _ in shop.received} == {
        ("checkout.session.created", session)
    }
    assert [status for _, _, status in shop.received] == [500, 204]
    assert json.loads(shop.received[0][1])["id"] == told.id
    story: str = process.story  # type: ignore[attr-defined]  # set above
    assert [line.partition(" -> ")[2].split()[0] for line in story.splitlines() if " -> " in line] == ["500", "204"]
    assert "stopped" in story


def test_the_secret_is_that_of_the_environment_or_belongs_to_the_key(cli: Run, live_gateway: LiveGateway) -> None:
    args = Namespace(secret=None, api_key=live_gateway.api_key)
    derived = json.loads(cli("trigger", "ping").stdout)
    assert Webhook(secret_of(args)).verify(derived["body"], derived["headers"]).type == "ping"
    assert secret_of(args) != secret_of(Namespace(secret=None, api_key="sk_test_another"))
    own = json.loads(cli("trigger", "ping", STREAMPAY_WEBHOOK_SECRET=SECRET).stdout)
    assert Webhook(SECRET).verify(own["body"], own["headers"]).type == "ping"


def test_trigger_sends_a_signed_sample_with_overrides(cli: Run, shop: LocalShop) -> None:
    overrides = ("reference=order-7", "amount=5.00", "metadata.cart=7", "charges.0.instrument.last4=0001", "version=3")
    flags = [part for one in overrides for part in ("--override", one)]
    done = cli("trigger", "payment.succeeded", "--forward-to", shop.app.config["HOOK"], "--secret", SECRET, *flags)
    assert (done.returncode, "payment.succeeded order-7 paid 5.00 USD" in done.stdout, "-> 204 in" in done.stdout) == (
        0,
        True,
        True,
    )
    sent = json.loads(shop.received[0][1])["data"]["object"]
    assert (sent["metadata"], sent["charges"][0]["instrument"]["last4"], sent["version"]) == ({"cart": "7"}, "0001", 3)
    assert sent["amount_received"] == "5.00"
    refused = cli("trigger", "ping", "--forward-to", shop.app.config["HOOK"], "--secret", "whsec_" + "A" * 32, "--json")
    assert (refused.returncode, json.loads(refused.stdout)["status"]) == (1, 400)
    nobody = cli("trigger", "ping", "--forward-to", "http://127.0.0.1:9/hook")
    assert (nobody.returncode, "ConnectionError" in nobody.stdout) == (1, True)


def test_events_are_listed_and_sent_again(cli: Run, merchant: StreamPay, monkeypatch: pytest.MonkeyPatch) -> None:
    a_session(merchant, "listed")
    done = cli("events", "list", "--events", "checkout.session.created", "--limit", "1")
    assert "checkout.session.created listed open 12.30 USD evt_" in done.stdout
    (line,) = cli("events", "list", "--limit", "1", "--json").stdout.splitlines()
    event_id = json.loads(line)["id"]
    nowhere = cli("events", "resend", event_id)
    assert (nowhere.returncode, "no endpoint is enabled" in nowhere.stderr) == (1, True)
    endpoint = merchant.webhook_endpoints.create(url="https://hooks.example/in")
    try:
        assert f"{event_id} is on its way to {endpoint.id}" in cli("events", "resend", event_id).stdout
        assert cli("events", "resend", event_id, "--endpoint", endpoint.id).returncode == 0
        missing = cli("events", "resend", "evt_01jd4k00000000000000000000")
        assert (missing.returncode, "not_found" in missing.stderr) == (1, True)
        monkeypatch.setattr("streampay.cli.doctor.ROUND_TRIP_S", 0)  # this gateway has no worker that sends
        assert "Is the gateway's worker running?" in " ".join(cli("doctor").stdout.split())
        merchant.webhook_endpoints.update(endpoint.id, status="disabled")
        sick = cli("doctor", "--json")
        assert (sick.returncode, [one["name"] for one in json.loads(sick.stdout) if not one["is_well"]]) == (
            1,
            ["webhooks"],
        )
    finally:
        merchant.webhook_endpoints.delete(endpoint.id)


def test_logs_show_what_happens(live_gateway: LiveGateway, merchant: StreamPay) -> None:
    with in_background(live_gateway, "logs", "tail", "--poll", "0.1", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Following")
        a_session(merchant, "tailed")
        assert json.loads(process.stdout.readline())["data"]["object"]["reference"] == "tailed"


def indented(body: bytes) -> bytes:
    return json.dumps(json.loads(body), indent=1).encode()


VERDICTS: list[tuple[str, Callable[[Any], tuple[bytes, dict[str, str]]], str]] = [
    ("is good", lambda made: (made.body, made.headers(SECRET)), ""),
    ("signature_mismatch", lambda made: (made.body, made.headers("whsec_" + "A" * 32)), "Wrong secret"),
    ("timestamp_too_old", lambda made: (made.body, made.headers(SECRET, time.time() - 7500)), "signed 2 hours ago"),
    ("timestamp_in_future", lambda made: (made.body, made.headers(SECRET, time.time() + 930)), "15 minutes from now"),
    ("signature_mismatch", lambda made: (indented(made.body), made.headers(SECRET)), "parsed and written again"),
    ("signature_mismatch", lambda made: (made.body + b"\n", made.headers(SECRET)), "line end were added"),
    ("headers_missing", lambda made: (made.body, {"webhook-id": made.event.id}), "dropped them"),
    ("timestamp_invalid", lambda made: (made.body, made.headers(SECRET) | {"webhook-timestamp": "x"}), "form is wrong"),
]  # fmt: skip


@pytest.mark.parametrize(("verdict", "make", "reason"), VERDICTS)
def test_verify_says_why(
    cli: Run, verdict: str, make: Callable[[Any], tuple[bytes, dict[str, str]]], reason: str
) -> None:
    body, headers = make(event("payment.succeeded"))
    flags = [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
    done = cli("webhooks", "verify", "--secret", SECRET, *flags, stdin=body)
    assert verdict in done.stdout
    assert reason in done.stdout
    assert done.returncode == int(verdict != "is good")


def test_verify_reads_a_whole_request(cli: Run) -> None:
    made = event("ping")
    head = "\r\n".join(["POST /hook HTTP/1.1", *(f"{name}: {value}" for name, value in made.headers(SECRET).items())])
    done = cli("webhooks", "verify", "--secret", SECRET, "--json", stdin=f"{head}\r\n\r\n".encode() + made.body)
    assert (done.returncode, json.loads(done.stdout)["is_well"]) == (0, True)


def test_the_doctor_names_the_blocker(cli: Run, live_gateway: LiveGateway) -> None:
    well = cli("doctor", STREAMPAY_WEBHOOK_SECRET=SECRET)
    assert (well.returncode, "fails" in well.stdout) == (0, False)
    for part in (
        "mode test",
        "knows the key: Contract & Co",
        "plain http",
        "this machine is",
        "right form",
        "no endpoint",
    ):
        assert part in " ".join(well.stdout.split())
    for more, reason in (
        ({"STREAMPAY_API_KEY": ""}, "export STREAMPAY_API_KEY"),
        ({"STREAMPAY_API_KEY": "sk_test_" + "x" * 43}, "belongs to another gateway"),
        ({"STREAMPAY_BASE_URL": "http://127.0.0.1:9"}, "is the gateway running"),
        ({"STREAMPAY_BASE_URL": live_gateway.base_url + "/openapi.json"}, "Is this the address"),
        ({"STREAMPAY_WEBHOOK_SECRET": "whsec_x"}, "base64 of 24 to 64 bytes"),
    ):
        done = cli("doctor", **more)
        assert (done.returncode, reason in " ".join(done.stdout.split())) == (1, True), done.stdout


def test_the_clock_moves_or_the_server_says_that_it_has_none(cli: Run) -> None:
    done = cli("clock", "advance", "30m")
    assert (done.returncode, "no test clock" in done.stderr) in {(1, True), (0, False)}
    assert cli("clock", "advance", "soon").returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [(), ("events",), ("trigger", "payment.succeded"), ("trigger", "ping", "--override", "colour=red"), ("listen",),
     ("trigger", "ping", "--override", "enabled_events=x"), ("events", "list", "--events", "all")],
)  # fmt: skip
def test_what_is_not_understood_ends_with_2(cli: Run, arguments: tuple[str, ...]) -> None:
    done = cli(*arguments)
    assert (done.returncode, bool(done.stderr), done.stdout) == (2, True, "")


def test_every_command_explains_itself(cli: Run) -> None:
    for command in (
        "listen",
        "trigger",
        "doctor",
        "events list",
        "events resend",
        "webhooks verify",
        "logs tail",
        "clock advance",
    ):
        done = cli(*command.split(), "--help")
        assert (done.returncode, f"streampay {command}" in done.stdout, "example:" in done.stdout) == (0, True, True)


def test_without_its_extra_one_line_says_what_to_install() -> None:
    program = "import sys; sys.modules['rich'] = None; from streampay.cli import main; sys.exit(main(['doctor']))"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(None), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, 'the command line needs its extra: pip install "streampay[cli]"\n')
