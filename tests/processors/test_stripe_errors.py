"""What a failing Stripe means: certain or unknown, once more or not, never a foreign exception (pitfalls 10, 12)."""

import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from gateway.domain.declines import ACTIONS, Decline, DeclineAction, ProviderDeclinedError, action_for, sentence_for
from gateway.kernel.errors import (
    ConflictError,
    GatewayError,
    NotFoundError,
    RepeatedFailureError,
    TemporaryError,
    UnknownOutcomeError,
)
from gateway.processors.stripe import wire
from gateway.processors.stripe.refusals import parse_decline, parse_refusal
from tests.processors.stripe_stage import (
    HANGS_UP,
    KEY,
    NEVER_ENDS,
    OPENED_SESSION,
    Answer,
    ScriptedStripe,
    a_processor,
    a_registration,
    fails,
    says,
)

SERVER_ERROR = fails(500, "api_error")
REPLAYED = says({"error": {"type": "api_error", "message": "no"}}, 500, Idempotent_Replayed="true")
FINAL_ERROR = says({"error": {"type": "api_error", "message": "no"}}, 500, Stripe_Should_Retry="false")
OPENED = says(OPENED_SESSION)


def register(url: str) -> Any:
    processor = a_processor(url)
    try:
        return processor.register(a_registration())
    finally:
        processor.close()


def retrieve(url: str) -> Any:
    processor = a_processor(url)
    try:
        return processor.retrieve("cs_test_1", livemode=False)
    finally:
        processor.close()


def outcome_of(call: Callable[[str], Any], *answers: Answer) -> tuple[type[GatewayError] | None, int]:
    """Return how a call ended, and how often Stripe was asked."""
    with ScriptedStripe(*answers) as stripe:
        try:
            call(stripe.url)
        except GatewayError as error:
            return type(error), len(stripe.asked)
        return None, len(stripe.asked)


COMMANDS: dict[str, tuple[tuple[Answer, ...], type[GatewayError] | None, int]] = {
    "hangs up twice": ((HANGS_UP, HANGS_UP), UnknownOutcomeError, 2),
    "a kept connection was closed": ((HANGS_UP, OPENED), None, 2),
    "never answers": ((NEVER_ENDS,), UnknownOutcomeError, 1),
    "500 twice": ((SERVER_ERROR, SERVER_ERROR), UnknownOutcomeError, 2),
    "503, then an answer": ((fails(503, "api_error"), OPENED), None, 2),
    "500, and do not retry": ((FINAL_ERROR,), UnknownOutcomeError, 1),
    "500, then the stored 500": ((SERVER_ERROR, REPLAYED), RepeatedFailureError, 2),
    "500, then too many requests": ((SERVER_ERROR, fails(429, "rate_limit_error")), UnknownOutcomeError, 2),
    "hangs up, then declines": ((HANGS_UP, fails(402, "card_error", "card_declined")), ProviderDeclinedError, 2),
    "hangs up, then the key is in use": (
        (HANGS_UP, fails(409, "idempotency_error", "idempotency_key_in_use")),
        UnknownOutcomeError,
        2,
    ),
    "the key is in use": ((fails(409, "idempotency_error", "idempotency_key_in_use"),), UnknownOutcomeError, 1),
    "the object is locked": ((fails(409, "invalid_request_error", "lock_timeout"),), TemporaryError, 1),
    "too many requests": ((fails(429, "rate_limit_error"),), TemporaryError, 1),
    "the key was used with another body": ((fails(400, "idempotency_error"),), RepeatedFailureError, 1),
    "a wrong key": ((fails(401, "invalid_request_error"),), TemporaryError, 1),
    "a key without the right": ((fails(403, "invalid_request_error"),), TemporaryError, 1),
    "not emulated": ((fails(501, "api_error"),), ProviderDeclinedError, 1),
    "a parameter is wrong": ((fails(400, "invalid_request_error", "parameter_invalid"),), ProviderDeclinedError, 1),
    "declined": ((fails(402, "card_error", "card_declined"),), ProviderDeclinedError, 1),
    "html": ((says(b"<html>gateway time-out</html>", 502), OPENED), None, 2),
    "html as a success": ((says(b"<html>login</html>"),), UnknownOutcomeError, 1),
    "a list as a success": ((says([]),), UnknownOutcomeError, 1),
    "empty": ((says(b""),), UnknownOutcomeError, 1),
    "deep": ((says(b"[" * 100_000),), UnknownOutcomeError, 1),
    "a session without an id": ((says({**OPENED_SESSION} | {"id": None}),), UnknownOutcomeError, 1),
    "a decimal amount": ((says({**OPENED_SESSION} | {"amount_total": 12.3}),), UnknownOutcomeError, 1),
    "a currency from nowhere": ((says({**OPENED_SESSION} | {"currency": "xxx"}),), UnknownOutcomeError, 1),
    "a redirect": ((says(b"", 302, Location="http://127.0.0.1:1/"),), UnknownOutcomeError, 2),
    "an error without a body": ((says(b"", 400),), UnknownOutcomeError, 1),
    "an error that is null": ((says({"error": None}, 400),), UnknownOutcomeError, 1),
    "an error that is text": ((says({"error": "no"}, 400),), UnknownOutcomeError, 1),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_ends_in_an_answer_a_certain_no_or_unknown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "READ_TIMEOUT_S", 0.3)
    answers, ending, asked = COMMANDS[name]
    assert outcome_of(register, *answers) == (ending, asked)


