"""What a donor wrote: read field by field, kept as it was written, refused with a sentence at the field."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from donation_widget.amounts import cover_of, written_amount
from gateway.domain.donations import Frequency
from gateway.engine.donations.giving import Donor, NewGift, keeping
from gateway.engine.donations.pledges import PledgeRecord
from gateway.engine.donations.records import CampaignRecord
from gateway.kernel.cards import has_card_number
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.kernel.money import Money, parse_money
from hosted_checkout.i18n import gettext as _
from hosted_checkout.i18n import money_text

OTHER: Final = "other"  # the choice beside the presets
WALLET: Final = "wallet"
TRIBUTES: Final = ("honor", "memory")
NAME_LIMIT: Final = 120
EMAIL_LIMIT: Final = 254
COMMENT_LIMIT: Final = 1000
_EMAIL: Final = re.compile(r"[^@\s,;:<>()\[\]\"\\]+@[^@\s,;:<>()\[\]\"\\]+\.[^@\s,;:<>()\[\]\"\\]+")
# Characters that change how the text around them reads: https://unicode.org/reports/tr9/
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_LINES: Final = frozenset("\n\t")
_FLAGS: Final = ("covers_fees", "anonymous", "on_wall")
_TEXTS: Final = (
    "preset", "amount", "frequency", "way", "repeat_email", "name", "email", "tribute", "tribute_name", "comment",
    "pledge",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The form as it was filled in; each text as it came."""

    preset: str = ""
    amount: str = ""
    frequency: str = Frequency.ONCE.value
    way: str = "card"
    repeat_email: str = ""
    name: str = ""
    email: str = ""
    tribute: str = ""
    tribute_name: str = ""
    comment: str = ""
    pledge: str = ""  # what a reminder's link carries
    covers_fees: bool = False
    anonymous: bool = False
    on_wall: bool = False

    @classmethod
    def of(cls, sent: Mapping[str, str]) -> "Written":
        """Read what a browser sent; what it left out is as in an empty form."""
        values: dict[str, Any] = {name: sent[name] for name in _TEXTS if name in sent}
        values |= {name: bool(sent.get(name)) for name in _FLAGS}
        return cls(**values)

    @classmethod
    def asked(cls, query: Mapping[str, str], campaign: CampaignRecord) -> "Written":
        """Return an empty form, with the amount and frequency that a link asks for if the campaign takes them."""
        frequency = query.get("frequency", "")
        if frequency not in campaign.frequencies:
            frequency = campaign.frequencies[0] if Frequency.ONCE not in campaign.frequencies else Frequency.ONCE
        empty = cls(frequency=str(frequency), pledge=query.get("pledge", ""))
        try:
            amount = _bounded(campaign, written_amount(query.get("amount", ""), campaign.currency))
        except InvalidRequestError:
            return empty
        if amount in campaign.presets:
            return replace(empty, preset=amount.major)
        return replace(empty, preset=OTHER, amount=amount.major)

    @property
    def repeats(self) -> bool:
        """Whether the donor wants to give again."""
        return self.frequency != Frequency.ONCE


