"""When the gateway fails, refuses or talks nonsense: what is tried again, and what is raised."""

import json
import logging
import pickle
import traceback
from collections.abc import Callable

import pytest
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError

from streampay import StreamPay, errors
from streampay._api import RETRY_AFTER_MAX_S, pause_s
from tests.sdk import objects
from tests.sdk.objects import ORDER
from tests.sdk.scripted_gateway import TEST_KEY, Answer, ScriptedGateway, problem

# --- retries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [
        problem(429, "rate_limited", retryable=True),
        problem(500, "internal"),
        problem(503, "provider_unavailable", retryable=True),
        problem(409, "idempotency_in_flight", retryable=True),
        Answer(status=502, body=b"<html>bad gateway</html>"),
        Answer(drops=True),
    ],
    ids=["429", "500", "503", "in flight", "proxy", "dropped"],
)
def test_a_passing_failure_is_tried_again_with_the_same_key(
    failure: Answer, client: StreamPay, gateway: ScriptedGateway, sleeps: list[float]
) -> None:
    replay = Answer(status=201, body=objects.SESSION, headers={"Idempotent-Replayed": "true"})
    gateway.says(failure, failure, replay)
    session = client.checkout.sessions.create(**ORDER)
    assert session.response is not None
    assert session.response.replayed
    assert len({sent.headers["idempotency-key"] for sent in gateway.received}) == 1
    assert len({sent.body for sent in gateway.received}) == 1
    assert len(gateway.received) == 3
    assert len(sleeps) == 2


