"""The fake's memory and state machine: facts are kept, and everything that is shown or told follows from them."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from streampay._version import API_VERSION
from streampay.errors import ConfigurationError
from streampay.models import M, Payment, decode
from streampay.testing._events import SampleEvent, catalogue, new_id, rfc3339, sample
from streampay.testing._gate import Gate, Wire
from streampay.testing._rules import CONFLICT, Refusal, atomic, exponent, figure, major

LATE_GRACE = timedelta(seconds=60)
UNDER_WAY = ("pending", "requires_action")
_CHAIN = "solana:localnet"
_PAYER = "7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv"
_BY_STATUS = {
    "requires_action": "requires_action",
    "processing": "processing",
    "authorized": "authorized",
    "underpaid": "partially_paid",
    "paid": "succeeded",
    "canceled": "canceled",
}
_BY_EXCEPTION = {"overpaid": "overpaid", "late": "late", "early_fraud_warning": "fraud_warning"}
_NEWS = ("status", "exceptions", "amount_received", "amount_capturable", "amount_refunded", "refunds", "dispute")


Place = tuple[object, ...]


@dataclass(slots=True)
class Hidden:
    """What the wire does not show of a payment; `place` is its order's natural key."""

    session: Wire
    place: Place
    has_begun: bool = False  # a subscription, for which this payment is due later
    is_closed: bool = False
    is_canceled: bool = False
    is_warned: bool = False


