"""Turn the engine's view of a session into what the template prints: words, formatted money, links.

All decisions about what is shown stand here, so the template holds no arithmetic and no conditions on money.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, urlsplit

from markupsafe import Markup

from gateway.domain.words import ChargeStatus, RefundStatus, TransferStage
from gateway.engine.page import CheckoutPage, PageAttempt, PageMethod, PageRefund, PageTransfer
from gateway.kernel.money import Money
from hosted_checkout.checkout import giving
from hosted_checkout.checkout.giving import GiftPanel, asked, gift_line, gift_panel, gift_row, is_donation
from hosted_checkout.checkout.qr import qr_svg
from hosted_checkout.checkout.questions import Question, questions_of
from hosted_checkout.checkout.saving import about, is_saving, receipt, terms, way_on_label
from hosted_checkout.checkout.sentences import Status, network_name, status_of, unavailable_reason
from hosted_checkout.checkout.states import (
    CHOOSABLE,
    DONE,
    FINAL,
    PAYABLE,
    RESUMABLE,
    SETTLED,
    PageState,
    state_of,
)
from hosted_checkout.checkout.visits import instrument_text, method_title
from hosted_checkout.i18n import date_text, date_time_text, marked, money_text, span_text
from hosted_checkout.i18n import gettext as _

COUNTDOWN_FROM: Final = timedelta(minutes=3)  # earlier a clock only hurries people
ADDRESS_GROUP: Final = 4
SHORT_SIGNATURE: Final = 8
MAIN, LOCAL = ":mainnet", ":localnet"  # how the names of networks end
BROWSE_URL: Final = "https://phantom.app/ul/browse/"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """One order line, ready to print; a quantity of one goes without saying."""

    name: str
    quantity: int | None
    amount: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodView:
    """One way to pay in the picker; `asset` is None where one pays in the currency of the price."""

    id: str
    title: str
    asset: str | None
    is_available: bool
    is_hosted: bool
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WayOn:
    """The one button that leads to the provider's page: for the first time, again, or where one left off."""

    method: str
    label: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PayPanel:
    """What to send, where to, and every way to do it; `template` names the partial of the processor."""

    template: str
    how: str
    network: str
    chain: str
    amount: str
    amount_plain: str
    asset: str
    address: str
    address_groups: tuple[str, ...]
    pay_url: str
    browse_url: str | None
    qr: Markup
    is_rest: bool
    is_test_network: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferView:
    """One chain transfer that was seen; `gift` is the row of what it brought to a charity at once."""

    short: str
    amount: str
    gift: tuple[str, str] | None
    stage: str
    done: int | None
    needed: int
    explorer_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """Until when the shopper may pay; shown in the last minutes, and then with a button for more time."""

    ends_at_ms: int
    now_ms: int
    is_near: bool
    left: str
    can_extend: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """Everything the template prints."""

    status: Status
    title: str
    token: str
    is_test: bool
    merchant: str
    monogram: str
    logo_url: str | None
    brand_color: str | None
    amount_label: str
    amount: str
    reference: str
    terms: str | None
    about: str
    lines: tuple[LineView, ...]
    reference_label: str
    gift: GiftPanel | None
    way_on: WayOn | None
    methods: tuple[MethodView, ...]
    pay: PayPanel | None
    transfers: tuple[TransferView, ...]
    receipt: tuple[tuple[str, str], ...]
    questions: tuple[Question, ...]
    deadline: Deadline | None
    back_url: str
    back_host: str
    is_rechoosing: bool
    is_final: bool
    is_refreshing: bool
    can_choose: bool
    can_renew: bool
    can_cancel: bool
    cancel_label: str
    is_way_out: bool

    @property
    def fingerprint(self) -> str:
        """Letters that change when the page would look different; a running clock alone changes nothing."""
        deadline = self.deadline and (self.deadline.ends_at_ms, self.deadline.can_extend)
        return hashlib.sha256(repr(replace(self, deadline=None)).encode() + repr(deadline).encode()).hexdigest()[:20]


