"""Card testing at a campaign: what is let through, what it costs, and that a donor still gets through."""

import itertools
from datetime import timedelta

from gateway.domain.giving_limits import (
    ATTACKED_FROM,
    PER_ADDRESS,
    PER_CAMPAIGN_MINUTE,
    PER_CARD,
    PER_EMAIL,
    PER_SESSION,
    Admission,
    Pressure,
    admission,
    is_proof,
)
from gateway.domain.words import SessionStatus
from gateway.engine.donations.guard import Verdict, Visitor
from gateway.engine.donations.records import CampaignRecord
from gateway.engine.records import SessionRecord
from tests.cards.stage import DECLINED
from tests.donations.stage import GivingShop

REFUSED = (DECLINED, "4000000000009995", "4000000000009987", "4000000000000069", "4000000000000127")


class Forms:
    """People at a campaign's form."""

    def __init__(self, shop: GivingShop) -> None:
        self.shop = shop
        self.campaign: CampaignRecord = shop.add_campaign()
        self._people = itertools.count()

    def ask(self, visitor: Visitor | None = None, *, is_proved: bool = False) -> Verdict:
        """Ask to be let in, as somebody new unless told otherwise."""
        number = next(self._people)
        who = visitor or Visitor(address=f"203.0.113.{number % 250}:{number}", email=f"d{number}@example.com")
        return self.shop.engine.guard.admit(self.campaign, who, lambda _bits: is_proved)

    def begin(self, visitor: Visitor | None = None, *, is_proved: bool = False) -> SessionRecord | None:
        """Fill in the form; return the session, or None if one is not let in."""
        verdict = self.ask(visitor, is_proved=is_proved)
        if verdict.admission is not Admission.ADMITTED:
            return None
        session = self.shop.give(self.campaign, "1")
        self.shop.engine.guard.begun(verdict, session)
        return session

    def refused(self, session: SessionRecord, times: int = 1, *, card: str = DECLINED) -> int:
        """Try a card that the bank refuses, until the page is closed; return how often it was tried."""
        page = self.shop.shop.start(session)
        for tried in range(times):
            if self.shop.shop.bank.checkout_session(page)["status"] != "open":
                return tried
            self.shop.shop.pay_at_bank(page, card)
            self.shop.shop.catch_up()
        return times

    def reason(self) -> str:
        """Return why the newest form was stopped."""
        return str(self.shop.engine.guard.blocked(self.shop.owner)[0]["reason"])

    def under_attack(self) -> None:
        """Let ten refusals happen, in sessions of ten people."""
        for _ in range(ATTACKED_FROM):
            session = self.begin()
            assert session is not None
            self.refused(session)


def test_the_fifth_refusal_closes_a_session_for_good(shop: GivingShop) -> None:
    forms = Forms(shop)
    session = forms.begin()
    assert session is not None
    tried = 0
    for card in (*REFUSED, *REFUSED):
        tried += forms.refused(shop.shop.reload(session.token), card=card) if tried < PER_SESSION else 0
    assert tried == PER_SESSION
    assert shop.shop.reload(session.token).status is SessionStatus.EXPIRED
    assert len([one for one in shop.shop.at_bank("charge") if one["status"] == "failed"]) == PER_SESSION


def test_news_that_come_twice_count_once(shop: GivingShop) -> None:
    forms = Forms(shop)
    session = forms.begin()
    assert session is not None
    page = shop.shop.start(session)
    for card in REFUSED[: PER_SESSION - 1]:
        shop.shop.pay_at_bank(page, card)
    news = shop.shop.post_from_bank()
    for _ in range(3):
        shop.shop.deliver(news)
    assert shop.shop.reload(session.token).status is SessionStatus.OPEN
    shop.shop.pay_at_bank(page)
    shop.shop.catch_up()
    assert shop.owed() == 100, "four mistakes, and then the right card"


def test_a_card_that_was_refused_all_around_closes_a_page_at_once(shop: GivingShop) -> None:
    forms = Forms(shop)
    for _ in range(PER_CARD - 1):
        session = forms.begin()
        assert session is not None
        forms.refused(session)
        assert shop.shop.reload(session.token).status is SessionStatus.OPEN
    session = forms.begin()
    assert session is not None
    forms.refused(session)
    assert shop.shop.reload(session.token).status is SessionStatus.EXPIRED


