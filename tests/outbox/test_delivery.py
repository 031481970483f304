"""Delivery: signed, at least once, the same bytes on every try, and no endpoint in another's way."""

import json
import logging
import threading
import time
from datetime import datetime, timedelta, tzinfo

import pytest
import standardwebhooks.webhooks
from sqlalchemy import select, update
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.domain.events import EventType
from gateway.kernel.clock import Clock
from gateway.kernel.errors import ConflictError, NotFoundError
from gateway.kernel.log import JsonFormatter
from gateway.keys.secrets import SecretBox
from gateway.outbox import deliveries
from gateway.outbox import endpoints as reads
from gateway.outbox.claims import LEASE
from gateway.outbox.delivery import Dispatcher
from gateway.outbox.model import EndpointStatus
from gateway.outbox.schedule import WAITS_S
from gateway.storage.database import Database, open_database
from gateway.storage.schema import event, outbox
from tests.outbox.conftest import MERCHANT, STRANGER, Shop
from tests.outbox.receivers import Received, Tls, receiving


@pytest.fixture
def at_shop_time(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the reference library ask the shop's clock: it checks timestamps against its own otherwise."""
    clock: Clock = shop.clock

    class ShopTime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # Self would be a ShopTime
            assert tz is not None
            return clock.now()

    monkeypatch.setattr(standardwebhooks.webhooks, "datetime", ShopTime)


def verify(secret: str, request: Received) -> object:
    return Webhook(secret).verify(request.body, request.headers)


def drain_all(dispatcher: Dispatcher) -> None:
    """Drain until nothing is due and nothing is under way."""
    while (report := dispatcher.drain()).claimed or report.in_flight:
        pass


def eventually(condition: object, within_s: float = 5.0) -> None:
    assert callable(condition)
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.005)


@pytest.mark.usefixtures("at_shop_time")
def test_a_delivery_verifies_in_the_reference_library_and_is_logged(shop: Shop) -> None:
    issued = shop.endpoint()
    (sent,) = shop.append()
    report = shop.dispatcher().drain()
    assert (report.claimed, report.succeeded, report.failed, report.in_flight) == (1, 1, 0, 0)
    assert report.next_due_at is None
    (request,) = shop.receiver.received
    assert request.body == sent.body().encode()
    assert request.headers["webhook-id"] == sent.id
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("StreamPay/")
    assert request.headers["webhook-timestamp"] == str(int(shop.clock.now().timestamp()))
    assert verify(issued.secret, request) == json.loads(sent.body())
    (logged,) = shop.deliveries()
    assert (logged.outcome, logged.status_code, logged.attempt, logged.next_attempt_at) == ("succeeded", 204, 1, None)
    with pytest.raises(WebhookVerificationError):
        verify(issued.secret, Received(path="", headers=request.headers, body=request.body + b" ", at=0))


@pytest.mark.usefixtures("at_shop_time")
def test_during_a_rotation_old_and_new_secret_verify_and_afterwards_only_the_new(shop: Shop) -> None:
    before = shop.endpoint()
    dispatcher = shop.dispatcher()
    after = shop.db.write(
        lambda tx: shop.endpoints.rotate_secret(tx, MERCHANT, before.endpoint.id, livemode=False, grace_s=3600)
    )
    assert before.secret != after.secret
    shop.append()
    drain_all(dispatcher)
    (during,) = shop.receiver.received
    assert verify(before.secret, during) == verify(after.secret, during)
    shop.advance(seconds=3601)
    shop.append()
    drain_all(dispatcher)
    later = shop.receiver.received[-1]
    assert [len(each.headers["webhook-signature"].split()) for each in (during, later)] == [2, 1]
    assert verify(after.secret, later)
    with pytest.raises(WebhookVerificationError):
        verify(before.secret, later)


def test_test_mode_gives_up_after_three_tries_within_a_minute_or_so(shop: Shop) -> None:
    shop.endpoint()
    shop.receiver.answers["/hook"] = 500
    shop.append()
    assert follow_schedule(shop, shop.dispatcher()) == 3
    assert [row.status for row in shop.outbox_rows()] == ["failed"]


