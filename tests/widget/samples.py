"""Sample campaigns, gifts and papers, one for each thing a donor can be shown: for suites, never for money."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.domain.donations import DonationStatus, Frequency, GiftKind
from gateway.domain.words import PaymentStatus
from gateway.engine.donations.pledges import PledgeRecord, PledgeView
from gateway.engine.donations.receipts import ReceiptRecord, ReceiptView, StatementView
from gateway.engine.donations.records import CampaignRecord, CharityRecord, DonationRecord
from gateway.engine.donations.showing import CampaignPage, GiftPage, WallEntry
from gateway.kernel.money import Money, parse_money

DAY: Final = timedelta(days=1)
_NOTHING: Final = Money(0, "USD")
_MERCHANT: Final = "acct_sample"
_LONG_WORD: Final = "Donaudampfschifffahrtsgesellschaftskapitänswitwenfonds"
_ISSUER: Final = {
    "prefix": "RF",
    "name": "River Fund",
    "legal_name": "River Fund e.V.",
    "tax_id": "12/345/67890",
    "address": "Am Ufer 1\n50667 Köln",
    "country": "DE",
    "website": "https://riverfund.example",
    "email": "hello@riverfund.example",
    "tax_statement": "We are exempt from corporate tax by the notice of the Köln tax office of 3 March 2026.",
}


def _usd(text: str) -> Money:
    return parse_money(text, "USD")


def sample_charity(now: datetime, name: str = "River Fund") -> CharityRecord:
    """Return the charity of every sample."""
    return CharityRecord(
        merchant_id=_MERCHANT, livemode=False,
        id="cha_sample", name=name, legal_name="River Fund e.V.", tax_id="12/345/67890", address=None,
        country="DE", tax_statement=None, website=None, email=None, receipt_prefix="RF", solana_address=None,
        is_own=False, metadata={}, created_at=now, updated_at=now, archived_at=None,
    )  # fmt: skip


def sample_campaign(now: datetime, **changed: Any) -> CampaignRecord:
    """Return a campaign that offers everything, and takes gifts."""
    campaign = CampaignRecord(
        merchant_id=_MERCHANT, livemode=False,
        id="open", charity_id="cha_sample", title="Clean rivers",
        story="Every autumn we fish out what was thrown in.\n\nTen dollars clean ten metres of bank.",
        presets=(_usd("10"), _usd("25"), _usd("50")), min_amount=_usd("1"), max_amount=_usd("1000"),
        frequencies=tuple(Frequency), goal=_usd("5000"), offers_fee_cover=True, fee_bps=290, fee_fixed=_usd("0.30"),
        offers_tribute=True, offers_comment=True, shows_wall=True, locales=(), origins=(), metadata={},
        created_at=now - 30 * DAY, updated_at=now, ends_at=None, closed_at=None,
    )  # fmt: skip
    return replace(campaign, **changed)


def sample_page(now: datetime, name: str = "River Fund", **changed: Any) -> CampaignPage:
    """Return the page of an open campaign on its way to the goal; `changed` is about the campaign."""
    wall = (
        WallEntry(name="Jo Doe", amount=_usd("25"), comment="For the otters.\nThank you!", given_at=now - DAY),
        WallEntry(name=None, amount=_usd("10"), comment=None, given_at=now - 2 * DAY),
        WallEntry(name="محمد الفقيه", amount=_usd("100"), comment="من أجل النهر.", given_at=now - 3 * DAY),
        WallEntry(name=_LONG_WORD, amount=_usd("1000"), comment=f"{_LONG_WORD * 2}!", given_at=now - 4 * DAY),
    )
    return CampaignPage(
        campaign=sample_campaign(now, **changed),
        charity=sample_charity(now, name),
        brand_color="#0f766e",
        raised=_usd("2345.67"),
        gifts=4,
        wall=wall,
    )


def _new(now: datetime) -> CampaignPage:
    """Return a campaign to which nobody has given yet."""
    return replace(sample_page(now), raised=_NOTHING, gifts=0, wall=(), brand_color=None)


def _bare(now: datetime) -> CampaignPage:
    """Return a campaign that offers nothing but a sum to write."""
    nothing: dict[str, Any] = {
        "goal": None,
        "offers_fee_cover": False,
        "offers_tribute": False,
        "offers_comment": False,
    }
    page = sample_page(
        now, story="", presets=(), frequencies=(Frequency.ONCE,), shows_wall=False, livemode=True, **nothing
    )
    return replace(page, wall=())


def _long(now: datetime) -> CampaignPage:
    """Return a campaign whose words and sums are as long as they come."""
    sums = tuple(_usd(f"{units}000.50") for units in range(2, 10))
    words = {"title": f"{_LONG_WORD} and everything that swims in it", "story": f"{_LONG_WORD * 3}\n\nWords. " * 3}
    return sample_page(now, name=_LONG_WORD, presets=sums, max_amount=_usd("1000000"), goal=_usd("9999999.99"), **words)


CAMPAIGNS: Final[dict[str, Callable[[datetime], CampaignPage]]] = {
    "open": sample_page,
    "new": _new,
    "bare": _bare,
    "long": _long,
    "monthly_only": lambda now: sample_page(now, frequencies=(Frequency.MONTHLY,)),
    "goal_reached": lambda now: replace(sample_page(now), raised=_usd("6000")),
    "ended": lambda now: sample_page(now, ends_at=now - DAY),
    "closed": lambda now: sample_page(now, closed_at=now - DAY),
    # Open, and the guard at the form lets nobody in: at once, or without work that no browser ends before the test.
    "attacked": sample_page,
    "paused": sample_page,
}


def sample_donation(now: datetime, **changed: Any) -> DonationRecord:
    """Return a gift of 25.00 and its fees that has not come yet."""
    donation = DonationRecord(
        merchant_id=_MERCHANT, livemode=False,
        id="don_sample", charity_id="cha_sample", campaign_id="open", config_id=None, session_id="cs_sample",
        payment_id="pay_sample", subscription_id=None, pledge_id=None, kind=GiftKind.CAMPAIGN, frequency=Frequency.ONCE,
        status=DonationStatus.PENDING, amount=_usd("26.06"), fee_cover=_usd("1.06"), amount_received=_NOTHING,
        amount_reversed=_NOTHING, received={}, reversed_={}, owed={}, is_anonymous=False, on_wall=False, locale=None,
        form_id=None, sequence=1, created_at=now, updated_at=now, received_at=None,
    )  # fmt: skip
    return replace(donation, **changed)


def sample_gift(
    now: datetime, payment: PaymentStatus = PaymentStatus.OPEN, *, by_wallet: bool = False, **changed: Any
) -> GiftPage:
    """Return the page of a gift; `changed` is about the donation."""
    return GiftPage(
        campaign=sample_campaign(now),
        charity=sample_charity(now),
        brand_color="#0f766e",
        token="sample",
        donation=sample_donation(now, **changed),
        payment_status=payment,
        version=1,
        locale=None,
        by_wallet=by_wallet,
        receipt_token=None,
    )


def _received(now: datetime, *, by_wallet: bool = False, **changed: Any) -> GiftPage:
    came = {"status": DonationStatus.RECEIVED, "amount_received": _usd("26.06"), "received_at": now}
    page = sample_gift(now, PaymentStatus.PAID, by_wallet=by_wallet, **(came | changed))
    return replace(page, receipt_token="issued")


GIFTS: Final[dict[str, Callable[[datetime], GiftPage]]] = {
    "pending": sample_gift,
    "confirming": lambda now: sample_gift(now, PaymentStatus.CONFIRMING),
    "underpaid": lambda now: sample_gift(now, PaymentStatus.UNDERPAID),
    "received": _received,
    "monthly": lambda now: _received(now, frequency=Frequency.MONTHLY),
    "reminded": lambda now: _received(now, frequency=Frequency.QUARTERLY, by_wallet=True),
    "partly_reversed": lambda now: _received(now, amount_reversed=_usd("6.06")),
    "reversed": lambda now: _received(now, status=DonationStatus.REVERSED, amount_reversed=_usd("26.06")),
    "canceled": lambda now: sample_gift(now, PaymentStatus.CANCELED, status=DonationStatus.CANCELED),
    "expired": lambda now: sample_gift(now, PaymentStatus.EXPIRED, status=DonationStatus.CANCELED),
    "real": lambda now: replace(_received(now), campaign=sample_campaign(now, livemode=True)),
}


def sample_receipt(now: datetime, **changed: Any) -> ReceiptView:
    """Return a receipt; `changed` is about the receipt."""
    receipt = ReceiptRecord(
        merchant_id=_MERCHANT, livemode=False,
        id="dr_sample", donation_id="don_sample", charity_id="cha_sample", token="issued",
        year=now.year, number=42, amount=_usd("26.06"), issuer=_ISSUER, issued_at=now, canceled_at=None,
    )  # fmt: skip
    return ReceiptView(
        receipt=replace(receipt, **changed),
        donation=_received(now).donation,
        campaign_title="Clean rivers",
        donor_name="Jo Doe",
        donor_address="Quayside 7\n8001 Zürich",
        tribute=None,
    )


def _given_back(view: ReceiptView, amount: Money) -> ReceiptView:
    return replace(view, donation=replace(view.donation, amount_reversed=amount))


def _long_receipt(now: datetime) -> ReceiptView:
    issuer = _ISSUER | {"legal_name": _LONG_WORD * 2, "tax_statement": f"{_LONG_WORD * 3} {'words ' * 80}"}
    view = sample_receipt(now, issuer=issuer)
    return replace(view, donor_name=_LONG_WORD, donor_address=f"{_LONG_WORD}\n1", campaign_title=_LONG_WORD)


RECEIPTS: Final[dict[str, Callable[[datetime], ReceiptView]]] = {
    "issued": sample_receipt,
    "real": lambda now: sample_receipt(now, livemode=True),
    "nobodys": lambda now: replace(sample_receipt(now), donor_name=None, donor_address=None, campaign_title=None),
    "dedicated": lambda now: replace(sample_receipt(now), tribute={"kind": "memory", "name": _LONG_WORD}),
    "partly_returned": lambda now: _given_back(sample_receipt(now), _usd("6.06")),
    "canceled": lambda now: _given_back(sample_receipt(now, canceled_at=now), _usd("26.06")),
    "long": _long_receipt,
}


def _statement(now: datetime, *lines: ReceiptView) -> StatementView:
    return StatementView(
        issuer=_ISSUER,
        livemode=False,
        year=now.year,
        donor_name="Jo Doe",
        donor_address="Quayside 7\n8001 Zürich",
        lines=lines,
    )


def _full_year(now: datetime) -> StatementView:
    in_euro = sample_receipt(now, number=43, amount=parse_money("1234.50", "EUR"))
    euro = replace(in_euro, donation=replace(in_euro.donation, amount_reversed=Money(0, "EUR")))
    months = [sample_receipt(now, number=number) for number in range(1, 13)]
    return _statement(now, *months, RECEIPTS["partly_returned"](now), RECEIPTS["canceled"](now), euro)


STATEMENTS: Final[dict[str, Callable[[datetime], StatementView]]] = {
    "one_gift": lambda now: _statement(now, sample_receipt(now)),
    "full_year": _full_year,
}


def sample_pledge(now: datetime, stopped_at: datetime | None = None) -> PledgeView:
    """Return a promise to give every month."""
    pledge = PledgeRecord(
        merchant_id=_MERCHANT, livemode=False,
        id="plg_sample", charity_id="cha_sample", campaign_id="open", subscription_id="sub_sample",
        token="collected",
        frequency=Frequency.MONTHLY, amount=_usd("10"), email="jo@example.com", name="Jo Doe", locale=None,
        next_at=None, reminders=0, created_at=now - 30 * DAY, stopped_at=stopped_at,
    )  # fmt: skip
    return PledgeView(
        pledge=pledge, campaign=sample_campaign(now), charity_name="River Fund", charity_email=None, given=_usd("30")
    )


PLEDGES: Final[dict[str, Callable[[datetime], PledgeView]]] = {
    "collected": sample_pledge,
    "stopped": lambda now: sample_pledge(now, stopped_at=now),
}
ADDRESSES: Final = (
    *(f"/donate/{name}" for name in CAMPAIGNS),
    *(f"/donate/open/thanks/{name}" for name in GIFTS),
    *(f"/donations/receipt/{name}" for name in RECEIPTS),
    *(f"/donations/statement/{name}/2026" for name in STATEMENTS),
    *(f"/donations/stop/{name}" for name in PLEDGES),
)
"""Where `tests.widget.gallery` shows each of them."""
