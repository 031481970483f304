"""Payouts: every line is booked, clearing comes back to zero, and what does not is a case."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Row, select, update

from gateway.domain.words import PaymentStatus
from gateway.kernel.money import Money
from gateway.reporting.reconciliation import CaseKind, cases
from gateway.reporting.settlements import Settlements
from gateway.storage import schema
from hosted_checkout import cli
from hosted_checkout.app import create_app
from hosted_checkout.doctor import examine
from tests.cards.stage import DISPUTED, REFUND_FAILS, CardShop, settings_of

CLEARING = "psp:stripe:clearing"


def pay_out(shop: CardShop) -> None:
    shop.pass_time(timedelta(days=9))
    shop.control("payouts")
    shop.catch_up()
    shop.engine.payouts.settle()


def payout_ids(shop: CardShop) -> list[str]:
    table = schema.payout
    return shop.db.read(lambda tx: list(tx.scalars(select(table.c.id).order_by(table.c.created_at))))


def test_clearing_comes_back_to_zero_once_the_money_is_at_the_bank(shop: CardShop) -> None:
    """Pitfalls 24 and 25: fees are known late, and only a reconciled automatic payout lists its lines."""
    whole, part = shop.buy("100.00"), shop.buy("20.00")
    shop.refund(part, "5.00")
    assert shop.posted(CLEARING) == 11_500 - shop.posted("expense:psp_fee")
    pay_out(shop)
    assert shop.posted(CLEARING) == 0
    assert shop.posted("psp:stripe:paid_out") == 11_500 - shop.posted("expense:psp_fee")
    assert shop.posted("expense:psp_fee") == (290 + 30) + (58 + 30)
    assert shop.posted("merchant:available") == -11_500, "what he earned is not what he was paid"
    assert shop.payment(whole).status is PaymentStatus.PAID
    shop.engine.payouts.settle()
    shop.check()


def test_the_settlement_report_adds_up_to_the_payout(shop: CardShop) -> None:
    session = shop.buy("100.00")
    shop.refund(session, "40.00")
    pay_out(shop)
    reports = [Settlements(shop.db).report(one) for one in payout_ids(shop)]
    mine = next(one for one in reports if any(line.payment_id == session.payment_id for line in one.lines))
    assert not mine.gap
    charge, refund = sorted(mine.totals, key=lambda one: one.amount, reverse=True)
    assert (charge.amount.major, charge.fee.major, charge.net.major) == ("100.00", "3.20", "96.80")
    assert (refund.amount.major, refund.fee.major) == ("-40.00", "0.00")


def test_what_no_payout_explains_becomes_a_case(shop: CardShop) -> None:
    session = shop.buy()
    later = shop.clock.now() + timedelta(days=11)
    mine = [one for one in cases(shop.db, later) if one.subject == session.payment_id]
    assert [one.kind for one in mine] == [CaseKind.CLEARING_OPEN]
    assert mine[0].amount is not None
    pay_out(shop)
    assert [
        one for one in cases(shop.db, shop.clock.now() + timedelta(days=11)) if one.subject == session.payment_id
    ] == []


def test_a_disputed_payment_clears_as_well(shop: CardShop) -> None:
    shop.buy("100.00")  # else the bank would have nothing to pay out
    shop.buy("50.00", number=DISPUTED)
    shop.catch_up()
    (dispute,) = shop.bank.newest("dispute", limit=1)
    shop.control(f"disputes/{dispute['id']}/close", outcome="lost")
    shop.catch_up()
    pay_out(shop)
    assert shop.posted(CLEARING) == 0
    assert shop.posted("dispute:reserve") == 0


def test_lines_that_do_not_add_up_are_a_case(shop: CardShop) -> None:
    shop.buy()
    pay_out(shop)
    table, newest = schema.payout, payout_ids(shop)[-1]
    shop.db.write(lambda tx: tx.execute(update(table).where(table.c.id == newest).values(amount=1)))
    found = [one for one in cases(shop.db, shop.clock.now()) if one.subject == newest]
    assert [one.kind for one in found] == [CaseKind.PAYOUT_GAP]


def test_a_payout_that_the_bank_sends_back_is_a_case_until_its_money_comes_again(shop: CardShop) -> None:
    shop.buy("100.00")
    pay_out(shop)
    (at_bank,) = shop.bank.newest("payout", limit=1)
    newest = payout_row(shop, at_bank["id"])
    assert failed_payouts(shop, newest.id) == []
    shop.control(f"payouts/{newest.reference}/fail")
    shop.catch_up()
    shop.engine.payouts.settle()
    assert payout_row(shop, newest.reference).status == "failed"
    assert failed_payouts(shop, newest.id) == [Money(newest.amount, newest.currency)]
    pay_out(shop)
    assert failed_payouts(shop, newest.id) == []
    assert shop.posted(CLEARING) == 0
    shop.check()


def test_a_payout_tells_what_no_webhook_told(shop: CardShop) -> None:
    """A refund that fails weeks later, and a dispute, leave lines in the next payout: what they are about is read."""
    shop.buy("500.00")  # else the bank would have nothing to pay out
    failing, disputed = shop.buy(number=REFUND_FAILS), shop.buy("50.00")
    pay_out(shop)
    refund = shop.refund(failing)
    shop.buy("500.00")
    shop.control(f"refunds/{refund['provider_reference']}/fail")
    (charge,) = [one for one in shop.bank.newest("charge", limit=10) if one["amount"] == 5_000]
    shop.control("disputes", charge=charge["id"])
    for _ in range(2):  # until the lines are available, and until they are paid out
        shop.pass_time(timedelta(days=9))
        shop.control("payouts")
    shop.pass_time(timedelta(days=1))
    shop.post_from_bank()  # and nobody hears it
    assert shop.engine.refunds.retrieve(shop.owner, refund["id"])["status"] == "succeeded"
    shop.engine.payouts.settle()
    assert shop.engine.refunds.retrieve(shop.owner, refund["id"])["status"] == "failed"
    assert shop.shown(disputed)["dispute"] != "none"
    assert shop.posted(CLEARING) == 0
    shop.check()


def payout_row(shop: CardShop, reference: str) -> Row[Any]:
    query = select(schema.payout).where(schema.payout.c.reference == reference)
    return shop.db.read(lambda tx: tx.execute(query).one())


def failed_payouts(shop: CardShop, payout_id: str) -> list[Money | None]:
    found = cases(shop.db, shop.clock.now())
    return [one.amount for one in found if (one.kind, one.subject) == (CaseKind.PAYOUT_FAILED, payout_id)]


def test_the_command_lists_cases_and_says_when_there_are_none(
    shop: CardShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in settings_of(shop.url, shop.bank_url).items():
        monkeypatch.setenv(name, value)
    session = shop.buy()
    paid_at = shop.clock.now() - timedelta(days=30)
    own = schema.payment.c.id == session.payment_id
    shop.db.write(lambda tx: tx.execute(update(schema.payment).where(own).values(paid_at=paid_at)))
    assert cli.main(["reconcile"]) == 1
    said = capsys.readouterr().out
    assert f"clearing_open  {session.payment_id}" in said
    assert "no payout explains it" in said


def test_the_doctor_looks_at_the_card_provider(shop: CardShop) -> None:
    """Pitfall 3: an endpoint that is not told everything leaves money unnoticed."""
    found = {one.subject: one for one in examine(shop.house) if one.subject.startswith("stripe test")}
    assert found
    assert not all(one.is_ok for one in found.values()), "nobody has made an endpoint at this bank"
    url = f"{shop.house.settings.base_url}/inbound/stripe"
    shop.control("webhook_endpoints", url=url, secret="whsec_other", enabled_events=["*"])
    found = {one.subject: one for one in examine(shop.house) if one.subject.startswith("stripe test")}
    assert all(one.is_ok for one in found.values()), found


def test_a_payout_is_listed_and_reported_by_the_api_and_as_csv(
    shop: CardShop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = shop.engine.merchants.first()
    assert first is not None
    session = shop.buy("100.00")
    pay_out(shop)
    key = shop.engine.merchants.create_key(first.id, livemode=False)
    http = create_app(shop.house).test_client()
    head = {"Authorization": f"Bearer {key}"}
    at_this_bank = {one["id"] for one in shop.bank.newest("payout", limit=100)}
    listed = http.get("/v1/payouts?limit=100", headers=head).get_json()["data"]
    newest = next(one for one in listed if one["provider_reference"] in at_this_bank)
    assert newest["settled_at"] is not None
    assert http.get(f"/v1/payouts/{newest['id']}", headers=head).get_json() == newest
    report = http.get(f"/v1/payouts/{newest['id']}/settlement", headers=head).get_json()
    assert (report["payout"], report["gap"], report["line_count"]) == (newest, "0.00", len(report["lines"]))
    (line,) = [one for one in report["lines"] if one["payment"] == session.payment_id]
    assert (line["amount"], line["fee"], line["net"]) == ("100.00", "3.20", "96.80")
    for name, value in settings_of(shop.url, shop.bank_url).items():
        monkeypatch.setenv(name, value)
    assert cli.main(["settlement", newest["id"]]) == 0
    said = capsys.readouterr()
    assert f",{session.payment_id},100.00,3.20,96.80,USD," in said.out
    assert "fee 3.20 USD, net 96.80 USD" in said.err
    assert cli.main(["settlement", "po_none"]) == 1
