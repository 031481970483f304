"""Views of a campaign and of a gift: every word and amount that the templates print."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from donation_widget.amounts import cover_of
from donation_widget.form import bounds
from gateway.domain.donations import DonationStatus, Frequency
from gateway.domain.words import PaymentStatus
from gateway.engine.donations.records import CampaignRecord
from gateway.engine.donations.showing import CampaignPage, GiftPage, WallEntry
from gateway.kernel.currencies import CurrencyKind, currency
from hosted_checkout.i18n import LANGUAGES, date_text, language_names, money_text
from hosted_checkout.i18n import gettext as _

MAX_PRESETS: Final = 8  # donate.css shows the fees of so many
_BEING_PAID: Final = frozenset({PaymentStatus.PROCESSING, PaymentStatus.CONFIRMING, PaymentStatus.AUTHORIZED})
_FINAL: Final = frozenset({DonationStatus.RECEIVED, DonationStatus.REVERSED, DonationStatus.CANCELED})


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalView:
    """How far a campaign has come: as text, and as a bar of 0 to 100."""

    text: str
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetView:
    """An amount to choose: as the form sends it, as people read it, and what covers its fees."""

    value: str
    text: str
    cover: str
    total: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WallView:
    """A gift on the donor wall."""

    name: str
    amount: str
    comment: str | None
    date: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeRule:
    """What the script needs to compute an amount's fees exactly as the server does; atomic units as text."""

    bps: int
    fixed: str
    exponent: int
    currency: str
    is_fiat: bool
    least: str
    most: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignView:
    """A campaign's page."""

    id: str
    title: str
    story: tuple[str, ...]
    charity: str
    is_test: bool
    closed: str | None
    goal: GoalView | None
    presets: tuple[PresetView, ...]
    least: str
    most: str
    currency: str
    frequencies: tuple[tuple[str, str], ...]
    offers_fee_cover: bool
    offers_tribute: bool
    offers_comment: bool
    shows_wall: bool
    rule: FeeRule
    wall: tuple[WallView, ...]
    languages: tuple[tuple[str, str], ...]
    brand_color: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiftView:
    """What became of a gift.

    Attributes:
        is_payable: the donor may go on paying.
        fingerprint: changes whenever anything here does.
    """

    state: str
    tone: str
    sentence: str
    detail: str
    title: str
    charity: str
    campaign: str
    rows: tuple[tuple[str, str], ...]
    is_test: bool
    is_payable: bool
    is_final: bool
    fingerprint: str
    brand_color: str | None


def frequency_words() -> dict[Frequency, str]:
    """Return how often one gives, in the page's language."""
    return {
        Frequency.ONCE: _("Once"),
        Frequency.MONTHLY: _("Monthly"),
        Frequency.QUARTERLY: _("Quarterly"),
        Frequency.YEARLY: _("Yearly"),
    }


def campaign_view(page: CampaignPage, now: datetime) -> CampaignView:
    """Return what a campaign's page prints now."""
    campaign = page.campaign
    words = frequency_words()
    return CampaignView(
        id=campaign.id,
        title=campaign.title,
        story=tuple(part.strip() for part in campaign.story.replace("\r\n", "\n").split("\n\n") if part.strip()),
        charity=page.charity.name,
        is_test=not campaign.livemode,
        closed=_closed(campaign, now, page.charity.name),
        goal=_goal(page),
        presets=tuple(_preset(campaign, place) for place in range(len(campaign.presets[:MAX_PRESETS]))),
        currency=campaign.currency,
        frequencies=tuple((one.value, words[one]) for one in Frequency if one in campaign.frequencies),
        offers_fee_cover=campaign.offers_fee_cover and bool(campaign.fee_bps or campaign.fee_fixed),
        offers_tribute=campaign.offers_tribute,
        offers_comment=campaign.offers_comment,
        shows_wall=campaign.shows_wall,
        rule=_rule(campaign),
        wall=tuple(_wall(entry) for entry in page.wall),
        languages=tuple(one for one in language_names() if one[0] in offered_languages(campaign)),
        brand_color=page.brand_color,
        **bounds(campaign),
    )


def offered_languages(campaign: CampaignRecord) -> tuple[str, ...]:
    """Return the languages of a campaign's pages; every one of ours where it names none."""
    return tuple(tag for tag in LANGUAGES if tag in campaign.locales) or LANGUAGES


