"""Links: read back by a wallet's own reader, and paid from."""

import re
from dataclasses import replace
from urllib.parse import parse_qsl, unquote

import pytest

from gateway.kernel.money import Money
from gateway.processors.solana import phantom_browse_link, server_request_link
from sandbox.devchain.faucet import USDC_MINT
from sandbox.devchain.paylink import RequestLink, TransferLink, read_pay_link
from tests.processors.solana_stage import SOL, USDC, Stage


@pytest.mark.parametrize(
    ("atomic", "asset", "written"),
    [
        (1, "SOL", "0.000000001"),
        (10**9, "SOL", "1"),
        (10**18, "SOL", "1000000000"),
        (123_456_789_123_456_789, "SOL", "123456789.123456789"),
        (61_500_000, "SOL", "0.0615"),
        (12_300_000, "USDC", "12.3"),
        (1, "USDC", "0.000001"),
    ],
)
def test_amounts_are_user_units_without_exponent_or_idle_zeros(
    stage: Stage, atomic: int, asset: str, written: str
) -> None:
    link = stage.processor.pay_url(stage.request(atomic, asset))
    assert re.search(r"[?&]amount=([^&]*)", link)[1] == written  # type: ignore[index]  # a failure says as much


@pytest.mark.parametrize("label", ["Blumenladen & Söhne #1 + Co", "50 % off?", "a=b/c", "متجر", "🌻", "'\"<>"])
def test_every_character_comes_back_as_it_was(stage: Stage, label: str) -> None:
    request = replace(stage.request(USDC, "USDC"), label=label, message=f"Order {label}")
    link = read_pay_link(stage.processor.pay_url(request))
    assert isinstance(link, TransferLink)
    assert (link.label, link.message, link.memo) == (label, f"Order {label}", request.memo)
    assert str(link.recipient) == stage.merchant  # the wallet, never the token account
    assert link.mint == USDC_MINT
    assert [str(reference) for reference in link.references] == [request.reference_key]


def test_browsers_read_the_query_alike(stage: Stage) -> None:
    link = stage.processor.pay_url(replace(stage.request(SOL), label="a+b c"))
    assert dict(parse_qsl(link.partition("?")[2]))["label"] == "a+b c"
    assert "+" not in link
    assert " " not in link


@pytest.mark.parametrize("asset", ["SOL", "USDC"])
def test_a_wallet_that_scans_the_link_pays_what_is_due(stage: Stage, asset: str) -> None:
    wallet, request = stage.wallet(usdc=50 * USDC), stage.request(12_345_678, asset)
    seen = stage.effect(wallet.pay_link(stage.processor.pay_url(request)))
    assert Money(seen.net, seen.asset) == request.due
    assert (seen.references, seen.memo) == ((request.reference_key,), request.memo)


def test_an_empty_label_is_left_out(stage: Stage) -> None:
    assert "label=" not in stage.processor.pay_url(replace(stage.request(SOL), label=""))


@pytest.mark.parametrize("url", ["https://pay.example/pay/abc/solana", "https://pay.example/solana?token=a%2Bb&x=1"])
def test_a_server_request_link_leads_to_its_url(url: str) -> None:
    link = read_pay_link(server_request_link(url))
    assert link == RequestLink(url=url)
    assert ("?" in server_request_link(url)) is False


def test_a_browse_link_opens_the_page_and_names_its_site() -> None:
    link = phantom_browse_link("https://pay.example/pay/abc?lang=de")
    assert link.startswith("https://phantom.app/ul/browse/https%3A%2F%2Fpay.example%2Fpay%2Fabc%3Flang%3Dde?ref=")
    assert unquote(link.partition("?ref=")[2]) == "https://pay.example"


def test_a_signature_is_shown_by_the_explorer_of_its_network(stage: Stage) -> None:
    assert stage.processor.explorer_url("solana:localnet", "5abc") is None
    assert stage.processor.explorer_url("solana:mainnet", "5abc") == "https://explorer.solana.com/tx/5abc"
    assert stage.processor.explorer_url("solana:devnet", "5/?x") == (
        "https://explorer.solana.com/tx/5%2F%3Fx?cluster=devnet"
    )
