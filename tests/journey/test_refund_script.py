"""The script of docs/refunds.md, run as it stands there: the SDK, the served API, a real wallet's key, a real chain."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from hosted_checkout.app import create_app
from sandbox.devchain.wallet import TestWallet
from streampay import Conflict, InvalidRequest
from tests.api.live import serving
from tests.journey.street import SOL, Shop, Street

PAGE = Path(__file__).parents[2] / "docs" / "refunds.md"
(SCRIPT,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def script(street: Street, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Serve the gateway and run the script's definitions before it."""
    key_file = tmp_path / "wallet.json"
    key_file.write_text(json.dumps(list(bytes(shop.wallet.keypair))), encoding="utf-8")
    monkeypatch.setenv("WALLET_KEY_FILE", str(key_file))
    key = street.house.engine.merchants.create_key(shop.owner.merchant_id, livemode=False)
    monkeypatch.setenv("STREAMPAY_API_KEY", key)
    with serving(create_app(street.house)) as base_url:
        monkeypatch.setenv("STREAMPAY_BASE_URL", base_url)
        names: dict[str, Any] = {}
        exec(SCRIPT, names)  # noqa: S102 - our own page
        yield names
        names["client"].close()


def test_the_pages_script_refunds_once_however_often_it_runs(
    street: Street, shop: Shop, script: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    shopper = street.shopper()
    order = shop.order("10.00", method="sol")
    order.approve(shopper)
    street.settle()
    held = shopper.lamports("finalized")
    refund_id = script["give_back"](order.payment_id, "0.01")
    assert script["give_back"](order.payment_id, "0.01") == refund_id
    assert capsys.readouterr().out == f"0.010000000 SOL to {shopper.address}\n"
    street.settle()
    assert script["give_back"](order.payment_id, "0.01") == refund_id
    refund = script["client"].refunds.retrieve(refund_id)
    assert (refund.status, refund.destination, refund.extra) == ("succeeded", shopper.address, {})
    assert shopper.lamports("finalized") - held == SOL // 100
    street.assert_sound()


def test_the_client_tells_apart_why_a_transfer_is_refused(street: Street, shop: Shop, script: dict[str, Any]) -> None:
    refunds, shopper = script["client"].refunds, street.shopper()
    order = shop.order("10.00", method="usdc")
    order.approve(shopper)
    street.settle()
    for wrong, param in (({"destination": "abc"}, "/destination"), ({"source": order.payment_id}, "/source")):
        with pytest.raises(InvalidRequest) as refusal:
            refunds.create(payment=order.payment_id, **wrong)
        assert refusal.value.param == param
    received = order.payment["transfers"][0]["id"]
    refund = refunds.create(payment=order.payment_id, amount="1.00", source=received, destination=shop_guest(street))
    assert (refund.status, refund.source) == ("requires_action", received)
    built = refunds.transfer(refund.id)
    assert (built.payer, built.memo, built.amount, built.extra) == (shop.wallet.address, refund.id, "1.000000", {})
    assert built.destination == refund.destination
    with pytest.raises(InvalidRequest) as refusal:
        refunds.transfer(refund.id, payer=shopper.address)
    assert (refusal.value.code, refusal.value.param) == ("wallet_address_invalid", "/payer")
    for bad in ("AAAA", built.payload, shopper.sign(order_of(street, shop, shopper))):
        with pytest.raises(InvalidRequest) as refusal:
            refunds.submit(refund.id, bad)
        assert refusal.value.code in {"wallet_payload_refused", "wallet_address_invalid"}
    assert refunds.cancel(refund.id).status == "canceled"
    with pytest.raises(Conflict) as conflict:
        refunds.transfer(refund.id)
    assert (conflict.value.code, conflict.value.object_id) == ("refund_not_sendable", refund.id)


def shop_guest(street: Street) -> str:
    """Return a wallet that nobody has used yet."""
    return street.wallet().address


def order_of(street: Street, shop: Shop, shopper: TestWallet) -> str:
    """Return bytes that pay an order, which is no refund."""
    street.look()
    return shop.order("1.00", method="usdc").build(shopper)
