"""What receipts, statements and mails say: every word and amount that page, PDF and mail print, in one language.

Donors' texts are plain text here and stay so; whoever prints them escapes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.engine.donations.receipts import ReceiptView, StatementView
from hosted_checkout.i18n import date_text, locale, money_text
from hosted_checkout.i18n import gettext as _

Rows = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A list of gifts: its heads, and a line for each."""

    heads: Sequence[str]
    lines: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A document: who issues it, what it is, what it says.

    Attributes:
        notices: what must be seen before all else: it is canceled, or of test money.
        statement: the charity's own words about taxes.
        is_void: it counts for nothing.
    """

    name: str
    title: str
    issuer: Sequence[str]
    notices: Sequence[str]
    rows: Rows
    table: Table | None
    statement: str | None
    is_void: bool


def receipt_paper(view: ReceiptView) -> Paper:
    """Return a receipt."""
    receipt = view.receipt
    return Paper(
        name=receipt.name,
        title=_("Donation receipt"),
        issuer=_issuer(receipt.issuer),
        notices=[*_test_notice(livemode=receipt.livemode), *_canceled(view)],
        rows=[
            (_("Number"), receipt.name),
            (_("Received on"), date_text(view.donation.received_at or receipt.issued_at)),
            *_person(view.donor_name, view.donor_address),
            (_("Given to"), _text(receipt.issuer, "legal_name")),
            *([(_("Campaign"), view.campaign_title)] if view.campaign_title else []),
            *_tribute(view),
            (_("Amount"), money_text(receipt.amount)),
            *_returned(view),
        ],
        table=None,
        statement=receipt.issuer["tax_statement"],
        is_void=receipt.canceled_at is not None,
    )


def statement_paper(view: StatementView) -> Paper:
    """Return a year's statement."""
    title = _("Statement of donations %(year)s", year=view.year)
    return Paper(
        name=f"{_text(view.issuer, 'prefix')}-{view.year}",
        title=title,
        issuer=_issuer(view.issuer),
        notices=_test_notice(livemode=view.livemode),
        rows=[
            *_person(view.donor_name, view.donor_address),
            (_("Given to"), _text(view.issuer, "legal_name")),
            *((_("Total"), money_text(total)) for total in view.totals),
        ],
        table=Table(
            heads=[_("Number"), _("Received on"), _("Amount"), _("Counts")],
            lines=[_line(line) for line in view.lines],
        ),
        statement=view.issuer["tax_statement"],
        is_void=False,
    )


def _line(view: ReceiptView) -> Sequence[str]:
    return [
        view.receipt.name,
        date_text(view.donation.received_at or view.receipt.issued_at),
        money_text(view.receipt.amount),
        money_text(view.counts_for) if view.receipt.canceled_at is None else _("canceled"),
    ]


def _issuer(issuer: Mapping[str, str | None]) -> list[str]:
    """Return the charity's letterhead, as it was."""
    country = issuer["country"] and (locale().territories.get(issuer["country"]) or issuer["country"])
    tax_id = issuer["tax_id"] and _("Tax number: %(number)s", number=issuer["tax_id"])
    lines = [issuer["legal_name"], *(issuer["address"] or "").splitlines(), country, tax_id]
    return [line for line in [*lines, issuer["website"], issuer["email"]] if line]


def _person(name: str | None, address: str | None) -> list[tuple[str, str]]:
    rows = [(_("Donor"), name)] if name else []
    return [*rows, (_("Address"), address)] if address else rows


def _tribute(view: ReceiptView) -> list[tuple[str, str]]:
    if view.tribute is None:
        return []
    return [(_("In memory of") if view.tribute["kind"] == "memory" else _("In honour of"), view.tribute["name"])]


def _returned(view: ReceiptView) -> list[tuple[str, str]]:
    if not view.donation.amount_reversed:
        return []
    return [
        (_("Given back"), money_text(view.donation.amount_reversed)),
        (_("Counts"), money_text(view.counts_for)),
    ]


def _test_notice(*, livemode: bool) -> list[str]:
    return [] if livemode else [_("Test money: this document proves nothing.")]


def _canceled(view: ReceiptView) -> list[str]:
    if view.receipt.canceled_at is None:
        return []
    day = date_text(view.receipt.canceled_at)
    return [_("Canceled on %(date)s: the gift was given back. This receipt no longer counts.", date=day)]


def _text(issuer: Mapping[str, str | None], name: str) -> str:
    return issuer[name] or ""