def test_live_mode_follows_the_whole_schedule_over_tls_with_the_same_bytes(shop: Shop, tls: Tls) -> None:
    with receiving(tls.server) as receiver:
        receiver.answers["/hook"] = 503
        shop.trust(f"localhost:{receiver.port}")
        shop.endpoint(url=f"https://localhost:{receiver.port}/hook", livemode=True)
        (sent,) = shop.append(livemode=True)
        assert follow_schedule(shop, shop.dispatcher(tls=tls.client)) == 11
        assert {request.headers["webhook-id"] for request in receiver.received} == {sent.id}
        assert {request.body for request in receiver.received} == {sent.body().encode()}
        assert len({request.headers["webhook-timestamp"] for request in receiver.received}) == 11
        assert [row.status for row in shop.outbox_rows()] == ["failed"]


def follow_schedule(shop: Shop, dispatcher: Dispatcher) -> int:
    """Let every try fail, go from one to the next by the clock alone, and return how many there were."""
    for attempt in range(1, 20):
        drain_all(dispatcher)
        logged = shop.deliveries()[-1]
        assert (logged.attempt, logged.outcome) == (attempt, "failed")
        if logged.next_attempt_at is None:
            return attempt
        waited = (logged.next_attempt_at - shop.clock.now()).total_seconds()
        assert 0.8 * WAITS_S[attempt] <= waited <= 1.2 * WAITS_S[attempt]
        shop.clock.advance(logged.next_attempt_at - shop.clock.now() - timedelta(seconds=1))
        assert dispatcher.drain().claimed == 0, "a second too early"
        shop.advance(seconds=1)
    raise AssertionError("it never gives up")


@pytest.mark.parametrize(
    ("misdeed", "status", "error"),
    [
        (500, 500, "The receiver answered 500."),
        ((302, {"Location": "http://169.254.169.254/latest"}, b""), 302, "The receiver answered 302."),
        ("hang", None, "The receiver did not answer in time."),
        ("reset", None, "The connection was closed without an answer."),
        ("drip_head", None, "The receiver did not answer in time."),
        ("garbage", None, "The answer is not HTTP."),
        ("huge_head", None, "The answer is not HTTP."),
    ],
)
def test_a_bad_answer_is_a_failed_try_with_its_reason(
    shop: Shop, misdeed: object, status: int | None, error: str
) -> None:
    shop.endpoint()
    shop.receiver.answers["/hook"] = misdeed
    shop.append()
    drain_all(shop.dispatcher(deadline_s=0.4))
    (logged,) = shop.deliveries()
    assert (logged.outcome, logged.status_code, logged.error) == ("failed", status, error)
    assert logged.next_attempt_at is not None
    assert len(shop.receiver.received) == 1, "no redirect was followed, nothing was sent twice"


@pytest.mark.parametrize("misdeed", ["huge", "hang_up_later", "last"])
def test_a_2xx_counts_whatever_follows_it(shop: Shop, misdeed: str) -> None:
    shop.endpoint()
    shop.receiver.answers["/hook"] = misdeed
    shop.append(3)
    drain_all(shop.dispatcher())
    assert [each.outcome for each in shop.deliveries()] == ["succeeded"] * 3
    assert all(len((each.response_excerpt or "").encode()) <= 1024 for each in shop.deliveries())


def test_a_body_that_drips_for_ever_is_left_at_the_deadline(shop: Shop) -> None:
    shop.endpoint()
    shop.receiver.answers["/hook"] = "drip_body"
    shop.append()
    began = time.monotonic()
    drain_all(shop.dispatcher(deadline_s=0.4))
    assert time.monotonic() - began < 3
    assert [each.outcome for each in shop.deliveries()] == ["succeeded"]


def test_retry_after_lengthens_the_wait(shop: Shop) -> None:
    shop.endpoint()
    shop.receiver.answers["/hook"] = (503, {"Retry-After": "3600"}, b"later")
    shop.append()
    drain_all(shop.dispatcher())
    (logged,) = shop.deliveries()
    assert (logged.next_attempt_at - shop.clock.now()).total_seconds() == 3600