def view_of(page: CheckoutPage, now: datetime, page_url: str) -> PageView:
    """Return the view of a session at `now`; `page_url` is the page's own absolute address."""
    state = state_of(page, now)
    status = status_of(page, state)
    is_free_now = _is_free_now(page, state)
    way_on = _way_on(page, state)
    back_url = _back_url(page, state)
    return PageView(
        status=status,
        title=f"{status.sentence} · {page.merchant_name}",
        token=page.token,
        is_test=not page.livemode,
        merchant=page.merchant_name,
        monogram=page.merchant_name.strip()[:1].upper() or "·",
        logo_url=own_logo(page.logo_url),
        brand_color=page.brand_color,
        amount_label=_("To pay now") if is_free_now else _amount_label(page, state),
        amount=money_text(Money.zero(page.amount.currency) if is_free_now else asked(page)),
        reference=page.reference,
        terms=terms(page, state) if is_saving(page) else _terms(page),
        about=about() if is_saving(page) else _about(page),
        lines=_lines(page),
        reference_label=_("Donation") if is_donation(page) else _("Order"),
        gift=gift_panel(page),
        way_on=way_on,
        methods=_methods(page, way_on),
        pay=_pay_panel(page, page.attempt, page_url) if page.attempt and state in PAYABLE else None,
        transfers=tuple(_transfer(page, transfer) for transfer in page.transfers),
        receipt=_receipt(page, state),
        questions=questions_of(page, state),
        deadline=_deadline(page, state, now),
        back_url=back_url,
        back_host=urlsplit(back_url).netloc,
        is_rechoosing=page.attempt is not None or way_on is not None,
        is_final=state in FINAL,
        # While one chooses, a refresh would take the choice away, and nothing can change.
        is_refreshing=state not in FINAL and state is not PageState.OPEN,
        can_choose=state in CHOOSABLE,
        can_renew=state is PageState.RENEW,
        can_cancel=state in CHOOSABLE,
        cancel_label=_("Cancel") if is_saving(page) else _("Cancel this payment"),
        is_way_out=state in FINAL | DONE | {PageState.EXPIRED},
    )


_EVERY: Final = {
    "day": marked("every day"),
    "week": marked("every week"),
    "month": marked("every month"),
    "year": marked("every year"),
}


def _about(page: CheckoutPage) -> str:
    if is_donation(page):
        return giving.about(page)
    return _(
        "You pay %(merchant)s directly. This page runs on StreamPay and loads nothing from anyone else.",
        merchant=page.merchant_name,
    )


def _is_free_now(page: CheckoutPage, state: PageState) -> bool:
    """Tell whether nothing is due yet: a card is being saved, or a subscription begins with free days."""
    begins_free = page.renewal is not None and page.renewal.trial_days > 0
    return is_saving(page) or (begins_free and state not in SETTLED | {PageState.PROCESSING})


def _terms(page: CheckoutPage) -> str | None:
    """Say for whom a gift is, and how what repeats does."""
    return " · ".join(one for one in (giving.purpose(page), _renewal(page)) if one) or None


def _renewal(page: CheckoutPage) -> str | None:
    """Say how a subscription repeats, before anybody agrees to it."""
    renewal = page.renewal
    if renewal is None:
        return None
    repeats = _(
        "Renews automatically: %(amount)s %(every)s, until it is canceled.",
        amount=money_text(page.amount),
        every=_(_EVERY[renewal.interval])
        if renewal.interval_count == 1 and renewal.interval in _EVERY
        else _("every %(span)s", span=span_text(renewal.interval, renewal.interval_count)),
    )
    if not renewal.trial_days:
        return repeats
    free = _("The first %(span)s are free.", span=span_text("day", renewal.trial_days))
    return f"{free} {repeats}"


def own_logo(url: str | None) -> str | None:
    """Return a logo that needs no third party: an image in the address itself, or a path of this server."""
    if url is None or not url.startswith(("data:image/", "/")) or url.startswith("//"):
        return None
    return url


def address_groups(address: str) -> tuple[str, ...]:
    """Cut an address into groups of four; the last one is whole, because people compare both ends."""
    head, tail = address[:-ADDRESS_GROUP], address[-ADDRESS_GROUP:]
    starts = range(0, len(head), ADDRESS_GROUP)
    return (*(head[start : start + ADDRESS_GROUP] for start in starts), tail)


def _lines(page: CheckoutPage) -> tuple[LineView, ...]:
    lines = [
        LineView(
            name=line.name,
            quantity=line.quantity if line.quantity != 1 else None,
            amount=money_text(line.amount),
        )
        for line in page.lines
    ]
    gift = gift_line(page)
    if gift is None:
        return tuple(lines)
    order = lines or [LineView(name=_("Order"), quantity=None, amount=money_text(page.amount))]
    return (*order, LineView(name=gift[0], quantity=None, amount=gift[1]))


