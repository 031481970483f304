"""The demo's charity: for whom the shop's customers round up, and what its own page collects for."""

from typing import Any, Final

import requests

from sandbox.demo.ports import Ports
from sandbox.demo.processes import DemoError
from sandbox.devchain.wallet import TestWallet

HTTP_S: Final = 10
SEED: Final = "the demo's charity"
NAME: Final = "River Fund"


def open_campaign(ports: Ports, key: str, usdc_mint: str) -> str:
    """Tell the gateway of the charity, of a campaign, and of what shoppers are offered; return the campaign's address.

    Raises:
        DemoError: the gateway refuses something of it.
    """
    charity = _create(
        ports,
        key,
        "charities",
        name=NAME,
        legal_name="River Fund e.V.",
        receipt_prefix="RF",
        tax_id="12/345/67890",
        address="Am Ufer 1, 50667 Köln",
        country="DE",
        tax_statement="Test mode: this is no receipt for any tax office.",
        solana_address=_wallet(ports.chain_url, usdc_mint),
    )
    _create(
        ports,
        key,
        "donation_configs",
        charity=charity["id"],
        currency="USD",
        mode="both",
        unit="1",
        cap="5",
        amounts=["2"],
        disclosure="All of it goes to River Fund. The gift is yours, not the shop's.",
        payout_terms="Every quarter.",
    )
    campaign = _create(
        ports,
        key,
        "donation_campaigns",
        charity=charity["id"],
        title="Clean rivers",
        currency="USD",
        min_amount="1",
        max_amount="10000",
        presets=["10", "25", "50"],
        story="Every autumn we fish out what was thrown in.\n\nTen dollars clean ten metres of bank.",
        frequencies=["once", "monthly", "quarterly", "yearly"],
        goal="5000",
        offers_fee_cover=True,
        fee_bps=290,
        fee_fixed="0.30",
        offers_tribute=True,
        offers_comment=True,
        shows_wall=True,
        origins=[ports.charity_url],
    )
    return f"{ports.gateway_url}/donate/{campaign['id']}"


def _create(ports: Ports, key: str, resource: str, **fields: Any) -> dict[str, Any]:
    answer = requests.post(
        f"{ports.gateway_url}/v1/{resource}", json=fields, headers={"Authorization": f"Bearer {key}"}, timeout=HTTP_S
    )
    if not answer.ok:
        raise DemoError(f"The gateway refused the demo's {resource}: {answer.text}")
    made: dict[str, Any] = answer.json()
    return made


def _wallet(chain_url: str, usdc_mint: str) -> str:
    """Return the charity's own address, whose accounts exist, so that gifts from wallets go there at once."""
    wallet = TestWallet(chain_url, seed=SEED)
    wallet.airdrop(1_000_000_000)
    wallet.airdrop_token(usdc_mint, 1)
    return wallet.address
