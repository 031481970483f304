"""What donors write: read by staff alone, and on the wall only while staff show it there."""

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from gateway.domain.donations import CommentStatus, Frequency
from gateway.engine.donations.giving import Donor
from gateway.engine.donations.records import CampaignRecord
from gateway.engine.idempotency import Intent
from gateway.engine.paging import PageRequest
from gateway.engine.records import Owner
from gateway.kernel.errors import ConflictError, ErrorCode, NotFoundError
from hosted_checkout.app import create_app
from tests.donations.stage import GivingShop

PENDING, SHOWN, HIDDEN, PRIVATE = CommentStatus


def an_intent(shop: GivingShop, key: str | None = None) -> Intent:
    return Intent(owner=shop.owner, route="moderate a comment", key=key, request_hash="")


def write(
    shop: GivingShop, words: str | None, campaign: CampaignRecord, *, name: str | None = "Jo Doe", **more: Any
) -> str:
    """Give, write and pay; return the donation's id."""
    donor = Donor(name=name, email="jo@example.com", comment=words)
    session = shop.give(campaign, donor=donor, **{"on_wall": True} | more)
    shop.pay(session)
    donation = shop.donation(session)
    assert donation is not None
    return donation.id


def listed(shop: GivingShop, status: CommentStatus | None = None) -> list[str]:
    return [one["id"] for one in shop.engine.comments.page(shop.owner, PageRequest(), status=status).data]


def wall(shop: GivingShop, campaign: CampaignRecord) -> list[str | None]:
    return [entry.comment for entry in shop.engine.showing.campaign(campaign.id).wall]


def test_words_wait_until_somebody_shows_them_and_go_when_they_are_hidden(shop: GivingShop) -> None:
    campaign, comments = shop.add_campaign(), shop.engine.comments
    donation_id = write(shop, "Keep it clean", campaign)
    assert (listed(shop, PENDING), comments.waiting(shop.owner), wall(shop, campaign)) == ([donation_id], 1, [])
    comments.moderate(an_intent(shop), donation_id, SHOWN)
    assert (listed(shop, PENDING), comments.waiting(shop.owner)) == ([], 0)
    assert (listed(shop, SHOWN), wall(shop, campaign)) == ([donation_id], ["Keep it clean"])
    comments.moderate(an_intent(shop), donation_id, HIDDEN)
    comments.moderate(an_intent(shop), donation_id, HIDDEN)
    assert (listed(shop, HIDDEN), listed(shop, SHOWN), wall(shop, campaign)) == ([donation_id], [], [])


def test_a_repeated_request_does_not_undo_what_came_after_it(shop: GivingShop) -> None:
    campaign = shop.add_campaign()
    donation_id = write(shop, "Keep it clean", campaign)
    first = shop.engine.comments.moderate(an_intent(shop, "k"), donation_id, SHOWN)
    shop.engine.comments.moderate(an_intent(shop), donation_id, HIDDEN)
    again = shop.engine.comments.moderate(an_intent(shop, "k"), donation_id, SHOWN)
    assert (again.is_replay, again.body, wall(shop, campaign)) == (True, first.body, [])


def test_who_wishes_to_stand_on_the_wall_without_words_waits_too(shop: GivingShop) -> None:
    donation_id = write(shop, None, shop.add_campaign())
    shown = shop.engine.comments.retrieve(shop.owner, donation_id)
    assert (shown["status"], shown["name"], shown["text"]) == ("pending", "Jo Doe", None)


def test_a_dedication_is_read_by_staff_though_nothing_else_was_written(shop: GivingShop) -> None:
    tribute = {"kind": "memory", "name": "Ann"}
    shop.pay(shop.give(shop.add_campaign(), donor=Donor(tribute=tribute)))
    (comment,) = shop.engine.comments.page(shop.owner, PageRequest(), status=PRIVATE).data
    assert (comment["tribute"], comment["text"], comment["name"]) == (tribute, None, None)


def test_what_was_decided_of_a_regular_donors_name_holds_for_each_renewal(shop: GivingShop) -> None:
    campaign = shop.add_campaign()
    donation_id = write(shop, "Every month", campaign, frequency=Frequency.MONTHLY)
    shop.engine.comments.moderate(an_intent(shop), donation_id, SHOWN)
    shop.shop.pass_time(timedelta(days=31))
    shop.shop.catch_up()
    shop.engine.sweep()
    assert (len(shop.donations()), listed(shop, PENDING)) == (2, [])
    assert wall(shop, campaign) == [None, "Every month"]


def test_an_anonymous_donors_name_is_shown_to_nobody(shop: GivingShop) -> None:
    donation_id = write(shop, "From a friend", shop.add_campaign(), is_anonymous=True)
    shown = shop.engine.comments.retrieve(shop.owner, donation_id)
    assert (shown["name"], shown["text"]) == (None, "From a friend")
    assert "jo@example.com" not in shown.values()


def test_words_that_are_not_for_the_wall_never_get_there(shop: GivingShop) -> None:
    campaign = shop.add_campaign()
    donation_id = write(shop, "Between us", campaign, on_wall=False)
    assert (listed(shop), listed(shop, PRIVATE), listed(shop, PENDING)) == ([donation_id], [donation_id], [])
    with pytest.raises(ConflictError) as refused:
        shop.engine.comments.moderate(an_intent(shop), donation_id, SHOWN)
    assert refused.value.code is ErrorCode.COMMENT_PRIVATE
    assert shop.engine.comments.retrieve(shop.owner, donation_id)["status"] == "private"


