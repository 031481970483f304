"""The words of the checkout page: one honest sentence for each state, and what it means for the shopper.

A sentence says what is, in the present; it never promises what is not known. Every text goes through `gettext`, so
`translations/` can be proved complete.
"""

from dataclasses import dataclass
from typing import Final

from gateway.domain.words import PaymentStatus
from gateway.engine.page import CheckoutPage
from gateway.kernel.errors import (
    ConflictError,
    DeclinedError,
    ErrorCode,
    GatewayError,
    UnknownOutcomeError,
    WorldError,
)
from gateway.kernel.money import Money
from hosted_checkout.checkout import saving, visits
from hosted_checkout.checkout.states import CLIENT_TONES, TONES, ClientState, PageState, Tone
from hosted_checkout.i18n import gettext as _
from hosted_checkout.i18n import marked, money_text, time_text

_CLIENT: Final = {
    ClientState.LEAVING: marked("Opening the card page…"),
    ClientState.PREPARING: marked("Preparing your payment…"),
    ClientState.ASKING: marked("Please confirm in your wallet."),
    ClientState.SENT: marked("Your wallet has signed. Sending your payment…"),
    ClientState.REJECTED: marked("You cancelled in the wallet. Nothing was sent."),
    ClientState.BUSY: marked("Your wallet is still showing an earlier request. Open it and finish that one first."),
    ClientState.WRONG_NETWORK: marked(
        "Your wallet has no connection to this network. Check its network setting. Nothing was sent."
    ),
    ClientState.UNAUTHORIZED: marked("Your wallet did not let this page connect. Nothing was sent."),
    ClientState.FAILED: marked(
        "Your wallet reported an error. If it says nothing was sent, try again or scan the code."
    ),
    ClientState.OFFLINE: marked("No connection. What you see may be out of date; this page keeps trying."),
}
_NO_PRICE: Final = marked("There is no fresh price for this currency right now, so it is not offered.")
_NOT_OFFERED: Final = marked("This way to pay is not on offer right now.")
_NOT_PAYABLE: Final = marked("This payment does not take money any more.")
_GENERAL_PROBLEM: Final = marked("That did not work. Nothing was charged. Please try again.")
_PROBLEMS: Final[dict[str, str]] = {
    ErrorCode.METHOD_UNAVAILABLE: marked(
        "This way to pay is not on offer right now. Choose another, or try again in a moment."
    ),
    ErrorCode.RATE_UNAVAILABLE: _NO_PRICE,
    ErrorCode.PAYMENT_NOT_PAYABLE: _NOT_PAYABLE,
    ErrorCode.SESSION_NOT_OPEN: _NOT_PAYABLE,
    ErrorCode.PROVIDER_UNAVAILABLE: marked(
        "The network does not answer right now. Nothing was sent. Try again in a moment."
    ),
    ErrorCode.PROVIDER_DECLINED: marked(
        "The network would refuse this payment. Does your wallet hold enough for amount and network fee?"
    ),
    ErrorCode.OUTCOME_UNKNOWN: marked("Your payment may be on its way. Please wait here and do not pay again."),
    ErrorCode.WALLET_PAYLOAD_REFUSED: marked(
        "Your wallet returned something else than this payment, so it was not sent."
    ),
    ErrorCode.WALLET_ADDRESS_INVALID: marked("Your wallet gave an address that this network does not know."),
    ErrorCode.RATE_LIMITED: marked("Too many requests. Please wait a moment."),
    ErrorCode.GIFT_NOT_OFFERED: marked("This gift is not on offer any more. Choose again."),
    ErrorCode.GIFT_NOT_CHANGEABLE: marked("The payment has begun, so the gift stays as it is."),
    "page_unavailable": marked("The card provider does not answer right now. Try again in a moment."),
    "page_unknown": marked("The card provider's answer was lost. Try again: you get the same page."),
    "page_refused": marked(
        "The card provider does not take this payment. Nothing was charged. Choose another way to pay."
    ),
    "page_busy": marked("An earlier step of this payment is still being cleared up. Try again in a minute."),
    "page_not_closed": marked("The card page could not be closed, so this payment stays open. Try again in a moment."),
}
_UNAVAILABLE: Final[dict[str, str]] = {
    ErrorCode.RATE_UNAVAILABLE: _NO_PRICE,
    ErrorCode.METHOD_UNAVAILABLE: _NOT_OFFERED,
    ErrorCode.PROVIDER_UNAVAILABLE: marked("Its network does not answer right now."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the status region says: `sentence` aloud, `detail` beside it."""

    state: str
    tone: Tone
    sentence: str
    detail: str


def status_of(page: CheckoutPage, state: PageState) -> Status:
    """Return the words of a server state."""
    words, tone = (saving.WORDS, saving.TONES) if saving.is_saving(page) else (_WORDS, TONES)
    sentence, detail = words.get(state, _WORDS[state])(page)
    return Status(state=state.value, tone=tone.get(state, TONES[state]), sentence=sentence, detail=detail)


def client_status(state: ClientState) -> Status:
    """Return the words of a client state."""
    return Status(state=state.value, tone=CLIENT_TONES[state], sentence=client_sentence(state), detail="")


def client_sentence(state: ClientState) -> str:
    """Return what the script says in a moment that only the browser knows."""
    return _(_CLIENT[state])


def problem_sentence(code: str | None) -> str | None:
    """Return why the last request did not work; None for no code. Unknown codes get the general sentence."""
    return None if code is None else _(_PROBLEMS.get(code, _GENERAL_PROBLEM))


def page_problem(error: GatewayError) -> str:
    """Return the code under which the page tells why a provider's page did not open."""
    match error:
        case DeclinedError():
            return "page_refused"
        case UnknownOutcomeError():
            return "page_unknown"
        case WorldError():
            return "page_unavailable"
        case ConflictError(code=ErrorCode.OUTCOME_UNKNOWN):
            return "page_busy"
    return error.code.value


def unavailable_reason(reason: str | None) -> str:
    """Return why a method is not on offer; a reason that is no code of ours is shown as it came."""
    if reason is None:
        return _(_NOT_OFFERED)
    return _(_UNAVAILABLE[reason]) if reason in _UNAVAILABLE else reason


def network_name(network: str) -> str:
    """Return a network's name for people; chains keep theirs."""
    family, _separator, cluster = network.partition(":")
    match cluster:
        case "mainnet":
            return family.capitalize()
        case "localnet":
            return _("%(family)s (local test chain)", family=family.capitalize())
        case _:
            return _("%(family)s %(cluster)s (test network)", family=family.capitalize(), cluster=cluster)


def _open(page: CheckoutPage) -> tuple[str, str]:
    if len(page.methods) == 1 and page.methods[0].is_hosted:  # nothing to choose
        is_free = page.renewal is not None and page.renewal.trial_days > 0
        return _("Ready to begin.") if is_free else _("Ready for your payment."), ""
    return _("Choose how to pay."), ""


def _unavailable(_page: CheckoutPage) -> tuple[str, str]:
    return _("No way to pay is on offer right now. This page keeps looking."), ""


def _chosen(page: CheckoutPage) -> tuple[str, str]:
    return _("Waiting for your payment of %(amount)s.", amount=money_text(_rest(page))), ""


def _renew(page: CheckoutPage) -> tuple[str, str]:
    assert page.attempt is not None, "only a quote can run out"
    return (
        _("The price was kept until %(time)s. Renew it to go on.", time=time_text(page.attempt.expires_at)),
        _("Your order stays the same. If you have already sent your payment, wait here: it will be found."),
    )


def _waiting(_page: CheckoutPage) -> tuple[str, str]:
    return (
        _("Your wallet has sent the payment. Looking for it on the network…"),
        _("This usually takes a few seconds. Please do not pay again."),
    )


def _unknown(_page: CheckoutPage) -> tuple[str, str]:
    return (
        _("Your wallet says it paid, but the payment is not on this network."),
        _("Your wallet may be on another network. Check its network setting; if nothing left it, you can pay again."),
    )


def _reorg(_page: CheckoutPage) -> tuple[str, str]:
    return (
        _("The network has taken your payment back for the moment. Please wait."),
        _("It usually returns by itself within minutes. Please do not pay again yet."),
    )


def _closing(page: CheckoutPage) -> tuple[str, str]:
    return (
        _("Time is up. Checking whether a payment arrived in time…"),
        visits.ending(page) or _("Please do not send anything now."),
    )


def _seen(page: CheckoutPage) -> tuple[str, str]:
    return _("Payment seen. Waiting for the first confirmation."), _unless_more_is_due(page)


def _confirming(page: CheckoutPage) -> tuple[str, str]:
    counted = [transfer for transfer in page.transfers if transfer.confirmations is not None]
    if not counted:
        return _("Payment seen. Confirming."), _unless_more_is_due(page)
    slowest = min(counted, key=lambda transfer: transfer.confirmations or 0)
    done = min(slowest.confirmations or 0, slowest.needed)
    return _(
        "Payment seen. Confirming, %(done)d of %(needed)d.", done=done, needed=slowest.needed
    ), _unless_more_is_due(page)


def _underpaid(page: CheckoutPage) -> tuple[str, str]:
    if page.attempt is None:  # money that was matched by hand, before any way to pay was chosen
        return _("Part of your payment arrived."), _ask_shop_for_the_rest(page)
    return (
        _(
            "%(received)s arrived. %(rest)s is still missing.",
            received=money_text(page.attempt.received),
            rest=money_text(page.attempt.rest),
        ),
        _("Nothing is lost. Send the rest below; the price stays as it was."),
    )


def _paid(page: CheckoutPage) -> tuple[str, str]:
    return visits.paid_in_part(page) or _paid_in_full(page)


def _paid_in_full(page: CheckoutPage) -> tuple[str, str]:
    return _("Paid. Thank you."), _("%(merchant)s can see your payment now.", merchant=page.merchant_name)


def _overpaid(page: CheckoutPage) -> tuple[str, str]:
    if page.attempt is None or not page.attempt.overpaid:
        return _("Paid, and more than once. Thank you."), _ask_shop(page)
    return _("Paid. You sent %(excess)s too much.", excess=money_text(page.attempt.overpaid)), _ask_shop(page)


def _late(page: CheckoutPage) -> tuple[str, str]:
    return (
        _("Paid. It came after the deadline, and it counts."),
        _("%(merchant)s accepts late payments and can see yours now.", merchant=page.merchant_name),
    )


def _late_refund(page: CheckoutPage) -> tuple[str, str]:
    is_partial = page.payment_status is PaymentStatus.UNDERPAID
    return (
        _("Your payment was not complete in time, so it does not pay this order.")
        if is_partial
        else _("Your payment came after the deadline, so it does not pay this order."),
        _(
            "It arrived safely and is recorded. %(merchant)s returns late payments: contact the shop and name order "
            "%(reference)s.",
            merchant=page.merchant_name,
            reference=page.reference,
        ),
    )


def _expired(page: CheckoutPage) -> tuple[str, str]:
    return visits.ended_without_money(page) or (
        _("Time is up. No payment arrived."),
        _(
            "Please do not send anything now. Start again at %(merchant)s; if you have already sent something, it will "
            "still be found and shown here.",
            merchant=page.merchant_name,
        ),
    )


def _canceled(page: CheckoutPage) -> tuple[str, str]:
    sentence, about_hold = _("This payment was cancelled. Nothing was charged."), visits.released(page)
    return sentence, _("Please do not send anything now.") if about_hold is None else about_hold


def _unless_more_is_due(page: CheckoutPage) -> str:
    """Let people go, unless only a part came: then the rest will be asked for when it is final."""
    return "" if page.attempt is not None and page.attempt.rest.atomic else _safe_to_close()


def _safe_to_close() -> str:
    return _("You can close this page. Its address stays your receipt.")


def _ask_shop_for_the_rest(page: CheckoutPage) -> str:
    return _(
        "Nothing is lost. Contact %(merchant)s and name order %(reference)s to pay the rest.",
        merchant=page.merchant_name,
        reference=page.reference,
    )


def _ask_shop(page: CheckoutPage) -> str:
    return _(
        "The excess is recorded and not lost. Contact %(merchant)s and name order %(reference)s to get it back.",
        merchant=page.merchant_name,
        reference=page.reference,
    )


def _rest(page: CheckoutPage) -> Money:
    assert page.attempt is not None, "a method was chosen"
    return page.attempt.rest


_WORDS = {
    PageState.OPEN: _open,
    PageState.UNAVAILABLE: _unavailable,
    PageState.PAGE_OPENING: visits.opening,
    PageState.PAGE_OPEN: visits.open_page,
    PageState.PAGE_CLOSED: visits.closed_page,
    PageState.PAGE_REFUSED: visits.refused_page,
    PageState.UNCONFIRMED: visits.unconfirmed,
    PageState.DECLINED: visits.declined,
    PageState.CHOSEN: _chosen,
    PageState.RENEW: _renew,
    PageState.WAITING: _waiting,
    PageState.UNKNOWN: _unknown,
    PageState.REORG: _reorg,
    PageState.CLOSING: _closing,
    PageState.PROCESSING: visits.processing,
    PageState.SEEN: _seen,
    PageState.CONFIRMING: _confirming,
    PageState.UNDERPAID: _underpaid,
    PageState.AUTHORIZED: visits.authorized,
    PageState.BEGUN: visits.begun,
    PageState.PAID: _paid,
    PageState.OVERPAID: _overpaid,
    PageState.LATE: _late,
    PageState.LATE_REFUND: _late_refund,
    PageState.REFUND_PENDING: visits.refund_pending,
    PageState.PARTLY_REFUNDED: visits.partly_refunded,
    PageState.REFUNDED: visits.fully_refunded,
    PageState.EXPIRED: _expired,
    PageState.CANCELED: _canceled,
}
