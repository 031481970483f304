"""A campaign's page and form: what they show, what they refuse, what stays written, and who may frame them."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest

from gateway.domain.donations import DonationStatus, Frequency
from gateway.domain.words import SessionMode
from gateway.engine.donations.giving import Donor
from gateway.kernel.money import Money, parse_money
from tests.widget.stage import SITE, Campaigns, token_in

SCRIPT = '"><script>alert(1)</script>'
TEXTS = ("amount", "name", "email", "repeat_email", "tribute_name", "comment", "preset", "frequency", "way", "tribute")


# --- what the public sees --------------------------------------------------------------------------------------------


def test_a_page_shows_the_story_the_presets_and_nothing_ticked(shop: Campaigns) -> None:
    campaign = shop.add_campaign(story="We clean rivers.\r\n\r\nBoat by boat.")
    text = shop.client.get(f"/donate/{campaign.id}").text
    for words in ("Clean rivers", "River Fund", ">Boat by boat.</p>", "$10.00", "$25.00", "From $1.00 to $1,000.00"):
        assert words in text
    assert re.findall(r'value="(\w+)"[^>]* checked', text) == ["once", "card"]


def test_progress_counts_what_came_and_was_not_given_back(shop: Campaigns) -> None:
    campaign = shop.add_campaign(goal=parse_money("100", "USD"))
    assert "$0.00 of $100.00 raised (0%). Gifts: 0." in shop.client.get(f"/donate/{campaign.id}").text
    first, second = shop.give(campaign, "25"), shop.give(campaign, "10")
    shop.give(campaign, "50")
    shop.pay(first)
    shop.pay(second)
    assert "$35.00 of $100.00 raised (35%). Gifts: 2." in shop.client.get(f"/donate/{campaign.id}").text
    shop.shop.refund(shop.shop.reload(first.token))
    text = shop.client.get(f"/donate/{campaign.id}").text
    assert "$10.00 of $100.00 raised (10%). Gifts: 1." in text
    assert '<progress max="100" value="10"' in text


def test_a_goal_that_is_passed_fills_the_bar_and_no_more(shop: Campaigns) -> None:
    campaign = shop.add_campaign(goal=parse_money("20", "USD"))
    shop.pay(shop.give(campaign, "25"))
    text = shop.client.get(f"/donate/{campaign.id}").text
    assert "$25.00 of $20.00 raised (125%)" in text
    assert '<progress max="100" value="100"' in text


def test_the_wall_has_only_those_who_wished_it_once_somebody_has_read_them(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    wishes = [("Ann", True, False), ("Bob", False, False), ("Cem", True, True)]
    for name, on_wall, is_anonymous in wishes:
        donor = Donor(name=name, email=f"{name}@example.com", comment=f"by {name}")
        shop.pay(shop.give(campaign, on_wall=on_wall, is_anonymous=is_anonymous, donor=donor))
    shop.give(campaign, on_wall=True, donor=Donor(name="Unpaid"))
    assert "Donor wall" not in shop.client.get(f"/donate/{campaign.id}").text
    shop.moderate()
    wall = shop.client.get(f"/donate/{campaign.id}").text.partition("Donor wall")[2]
    assert [name for name in ("Ann", "Anonymous", "by Cem") if name in wall] == ["Ann", "Anonymous", "by Cem"]
    assert not [hidden for hidden in ("Bob", "<bdi>Cem", "Unpaid", "@example.com") if hidden in wall]
    shop.moderate("hidden")
    assert "Donor wall" not in shop.client.get(f"/donate/{campaign.id}").text


def test_a_campaign_without_a_wall_shows_none(shop: Campaigns) -> None:
    campaign = shop.add_campaign(shows_wall=False)
    shop.pay(shop.give(campaign, on_wall=True, donor=Donor(name="Ann")))
    shop.moderate()
    assert "Ann" not in shop.client.get(f"/donate/{campaign.id}").text
    shop.send(campaign, name="Bob", on_wall="yes")
    assert shop.donations()[-1].on_wall is False


@pytest.mark.parametrize("address", ["cmp_nothing", "cmp_01m7x9bfj0e0084yfr7p2f1zh3", "%00", "pay_01", "x" * 300])
def test_an_address_that_is_no_campaigns_gets_a_page_that_says_so(shop: Campaigns, address: str) -> None:
    for method in (shop.client.get, shop.client.post):
        answer = method(f"/donate/{address}")
        assert answer.status_code == 404
        assert "There is no campaign or gift at this address." in answer.text


def test_a_campaign_speaks_its_own_languages(shop: Campaigns) -> None:
    campaign = shop.add_campaign(locales=("de", "ar"))
    page = shop.client.get(f"/donate/{campaign.id}", headers={"Accept-Language": "en, ar;q=0.5"})
    assert '<html lang="ar" dir="rtl">' in page.text
    assert 'hreflang="en"' not in page.text
    asked = shop.client.get(f"/donate/{campaign.id}?embed=1&lang=en", headers={"Accept-Language": "en"})
    assert '<html lang="de" dir="ltr">' in asked.text, "as where an English page embeds it"


@pytest.mark.parametrize(
    ("query", "checked"),
    [
        ("amount=25&frequency=monthly", ["25.00", "monthly"]),
        ("amount=12,5", ["other", "once"]),
        ("amount=0.5&frequency=daily", ["once"]),
        (f"amount={SCRIPT}&frequency={SCRIPT}", ["once"]),
    ],
)
def test_a_link_may_name_amount_and_frequency_within_bounds(shop: Campaigns, query: str, checked: list[str]) -> None:
    campaign = shop.add_campaign()
    text = shop.client.get(f"/donate/{campaign.id}?{query}").text
    assert re.findall(r'value="([\w.]+)"[^>]* checked', text) == [*checked, "card"]
    assert "<script>" not in text


def test_a_closed_campaign_says_so_and_has_no_form(shop: Campaigns) -> None:
    now = shop.shop.clock.now()
    ended = shop.add_campaign(ends_at=now)
    closed = shop.add_campaign(closed_at=now)
    for campaign, words in ((ended, "This campaign ended on "), (closed, "This campaign is closed.")):
        page = shop.client.get(f"/donate/{campaign.id}?embed=1")
        assert (page.status_code, words in page.text, "<form" in page.text) == (200, True, False)


def test_a_campaign_that_closes_meanwhile_takes_nothing(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    token = shop.form_token(campaign)
    shop.close(campaign)
    answer = shop.send(campaign, form=token)
    assert (answer.status_code, "This campaign is closed." in answer.text) == (409, True)
    assert shop.donations() == []


# --- framing ---------------------------------------------------------------------------------------------------------


def test_only_the_campaigns_sites_may_frame_its_form(shop: Campaigns) -> None:
    campaign = shop.add_campaign(origins=(SITE, "https://www.charity.example:8443"))
    framed = shop.client.get(f"/donate/{campaign.id}?embed=1")
    assert f"frame-ancestors {SITE} https://www.charity.example:8443;" in framed.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in framed.headers
    alone = shop.client.get(f"/donate/{campaign.id}")
    assert "frame-ancestors 'none'" in alone.headers["Content-Security-Policy"]
    assert alone.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("origins", [(), ("https://x.example; script-src *",), ("*",), ("javascript:1",)])
def test_without_a_registered_site_nobody_may_frame_it(shop: Campaigns, origins: tuple[str, ...]) -> None:
    campaign = shop.add_campaign(origins=origins)
    framed = shop.client.get(f"/donate/{campaign.id}?embed=1")
    assert "frame-ancestors 'none'" in framed.headers["Content-Security-Policy"]
    assert framed.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(("host", "is_told"), [(SITE, True), ("https://evil.example", False), (SCRIPT, False)])
def test_a_frame_talks_to_registered_sites_only(shop: Campaigns, host: str, is_told: bool) -> None:  # noqa: FBT001 - a table's column
    campaign = shop.add_campaign()
    text = shop.client.get(f"/donate/{campaign.id}", query_string={"embed": "1", "host": host}).text
    assert ("data-host" in text) is is_told


def test_a_payment_page_may_be_framed_by_nobody(shop: Campaigns) -> None:
    session = shop.give(shop.add_campaign())
    answer = shop.client.get(f"/pay/{session.token}?embed=1")
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_no_page_sets_a_cookie(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    for answer in (shop.client.get(f"/donate/{campaign.id}?embed=1"), shop.send(campaign)):
        assert "Set-Cookie" not in answer.headers


# --- giving ----------------------------------------------------------------------------------------------------------


def test_a_gift_leads_to_its_payment_page(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    answer = shop.send(
        campaign, name="Jo Doe", email="jo@example.com", tribute="memory", tribute_name="Ida", comment="For\r\nIda",
        on_wall="yes", anonymous="yes", covers_fees="yes",
    )  # fmt: skip
    assert answer.status_code == 303
    token = re.fullmatch(r"/pay/([\w-]{43})\?lang=en", answer.headers["Location"])
    assert token is not None
    session = shop.shop.reload(token[1])
    assert (session.amount, session.customer_email) == (Money(2606, "USD"), "jo@example.com")
    assert session.success_url == f"{shop.engine.core.base_url}/donate/{campaign.id}/thanks/{session.token}"
    assert session.cancel_url == f"{shop.engine.core.base_url}/donate/{campaign.id}"
    (donation,) = shop.donations()
    assert (donation.on_wall, donation.is_anonymous, donation.locale) == (True, True, "en")
    given = shop.engine.showing.sent(str(donation.form_id))
    assert given is not None
    assert given.donor == Donor(
        name="Jo Doe", email="jo@example.com", comment="For\nIda", tribute={"kind": "memory", "name": "Ida"}
    )


@pytest.mark.parametrize(("way", "mode"), [("card", SessionMode.SUBSCRIPTION), ("wallet", SessionMode.PAYMENT)])
def test_a_gift_that_repeats_is_collected_or_reminded_of(shop: Campaigns, way: str, mode: SessionMode) -> None:
    campaign = shop.add_campaign()
    answer = shop.send(campaign, frequency="quarterly", way=way, repeat_email="jo@example.com")
    assert answer.status_code == 303, answer.text
    (donation,) = shop.donations()
    assert donation.frequency is Frequency.QUARTERLY
    assert shop.shop.reload(answer.headers["Location"].split("/")[2].partition("?")[0]).mode is mode


@pytest.mark.parametrize(
    ("typed", "atomic"),
    [("12", 1200), ("12.5", 1250), ("12,50", 1250), (" 1 000 ", 100_000), ("\u0661\u0662\u066b\u0665", 1250),
     ("1'000.00", 100_000)],
)  # fmt: skip
def test_amounts_are_read_as_people_write_them(shop: Campaigns, typed: str, atomic: int) -> None:
    assert shop.send(shop.add_campaign(), preset="other", amount=typed).status_code == 303
    assert shop.donations()[-1].amount.atomic == atomic


@pytest.mark.parametrize(("currency", "typed", "atomic"), [("JPY", "500", 500), ("KWD", "1.234", 1234)])
def test_amounts_have_the_currencys_decimals(shop: Campaigns, currency: str, typed: str, atomic: int) -> None:
    assert shop.send(shop.add_campaign(currency=currency), preset="other", amount=typed).status_code == 303
    assert shop.donations()[-1].amount == Money(atomic, currency)


def test_a_form_that_is_sent_twice_gives_once(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    token = shop.form_token(campaign)
    places = {shop.send(campaign, form=token, covers_fees="yes", comment="hi").headers["Location"] for _ in range(3)}
    assert len(places) == len(shop.donations()) == 1


def test_a_form_that_is_sent_many_times_at_once_gives_once(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    token = shop.form_token(campaign)
    sent = {"form": token, "preset": "25.00", "frequency": "monthly", "repeat_email": "jo@example.com"}
    start = Barrier(8)

    def send(_: int) -> tuple[int, str | None]:
        start.wait()
        answer = shop.app.test_client().post(f"/donate/{campaign.id}", data=sent)
        return answer.status_code, answer.headers.get("Location")

    with ThreadPoolExecutor(8) as crowd:
        answers = set(crowd.map(send, range(8)))
    assert [status for status, _ in answers] == [303], answers
    assert len(shop.donations()) == 1


@pytest.mark.parametrize("change", [{"preset": "10.00"}, {"anonymous": "yes"}, {"name": "Jo"}, {"covers_fees": "yes"}])
def test_a_form_that_was_changed_after_it_was_sent_says_so_and_gives_anew(
    shop: Campaigns, change: dict[str, str]
) -> None:
    campaign = shop.add_campaign()
    token = shop.form_token(campaign)
    first = shop.send(campaign, form=token)
    told = shop.send(campaign, form=token, **change)
    assert (told.status_code, "You had sent this form already" in told.text) == (409, True)
    second = shop.send(campaign, form=token_in(told), **change)
    assert second.status_code == 303
    assert second.headers["Location"] != first.headers["Location"]


def test_a_form_is_good_for_an_hour(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    token = shop.form_token(campaign)
    shop.shop.clock.advance(timedelta(minutes=59))
    assert shop.send(campaign, form=token).status_code == 303
    shop.shop.clock.advance(timedelta(minutes=2))
    late = shop.send(campaign, form=token, comment="kept", preset="other", amount="77")
    assert (late.status_code, "This form was open for too long" in late.text) == (400, True)
    assert "kept</textarea>" in late.text
    assert 'value="77"' in late.text
    assert shop.send(campaign, form=token_in(late)).status_code == 303
    assert len(shop.donations()) == 2


@pytest.mark.parametrize("spoil", ["cut", "swap", "strange", "empty", "long", "other"])
def test_a_token_that_is_not_ours_gives_nothing(shop: Campaigns, spoil: str) -> None:
    campaign, other = shop.add_campaign(), shop.add_campaign()
    good = shop.form_token(campaign)
    spoilt = {
        "cut": good[:-1], "swap": good[:5] + ("A" if good[5] != "A" else "B") + good[6:], "strange": SCRIPT,
        "empty": "", "long": good * 9, "other": shop.form_token(other),
    }[spoil]  # fmt: skip
    answer = shop.send(campaign, form=spoilt)
    assert (answer.status_code, "send it again" in answer.text) == (400, True)
    assert SCRIPT not in answer.text
    assert shop.donations() == []


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": SITE}, {"Origin": "null"}])
def test_another_sites_page_cannot_send_the_form(shop: Campaigns, headers: dict[str, str]) -> None:
    campaign = shop.add_campaign()
    sent = {"form": shop.form_token(campaign), "preset": "25.00", "frequency": "once"}
    assert shop.client.post(f"/donate/{campaign.id}", data=sent, headers=headers).status_code == 403
    assert shop.donations() == []


# --- bad input -------------------------------------------------------------------------------------------------------

BAD = [
    ({"preset": "other", "amount": "0.99"}, "amount", "Give from $1.00 to $1,000.00."),
    ({"preset": "other", "amount": "1000.01"}, "amount", "Give from $1.00 to $1,000.00."),
    ({"preset": "other", "amount": "0"}, "amount", "Give from $1.00 to $1,000.00."),
    ({"preset": "other", "amount": "1,234"}, "amount", "This has too many decimals."),
    ({"preset": "other", "amount": "-5"}, "amount", "Write the amount in figures"),
    ({"preset": "other", "amount": "1e3"}, "amount", "Write the amount in figures"),
    ({"preset": "other", "amount": "9" * 39}, "amount", "Give from $1.00 to $1,000.00."),
    ({"preset": "other", "amount": "9" * 4000}, "amount", "Write the amount in figures"),
    ({"preset": ""}, "amount", "Choose how much you give."),
    ({"preset": "17.00x"}, "amount", "Write the amount in figures"),
    ({"frequency": "daily"}, "frequency", "Choose how often you give."),
    ({"frequency": "monthly"}, "repeat_email", "Write your e-mail address"),
    ({"email": "jo@example.com\r\nBcc: all@example.com"}, "email", "Write one address"),
    ({"email": "jo@example.com,all@example.com"}, "email", "Write one address"),
    ({"email": "Jo <jo@example.com>"}, "email", "Write one address"),
    ({"email": "x" * 250 + "@example.com"}, "email", "Write one address"),
    ({"name": "Jo\r\nBcc: all@example.com"}, "name", "This has characters that cannot be shown."),
    ({"name": "Jo\u202eevil"}, "name", "This has characters that cannot be shown."),
    ({"comment": "a\0b"}, "comment", "This has characters that cannot be shown."),
    ({"name": "x" * 121}, "name", "This is too long: 121 characters, 120 fit."),
    ({"comment": "x" * 10_000}, "comment", "This is too long: 10000 characters, 1000 fit."),
    ({"comment": "\U0001f9a6" * 10_000}, "comment", "This is too long: 10000 characters, 1000 fit."),
    ({"comment": "4242 4242 4242 4242"}, "comment", "This looks like a card number."),
    ({"tribute": "honor"}, "tribute_name", "Write the name of the person."),
]


@pytest.mark.parametrize(
    ("fields", "field", "sentence"), BAD, ids=[f"{field}-{no}" for no, (_, field, _) in enumerate(BAD)]
)
def test_what_cannot_stand_is_told_at_its_field_and_stays_written(
    shop: Campaigns, fields: dict[str, str], field: str, sentence: str
) -> None:
    campaign = shop.add_campaign()
    answer = shop.send(campaign, **{"name": "Ida", "comment": "kept", **fields})
    assert answer.status_code == 422
    problem = re.search(rf'id="{field}-problem">([^<]*)<', answer.text)
    assert problem is not None, answer.text
    assert sentence in problem[1]
    assert f'href="#{field}"' in answer.text
    assert fields.get("comment", "kept") in answer.text
    assert shop.donations() == []


def test_script_in_every_field_stays_text(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    answer = shop.send(campaign, **dict.fromkeys(TEXTS, SCRIPT))
    assert answer.status_code == 422
    assert "<script>" not in answer.text
    assert answer.text.count("&lt;script&gt;") >= 4


def test_script_in_what_is_taken_stays_text_on_the_wall(shop: Campaigns) -> None:
    campaign = shop.add_campaign(title=SCRIPT, story=SCRIPT)
    shop.send(campaign, name=SCRIPT, comment=SCRIPT, on_wall="yes", tribute="honor", tribute_name=SCRIPT)
    (donation,) = shop.donations()
    token = shop.engine.showing.gift_of_form(campaign.id, str(donation.form_id))
    assert token is not None
    shop.pay(shop.shop.reload(token.token))
    shop.moderate()
    for address in (f"/donate/{campaign.id}", f"/donate/{campaign.id}/thanks/{token.token}"):
        text = shop.client.get(address).text
        assert "<script>" not in text
        assert "&lt;script&gt;" in text


# --- what became of it -----------------------------------------------------------------------------------------------


def test_the_form_learns_from_the_server_where_its_gift_is(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    token = shop.form_token(campaign)
    status = f"/donate/{campaign.id}/forms/{token}?embed=1&host={SITE}"
    before = shop.client.get(status)
    assert before.json == {"page": None}
    again = shop.client.get(status, headers={"If-None-Match": before.headers["ETag"]})
    assert again.status_code == 304
    session = shop.send(campaign, form=token).headers["Location"].split("/")[2].partition("?")[0]
    after = shop.client.get(status, headers={"If-None-Match": before.headers["ETag"]})
    assert after.json is not None
    page = str(after.json["page"])
    assert page.startswith(f"/donate/{campaign.id}/thanks/{session}?embed=1&host=")
    framed = shop.client.get(page)
    assert f"frame-ancestors {SITE};" in framed.headers["Content-Security-Policy"]
    assert shop.client.get(f"/donate/{campaign.id}/forms/forged").status_code == 400


def test_thanks_says_what_became_of_the_gift(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    session = shop.give(campaign, covers_fees=True)
    page = f"/donate/{campaign.id}/thanks/{session.token}"
    seen = []
    first = shop.client.get(f"{page}/status")
    seen.append(first.json and first.json["state"])
    assert shop.client.get(f"{page}/status", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    shop.pay(session)
    seen.append((shop.client.get(f"{page}/status").json or {})["state"])
    text = shop.client.get(page).text
    for words in ("Thank you! Your gift to River Fund has arrived.", "$25.00", "$1.06", "$26.06"):
        assert words in text
    assert "jo@example.com" not in text
    shop.shop.refund(shop.shop.reload(session.token))
    seen.append((shop.client.get(f"{page}/status").json or {})["state"])
    assert seen == ["open", "received", "reversed"]


def test_a_gift_that_nobody_paid_ends(shop: Campaigns) -> None:
    campaign = shop.add_campaign()
    session = shop.give(campaign)
    shop.engine.checkout.cancel(session.token)
    donation = shop.donation(session)
    assert donation is not None
    assert donation.status is DonationStatus.CANCELED
    text = shop.client.get(f"/donate/{campaign.id}/thanks/{session.token}").text
    assert "No gift was made." in text
    assert "Give again" in text


def test_a_token_shows_its_own_gift_at_its_own_campaign_only(shop: Campaigns) -> None:
    campaign, other = shop.add_campaign(), shop.add_campaign()
    session, order = shop.give(campaign), shop.shop.open()
    for address in (
        f"/donate/{other.id}/thanks/{session.token}",
        f"/donate/{campaign.id}/thanks/{order.token}",
        f"/donate/{campaign.id}/thanks/guess",
        f"/donate/{campaign.id}/thanks/guess/status",
    ):
        assert shop.client.get(address).status_code == 404
