"""A campaign's form while somebody misuses it: the work that a browser does, and what limits count."""

from itertools import count

import pytest
from flask import Request
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder, TestResponse

from donation_widget.visitors import client_address
from gateway.domain.giving_limits import ATTACKED_FROM, EASIEST_BITS, PER_ADDRESS, PER_CAMPAIGN_MINUTE, is_proof
from gateway.engine.donations.guard import Visitor
from gateway.engine.donations.records import CampaignRecord
from tests.cards.stage import DECLINED
from tests.widget.stage import Campaigns, token_in


def attack(shop: Campaigns, campaign: CampaignRecord, times: int = ATTACKED_FROM) -> None:
    """Let a campaign see so many refusals within this minute, each from somebody else."""
    for number in range(times):
        verdict = shop.engine.guard.admit(campaign, Visitor(address=f"192.0.2.{number}"), lambda _bits: True)
        session = shop.give(campaign, "1")
        shop.engine.guard.begun(verdict, session)
        shop.shop.pay_at_bank(shop.shop.start(session), DECLINED)
        shop.shop.catch_up()


def work_of(answer: TestResponse) -> str:
    """Do the work that a page asks for, as its script does."""
    token = token_in(answer)
    return next(str(n) for n in count() if is_proof(token, str(n), EASIEST_BITS))


def test_under_attack_the_form_comes_back_with_work_and_all_that_was_written(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    attack(shop, campaign)
    asked = shop.send(campaign, name="Jo Doe", comment="For the otters")
    assert asked.status_code == 429
    assert f'data-work="{EASIEST_BITS}"' in asked.text
    assert "For the otters" in asked.text
    assert "Jo Doe" in asked.text
    given = shop.send(campaign, form=token_in(asked), proof=work_of(asked), name="Jo Doe")
    assert given.status_code == 303
    again = shop.send(campaign, form=token_in(asked), proof="", name="Jo Doe")
    assert again.headers["Location"] == given.headers["Location"], "what was taken once needs no second proof"


def test_work_for_another_form_or_none_is_not_taken(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    attack(shop, campaign)
    asked, other = shop.send(campaign), shop.send(campaign)
    for proof in ("", "0", "x" * 1000, work_of(other)):
        refused = shop.send(campaign, form=token_in(asked), proof=proof)
        assert (refused.status_code, "data-work=" in refused.text) == (429, True)


def test_when_a_minute_is_full_a_donor_is_told_to_come_again(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    attack(shop, campaign, PER_CAMPAIGN_MINUTE)
    asked = shop.send(campaign)
    paused = shop.send(campaign, form=token_in(asked), proof=work_of(asked))
    assert (paused.status_code, paused.headers["Retry-After"]) == (429, "20")
    assert "Nothing was charged" in paused.text


def test_one_address_begins_only_so_many_gifts(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    statuses = [shop.send(campaign).status_code for _ in range(PER_ADDRESS + 1)]
    assert statuses == [303] * PER_ADDRESS + [429]


def a_request(forwarded: str | None, address: str = "198.51.100.9") -> Request:
    headers = Headers() if forwarded is None else Headers({"X-Forwarded-For": forwarded})
    return Request(EnvironBuilder(headers=headers, environ_base={"REMOTE_ADDR": address}).get_environ())


@pytest.mark.parametrize(
    ("forwarded", "proxies", "known"),
    [(None, 0, "198.51.100.9"), ("203.0.113.5", 0, None), ("203.0.113.5", 1, "203.0.113.5"),
     ("forged, 203.0.113.5", 1, "203.0.113.5"), ("203.0.113.5, 10.0.0.1", 2, "203.0.113.5"),
     (None, 1, None), ("203.0.113.5", 2, None), ("nonsense", 1, None)],
)  # fmt: skip
def test_an_address_is_believed_only_as_far_as_our_own_proxies_wrote_it(
    forwarded: str | None, proxies: int, known: str | None
) -> None:
    assert client_address(a_request(forwarded), proxies) == known


def test_a_home_with_a_block_of_addresses_is_one_sender() -> None:
    first, second = (client_address(a_request(None, f"2001:db8:1:2::{n}"), 0) for n in (1, 2))
    assert first == second == "2001:db8:1:2::/64"
    assert client_address(a_request(None, "::ffff:198.51.100.9"), 0) == "198.51.100.9"
