"""Sessions of the customer portal: an address under which a customer looks after what he subscribed to."""

from collections.abc import Mapping
from typing import Final

from sandbox.test_bank.errors import missing
from sandbox.test_bank.resources import customers
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, Handler, Vault

_CONFIGURATION: Final = "bpc_streampaytestbank"
"""The bank's portal looks the same for everybody, so there is one configuration and no API for it."""


def create(vault: Vault, call: Call) -> Wire:
    """Make a portal session."""
    if "customer" not in call.params:
        raise missing("customer")
    customer = customers.living(vault, call.params["customer"], param="customer")
    session = vault.new(
        "billing_portal.session",
        configuration=_CONFIGURATION,
        customer=customer["id"],
        locale=call.params.get("locale"),
        return_url=call.params.get("return_url"),
    )
    session["url"] = f"{vault.base_url or call.base_url}/p/session/{session['id']}"
    vault.keep(session)
    return session


OPERATIONS: Final[Mapping[str, Handler]] = {"billingPortal.sessions.create": create}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "billingPortal.sessions.create": frozenset({"customer", "locale", "return_url"})
}
