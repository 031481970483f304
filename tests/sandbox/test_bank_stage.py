"""The stage of the test bank's suites: a served bank, unmodified stripe-python, a webhook receiver, and a checker.

The checker is independent of the bank: it is ``jsonschema`` over the same description, and a walk that finds fields
which the description does not know.
"""

import functools
import http.server
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # comes without types
import requests
import stripe
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from sandbox.test_bank import Bank, PayResult, RunningBank, serve

KEY = "sk_test_stage"
SPEC_FILE = Path(__file__).parents[2] / "sandbox" / "test_bank" / "schema" / "stripe-openapi.json"
OK = "4242424242424242"
DECLINED = "4000000000000002"
CHALLENGED = "4000000000003220"
URN = "urn:stripe"


@functools.cache
def document() -> dict[str, Any]:
    """Return the description as it ships."""
    loaded: dict[str, Any] = json.loads(SPEC_FILE.read_text(encoding="utf-8"))
    return loaded


# --- the checker -----------------------------------------------------------------------------------------------------


@functools.cache
def _registry() -> Registry[Any]:
    described = Resource.from_contents(document(), default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource(URN, described)
    return registry


@functools.cache
def _validator(pointer: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": f"{URN}#{pointer}"}, registry=_registry())


def complaints(value: Any, pointer: str) -> list[str]:
    """Return what is wrong with a value that should fit the schema at a JSON pointer."""
    found = [f"{error.json_path}: {error.message[:120]}" for error in _validator(pointer).iter_errors(value)]
    return found or list(_undocumented(value, _at(pointer), "$"))


def response_pointer(method: str, path: str) -> tuple[str, str]:
    """Return the operation of a request and the pointer to the schema of its answer."""
    for template in sorted(document()["paths"], key=lambda text: text.count("{")):
        described = document()["paths"][template].get(method.lower())
        if described and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            escaped = template.replace("/", "~1")
            where = f"/paths/{escaped}/{method.lower()}/responses/200/content/application~1json/schema"
            return described["operationId"], where
    raise AssertionError(f"{method} {path} is not described")


def event_complaints(event: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with an event: its envelope and its object."""
    known = document()["x-stripeEvents"].get(event["type"])
    if known is None:
        return [f"{event['type']} is no event"]
    payload = complaints(event["data"]["object"], known["$ref"].removeprefix("#"))
    return complaints(event, "/components/schemas/event") + [f"{event['type']} {text}" for text in payload]


def _at(pointer: str) -> Any:
    value: Any = document()
    for part in pointer.strip("/").split("/"):
        value = value[part.replace("~1", "/").replace("~0", "~")]
    return value


def _choices(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    while "$ref" in schema:
        schema = _at(schema["$ref"].removeprefix("#"))
    if "anyOf" not in schema:
        yield schema
    for choice in schema.get("anyOf", ()):
        yield from _choices(choice)


def _undocumented(value: Any, schema: Mapping[str, Any], where: str) -> Iterator[str]:
    choices = list(_choices(schema))
    if isinstance(value, list):
        items = {"anyOf": [choice["items"] for choice in choices if "items" in choice]}
        for place, item in enumerate(value):
            yield from _undocumented(item, items, f"{where}[{place}]")
    if not isinstance(value, dict):
        return
    named = [choice for choice in choices if value.get("object") in object_words(choice)]
    shapes = [choice for choice in named or choices if "properties" in choice or "additionalProperties" in choice]
    for name, inner in value.items():
        known = [choice["properties"][name] for choice in shapes if name in choice.get("properties", {})]
        if known:
            yield from _undocumented(inner, {"anyOf": known}, f"{where}.{name}")
        elif not any("additionalProperties" in choice for choice in shapes):
            yield f"{where}.{name} is not documented"


def choices_at(pointer: str) -> list[Mapping[str, Any]]:
    """Return the schemas of which a value at a JSON pointer may fit one."""
    return list(_choices(_at(pointer)))


def object_words(schema: Mapping[str, Any]) -> list[str]:
    """Return what `object` may say in a schema."""
    words: list[str] = schema.get("properties", {}).get("object", {}).get("enum", [])
    return words


# --- the stage -------------------------------------------------------------------------------------------------------


class HandClock:
    """Real time as a test sets it: sessions and seconds do not depend on the machine."""

    def __init__(self, moment: float = 1_795_000_000.0) -> None:
        self.moment = moment

    def __call__(self) -> float:
        return self.moment


@dataclass(slots=True)
class Taken:
    """One answer as it crossed the wire."""

    method: str
    path: str
    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]


@dataclass(slots=True)
class Stage:
    """A served bank, and a shop's stripe-python beside it."""

    running: RunningBank
    client: stripe.StripeClient
    taken: list[Taken] = field(default_factory=list)

    @property
    def bank(self) -> Bank:
        """The bank behind the wire."""
        return self.running.bank

    @property
    def v1(self) -> Any:
        """The services, untyped: tests hand over what no type allows."""
        return self.client.v1

    def session(self, amount: int = 3_000, currency: str = "eur", **more: Any) -> Any:
        """Open a session over one line."""
        priced = {"currency": currency, "unit_amount": amount, "product_data": {"name": "T-shirt"}}
        given = {"mode": "payment", "success_url": "http://shop.test/paid?cs={CHECKOUT_SESSION_ID}"}
        return self.v1.checkout.sessions.create(
            {**given, "cancel_url": "http://shop.test/cart", "line_items": [{"quantity": 1, "price_data": priced}]}
            | more
        )

    def pay(self, session: Any, number: str = OK, **more: Any) -> PayResult:
        """Type a card on the bank's page."""
        return pay(self.bank, session.id, number, **more)

    def paid(self, number: str = OK, **more: Any) -> Any:
        """Return a fresh session that was paid, its intent and charge in full."""
        session = self.session(**more)
        assert self.pay(session, number).kind == "paid"
        return self.full(session)

    def full(self, session: Any) -> Any:
        """Read a session again with its intent and charge in full."""
        return self.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})

    def order(self, path: str, body: Any = None, *, status: int = 200) -> dict[str, Any]:
        """Give an order to the bank's control."""
        answer = requests.post(f"{self.running.url}/_sandbox/{path}", json=body or {}, timeout=10)
        assert answer.status_code == status, answer.text
        answered: dict[str, Any] = answer.json()
        return answered

    def events(self) -> list[dict[str, Any]]:
        """Return every event so far, the first first, read from the wire."""
        pages: list[dict[str, Any]] = []
        after: dict[str, Any] = {}
        while True:
            page = raw(self, "GET", "/v1/events", {"limit": 100, **after}).json()
            pages.extend(page["data"])
            if not page["has_more"]:
                return list(reversed(pages))
            after = {"starting_after": page["data"][-1]["id"]}

    def names(self) -> list[str]:
        """Return the types of every event so far but those of the catalogue."""
        return [event["type"] for event in self.events() if not event["type"].startswith(("product.", "price."))]


def pay(bank: Bank, session_id: str, number: str = OK, **more: Any) -> PayResult:
    """Type a card on the bank's page."""
    typed: dict[str, Any] = {"exp_month": 12, "exp_year": 2034, "cvc": "123", "name": "Jenny Rosen"} | more
    return bank.pay_by_card(session_id, number=number, **typed)


@contextmanager
def staged(bank: Bank | None = None, *, retries: int = 0) -> Iterator[Stage]:
    """Serve a bank and connect unmodified stripe-python to it, recording what crosses the wire."""
    with serve(bank or Bank(seed="stage")) as running, requests.Session() as http:
        taken: list[Taken] = []
        http.trust_env = False
        http.hooks["response"].append(lambda answer, **_: taken.append(_recorded(answer)))
        client = stripe.StripeClient(
            KEY,
            base_addresses={"api": running.url},
            max_network_retries=retries,
            http_client=stripe.RequestsClient(timeout=10, session=http),
        )
        yield Stage(running, client, taken)


def raw(stage: Stage, method: str, path: str, fields: Any = None, **headers: str) -> requests.Response:
    """Send a request as no library would let one."""
    sent = {"Authorization": f"Bearer {KEY}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    place = {"params": fields} if method == "GET" else {"data": fields}
    return requests.request(method, stage.running.url + path, headers=sent, timeout=10, **place)


def _recorded(answer: requests.Response) -> Taken:
    path = str(answer.request.path_url).partition("?")[0]
    return Taken(str(answer.request.method), path, answer.status_code, answer.headers, answer.json())


# --- a receiver of webhooks ------------------------------------------------------------------------------------------


class Receiver:
    """A shop's webhook endpoint: keeps what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.signatures: list[str] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.signatures.append(self.headers["Stripe-Signature"])
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def names(self) -> list[str]:
        """Return the types of the events that came, in the order of their coming."""
        return [json.loads(body)["type"] for body in self.bodies]

    def close(self) -> None:
        """Stop receiving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Receive webhooks until the block ends."""
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()