def test_there_is_no_comment_where_nobody_wrote_or_somebody_was_forgotten(shop: GivingShop) -> None:
    campaign = shop.add_campaign()
    silent, forgotten = write(shop, None, campaign, on_wall=False), write(shop, "Hello", campaign)
    shop.engine.comments.moderate(an_intent(shop), forgotten, SHOWN)
    shop.engine.donors.erase(shop.owner, "jo@example.com")
    for donation_id in (silent, forgotten, "don_01jd4k00000000000000000000"):
        with pytest.raises(NotFoundError):
            shop.engine.comments.retrieve(shop.owner, donation_id)
        with pytest.raises(NotFoundError):
            shop.engine.comments.moderate(an_intent(shop), donation_id, HIDDEN)
    assert (listed(shop), wall(shop, campaign)) == ([], [])


def test_a_gift_that_has_not_come_is_not_in_the_list(shop: GivingShop) -> None:
    shop.give(shop.add_campaign(), on_wall=True, donor=Donor(name="Unpaid", comment="Free words"))
    assert (listed(shop), shop.engine.comments.waiting(shop.owner)) == ([], 0)


def test_pages_go_on_after_a_gift_and_keep_to_a_campaign(shop: GivingShop) -> None:
    campaign = shop.add_campaign()
    first, second, other = (write(shop, "Words", one) for one in (campaign, campaign, shop.add_campaign()))
    comments, owner = shop.engine.comments, shop.owner
    page = comments.page(owner, PageRequest(limit=1), status=PENDING, campaign_id=campaign.id)
    assert ([one["id"] for one in page.data], page.has_more) == ([second], True)
    page = comments.page(owner, PageRequest(starting_after=second), campaign_id=campaign.id)
    assert ([one["id"] for one in page.data], page.has_more) == ([first], False)
    assert listed(shop) == [other, second, first]


def test_comments_are_their_owners_alone(shop: GivingShop) -> None:
    donation_id = write(shop, "Mine", shop.add_campaign())
    live = Owner(merchant_id=shop.owner.merchant_id, livemode=True)
    assert shop.engine.comments.page(live, PageRequest()).data == []
    assert shop.engine.comments.waiting(live) == 0
    with pytest.raises(NotFoundError):
        shop.engine.comments.retrieve(live, donation_id)


# --- over the API ----------------------------------------------------------------------------------------------------


@pytest.fixture
def client(shop: GivingShop) -> FlaskClient:
    """Return the gateway's doors, all of them."""
    return create_app(shop.shop.house).test_client()


@pytest.fixture
def headers(shop: GivingShop) -> dict[str, str]:
    """Return what a clerk with a test key sends."""
    return {"Authorization": f"Bearer {shop.engine.merchants.create_key(shop.owner.merchant_id, livemode=False)}"}


def test_a_clerk_reads_shows_and_hides(shop: GivingShop, client: FlaskClient, headers: dict[str, str]) -> None:
    campaign = shop.add_campaign()
    donation_id = write(shop, "<b>Keep it clean</b>", campaign)
    path = f"/v1/donations/{donation_id}/comment"
    read = client.get(path, headers=headers).get_json()
    assert read == {
        "id": donation_id, "object": "donation_comment", "livemode": False, "status": "pending",
        "charity": campaign.charity_id, "campaign": campaign.id, "name": "Jo Doe", "text": "<b>Keep it clean</b>",
        "tribute": None,
        "amount": "25.00", "currency": "USD", "received_at": read["received_at"],
    }  # fmt: skip
    waiting = f"/v1/donation_comments?status=pending&campaign={campaign.id}"
    assert client.get(waiting, headers=headers).get_json()["data"] == [read]
    answer = client.post(path, headers=headers, json={"status": "shown"})
    assert (answer.status_code, answer.get_json()) == (200, read | {"status": "shown"})
    assert client.get(waiting, headers=headers).get_json()["data"] == []
    assert "&lt;b&gt;Keep it clean" in client.get(f"/donate/{campaign.id}").text
    client.post(path, headers=headers, json={"status": "hidden"})
    assert "Keep it clean" not in client.get(f"/donate/{campaign.id}").text


@pytest.mark.parametrize("status", ["pending", "private", "SHOWN", None, 1])
def test_a_decision_is_one_of_two_words(
    shop: GivingShop, client: FlaskClient, headers: dict[str, str], status: object
) -> None:
    path = f"/v1/donations/{write(shop, 'Hello', shop.add_campaign())}/comment"
    answer = client.post(path, headers=headers, json={"status": status})
    assert (answer.status_code, answer.get_json()["param"]) == (400, "/status")


def test_nobody_else_reads_what_a_donor_wrote(shop: GivingShop, client: FlaskClient, headers: dict[str, str]) -> None:
    campaign = shop.add_campaign()
    session = shop.give(campaign, on_wall=False, donor=Donor(name="Jo Doe", comment="Between us"))
    shop.pay(session)
    donation = shop.donation(session)
    receipt = shop.engine.receipts.by_payment(session.payment_id)
    assert donation is not None
    assert receipt is not None
    path = f"/v1/donations/{donation.id}"
    assert client.post(f"{path}/comment", headers=headers, json={"status": "shown"}).status_code == 409
    assert client.get(f"{path}/comment").status_code == 401
    assert client.get("/v1/donation_comments").status_code == 401
    public = [
        f"/donate/{campaign.id}", f"/donate/{campaign.id}/thanks/{session.token}", f"/pay/{session.token}",
        *(f"/donations/receipt/{receipt.receipt.token}{form}" for form in ("", ".json")),
    ]  # fmt: skip
    answers = [client.get(one) for one in public]
    answers += [client.get(one, headers=headers) for one in (path, "/v1/donations", "/v1/events", f"{path}/receipt")]
    assert {one.status_code for one in answers} == {200}
    assert [one.request.path for one in answers if "Between us" in one.text] == []