class State(Gate):
    """What the gateway knows, and what follows from it."""

    def __init__(self, api_key: str | None, requests_per_minute: int) -> None:
        super().__init__(api_key, requests_per_minute)
        self._ahead = timedelta()
        self._hidden: dict[str, Hidden] = {}
        self._open: dict[Place, Wire] = {}
        self._events: list[SampleEvent] = []
        self._sequences: dict[str, int] = {}

    @property
    def now(self) -> datetime:
        """The gateway's time."""
        return datetime.now(timezone.utc) + self._ahead

    def _stamp(self, later_s: float = 0) -> str:
        return rfc3339(self.now + timedelta(seconds=later_s))

    def _made(self, prefix: str, name: str, /, **fields: object) -> Wire:
        """Return a new object of a kind, and keep it where the API has a list of such objects."""
        made: Wire = {**copy.deepcopy(catalogue()["objects"][name]), "id": new_id(prefix, self.now.timestamp())}
        made |= {each: self._stamp() for each in ("created_at", "updated_at") if each in made} | fields
        if prefix in self._objects:
            self._objects[prefix][made["id"]] = made
        return made

    def _of(self, prefix: str, field: str, value: object) -> list[Wire]:
        return [one for one in self._objects[prefix].values() if one[field] == value]

    def _payment(self, about: object) -> Wire:
        """Return the payment of whatever names it: an id or object of a session or payment."""
        name = name_of(about)
        found = self._objects["pay"].get(self._objects["cs"].get(name, {}).get("payment", name))
        if found is None:
            raise ConfigurationError(f"this gateway has no session or payment {name!r}", code="not_found")
        return found

    # --- facts -----------------------------------------------------------------------------------------------------

    def _by_card(self, about: object, status: str, failure: str | None = None) -> Payment:
        """Let a card do something on the session's page; `succeeded` only holds where the merchant captures by hand."""
        with self._lock:
            payment = self._payment(about)
            session, due = self._hidden[payment["id"]].session, figure(payment["amount"])
            if session["status"] != "open":
                raise ConfigurationError("the session is over: nobody can pay on its page", code="session_not_open")
            if session["mode"] == "subscription":  # its page charges nothing before somebody has subscribed
                return read(Payment, self._on_page(payment, status))
            is_held = status == "succeeded" and session["capture_method"] == "manual"
            charge = self._charge(payment)
            charge["failure_code"] = failure
            if status in {"succeeded", "processing"}:
                charge["authorized_at"] = charge["authorized_at"] or self._stamp()
                payment["attempts"][-1]["stage"] = "complete"
            taken = due if status == "succeeded" and not is_held else 0
            self._set_charge(charge, "authorized" if is_held else status, taken, due if is_held else 0)
            return read(Payment, self._refresh(payment))

    def _on_page(self, payment: Wire, status: str) -> Wire:
        if status != "open":
            raise ConfigurationError("a subscription begins by `subscribe`", code="mode_wrong")
        if not payment["attempts"]:
            self._attempt(payment, payment["amount"], payment["currency"])
        return payment

    def _charge(self, payment: Wire) -> Wire:
        """Return the charge of the page that stands open, after opening one if need be."""
        if not payment["charges"] or payment["charges"][-1]["status"] == "failed":
            return self._charged(payment, self._attempt(payment, payment["amount"], payment["currency"]))
        found: Wire = payment["charges"][-1]
        return found

    def _charged(self, payment: Wire, attempt: Wire) -> Wire:
        """Return a new charge of an attempt."""
        shared = {"attempt": attempt["id"], "amount": payment["amount"], "currency": payment["currency"]}
        reference = f"pi_{secrets.token_hex(12)}"
        charge = self._made("ch", "Charge", **shared, reference=reference, authorized_at=None)
        payment["charges"].append(charge)
        return charge

    def _set_charge(self, charge: Wire, status: str, taken: int, held: int) -> None:
        shown = {
            "amount_captured": major(taken, charge["currency"]),
            "amount_capturable": major(held, charge["currency"]),
        }
        until = (charge["capture_before"] or self._stamp(7 * 86_400)) if held else None
        charge |= {**shown, "status": status, "capture_before": until}

    def _attempt(self, payment: Wire, amount: str, code: str, **fields: object) -> Wire:
        shared = {"amount": amount, "currency": code, "expires_at": payment["expires_at"], "stage": "open"}
        reference = f"cs_test_{secrets.token_hex(12)}"
        attempt = self._made("att", "Attempt", **{**shared, "provider_reference": reference, **fields})
        payment["attempts"].append(attempt)
        return attempt

    def _over_chain(self, about: object, amount: str) -> Payment:
        """Let a wallet send `amount` of the price, in the coin that it is in, or else in USDC at par."""
        with self._lock:
            payment = self._payment(about)
            price_code, shown = payment["currency"], payment["amount"]
            code = price_code if exponent(price_code) >= exponent("USDC") else "USDC"
            scale = int(10 ** (exponent(code) - exponent(price_code)))
            number = asked(amount, price_code) * scale
            if not any(one["network"] == _CHAIN for one in payment["attempts"]):
                wallet = {"processor": "solana", "network": _CHAIN, "method": code.lower(), "stage": None}
                wallet |= {
                    "receiving_address": _PAYER,
                    "reference_key": secrets.token_hex(16),
                    "provider_reference": None,
                }
                self._attempt(payment, major(figure(shown) * scale, code), code, **wallet)
            about_it: Wire = {"network": _CHAIN, "signature": secrets.token_hex(32), "occurred_at": self._stamp()}
            about_it |= {"currency": code, "amount": major(number, code), "slot": 1 + len(payment["transfers"])}
            transfer = self._made("xfer", "ChainTransfer", **about_it)
            hidden = ("object", "livemode", "status", "reason", "memo", "payment", "suggestions")
            payment["transfers"].append({name: transfer[name] for name in transfer if name not in hidden})
            return read(Payment, self._refresh(payment, has_moved=True))

    def _draft(self, payment: Wire, source: Wire, number: int, **fields: object) -> Wire:
        """Set a refund aside; what came over a chain waits for the merchant's wallet."""
        about: Wire = {"payment": payment["id"], "source": source["id"], "provider_reference": None}
        about |= {"amount": major(number, source["currency"]), "currency": source["currency"]}
        about["gift_amount"] = major(0, source["currency"])
        if source in payment["transfers"]:
            about |= {"status": "requires_action", "network": _CHAIN, "destination": source["payer"]}
        return self._made("re", "Refund", **{**about, **{name: one for name, one in fields.items() if one is not None}})

    def _move_refund(self, refund: Wire, status: str, failure: str | None = None) -> None:
        """Bring a refund to a status, and tell."""
        refund["provider_reference"] = refund["provider_reference"] or f"re_{secrets.token_hex(12)}"
        if refund["status"] != status:
            refund |= {"status": status, "failure_code": failure, "updated_at": self._stamp()}
            if status not in UNDER_WAY:
                self._tell(f"refund.{status}", refund)

    def _left(self, source: Wire) -> int:
        """Return what may still go back of a receipt: what came, less what went, is on its way, or is contested."""
        refunds = [one for one in self._of("re", "source", source["id"]) if one["status"] in {*UNDER_WAY, "succeeded"}]
        disputes = self._of("dsp", "charge", source["id"])
        held = sum(figure(one["amount_withdrawn"]) - figure(one["amount_reinstated"]) for one in disputes)
        return max(0, received(source) - sum(figure(one["amount"]) for one in refunds) - held)

    def _close(self, payment: Wire) -> None:
        """End the time to pay."""
        hidden = self._hidden[payment["id"]]
        is_waiting = payment["status"] in {"open", "requires_action", "underpaid"} and not hidden.has_begun
        if is_waiting and not hidden.is_closed:
            hidden.is_closed = True
            self._shut(payment)
            self._refresh(payment)

    def _shut(self, payment: Wire) -> None:
        """Close the page on which nobody has paid."""
        for attempt in payment["attempts"]:
            attempt["stage"] = "expired" if attempt["stage"] == "open" else attempt["stage"]
        for charge in payment["charges"]:
            charge["status"] = "canceled" if charge["status"] in {"open", "requires_action"} else charge["status"]

    def _before(self) -> None:
        horizon = self._stamp(-LATE_GRACE.total_seconds())
        for place, session in list(self._open.items()):
            if session["expires_at"] < horizon and session["payment"] is None:
                self._turn(session, "expired", place)
            elif session["expires_at"] < horizon:
                self._close(self._objects["pay"][session["payment"]])

    def _held(self, payment_id: str) -> tuple[Wire, Wire]:
        payment = self._own("pay", payment_id)
        held = [one for one in payment["charges"] if one["status"] == "authorized"]
        if payment["status"] != "authorized" or not held:
            detail = "This payment holds no money that could be captured or released."
            raise Refusal("nothing_held", detail, status=CONFLICT, about=payment_id)
        return payment, held[-1]

    # --- what follows ----------------------------------------------------------------------------------------------

    def _refresh(self, payment: Wire, *, has_moved: bool = False) -> Wire:
        """Derive a payment and its session from the facts; count the change and tell it."""
        hidden = self._hidden[payment["id"]]
        session, before, after = hidden.session, {name: payment[name] for name in _NEWS}, self._derived(payment, hidden)
        was, status = session["status"], _session_status(after["status"], hidden)
        if after == before and not has_moved and status == was:
            return payment
        payment |= {**after, "version": payment["version"] + 1}
        payment["paid_at"] = (payment["paid_at"] or self._stamp()) if after["status"] == "paid" else None
        previous = {name: before[name] for name in _NEWS if before[name] != after[name]}
        for kind in _news(before, after):
            self._tell(f"payment.{kind}", payment, previous)
        session["payment_status"] = after["status"]
        self._turn(session, status, hidden.place, payment["paid_at"])
        return payment

    def _turn(self, session: Wire, status: str, place: Place, paid_at: str | None = None) -> None:
        """Bring a session to a status, and tell."""
        was = session["status"]
        if status == was:
            return
        is_complete = status == "complete"
        session |= {"status": status, "completed_at": (paid_at or self._stamp()) if is_complete else None}
        if self._open.get(place) is session:
            del self._open[place]
        self._tell(f"checkout.session.{'completed' if is_complete else status}", session, {"status": was})

    def _derived(self, payment: Wire, hidden: Hidden) -> Wire:
        code, due, charges = payment["currency"], figure(payment["amount"]), payment["charges"]
        # Coins have more decimals than prices: what is credited is rounded down.
        scales = {one["id"]: 10 ** (exponent(one["currency"]) - exponent(code)) for one in _receipts(payment)}
        receipts = [received(one) // scales[one["id"]] for one in _receipts(payment)]
        total, held = sum(receipts), sum(figure(one["amount_capturable"]) for one in charges)
        refunds = self._of("re", "payment", payment["id"])
        back = sum(figure(one["amount"]) for one in refunds if (one["status"], one["currency"]) == ("succeeded", code))
        exceptions = {
            "early_fraud_warning": hidden.is_warned,
            "overpaid": total > due,
            "double_payment": sum(one >= due for one in receipts) > 1,
            "late": any(one["occurred_at"] > payment["expires_at"] for one in payment["transfers"]),
        }
        return {
            "status": _status(total, due, held, charges, hidden),
            "exceptions": sorted(name for name, is_so in exceptions.items() if is_so),
            "amount_received": major(total, code),
            "amount_capturable": major(held, code),
            "amount_refunded": major(back, code),
            "refunds": _refunds_word(payment, refunds),
            "dispute": _dispute_word({one["status"] for one in self._of("dsp", "payment", payment["id"])}),
        }

    def _tell(self, kind: str, about: Wire, previous: Wire | None = None) -> SampleEvent:
        """Append an event with the object as it stands."""
        sequence = self._sequences[about["id"]] = self._sequences.get(about["id"], 0) + 1
        wire = {
            "id": new_id("evt", self.now.timestamp()),
            "object": "event",
            "type": kind,
            "timestamp": self._stamp(),
            "api_version": API_VERSION,
            "livemode": False,
            "sequence": sequence,
            "data": {"object": copy.deepcopy(about), "previous": previous},
        }
        self._events.append(sample(wire))
        return self._events[-1]


def received(source: Wire) -> int:
    """Return what settled of a charge or chain transfer, in atomic units."""
    return figure(source.get("amount_captured", source["amount"]))


def asked(amount: object, code: str) -> int:
    """Read an amount whose currency only the verb knows."""
    try:
        return atomic(amount, code)
    except Refusal as refusal:
        raise Refusal(refusal.code, refusal.detail, param="/amount") from None


def read(kind: type[M], wire: Wire) -> M:
    """Return a copy of what is shown, as the SDK's object."""
    return decode(kind, copy.deepcopy(wire))


def name_of(about: object) -> str:
    """Return the id of an object, or the id itself."""
    return about if isinstance(about, str) else str(getattr(about, "id", ""))


def _receipts(payment: Wire) -> list[Wire]:
    return [one for one in (*payment["charges"], *payment["transfers"]) if received(one)]


def _status(total: int, due: int, held: int, charges: list[Wire], hidden: Hidden) -> str:
    """Return where a payment stands: the first word that fits."""
    states = {one["status"] for one in charges}
    is_part_taken = any(0 < figure(one["amount_captured"]) < figure(one["amount"]) for one in charges)
    words = {
        "paid": total >= due or (is_part_taken and not held),
        "authorized": held,
        "processing": "processing" in states,
        "underpaid": total,
        "canceled": hidden.is_canceled or ("canceled" in states and not hidden.is_closed),
        "expired": hidden.is_closed,
        "requires_action": "requires_action" in states,
    }
    return next((word for word, fits in words.items() if fits), "open")


def _session_status(status: str, hidden: Hidden) -> str:
    if status in {"paid", "authorized"} or hidden.has_begun:
        return "complete"
    return "expired" if hidden.is_closed or hidden.is_canceled or status == "canceled" else "open"


def _refunds_word(payment: Wire, refunds: list[Wire]) -> str:
    words = {one["status"] for one in refunds}
    if "succeeded" in words:
        given = [(one["source"], figure(one["amount"])) for one in refunds if one["status"] == "succeeded"]
        gone = {one["id"]: sum(figures for name, figures in given if name == one["id"]) for one in _receipts(payment)}
        return "full" if all(gone[one["id"]] >= received(one) for one in _receipts(payment)) else "partial"
    return "pending" if words & set(UNDER_WAY) else "failed" if "failed" in words else "none"


def _dispute_word(words: set[str]) -> str:
    if words & {"needs_response", "under_review"}:
        return "open"
    return next((word for word in ("lost", "inquiry", "won") if word in words), "none")


def _news(before: Wire, after: Wire) -> Iterator[str]:
    """Yield which events a change of a payment is worth, in order."""
    was, now = before["status"], after["status"]
    if was == "paid" != now:
        yield "reversed"
    if (was, now) == ("processing", "open"):
        yield "failed"
    if was == "authorized" and figure(after["amount_received"]) > figure(before["amount_received"]):
        yield "captured"
    if was != now and now in _BY_STATUS:
        yield _BY_STATUS[now]
    for exception in [*after["exceptions"]]:
        if exception in _BY_EXCEPTION and exception not in before["exceptions"]:
            yield _BY_EXCEPTION[exception]
    is_more = figure(after["amount_refunded"]) > figure(before["amount_refunded"])
    if is_more or (before["refunds"] != after["refunds"] and after["refunds"] in {"partial", "full"}):
        yield "refunded"
