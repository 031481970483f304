"""The document is true: schemathesis sends what it allows and what it forbids, and holds every answer to it.

Its own engine runs, as its command line would: examples, coverage of every constraint, and generated requests.
"""

import itertools
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from schemathesis.config import GenerationConfig, SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import NonFatalError, ScenarioFinished
from schemathesis.generation import GenerationMode

from gateway.domain.ports import Rate, SourceRate
from gateway.kernel.cards import has_card_number
from gateway.kernel.errors import InvalidRequestError
from gateway.kernel.money import parse_money
from hosted_checkout.api import Limit, Limits
from tests.api.conftest import ORIGIN, an_app
from tests.api.live import serving
from tests.engine.paper import START, PaperRates, Shop

_KEYS = itertools.count()
WALLET = "7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv"
NO_LIMIT = Limit(quota=10**6, window_s=1)


class AnyRate(PaperRates):
    """Knows a price for every pair, so that no generated pair is an honest 503."""

    def rate(self, base: str, quote: str) -> Rate:
        """Return two to one."""
        words = tuple(
            SourceRate(source=name, base=base, quote=quote, num=2, den=1, as_of=START) for name in ("one", "two")
        )
        return Rate(base=base, quote=quote, num=2, den=1, as_of=START, sources=words)


@pytest.fixture
def api_schema(shop: Shop) -> Iterator[Any]:
    """Load the document as a stranger would, from the running app."""
    object.__setattr__(shop.core, "rates", AnyRate())
    key = shop.engine.merchants.create_key(shop.merchant.id, livemode=False)
    config = SchemathesisConfig(seed=1)
    project = config.projects.default
    project.base_url = None
    project.headers = {"Authorization": f"Bearer {key}"}
    project.generation = GenerationConfig(max_examples=4, no_shrink=True, deterministic=True)
    project.phases.stateful.enabled = False
    limits = Limits(read=NO_LIMIT, write=NO_LIMIT, test=NO_LIMIT, anonymous=NO_LIMIT)
    schemathesis.hook("before_call")(before_call)
    # Over a socket: the checks of schemathesis 4.32 that send requests of their own fail on WSGI apps (max_redirects).
    with serving(an_app(shop, limits)) as base_url:
        yield schemathesis.openapi.from_url(f"{base_url}/openapi.json", config=config)
    schemathesis.hooks.unregister(before_call)


def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """Make a request that the document allows obey the rules that JSON Schema cannot state; leave the others alone."""
    if case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE:
        if isinstance(case.body, dict):
            case.body = _obedient(case.body)
            if case.path == "/api/v1/payment":
                case.body.pop("method", None)  # which kinds of methods there are is this installation's affair
        _one_cursor(case.query or {})
        if case.headers and "Idempotency-Key" in case.headers:  # a key is used once; known keys are another test's
            case.headers["Idempotency-Key"] = f"{case.headers['Idempotency-Key'][:200]}-{next(_KEYS)}"


_PROSE = (
    "reference", "description", "address", "legal_name", "tax_id", "tax_statement", "title", "story", "disclosure",
    "payout_terms", "evidence", "reason",
)  # fmt: skip
_SUMS = ("unit", "cap", "min_amount", "max_amount", "goal", "fee_fixed")


def _obedient(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body that keeps to the account's origins and methods, to exponents, and to printable text.

    Strict integers, the one known difference: JSON Schema's `integer` admits 123.0, and we do not.
    """
    body = {name: int(value) if isinstance(value, float) else value for name, value in body.items()}
    rules = {"success_url": ORIGIN, "return_url": ORIGIN, "cancel_url": ORIGIN, "url": "https://hooks.example/in"}
    body |= {name: value for name, value in rules.items() if body.get(name) is not None}
    body |= {name: value for name, value in {"methods": ["sol"], "method": "sol"}.items() if body.get(name) is not None}
    for name in _PROSE:
        if body.get(name) is not None and (not body[name].isprintable() or has_card_number(body[name])):
            body[name] = "plain"
    body = _of_donations(body)
    plain = {"customer_email": "ada@example.com", "email": "ada@example.com", "name": "Ada", "destination": WALLET}
    plain |= {"website": "https://river.example", "solana_address": WALLET}
    body |= {name: value for name, value in plain.items() if body.get(name) is not None}
    body.pop("source", None)  # which receipts a payment has is its own affair
    if "interval_count" in body:
        body["interval_count"] = min(body["interval_count"], 3)
    if body.get("metadata") is not None:
        body["metadata"] = {ascii(key)[:40]: ascii(value)[:500] for key, value in body["metadata"].items()}
    if body.get("amount") is not None:
        try:
            parse_money(body["amount"], body.get("currency") or "USD")
        except InvalidRequestError:
            body["amount"] = "12"
        if body.get("line_items") is not None:
            body["line_items"] = [{"name": "All", "amount": body["amount"]}]
    return body


def _of_donations(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body whose sums, times and sites one campaign, offer or payout may have together."""
    # Sums of one campaign or offer are checked against each other and against the currency's decimals.
    body |= {name: "12" for name in _SUMS if body.get(name) is not None}
    body |= {name: ["12"] for name in ("presets", "amounts") if body.get(name)}
    body |= {name: None for name in ("starts_at", "ends_at") if name in body}
    if "mode" in body and "cap" in body:
        body["amounts"] = [] if body["mode"] == "round_up" else ["12"]
    if "paid_at" in body:
        body["paid_at"] = "2026-01-01T00:00:00Z"  # nobody has paid tomorrow
    if body.get("origins"):
        body["origins"] = ["https://river.example"]
    return body


def _one_cursor(query: dict[str, Any]) -> None:
    for name in ("starting_after", "ending_before", "after"):
        if name in query:
            for other in {"starting_after", "ending_before", "after"} - {name}:
                query.pop(other, None)
            break
    query.pop("after", None)  # a cursor of the feed is an event that exists
    if query.get("email") is not None:
        query["email"] = "ada@example.com"
    for name in ("reference", "ref"):
        if name in query and not str(query[name]).isprintable():
            query[name] = "plain"
    if "amount" in query:
        query["currency"] = query.get("currency") or "USD"
        with suppress(InvalidRequestError):
            parse_money(query["amount"], query["currency"])
            return
        query["amount"] = "12"


def failures(events: Iterator[Any], counts: list[int]) -> Iterator[tuple[str, str, str]]:
    """Yield operation, check and message of whatever was found; count the requests."""
    for event in events:
        if isinstance(event, NonFatalError):
            yield event.label, "error", repr(event.value)
        if isinstance(event, ScenarioFinished):
            counts.append(len(event.recorder.cases))
            for case_id, checks in event.recorder.checks.items():
                for check in checks:
                    if check.failure_info is not None:
                        sample = event.recorder.cases[case_id].value
                        message = f"{check.failure_info.failure}\n{sample.as_curl_command()}"
                        yield str(event.label), check.name, message


@pytest.mark.deep
def test_every_answer_is_as_the_document_says(api_schema: Any) -> None:
    counts: list[int] = []
    found: dict[tuple[str, str], str] = {}
    for label, check, message in failures(from_schema(api_schema).execute(), counts):
        found.setdefault((label, check), message[:900])
    assert not found, "\n\n".join(f"{label} {check}: {message}" for (label, check), message in found.items())
    assert sum(counts) > 1000
