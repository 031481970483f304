"""A campaign's pages as production serves them: the whole app over a card shop that gives."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from gateway.engine.donations.records import CampaignRecord
from gateway.storage import schema
from hosted_checkout.app import create_app
from sandbox.test_bank.server import RunningBank
from tests.cards.stage import a_card_shop
from tests.donations.stage import GivingShop

SITE: Final = "https://charity.example"
TOKEN: Final = re.compile(r'name="form" value="([^"]+)"')


class Campaigns(GivingShop):
    """A giving shop with its doors open, and a donor at one of them."""

    app: Flask
    client: FlaskClient

    def open_doors(self) -> None:
        """Hang the doors."""
        self.app = create_app(self.shop.house)
        self.client = self.app.test_client()

    def add_campaign(self, *one: Any, **more: Any) -> CampaignRecord:
        """Make a campaign that a charity's site may frame."""
        return super().add_campaign(*one, **({"origins": (SITE,)} | more))

    def form_token(self, campaign: CampaignRecord) -> str:
        """Open the form, and return its token."""
        return token_in(self.client.get(f"/donate/{campaign.id}"))

    def send(self, campaign: CampaignRecord, **fields: str) -> TestResponse:
        """Fill in a form and send it; it is opened first unless `form` names one."""
        values = {"preset": "25.00", "frequency": "once"} | fields
        if "form" not in fields:
            values["form"] = self.form_token(campaign)
        return self.client.post(f"/donate/{campaign.id}?lang=en", data=values)

    def moderate(self, status: str = "shown") -> None:
        """Let everything that donors of this shop wrote be read, and decided on."""
        table = schema.donor
        is_own = table.c.merchant_id == self.shop.owner.merchant_id
        self.shop.db.write(lambda tx: tx.execute(update(table).where(is_own).values(comment_status=status)))

    def close(self, campaign: CampaignRecord) -> None:
        """Let a campaign take no more gifts."""
        table = schema.campaign
        now = self.shop.clock.now()
        self.shop.db.write(lambda tx: tx.execute(update(table).where(table.c.id == campaign.id).values(closed_at=now)))


def token_in(answer: TestResponse) -> str:
    """Return the token of the form in a page."""
    found = TOKEN.search(answer.text)
    assert found is not None, "there is no form in this page"
    return found[1]


@contextmanager
def campaigns(url: str, bank: RunningBank, more: dict[str, str] | None = None) -> Iterator[Campaigns]:
    """Open a shop of its own on a migrated database, with every door."""
    with a_card_shop(url, bank, more) as opened:
        shop = Campaigns(opened)
        shop.open_doors()
        yield shop
