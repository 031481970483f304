"""The words for a page that only saves a card with the merchant: nothing is paid, so nothing may speak of paying."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from gateway.domain.words import SessionMode
from gateway.engine.page import CheckoutPage
from hosted_checkout.checkout.states import PageState, Tone
from hosted_checkout.checkout.visits import Words, instrument_text
from hosted_checkout.i18n import gettext as _


def is_saving(page: CheckoutPage) -> bool:
    """Tell whether a page asks for a card to keep, not for money."""
    return page.mode is SessionMode.SETUP


def terms(page: CheckoutPage, state: PageState) -> str | None:
    """Say what the shopper agrees to; None where no card was saved and none will be."""
    if state in {PageState.EXPIRED, PageState.CANCELED}:
        return None
    return _(
        "%(merchant)s keeps your card for later payments that you agree on. Nothing is charged now.",
        merchant=page.merchant_name,
    )


def about() -> str:
    """Say whose page this is; nobody is paid on it."""
    return _("This page runs on StreamPay and loads nothing from anyone else.")


def way_on_label(state: PageState) -> str:
    """Return what the button says that leads to the provider's page."""
    return _("Save a card") if state is PageState.OPEN else _("Continue to the card page")


def receipt(page: CheckoutPage) -> list[tuple[str, str]]:
    """Return what was saved, as a row of the receipt."""
    if page.hosted is None or page.hosted.instrument is None:
        return []
    return [(_("Saved"), instrument_text(page.hosted))]


def _open(_page: CheckoutPage) -> Words:
    return _("Ready to save your card."), ""


def _unavailable(_page: CheckoutPage) -> Words:
    return _("No card can be saved right now. This page keeps looking."), ""


def _page_open(_page: CheckoutPage) -> Words:
    return (
        _("No card has been saved yet."),
        _("If you have just entered it, wait a moment: it shows here. Otherwise go on to the card page."),
    )


def _page_closed(_page: CheckoutPage) -> Words:
    return _("The card page has closed. No card was saved."), _("It was open for too long. Open it again.")


def _page_refused(page: CheckoutPage) -> Words:
    return (
        _("The card provider does not open its page. No card was saved."),
        _("Go back to %(merchant)s and try again later.", merchant=page.merchant_name),
    )


def _closing(_page: CheckoutPage) -> Words:
    return _("Time is up. Checking whether a card was saved in time…"), ""


def _done(page: CheckoutPage) -> Words:
    return (
        _("Thank you. Your card is saved."),
        _("Nothing was charged. %(merchant)s can see it now.", merchant=page.merchant_name),
    )


def _expired(page: CheckoutPage) -> Words:
    return _("Time is up. No card was saved."), _("Start again at %(merchant)s.", merchant=page.merchant_name)


def _canceled(_page: CheckoutPage) -> Words:
    return _("This was cancelled. No card was saved, and nothing was charged."), ""


WORDS: Final[Mapping[PageState, Callable[[CheckoutPage], Words]]] = MappingProxyType(
    {
        PageState.OPEN: _open,
        PageState.UNAVAILABLE: _unavailable,
        PageState.PAGE_OPEN: _page_open,
        PageState.PAGE_CLOSED: _page_closed,
        PageState.PAGE_REFUSED: _page_refused,
        PageState.CLOSING: _closing,
        PageState.BEGUN: _done,
        PageState.EXPIRED: _expired,
        PageState.CANCELED: _canceled,
    }
)
# Where nothing else happens any more, a saved card is a good end and not one that waits.
TONES: Final[Mapping[PageState, Tone]] = MappingProxyType({PageState.BEGUN: Tone.GOOD})
