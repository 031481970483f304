"""What only the async client has: its types, its lists, its event loops. All other tests run it beside the sync one."""

import ast
import asyncio
import builtins
import gc
import importlib
import inspect
import os
import sys
import threading
import time
from typing import Any

import pytest

import streampay
from streampay import AsyncStreamPay, StreamPay, errors, models
from streampay._http import HttpRequest, HttpResponse
from streampay._httpx import MAX_AT_ONCE, HttpxTransport
from streampay._pages import AsyncPages
from tests.sdk import async_surface, objects
from tests.sdk.objects import ORDER
from tests.sdk.scripted_gateway import TEST_KEY, Answer, ScriptedGateway
from tests.sdk.test_client import page_of


def a_client(gateway: ScriptedGateway, **options: Any) -> AsyncStreamPay:
    return AsyncStreamPay(TEST_KEY, base_url=gateway.base_url, **{"timeout_s": 5, **options})


# --- one implementation, exact types ---------------------------------------------------------------------------------


def test_the_written_types_are_those_of_the_resources() -> None:
    current = async_surface.TARGET.read_text()
    assert current == async_surface.written(), "run: .venv/bin/python -m tests.sdk.async_surface"


def test_every_method_of_a_resource_returns_its_call_untouched() -> None:
    assert async_surface.careless_methods() == []


def test_a_method_that_looks_at_what_came_is_found() -> None:
    (careless,) = ast.parse("def f(self):\n    x = self._api.get(1)\n    return x.status").body
    assert isinstance(careless, ast.FunctionDef)
    assert not async_surface.returned_untouched(careless)


def test_both_clients_take_the_same_options() -> None:
    sync, other = inspect.signature(StreamPay).parameters, inspect.signature(AsyncStreamPay).parameters
    assert [(one.name, one.kind, one.default) for one in sync.values()] == [
        (one.name, one.kind, one.default) for one in other.values()
    ]
    public = {name for name in dir(StreamPay) if not name.startswith("_")}
    assert public == {name for name in dir(AsyncStreamPay) if not name.startswith("_")}


# --- lists -----------------------------------------------------------------------------------------------------------


def test_a_list_is_gone_through_or_awaited_page_by_page(gateway: ScriptedGateway) -> None:
    pages = (page_of(5, 4, has_more=True), page_of(3, 2, has_more=True), page_of(1, has_more=False))

    async def shop() -> None:
        async with a_client(gateway) as client:
            gateway.says(*pages)
            listed = client.payments.list(limit=2)
            assert isinstance(listed, AsyncPages)
            assert gateway.received == []  # nothing is read before it is asked for
            assert [each.id async for each in listed] == ["pay_5", "pay_4", "pay_3", "pay_2", "pay_1"]
            gateway.says(*pages)
            first = await client.payments.list(limit=2)
            second = await first.next_page()
            assert second is not None
            assert ([each.id for each in second.page], second.has_more) == (["pay_3", "pay_2"], True)
            assert [each.id async for each in second] == ["pay_3", "pay_2", "pay_1"]
            gateway.says(page_of(1, has_more=False))
            assert await (await client.payments.list()).next_page() is None

    asyncio.run(shop())


def test_a_list_may_be_left_in_the_middle(gateway: ScriptedGateway) -> None:
    gateway.says(page_of(5, 4, has_more=True))

    async def shop() -> str:
        async with a_client(gateway) as client:
            async for each in client.payments.list():
                return each.id
        return ""

    assert asyncio.run(shop()) == "pay_5"
    assert len(gateway.received) == 1


# --- event loops, forks, tasks ---------------------------------------------------------------------------------------


def test_one_client_serves_one_event_loop_after_another(gateway: ScriptedGateway) -> None:
    gateway.says(Answer(body=objects.ACCOUNT))
    transport = HttpxTransport()
    client = a_client(gateway, transport=transport)

    async def shop() -> str:
        async with client:
            return (await client.account.retrieve()).name

    assert [asyncio.run(shop()) for _ in range(3)] == ["Shop"] * 3
    assert transport._places == {}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a loop that ends without close() leaves its sockets to Python