def test_one_address_and_one_mail_begin_only_so_many_gifts(shop: GivingShop) -> None:
    forms = Forms(shop)
    same = Visitor(address="198.51.100.7")
    assert [forms.ask(same).admission for _ in range(PER_ADDRESS)] == [Admission.ADMITTED] * PER_ADDRESS
    assert forms.ask(same).admission is Admission.TOO_OFTEN
    mails = [Visitor(address=f"198.51.100.{n}", email=" Jo@Example.com"[n % 2 :]) for n in range(10, 10 + PER_EMAIL)]
    assert {forms.ask(one).admission for one in mails} == {Admission.ADMITTED}
    assert forms.ask(Visitor(email="jo@example.com")).admission is Admission.TOO_OFTEN
    assert forms.reason() == "too_often"
    shop.shop.clock.advance(timedelta(hours=1, seconds=1))
    assert forms.ask(same).admission is Admission.ADMITTED


def test_under_attack_a_gift_costs_a_proof_and_one_refusal_closes_its_page(shop: GivingShop) -> None:
    forms = Forms(shop)
    forms.under_attack()
    verdict = forms.ask()
    assert (verdict.admission, verdict.bits) == (Admission.PROOF_NEEDED, 14)
    session = forms.begin(is_proved=True)
    assert session is not None
    assert forms.refused(session, 3) == 1
    assert shop.shop.reload(session.token).status is SessionStatus.EXPIRED
    donor = forms.begin(is_proved=True)
    assert donor is not None
    shop.pay(donor)
    assert shop.owed() == 100, "a donor who does the work gets through"
    shop.shop.clock.advance(timedelta(minutes=5, seconds=1))
    assert forms.ask().admission is Admission.ADMITTED, "when it is over, nobody is asked for anything"


def test_even_proofs_buy_only_so_many_refusals_a_minute(shop: GivingShop) -> None:
    forms = Forms(shop)
    forms.under_attack()
    refused = ATTACKED_FROM
    for _ in range(3 * PER_CAMPAIGN_MINUTE):
        session = forms.begin(is_proved=True)
        if session is None:
            break
        refused += forms.refused(session, 3)
    assert refused == PER_CAMPAIGN_MINUTE
    assert forms.reason() == "paused"
    shop.shop.clock.advance(timedelta(minutes=1, seconds=1))
    assert forms.begin(is_proved=True) is not None


def test_pages_that_were_opened_before_the_attack_close_before_they_are_tried(shop: GivingShop) -> None:
    forms = Forms(shop)
    waiting = [forms.begin() for _ in range(12)]
    pages = [shop.shop.start(one) for one in waiting if one is not None]
    forms.under_attack()
    for _ in range(5):
        session = forms.begin(is_proved=True)
        assert session is not None
        forms.refused(session)
    assert {shop.shop.reload(one.token).status for one in waiting if one is not None} == {SessionStatus.EXPIRED}
    assert {shop.shop.bank.checkout_session(page)["status"] for page in pages} == {"expired"}


def test_what_staff_see_of_it_names_no_person(shop: GivingShop) -> None:
    forms = Forms(shop)
    for _ in range(PER_ADDRESS + 1):
        forms.ask(Visitor(address="198.51.100.7", email=None))
    (blocked,) = shop.engine.guard.blocked(shop.owner)
    assert set(blocked) == {"id", "campaign_id", "kind", "reason", "occurred_at"}
    assert "198.51" not in repr(blocked)


def test_orders_of_a_shop_are_not_guarded(shop: GivingShop) -> None:
    session = shop.shop.open("12.30")
    page = shop.shop.start(session)
    for card in (*REFUSED, *REFUSED):
        shop.shop.pay_at_bank(page, card)
    shop.shop.catch_up()
    assert shop.shop.reload(session.token).status is SessionStatus.OPEN


def test_a_proof_is_work_that_anybody_can_check() -> None:
    bits = 12
    answer = next(str(n) for n in itertools.count() if is_proof("challenge", str(n), bits))
    assert not is_proof("another challenge", answer, bits)
    assert not is_proof("challenge", answer, 30)
    assert not is_proof("challenge", "0" * 33, 0)
    assert not is_proof("challenge", "\u0663", 0)


def test_without_an_attack_nobody_proves_anything() -> None:
    assert admission(Pressure(refused_lately=ATTACKED_FROM - 1), is_proved=False) is Admission.ADMITTED
    assert admission(Pressure(refused_lately=ATTACKED_FROM), is_proved=False) is Admission.PROOF_NEEDED