def _methods(page: CheckoutPage, way_on: WayOn | None) -> tuple[MethodView, ...]:
    """Return what may be chosen beside what is chosen already; cards first, because most people have one."""
    taken = {page.attempt.method if page.attempt else None, way_on.method if way_on else None}
    return tuple(
        MethodView(
            id=method.id,
            title=method_title(method.id, method.title),
            asset=method.asset,
            is_available=method.available,
            is_hosted=method.is_hosted,
            reason=None if method.available else unavailable_reason(method.reason),
        )
        for method in sorted(page.methods, key=lambda one: not one.is_hosted)
        if method.id not in taken
    )


def _way_on(page: CheckoutPage, state: PageState) -> WayOn | None:
    """Return the way to the provider's page where it is the only one, or was begun before."""
    hosted: list[PageMethod] = [method for method in page.methods if method.is_hosted and method.available]
    method: str | None = None
    if state is PageState.OPEN and hosted == list(page.methods) and len(hosted) == 1:
        method = hosted[0].id
    elif state in RESUMABLE and page.hosted is not None and page.hosted.method in {one.id for one in hosted}:
        method = page.hosted.method
    if method is None:
        return None
    hint = (
        _("You enter it on a page of the card provider, then you come back here.")
        if _is_free_now(page, state)
        else _("You pay on a page of the card provider, then you come back here.")
    )
    label = way_on_label(state) if is_saving(page) else _way_on_label(page, state)
    return WayOn(method=method, label=label, hint=hint)


def _way_on_label(page: CheckoutPage, state: PageState) -> str:
    match state:
        case PageState.OPEN if _is_free_now(page, state):
            return _("Begin with a card")
        case PageState.OPEN:
            return _("Pay %(amount)s by card", amount=money_text(asked(page)))
        case PageState.PAGE_OPEN | PageState.UNCONFIRMED:
            return _("Continue to card payment")
        case _:
            return _("Try again by card")


def _pay_panel(page: CheckoutPage, attempt: PageAttempt, page_url: str) -> PayPanel:
    amount = money_text(attempt.rest)
    return PayPanel(
        template=f"checkout/methods/{attempt.processor}.html",
        how=_how(attempt),
        network=network_name(attempt.network),
        chain=attempt.network,
        amount=amount,
        amount_plain=_without_zeros(attempt.rest.major),
        asset=attempt.rest.currency,
        address=attempt.wallet,
        address_groups=address_groups(attempt.wallet),
        pay_url=attempt.pay_url,
        browse_url=None if attempt.network.endswith(LOCAL) else _browse_url(page_url),
        qr=qr_svg(
            attempt.pay_url,
            title=_("QR code: pay %(amount)s to %(merchant)s", amount=amount, merchant=page.merchant_name),
        ),
        is_rest=attempt.rest != attempt.due,
        is_test_network=not attempt.network.endswith(MAIN),
    )


def _browse_url(page_url: str) -> str:
    """Return the link that opens this page in Phantom's own browser; a phone does not reach a local chain's page."""
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(page_url))
    return f"{BROWSE_URL}{quote(page_url, safe='')}?ref={quote(origin, safe='')}"


def _how(attempt: PageAttempt) -> str:
    """Return method and network, without saying one name twice."""
    network = network_name(attempt.network)
    return network if network.startswith(attempt.title) else f"{attempt.title} · {network}"


def _amount_label(page: CheckoutPage, state: PageState) -> str:
    """Return what the large figure is: owed, paid, or only what it would have been."""
    if is_donation(page):
        return giving.amount_label(state)
    if state in SETTLED:
        return _("Paid")
    if state is PageState.AUTHORIZED:
        return _("Reserved")
    is_asked_for = state not in FINAL | {PageState.EXPIRED, PageState.CLOSING, PageState.PROCESSING}
    return _("To pay") if is_asked_for else _("Amount")


