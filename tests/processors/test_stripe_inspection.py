"""The doctor's look at an account: a webhook endpoint that lacks something is named before it costs money."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.kernel.errors import TemporaryError
from gateway.processors.stripe import API_VERSION, MANDATORY_EVENTS
from tests.processors.stripe_stage import (
    Answer,
    BankStage,
    ScriptedStripe,
    a_bank_stage,
    a_processor,
    fails,
    says,
)

URL = "https://pay.example/inbound/stripe"


@pytest.fixture
def bank() -> Iterator[BankStage]:
    with a_bank_stage() as stage:
        yield stage


def endpoint(**changed: object) -> dict[str, object]:
    whole = {"id": "we_1", "url": URL, "status": "enabled", "api_version": API_VERSION, "enabled_events": ["*"]}
    return whole | changed


def listing(*endpoints: dict[str, object]) -> Answer:
    return says({"object": "list", "data": list(endpoints), "has_more": False})


def detail(*answers: Answer) -> str:
    """Return what the doctor says; empty when all is well."""
    with ScriptedStripe(*answers) as stripe:
        processor = a_processor(stripe.url)
        (found,) = processor.inspect(livemode=False, url=URL)
        processor.close()
    return "" if found.is_fit else found.detail


def test_a_complete_endpoint_is_fit() -> None:
    assert detail(listing(endpoint())) == ""
    assert detail(listing(endpoint(enabled_events=list(MANDATORY_EVENTS)))) == ""


def test_pitfall_3_each_missing_event_is_named() -> None:
    for name in MANDATORY_EVENTS:
        rest = [one for one in MANDATORY_EVENTS if one != name]
        assert detail(listing(endpoint(enabled_events=rest))) == f"It lacks {name}."


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"url": "https://elsewhere.example/"}, "No endpoint"),
        ({"status": "disabled"}, "disabled"),
        ({"api_version": None}, "account default"),
        ({"api_version": "2023-10-16"}, "2023-10-16"),
    ],
)
def test_what_is_wrong_with_an_endpoint_is_said(changed: dict[str, object], word: str) -> None:
    assert word in detail(listing(endpoint(**changed)))


def test_one_good_endpoint_among_several_is_enough() -> None:
    assert detail(listing(endpoint(status="disabled"), endpoint(), endpoint(enabled_events=["x"]))) == ""


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_wrong_or_may_not_look_is_a_failure(status: int) -> None:
    with pytest.raises(TemporaryError):
        detail(fails(status, "invalid_request_error"))


def test_the_banks_own_endpoint_is_inspected(bank: BankStage) -> None:
    (missing,) = bank.processor.inspect(livemode=False, url=URL)
    assert not missing.is_fit
    bank.processor._apis[False].post(
        "/v1/webhook_endpoints",
        key="endpoint",
        params={"url": URL, "enabled_events": list(MANDATORY_EVENTS), "api_version": API_VERSION},
    )
    (found,) = bank.processor.inspect(livemode=False, url=URL)
    assert (found.is_fit, found.detail) == (True, "complete")
    assert bank.processor.inspect(livemode=True, url=URL) == ()


def test_the_papers_list_the_same_events_and_the_same_version() -> None:
    paper = (Path(__file__).parents[2] / "docs" / "stripe.md").read_text()
    listed = paper.partition("The mandatory events")[2].partition("A webhook is a hint")[0]
    rows = [line.split("|")[1] for line in listed.splitlines() if line.startswith("| `")]
    assert sorted(name for row in rows for name in re.findall(r"`([a-z_.]+)`", row)) == sorted(MANDATORY_EVENTS)
    assert f"**`{API_VERSION}`**" in paper
