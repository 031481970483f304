"""The WooCommerce plugin itself: signatures, amounts, settings, both checkouts, and what it leaves behind."""

import base64
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from streampay.errors import SignatureVerificationError
from streampay.webhooks import Webhook, sign
from tests.examples.woocommerce.woo import HERE, PLUGIN, WooShop, request_of
from tests.sdk.objects import EVENT, OTHER_SECRET, SECRET, signed_headers
from tests.sdk.scripted_gateway import ScriptedGateway, problem

NOW = 1_795_165_200


# --- who may speak -------------------------------------------------------------------------------------------------


def signature_cases() -> list[dict[str, Any]]:
    """Return requests of every kind that the SDK's own tests know, to be judged by both verifiers."""
    body = json.dumps(EVENT).encode()
    good = signed_headers(body, at=NOW)
    other = signed_headers(body, secret=OTHER_SECRET, at=NOW)
    both = good | {"webhook-signature": f"{other['webhook-signature']} {good['webhook-signature']}"}
    many = good | {"webhook-signature": " ".join([other["webhook-signature"]] * 16 + [good["webhook-signature"]])}
    cases = [
        (body, good), (body, other), (body, both), (body, many), (body + b" ", good), (b"", good), (body, {}),
        (body, good | {"webhook-id": "evt_2"}), (body, good | {"webhook-id": "evt.2"}),
        (body, good | {"webhook-id": "e v"}),
        (body, good | {"webhook-timestamp": str(NOW + 1)}), (body, good | {"webhook-timestamp": "-5"}),
        (body, good | {"webhook-timestamp": "1e9"}), (body, good | {"webhook-timestamp": "9" * 13}),
        (body, good | {"webhook-timestamp": " " + str(NOW)}), (body, good | {"webhook-timestamp": str(NOW) + "\n"}),
        (body, good | {"webhook-signature": good["webhook-signature"].replace("v1,", "v1a,")}),
        (body, good | {"webhook-signature": good["webhook-signature"].replace("v1,", "v2,")}),
        (body, good | {"webhook-signature": good["webhook-signature"][:-2]}),
        (body, good | {"webhook-signature": "v1,"}), (body, good | {"webhook-signature": "x" * 5000}),
        (body, good | {"webhook-signature": "v1,\u00e9"}), (body, good | {"webhook-id": "x" * 256}),
        (b"x" * ((1 << 20) + 1), good),
    ]  # fmt: skip
    cases += [(body, signed_headers(body, at=NOW + off)) for off in (-300, 300, -301, 301, 10**6, -(10**6))]
    for hostile in (
        b"null",
        b"[]",
        b'{"id": 1}',
        b"\xff\xfe",
        b"{" * 500,
        b'"text"',
        b'{"id":"e","type":"t","data":[]}',
    ):
        cases.append((hostile, signed_headers(hostile, at=NOW)))
    secrets = ([SECRET], [OTHER_SECRET, SECRET])
    return [{"body": body, "headers": headers, "secrets": known} for body, headers in cases for known in secrets]


def verdict_of_the_sdk(case: dict[str, Any]) -> str:
    try:
        Webhook(*case["secrets"], clock=lambda: NOW).verify(case["body"], case["headers"])
    except SignatureVerificationError as error:
        return str(error.code)
    return "ok"


def test_the_plugin_and_the_sdk_judge_every_signature_alike(woo: WooShop) -> None:
    cases = signature_cases()
    wire = [case | {"body": base64.b64encode(case["body"]).decode(), "now": NOW} for case in cases]
    said = woo.do("verify", wire)
    expected = [verdict_of_the_sdk(case) for case in cases]
    assert said == expected
    assert {"ok", "signature_mismatch", "timestamp_too_old", "timestamp_in_future", "payload_invalid"} <= set(said)


