"""The page's routes: what they show, what they refuse, and the headers they carry."""

import gzip
import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from gateway.kernel.errors import (
    ConflictError,
    DeclinedError,
    ErrorCode,
    GatewayError,
    InvalidRequestError,
    TemporaryError,
)
from hosted_checkout.checkout.presentation import address_groups, own_logo
from hosted_checkout.checkout.samples import SAMPLE_NAMES, SAMPLE_TIME, SERVER_SAMPLES, sample_attempt, sample_page
from tests.checkout.house import StatesGallery, a_checkout_app, a_clock

ACCOUNT = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU"
NOW = SAMPLE_TIME


@pytest.fixture
def verbs() -> StatesGallery:
    return StatesGallery(a_clock())


@pytest.fixture
def client(verbs: StatesGallery) -> FlaskClient:
    return a_checkout_app(verbs).test_client()


@pytest.mark.parametrize("name", SERVER_SAMPLES)
def test_every_state_is_whole_without_script(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/pay/{name}")
    assert answer.status_code == 200
    assert answer.text.count('role="status"') == 1
    price = "€25.00" if name in {"gift_chosen", "gift_paid"} else "€24.90"
    assert ("€0.00" if name.startswith("sav") else price) in answer.text
    assert "Northwind Outfitters" in answer.text
    assert "aria-live" not in answer.text
    assert "<output" not in answer.text


@pytest.mark.parametrize("name", [name for name in SAMPLE_NAMES if name.startswith("sav")])
def test_a_page_that_only_saves_a_card_never_speaks_of_paying_by_it(client: FlaskClient, name: str) -> None:
    """Nothing is owed there: no sentence may ask for money, thank for it, or offer another way to send it."""
    text = client.get(f"/pay/{name}").text.partition('<header class="shop">')[2]
    assert ("keeps your card" in text) is (name not in {"saving_expired", "saving_canceled"})
    for word in (
        "another way",
        "You pay",
        "card payment",
        "this payment",
        "No payment",
        "Paid",
        "by card",
        "refund",
        "money",
    ):
        assert word not in text


def test_an_asked_for_payment_has_code_address_amount_and_refresh_without_script(client: FlaskClient) -> None:
    text = client.get("/pay/chosen").text
    assert '<svg role="img"' in text
    assert '<span class="end">7xKX</span>' in text
    assert '<span class="end">gAsU</span>' in text
    assert 'href="solana:7xKX' in text
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in text


@pytest.mark.parametrize("name", ["open", "paid", "canceled", "late_refund"])
def test_a_page_on_which_nothing_can_change_does_not_refresh_itself(client: FlaskClient, name: str) -> None:
    assert "http-equiv" not in client.get(f"/pay/{name}").text


@pytest.mark.parametrize("name", ["waiting", "seen", "confirming", "paid", "closing", "expired", "canceled", "renew"])
def test_no_address_is_shown_where_nothing_should_be_sent(client: FlaskClient, name: str) -> None:
    text = client.get(f"/pay/{name}").text
    assert "solana:7xKX" not in text
    assert "data-copy=" not in text


def test_an_underpaid_page_asks_for_exactly_the_rest(client: FlaskClient) -> None:
    text = client.get("/pay/underpaid").text
    assert 'data-copy="0.021543"' in text
    assert "amount=0.021543&amp;" in text


def test_a_link_that_is_not_ours_gets_a_page_that_says_so_and_nothing_of_the_link(client: FlaskClient) -> None:
    answer = client.get("/pay/sk_test_guess")
    assert answer.status_code == 404
    assert "There is no payment at this address." in answer.text
    assert "sk_test_guess" not in answer.text


def test_the_receipt_names_the_shop_on_its_button(client: FlaskClient) -> None:
    text = client.get("/pay/paid").text
    assert 'class="button" href="https://shop.northwind.example/orders/1001">Back to shop.northwind.example<' in text


def test_without_a_cancel_address_the_way_back_is_the_shops_front_door(verbs: StatesGallery) -> None:
    verbs.pages["plain"] = replace(sample_page(NOW), cancel_url=None)
    text = a_checkout_app(verbs).test_client().get("/pay/plain").text
    assert 'href="https://shop.northwind.example/"' in text


def test_test_mode_is_marked_and_live_mode_is_not(verbs: StatesGallery) -> None:
    verbs.pages["live"] = replace(sample_page(NOW), livemode=True)
    client = a_checkout_app(verbs, sandbox_rpc_url="http://127.0.0.1:8899").test_client()
    assert 'class="test-band"' in client.get("/pay/open").text
    assert "/sandbox/wallet.js" in client.get("/pay/open").text
    assert 'class="test-band"' not in client.get("/pay/live").text
    assert "/sandbox/wallet.js" not in client.get("/pay/live").text


@pytest.mark.parametrize("path", ["/sandbox/wallet.js", "/dev/states", "/dev/states/open"])
def test_without_the_sandbox_its_pages_do_not_exist(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("name", SAMPLE_NAMES)
def test_the_gallery_shows_every_state(verbs: StatesGallery, name: str) -> None:
    client = a_checkout_app(verbs, sandbox_rpc_url="http://127.0.0.1:8899").test_client()
    assert name in client.get("/dev/states").text
    assert client.get(f"/dev/states/{name}").status_code == 200


def test_a_strangers_text_cannot_become_markup(verbs: StatesGallery) -> None:
    evil = '"><script>alert(1)</script>'
    verbs.pages["evil"] = replace(
        sample_page(NOW, attempt=sample_attempt(NOW, pay_url=f"solana:x?label={evil}")),
        merchant_name=evil,
        reference=evil,
        brand_color=evil,
        logo_url=f"/{evil}",
    )
    text = a_checkout_app(verbs).test_client().get("/pay/evil").text
    assert "<script>" not in text


# --- status ------------------------------------------------------------------------------------------------------


def test_the_status_is_answered_304_until_something_changes(verbs: StatesGallery, client: FlaskClient) -> None:
    verbs.pages["x"] = sample_page(NOW, attempt=sample_attempt(NOW))
    first = client.get("/pay/x/status")
    again = client.get("/pay/x/status", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    verbs.pages["x"] = verbs.page("paid")
    changed = client.get("/pay/x/status", headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, changed.json and changed.json["state"]) == (200, "paid")


def test_the_status_changes_when_the_quote_runs_out_by_the_clock_alone(client: FlaskClient) -> None:
    verbs = StatesGallery(clock := a_clock())
    verbs.pages["x"] = sample_page(NOW, attempt=sample_attempt(NOW, expires_at=NOW + timedelta(minutes=1)))
    client = a_checkout_app(verbs).test_client()
    first = client.get("/pay/x/status")
    clock.advance(timedelta(minutes=2))
    later = client.get("/pay/x/status", headers={"If-None-Match": first.headers["ETag"]})
    assert (later.status_code, later.json and later.json["state"]) == (200, "renew")


def test_a_ticking_clock_alone_changes_no_fingerprint() -> None:
    verbs = StatesGallery(clock := a_clock())
    verbs.pages["x"] = sample_page(NOW, attempt=sample_attempt(NOW))
    client = a_checkout_app(verbs).test_client()
    first = client.get("/pay/x/status").headers["ETag"]
    clock.advance(timedelta(seconds=30))
    assert client.get("/pay/x/status").headers["ETag"] == first


def test_each_language_has_its_own_tag(client: FlaskClient) -> None:
    english = client.get("/pay/chosen/status?lang=en").headers["ETag"]
    assert client.get("/pay/chosen/status?lang=de").headers["ETag"] != english


# --- forms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "form", "call"),
    [
        ("method", {"method": "usdc"}, ("choose_method", "open", "usdc")),
        ("renew", {}, ("renew_quote", "open")),
        ("extend", {}, ("extend", "open")),
        ("cancel", {}, ("cancel", "open")),
    ],
)
def test_a_form_calls_its_verb_and_leads_back_to_the_page(
    verbs: StatesGallery, client: FlaskClient, action: str, form: dict[str, str], call: tuple[str, ...]
) -> None:
    answer = client.post(f"/pay/open/{action}?lang=de", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/pay/open?lang=de")
    assert verbs.calls == [call]


def test_a_form_that_cannot_be_done_leads_back_and_says_why(verbs: StatesGallery, client: FlaskClient) -> None:
    verbs.failures["choose_method"] = TemporaryError(ErrorCode.RATE_UNAVAILABLE, "no rate")
    answer = client.post("/pay/open/method", data={"method": "sol"}, follow_redirects=True)
    assert answer.status_code == 200
    assert "There is no fresh price for this currency right now" in answer.text


def test_an_extension_that_was_used_leads_back(verbs: StatesGallery, client: FlaskClient) -> None:
    verbs.failures["extend"] = ConflictError(ErrorCode.SESSION_NOT_OPEN, "once only")
    answer = client.post("/pay/ending/extend")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/pay/ending?problem=session_not_open")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://localhost"}, 303),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
    ],
)
def test_another_sites_form_is_refused(
    verbs: StatesGallery, client: FlaskClient, headers: dict[str, str], status: int
) -> None:
    assert client.post("/pay/open/cancel", headers=headers).status_code == status
    assert bool(verbs.calls) is (status == 303)