def test_what_a_dead_event_loop_left_is_let_go(gateway: ScriptedGateway) -> None:
    gateway.says(Answer(body=objects.ACCOUNT))
    transport = HttpxTransport()
    client = a_client(gateway, transport=transport)
    for _ in range(3):
        asyncio.run(_read(client))
    assert len(transport._places) == 1
    transport._places.clear()
    gc.collect()


def _until_asked(gateway: ScriptedGateway) -> None:
    while not gateway.received:
        time.sleep(0.01)


async def _read(client: AsyncStreamPay) -> models.Account:
    return await client.account.retrieve()


def test_threads_with_loops_of_their_own_share_a_client(gateway: ScriptedGateway) -> None:
    gateway.says(Answer(body=objects.SESSION))
    client = a_client(gateway)
    failures: list[BaseException] = []

    async def shop() -> None:
        async with client:
            await asyncio.gather(*(client.checkout.sessions.create(**ORDER) for _ in range(10)))

    def work() -> None:
        try:
            asyncio.run(shop())
        except BaseException as error:  # noqa: BLE001 - it is told below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len({sent.headers["idempotency-key"] for sent in gateway.received}) == 40


def test_a_forked_child_uses_no_connection_of_its_parent(
    gateway: ScriptedGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.says(Answer(body=objects.ACCOUNT))
    transport = HttpxTransport()
    client = a_client(gateway, transport=transport)

    async def shop() -> None:
        await client.account.retrieve()
        (mine,) = transport._places.values()
        parent = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: -1)  # as it is in a child
        await client.account.retrieve()
        (theirs,) = transport._places.values()
        assert theirs is not mine
        await client.close()
        monkeypatch.setattr(os, "getpid", lambda: parent)
        for pool in mine.pools.values():
            await pool.aclose()

    asyncio.run(shop())