def test_the_signature_of_the_specification_is_taken(woo: WooShop) -> None:
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    case = {"body": base64.b64encode(body).decode(), "headers": headers, "secrets": [secret], "now": 1_614_265_330}
    assert woo.do("verify", [case]) == ["payload_invalid"], "the signature is good, and the text is no event of ours"


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "sk_test_1", "whsec_%%%", SECRET[:-1], SECRET.lower()]
)
def test_a_malformed_secret_verifies_nothing(secret: str, woo: WooShop) -> None:
    body = json.dumps(EVENT).encode()
    encoded = base64.b64encode(body).decode()
    forged = signed_headers(body, at=NOW) | {"webhook-signature": "v1," + base64.b64encode(b"\0" * 32).decode()}
    cases = [
        {"body": encoded, "headers": each, "secrets": [secret], "now": NOW}
        for each in (forged, signed_headers(body, at=NOW))
    ]
    assert woo.do("verify", cases) == ["signature_mismatch"] * 2


def test_both_secrets_of_a_rotation_are_taken(woo: WooShop) -> None:
    order_id = woo.ordered()
    woo.set_up("http://127.0.0.1:9", secrets=f"{OTHER_SECRET}\n{SECRET}")
    told = woo.event(order_id, 2, "confirming")
    assert woo.do("deliver", *request_of(told)) == [200, "hold"]
    assert woo.do("deliver", *request_of(told, secret=OTHER_SECRET)) == [200, "duplicate"]


# --- money as text -------------------------------------------------------------------------------------------------


def test_amounts_have_one_form_and_what_is_none_is_refused(woo: WooShop) -> None:
    good = ["12.30", "012.3", "0.00", "1200.00", "0.000000001", "9" * 30, 12, 12.3, 0.1]
    assert woo.do("plain", good) == ["12.3", "12.3", "0", "1200", "0.000000001", "9" * 30, "12", "12.3", "0.1"]
    bad = ["", "-1", "+1", "1,5", "1e3", " 1", "1 ", "1\n", ".5", "5.", "١٢", "0x1", "1.2.3", "9" * 31]
    assert woo.do("plain", [*bad, None, True, []]) == [None] * (len(bad) + 3)
    sums = [
        (["0.1", "0.2"], "0.30"),
        (["0.1", "0.2"], "0.31"),
        (["9" * 17, "1"], "1" + "0" * 17),
        (["9" * 30], "9" * 30),
    ]
    assert [woo.do("adds_up", *one) for one in sums] == [True, False, True, False]


# --- the plugin itself ---------------------------------------------------------------------------------------------