@pytest.mark.parametrize("name", [name for name, row in COMMANDS.items() if row[1] is not None])
def test_a_question_has_no_unknown_outcome(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "READ_TIMEOUT_S", 0.3)
    ending, _ = outcome_of(retrieve, *COMMANDS[name][0])
    assert ending is not None
    assert not issubclass(ending, UnknownOutcomeError) or ending is RepeatedFailureError


def test_a_stripe_that_is_not_there_has_done_nothing() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    for call in (register, retrieve):
        with pytest.raises(TemporaryError):
            call(url)


def test_a_name_that_nobody_knows_has_done_nothing() -> None:
    with pytest.raises(TemporaryError):
        register("http://no-such-host.invalid")


def test_a_time_out_is_not_forgotten_because_the_next_connection_is_refused() -> None:
    """Stripe-python's own retries report the last failure alone, which is a certain one here."""
    with ScriptedStripe(HANGS_UP) as stripe:
        processor = a_processor(stripe.url)
        serve = stripe._serve

        def once(handler: Any, body: bytes) -> None:
            serve(handler, body)
            stripe._server.socket.close()

        stripe._serve = once  # type: ignore[method-assign]  # the server vanishes after its first request
        with pytest.raises(UnknownOutcomeError):
            processor.register(a_registration())
        processor.close()
        stripe._server.socket = socket.socket()


def test_the_second_try_carries_the_first_ones_key_and_body() -> None:
    with ScriptedStripe(SERVER_ERROR, OPENED) as stripe:
        processor = a_processor(stripe.url)
        registration = a_registration()
        processor.register(registration)
        processor.close()
        first, second = stripe.asked
        assert stripe.keys == [registration.operation_id] * 2
        assert first.raw == second.raw


def test_every_call_names_the_pinned_version() -> None:
    with ScriptedStripe(OPENED) as stripe:
        retrieve(stripe.url)
        assert stripe.asked[0].headers["stripe-version"] == wire.API_VERSION == "2026-10-28.endive"


def test_a_missing_object_is_not_found_when_read_and_refused_when_commanded() -> None:
    missing = fails(404, "invalid_request_error", "resource_missing")
    assert outcome_of(retrieve, missing) == (NotFoundError, 1)
    assert outcome_of(register, missing) == (ProviderDeclinedError, 1)


def test_patience_is_passed_on_within_reason() -> None:
    for said, patience in (("7", 7), ("0", 1), ("999999", 60), ("9999999", None), ("soon", None), ("\u00b2", None)):
        answer = says({"error": {"type": "rate_limit_error"}}, 429, Retry_After=said)
        with ScriptedStripe(answer) as stripe, pytest.raises(TemporaryError) as failure:
            retrieve(stripe.url)
        assert failure.value.retry_after_s == patience


@pytest.mark.parametrize("reference", ["", "cs", "cs_../x", "cs_1/expire", "cs_1?x", "pi_\u0661", "acct_1", "cs_ 1"])
def test_a_reference_that_is_none_of_stripes_never_reaches_a_path(reference: str) -> None:
    with ScriptedStripe(OPENED) as stripe:
        processor = a_processor(stripe.url)
        with pytest.raises(NotFoundError):
            processor.retrieve(reference, livemode=False)
        processor.close()
        assert stripe.asked == []