def test_every_call_has_a_key_of_its_own(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(Answer(body=objects.SESSION))
    for _ in range(3):
        client.checkout.sessions.create(**ORDER)
    assert len({sent.headers["idempotency-key"] for sent in gateway.received}) == 3


@pytest.mark.parametrize(
    "failure",
    [
        problem(400, "amount_invalid"),
        problem(401, "api_key_invalid"),
        problem(404, "not_found"),
        problem(409, "session_not_open"),
        problem(422, "idempotency_mismatch"),
        problem(503, "outcome_unknown"),
        Answer(body=b"<html>login</html>"),
    ],
    ids=["400", "401", "404", "409", "422", "unknown outcome", "not json"],
)
def test_a_lasting_failure_is_not_tried_again(
    failure: Answer, client: StreamPay, gateway: ScriptedGateway, sleeps: list[float]
) -> None:
    gateway.says(failure)
    with pytest.raises(errors.StreamPayError):
        client.checkout.sessions.create(**ORDER)
    assert len(gateway.received) == 1
    assert sleeps == []


def test_the_number_of_retries_is_the_clients(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(problem(500, "internal"))
    for max_retries in (0, 1, 4):
        gateway.received.clear()
        with pytest.raises(errors.ServerError):
            client.with_options(max_retries=max_retries).account.retrieve()
        assert len(gateway.received) == max_retries + 1


def test_retry_after_is_honoured_up_to_a_limit(
    client: StreamPay, gateway: ScriptedGateway, sleeps: list[float]
) -> None:
    gateway.says(
        problem(429, "rate_limited"),
        Answer(status=429, headers={"Retry-After": "7"}),
        Answer(status=503, headers={"Retry-After": "3600"}),
        Answer(status=503, headers={"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}),
        Answer(status=503, headers={"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}),
        Answer(status=503, headers={"Retry-After": "soon"}),
        Answer(status=503, headers={"Retry-After": "Thu, 01 Jan 2026 00:00:00 +99999999999999"}),
        Answer(body=objects.ACCOUNT),
    )
    client.with_options(max_retries=7).account.retrieve()
    assert sleeps[0] <= 0.5
    assert 7 <= sleeps[1] <= 8
    assert sleeps[2:4] == [RETRY_AFTER_MAX_S, RETRY_AFTER_MAX_S]
    assert max(sleeps[4:]) <= 8


def test_pauses_grow_and_are_spread_over_their_whole_width() -> None:
    failure = errors.ConnectionFailed("gone", code="connection_failed")
    for retries, limit in enumerate([0.5, 1, 2, 4, 8, 8, 8]):
        pauses = [pause_s(failure, retries) for _ in range(300)]
        assert max(pauses) <= limit
        assert min(pauses) < limit * 0.2
        assert max(pauses) > limit * 0.8


def test_a_slow_gateway_is_a_timeout(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(Answer(delay_s=0.3, body=objects.SESSION))
    with pytest.raises(errors.Timeout) as caught:
        client.with_options(timeout_s=(1, 0.05), max_retries=1).checkout.sessions.create(**ORDER, idempotency_key="k1")
    assert caught.value.should_retry
    assert caught.value.idempotency_key == "k1"
    assert len(gateway.received) == 2


def test_a_gateway_that_is_not_there_is_a_failed_connection(
    make_client: Callable[..., StreamPay], sleeps: list[float]
) -> None:
    client = make_client(TEST_KEY, base_url="http://127.0.0.1:9", max_retries=1)
    with pytest.raises(errors.ConnectionFailed) as caught:
        client.account.retrieve()
    assert caught.value.code == "connection_failed"
    assert len(sleeps) == 1
    assert caught.value.__context__ is None  # a requests exception would carry the Authorization header along


# --- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "parameter_unknown", errors.InvalidRequest),
        (413, "body_too_large", errors.InvalidRequest),
        (415, "content_type_unsupported", errors.InvalidRequest),
        (418, "teapot", errors.InvalidRequest),
        (401, "api_key_invalid", errors.AuthenticationFailed),
        (402, "provider_declined", errors.PaymentDeclined),
        (403, "permission_denied", errors.PermissionDenied),
        (404, "not_found", errors.NotFound),
        (409, "session_not_open", errors.Conflict),
        (422, "idempotency_mismatch", errors.IdempotencyMismatch),
        (422, "parameter_invalid", errors.InvalidRequest),
        (429, "rate_limited", errors.RateLimited),
        (500, "internal", errors.ServerError),
        (503, "outcome_unknown", errors.ServerError),
    ],
)
def test_a_problem_becomes_its_error_with_all_its_facts(
    status: int, code: str, kind: type[errors.ApiError], client: StreamPay, gateway: ScriptedGateway
) -> None:
    facts = {
        "param": "/amount",
        "errors": [{"param": "/amount", "code": "amount_invalid", "detail": "Write digits."}, "nonsense", {}],
        "object_id": "cs_1",
        "decline_code": "insufficient_funds",
        "retryable": True,
    }
    answer = problem(status, code, **facts)
    gateway.says(Answer(status=status, body=answer.body, headers={**answer.headers, "Retry-After": "2"}))
    with pytest.raises(errors.StreamPayError) as caught:
        client.with_options(max_retries=0).checkout.sessions.create(**ORDER, idempotency_key="key-1")
    error = caught.value
    assert type(error) is kind
    assert isinstance(error, errors.ApiError)
    assert (error.status, error.code, error.param, error.request_id) == (status, code, "/amount", "req_head")
    assert error.errors[0] == errors.FieldProblem("/amount", "amount_invalid", "Write digits.")
    assert error.doc_url == f"http://127.0.0.1/docs/errors#{code}"
    assert (error.idempotency_key, error.retryable, error.object_id) == ("key-1", True, "cs_1")
    assert (error.retry_after_s, error.decline_code) == (2, "insufficient_funds")
    assert str(error).startswith(f"A sentence that says what to do. [{code}, req_head, /amount")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is kind
    assert again.__dict__ == error.__dict__
    assert str(again) == str(error)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"<html>",
        b"[" * 100_000,
        b"[]",
        b"null",
        b'{"code": 7, "detail": [], "errors": {}, "param": {}, "retryable": "yes", "request_id": 1}',
    ],
)
@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_error_without_a_problem_document_is_still_one_of_ours(
    status: int, body: bytes, client: StreamPay, gateway: ScriptedGateway
) -> None:
    gateway.says(Answer(status=status, body=body))
    with pytest.raises(errors.ApiError) as caught:
        client.with_options(max_retries=0).account.retrieve()
    assert caught.value.code == f"http_{status}"
    assert caught.value.status == status


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'"text"',
        b"[" * 100_000,
        json.dumps(objects.but(objects.SESSION, amount=12.3)).encode(),
        json.dumps(objects.but(objects.SESSION, created_at="noon")).encode(),
        json.dumps(objects.but(objects.SESSION, line_items=[7])).encode(),
        json.dumps(objects.but(objects.SESSION, metadata={"a": 1})).encode(),
    ],
)
def test_an_answer_that_breaks_the_contract_is_a_server_error(
    body: bytes, client: StreamPay, gateway: ScriptedGateway
) -> None:
    gateway.says(Answer(body=body))
    with pytest.raises(errors.ServerError) as caught:
        client.checkout.sessions.retrieve("cs_1")
    assert caught.value.code == "answer_invalid"
    with pytest.raises(errors.ServerError):
        client.checkout.sessions.list()


def test_a_redirect_is_not_followed_with_the_key_in_hand(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(Answer(status=308, headers={"Location": "http://127.0.0.1:9/"}))
    with pytest.raises(errors.ConfigurationError) as caught:
        client.account.retrieve()
    assert caught.value.code == "base_url_redirects"
    assert len(gateway.received) == 1


def test_unknown_words_and_fields_break_nothing(client: StreamPay, gateway: ScriptedGateway) -> None:
    gateway.says(Answer(body=objects.but(objects.PAYMENT, status="levitating", aura={"hue": 7})))
    payment = client.payments.retrieve("pay_1")
    assert payment.status == "levitating"
    assert payment.extra == {"aura": {"hue": 7}}
    assert payment.to_dict()["aura"] == {"hue": 7}


def test_no_error_and_no_log_line_holds_the_key_or_the_body(
    client: StreamPay, gateway: ScriptedGateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway.says(Answer(drops=True), problem(500, "internal"), problem(400, "amount_invalid"))
    email = "private" + "@shopper.example"  # in two pieces: the traceback shows this file's lines
    with pytest.raises(errors.InvalidRequest) as caught:
        client.checkout.sessions.create(**ORDER, customer_email=email)
    shown = (
        "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caplog.text + repr(vars(caught.value))
    )
    assert len([record for record in caplog.records if record.name == "streampay"]) == 3
    assert TEST_KEY not in shown
    assert "private@shopper.example" not in shown


@pytest.mark.parametrize(
    "error",
    [
        errors.ConfigurationError("m", code="c"),
        errors.SignatureVerificationError("timestamp_too_old"),
        errors.ConnectionFailed("m", code="c", idempotency_key="k"),
        errors.Timeout("m", code="c", should_retry=False),
        errors.NotFound("m", errors.Problem(code="not_found", status=404)),
    ],
)
def test_every_error_survives_a_pickle(error: errors.StreamPayError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is type(error)
    assert again.__dict__ == error.__dict__
    assert str(again) == str(error)


def test_a_wall_that_the_host_put_into_its_connections_stands(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as pretix's: nobody's settings lead into its own network. The SDK brought connections of its own."""

    class Walled(HTTPConnection):
        def connect(self) -> None:
            raise HTTPError("Request to local address blocked")

    monkeypatch.setattr(HTTPConnectionPool, "ConnectionCls", Walled)
    with (
        StreamPay(TEST_KEY, base_url=gateway.base_url, max_retries=0) as client,
        pytest.raises(errors.ConnectionFailed),
    ):
        client.account.retrieve()
    assert gateway.received == []