def test_a_410_disables_the_endpoint_and_tells_the_others(shop: Shop) -> None:
    gone, other = shop.endpoint("/gone"), shop.endpoint("/other")
    stranger = shop.endpoint("/stranger", merchant_id=STRANGER)
    shop.receiver.answers["/gone"] = 410
    shop.append()
    drain_all(shop.dispatcher())
    endpoint = shop.db.read(lambda tx: reads.retrieve(tx, MERCHANT, gone.endpoint.id, livemode=False))
    assert (endpoint.status, endpoint.disabled_reason) == (EndpointStatus.DISABLED, "The endpoint answered 410 Gone.")
    assert len(shop.receiver.at("/gone")) == 1
    assert shop.receiver.at("/stranger") == []
    bodies = [json.loads(each.body) for each in shop.receiver.at("/other")]
    assert [body["type"] for body in bodies] == ["payment.succeeded", "webhook_endpoint.disabled"]
    assert bodies[1]["data"]["object"]["id"] == gone.endpoint.id
    assert bodies[1]["data"]["object"]["status"] == "disabled"
    assert "secret" not in bodies[1]["data"]["object"]
    assert {other.endpoint.id, stranger.endpoint.id}.isdisjoint({gone.endpoint.id})


def test_five_days_of_only_failures_disable_and_one_success_starts_the_count_again(shop: Shop) -> None:
    issued = shop.endpoint("/down")
    shop.endpoint("/other")
    dispatcher = shop.dispatcher()

    def status() -> EndpointStatus:
        return shop.db.read(lambda tx: reads.retrieve(tx, MERCHANT, issued.endpoint.id, livemode=False)).status

    for answer, days in ((500, 4), (204, 4), (500, 4), (500, 2)):
        shop.receiver.answers["/down"] = answer
        shop.append()
        drain_all(dispatcher)
        assert status() is EndpointStatus.ENABLED
        with shop.db.engine.begin() as tx:  # the schedule's own retries are another test's subject
            tx.execute(update(outbox).values(status="succeeded"))
        shop.advance(days=days)
    shop.append()
    drain_all(dispatcher)
    assert status() is EndpointStatus.DISABLED
    types = [json.loads(each.body)["type"] for each in shop.receiver.at("/other")]
    assert types.count("webhook_endpoint.disabled") == 1


def test_what_waited_for_a_disabled_endpoint_goes_out_when_it_is_enabled(shop: Shop) -> None:
    issued = shop.endpoint()
    shop.append(3)
    shop.db.write(lambda tx: shop.endpoints.disable(tx, MERCHANT, issued.endpoint.id, livemode=False))
    shop.append(2)
    dispatcher = shop.dispatcher()
    assert dispatcher.drain().claimed == 0
    shop.db.write(lambda tx: shop.endpoints.enable(tx, MERCHANT, issued.endpoint.id, livemode=False))
    drain_all(dispatcher)
    assert len(shop.receiver.received) == 3, "events of the time when it was off were never meant for it"


def test_a_hanging_endpoint_delays_no_event_of_a_good_one(shop: Shop) -> None:
    shop.endpoint("/good")
    shop.endpoint("/hanging")
    shop.receiver.answers["/hanging"] = "hang"
    dispatcher = shop.dispatcher(deadline_s=20, patience_s=0.2)
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            dispatcher.idle(dispatcher.drain())

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        slowest = 0.0
        for _ in range(20):
            began = time.monotonic()
            (sent,) = shop.append()
            dispatcher.wake()
            eventually(lambda: any(r.headers["webhook-id"] == sent.id for r in shop.receiver.at("/good")))  # noqa: B023 - it is called before the next turn
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 1.0
        assert len(shop.receiver.at("/hanging")) <= 2, "a hanging endpoint holds its own slots and no more"
    finally:
        stop.set()
        dispatcher.wake()
        thread.join()


def test_a_backlog_of_one_endpoint_does_not_stand_before_another(shop: Shop) -> None:
    shop.endpoint("/many", enabled_events=["payment.processing"])
    shop.endpoint("/few", enabled_events=["payment.succeeded"])
    shop.append(400, type=EventType.PAYMENT_PROCESSING)
    shop.append(1)
    drain_all(shop.dispatcher())
    order = [each.path for each in shop.receiver.received]
    assert order.count("/many") == 400
    assert order.index("/few") < 40


class _Dies(Dispatcher):
    """A process that is killed after it has sent and before it could record."""

    def _record(self, *_: object) -> None:
        with self._state:
            self._outstanding = 0