class Counted(HttpxTransport):
    """Answers by itself after a while, and counts how many it answers at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0

    async def _exchange(self, *_: Any) -> HttpResponse:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.4)
        self.now -= 1
        return HttpResponse(status=200, headers={}, body=b"{}")


def test_many_calls_at_once_wait_for_a_place_and_not_for_a_timeout(gateway: ScriptedGateway) -> None:
    transport = Counted()

    async def shop() -> None:
        client = a_client(gateway, transport=transport, timeout_s=(0.5, 0.5), max_retries=0)
        await asyncio.gather(*(client.request("GET", "/v1/account") for _ in range(4 * MAX_AT_ONCE)))

    asyncio.run(shop())
    assert transport.most == MAX_AT_ONCE


def test_a_cancelled_call_is_cancelled_and_the_client_lives_on(gateway: ScriptedGateway) -> None:
    gateway.says(Answer(body=objects.ACCOUNT, delay_s=1), Answer(body=objects.ACCOUNT))

    async def shop() -> str:
        async with a_client(gateway) as client:
            task = asyncio.create_task(_read(client))
            await asyncio.to_thread(_until_asked, gateway)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return (await client.account.retrieve()).name

    assert asyncio.run(shop()) == "Shop"
    assert len(gateway.received) == 2  # a cancelled call is not tried again


def test_pauses_between_tries_leave_the_event_loop_free(gateway: ScriptedGateway) -> None:
    gateway.says(Answer(status=503, headers={"Retry-After": "1"}), Answer(body=objects.ACCOUNT))

    async def shop() -> int:
        beats = 0
        async with a_client(gateway) as client:
            task = asyncio.create_task(_read(client))
            while not task.done():
                await asyncio.sleep(0.01)
                beats += 1
            assert task.result().name == "Shop"
        return beats

    assert asyncio.run(shop()) > 20


# --- transports ------------------------------------------------------------------------------------------------------


class Recorded:
    """A transport that answers by itself."""

    def __init__(self) -> None:
        self.sent: list[HttpRequest] = []
        self.is_closed = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        return HttpResponse(status=200, headers={}, body=b'{"id": "mer_1", "name": "Shop", "livemode": false}')

    async def close(self) -> None:
        self.is_closed = True


def test_another_async_transport_may_carry_the_requests() -> None:
    transport = Recorded()

    async def shop() -> None:
        async with AsyncStreamPay(TEST_KEY, base_url="https://pay.shop.example/sub/", transport=transport) as client:
            assert (await client.account.retrieve()).name == "Shop"

    asyncio.run(shop())
    assert (transport.sent[0].url, transport.is_closed) == ("https://pay.shop.example/sub/v1/account", True)


def test_without_httpx_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("httpx", "streampay._httpx", "streampay.async_client"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    real = builtins.__import__

    def without_httpx(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "httpx":
            raise ModuleNotFoundError("No module named 'httpx'", name="httpx")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_httpx)
    bare = importlib.import_module("streampay.async_client")
    with pytest.raises(errors.ConfigurationError) as caught:
        bare.AsyncStreamPay(TEST_KEY, base_url="https://pay.shop.example")
    assert 'pip install "streampay[async]"' in str(caught.value)
    assert caught.value.code == "httpx_missing"
    bare.AsyncStreamPay(TEST_KEY, base_url="https://pay.shop.example", transport=Recorded())


# --- the key of an order ---------------------------------------------------------------------------------------------


def test_an_order_has_one_key_for_each_attempt_wherever_it_is_made() -> None:
    assert streampay.order_key("order-1001") == streampay.order_key("order-1001", 1)
    assert streampay.order_key("order-1001") == (
        "order_50ac93f41009bb5828fbeb9b39ca5129a5888ba493196a343d69c38b2df5a412_1"
    )
    keys = {
        streampay.order_key(order, attempt) for order in ("1", "11", "1_1", "ö", "\ud800") for attempt in (1, 2, 11)
    }
    assert len(keys) == 15
    assert all(len(key) < 255 and key.isascii() and " " not in key for key in keys)


@pytest.mark.parametrize(
    ("order", "attempt"), [("", 1), (" ", 1), (7, 1), ("o", 0), ("o", True), ("o", "1"), ("o", 1.0)]
)
def test_a_key_is_made_of_an_order_and_a_count(order: Any, attempt: Any) -> None:
    with pytest.raises(errors.InvalidRequest):
        streampay.order_key(order, attempt)


def test_the_next_attempt_of_an_order_is_a_new_session(live_client: StreamPay) -> None:
    order = {**ORDER, "reference": f"tried-twice-{id(live_client)}"}

    def opened(attempt: int, amount: str = "12.30") -> models.CheckoutSession:
        key = streampay.order_key(order["reference"], attempt)
        return live_client.checkout.sessions.create(**{**order, "amount": amount}, idempotency_key=key)

    first = opened(1)
    assert opened(1).id == first.id  # a crash later, or on the other worker
    live_client.checkout.sessions.expire(first.id)
    assert opened(1).id == first.id  # why attempts are counted: the key alone answers with what is over
    second = opened(2)
    assert (second.id != first.id, second.status) == (True, "open")
    with pytest.raises(errors.IdempotencyMismatch):
        opened(2, amount="13.00")


def test_a_call_without_a_key_is_never_answered_by_a_session_that_is_over(live_client: StreamPay) -> None:
    order = {**ORDER, "reference": f"no-key-{id(live_client)}"}
    first = live_client.checkout.sessions.create(**order)
    assert live_client.checkout.sessions.create(**order).id == first.id  # open: the natural key of the gateway
    live_client.checkout.sessions.expire(first.id)
    assert live_client.checkout.sessions.create(**order).status == "open"