def _closed(campaign: CampaignRecord, now: datetime, charity: str) -> str | None:
    if campaign.is_open(now):
        return None
    if campaign.closed_at is None and campaign.ends_at is not None:
        return _(
            "This campaign ended on %(date)s. %(charity)s thanks everybody who gave.",
            date=date_text(campaign.ends_at),
            charity=charity,
        )
    return _("This campaign is closed. %(charity)s thanks everybody who gave.", charity=charity)


def _goal(page: CampaignPage) -> GoalView | None:
    goal = page.campaign.goal
    if goal is None:
        return None
    percent = max(0, page.raised.atomic) * 100 // goal.atomic
    values = {"raised": money_text(page.raised), "goal": money_text(goal), "percent": percent, "gifts": page.gifts}
    text = _("%(raised)s of %(goal)s raised (%(percent)d%%). Gifts: %(gifts)d.", **values)
    return GoalView(text=text, percent=min(100, percent))


def _preset(campaign: CampaignRecord, place: int) -> PresetView:
    amount = campaign.presets[place]
    cover = cover_of(campaign, amount)
    return PresetView(
        value=amount.major, text=money_text(amount), cover=money_text(cover), total=money_text(amount + cover)
    )


def _rule(campaign: CampaignRecord) -> FeeRule:
    row = currency(campaign.currency)
    return FeeRule(
        bps=campaign.fee_bps,
        fixed=str(campaign.fee_fixed.atomic),
        exponent=row.exponent,
        currency=row.code,
        is_fiat=row.kind is CurrencyKind.FIAT,
        least=str(campaign.min_amount.atomic),
        most=str(campaign.max_amount.atomic),
    )


def _wall(entry: WallEntry) -> WallView:
    return WallView(
        name=entry.name or _("Anonymous"),
        amount=money_text(entry.amount),
        comment=entry.comment,
        date=date_text(entry.given_at),
    )


def gift_view(page: GiftPage) -> GiftView:
    """Return what a gift's page prints."""
    state, tone, sentence, detail = _outcome(page)
    rows = _rows(page)
    facts = repr((state, sentence, detail, rows, page.version))
    return GiftView(
        state=state,
        tone=tone,
        sentence=sentence,
        detail=detail,
        title=sentence,
        charity=page.charity.name,
        campaign=page.campaign.title,
        rows=rows,
        is_test=not page.campaign.livemode,
        is_payable=state in {"open", "underpaid"},
        is_final=page.donation.status in _FINAL,
        fingerprint=hashlib.sha256(facts.encode()).hexdigest()[:16],
        brand_color=page.brand_color,
    )


def _outcome(page: GiftPage) -> tuple[str, str, str, str]:
    """Return a gift's state, its tone, and what is said of it."""
    charity = page.charity.name
    match page.donation.status:
        case DonationStatus.RECEIVED:
            sentence = _("Thank you! Your gift to %(charity)s has arrived.", charity=charity)
            return "received", "good", sentence, _repeating(page)
        case DonationStatus.REVERSED:
            return "reversed", "idle", _("This gift was given back."), _("Your bank may take some days to show it.")
        case DonationStatus.CANCELED:
            return "canceled", "bad", _("No gift was made."), _("Nothing was taken. You can give again.")
        case DonationStatus.PENDING:
            return _pending(page.payment_status)


def _pending(status: PaymentStatus) -> tuple[str, str, str, str]:
    if status in _BEING_PAID:
        detail = _("You can close this page: nothing more is needed from you.")
        return "confirming", "busy", _("Your payment is being confirmed."), detail
    if status is PaymentStatus.UNDERPAID:
        detail = _("The payment page shows how much, and how to send it.")
        return "underpaid", "warn", _("A part of your gift is still missing."), detail
    detail = _("Go on to the payment page. Until then nothing is taken.")
    return "open", "idle", _("Your gift is not paid yet."), detail


def _repeating(page: GiftPage) -> str:
    if page.donation.frequency is Frequency.ONCE:
        return ""
    if page.by_wallet:
        return _("We remind you by e-mail when it is time to give again. Each mail has a link that ends this.")
    return _("It is collected from your card again each time. Each mail has a link that ends this.")


def _rows(page: GiftPage) -> tuple[tuple[str, str], ...]:
    donation = page.donation
    rows = [(_("Gift"), money_text(donation.amount - donation.fee_cover))]
    if donation.fee_cover:
        rows += [(_("Fees covered"), money_text(donation.fee_cover)), (_("Together"), money_text(donation.amount))]
    if donation.amount_reversed:
        rows.append((_("Given back"), money_text(donation.amount_reversed)))
    rows.append((_("How often"), frequency_words()[donation.frequency]))
    if donation.received_at is not None:
        rows.append((_("Date"), date_text(donation.received_at)))
    return tuple(rows)