def test_a_crash_between_sending_and_recording_sends_again_with_the_same_id_and_bytes(shop: Shop) -> None:
    shop.endpoint()
    shop.append(5)
    shop.dispatcher()  # its http is closed with the shop
    dying = _Dies(shop.db, shop.box, shop.clock, shop.ids, http=shop._https[0])
    shop._dispatchers.append(dying)
    dying.drain()
    eventually(lambda: len(shop.receiver.received) == 5)
    survivor = shop.dispatcher()
    assert survivor.drain().claimed == 0, "the lease still holds"
    shop.clock.advance(LEASE)
    drain_all(survivor)
    assert len(shop.receiver.received) == 10
    copies: dict[str, set[bytes]] = {}
    for request in shop.receiver.received:
        copies.setdefault(request.headers["webhook-id"], set()).add(request.body)
    assert len(copies) == 5
    assert all(len(bodies) == 1 for bodies in copies.values())
    assert {row.status for row in shop.outbox_rows()} == {"succeeded"}


@pytest.mark.parametrize("late", ["hang", "answer_late"])
def test_a_slow_dispatcher_cannot_complete_what_another_has_claimed_meanwhile(shop: Shop, late: str) -> None:
    shop.endpoint()
    shop.receiver.answers["/hook"] = [late, 500]
    shop.append()
    slow = shop.dispatcher(deadline_s=20, patience_s=0.1)
    assert slow.drain().in_flight == 1
    shop.clock.advance(LEASE)
    drain_all(shop.dispatcher())
    before = shop.outbox_rows()
    shop.receiver.released.set()
    eventually(lambda: slow.drain().in_flight == 0)
    assert shop.outbox_rows() == before, "its late result found another lease"
    assert len(shop.deliveries()) == 2, "both tries are in the log"


