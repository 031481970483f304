"""What the gateway's books say, beside what the bank says, both over HTTP; and the gateway's own proof of its books."""

from decimal import Decimal
from typing import Final

import requests

from sandbox.demo.processes import run
from sandbox.demo.stage import SERVER, Scene

HTTP_S: Final = 20
CENT: Final = Decimal("0.01")
CLEARING: Final = "psp:stripe:clearing"  # the account of what the bank owes the merchant


def owed_by_books(scene: Scene) -> Decimal:
    """Return what the bank owes the merchant, in dollars, if the books are right."""
    answer = requests.get(
        f"{scene.gateway_url}/v1/balances",
        headers={"Authorization": f"Bearer {scene.shop_environment['STREAMPAY_API_KEY']}"},
        timeout=HTTP_S,
    )
    rows = [row for row in answer.json()["data"] if (row["account"], row["currency"]) == (CLEARING, "USD")]
    return sum((Decimal(row["posted"]) for row in rows), start=Decimal(0))


def owed_by_bank(scene: Scene) -> Decimal:
    """Return what the bank itself says that it owes the merchant, in dollars."""
    balance = requests.get(f"{scene.bank_url}/_sandbox", timeout=HTTP_S).json()["balance"]
    return CENT * sum(int(holdings.get("usd", 0)) for holdings in balance.values())


def verify_ledger(scene: Scene) -> None:
    """Let the gateway check every entry, balance and seal.

    Raises:
        DemoError: something does not add up.
    """
    run([*SERVER, "ledger", "verify"], scene.environment)


def reconcile(scene: Scene) -> None:
    """Let the gateway look for what nobody has explained.

    Raises:
        DemoError: there is something.
    """
    run([*SERVER, "reconcile"], scene.environment)
