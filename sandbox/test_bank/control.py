"""Control: what a tester does to the bank from outside, as JSON under `/_sandbox`. Stripe has nothing like it.

GET  /_sandbox                                state
POST /_sandbox/clock/advance                  {"seconds": 86400}
POST /_sandbox/faults                         {"on": "POST /v1/refunds" | "any", "kind": "timeout_after", "times": 1}
POST /_sandbox/faults/clear
POST /_sandbox/webhook_faults                 {"kind": "duplicate", "times": 2, "on": "charge.*", "seconds": 60}
POST /_sandbox/webhook_faults/clear
POST /_sandbox/webhook_endpoints              {"url": …, "secret": "whsec_…", "enabled_events": ["*"]}
POST /_sandbox/webhooks/flush                 carries out every delivery that is ready, before it answers
POST /_sandbox/events/{id}/redeliver
POST /_sandbox/disputes                       {"charge": "ch_…", "kind": "dispute" | "inquiry", "reason": "fraudulent"}
POST /_sandbox/disputes/{id}/close            {"outcome": "won" | "lost"}
POST /_sandbox/warnings                       {"charge": "ch_…"}
POST /_sandbox/refunds/{id}/fail              also /succeed
POST /_sandbox/settle_delayed                 lets every delayed bank debit settle now
POST /_sandbox/dunning                        {"outcome": "cancel" | "unpaid" | "past_due"} when the last retry fails
POST /_sandbox/payouts                        lets the automatic payouts of the day happen now
POST /_sandbox/payouts/{id}/fail              the merchant's bank sends it back
"""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

from sandbox.test_bank import standing
from sandbox.test_bank.bank import Bank
from sandbox.test_bank.clock import DAY_S
from sandbox.test_bank.errors import ApiError, missing
from sandbox.test_bank.faults import MAX_SECONDS, MAX_TIMES, Fault, FaultKind
from sandbox.test_bank.resources import balance, disputes, endpoints, payouts, refunds
from sandbox.test_bank.store import Wire
from sandbox.test_bank.webhooks import WebhookFault, WebhookFaultKind

MAX_ADVANCE_S: Final = 5 * 366 * DAY_S
"""Five years: long enough for any subscription, short enough that every renewal on the way can be lived through."""

Body = Mapping[str, Any]
_Kind = TypeVar("_Kind", bound=StrEnum)
Command = Callable[[Bank, str, Body], Wire]


def describe(bank: Bank) -> Wire:
    """Return the state of the bank."""
    with bank.lock:
        vault = bank.vault
        kinds = ("checkout.session", "payment_intent", "charge", "refund", "dispute", "customer", "payout", "event")
        described: Wire = {
            "now": vault.now(),
            "offset_s": vault.clock.offset_s,
            "seed": vault.seed,
            "api_version": vault.spec.version,
            "base_url": vault.base_url,
            "counts": {kind: vault.store.size(kind) for kind in kinds},
            "faults": bank.faults.planned(),
            "webhook_faults": bank.courier.planned_faults(),
            "webhook_endpoints": [endpoint["url"] for endpoint in vault.every("webhook_endpoint")],
            "deliveries": {"ready": bank.courier.ready(), "waiting": bank.courier.waiting(), **bank.courier.counts},
            "balance": {status: dict(balance.holdings(vault, status)) for status in ("available", "pending")},
        }
        return described


def command(bank: Bank, path: str, body: Any) -> Wire:
    """Carry out a command; `path` is what follows `/_sandbox/`.

    Raises:
        ApiError: the command is unknown or wrong; nothing was changed.
    """
    given = {} if body is None else body
    if not isinstance(given, Mapping):
        raise ApiError("Send one JSON object.")
    for pattern, carry_out in _COMMANDS.items():
        if matched := re.fullmatch(pattern, path):
            return carry_out(bank, matched.group(1) if matched.re.groups else "", given)
    raise ApiError("Unknown command; GET /_sandbox shows the state, and the README lists the commands.", status=404)


def _advance(bank: Bank, _: str, body: Body) -> Wire:
    seconds = _whole(body, "seconds", default=None, low=0, high=MAX_ADVANCE_S)
    return {"now": bank.advance(seconds)}


def _plan_fault(bank: Bank, _: str, body: Body) -> Wire:
    fault = Fault(
        on=_text(body, "on", default="any"),
        kind=_kind(FaultKind, body),
        times=_whole(body, "times", default=1, low=1, high=MAX_TIMES),
        seconds=_whole(body, "seconds", default=120, low=0, high=MAX_SECONDS),
    )
    with bank.lock:
        bank.faults.add(fault)
        return {"faults": bank.faults.planned()}


def _clear_faults(bank: Bank, _: str, __: Body) -> Wire:
    with bank.lock:
        bank.faults.clear()
    return {"faults": []}


def _plan_webhook_fault(bank: Bank, _: str, body: Body) -> Wire:
    fault = WebhookFault(
        kind=_kind(WebhookFaultKind, body),
        times=_whole(body, "times", default=1, low=1, high=MAX_TIMES),
        seconds=_whole(body, "seconds", default=60, low=0, high=MAX_ADVANCE_S),
        on=_text(body, "on", default="*"),
    )
    with bank.lock:
        bank.courier.add_fault(fault)
        return {"webhook_faults": bank.courier.planned_faults()}


def _clear_webhook_faults(bank: Bank, _: str, __: Body) -> Wire:
    with bank.lock:
        bank.courier.clear_faults()
    bank.courier.wake()
    return {"webhook_faults": []}


