"""The fake's payouts: what the card provider sends to the bank, and which bookings it consists of."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from streampay.models import Payout
from streampay.testing._gate import OK, Call, Wire
from streampay.testing._rules import figure, major, taken
from streampay.testing._state import State, read

FEE_PER_MILLE, FEE_FIXED, DISPUTE_FEE = 29, 30, 1_500  # in the smallest unit, as the gateway's Test Bank takes them
MAX_LINES = 1_000


class Payouts(State):
    """Payouts, and the report of each."""

    def __init__(self, api_key: str | None, requests_per_minute: int) -> None:
        super().__init__(api_key, requests_per_minute)
        self._booked: dict[str, int] = {}  # what was sent of each charge, refund and dispute, in atomic units
        self._lines: dict[str, list[Wire]] = {}

    def pay_out(self) -> tuple[Payout, ...]:
        """Let the provider send all that was paid by card, less refunds, disputes and fees: a payout a currency."""
        with self._lock:
            lines: dict[str, list[Wire]] = {}
            for code, line in self._bookings():
                lines.setdefault(code, []).append(line)
            return tuple(read(Payout, self._sent(code, found)) for code, found in sorted(lines.items()))

    def _bookings(self) -> Iterator[tuple[str, Wire]]:
        """Yield currency and line of each booking that no payout has sent yet."""
        for payment in self._objects["pay"].values():
            for charge in payment["charges"]:
                taken_now = self._news_of(charge["id"], figure(charge["amount_captured"]))
                if taken_now:
                    fee = (taken_now * FEE_PER_MILLE + 500) // 1_000 + FEE_FIXED
                    yield charge["currency"], _line("charge", charge, payment["id"], taken_now, fee)
        for refund in self._objects["re"].values():
            if refund["source"].startswith("ch_"):
                went = figure(refund["amount"]) if refund["status"] in {"pending", "succeeded"} else 0
                number = -self._news_of(refund["id"], went)
                if number:
                    kind = "refund" if number < 0 else "refund_failure"
                    yield refund["currency"], _line(kind, refund, refund["payment"], number, 0)
        for dispute in self._objects["dsp"].values():
            for name, sign, fee in (("amount_withdrawn", -1, DISPUTE_FEE), ("amount_reinstated", 1, 0)):
                number = sign * self._news_of(f"{dispute['id']}/{name}", figure(dispute[name]))
                if number:
                    yield dispute["currency"], _line("adjustment", dispute, dispute["payment"], number, fee)

    def _news_of(self, name: str, number: int) -> int:
        """Return by how much a figure has grown since it was booked, and book it."""
        before = self._booked.get(name, 0)
        self._booked[name] = number
        return number - before

    def _sent(self, code: str, lines: list[Wire]) -> Wire:
        amount = major(sum(line["net"] for line in lines), code)
        times = dict.fromkeys(("arrives_on", "settled_at"), self._stamp())
        reference = f"po_test_{secrets.token_hex(8)}"
        payout = self._made("po", "Payout", amount=amount, currency=code, provider_reference=reference, **times)
        self._lines[payout["id"]] = sorted(lines, key=lambda line: (line["created_at"], line["provider_reference"]))
        self._tell("payout.settled", payout)
        return payout

    def _settlement(self, payout_id: str, sent: Wire) -> Call:
        taken(sent, {})
        payout, lines = self._own("po", payout_id), self._lines[payout_id]
        code = payout["currency"]
        kinds = sorted({line["type"] for line in lines})
        totals = [_total(kind, [line for line in lines if line["type"] == kind], code) for kind in kinds]
        shown = [{**line, **_shown(line, code)} for line in lines[:MAX_LINES]]
        head = {"object": "settlement", "payout": payout, "currency": code, "gap": major(0, code)}
        return OK, {**head, "totals": totals, "lines": shown, "line_count": len(lines)}


def _line(kind: str, about: Wire, payment_id: str, number: int, fee: int) -> Wire:
    """Return a booking, in atomic units."""
    reference = f"txn_{secrets.token_hex(12)}"
    booked_at = about.get("created_at") or about["authorized_at"]
    named = {"provider_reference": reference, "type": kind, "payment": payment_id, "created_at": booked_at}
    return {**named, "amount": number, "fee": fee, "net": number - fee}


def _shown(sums: Wire, code: str) -> Wire:
    return {name: major(sums[name], code) for name in ("amount", "fee", "net")}


def _total(kind: str, lines: list[Wire], code: str) -> Wire:
    sums = {name: sum(line[name] for line in lines) for name in ("amount", "fee", "net")}
    return {"type": kind, "count": len(lines), **_shown(sums, code)}