def test_nothing_of_a_body_a_message_or_a_key_is_logged(caplog: pytest.LogCaptureFixture, capsys: Any) -> None:
    caplog.set_level(logging.DEBUG)
    for answer in (fails(402, "card_error", "card_declined"), fails(400, "invalid_request_error"), OPENED, HANGS_UP):
        with ScriptedStripe(answer) as stripe:
            processor = a_processor(stripe.url)
            with suppress(GatewayError):
                processor.register(a_registration(customer_email="jane@example.org"))
            processor.close()
    logged = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records if "stripe" in record.name)
    printed = capsys.readouterr()
    assert "stripe_declined" in logged
    for secret in ("jane", KEY, "order-1", "token="):
        assert secret not in logged
        assert secret not in printed.err + printed.out


def test_stripes_message_is_not_repeated() -> None:
    declined = fails(402, "card_error", "card_declined")
    with ScriptedStripe(declined) as stripe, pytest.raises(ProviderDeclinedError) as refusal:
        register(stripe.url)
    assert "jane" not in refusal.value.message
    assert refusal.value.message == sentence_for(Decline.CARD_REFUSED)


def test_every_decline_has_one_action_and_one_sentence() -> None:
    assert set(ACTIONS) == set(Decline)
    for decline in Decline:
        assert isinstance(action_for(decline), DeclineAction)
        assert sentence_for(decline).endswith(".")


def test_every_action_is_of_some_use() -> None:
    assert set(ACTIONS.values()) == set(DeclineAction)


def test_a_thief_learns_nothing_from_the_sentence() -> None:
    quiet = (Decline.CARD_LOST_OR_STOLEN, Decline.FRAUD_SUSPECTED, Decline.BLOCKED)
    assert {sentence_for(decline) for decline in quiet} == {sentence_for(Decline.CARD_REFUSED)}
    assert {action_for(decline) for decline in quiet} == {DeclineAction.STOP}


@pytest.mark.parametrize(
    ("code", "decline_code", "decline"),
    [
        ("card_declined", "insufficient_funds", Decline.INSUFFICIENT_FUNDS),
        ("card_declined", "generic_decline", Decline.CARD_REFUSED),
        ("card_declined", "stolen_card", Decline.CARD_LOST_OR_STOLEN),
        ("card_declined", "fraudulent", Decline.FRAUD_SUSPECTED),
        ("card_declined", "a_code_of_next_year", Decline.CARD_REFUSED),
        ("expired_card", None, Decline.CARD_EXPIRED),
        ("incorrect_cvc", "incorrect_cvc", Decline.DETAILS_INCORRECT),
        ("authentication_required", None, Decline.AUTHENTICATION_REQUIRED),
        ("payment_intent_authentication_failure", None, Decline.AUTHENTICATION_FAILED),
        ("processing_error", None, Decline.PROCESSING_ERROR),
        ("a_code_of_next_year", None, Decline.UNKNOWN),
        (None, None, Decline.UNKNOWN),
    ],
)
def test_stripes_words_for_a_decline_are_ours(code: str | None, decline_code: str | None, decline: Decline) -> None:
    assert parse_decline(code, decline_code) is decline


@pytest.mark.parametrize(
    ("code", "param", "decline"),
    [
        ("charge_already_refunded", None, Decline.REFUNDED_ALREADY),
        ("charge_disputed", None, Decline.CHARGE_DISPUTED),
        (None, "amount", Decline.AMOUNT_REFUSED),
        ("parameter_invalid_integer", "line_items[0][price_data][currency]", Decline.CURRENCY_REFUSED),
        (None, "expires_at", Decline.PAGE_TIME_OVER),
        ("parameter_unknown", "bogus", Decline.REQUEST_REFUSED),
        (None, None, Decline.REQUEST_REFUSED),
    ],
)
def test_stripes_words_for_a_refused_request_are_ours(code: str | None, param: str | None, decline: Decline) -> None:
    assert parse_refusal(code, param) is decline


def test_only_the_state_of_the_object_makes_a_conflict() -> None:
    state = fails(400, "invalid_request_error", "payment_intent_unexpected_state")
    assert outcome_of(register, state) == (ConflictError, 1)