def test_every_file_is_php_that_parses(php: str) -> None:
    files = [*PLUGIN.rglob("*.php"), *HERE.rglob("*.php")]
    assert len(files) > 25

    def lint(path: Path) -> str:
        done = subprocess.run([php, "-l", str(path)], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr if done.returncode else ""

    with ThreadPoolExecutor() as threads:
        assert [found for found in threads.map(lint, files) if found] == []
    for path in files:
        assert "declare(strict_types=1);" in path.read_text(), path
        assert path.read_text().count("\n") <= 600


def test_the_header_says_what_wordpress_asks_for() -> None:
    header = (PLUGIN / "streampay-for-woocommerce.php").read_text().partition("*/")[0]
    readme = (PLUGIN / "readme.txt").read_text()
    for line in ("Requires Plugins:     woocommerce", "Text Domain:          streampay-for-woocommerce", "Apache-2.0"):
        assert line in header
    assert "Stable tag: 0.1.0" in readme
    assert "Version:              0.1.0" in header


def test_both_checkouts_and_the_order_tables_are_served(woo: WooShop) -> None:
    shown = woo.do("presented")
    assert shown["declared"] == {"custom_order_tables": True, "cart_checkout_blocks": True}
    assert (shown["available"], shown["needs_setup"], shown["supports"]) == (True, False, ["products", "refunds"])
    is_active, scripts, data = shown["block"]
    assert (is_active, scripts) == (True, ["streampay-blocks"])
    assert data["title"] == "Card or crypto"
    assert "TEST MODE" in data["description"]
    assert "Test &lt;these&gt;" in shown["button"]
    woo.do("options", {"woocommerce_streampay_settings": {"enabled": "yes"}})
    assert woo.do("presented")["available"] is False


def test_the_block_script_registers_the_method_without_a_build(woo: WooShop, node: str) -> None:
    data = woo.do("presented")["block"][2]
    script = f"""
        const seen = [];
        const element = {{ createElement: (kind, props, ...children) => ({{ kind, props, children }}) }};
        globalThis.window = {{
            wc: {{
                wcSettings: {{ getSetting: () => ({json.dumps(data)}) }},
                wcBlocksRegistry: {{ registerPaymentMethod: (method) => seen.push(method) }},
            }},
            wp: {{ element, htmlEntities: {{ decodeEntities: (text) => text }} }},
        }};
        {(PLUGIN / "assets" / "blocks.js").read_text()}
        const [method] = seen;
        console.log(JSON.stringify([
            seen.length, method.name, method.ariaLabel, method.canMakePayment(), method.supports.features,
            method.content.kind().children, method.label.kind({{}}).children,
        ]));
    """
    done = subprocess.run([node, "-e", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    title, text = data["title"], data["description"]
    assert json.loads(done.stdout) == [1, "streampay", title, True, ["products", "refunds"], [text], [title]]


def test_settings_are_checked_when_they_are_saved(woo: WooShop) -> None:
    kept, errors = woo.do("save", {"base_url": "https://pay.example/v1", "test_secrets": "whsec_no", "title": "Pay"})
    assert (len(errors), kept["base_url"], kept["test_secrets"], kept["title"]) == (
        2,
        "http://127.0.0.1:9",
        SECRET,
        "Pay",
    )
    kept, errors = woo.do(
        "save", {"base_url": "https://pay.example/ ", "test_secrets": f" {OTHER_SECRET}\r\n{SECRET} "}
    )
    assert (errors, kept["base_url"], kept["test_secrets"]) == ([], "https://pay.example", f"{OTHER_SECRET}\n{SECRET}")


@pytest.mark.parametrize(
    "url", ["ftp://pay.example", "pay.example", "https://u:p@pay.example", "https://pay.example?x=1"]
)
def test_btcpay_doc_1391_the_gateways_address_is_one_that_works(url: str, woo: WooShop) -> None:
    assert len(woo.do("save", {"base_url": url})[1]) == 1


def test_live_mode_takes_live_keys_and_https_alone(woo: WooShop) -> None:
    live = {"testmode": "no", "live_key": "sk_live_4eC39Hq-yjWDa_jt", "live_secrets": SECRET}
    for base_url, changes, is_offered in (
        ("https://pay.example", {}, True),
        ("http://pay.example", {}, False),
        ("https://pay.example", {"live_key": "sk_test_4eC39HqLyjWDarjt"}, False),
        ("https://pay.example", {"live_secrets": ""}, False),
    ):
        woo.set_up(base_url, **(live | changes))
        assert woo.do("presented")["available"] is is_offered


def test_deleting_the_plugin_leaves_orders_as_they_are(woo: WooShop) -> None:
    order_id = woo.ordered()
    woo.deliver(woo.event(order_id, 3, "paid"))
    assert "woocommerce_streampay_settings" not in woo.do("uninstall")
    assert woo.state(order_id).meta["_streampay_paid_by"] == "pay_1"


def test_nothing_secret_is_logged(woo: WooShop, gateway: ScriptedGateway) -> None:
    woo.set_up(gateway.base_url, debug="yes")
    order_id = woo.ordered()
    gateway.says(problem(401, "api_key_invalid"))
    woo.do("pay", order_id)
    woo.deliver(woo.event(order_id, 3, "paid"))
    woo.do("deliver", *request_of(woo.event(order_id, 3, "paid"), secret=OTHER_SECRET))
    text = "\n".join(woo.do("log"))
    assert "session_refused" in text
    for secret in ("sk_test_", "whsec_", SECRET[6:], "ada@example.com", sign(SECRET, "evt_1", NOW, b"")[3:]):
        assert secret not in text