# --- wallets -----------------------------------------------------------------------------------------------------


def test_a_wallets_three_calls_reach_their_verbs(verbs: StatesGallery, client: FlaskClient) -> None:
    built = client.post("/pay/chosen/wallet/build", json={"account": ACCOUNT, "legacy": False})
    submitted = client.post("/pay/chosen/wallet/submit", json={"payload": "AQID"})
    hinted = client.post("/pay/chosen/wallet/hint", json={"signature": "5" * 88})
    assert built.json == {"payload": "AQ==", "chain": "solana:localnet"}
    assert (submitted.status_code, hinted.status_code) == (200, 204)
    assert verbs.calls == [
        ("build_transfer", "chosen", ACCOUNT, "versioned"),
        ("submit_signed", "chosen", "AQID"),
        ("hint", "chosen", "5" * 88),
    ]


@pytest.mark.parametrize(
    ("route", "body", "code"),
    [
        ("build", {"account": "0OIl"}, "wallet_address_invalid"),
        ("build", {"account": 7}, "wallet_address_invalid"),
        ("build", {"account": ACCOUNT + "é"}, "wallet_address_invalid"),
        ("build", [], "body_not_json"),
        ("submit", {"payload": "<svg>"}, "wallet_payload_refused"),
        ("submit", {}, "wallet_payload_refused"),
        ("hint", {"signature": "x" * 500}, "wallet_payload_refused"),
        ("hint", {"signature": "0" * 88}, "wallet_payload_refused"),
    ],
)
def test_what_no_wallet_sends_is_refused_before_any_verb(
    verbs: StatesGallery, client: FlaskClient, route: str, body: object, code: str
) -> None:
    answer = client.post(f"/pay/chosen/wallet/{route}", json=body)
    assert (answer.status_code, answer.json and answer.json["code"]) == (400, code)
    assert verbs.calls == []


