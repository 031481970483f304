"""Logs: one JSON line an event, and no secret in any of them, wherever it hides."""

import json
import logging
from typing import Any

import pytest

from gateway.kernel.cards import has_card_number
from gateway.kernel.log import JsonFormatter, Log, mask_secrets

KEY = "sk_live_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7"
SIGNING = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PAGE = "Zk1mJ0wq3vT8yXo5bN2cR7dF4gH6jK9lP1sQ0uVwE_-"
BEARER = "eyJhbGciOiJIUzI1NiJ9.e30.XmNK3GpH3Ys_7wlg"
SECRETS = (KEY, SIGNING, PAGE, BEARER)


def line(message: str = "event", *, exc_info: Any = None, **fields: object) -> str:
    record = logging.LogRecord("gateway.test", logging.INFO, __file__, 1, message, (), exc_info)
    record.fields = fields
    return JsonFormatter().format(record)


def body(text: str) -> str:
    """Return what of a secret must not be seen: everything but its prefix."""
    return text.removeprefix("sk_live_").removeprefix("whsec_")


def assert_clean(text: str) -> None:
    json.loads(text)
    for secret in SECRETS:
        assert body(secret) not in text


@pytest.mark.parametrize(
    "text",
    [f"the key {KEY} came", f"\n{KEY}", f"\t{KEY}", f"x{KEY}", f"a_{KEY}", f"'{KEY}'", f"key={KEY}&x=1",
     f"{KEY}{KEY}", f"Authorization: Bearer {KEY}", f"authorization: bearer {BEARER}", f"Bearer  {BEARER}",
     f"{SIGNING}", f"\n{SIGNING}", f"v{SIGNING}", f"GET /pay/{PAGE} 200", f"/donations/receipt/{PAGE}.pdf",
    f"/donations/statement/{PAGE}/2026", f"/donations/stop/{PAGE}", f"https://gateway.test/pay/{PAGE}/status",
     f"{{'a': '{SIGNING}'}}"],
)  # fmt: skip
def test_text_that_looks_like_a_secret_is_masked_wherever_it_stands(text: str) -> None:
    assert_clean(line(text))
    assert_clean(line(note=text))
    assert_clean(line(nested={"deep": [text]}))
    with pytest.raises(ValueError, match=r".+") as caught:
        raise ValueError(text)
    assert_clean(line(exc_info=(caught.type, caught.value, caught.tb)))


@pytest.mark.parametrize(
    "field",
    ["api_key", "authorization", "Authorization", "body", "card", "email", "customer_email", "secret", "token", "key",
     "password", "webhook_secret", "secret_key", "private_key", "session_token", "cookie", "Set-Cookie", "X-Api-Key"],
)  # fmt: skip
def test_a_field_with_a_secret_name_loses_its_value(field: str) -> None:
    for fields in ({field: "hunter2"}, {"headers": {field: "hunter2"}}, {"rows": [{field: ["hunter2"]}]}):
        assert "hunter2" not in line(**fields)


def test_ids_and_figures_stay_readable() -> None:
    shown = json.loads(line("payment_confirmed", payment_id="pay_01", confirmations=3, idempotency_key_length=5))
    assert (shown["event"], shown["payment_id"], shown["confirmations"]) == ("payment_confirmed", "pay_01", 3)
    assert shown["idempotency_key_length"] == 5
    assert (shown["level"], shown["logger"]) == ("info", "gateway.test")


def test_a_mask_keeps_the_prefix_that_tells_which_kind_it_was() -> None:
    assert mask_secrets(f"{KEY} and {SIGNING}") == "sk_live_*** and whsec_***"


@pytest.mark.parametrize("text", ["4242424242424242", "paid by 4242 4242 4242 4242", "\n378282246310005"])
def test_a_card_number_is_masked_wherever_it_stands(text: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        raise ValueError(text)
    for written in (
        line(text),
        line(note=text),
        line(nested={"deep": [text], text: 1}),
        line(wrapped={text}),
        line(exc_info=(caught.type, caught.value, caught.tb)),
    ):
        json.loads(written)
        assert "***" in written
        assert not has_card_number(written)


def test_a_bare_figure_that_reads_as_a_card_is_masked_and_the_line_is_still_json() -> None:
    shown = json.loads(line(number=4242424242424242, atomic=4242424242424241, is_final=True))
    assert (shown["number"], shown["atomic"], shown["is_final"]) == ("************4242", 4242424242424241, True)


def test_what_json_cannot_say_becomes_text(caplog: pytest.LogCaptureFixture) -> None:
    assert json.loads(line(value={1}))["value"] == "{1}"
    with caplog.at_level(logging.INFO, logger="gateway.room"):
        Log("room").info("happened", payment_id="pay_1")
        Log("room").debug("unheard")
    assert [record.getMessage() for record in caplog.records] == ["happened"]
