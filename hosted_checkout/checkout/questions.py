"""What people ask before they part with money, answered before they ask."""

from dataclasses import dataclass
from typing import Final

from gateway.domain.words import LatePolicy
from gateway.engine.page import CheckoutPage, PageAttempt
from hosted_checkout.checkout.saving import is_saving
from hosted_checkout.checkout.sentences import network_name
from hosted_checkout.checkout.states import CHOOSABLE, FINAL, SETTLED, PageState
from hosted_checkout.i18n import gettext as _
from hosted_checkout.i18n import money_text, rate_text, time_text

# Where there is nothing to send any more, how to send it is no question; where nothing was paid, there is none at all.
_OVER: Final = FINAL | {PageState.EXPIRED, PageState.CLOSING}
_NOT_PAID: Final = _OVER - SETTLED


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question and its answer; `id` keeps it open while the page changes around it."""

    id: str
    question: str
    answers: tuple[str, ...]


def questions_of(page: CheckoutPage, state: PageState) -> tuple[Question, ...]:
    """Return the questions that matter in this state."""
    if state in _NOT_PAID:
        return ()
    if is_saving(page):
        return (_card(page),)
    gets = Question(id="gets", question=_("Where does my money go?"), answers=_gets(page))
    if state in _OVER:
        return (gets,)
    if page.attempt is None:
        return (gets, _card(page)) if _is_by_provider(page) and state in CHOOSABLE else (gets,)
    rate = _rate(page, page.attempt)
    return (
        gets,
        *([rate] if rate else []),
        Question(id="differs", question=_("What if I send less or more?"), answers=_differs(page)),
        Question(id="late", question=_("What if I am late?"), answers=_late(page)),
        Question(id="network", question=_("What if I use another network?"), answers=_network(page.attempt)),
    )


def _is_by_provider(page: CheckoutPage) -> bool:
    """Tell whether the shopper pays, or may pay, on a provider's page."""
    is_offered = any(method.is_hosted for method in page.methods)
    return page.attempt is None and (is_offered or page.hosted is not None)


def _card(page: CheckoutPage) -> Question:
    return Question(
        id="card",
        question=_("Who sees my card number?"),
        answers=(
            _(
                "Only the payment provider of %(merchant)s, on a page of its own. This page and the shop never see it.",
                merchant=page.merchant_name,
            ),
        ),
    )


def _gets(page: CheckoutPage) -> tuple[str, ...]:
    by_provider = (
        _(
            "By card: %(merchant)s gets it through its own payment provider. This page never holds your money.",
            merchant=page.merchant_name,
        ),
    )
    if not _is_by_provider(page):
        return _gets_by_wallet(page)
    by_wallet = _("From a wallet: straight into a wallet of %(merchant)s, without a fee.", merchant=page.merchant_name)
    is_wallet_offered = any(not method.is_hosted for method in page.methods)
    return (*by_provider, by_wallet) if is_wallet_offered else by_provider


def _gets_by_wallet(page: CheckoutPage) -> tuple[str, ...]:
    return (
        _(
            "%(merchant)s gets the whole %(amount)s, straight into its own wallet. This page takes no fee and never "
            "holds your money.",
            merchant=page.merchant_name,
            amount=money_text(page.amount),
        ),
        _("Your wallet adds the fee of the network and shows it before you confirm."),
    )


def _rate(page: CheckoutPage, attempt: PageAttempt) -> Question | None:
    if attempt.rate is None:
        return None
    price = rate_text(attempt.rate.num, attempt.rate.den, page.amount.currency)
    return Question(
        id="rate",
        question=_("Where does the price come from?"),
        answers=(
            _(
                "1 %(asset)s = %(price)s, the middle of %(sources)s at %(time)s.",
                asset=attempt.due.currency,
                price=price,
                sources=", ".join(attempt.rate.sources),
                time=time_text(attempt.rate.as_of),
            ),
            _("This price is kept for you until %(time)s.", time=time_text(attempt.expires_at)),
        ),
    )


def _differs(page: CheckoutPage) -> tuple[str, ...]:
    return (
        _("Less: this page shows the rest and a new code for exactly that. The price stays as it was."),
        _("More: your order is paid, and %(merchant)s sees what came too much.", merchant=page.merchant_name),
    )


def _late(page: CheckoutPage) -> tuple[str, ...]:
    deadline = _("Please pay until %(time)s.", time=time_text(page.expires_at))
    match page.late_policy:
        case LatePolicy.ACCEPT:
            return (
                deadline,
                _("Money that comes later is found too, and %(merchant)s accepts it.", merchant=page.merchant_name),
            )
        case LatePolicy.REFUND:
            return (
                deadline,
                _(
                    "Money that comes later is found and recorded. %(merchant)s returns it; ask the shop.",
                    merchant=page.merchant_name,
                ),
            )


def _network(attempt: PageAttempt) -> tuple[str, ...]:
    return (
        _(
            "Send %(asset)s on %(network)s only. On another network the payment would not be found by itself.",
            asset=attempt.due.currency,
            network=network_name(attempt.network),
        ),
        _("If it happened, keep what your wallet shows as the payment's id and contact the shop."),
    )