@dataclass(slots=True)
class Reading:
    """A form that is read: the sentences for what cannot stand, by field, in the form's order.

    Attributes:
        pledge: the promise that the gift keeps; how often it is given was said then.
    """

    campaign: CampaignRecord
    written: Written
    pledge: PledgeRecord | None = None
    problems: dict[str, str] = field(default_factory=dict)

    def gift(self, form_id: str, *, locale: str) -> NewGift | None:
        """Return what the donor asks for; None with `problems` if something cannot stand."""
        amount, frequency = self._amount(), self._frequency()
        email, name = self._email(), self._line("name")
        tribute, comment = self._tribute(), self._comment()
        if self.problems or amount is None or frequency is None:
            return None
        covers_fees = self.written.covers_fees and bool(cover_of(self.campaign, amount))
        gift = NewGift(
            amount=amount,
            form_id=form_id,
            frequency=frequency,
            covers_fees=covers_fees,
            by_wallet=frequency is not Frequency.ONCE and self.written.way == WALLET,
            is_anonymous=self.written.anonymous,
            on_wall=self.written.on_wall and self.campaign.shows_wall,
            locale=locale,
            donor=Donor(name=name, email=email, comment=comment, tribute=tribute),
        )
        return gift if self.pledge is None else keeping(self.pledge, gift)

    def _amount(self) -> Money | None:
        code, chosen = self.campaign.currency, self.written.preset
        text = self.written.amount if chosen in {"", OTHER} else chosen
        if not text.strip():
            self.problems["amount"] = _("Choose how much you give.")
            return None
        try:
            return _bounded(
                self.campaign, written_amount(text, code) if chosen in {"", OTHER} else parse_money(text, code)
            )
        except InvalidRequestError as error:
            self.problems["amount"] = amount_sentence(self.campaign, error.code)
            return None

    def _frequency(self) -> Frequency | None:
        if self.pledge is not None:
            return self.pledge.frequency
        if self.written.frequency in self.campaign.frequencies:
            return Frequency(self.written.frequency)
        self.problems["frequency"] = _("Choose how often you give.")
        return None

    def _email(self) -> str | None:
        """Return the address; one is needed only to give again."""
        repeats = self.written.repeats and self.pledge is None
        place = "repeat_email" if repeats else "email"
        text = (self.written.repeat_email if repeats else "") or self.written.email
        text = text.strip()
        if not text and repeats:
            self.problems[place] = _("Write your e-mail address: each mail has a link that ends your gifts.")
        elif text and not (len(text) <= EMAIL_LIMIT and text.isprintable() and _EMAIL.fullmatch(text)):
            self.problems[place] = _("Write one address, such as name@example.org.")
        return text or None

    def _line(self, name: str) -> str | None:
        """Return a text of one line."""
        text = unicodedata.normalize("NFC", getattr(self.written, name)).strip()
        self._check(name, text, NAME_LIMIT, allowed=frozenset())
        return text or None

    def _comment(self) -> str | None:
        if not self.campaign.offers_comment:
            return None
        text = unicodedata.normalize("NFC", self.written.comment).replace("\r\n", "\n").strip()
        self._check("comment", text, COMMENT_LIMIT, allowed=_LINES)
        return text or None

    def _tribute(self) -> Mapping[str, str] | None:
        if not self.campaign.offers_tribute:
            return None
        name = self._line("tribute_name")
        if self.written.tribute not in TRIBUTES:
            return None
        if name is None:
            self.problems.setdefault("tribute_name", _("Write the name of the person."))
            return None
        return {"kind": self.written.tribute, "name": name}

    def _check(self, name: str, text: str, limit: int, *, allowed: frozenset[str]) -> None:
        if len(text) > limit:
            counts = {"limit": limit, "length": len(text)}
            self.problems[name] = _("This is too long: %(length)d characters, %(limit)d fit.", **counts)
        elif any(each in _TURNING or (each not in allowed and _is_control(each)) for each in text):
            self.problems[name] = _("This has characters that cannot be shown. Write it again.")
        elif has_card_number(text):
            self.problems[name] = _("This looks like a card number. Write it nowhere but on the payment page.")


def amount_sentence(campaign: CampaignRecord, code: ErrorCode) -> str:
    """Return what is wrong with an amount."""
    if code is ErrorCode.AMOUNT_TOO_PRECISE:
        return _("This has too many decimals. Leave out what separates thousands.")
    if code in {ErrorCode.AMOUNT_OUT_OF_BOUNDS, ErrorCode.AMOUNT_NOT_POSITIVE, ErrorCode.AMOUNT_TOO_LARGE}:
        return _("Give from %(least)s to %(most)s.", **bounds(campaign))
    return _("Write the amount in figures, for example 25.")


def bounds(campaign: CampaignRecord) -> dict[str, str]:
    """Return the least and the most that may be given, as people write them."""
    return {"least": money_text(campaign.min_amount), "most": money_text(campaign.max_amount)}


def _bounded(campaign: CampaignRecord, amount: Money) -> Money:
    if not campaign.min_amount <= amount <= campaign.max_amount:
        raise InvalidRequestError(ErrorCode.AMOUNT_OUT_OF_BOUNDS, "The amount is out of bounds.", param="/amount")
    return amount


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}
