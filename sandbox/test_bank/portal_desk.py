"""The bank's side of the customer portal: what its pages may see and change, and only of their own customer."""

from typing import Any

from sandbox.test_bank.bank import Bank
from sandbox.test_bank.checkout import PayResult
from sandbox.test_bank.clock import BankClock
from sandbox.test_bank.errors import ApiError, no_such
from sandbox.test_bank.resources import customers, methods, subscriptions
from sandbox.test_bank.standing import OVER, changed
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Vault


class PortalDesk:
    """Answers the portal's pages; see the `Portal` port for what each promises."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    @property
    def clock(self) -> BankClock:
        """The bank's own time, by which cards expire."""
        return self._bank.clock

    def portal_session(self, portal_id: str) -> Wire:
        """Return a portal session."""
        session: Wire = self._bank.change(lambda vault: _session(vault, portal_id))
        return session

    def portal_subscriptions(self, portal_id: str) -> list[Wire]:
        """Return the customer's subscriptions, the newest first, each with the card that it is paid by."""

        def shown(vault: Vault) -> list[Wire]:
            customer = vault.sure("customer", _session(vault, portal_id)["customer"])
            mine = [one for one in vault.every("subscription") if one["customer"] == customer["id"]]
            return [one | {"default_payment_method": _card_of(vault, customer, one)} for one in mine]

        listed: list[Wire] = self._bank.change(shown)
        return listed

    def portal_cancel(self, portal_id: str, subscription_id: str) -> None:
        """Let a subscription end with its current period."""
        self._let_end(portal_id, subscription_id, is_ending=True)

    def portal_resume(self, portal_id: str, subscription_id: str) -> None:
        """Take a cancellation at the period's end back."""
        self._let_end(portal_id, subscription_id, is_ending=False)

    def portal_update_card(
        self, portal_id: str, *, number: str, exp_month: int, exp_year: int, cvc: str, name: str
    ) -> PayResult:
        """Save a card and make it the one that everything is paid by.

        The page shows no challenge: a card that asks for one asks again when the next invoice is collected.
        """

        def save(vault: Vault) -> None:
            customer = vault.sure("customer", _session(vault, portal_id)["customer"])
            card = methods.typed_card(vault, number=number, exp_month=exp_month, exp_year=exp_year, cvc=cvc)
            billing = {"name": name}
            method = methods.make_card(vault, card, exp_month=exp_month, exp_year=exp_year, cvc=cvc, billing=billing)
            methods.attach(vault, method, customer["id"])
            _prefer(vault, customer, method)

        try:
            self._bank.change(save)
        except ApiError as error:
            if error.status != 402:  # noqa: PLR2004 - a card error; all others are the page's fault
                raise
            code: Any = error.facts.get("decline_code")
            return PayResult(kind="declined", message=error.message, decline_code=code, param=error.param)
        return PayResult(kind="paid")

    def _let_end(self, portal_id: str, subscription_id: str, *, is_ending: bool) -> None:
        def change(vault: Vault) -> None:
            session = _session(vault, portal_id)
            subscription = vault.find("subscription", subscription_id)
            if subscription is None or subscription["customer"] != session["customer"]:
                raise no_such("subscription", subscription_id[:80], param="subscription")
            if subscription["status"] not in OVER and subscription["cancel_at_period_end"] != is_ending:
                subscriptions.end_with_period(vault, subscription, is_ending=is_ending)

        self._bank.change(change)


def _session(vault: Vault, portal_id: str) -> Wire:
    return vault.get("billing_portal.session", portal_id)


def _card_of(vault: Vault, customer: Wire, subscription: Wire) -> Wire | None:
    chosen = subscription["default_payment_method"] or customer["invoice_settings"]["default_payment_method"]
    return vault.find("payment_method", chosen)


def _prefer(vault: Vault, customer: Wire, method: Wire) -> None:
    customers.prefer(vault, customer, method)
    for subscription in vault.every("subscription"):
        if subscription["customer"] == customer["id"] and subscription["status"] not in OVER:
            changed(vault, subscription, default_payment_method=method["id"])
