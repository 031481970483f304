"""The words for payments on a provider's own page: the visit there, what came of it, and money that goes back.

What a provider said was read a moment ago at best. So no sentence here claims that nothing was taken unless the
provider said so itself.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.domain.words import AttemptStage, ChargeStatus, RefundStatus
from gateway.engine.page import CheckoutPage, PageHosted
from hosted_checkout.checkout.states import paid_by_provider, refunded
from hosted_checkout.i18n import gettext as _
from hosted_checkout.i18n import marked, money_text

CARD: Final = "card"
Words = tuple[str, str]

_REFUSED: Final = marked("The card was declined. No money was taken.")
_SAY_LATER: Final = marked("The payment could not be processed. No money was taken.")
_USE_ANOTHER: Final = marked("Try again with another card, or choose another way to pay.")
_AGAIN_SOON: Final = marked("Try again in a moment, or choose another way to pay.")
_CHECK: Final = marked("Check number, date and security code and try again, or choose another way to pay.")
_NOT_CONFIRMED: Final = marked("Your bank could not confirm that it is you. No money was taken.")
# Issuers' and provider's codes that a shopper can do something about. Lost, stolen and suspicious cards stand with all
# others in `_REFUSED`: a thief learns nothing here.
_DECLINES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "insufficient_funds": (
            marked("There is not enough money on the card. No money was taken."),
            _USE_ANOTHER,
        ),
        "expired_card": (marked("The card has expired. No money was taken."), _USE_ANOTHER),
        "card_velocity_exceeded": (marked("The card's limit is reached. No money was taken."), _USE_ANOTHER),
        "card_not_supported": (
            marked("The card does not support this purchase. No money was taken."),
            _USE_ANOTHER,
        ),
        "authentication_required": (_NOT_CONFIRMED, _USE_ANOTHER),
        "payment_intent_authentication_failure": (_NOT_CONFIRMED, _USE_ANOTHER),
        "processing_error": (_SAY_LATER, _AGAIN_SOON),
        "issuer_not_available": (_SAY_LATER, _AGAIN_SOON),
        "try_again_later": (_SAY_LATER, _AGAIN_SOON),
    }
    | dict.fromkeys(
        (
            "incorrect_cvc",
            "incorrect_number",
            "incorrect_zip",
            "invalid_cvc",
            "invalid_expiry_month",
            "invalid_expiry_year",
            "invalid_number",
        ),
        (marked("The card's details are not right. No money was taken."), _CHECK),
    )
)
_BRANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "amex": "American Express",
        "diners": "Diners Club",
        "discover": "Discover",
        "eftpos_au": "Eftpos",
        "jcb": "JCB",
        "mastercard": "Mastercard",
        "unionpay": "UnionPay",
        "visa": "Visa",
    }
)
_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "acss_debit": marked("Bank debit"),
        "au_becs_debit": marked("Bank debit"),
        "bacs_debit": marked("Bank debit"),
        "sepa_debit": marked("Bank debit"),
        "us_bank_account": marked("Bank debit"),
        CARD: marked("Card"),
    }
)


def method_title(method: str, title: str) -> str:
    """Return a method's name; names of coins are the same in every language."""
    return _("Card") if method == CARD else title


def instrument_text(hosted: PageHosted) -> str:
    """Return what was paid with, as people know it: `Visa •••• 4242`."""
    instrument = hosted.instrument or {}
    kind, brand, last4 = (instrument.get(name) or "" for name in ("type", "brand", "last4"))
    name = _BRANDS.get(brand) or (_(_TYPES[kind]) if kind in _TYPES else method_title(hosted.method, hosted.title))
    return f"{name} •••• {last4}" if last4 else name


def is_card(hosted: PageHosted) -> bool:
    """Tell whether a card was used, or nothing yet; else it was a way to pay whose money comes later."""
    return hosted.instrument is None or hosted.instrument.get("type") in {CARD, None}


def opening(_page: CheckoutPage) -> Words:
    """A page was asked for, and the provider's answer has not come."""
    return (
        _("The card page is not open yet. Nothing was charged."),
        _("Try again, or choose another way to pay."),
    )


def open_page(_page: CheckoutPage) -> Words:
    """The shopper was sent there; nothing was heard of a payment."""
    return (
        _("No card payment has arrived yet."),
        _("If you have just paid, wait a moment: it shows here. Otherwise go on to the card page, or pay another way."),
    )


def closed_page(_page: CheckoutPage) -> Words:
    """The provider's page ran out of time."""
    return (
        _("The card page has closed. No money was taken."),
        _("It was open for too long. Open it again, or choose another way to pay."),
    )


def refused_page(_page: CheckoutPage) -> Words:
    """The provider would not open a page for this payment."""
    return (
        _("The card provider does not take this payment. Nothing was charged."),
        _("Choose another way to pay, or go back to the shop."),
    )


