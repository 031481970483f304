"""The mails of donations, as text and as HTML, each in its reader's language."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from flask import Flask, render_template
from flask_babel import force_locale

from donation_widget.presentation import frequency_words
from donation_widget.receipts_papers import Paper, Rows, receipt_paper, statement_paper
from donation_widget.receipts_pdf import pdf_of
from gateway.domain.donations import Frequency
from gateway.engine.donations.mailroom import Composed, ReceiptLetter, ReminderLetter
from gateway.engine.donations.receipts import StatementView
from gateway.outbox.smtp import Attachment
from hosted_checkout.i18n import direction, install_i18n, known_language, locale, money_text
from hosted_checkout.i18n import gettext as _

FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What a mail says: paragraphs, facts, links by what they do, and why it was sent."""

    subject: str
    paragraphs: Sequence[str]
    rows: Rows
    links: Sequence[tuple[str, str]]
    reason: str


class Scribe:
    """Writes what leaves the house without a request; a small app of its own gives templates and languages."""

    def __init__(self) -> None:
        self._app = Flask("mails", static_folder=None, template_folder=str(FOLDER / "templates"))
        install_i18n(self._app, FOLDER / "translations")

    def receipt(self, letter: ReceiptLetter) -> Composed:
        """Write the mail with a receipt, which goes with it as PDF."""
        with self._speaking(letter.locale):
            view = letter.receipt
            paper = receipt_paper(view)
            content = _printed(paper, view.changed_at)
            file = Attachment(name=f"{paper.name}.pdf", maintype="application", subtype="pdf", content=content)
            charity = view.receipt.issuer["name"] or ""
            words = _Words(
                subject=_tested(
                    _("Thank you: your receipt %(number)s from %(charity)s", number=paper.name, charity=charity),
                    livemode=view.receipt.livemode,
                ),
                paragraphs=[
                    *_greeting(view.donor_name),
                    _("Thank you for your gift to %(charity)s. Your receipt is attached.", charity=charity),
                    *paper.notices,
                ],
                rows=[*paper.rows, *_how_often(view.donation.frequency)],
                links=[
                    (_("Look at the receipt"), letter.page_url),
                    *_optional(_("All gifts of this year"), letter.statement_url),
                    *_optional(_("Stop giving regularly"), letter.stop_url),
                ],
                reason=_("You get this mail because a gift was made with your address."),
            )
            return _composed(words, [file])

    def reminder(self, letter: ReminderLetter) -> Composed:
        """Write the mail that reminds of a promise."""
        with self._speaking(letter.locale):
            pledge, charity = letter.pledge.pledge, letter.pledge.charity_name
            amount = money_text(pledge.amount)
            words = _Words(
                subject=_tested(_("Your gift to %(charity)s", charity=charity), livemode=pledge.livemode),
                paragraphs=[
                    *_greeting(pledge.name),
                    _asked(pledge.frequency, amount, charity),
                    _("Nothing is charged by itself: you decide each time."),
                ],
                rows=[(_("Campaign"), letter.pledge.campaign.title), (_("Amount"), amount)],
                links=[(_("Give again"), letter.give_url), (_("Stop these reminders"), letter.stop_url)],
                reason=_("You get this mail because you asked to be reminded."),
            )
            return _composed(words, [])

    def statement_pdf(self, view: StatementView, tag: str | None) -> bytes:
        """Print a year's statement in a language."""
        with self._speaking(tag):
            return _printed(statement_paper(view), view.changed_at)

    @contextmanager
    def _speaking(self, tag: str | None) -> Iterator[None]:
        with self._app.app_context(), force_locale(known_language(tag) or "en"):
            yield


def _printed(paper: Paper, issued_at: datetime) -> bytes:
    return pdf_of(paper, language=str(locale().language), is_rtl=direction() == "rtl", issued_at=issued_at)


def _composed(words: _Words, attachments: Sequence[Attachment]) -> Composed:
    look = {"words": words, "language": str(locale().language), "direction": direction()}
    return Composed(
        subject=words.subject,
        text=render_template("receipts/mail.txt", **look),
        html=render_template("receipts/mail.html", **look),
        attachments=attachments,
    )


def _greeting(name: str | None) -> list[str]:
    return [_("Dear %(name)s,", name=name)] if name else []


def _asked(frequency: Frequency, amount: str, charity: str) -> str:
    match frequency:
        case Frequency.QUARTERLY:
            return _(
                "You wanted to give %(amount)s to %(charity)s every three months. It is that time again.",
                amount=amount,
                charity=charity,
            )
        case Frequency.YEARLY:
            return _(
                "You wanted to give %(amount)s to %(charity)s every year. It is that time again.",
                amount=amount,
                charity=charity,
            )
        case Frequency.MONTHLY | Frequency.ONCE:
            return _(
                "You wanted to give %(amount)s to %(charity)s every month. It is that time again.",
                amount=amount,
                charity=charity,
            )


def _how_often(frequency: Frequency) -> Rows:
    return [] if frequency is Frequency.ONCE else [(_("How often"), frequency_words()[frequency])]


def _tested(subject: str, *, livemode: bool) -> str:
    return subject if livemode else _("[Test] %(subject)s", subject=subject)


def _optional(label: str, url: str | None) -> list[tuple[str, str]]:
    return [] if url is None else [(label, url)]