def test_a_body_that_no_wallet_sends_is_too_large(client: FlaskClient) -> None:
    answer = client.post("/pay/chosen/wallet/submit", json={"payload": "A" * 9000})
    assert (answer.status_code, answer.json and answer.json["code"]) == (413, "body_too_large")


def test_a_refusal_of_the_chain_is_told_in_the_pages_language(verbs: StatesGallery, client: FlaskClient) -> None:
    verbs.failures["build_transfer"] = DeclinedError(ErrorCode.PROVIDER_DECLINED, "insufficient lamports")
    answer = client.post("/pay/chosen/wallet/build?lang=de", json={"account": ACCOUNT})
    assert answer.status_code == 402
    assert answer.json is not None
    assert answer.json["message"].startswith("Das Netzwerk würde diese Zahlung ablehnen.")


def test_any_wallet_of_any_origin_may_ask_for_a_solana_pay_transfer(verbs: StatesGallery, client: FlaskClient) -> None:
    shown = client.get("/solana/chosen")
    asked = client.post(
        "/solana/chosen",
        json={"account": ACCOUNT},
        headers={"Origin": "https://wallet.example", "Sec-Fetch-Site": "cross-site"},
    )
    allowed = client.options("/solana/chosen", headers={"Access-Control-Request-Method": "POST"})
    assert shown.json == {"label": "Northwind Outfitters", "icon": "http://localhost/icon.svg"}
    assert asked.json is not None
    assert set(asked.json) == {"transaction", "message"}
    assert "€24.90 to Northwind Outfitters, order 1001" in asked.json["message"]
    assert verbs.calls == [("build_transfer", "chosen", ACCOUNT, "legacy")]
    for answer in (shown, asked, allowed, client.get("/solana/nobody")):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in client.get("/pay/chosen/status").headers


