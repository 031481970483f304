"""Somebody of the staff in front of the dashboard."""

import html
import re
from dataclasses import dataclass, field

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from gateway.engine.records import Owner
from tests.widget.stage import Campaigns

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Desk:
    """A browser of its own, and the merchant whose staff it belongs to."""

    shop: Campaigns
    browser: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        self.browser = self.shop.app.test_client()

    def link(self, *, livemode: bool = False) -> str:
        """Return the path of a fresh link."""
        owner = Owner(merchant_id=self.shop.owner.merchant_id, livemode=livemode)
        return f"/dashboard/enter/{self.shop.engine.staff.invite(owner)}"

    def come_in(self, *, livemode: bool = False) -> None:
        """Open a link and press its button."""
        answer = self.press(self.link(livemode=livemode))
        assert answer.status_code == 303, answer.text

    def press(self, path: str, **fields: str) -> TestResponse:
        """Send a form of our own page."""
        return self.browser.post(path, data=fields, headers=OWN_PAGE)

    def read(self, path: str = "/dashboard/donations") -> str:
        """Return a page's words, as somebody reads them."""
        answer = self.browser.get(path)
        assert answer.status_code == 200, answer.text
        return words(answer.text)


def words(page: str) -> str:
    """Return the words of a page, without tags, on one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
