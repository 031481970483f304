"""The gift on the checkout page: what is asked, in which words, and what a session that is a gift is called."""

from dataclasses import dataclass
from typing import Final

from gateway.domain.donations import GiftKind
from gateway.engine.page import CheckoutPage
from gateway.kernel.money import Money
from hosted_checkout.checkout.states import SETTLED, PageState
from hosted_checkout.i18n import gettext as _
from hosted_checkout.i18n import money_text

NO_GIFT: Final = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftChoice:
    """One button: `value` is what the form sends."""

    value: str
    label: str
    hint: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftPanel:
    """The question whether to give something on top; "no" is one of the choices, as large as the others."""

    question: str
    choices: tuple[GiftChoice, ...]
    disclosure: str


def asked(page: CheckoutPage) -> Money:
    """Return what is paid in all: the amount, and a gift on top."""
    return page.amount if page.gift is None or page.gift.is_whole else page.amount + page.gift.amount


def is_donation(page: CheckoutPage) -> bool:
    """Tell whether the session is nothing but a gift."""
    return page.gift is not None and page.gift.is_whole


def gift_line(page: CheckoutPage) -> tuple[str, str] | None:
    """Return the gift on top as a line of its own; None without one."""
    if page.gift is None or page.gift.is_whole:
        return None
    return gift_row(page, page.gift.amount)


def gift_row(page: CheckoutPage, amount: Money | None) -> tuple[str, str] | None:
    """Return an amount as the gift, with the charity's name; None without an amount or a gift."""
    if page.gift is None or amount is None:
        return None
    return _("Gift to %(charity)s", charity=page.gift.charity), money_text(amount)


def purpose(page: CheckoutPage) -> str | None:
    """Say for whom a session is that is nothing but a gift; None for an order."""
    if page.gift is None or not page.gift.is_whole:
        return None
    return _("Gift to %(charity)s", charity=page.gift.charity)


def gift_panel(page: CheckoutPage) -> GiftPanel | None:
    """Return the question, while the shopper may still answer it."""
    asking, gift = page.asking, page.gift
    if asking is None:
        return None
    choices = [
        GiftChoice(value=NO_GIFT, label=_("No, thank you"), hint=money_text(page.amount), is_chosen=gift is None)
    ]
    choices += [
        GiftChoice(
            value=f"{offer.kind}:{offer.amount.major}",
            label=_("Round up: %(amount)s", amount=money_text(offer.amount))
            if offer.kind is GiftKind.ROUND_UP
            else _("Give %(amount)s", amount=money_text(offer.amount)),
            hint=_("%(amount)s in all", amount=money_text(offer.total)),
            is_chosen=gift is not None and (gift.kind, gift.amount) == (offer.kind, offer.amount),
        )
        for offer in asking.offers
    ]
    question = _("Would you like to give something to %(charity)s?", charity=asking.charity)
    return GiftPanel(question=question, choices=tuple(choices), disclosure=asking.disclosure)


def read_choice(value: str) -> tuple[GiftKind, str] | None:
    """Return what the form's value asks for; None for no gift, and for anything else that is none."""
    kind, _colon, amount = value.partition(":")
    return (GiftKind(kind), amount) if kind in {GiftKind.ROUND_UP, GiftKind.FIXED} else None


def amount_label(state: PageState) -> str:
    """Return what the large figure of a gift is: given, or to be given."""
    return _("Given") if state in SETTLED else _("Your gift")


def about(page: CheckoutPage) -> str:
    """Say where a gift goes, and what runs this page."""
    assert page.gift is not None, "it is a gift"
    return _(
        "You give to %(charity)s through %(merchant)s. This page runs on StreamPay and loads nothing from anyone else.",
        charity=page.gift.charity,
        merchant=page.merchant_name,
    )
