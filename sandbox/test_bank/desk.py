"""What the bank's pages ask of the bank: the ports between the two, so that each can be read without the other.

Amounts are whole numbers in Stripe's smallest unit. Every id a page hands over comes from an address that anybody may
type, and an unknown one is an ``ApiError`` of status 404.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

from sandbox.test_bank.clock import BankClock

Wire = Mapping[str, Any]
"""An object as Stripe's API answers it."""


Command = Callable[[str, Mapping[str, Any]], Wire]
"""One order of the control API: the path below `/_sandbox`, and the body. What is wrong with it is an ``ApiError``."""


class PayAnswer(Protocol):
    """What came of a try to pay."""

    @property
    def kind(self) -> str:
        """`paid` (the session is complete, even if settled later), `challenge`, `declined`, `closed` (was not open)."""

    @property
    def redirect_url(self) -> str | None:
        """Where the shopper goes next: the shop's page, or the 3-D Secure challenge."""

    @property
    def message(self) -> str | None:
        """What the shopper is told about a decline."""

    @property
    def decline_code(self) -> str | None:
        """Stripe's word for why the card was declined."""

    @property
    def param(self) -> str | None:
        """The field that was wrong, if one was."""


class Desk(Protocol):
    """The bank as the checkout pages know it."""

    @property
    def clock(self) -> BankClock:
        """The bank's own time, by which cards expire."""

    def checkout_session(self, session_id: str) -> Wire:
        """Return a Checkout Session, `line_items` and `payment_intent` expanded; `expired` when its time is over.

        Raises:
            ApiError: 404, there is no such session.
        """

    def pay_by_card(
        self,
        session_id: str,
        *,
        number: str,
        exp_month: int,
        exp_year: int,
        cvc: str,
        name: str,
        email: str | None = None,
    ) -> PayAnswer:
        """Try to pay with a listed test card; `number` is digits only, the year has four."""

    def pay_by_bank(self, session_id: str, *, outcome: Literal["succeed", "fail"]) -> PayAnswer:
        """Complete the session unpaid; the debit will `succeed` or `fail` when the bank's clock says so."""

    def challenge(self, challenge_id: str) -> Wire:
        """Return `id`, `session` (None outside Checkout), `status` (`open`, `passed`, `failed`), `amount`, `currency`.

        Beside them `brand` and `last4` of the card. A challenge whose session was closed meanwhile is `failed`.

        Raises:
            ApiError: 404, there is no such challenge.
        """

    def answer_challenge(self, challenge_id: str, *, passed: bool) -> PayAnswer:
        """Answer an open challenge; one that was answered before is `closed`."""


class Hall(Protocol):
    """The bank as its front page knows it."""

    @property
    def clock(self) -> BankClock:
        """The bank's own time."""

    def newest(self, kind: str, *, limit: int) -> Sequence[Wire]:
        """Return the objects of a kind that were made last, the newest first."""


class Portal(Protocol):
    """The bank as the customer portal knows it."""

    @property
    def clock(self) -> BankClock:
        """The bank's own time, by which cards expire."""

    def portal_session(self, portal_id: str) -> Wire:
        """Return a billing portal session (`id`, `customer`, `return_url`).

        Raises:
            ApiError: 404, there is no such portal session.
        """

    def portal_subscriptions(self, portal_id: str) -> Sequence[Wire]:
        """Return the customer's subscriptions, newest first, with `default_payment_method` expanded."""

    def portal_cancel(self, portal_id: str, subscription_id: str) -> None:
        """Let a subscription end with its current period.

        Raises:
            ApiError: 404, this customer has no such subscription.
        """

    def portal_resume(self, portal_id: str, subscription_id: str) -> None:
        """Take a cancellation at the period's end back.

        Raises:
            ApiError: 404, this customer has no such subscription.
        """

    def portal_update_card(
        self, portal_id: str, *, number: str, exp_month: int, exp_year: int, cvc: str, name: str
    ) -> PayAnswer:
        """Attach a listed test card and make it the default of the customer and of each subscription.

        The answer's kind is `paid` when the card was saved, else `declined`.
        """
