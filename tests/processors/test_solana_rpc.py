"""The RPC client: whatever a provider does, only errors of the house come out, and a healthy one is found."""

import json
import socket
from typing import Any

import pytest

from gateway.kernel.errors import TemporaryError, UnknownOutcomeError
from gateway.processors.solana import rpc as rpc_module
from gateway.processors.solana.rpc import NodeError, RpcClient
from tests.processors.http_node import Script, ScriptedNode, result, says


def refused_url() -> str:
    """Return an address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def ask(*urls: str, has_effect: bool = False) -> Any:
    client = RpcClient(urls)
    try:
        return client.call("getSlot", has_effect=has_effect)
    finally:
        client.close()


def error(code: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 0, "error": {"code": code, "message": "no", "data": {"err": "X"}}}


BROKEN: dict[str, Script] = {
    "500": says(b"oops", 500),
    "503 with retry-after": says(b"", 503, Retry_After="7"),
    "429": says(b"slow down", 429),
    "hangs up": says(b"", 0),
    "html": says(b"<html>gateway time-out</html>"),
    "empty": says(b""),
    "not utf-8": says(b'{"id":0,"result":"\xff\xfe"}'),
    "a number": says(7),
    "a list for one question": says([]),
    "another id": says(result(1, 99)),
    "an id that is a list": says({"id": [], "result": 1}),
    "no result": says({"id": 0}),
    "an error without a code": says({"id": 0, "error": "bad"}),
    "deep nesting": says(b"[" * 100_000),
    "a redirect": says(b"", 302, Location="http://127.0.0.1:1/"),
    "node is behind": says(error(-32005)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_provider_is_a_temporary_error(name: str) -> None:
    with ScriptedNode(BROKEN[name]) as node, pytest.raises(TemporaryError) as failure:
        ask(node.url)
    assert failure.value.retry_after_s is not None


@pytest.mark.parametrize("name", BROKEN)
def test_the_next_provider_answers_for_a_broken_one(name: str) -> None:
    with ScriptedNode(BROKEN[name]) as broken, ScriptedNode(says(result(42))) as healthy:
        assert ask(broken.url, healthy.url) == 42


def test_a_provider_that_is_not_there_is_passed_over() -> None:
    with ScriptedNode(says(result(42))) as healthy:
        assert ask(refused_url(), healthy.url) == 42


def test_a_failed_provider_stands_at_the_end_of_the_line_for_a_while() -> None:
    with ScriptedNode(says(b"", 500)) as broken, ScriptedNode(says(result(1))) as healthy:
        client = RpcClient((broken.url, healthy.url))
        assert [client.call("getSlot") for _ in range(3)] == [1, 1, 1]
        client.close()
        assert (len(broken.seen), len(healthy.seen)) == (1, 3)


def test_retry_after_is_obeyed_and_passed_on() -> None:
    with ScriptedNode(says(b"", 429, Retry_After="30")) as node:
        client = RpcClient((node.url,))
        for _ in range(3):
            with pytest.raises(TemporaryError) as failure:
                client.call("getSlot")
            assert failure.value.retry_after_s is not None
            assert 25 <= failure.value.retry_after_s <= 30
        client.close()
        assert len(node.seen) == 1


@pytest.mark.parametrize(("hint", "longest"), [("999999", 60), ("99999999999", 5), ("-5", 5), ("٣", 5), ("soon", 5)])
def test_a_foolish_retry_after_does_not_silence_us(hint: str, longest: int) -> None:
    body = b"HTTP/1.1 429 no"
    with ScriptedNode(lambda _: (429, {"Retry-After": hint.encode().decode("latin-1")}, body)) as node:
        with pytest.raises(TemporaryError) as failure:
            ask(node.url)
        assert failure.value.retry_after_s is not None
        assert failure.value.retry_after_s <= longest


@pytest.mark.parametrize("name", ["500", "hangs up", "html", "503 with retry-after"])
def test_a_silence_after_sending_is_an_unknown_outcome(name: str) -> None:
    with ScriptedNode(BROKEN[name]) as node, pytest.raises(UnknownOutcomeError):
        ask(node.url, has_effect=True)


def test_what_was_never_sent_is_temporary() -> None:
    with pytest.raises(TemporaryError):
        ask(refused_url(), has_effect=True)
    with ScriptedNode(says(b"", 429)) as node, pytest.raises(TemporaryError):
        ask(node.url, has_effect=True)


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_module, "MAX_ANSWER_BYTES", 100_000)
    with ScriptedNode(says(result("x" * 200_000))) as node, pytest.raises(TemporaryError):
        ask(node.url)


def test_a_node_error_keeps_its_code_and_is_temporary() -> None:
    with ScriptedNode(says(error(-32602))) as node, pytest.raises(NodeError) as failure:
        ask(node.url)
    assert (failure.value.rpc_code, failure.value.details) == (-32602, {"err": "X"})
    assert isinstance(failure.value, TemporaryError)
    assert "-32602" not in failure.value.message


def test_a_batch_is_answered_in_the_order_asked_whatever_order_comes_back() -> None:
    def shuffled(body: Any) -> tuple[int, dict[str, str], bytes]:
        return 200, {}, json.dumps([result(call["method"], call["id"]) for call in reversed(body)]).encode()

    with ScriptedNode(shuffled) as node:
        client = RpcClient((node.url,))
        names = [f"m{number}" for number in range(120)]
        assert client.batch([(name, []) for name in names]) == names
        client.close()
        assert [len(body) for body in node.seen] == [50, 50, 20]
        assert client.calls.total() == 120


def test_a_provider_without_batches_is_asked_one_by_one() -> None:
    def single_only(body: Any) -> tuple[int, dict[str, str], bytes]:
        return 200, {}, json.dumps(error(-32600) if isinstance(body, list) else result(body["method"])).encode()

    with ScriptedNode(single_only) as node:
        client = RpcClient((node.url,))
        assert client.batch([("a", []), ("b", [])]) == ["a", "b"]
        assert client.batch([("c", []), ("d", [])]) == ["c", "d"]
        client.close()
        assert len(node.seen) == 5


def test_decimals_stay_text_so_that_evidence_keeps_its_digits() -> None:
    with ScriptedNode(says(b'{"id":0,"result":0.1234567890123456789}')) as node:
        assert ask(node.url) == "0.1234567890123456789"


def test_a_batch_whose_answer_is_too_large_is_asked_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_module, "MAX_ANSWER_BYTES", 25_000)

    def large(body: Any) -> tuple[int, dict[str, str], bytes]:
        answers = [result("x" * 10_000, call["id"]) for call in (body if isinstance(body, list) else [body])]
        return 200, {}, json.dumps(answers if isinstance(body, list) else answers[0]).encode()

    with ScriptedNode(large) as node:
        client = RpcClient((node.url,))
        assert client.batch([("a", [])] * 7) == ["x" * 10_000] * 7
        client.close()


def test_a_kept_connection_that_was_closed_meanwhile_is_opened_again() -> None:
    answers = iter([(200, b'{"id":0,"result":1}'), (0, b""), (200, b'{"id":0,"result":2}')])

    def script(_: Any) -> tuple[int, dict[str, str], bytes]:
        status, body = next(answers)
        return status, {}, body

    with ScriptedNode(script) as node:
        client = RpcClient((node.url,))
        assert [client.call("getSlot"), client.call("getSlot")] == [1, 2]
        client.close()


def test_what_has_an_effect_is_never_sent_twice_by_itself() -> None:
    with ScriptedNode(says(b"", 0)) as node:
        with pytest.raises(UnknownOutcomeError):
            ask(node.url, has_effect=True)
        assert len(node.seen) == 1