def test_two_dispatchers_at_once_claim_no_row_twice(shop: Shop, url: str) -> None:
    for number in range(4):
        shop.endpoint(f"/{number}")
    shop.append(100)
    # A second process on SQLite would be a second writer: there the two share the one writer.
    second: Database = shop.db if shop.db.dialect == "sqlite" else open_database(url)
    try:
        pair = [shop.dispatcher(), shop.dispatcher(db=second)]
        threads = [threading.Thread(target=drain_all, args=(each,)) for each in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        if second is not shop.db:
            shop._dispatchers.pop().close()
            second.close()
    sent = [(each.path, each.headers["webhook-id"]) for each in shop.receiver.received]
    assert len(sent) == len(set(sent)) == 400
    assert len(shop.deliveries()) == 400


def test_resending_goes_out_at_once_with_the_same_bytes_even_after_success(shop: Shop) -> None:
    issued = shop.endpoint(enabled_events=["payment.succeeded"])
    (sent,) = shop.append()
    (unsubscribed,) = shop.append(type=EventType.PAYMENT_LATE)
    dispatcher = shop.dispatcher()
    drain_all(dispatcher)
    for each in (sent, unsubscribed):
        shop.db.write(
            lambda tx, each=each: deliveries.resend(  # type: ignore[misc]  # mypy does not infer lambda defaults
                tx, MERCHANT, issued.endpoint.id, each.id, livemode=False, clock=shop.clock
            )
        )
    drain_all(dispatcher)
    assert [each.headers["webhook-id"] for each in shop.receiver.received].count(sent.id) == 2
    assert {each.body for each in shop.receiver.received} == {sent.body().encode(), unsubscribed.body().encode()}


def test_resending_asks_for_an_own_enabled_endpoint_and_an_own_event(shop: Shop) -> None:
    issued = shop.endpoint()
    (sent,) = shop.append()
    (foreign,) = shop.append(merchant_id=STRANGER)

    def resend(merchant_id: str, event_id: str) -> None:
        shop.db.write(
            lambda tx: deliveries.resend(
                tx, merchant_id, issued.endpoint.id, event_id, livemode=False, clock=shop.clock
            )
        )

    for merchant_id, event_id in ((STRANGER, sent.id), (MERCHANT, foreign.id), (MERCHANT, "evt_nonsense")):
        with pytest.raises(NotFoundError):
            resend(merchant_id, event_id)
    shop.db.write(lambda tx: shop.endpoints.disable(tx, MERCHANT, issued.endpoint.id, livemode=False))
    with pytest.raises(ConflictError):
        resend(MERCHANT, sent.id)


def test_a_test_event_goes_to_its_endpoint_alone(shop: Shop) -> None:
    one = shop.endpoint("/one", enabled_events=["payment.late"])
    shop.endpoint("/two")
    for _ in range(2):
        shop.db.write(
            lambda tx: deliveries.send_test(
                tx, MERCHANT, one.endpoint.id, livemode=False, clock=shop.clock, ids=shop.ids
            )
        )
    drain_all(shop.dispatcher())
    assert [each.path for each in shop.receiver.received] == ["/one", "/one"]
    bodies = [json.loads(each.body) for each in shop.receiver.received]
    assert {body["type"] for body in bodies} == {"ping"}
    assert {body["sequence"] for body in bodies} == {1, 2}
    assert bodies[0]["data"]["object"]["id"] == one.endpoint.id


def test_the_log_lists_own_deliveries_newest_first_in_pages(shop: Shop) -> None:
    issued = shop.endpoint()
    dispatcher = shop.dispatcher()
    for _ in range(5):
        shop.append()
        drain_all(dispatcher)
        shop.advance(seconds=1)

    def page(**cursor: str) -> tuple[list[str], bool]:
        found = shop.db.read(
            lambda tx: deliveries.list_deliveries(tx, MERCHANT, issued.endpoint.id, livemode=False, limit=2, **cursor)
        )
        assert all(each.event_type == "payment.succeeded" for each in found.items)
        return [each.id for each in found.items], found.has_more

    expected = [each.id for each in reversed(shop.deliveries())]
    assert page() == (expected[:2], True)
    assert page(starting_after=expected[1]) == (expected[2:4], True)
    assert page(starting_after=expected[3]) == (expected[4:], False)
    assert page(ending_before=expected[2]) == (expected[:2], False)
    with pytest.raises(NotFoundError):
        shop.db.read(lambda tx: deliveries.list_deliveries(tx, STRANGER, issued.endpoint.id, livemode=False))


def test_no_secret_reaches_the_logs_or_the_excerpts(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    issued = shop.endpoint()
    echo = f"you sent {issued.secret} and sk_test_abcdef\x00\x1b[31m".encode() + b"\xff" * 3000
    shop.receiver.answers["/hook"] = [(500, {}, echo), 410]
    dispatcher = shop.dispatcher()
    shop.append()
    drain_all(dispatcher)
    shop.advance(minutes=1)
    drain_all(dispatcher)
    excerpt = shop.deliveries()[0].response_excerpt
    assert excerpt.startswith("you sent whsec_*** and sk_test_***")
    assert len(excerpt.encode()) <= 1024
    assert "\x00" not in excerpt
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert any("webhook_endpoint_disabled" in line for line in lines)
    kept = [str(row) for row in shop.db.read(lambda tx: tx.execute(select(event)).all())]
    assert all(issued.secret not in text for text in (*lines, *kept, *map(str, shop.deliveries())))
    assert issued.secret not in repr(issued)


def test_a_secret_that_does_not_open_fails_the_try_and_not_the_dispatcher(shop: Shop) -> None:
    shop.endpoint()
    shop.append()
    shop.box = SecretBox(bytes([1]) * 32)
    drain_all(shop.dispatcher())
    (logged,) = shop.deliveries()
    assert (logged.outcome, logged.error) == ("failed", "The delivery could not be prepared.")
    assert shop.receiver.received == []


def test_connections_are_kept_alive_and_a_dead_one_is_replaced_unseen(shop: Shop) -> None:
    shop.endpoint()
    dispatcher = shop.dispatcher(threads=1)
    for _ in range(5):
        shop.append()
        drain_all(dispatcher)
    assert shop.receiver.connections == 1
    shop.receiver.answers["/hook"] = ["hang_up_later", 204]
    shop.append(2)
    drain_all(dispatcher)
    assert {each.outcome for each in shop.deliveries()} == {"succeeded"}


def test_closing_gives_untried_rows_back(shop: Shop) -> None:
    shop.endpoint()
    shop.receiver.answers["/hook"] = ["hang", 204]
    shop.append(3)
    dispatcher = shop.dispatcher(threads=1, patience_s=0.1, deadline_s=0.5)
    dispatcher.drain()
    dispatcher.close()
    drain_all(shop.dispatcher())
    assert len(shop.receiver.received) >= 3
    assert sorted(row.status for row in shop.outbox_rows()) == ["pending", "succeeded", "succeeded"]
