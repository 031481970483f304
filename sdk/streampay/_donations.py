"""The API's resources of giving: charities, their campaigns, gifts at checkout, donations, payouts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from streampay import models
from streampay._api import (
    UNCHANGED,
    Api,
    Unchanged,
    amount_text,
    changed,
    given,
    instant_text,
    kept,
    path_with,
)
from streampay._pages import Page
from streampay._resources import Resource, text_list

_CHARITIES: Final = "/v1/charities"
_CAMPAIGNS: Final = "/v1/donation_campaigns"
_CONFIGS: Final = "/v1/donation_configs"
_DONATIONS: Final = "/v1/donations"
_PAYOUTS: Final = "/v1/donation_payouts"


class Charities(Resource):
    """`client.charities`: for whom is collected, and what each of them is owed."""

    def create(
        self,
        *,
        name: str,
        legal_name: str,
        receipt_prefix: str,
        tax_id: str | None = None,
        address: str | None = None,
        country: str | None = None,
        tax_statement: str | None = None,
        website: str | None = None,
        email: str | None = None,
        solana_address: str | None = None,
        is_own: bool | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.Charity:
        """Make a charity, to collect for it.

        Args:
            name: what shoppers and donors see.
            legal_name: what its receipts call it.
            receipt_prefix: stands before the numbers of its receipts, up to 12 of A-Z, 0-9 and `-`; it never changes.
            tax_id: its number at the tax office.
            address: as its receipts show it.
            country: ISO 3166 alpha-2, `"DE"`.
            tax_statement: what its receipts must say for the tax office.
            website: its own pages.
            email: where it is written to.
            solana_address: where its part of a wallet's payment goes at once; without one, you owe it.
            is_own: you are this charity, and owe nobody what it is given; it never changes.
            metadata: texts of your own.
            idempotency_key: name it to make your own repetition safe as well; otherwise a random one is sent.

        Raises:
            InvalidRequest: the address is none of that chain (`wallet_address_invalid`).
        """
        body = given(
            name=name,
            legal_name=legal_name,
            receipt_prefix=receipt_prefix,
            tax_id=tax_id,
            address=address,
            country=country,
            tax_statement=tax_statement,
            website=website,
            email=email,
            solana_address=solana_address,
            is_own=is_own,
            metadata=None if metadata is None else dict(metadata),
        )
        return self._api.post(models.Charity, _CHARITIES, body, idempotency_key)

    def retrieve(self, charity_id: str) -> models.Charity:
        """Read a charity."""
        return self._api.get(models.Charity, path_with(_CHARITIES, charity_id))

    def update(
        self,
        charity_id: str,
        *,
        name: str | Unchanged = UNCHANGED,
        legal_name: str | Unchanged = UNCHANGED,
        tax_id: str | Unchanged | None = UNCHANGED,
        address: str | Unchanged | None = UNCHANGED,
        country: str | Unchanged | None = UNCHANGED,
        tax_statement: str | Unchanged | None = UNCHANGED,
        website: str | Unchanged | None = UNCHANGED,
        email: str | Unchanged | None = UNCHANGED,
        solana_address: str | Unchanged | None = UNCHANGED,
        metadata: Mapping[str, str] | Unchanged = UNCHANGED,
    ) -> models.Charity:
        """Change what is given; None empties it. Receipts that were issued stay as they are."""
        body = changed(
            name=name,
            legal_name=legal_name,
            tax_id=tax_id,
            address=address,
            country=country,
            tax_statement=tax_statement,
            website=website,
            email=email,
            solana_address=solana_address,
            metadata=kept(metadata, dict),
        )
        return self._api.patch(models.Charity, path_with(_CHARITIES, charity_id), body)

    def archive(self, charity_id: str, *, idempotency_key: str | None = None) -> models.Charity:
        """Collect nothing new for it: its campaigns are closed, no checkout offers it; what is owed stays owed."""
        return self._api.post(models.Charity, path_with(_CHARITIES, charity_id, "/archive"), {}, idempotency_key)

    def list(
        self,
        *,
        is_active: bool | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.Charity]:
        """List charities, newest first."""
        query = given(
            is_active=_truth(is_active), limit=limit, starting_after=starting_after, ending_before=ending_before
        )
        return self._api.page(models.Charity, _CHARITIES, query)

    def statement(self, charity_id: str) -> models.CharityStatement:
        """Read what it was given, what it got, and what it has been owed for how long, in each currency."""
        return self._api.get(models.CharityStatement, path_with(_CHARITIES, charity_id, "/statement"))


class Campaigns(Resource):
    """`client.donations.campaigns`: what a charity collects for."""

    def create(
        self,
        *,
        charity: str,
        title: str,
        currency: str,
        min_amount: str | Decimal,
        max_amount: str | Decimal,
        story: str | None = None,
        presets: Iterable[str | Decimal] | None = None,
        frequencies: Iterable[str] | None = None,
        goal: str | Decimal | None = None,
        offers_fee_cover: bool | None = None,
        fee_bps: int | None = None,
        fee_fixed: str | Decimal | None = None,
        offers_tribute: bool | None = None,
        offers_comment: bool | None = None,
        shows_wall: bool | None = None,
        locales: Iterable[str] | None = None,
        origins: Iterable[str] | None = None,
        ends_at: datetime | str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.DonationCampaign:
        """Make a campaign; link to its `url`, or frame its form from one of `origins`.

        Amounts are major units as text or Decimal, in `currency`, which never changes: gifts go from `min_amount` to
        `max_amount`, `presets` are up to six to choose from, `goal` is what is wanted. `frequencies` are of `"once"`,
        `"monthly"`, `"quarterly"`, `"yearly"`; the gateway's default is once.

        With `offers_fee_cover` donors may add what a payment costs you: `fee_bps` hundredths of a percent of it, and
        `fee_fixed`. `offers_tribute` lets them give in honour of somebody, `offers_comment` lets them write, which
        nobody sees before you have read it, and `shows_wall` names those who wish it. `story` is plain text, `locales`
        are of `"en"`, `"de"`, `"ar"`, and `ends_at` is a datetime with its time zone, or the API's text.

        Raises:
            Conflict: nothing new is collected for the charity (`charity_archived`).
        """
        body = _form(
            charity=charity,
            currency=currency,
            title=title,
            min_amount=min_amount,
            max_amount=max_amount,
            story=story,
            presets=presets,
            frequencies=frequencies,
            goal=goal,
            offers_fee_cover=offers_fee_cover,
            fee_bps=fee_bps,
            fee_fixed=fee_fixed,
            offers_tribute=offers_tribute,
            offers_comment=offers_comment,
            shows_wall=shows_wall,
            locales=locales,
            origins=origins,
            ends_at=ends_at,
            metadata=metadata,
        )
        return self._api.post(models.DonationCampaign, _CAMPAIGNS, given(**body), idempotency_key)

    def retrieve(self, campaign_id: str) -> models.DonationCampaign:
        """Read a campaign."""
        return self._api.get(models.DonationCampaign, path_with(_CAMPAIGNS, campaign_id))

    def update(
        self,
        campaign_id: str,
        *,
        title: str | Unchanged = UNCHANGED,
        min_amount: str | Decimal | Unchanged = UNCHANGED,
        max_amount: str | Decimal | Unchanged = UNCHANGED,
        story: str | Unchanged = UNCHANGED,
        presets: Iterable[str | Decimal] | Unchanged = UNCHANGED,
        frequencies: Iterable[str] | Unchanged = UNCHANGED,
        goal: str | Decimal | Unchanged | None = UNCHANGED,
        offers_fee_cover: bool | Unchanged = UNCHANGED,
        fee_bps: int | Unchanged = UNCHANGED,
        fee_fixed: str | Decimal | Unchanged | None = UNCHANGED,
        offers_tribute: bool | Unchanged = UNCHANGED,
        offers_comment: bool | Unchanged = UNCHANGED,
        shows_wall: bool | Unchanged = UNCHANGED,
        locales: Iterable[str] | Unchanged = UNCHANGED,
        origins: Iterable[str] | Unchanged = UNCHANGED,
        ends_at: datetime | str | Unchanged | None = UNCHANGED,
        metadata: Mapping[str, str] | Unchanged = UNCHANGED,
    ) -> models.DonationCampaign:
        """Change what is given; None removes `goal`, `fee_fixed` and `ends_at`.

        A list replaces the whole list: `frequencies` of once, monthly, quarterly, yearly; `locales` of en, de, ar.
        """
        body = _form(
            title=title,
            min_amount=min_amount,
            max_amount=max_amount,
            story=story,
            presets=presets,
            frequencies=frequencies,
            goal=goal,
            offers_fee_cover=offers_fee_cover,
            fee_bps=fee_bps,
            fee_fixed=fee_fixed,
            offers_tribute=offers_tribute,
            offers_comment=offers_comment,
            shows_wall=shows_wall,
            locales=locales,
            origins=origins,
            ends_at=ends_at,
            metadata=metadata,
        )
        return self._api.patch(models.DonationCampaign, path_with(_CAMPAIGNS, campaign_id), changed(**body))

    def close(self, campaign_id: str, *, idempotency_key: str | None = None) -> models.DonationCampaign:
        """Take no more gifts, for good; those that repeat go on until their donors stop them."""
        path = path_with(_CAMPAIGNS, campaign_id, "/close")
        return self._api.post(models.DonationCampaign, path, {}, idempotency_key)

    def list(
        self,
        *,
        charity: str | None = None,
        is_open: bool | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.DonationCampaign]:
        """List campaigns, newest first."""
        query = given(
            charity=charity,
            is_open=_truth(is_open),
            limit=limit,
            starting_after=starting_after,
            ending_before=ending_before,
        )
        return self._api.page(models.DonationCampaign, _CAMPAIGNS, query)

    def report(self, campaign_id: str) -> models.CampaignReport:
        """Read what it collected, as a whole and by month."""
        return self._api.get(models.CampaignReport, path_with(_CAMPAIGNS, campaign_id, "/report"))


class DonationPayouts(Resource):
    """`client.donations.payouts`: what you sent to charities, with what proves it."""

    def record(
        self,
        *,
        charity: str,
        amount: str | Decimal,
        currency: str,
        paid_at: datetime | str,
        reference: str,
        evidence: str,
        idempotency_key: str | None = None,
    ) -> models.DonationPayout:
        """Write down what you sent to a charity; the gateway moves no money, it books what is owed as paid out.

        Args:
            charity: the charity's id.
            amount: major units as text or Decimal, at most what it is owed in this currency.
            currency: `"USD"`.
            paid_at: when the money left you; a datetime with its time zone, or the API's text.
            reference: what the transfer is called at your bank, or its signature on a chain.
            evidence: what proves it: a link or a text.
            idempotency_key: your own name for this payout, so that it is never written down twice.

        Raises:
            Conflict: more than the charity is owed (`payout_exceeds_owed`).
        """
        body = {
            "charity": charity,
            "amount": amount_text(amount, "/amount"),
            "currency": currency,
            "paid_at": instant_text(paid_at, "/paid_at"),
            "reference": reference,
            "evidence": evidence,
        }
        return self._api.post(models.DonationPayout, _PAYOUTS, body, idempotency_key)

    def cancel(self, payout_id: str, *, reason: str, idempotency_key: str | None = None) -> models.DonationPayout:
        """Cancel a payout that was written down by mistake: the charity is owed again, for as long as it was before.

        Canceled twice, it stays as it was canceled first.
        """
        body = {"reason": reason}
        return self._api.post(models.DonationPayout, path_with(_PAYOUTS, payout_id, "/cancel"), body, idempotency_key)

    def retrieve(self, payout_id: str) -> models.DonationPayout:
        """Read a payout to a charity."""
        return self._api.get(models.DonationPayout, path_with(_PAYOUTS, payout_id))

    def list(
        self,
        *,
        charity: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.DonationPayout]:
        """List payouts to charities, newest first."""
        query = given(charity=charity, limit=limit, starting_after=starting_after, ending_before=ending_before)
        return self._api.page(models.DonationPayout, _PAYOUTS, query)


class DonationComments(Resource):
    """`client.donations.comments`: what donors wrote, as plain text, for your staff to read and decide on."""

    def list(
        self,
        *,
        campaign: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.DonationComment]:
        """List what donors wrote with gifts that came, newest gift first; `"pending"` are those to be read."""
        query = given(
            campaign=campaign, status=status, limit=limit, starting_after=starting_after, ending_before=ending_before
        )
        return self._api.page(models.DonationComment, "/v1/donation_comments", query)

    def retrieve(self, donation_id: str) -> models.DonationComment:
        """Read what a donor wrote with a gift.

        Raises:
            NotFound: it is nothing, or the donor was forgotten.
        """
        return self._api.get(models.DonationComment, path_with(_DONATIONS, donation_id, "/comment"))

    def moderate(self, donation_id: str, *, status: str, idempotency_key: str | None = None) -> models.DonationComment:
        """Let it stand on the donor wall from now on, `"shown"`, or not: `"hidden"`.

        Raises:
            Conflict: the donor did not mean it for the wall (`comment_private`).
        """
        path = path_with(_DONATIONS, donation_id, "/comment")
        return self._api.post(models.DonationComment, path, {"status": status}, idempotency_key)


class Donations(Resource):
    """`client.donations`: what was given; of the donors only what you ask for by name."""

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self.campaigns = Campaigns(api)
        self.comments = DonationComments(api)
        self.payouts = DonationPayouts(api)

    def retrieve(self, donation_id: str) -> models.Donation:
        """Read a donation."""
        return self._api.get(models.Donation, path_with(_DONATIONS, donation_id))

    def list(
        self,
        *,
        charity: str | None = None,
        campaign: str | None = None,
        pledge: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.Donation]:
        """List donations, newest first."""
        query = given(
            charity=charity,
            campaign=campaign,
            pledge=pledge,
            status=status,
            limit=limit,
            starting_after=starting_after,
            ending_before=ending_before,
        )
        return self._api.page(models.Donation, _DONATIONS, query)

    def receipt(self, donation_id: str) -> models.DonationReceipt:
        """Read the receipt of a gift to a campaign; pass its `url` on to the donor alone.

        Raises:
            NotFound: it has none: it has not come, or was given at checkout.
        """
        return self._api.get(models.DonationReceipt, path_with(_DONATIONS, donation_id, "/receipt"))

    def resend_receipt(
        self, donation_id: str, *, email: str | None = None, idempotency_key: str | None = None
    ) -> models.ReceiptMail:
        """Send a receipt once more, to the address that the donor left or to `email`.

        Raises:
            InvalidRequest: there is neither (`parameter_missing`).
            NotFound: it has no receipt.
        """
        path = path_with(_DONATIONS, donation_id, "/resend_receipt")
        return self._api.post(models.ReceiptMail, path, given(email=email), idempotency_key)

    def statement(self, *, charity: str, email: str, year: int) -> models.DonationStatement:
        """Read what the donor of an address gave to a charity in a year.

        Raises:
            NotFound: nothing.
        """
        body = {"charity": charity, "email": email, "year": year}
        return self._api.post(models.DonationStatement, f"{_DONATIONS}/statement", body, None)

    def erase(self, *, email: str, idempotency_key: str | None = None) -> models.DonorErasure:
        """Forget the person behind an address, and end what they promised; gifts and books stay, nameless.

        Raises:
            Conflict: they have a subscription that is no gift (`customer_in_use`).
            ServerError: a provider does not answer; call again, what was erased stays erased.
        """
        return self._api.post(models.DonorErasure, f"{_DONATIONS}/erase", {"email": email}, idempotency_key)


class DonationConfigs(Resource):
    """`client.donation_configs`: what shoppers are offered to give at checkout."""

    def create(
        self,
        *,
        charity: str,
        currency: str,
        mode: str,
        cap: str | Decimal,
        disclosure: str,
        unit: str | Decimal | None = None,
        amounts: Iterable[str | Decimal] | None = None,
        whole_totals: str | None = None,
        payout_terms: str | None = None,
        starts_at: datetime | str | None = None,
        ends_at: datetime | str | None = None,
        idempotency_key: str | None = None,
    ) -> models.DonationConfig:
        """Offer gifts at checkout; of those in force in a currency the newest counts, and none ever changes.

        Args:
            charity: the id of one of `client.charities`.
            currency: of the orders that it is for.
            mode: `"round_up"`, `"fixed"` or `"both"`.
            cap: nothing above it is ever offered.
            disclosure: what shoppers read before they choose.
            unit: totals are rounded up to a multiple of it: `"1"`, the gateway's default, `"5"`, `"10"`.
            amounts: up to three fixed amounts.
            whole_totals: what a whole total is offered: `"next"` (unit), the gateway's default, or nothing: `"hide"`.
            payout_terms: when and how you pay it out.
            starts_at: a datetime with its time zone, or the API's text; None for now.
            ends_at: the same; None for no end.
            idempotency_key: name it to make your own repetition safe as well; otherwise a random one is sent.

        Raises:
            Conflict: nothing new is collected for the charity (`charity_archived`).
        """
        body = given(
            charity=charity,
            currency=currency,
            mode=mode,
            unit=kept(unit, partial(amount_text, param="/unit")),
            cap=amount_text(cap, "/cap"),
            disclosure=disclosure,
            amounts=kept(amounts, partial(_write, "amounts")),
            whole_totals=whole_totals,
            payout_terms=payout_terms,
            starts_at=instant_text(starts_at, "/starts_at"),
            ends_at=instant_text(ends_at, "/ends_at"),
        )
        return self._api.post(models.DonationConfig, _CONFIGS, body, idempotency_key)

    def retrieve(self, config_id: str) -> models.DonationConfig:
        """Read a donation config."""
        return self._api.get(models.DonationConfig, path_with(_CONFIGS, config_id))

    def archive(self, config_id: str, *, idempotency_key: str | None = None) -> models.DonationConfig:
        """Offer nothing by it any more; gifts that were chosen stay."""
        return self._api.post(models.DonationConfig, path_with(_CONFIGS, config_id, "/archive"), {}, idempotency_key)

    def list(
        self,
        *,
        charity: str | None = None,
        is_active: bool | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.DonationConfig]:
        """List donation configs, newest first."""
        query = given(
            charity=charity,
            is_active=_truth(is_active),
            limit=limit,
            starting_after=starting_after,
            ending_before=ending_before,
        )
        return self._api.page(models.DonationConfig, _CONFIGS, query)

    def active(self, *, amount: str | Decimal, currency: str) -> models.DonationOffer:
        """Read what shoppers are offered on top of an amount now.

        Raises:
            NotFound: nothing is offered in this currency.
        """
        query = {"amount": amount_text(amount, "amount"), "currency": currency}
        return self._api.get(models.DonationOffer, f"{_CONFIGS}/active", query)


def _form(**fields: object) -> dict[str, object]:
    """Return a campaign's fields as the wire has them; None and UNCHANGED stay."""
    return {name: kept(value, partial(_write, name)) for name, value in fields.items()}


def _write(name: str, value: Any) -> object:
    match name:
        case "min_amount" | "max_amount" | "goal" | "fee_fixed":
            return amount_text(value, f"/{name}")
        case "presets" | "amounts":
            return [amount_text(one, f"/{name}/{place}") for place, one in enumerate(value)]
        case "frequencies" | "locales" | "origins":
            return text_list(value)
        case "ends_at":
            return instant_text(value, "/ends_at")
        case "metadata":
            return dict(value)
        case _:
            return value


def _truth(value: bool | None) -> str | None:  # noqa: FBT001 - private, the value itself
    return None if value is None else str(value).lower()
