"""What a subscription is, given its bills: the whole product of states, and any order of periods."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.events import EventType
from gateway.domain.subscriptions import (
    LIVING,
    POLL_ENDED,
    POLL_MAX,
    PeriodFact,
    PeriodStatus,
    ProviderSubscription,
    SubscriptionState,
    SubscriptionStatus,
    derive,
    is_trial_ending,
    next_look,
    subscription_events,
)

S, P, E = SubscriptionStatus, PeriodStatus, EventType
NOW = datetime(2026, 11, 20, tzinfo=UTC)
DAY = timedelta(days=1)
GRACE = 3 * DAY


def a_report(status: SubscriptionStatus = S.ACTIVE, **over: object) -> ProviderSubscription:
    """Return what a provider says of a month from now."""
    plain = ProviderSubscription(
        reference="sub_1", is_livemode=False, status=status, is_held=False, customer="cus_1", period_start=NOW,
        period_end=NOW + 30 * DAY, trial_ends_at=None, cancels_at=None, canceled_at=None, ended_at=None, invoices=(),
    )  # fmt: skip
    return replace(plain, **over)  # type: ignore[arg-type]  # a builder takes what it gets


def a_period(month: int = 0, status: PeriodStatus = P.PAID) -> PeriodFact:
    """Return the bill of a month."""
    return PeriodFact(starts_at=NOW + 30 * month * DAY, ends_at=NOW + 30 * (month + 1) * DAY, status=status)


def a_state(
    status: SubscriptionStatus = S.ACTIVE, paid: int | None = 1, cancels_at: datetime | None = None
) -> SubscriptionState:
    """Return a state that is paid until the end of so many months."""
    paid_until = None if paid is None else NOW + 30 * paid * DAY
    return SubscriptionState(status=status, paid_until=paid_until, access_until=paid_until, cancels_at=cancels_at)


periods = st.lists(st.builds(a_period, month=st.integers(0, 12), status=st.sampled_from(PeriodStatus)), max_size=8)
reports = st.builds(
    a_report, status=st.sampled_from(SubscriptionStatus), is_held=st.booleans(),
    cancels_at=st.none() | st.just(NOW + 10 * DAY), ended_at=st.none() | st.just(NOW + 5 * DAY),
)  # fmt: skip


@given(reports, periods, st.randoms())
def test_the_order_and_repetition_of_bills_do_not_matter(
    report: ProviderSubscription, facts: list[PeriodFact], dice: object
) -> None:
    shuffled = [*facts, *facts]
    dice.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis's own Random
    assert derive(report, facts, grace=GRACE) == derive(report, shuffled, grace=GRACE)


@given(reports, periods)
def test_nobody_is_served_for_what_was_never_paid(report: ProviderSubscription, facts: list[PeriodFact]) -> None:
    state = derive(report, facts, grace=GRACE)
    paid = [one.ends_at for one in facts if one.status is P.PAID]
    assert state.paid_until == max(paid, default=None)
    if state.access_until is None or state.paid_until is None:
        assert not paid
        return
    assert state.access_until <= state.paid_until + GRACE
    if state.status not in LIVING or state.cancels_at is not None:
        assert state.access_until <= state.paid_until


@given(reports, periods)
def test_what_ended_serves_no_longer_than_until_its_end(report: ProviderSubscription, facts: list[PeriodFact]) -> None:
    state = derive(report, facts, grace=GRACE)
    if report.ended_at is not None:
        assert state.status is S.CANCELED
        assert state.access_until is None or state.access_until <= report.ended_at


@pytest.mark.parametrize(
    ("report", "status"),
    [
        (a_report(S.ACTIVE), S.ACTIVE),
        (a_report(S.TRIALING), S.TRIALING),
        (a_report(S.ACTIVE, is_held=True), S.PAUSED),
        (a_report(S.PAST_DUE, is_held=True), S.PAUSED),
        (a_report(S.CANCELED, is_held=True), S.CANCELED),
        (a_report(S.ACTIVE, ended_at=NOW), S.CANCELED),
        (a_report(S.PAST_DUE), S.PAST_DUE),
        (a_report(S.INCOMPLETE), S.INCOMPLETE),
    ],
)
def test_an_end_outranks_a_pause_and_a_pause_what_is_due(
    report: ProviderSubscription, status: SubscriptionStatus
) -> None:
    assert derive(report, [], grace=GRACE).status is status


def test_a_failed_renewal_is_past_due_whatever_the_provider_calls_it() -> None:
    facts = [a_period(0), a_period(1, P.FAILED)]
    state = derive(a_report(S.ACTIVE), facts, grace=GRACE)
    assert (state.status, state.access_until) == (S.PAST_DUE, NOW + 33 * DAY)


def test_a_paused_subscription_has_no_grace() -> None:
    state = derive(a_report(is_held=True), [a_period()], grace=GRACE)
    assert state.access_until == state.paid_until == NOW + 30 * DAY


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        (None, a_state(S.INCOMPLETE, None), []),
        (None, a_state(), [E.SUBSCRIPTION_CREATED]),
        (None, a_state(S.TRIALING), [E.SUBSCRIPTION_CREATED]),
        (None, a_state(S.CANCELED), [E.SUBSCRIPTION_CREATED, E.SUBSCRIPTION_CANCELED]),
        (a_state(S.INCOMPLETE, None), a_state(), [E.SUBSCRIPTION_CREATED]),
        (a_state(), a_state(), []),
        (a_state(), a_state(paid=2), [E.SUBSCRIPTION_RENEWED]),
        (a_state(S.TRIALING), a_state(paid=2), [E.SUBSCRIPTION_RENEWED]),
        (a_state(), a_state(S.PAST_DUE), [E.SUBSCRIPTION_PAST_DUE]),
        (a_state(S.PAST_DUE), a_state(paid=2), [E.SUBSCRIPTION_RENEWED]),
        (a_state(), a_state(S.PAUSED), [E.SUBSCRIPTION_PAUSED]),
        (a_state(S.PAUSED), a_state(), [E.SUBSCRIPTION_RESUMED]),
        (a_state(S.PAUSED), a_state(paid=2), [E.SUBSCRIPTION_RENEWED, E.SUBSCRIPTION_RESUMED]),
        (a_state(), a_state(cancels_at=NOW), [E.SUBSCRIPTION_UPDATED]),
        (a_state(cancels_at=NOW), a_state(), [E.SUBSCRIPTION_UPDATED]),
        (a_state(cancels_at=NOW), a_state(S.CANCELED), [E.SUBSCRIPTION_CANCELED]),
        (a_state(S.CANCELED), a_state(S.CANCELED), []),
    ],
)  # fmt: skip
def test_each_change_is_told_once_and_in_order(
    before: SubscriptionState | None, after: SubscriptionState, events: list[EventType]
) -> None:
    assert list(subscription_events(before, after)) == events


def test_no_change_of_status_goes_untold() -> None:
    for was, becomes in itertools.permutations(SubscriptionStatus, 2):
        if becomes in {S.INCOMPLETE, S.TRIALING} or (was in LIVING and becomes is S.ACTIVE):
            continue  # back to a trial nobody comes, and to `active` by a renewal, which is told
        if was is S.CANCELED and becomes is S.ACTIVE:
            continue  # what ended does not come back
        assert list(subscription_events(a_state(was), a_state(becomes))), (was, becomes)


@pytest.mark.parametrize(
    ("days", "status", "is_near"),
    [
        (-1, S.TRIALING, False),
        (0, S.TRIALING, True),
        (2.9, S.TRIALING, True),
        (3, S.TRIALING, False),
        (1, S.ACTIVE, False),
    ],
)
def test_a_trials_end_is_told_within_its_last_three_days(
    days: float,
    status: SubscriptionStatus,
    is_near: bool,  # noqa: FBT001 - a test's parameter
) -> None:
    assert is_trial_ending(status, NOW + 3 * DAY, NOW + days * DAY) is is_near


@given(reports, periods, st.integers(-5, 60))
def test_it_is_looked_at_again_soon_enough_until_nothing_can_happen(
    report: ProviderSubscription, facts: list[PeriodFact], days: int
) -> None:
    now = NOW + days * DAY
    state = derive(report, facts, grace=GRACE)
    look = next_look(state, report, facts, now)
    is_owed = any(one.status in {P.OPEN, P.FAILED} for one in facts)
    if look is None:
        is_long_ago = now >= (report.ended_at or report.period_end) + POLL_ENDED
        assert state.status is S.CANCELED
        assert is_long_ago or not is_owed
    assert look is None or now < look <= now + POLL_MAX