# --- headers -----------------------------------------------------------------------------------------------------

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'; report-uri /csp"
)


@pytest.mark.parametrize("path", ["/pay/chosen", "/pay/nobody", "/pay/chosen/status", "/solana/chosen", "/nowhere"])
def test_every_answer_carries_the_strict_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["Content-Security-Policy"] == POLICY
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
    assert "Set-Cookie" not in headers


def test_only_the_sandbox_may_talk_to_the_dev_chain(verbs: StatesGallery) -> None:
    app = a_checkout_app(verbs, sandbox_rpc_url="http://127.0.0.1:8899")
    policy = app.test_client().get("/pay/chosen").headers["Content-Security-Policy"]
    assert policy == POLICY.replace("connect-src 'self'", "connect-src 'self' http://127.0.0.1:8899")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"[" * 5000, b'{"csp-report": {"effective-directive": 7}}', b"\xff\xfe", b"x" * 10],
)
def test_a_broken_report_is_counted_and_never_breaks(verbs: StatesGallery, body: bytes) -> None:
    app = a_checkout_app(verbs)
    assert app.test_client().post("/csp", data=body).status_code == 204
    assert app.extensions["csp_reports"].count == 1


def test_a_report_is_logged_without_the_address_it_names(
    verbs: StatesGallery, caplog: pytest.LogCaptureFixture
) -> None:
    report = {"csp-report": {"effective-directive": "img-src", "document-uri": "https://pay.example/pay/secret-token"}}
    a_checkout_app(verbs).test_client().post("/csp", data=json.dumps(report))
    (record,) = caplog.records
    assert vars(record)["fields"] == {"directive": "img-src", "count": 1}


def test_a_huge_report_is_refused(client: FlaskClient) -> None:
    assert client.post("/csp", data=b"x" * 20_000).status_code == 413


def test_answers_are_compressed_for_those_who_take_it(client: FlaskClient) -> None:
    plain = client.get("/pay/chosen")
    small = client.get("/pay/chosen", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(small.data) == plain.data
    assert len(small.data) < len(plain.data) / 2
    assert "Accept-Encoding" in small.headers["Vary"]
    refused = client.get("/pay/chosen", headers={"Accept-Encoding": "gzip;q=0, br"})
    assert "Content-Encoding" not in refused.headers


def test_nothing_of_a_request_is_echoed_so_compression_tells_nothing(client: FlaskClient) -> None:
    marker = "zzmarkerzz"
    answer = client.get(
        f"/pay/chosen?lang={marker}&problem={marker}&q={marker}",
        headers={"Accept-Language": marker, "User-Agent": marker, "Referer": f"http://x/{marker}"},
    )
    assert marker not in answer.text


def test_static_files_are_kept_for_ever_under_an_address_of_their_content(client: FlaskClient) -> None:
    page = client.get("/pay/open").text
    address = page.split('<script type="module" src="')[1].split('"')[0]
    answer = client.get(address, headers={"Accept-Encoding": "gzip"})
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Encoding"] == "gzip"
    assert client.get(address.replace("checkout.js", "nothing.js")).status_code == 404
    assert client.get("/assets/000000000000/checkout.js").status_code == 404


# --- details -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "groups"),
    [
        ("abcdefghijkl", ("abcd", "efgh", "ijkl")),
        ("abcdefghijk", ("abcd", "efg", "hijk")),
        (ACCOUNT, ("7xKX", "tg2C", "W87d", "97TX", "JSDp", "bD5j", "Bkhe", "TqA8", "3TZR", "uJos", "gAsU")),
    ],
)
def test_an_address_is_cut_so_that_both_ends_are_whole(address: str, groups: tuple[str, ...]) -> None:
    assert address_groups(address) == groups


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("/logo.svg", True),
        ("data:image/png;base64,AA==", True),
        ("https://cdn.example/logo.png", False),
        ("//cdn.example/logo.png", False),
        ("data:text/html,x", False),
        ("javascript:alert(1)", False),
        (None, False),
    ],
)
def test_a_logo_never_asks_a_third_party(url: str | None, *, shown: bool) -> None:
    assert (own_logo(url) is not None) is shown


