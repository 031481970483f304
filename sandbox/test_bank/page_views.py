"""What the bank's pages print: Stripe's objects as words and formatted money, so that templates only place them.

Amounts are whole numbers throughout, with the exponents of Stripe's wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from sandbox.test_bank.cards import ALL, CardEffect, TestCard
from sandbox.test_bank.desk import Wire
from sandbox.test_bank.money import exponent


class Told(NamedTuple):
    """What a page says of a session that is over: a headline, and what it means."""

    title: str
    sentence: str


_SIGNS: Final = {"EUR": "€", "GBP": "£", "USD": "$", "JPY": "¥", "INR": "₹"}
_DEBITS: Final = frozenset({"us_bank_account", "sepa_debit", "bacs_debit", "au_becs_debit", "acss_debit"})
_BRANDS: Final = {"visa": "Visa", "mastercard": "Mastercard", "amex": "American Express", "jcb": "JCB"}
GENERIC_DECLINE: Final = "generic_decline"
CHALLENGE_FAILED: Final = "challenge_failed"
_DECLINES: Final = {card.decline_code or card.code: card.message for card in ALL if card.code} | {
    CHALLENGE_FAILED: "Your bank could not confirm that it is you."
}
_QUICK: Final = (("4242", "Succeeds"), ("3220", "3-D Secure"), ("0002", "Declined"), ("9995", "No funds"))
_PLACED: Final = Told("The order is placed", "It is not paid yet: the money follows later.")
_UNPAID: Final = {
    "processing": Told(
        "The bank debit is on its way", "The order is placed, but not paid before the debit has settled."
    ),
    "requires_capture": Told("The amount is reserved", "Your card holds it until the shop collects it or lets it go."),
    "requires_payment_method": Told("The bank debit failed", "Nothing was paid. Ask the shop how to go on."),
    "canceled": Told("The amount was released", "Nothing was taken from your card."),
}
"""What a complete session that is not paid waits for, by the status of its payment intent."""
_SESSION_ID: Final = "{CHECKOUT_SESSION_ID}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineView:
    """One line of the order."""

    name: str
    quantity: int | None
    amount: str
    every: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A Checkout Session, ready to print; `told` is the truth about one that is over."""

    id: str
    status: str
    mode: str
    heading: str
    amount: str | None
    every: str | None
    button: str
    lines: tuple[LineView, ...]
    takes_debit: bool
    asks_email: bool
    email: str | None
    reference: str | None
    told: Told
    return_url: str | None
    cancel_url: str | None
    shop: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardGroup:
    """Test cards that show the same kind of thing."""

    title: str
    cards: tuple[TestCard, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CardLists:
    """The cards beside a form: all of them in groups, and a few under a word."""

    groups: tuple[CardGroup, ...]
    quick: tuple[tuple[str, TestCard], ...]


def amount_text(amount: int, currency: str) -> str:
    """Return an amount to read: `€1,234.50`, `¥1,200`, `KWD 1.500`."""
    code, places = currency.upper(), exponent(currency.lower())
    major, minor = divmod(abs(amount), 10**places)
    number = f"{major:,}" + (f".{minor:0{places}}" if places else "")
    return ("\u2212" if amount < 0 else "") + _SIGNS.get(code, f"{code}\u00a0") + number


def every_text(recurring: Wire | None) -> str | None:
    """Return the rhythm of a recurring price: `every month`, `every 3 months`."""
    if not recurring:
        return None
    count, interval = recurring.get("interval_count") or 1, recurring["interval"]
    return f"every {interval}" if count == 1 else f"every {count} {interval}s"


def time_text(unix_s: int) -> str:
    """Return a time of the bank's clock."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def day_text(unix_s: int) -> str:
    """Return a day of the bank's clock, for people: `3 March 2027`."""
    moment = datetime.fromtimestamp(unix_s, UTC)
    return f"{moment.day} {moment:%B %Y}"


def decline_sentence(code: str | None) -> str | None:
    """Return what a shopper is told, by the word in the address; a word that nobody knows gets the general sentence."""
    return _DECLINES.get(code, _DECLINES[GENERIC_DECLINE]) if code else None


def brand_name(brand: str) -> str:
    """Return a brand as people write it."""
    return _BRANDS.get(brand, "Card")


def safe_link(url: Any) -> str | None:
    """Return an address that a page may lead to; one that is no plain web address (`javascript:`) is None."""
    if not isinstance(url, str) or any(ord(letter) <= ord(" ") for letter in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in {"http", "https"} and parts.netloc else None


def view_of(session: Wire) -> SessionView:
    """Return the view of a session as the bank has it now."""
    lines = tuple(_line(line) for line in (session.get("line_items") or {}).get("data", ()))
    amount = _total(session)
    cancel_url, return_url = safe_link(session.get("cancel_url")), _return_url(session)
    return SessionView(
        id=session["id"],
        status=session["status"],
        mode=session["mode"],
        heading=_heading(session),
        amount=amount,
        every=next((line.every for line in lines if line.every), None),
        button=_button(session, amount),
        lines=lines,
        takes_debit=session["mode"] == "payment" and not _DEBITS.isdisjoint(session.get("payment_method_types") or ()),
        asks_email=not session.get("customer") and not session.get("customer_email"),
        email=session.get("customer_email"),
        reference=session.get("client_reference_id"),
        told=_told(session),
        return_url=return_url,
        cancel_url=cancel_url,
        shop=urlsplit(cancel_url or return_url or "").netloc or "the shop",
    )


def card_lists() -> CardLists:
    """Return every test card by what it shows, and the few that are wanted most, named by what they do."""
    wanted = ((words, card_of_last4(last4)) for last4, words in _QUICK)
    return CardLists(groups=_card_groups(), quick=tuple((words, card) for words, card in wanted if card))


def _card_groups() -> tuple[CardGroup, ...]:
    groups: dict[str, list[TestCard]] = {title: [] for title in ("Succeeds", "3-D Secure", "Declines", "Afterwards")}
    for card in ALL:
        groups[_group(card.effect)].append(card)
    return tuple(CardGroup(title=title, cards=tuple(cards)) for title, cards in groups.items())


def card_of_last4(last4: str) -> TestCard | None:
    """Return the test card that ends so; the endings of the list are unique."""
    return next((card for card in ALL if card.last4 == last4), None)


def _group(effect: CardEffect) -> str:
    match effect:
        case CardEffect.SUCCESS | CardEffect.AVAILABLE_AT_ONCE:
            return "Succeeds"
        case CardEffect.CHALLENGE | CardEffect.CHALLENGE_UNLESS_SET_UP | CardEffect.CHALLENGE_THEN_DECLINE:
            return "3-D Secure"
        case CardEffect.DECLINE | CardEffect.BLOCKED | CardEffect.ATTACH_THEN_FAIL:
            return "Declines"
        case (
            CardEffect.DISPUTE_FRAUD
            | CardEffect.DISPUTE_NOT_RECEIVED
            | CardEffect.INQUIRY
            | CardEffect.EARLY_FRAUD_WARNING
            | CardEffect.REFUND_PENDING_OK
            | CardEffect.REFUND_FAILS
        ):
            return "Afterwards"


def _told(session: Wire) -> Told:
    if session["status"] != "complete":
        return Told("This checkout has expired", "Nothing was paid, and nothing can be paid here any more.")
    match session["mode"], session["payment_status"]:
        case "setup", _:
            return Told("The card is saved", "Nothing was charged.")
        case "subscription", _:
            return Told("The subscription has started", "There is nothing left to do here.")
        case _, "no_payment_required":
            return Told("The order is placed", "Nothing had to be paid.")
        case _, "unpaid":
            intent = session.get("payment_intent")
            return _UNPAID.get(intent["status"] if isinstance(intent, Mapping) else "", _PLACED)
        case _:
            return Told("This is paid", "There is nothing left to do here. It cannot be paid a second time.")


def _line(line: Wire) -> LineView:
    return LineView(
        name=line.get("description") or "Item",
        quantity=quantity if (quantity := line.get("quantity") or 1) != 1 else None,
        amount=amount_text(line["amount_total"], line["currency"]),
        every=every_text((line.get("price") or {}).get("recurring")),
    )


def _total(session: Wire) -> str | None:
    if session["mode"] == "setup" or session.get("amount_total") is None:
        return None
    return amount_text(session["amount_total"], session["currency"])


def _heading(session: Wire) -> str:
    match session["mode"], session.get("submit_type"):
        case "setup", _:
            return "Save a card"
        case "subscription", _:
            return "Start a subscription"
        case _, "donate":
            return "Donate"
        case _, "book":
            return "Book"
        case _:
            return "Pay"


def _button(session: Wire, amount: str | None) -> str:
    match session["mode"], session.get("submit_type"):
        case "setup", _:
            return "Save card"
        case "subscription", _:
            return "Start trial" if session.get("amount_total") == 0 else "Subscribe"
        case _, "donate":
            return f"Donate {amount}"
        case _, "book":
            return f"Book for {amount}"
        case _, "subscribe":
            return "Subscribe"
        case _:
            return f"Pay {amount}"


def _return_url(session: Wire) -> str | None:
    """Return the shop's page for success; Stripe replaces the placeholder wherever it stands in the address."""
    url = session.get("success_url")
    return safe_link(url.replace(_SESSION_ID, session["id"])) if isinstance(url, str) else None