def _transfer(page: CheckoutPage, transfer: PageTransfer) -> TransferView:
    return TransferView(
        short=f"{transfer.signature[:SHORT_SIGNATURE]}…{transfer.signature[-SHORT_SIGNATURE:]}",
        amount=money_text(transfer.amount),
        gift=gift_row(page, transfer.given),
        stage=_stage(transfer.stage),
        done=_done(transfer),
        needed=transfer.needed,
        explorer_url=transfer.explorer_url,
    )


def _done(transfer: PageTransfer) -> int | None:
    """Return the confirmations to draw as progress; None when there is none to draw, or nothing left to wait for."""
    if transfer.stage is not TransferStage.CONFIRMED or transfer.confirmations is None:
        return None
    return min(transfer.confirmations, transfer.needed)


def _stage(stage: TransferStage) -> str:
    match stage:
        case TransferStage.SEEN:
            return _("Seen")
        case TransferStage.CONFIRMED:
            return _("Confirming")
        case TransferStage.FINAL:
            return _("Final")
        case TransferStage.DROPPED:
            return _("Taken back by the network")


def _receipt(page: CheckoutPage, state: PageState) -> tuple[tuple[str, str], ...]:
    """Return the receipt's rows: only what has happened."""
    rows: list[tuple[str, str]] = []
    attempt = page.attempt
    # A single transfer says it already.
    if attempt and attempt.received and len(page.transfers) != 1:
        rows.append((_("Received"), money_text(attempt.received)))
    if attempt and attempt.overpaid:
        rows.append((_("Too much"), money_text(attempt.overpaid)))
    if attempt and state is PageState.UNDERPAID:
        rows.append((_("Still missing"), money_text(attempt.rest)))
    rows += receipt(page) if is_saving(page) else _taken(page)
    if page.paid_at and state in SETTLED:
        rows.append((_("Paid on"), date_time_text(page.paid_at)))
    rows += [_refund(refund) for refund in page.refunds if refund.status is not RefundStatus.CANCELED]
    return tuple(rows)


def _taken(page: CheckoutPage) -> list[tuple[str, str]]:
    """Return what a provider took, holds or waits for, and with what the shopper paid there."""
    hosted = page.hosted
    if hosted is None or hosted.charge_status not in _LABELS:
        return []
    rows = [(_(_LABELS[hosted.charge_status]), instrument_text(hosted))]
    is_part = hosted.amount.currency == page.amount.currency and hosted.amount < asked(page)
    return [*rows, (_("Taken"), money_text(hosted.amount))] if is_part else rows


_LABELS: Final = {
    ChargeStatus.PROCESSING: marked("Paying with"),
    ChargeStatus.AUTHORIZED: marked("Reserved on"),
    ChargeStatus.SUCCEEDED: marked("Paid with"),
}


def _refund(refund: PageRefund) -> tuple[str, str]:
    """Return one refund as a row: how it stands and how much it is."""
    match refund.status:
        case RefundStatus.PENDING:
            label = _("Refund on its way")
        case RefundStatus.REQUIRES_ACTION:
            label = _("Refund begun")
        case RefundStatus.FAILED:
            label = _("Refund failed; ask the shop")
        case RefundStatus.SUCCEEDED | RefundStatus.CANCELED:
            label = _("Refunded on %(date)s", date=date_text(refund.created_at))
    return label, money_text(refund.amount)


def _deadline(page: CheckoutPage, state: PageState, now: datetime) -> Deadline | None:
    if state not in CHOOSABLE | PAYABLE or state in {PageState.RENEW, PageState.UNDERPAID}:
        return None
    ends_at = min(page.expires_at, page.attempt.expires_at) if page.attempt else page.expires_at
    left = max(ends_at - now, timedelta())
    minutes, seconds = divmod(int(left.total_seconds()), 60)
    return Deadline(
        ends_at_ms=_milliseconds(ends_at),
        now_ms=_milliseconds(now),
        is_near=left <= COUNTDOWN_FROM,
        left=f"{minutes}:{seconds:02d}",
        can_extend=page.can_extend,
    )


def _back_url(page: CheckoutPage, state: PageState) -> str:
    """Return where the shop wants the shopper; without a cancel address, the shop's front door."""
    if state in DONE:
        return page.success_url
    return page.cancel_url or "{0.scheme}://{0.netloc}/".format(urlsplit(page.success_url))


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def _without_zeros(major: str) -> str:
    """Return an amount as wallets read it: a point, no groups, no idle zeros."""
    return major.rstrip("0").rstrip(".") if "." in major else major