def _make_endpoint(bank: Bank, _: str, body: Body) -> Wire:
    events = body.get("enabled_events", ["*"])
    if not isinstance(events, list) or not all(isinstance(name, str) for name in events):
        raise ApiError("enabled_events is a list of names.", param="enabled_events")
    url, secret = _text(body, "url", default=None), _text(body, "secret", default="")
    made: Wire = bank.change(lambda vault: endpoints.make(vault, url=url, secret=secret or None, events=events))
    with bank.lock:
        return made | {"secret": endpoints.secret_of(bank.vault, made["id"])}


def _flush(bank: Bank, _: str, __: Body) -> Wire:
    bank.settle()
    return {"tries": bank.courier.carry_out(), "waiting": bank.courier.waiting()}


def _redeliver(bank: Bank, identifier: str, _: Body) -> Wire:
    made: Wire = bank.change(lambda vault: {"endpoints": bank.courier.redeliver(vault.get("event", identifier))})
    return made


def _open_dispute(bank: Bank, _: str, body: Body) -> Wire:
    charge_id, kind = _text(body, "charge", default=None), _text(body, "kind", default="dispute")
    if kind not in {"dispute", "inquiry"}:
        raise ApiError("kind is dispute or inquiry.", param="kind")
    reason = _text(body, "reason", default="fraudulent")
    made: Wire = bank.change(
        lambda vault: disputes.open_one(
            vault, vault.get("charge", charge_id, param="charge"), reason=reason, is_inquiry=kind == "inquiry"
        )
    )
    return made


def _close_dispute(bank: Bank, identifier: str, body: Body) -> Wire:
    outcome = _text(body, "outcome", default=None)
    if outcome not in {"won", "lost"}:
        raise ApiError("outcome is won or lost.", param="outcome")
    bank.change(lambda vault: disputes.close_as(vault, vault.get("dispute", identifier), is_won=outcome == "won"))
    closed: Wire = bank.change(lambda vault: vault.get("dispute", identifier))
    return closed


def _warn(bank: Bank, _: str, body: Body) -> Wire:
    charge_id = _text(body, "charge", default=None)
    made: Wire = bank.change(lambda vault: disputes.warn(vault, vault.get("charge", charge_id, param="charge")))
    return made


def _fail_refund(bank: Bank, identifier: str, _: Body) -> Wire:
    bank.change(lambda vault: refunds.fail(vault, identifier))
    failed: Wire = bank.change(lambda vault: vault.get("refund", identifier))
    return failed


def _succeed_refund(bank: Bank, identifier: str, _: Body) -> Wire:
    bank.change(lambda vault: refunds.succeed(vault, identifier))
    succeeded: Wire = bank.change(lambda vault: vault.get("refund", identifier))
    return succeeded


def _settle_delayed(bank: Bank, _: str, __: Body) -> Wire:
    made: Wire = bank.change(lambda vault: {"settled": vault.store.hasten("debit_settles", vault.now())})
    return made


def _choose_dunning(bank: Bank, _: str, body: Body) -> Wire:
    outcome = _text(body, "outcome", default=None)
    if outcome not in standing.GIVEN_UP:
        raise ApiError(f"outcome is one of {', '.join(standing.GIVEN_UP)}.", param="outcome")
    bank.change(lambda vault: standing.choose_outcome(vault, outcome))
    return {"outcome": outcome}


def _pay_out(bank: Bank, _: str, __: Body) -> Wire:
    before = bank.change(lambda vault: vault.store.size("payout"))
    bank.change(lambda vault: payouts.pay_out_day(vault, ""))
    return {"payouts": bank.change(lambda vault: vault.store.size("payout")) - before}


def _fail_payout(bank: Bank, identifier: str, _: Body) -> Wire:
    failed: Wire = bank.change(lambda vault: payouts.fail(vault, identifier))
    return failed


_COMMANDS: Final[Mapping[str, Command]] = {
    "clock/advance": _advance,
    "faults": _plan_fault,
    "faults/clear": _clear_faults,
    "webhook_faults": _plan_webhook_fault,
    "webhook_faults/clear": _clear_webhook_faults,
    "webhook_endpoints": _make_endpoint,
    "webhooks/flush": _flush,
    "events/([A-Za-z0-9_]+)/redeliver": _redeliver,
    "disputes": _open_dispute,
    "disputes/([A-Za-z0-9_]+)/close": _close_dispute,
    "warnings": _warn,
    "refunds/([A-Za-z0-9_]+)/fail": _fail_refund,
    "refunds/([A-Za-z0-9_]+)/succeed": _succeed_refund,
    "settle_delayed": _settle_delayed,
    "payouts": _pay_out,
    "payouts/([A-Za-z0-9_]+)/fail": _fail_payout,
    "dunning": _choose_dunning,
}


def _text(body: Body, name: str, *, default: str | None) -> str:
    value = body.get(name, default)
    if value is None:
        raise missing(name)
    if not isinstance(value, str):
        raise ApiError(f"{name} is a string.", param=name)
    return value


def _whole(body: Body, name: str, *, default: int | None, low: int, high: int) -> int:
    value = body.get(name, default)
    if value is None:
        raise missing(name)
    if type(value) is not int or not low <= value <= high:
        raise ApiError(f"{name} is a whole number from {low} to {high}.", param=name)
    return value


def _kind(kinds: type[_Kind], body: Body) -> _Kind:
    try:
        return kinds(_text(body, "kind", default=None))
    except ValueError:
        raise ApiError(f"kind is one of {', '.join(kinds)}.", param="kind") from None
