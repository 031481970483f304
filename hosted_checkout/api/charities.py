"""`/v1/charities`: for whom is collected, and what each of them is owed."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from gateway.domain.ageing import Bucket
from gateway.engine.donations import charities as verbs
from gateway.kernel.clock import rfc3339
from gateway.kernel.errors import ErrorCode
from gateway.kernel.money import Money
from gateway.reporting.donations import Standing
from hosted_checkout.api.answers import ListOf
from hosted_checkout.api.answers_giving import Charity, CharityStatement
from hosted_checkout.api.fields import Country, Email, Flag, Line, Metadata, Prose, Wallet, Website
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict, changes_of, listed
from hosted_checkout.api.lists import PageQuery

Name = Annotated[Line, Field(max_length=120, examples=["River Fund"])]
LegalName = Annotated[Line, Field(examples=["River Fund e.V."])]
TaxId = Annotated[Line, Field(max_length=60, examples=["12/345/67890"])]
Address = Annotated[Prose, Field(min_length=1, max_length=500)]
TaxStatement = Annotated[Prose, Field(min_length=1, max_length=2000)]
SolanaAddress = Annotated[Wallet, Field(examples=["7S3P4HxJpyyigGzodYwHtCxZyUQe9JiBMHyRWXArAaKv"])]
_WALLET_ERRORS = (ErrorCode.URL_INVALID, ErrorCode.WALLET_ADDRESS_INVALID, ErrorCode.METHOD_UNAVAILABLE)
_OPTIONAL = frozenset({"tax_id", "address", "country", "tax_statement", "website", "email", "solana_address"})

routes = Routes("Charities")


class NewCharity(Strict):
    """What you say of a charity; its receipts say the same."""

    name: Name = Field(description="What shoppers and donors see.")
    legal_name: LegalName = Field(description="What its receipts call it.")
    receipt_prefix: str = Field(
        pattern=r"^[A-Z0-9][A-Z0-9-]{0,11}$",
        description="Stands before the numbers of its receipts; it never changes.",
        examples=["RF"],
    )
    tax_id: TaxId | None = Field(default=None, description="Its number at the tax office.")
    address: Address | None = Field(default=None, description="As its receipts show it.")
    country: Country | None = Field(default=None, description="ISO 3166 alpha-2.")
    tax_statement: TaxStatement | None = Field(default=None, description="What a receipt must say for the tax office.")
    website: Website | None = Field(default=None, description="Its own pages.")
    email: Email | None = Field(default=None, description="Where it is written to.")
    solana_address: SolanaAddress | None = Field(
        default=None, description="Where its part of a wallet's payment goes at once; without one, it is owed."
    )
    is_own: bool = Field(
        default=False, description="You are this charity: gifts to it are your own money. It never changes."
    )
    metadata: Metadata = Field(default_factory=dict, description="Texts of your own, given back with the charity.")


class CharityChanges(Strict):
    """What to change; what is not named stays. Receipts that were issued stay as they are.

    `null` empties a field; a name, and `metadata`, it leaves as they are.
    """

    name: Name | None = Field(default=None, description="What shoppers and donors see.")
    legal_name: LegalName | None = Field(default=None, description="What its receipts call it.")
    tax_id: TaxId | None = Field(default=None, description="Its number at the tax office.")
    address: Address | None = Field(default=None, description="As its receipts show it.")
    country: Country | None = Field(default=None, description="ISO 3166 alpha-2.")
    tax_statement: TaxStatement | None = Field(default=None, description="What a receipt must say for the tax office.")
    website: Website | None = Field(default=None, description="Its own pages.")
    email: Email | None = Field(default=None, description="Where it is written to.")
    solana_address: SolanaAddress | None = Field(default=None, description="For gifts that come from now on.")
    metadata: Metadata | None = Field(default=None, description="Replaces all texts.")


class CharityQuery(PageQuery):
    """Filters of the list."""

    cursor_prefix: ClassVar[str] = "cha"

    is_active: Flag | None = Field(default=None, description="Only charities to collect for, or only archived ones.")


@routes.post("/v1/charities", body=NewCharity, answers={201: Charity}, errors=_WALLET_ERRORS)
def create_charity(rooms: Rooms, call: Call[NewCharity, Empty]) -> Answer:
    """Make a charity, to collect for it."""
    new = verbs.NewCharity(**{name: getattr(call.body, name) for name in NewCharity.model_fields})
    return Answer.reply(rooms.engine.charities.create(call.intent, new))


@routes.get("/v1/charities", query=CharityQuery, answers={200: ListOf[Charity]})
def list_charities(rooms: Rooms, call: Call[Empty, CharityQuery]) -> Answer:
    """List charities, newest first."""
    query = call.query
    return listed(rooms.engine.charities.page(call.owner, query.page(), is_active=query.is_active), call.path)


@routes.get("/v1/charities/{id}", prefix="cha", answers={200: Charity})
def retrieve_charity(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read a charity."""
    return Answer.of(rooms.engine.charities.retrieve(call.owner, call.id))


@routes.patch("/v1/charities/{id}", prefix="cha", body=CharityChanges, answers={200: Charity}, errors=_WALLET_ERRORS)
def update_charity(rooms: Rooms, call: Call[CharityChanges, Empty]) -> Answer:
    """Change what you say of a charity."""
    changes = changes_of(call.body, emptied_by_null=_OPTIONAL)
    return Answer.of(rooms.engine.charities.update(call.owner, call.id, changes))


@routes.post("/v1/charities/{id}/archive", prefix="cha", answers={200: Charity})
def archive_charity(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Collect nothing new for a charity.

    Its campaigns are closed and no checkout offers it any more. What is owed to it stays owed, and gifts that repeat
    go on until their donors stop them.
    """
    return Answer.reply(rooms.engine.charities.archive(call.intent, call.id))


@routes.get("/v1/charities/{id}/statement", prefix="cha", answers={200: CharityStatement})
def retrieve_charity_statement(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read what a charity was given, what it got, and what it is owed for how long.

    In each currency that came: gifts are what is owed, was paid out, was paid at once by payers' wallets, is your own
    charity's, and went back. Payouts count against the oldest gifts.
    """
    charity, now = rooms.engine.charities.retrieve(call.owner, call.id), rooms.engine.core.clock.now()
    shown = {
        "object": "charity_statement",
        "charity": charity["id"],
        "charity_name": charity["name"],
        "livemode": charity["livemode"],
        "as_of": rfc3339(now),
        "standings": [_standing(one) for one in rooms.donations.statement(call.id, now)],
    }
    return Answer.of(shown)


def _standing(one: Standing) -> dict[str, Any]:
    return {
        "currency": one.gifts.currency,
        "gifts": one.gifts.major,
        "reversed": one.reversed_.major,
        "paid_out": one.paid_out.major,
        "payouts_canceled": one.payouts_canceled.major,
        "paid_at_source": one.paid_at_source.major,
        "kept": one.kept.major,
        "owed": one.owed.major,
        "ages": _ages(one.ages, one.gifts.currency),
    }


def _ages(ages: Sequence[Bucket], code: str) -> list[dict[str, Any]]:
    return [
        {"from_days": one.from_days, "to_days": one.to_days, "amount": Money(one.amount, code).major} for one in ages
    ]