def test_a_gift_is_asked_for_once_with_no_as_large_as_yes_and_nothing_ticked(client: FlaskClient) -> None:
    text = client.get("/pay/asked_for_a_gift").text
    assert "Would you like to give something to River Fund?" in text
    choices = re.findall(r'class="gift-choice" name="gift" value="([^"]+)" id="[^"]+" aria-pressed="(\w+)"', text)
    assert choices == [("none", "true"), ("round_up:0.10", "false"), ("fixed:2.00", "false")]
    assert "The gift is yours, not ours." in text
    assert "Gift to River Fund" not in text, "no line before it is chosen"


def test_a_chosen_gift_has_a_line_of_its_own_and_is_part_of_what_is_paid(client: FlaskClient) -> None:
    text = client.get("/pay/gift_chosen").text
    assert 'value="round_up:0.10" id="gift-round_up-0-10" aria-pressed="true"' in text
    lines = text.partition('<ul class="lines">')[2].partition("</ul>")[0]
    assert lines.count("<li>") == 3
    assert "Gift to River Fund</span><bdi>€0.10" in lines
    assert "Gift to River Fund</span><bdi>€0.10" in client.get("/pay/gift_paid").text, "on the receipt, too"


def test_a_donation_is_called_one(client: FlaskClient) -> None:
    text = client.get("/pay/donating").text
    assert "Your gift" in text
    assert '<p class="hint">Gift to River Fund</p>' in text, "beside the sum, not only at the foot"
    assert "You give to River Fund through Northwind Outfitters." in text
    assert "Given" in client.get("/pay/donated").text


@pytest.mark.parametrize(
    ("value", "call"),
    [("round_up:0.10", ("choose_gift", "open", "round_up", "0.10")), ("none", ("drop_gift", "open")),
     ("campaign:5", ("drop_gift", "open")), ("", ("drop_gift", "open"))],
)  # fmt: skip
def test_the_choice_of_a_gift_is_carried_out_by_the_server(value: str, call: tuple[str, ...]) -> None:
    gallery = StatesGallery(a_clock())
    answer = a_checkout_app(gallery).test_client().post("/pay/open/gift", data={"gift": value})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/pay/open")
    assert gallery.calls == [call]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [(InvalidRequestError(ErrorCode.GIFT_NOT_OFFERED, "No."), "not on offer any more"),
     (ConflictError(ErrorCode.GIFT_NOT_CHANGEABLE, "No."), "The payment has begun"),
     (TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, "No."), "could not be closed")],
)  # fmt: skip
def test_a_gift_that_cannot_be_changed_is_explained(error: GatewayError, sentence: str) -> None:
    gallery = StatesGallery(a_clock(), failures={"choose_gift": error})
    client = a_checkout_app(gallery).test_client()
    answer = client.post("/pay/open/gift", data={"gift": "fixed:2.00"}, follow_redirects=True)
    assert sentence in answer.text
