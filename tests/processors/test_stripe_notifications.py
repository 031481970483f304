"""Webhooks of Stripe: what is forged, stale, early, malformed or of the wrong mode is refused, and nothing escapes."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.provider import Notification
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.processors.stripe import StripeConfig, StripeProcessor
from gateway.processors.stripe.notifications import MAX_BODY_BYTES, TOLERANCE_S

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECRET, OLD_SECRET, LIVE_SECRET = "whsec_test_new", "whsec_test_old", "whsec_live"
PROCESSOR = StripeProcessor(
    "stripe",
    {
        False: StripeConfig(livemode=False, secret_key="sk_test_x", webhook_secrets=(SECRET, OLD_SECRET)),
        True: StripeConfig(livemode=True, secret_key="rk_live_x", webhook_secrets=(LIVE_SECRET,)),
    },
)


def event(subject: Mapping[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "type": "checkout.session.completed",
        "livemode": False,
        "created": int(NOW.timestamp()),
        "data": {"object": dict(subject or {"id": "cs_test_1", "object": "checkout.session"})},
    } | changed


def body_of(value: object) -> bytes:
    return json.dumps(value).encode()


def signed(body: bytes, *, secret: str = SECRET, at: datetime = NOW, scheme: str = "v1") -> dict[str, str]:
    stamp = int(at.timestamp())
    mac = hmac.new(secret.encode(), b"%d." % stamp + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={stamp},{scheme}={mac}"}


def take(body: bytes, headers: Mapping[str, str], *, now: datetime = NOW) -> Notification:
    return PROCESSOR.read_notification(body, headers, now=now)


def assert_refused(body: bytes, headers: Mapping[str, str], *, now: datetime = NOW) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        take(body, headers, now=now)
    assert refusal.value.code is ErrorCode.NOTIFICATION_REFUSED
    assert len(refusal.value.message) < 200


def test_what_stripes_own_library_signs_is_taken() -> None:
    body = body_of(event())
    header = stripe.WebhookSignature.generate_signature_header(body.decode(), SECRET, int(NOW.timestamp()))
    taken = take(body, {"stripe-signature": header})
    assert (taken.event_id, taken.type, taken.is_livemode, taken.created_at) == (
        "evt_1", "checkout.session.completed", False, NOW,
    )  # fmt: skip
    assert taken.references == ("cs_test_1",)


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_either_secret_is_good_during_a_rotation(secret: str) -> None:
    assert take(body_of(event()), signed(body_of(event()), secret=secret)).event_id == "evt_1"


def test_one_good_signature_among_several_is_enough() -> None:
    body = body_of(event())
    good = signed(body)["Stripe-Signature"].partition(",")[2]
    header = {"Stripe-Signature": f"t={int(NOW.timestamp())},v1={'0' * 64}, {good},v0=abc"}
    assert take(body, header).event_id == "evt_1"


@pytest.mark.parametrize("seconds", [-TOLERANCE_S, 0, TOLERANCE_S])
def test_clocks_may_differ_by_five_minutes_to_either_side(seconds: int) -> None:
    body = body_of(event())
    assert take(body, signed(body, at=NOW + timedelta(seconds=seconds))).event_id == "evt_1"


@pytest.mark.parametrize("seconds", [-TOLERANCE_S - 1, TOLERANCE_S + 1, 11 * 86_400])
def test_stripes_library_takes_any_future_and_we_take_neither_past_nor_future(seconds: int) -> None:
    body = body_of(event())
    headers = signed(body, at=NOW + timedelta(seconds=seconds))
    assert_refused(body, headers)


def test_pitfall_28_only_the_scheme_v1_counts() -> None:
    body = body_of(event())
    for scheme in ("v0", "v2", "v1 ", "V1", "v11", ""):
        assert_refused(body, signed(body, scheme=scheme))


def test_pitfall_27_one_changed_byte_spoils_the_signature() -> None:
    body = body_of(event())
    headers = signed(body)
    for place in (0, len(body) // 2, len(body) - 1):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        assert_refused(changed, headers)
    assert_refused(body + b" ", headers)
    assert_refused(json.dumps(json.loads(body), indent=1).encode(), headers)
    assert_refused(body[:-1], headers)


@pytest.mark.parametrize("secret", ["", " ", "whsec_", "WHSEC_TEST_NEW", "test_new"])
def test_another_secret_signs_nothing(secret: str) -> None:
    body = body_of(event())
    assert_refused(body, signed(body, secret=secret))


def test_pitfall_29_a_live_event_under_a_test_secret_is_refused_and_the_other_way_round() -> None:
    live, test = body_of(event(livemode=True)), body_of(event(livemode=False))
    assert take(live, signed(live, secret=LIVE_SECRET)).is_livemode
    assert_refused(live, signed(live, secret=SECRET))
    assert_refused(test, signed(test, secret=LIVE_SECRET))


def test_without_a_secret_everything_is_refused() -> None:
    bare = StripeProcessor("stripe", {False: StripeConfig(livemode=False, secret_key="sk_test_x")})
    body = body_of(event())
    for secret in ("", SECRET):
        with pytest.raises(InvalidRequestError):
            bare.read_notification(body, signed(body, secret=secret), now=NOW)


def test_an_empty_secret_cannot_be_configured() -> None:
    for secret in ("", " ", "whsec_x\n"):
        with pytest.raises(AssertionError):
            StripeConfig(livemode=False, secret_key="sk_test_x", webhook_secrets=(secret,))


def test_both_modes_under_one_secret_cannot_be_configured() -> None:
    configs = {
        livemode: StripeConfig(livemode=livemode, secret_key=key, webhook_secrets=(SECRET,))
        for livemode, key in ((False, "sk_test_x"), (True, "sk_live_x"))
    }
    with pytest.raises(AssertionError):
        StripeProcessor("stripe", configs)


MALFORMED_HEADERS = {
    "missing": {},
    "empty": {"Stripe-Signature": ""},
    "no time": {"Stripe-Signature": "v1=00"},
    "two times": {"Stripe-Signature": "t=1,t=1,v1=00"},
    "no signature": {"Stripe-Signature": "t=1763640000"},
    "a time in other digits": {"Stripe-Signature": "t=\u0661\u0662\u0663,v1=00"},
    "a superscript time": {"Stripe-Signature": "t=\u00b2,v1=00"},
    "a negative time": {"Stripe-Signature": "t=-1,v1=00"},
    "an endless time": {"Stripe-Signature": f"t={'9' * 5_000},v1=00"},
    "not ascii": {"Stripe-Signature": "t=1763640000,v1=\u00e9\u20ac"},
    "a lone surrogate": {"Stripe-Signature": "t=1763640000,v1=\udce9"},
    "endless": {"Stripe-Signature": "t=1763640000," + "v1=00," * 10_000},
    "only commas": {"Stripe-Signature": ",,,,"},
    "another name": {"X-Hub-Signature-256": "sha256=00"},
}


@pytest.mark.parametrize("name", MALFORMED_HEADERS)
def test_a_malformed_header_is_a_refusal(name: str) -> None:
    assert_refused(body_of(event()), MALFORMED_HEADERS[name])


MALFORMED_BODIES: dict[str, bytes] = {
    "empty": b"",
    "not json": b"<html>",
    "not utf-8": b'{"id": "\xff"}',
    "truncated": body_of(event())[:-5],
    "deep": b"[" * 200_000,
    "an endless number": b'{"created": ' + b"9" * 5_000 + b"}",
    "a list": b"[]",
    "null": b"null",
    "a text": b'"event"',
    "no object": body_of({key: value for key, value in event().items() if key != "object"}),
    "thin": body_of({"id": "evt_1", "object": "v2.core.event", "type": "v1.checkout.session.completed"}),
    "no id": body_of(event(id=None)),
    "an empty id": body_of(event(id="")),
    "an endless id": body_of(event(id="e" * 256)),
    "an endless type": body_of(event(type="t" * 256)),
    "an id with a line break": body_of(event(id="evt\n1")),
    "a numeric type": body_of(event(type=7)),
    "a textual mode": body_of(event(livemode="false")),
    "a numeric mode": body_of(event(livemode=0)),
    "a truth for a time": body_of(event(created=True)),
    "a time beyond the calendar": body_of(event(created=10**18)),
    "no data": body_of(event(data=None)),
    "no object in data": body_of(event(data={"object": "cs_1"})),
}


@pytest.mark.parametrize("name", MALFORMED_BODIES)
def test_a_well_signed_body_of_the_wrong_form_is_a_refusal(name: str) -> None:
    assert_refused(MALFORMED_BODIES[name], signed(MALFORMED_BODIES[name]))


def test_an_oversized_body_is_refused_though_well_signed() -> None:
    padded = body_of(event(padding="x" * MAX_BODY_BYTES))
    assert_refused(padded, signed(padded))


def test_pitfall_32_an_unknown_type_is_taken() -> None:
    body = body_of(event({"id": "xyz_1", "object": "something.new"}, type="something.new.happened"))
    assert take(body, signed(body)).references == ("xyz_1",)


def test_a_mark_that_is_longer_than_ours_is_somebody_elses() -> None:
    marked = [body_of(event({"id": "cs_1", "metadata": {"sp_attempt": "a" * size}})) for size in (40, 41)]
    assert [take(body, signed(body)).attempt_id for body in marked] == ["a" * 40, None]


SUBJECTS: dict[str, tuple[dict[str, Any], tuple[str, ...], str | None]] = {
    "session": (
        {"id": "cs_1", "payment_intent": "pi_1", "subscription": None, "metadata": {"sp_attempt": "att_1"}},
        ("cs_1", "pi_1"),
        "att_1",
    ),
    "charge": ({"id": "ch_1", "payment_intent": "pi_1", "metadata": {}}, ("ch_1", "pi_1"), None),
    "dispute": ({"id": "dp_1", "charge": "ch_1", "payment_intent": "pi_1"}, ("dp_1", "pi_1", "ch_1"), None),
    "refund": (
        {"id": "re_1", "charge": {"id": "ch_1"}, "payment_intent": "pi_1", "metadata": {"sp_attempt": "att_1"}},
        ("re_1", "pi_1", "ch_1"),
        "att_1",
    ),
    "invoice": (
        {
            "id": "in_1",
            "parent": {"subscription_details": {"subscription": "sub_1", "metadata": {"sp_attempt": "att_1"}}},
        },
        ("in_1", "sub_1"),
        "att_1",
    ),
    "invoice payment": (
        {"id": "inpay_1", "invoice": "in_1", "payment": {"type": "payment_intent", "payment_intent": "pi_1"}},
        ("inpay_1", "in_1", "pi_1"),
        None,
    ),
    "payout": ({"id": "po_1", "balance_transaction": "txn_1"}, ("po_1",), None),
    "hostile": (
        {"id": ["x"], "payment_intent": {"id": 7}, "metadata": "sp_attempt", "parent": [], "charge": "c" * 999},
        (),
        None,
    ),
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_an_event_names_what_it_is_about(name: str) -> None:
    subject, references, attempt_id = SUBJECTS[name]
    body = body_of(event(subject))
    taken = take(body, signed(body))
    assert (taken.references, taken.attempt_id) == (references, attempt_id)


def test_an_early_fraud_warning_says_so() -> None:
    warning = event(
        {"id": "issfr_1", "charge": "ch_1", "payment_intent": "pi_1"}, type="radar.early_fraud_warning.created"
    )
    taken = take(body_of(warning), signed(body_of(warning)))
    assert (taken.is_fraud_warning, taken.references) == (True, ("issfr_1", "pi_1", "ch_1"))


def test_a_refusal_logs_its_reason_and_nothing_of_the_body(caplog: pytest.LogCaptureFixture) -> None:
    body = body_of(event({"id": "cs_1", "customer_email": "jane@example.org"}))
    assert_refused(body, signed(body, secret="whsec_wrong"))
    (record,) = caplog.records
    assert record.fields == {"reason": "no_signature_fits", "size": len(body)}  # type: ignore[attr-defined]  # our Log's


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(sorted(event())), inner, max_size=6),
    max_leaves=12,
)


@given(st.binary(max_size=200), st.text(max_size=200))
def test_whatever_comes_is_taken_or_refused(body: bytes, header: str) -> None:
    assert_refused(body, {"Stripe-Signature": header})


@given(JSON, st.sampled_from([SECRET, OLD_SECRET, LIVE_SECRET]))
def test_whatever_is_well_signed_is_taken_or_refused(value: Any, secret: str) -> None:
    for candidate in (value, event(**value) if isinstance(value, dict) else event(value and {"id": value})):
        body = body_of(candidate)
        with suppress(InvalidRequestError):
            taken = take(body, signed(body, secret=secret))
            assert all(0 < len(reference) <= 255 for reference in taken.references)