def unconfirmed(_page: CheckoutPage) -> Words:
    """The bank asked, and the shopper has not answered."""
    return (
        _("Your bank is still waiting for your confirmation. No money was taken."),
        _("Go on to the card page to confirm, or choose another way to pay."),
    )


def declined(page: CheckoutPage) -> Words:
    """The newest try failed."""
    assert page.hosted is not None, "only a visit can be declined"
    if not is_card(page.hosted):
        return _("The bank debit did not go through. No money was taken."), _(_USE_ANOTHER)
    sentence, advice = _DECLINES.get(page.hosted.failure_code or "", (_REFUSED, _USE_ANOTHER))
    return _(sentence), _(advice)


def processing(page: CheckoutPage) -> Words:
    """The shopper is done, and a bank is not."""
    return (
        _("Your bank is confirming the payment."),
        _(
            "This can take some days, and you need not stay: %(merchant)s is told as soon as it is done. This page's "
            "address stays your receipt.",
            merchant=page.merchant_name,
        ),
    )


def authorized(page: CheckoutPage) -> Words:
    """Money is held."""
    return (
        _("Thank you. The amount is reserved."),
        _(
            "%(merchant)s takes the money when your order is ready. If it never does, your bank frees the amount.",
            merchant=page.merchant_name,
        ),
    )


def paid_in_part(page: CheckoutPage) -> Words | None:
    """The merchant took less than was held, and let the rest go; None where it took all."""
    hosted = paid_by_provider(page)
    if hosted is None or hosted.amount.currency != page.amount.currency or hosted.amount >= page.amount:
        return None
    return (
        _("Paid. Thank you."),
        _(
            "%(merchant)s took %(taken)s of the %(amount)s that was reserved. The rest stays yours.",
            merchant=page.merchant_name,
            taken=money_text(hosted.amount),
            amount=money_text(page.amount),
        ),
    )


def ended_without_money(page: CheckoutPage) -> Words | None:
    """The window closed after a visit to a provider's page; None where there was none."""
    if page.hosted is None or page.attempt is not None:
        return None
    if page.hosted.charge_status is ChargeStatus.FAILED and page.hosted.stage is AttemptStage.COMPLETE:
        return (
            _("The bank debit did not go through. No money was taken."),
            _("The time for this order is over. Start again at %(merchant)s.", merchant=page.merchant_name),
        )
    return (
        _("Time is up. No payment arrived."),
        _("The card page is closed and no money was taken. Start again at %(merchant)s.", merchant=page.merchant_name),
    )


def ending(page: CheckoutPage) -> str | None:
    """Return what to know while the provider's page is being closed; None where there is none."""
    if page.hosted is None or page.attempt is not None:
        return None
    return _("If you have just paid on the card page, it shows here in a moment. Please do not pay again.")


def released(page: CheckoutPage) -> str | None:
    """Return what becomes of a hold that was let go: nothing to say without one; None where there was no visit."""
    hosted = page.hosted
    if hosted is None or page.attempt is not None:
        return None
    # A visit that nobody paid on is canceled as well, but then nothing was charged, or the newest try failed.
    was_held = (
        hosted.charge_status is ChargeStatus.CANCELED and hosted.instrument is not None and hosted.failure_code is None
    )
    return _("What was reserved is yours again; your bank may take some days to show it.") if was_held else ""


def begun(_page: CheckoutPage) -> Words:
    """A subscription goes on, and nothing is due that the shopper could pay here."""
    return (
        _("Thank you. There is nothing to pay now."),
        _("What falls due for this subscription is collected automatically."),
    )


def refund_pending(page: CheckoutPage) -> Words:
    """Money goes back and has not arrived."""
    back = refunded(page, RefundStatus.SUCCEEDED)
    if any(one.status is RefundStatus.PENDING for one in page.refunds):
        coming = refunded(page, RefundStatus.PENDING)
        sentence = (
            _("A refund of %(amount)s is on its way to you.", amount=money_text(coming))
            if coming is not None
            else _("Refunds are on their way to you.")
        )
    else:
        sentence = _("A refund was begun, and is not on its way yet.")
    return sentence, "" if back is None else _("%(amount)s was given back before.", amount=money_text(back))


def partly_refunded(page: CheckoutPage) -> Words:
    """A part went back."""
    back = refunded(page, RefundStatus.SUCCEEDED)
    sentence = (
        _("Paid. %(amount)s of it was given back.", amount=money_text(back))
        if back is not None
        else _("Paid. A part of it was given back.")
    )
    return sentence, _until_it_shows(page)


def fully_refunded(page: CheckoutPage) -> Words:
    """All of it went back."""
    back = refunded(page, RefundStatus.SUCCEEDED)
    assert back is not None, "it is more than what was paid"
    return _("Refunded. %(amount)s was given back.", amount=money_text(back)), _until_it_shows(page)


def _until_it_shows(page: CheckoutPage) -> str:
    return _("Your bank may take some days to show it.") if paid_by_provider(page) else ""
