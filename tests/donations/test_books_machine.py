"""Orders, campaigns, refunds, disputes, payouts in any order: each charity's books are whole after every step."""

import json
from contextlib import suppress
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gateway.domain.donations import GiftKind
from gateway.domain.words import GiftRefund
from gateway.engine.donations.payouts import NewDonationPayout
from gateway.engine.donations.records import CharityRecord
from gateway.engine.records import SessionRecord
from gateway.kernel.errors import ConflictError, ErrorCode, InvalidRequestError
from gateway.kernel.money import Money, parse_money
from gateway.reporting.donations import DonationReports, Standing
from tests.cards.stage import DISPUTED, GOOD
from tests.donations.stage import GivingShop

EXAMPLES, STEPS = 16, 12
PLACE = st.integers(0, 10**6)
CURRENCY = st.sampled_from(["USD", "JPY"])
SHARE = st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(1, 100)])
DISPUTES = st.sampled_from([False, False, True])
PRICES = {"USD": ["12.30", "0.99", "40.00"], "JPY": ["980", "1250"]}
UNITS = {"USD": "1", "JPY": "100"}


class Machine(RuleBasedStateMachine):
    """Two charities of others and one of the merchant's own; the merchant has lived before, and goes on living."""

    shop: GivingShop

    def __init__(self) -> None:
        super().__init__()
        self.charities = [self.shop.add_charity(), self.shop.add_charity(), self.shop.add_charity(is_own=True)]
        self.paid: list[SessionRecord] = []
        self.payouts: list[str] = []
        self.reports = DonationReports(self.shop.db, self.shop.engine.core.journal)

    def charity(self, place: int) -> CharityRecord:
        return self.charities[place % len(self.charities)]

    def standings(self, charity: CharityRecord) -> list[Standing]:
        return self.reports.statement(charity.id, self.shop.shop.clock.now())

    @rule(place=PLACE, code=CURRENCY, price=PLACE, is_disputed=DISPUTES)
    def buy(self, place: int, code: str, price: int, *, is_disputed: bool) -> None:
        """Buy something by card, rounded up; perhaps the bank will contest it."""
        self.shop.shop.pass_time(timedelta(seconds=1))  # so that this config is the newest
        unit = parse_money(UNITS[code], code)
        self.shop.offer(self.charity(place), code, unit=unit, cap=unit, amounts=())
        session = self.shop.shop.open(PRICES[code][price % len(PRICES[code])], code)
        (offer, *_) = self.shop.engine.gifts.offers(session.owner, session.amount)[1]
        session = self.shop.choose(session, GiftKind.ROUND_UP, offer.amount.major)
        self.pay(session, is_disputed=is_disputed)

    @rule(place=PLACE, code=CURRENCY, covers_fees=st.booleans(), is_disputed=DISPUTES)
    def give(self, place: int, code: str, *, covers_fees: bool, is_disputed: bool) -> None:
        """Give to a campaign by card."""
        campaign = self.shop.add_campaign(self.charity(place), code, max_amount=parse_money("100000", code))
        amount = PRICES[code][-1]
        self.pay(self.shop.give(campaign, amount, covers_fees=covers_fees), is_disputed=is_disputed)

    def pay(self, session: SessionRecord, *, is_disputed: bool) -> None:
        self.shop.pay(session, number=DISPUTED if is_disputed else GOOD)
        self.paid.append(session)

    @precondition(lambda self: self.paid)
    @rule(place=PLACE, share=SHARE, donation=st.sampled_from(list(GiftRefund)))
    def refund(self, place: int, share: Fraction, donation: GiftRefund) -> None:
        """Give a part of a payment back, or all that is left."""
        session = self.paid[-1 - place % min(2, len(self.paid))]
        units = int(session.amount.atomic * share)
        amount = None if share == 1 or not units else Money(units, session.amount.currency).major
        with suppress(ConflictError, InvalidRequestError):  # nothing, or less, is left to go back
            self.shop.shop.refund(session, amount, donation=donation)
        self.shop.engine.sweep()
        self.shop.shop.catch_up()

    @precondition(lambda self: self.paid)
    @rule(outcome=st.sampled_from(["won", "lost"]))
    def close_a_dispute(self, outcome: str) -> None:
        """Let a bank decide about the newest contested charge, if it still can."""
        every = self.shop.shop.bank.newest("dispute", limit=100)
        for one in [dispute for dispute in every if dispute["status"] == "needs_response"][:1]:
            self.shop.shop.control(f"disputes/{one['id']}/close", outcome=outcome)
            self.shop.shop.catch_up()

    @rule(place=PLACE, share=SHARE)
    def pay_out(self, place: int, share: Fraction) -> None:
        """Write a part of what a charity is owed down as paid out; never a unit more."""
        charity = self.charity(place)
        for standing in self.standings(charity):
            units = int(standing.owed.atomic * share)
            if units > 0:
                self.record(charity, Money(units, standing.owed.currency))
            rest = self.shop.owed(charity, standing.owed.currency) if not charity.is_own else 0
            with pytest.raises(ConflictError) as refused:
                self.record(charity, Money(max(rest, 0) + 1, standing.owed.currency))
            assert refused.value.code is ErrorCode.PAYOUT_EXCEEDS_OWED

    def record(self, charity: CharityRecord, amount: Money) -> None:
        new = NewDonationPayout(
            charity_id=charity.id,
            amount=amount,
            paid_at=self.shop.shop.clock.now(),
            reference="SEPA",
            evidence="a letter",
        )
        reply = self.shop.engine.donation_payouts.record(self.shop.shop.intent(), new)
        self.payouts.append(json.loads(reply.body)["id"])

    @precondition(lambda self: self.payouts)
    @rule(place=PLACE)
    def cancel_a_payout(self, place: int) -> None:
        """Call one of the newest payouts a mistake; a second time, that changes nothing."""
        payout_id = self.payouts[-1 - place % min(3, len(self.payouts))]
        payouts, charity = self.shop.engine.donation_payouts, self.charity_of(payout_id)
        payouts.cancel(self.shop.shop.intent(), payout_id, "a mistake")
        once = self.standings(charity)
        payouts.cancel(self.shop.shop.intent(), payout_id, "again")
        assert self.standings(charity) == once

    def charity_of(self, payout_id: str) -> CharityRecord:
        payout = self.shop.engine.donation_payouts.retrieve(self.shop.owner, payout_id)
        return next(one for one in self.charities if one.id == payout["charity"])

    @rule(days=st.integers(1, 45))
    def wait(self, days: int) -> None:
        """Let time pass, so that debts age."""
        self.shop.shop.pass_time(timedelta(days=days))

    @invariant()
    def the_books_are_whole(self) -> None:
        """Gifts are what is owed, was paid out, is kept, and went back; what is owed has an age."""
        self.shop.check()
        for charity in self.charities:
            for one in self.standings(charity):
                assert one.gifts == one.reversed_ + one.paid_out + one.paid_at_source + one.kept + one.owed
                assert one.paid_at_source == Money.zero(one.gifts.currency)
                assert sum(age.amount for age in one.ages) == max(0, one.owed.atomic)
                assert not (one.owed if charity.is_own else one.kept)


@pytest.mark.deep
def test_the_books_of_every_charity_are_whole_whatever_happens(shop: GivingShop) -> None:
    machine = type("MachineOfThisShop", (Machine,), {"shop": shop})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
