"""Customers."""

from collections.abc import Mapping
from typing import Final

from sandbox.test_bank import ids, paging
from sandbox.test_bank.errors import ApiError
from sandbox.test_bank.resources import methods
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, Handler, Vault, merged_metadata

_TAKEN: Final = ("email", "name", "description", "phone", "preferred_locales", "tax_exempt")
_OBJECTS: Final = ("address", "shipping")
_TEXTS: Final = ("business_name", "individual_name")


def make(vault: Vault, **fields: object) -> Wire:
    """Make a customer and tell so."""
    known: Wire = {
        "address": None,
        "delinquent": False,
        "discount": None,
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "tax_exempt": "none",
        "test_clock": None,
        "currency": None,
    }
    customer = vault.new("customer", **known | fields)
    customer["invoice_prefix"] = ids.token(vault.seed, f"invoice/{customer['id']}", length=8).upper()
    vault.keep(customer)
    vault.emit("customer.created", customer)
    return customer


def create(vault: Vault, call: Call) -> Wire:
    """Make a customer."""
    fields: Wire = {name: call.params[name] for name in (*_TAKEN, *_TEXTS) if call.params.get(name)}
    fields |= {name: call.params[name] for name in ("balance", "test_clock") if name in call.params}
    fields |= _objects(vault, call)
    if "test_clock" in call.params:
        vault.get("test_helpers.test_clock", call.params["test_clock"], param="test_clock")
    metadata = merged_metadata({}, call.params.get("metadata", {}))
    if "payment_method" not in call.params:
        customer = make(vault, metadata=metadata, **fields)
    else:
        method = methods.named(vault, call.params["payment_method"])
        customer = make(vault, metadata=metadata, **fields)
        methods.attach(vault, method, customer["id"])
    _prefer(vault, customer, call)
    return customer


def retrieve(vault: Vault, call: Call) -> Wire:
    """Return a customer; of a deleted one, that it is deleted."""
    customer = vault.get("customer", call.identifier)
    return _gone(customer) if vault.notes(customer["id"]).get("deleted") else customer


def update(vault: Vault, call: Call) -> Wire:
    """Change a customer."""
    customer = living(vault, call.identifier)
    metadata = merged_metadata(customer["metadata"], call.params.get("metadata", {}))
    previous = {name: customer.get(name) for name in (*_TAKEN, *_OBJECTS) if name in call.params}
    customer |= {name: call.params[name] or None for name in _TAKEN if name in call.params}
    customer |= {name: call.params[name] for name in _TEXTS if call.params.get(name)}
    customer |= {"metadata": metadata, **_objects(vault, call)}
    _prefer(vault, customer, call)
    vault.keep(customer)
    vault.emit("customer.updated", customer, previous=previous)
    return customer


def delete(vault: Vault, call: Call) -> Wire:
    """Delete a customer: what refers to him stays, and his subscriptions end."""
    customer = living(vault, call.identifier)
    remove(vault, customer)
    return _gone(customer)


def remove(vault: Vault, customer: Wire) -> None:
    """Mark a customer deleted, and let end what was his."""
    for leave in vault.leave:
        leave(vault, customer)
    vault.notes(customer["id"])["deleted"] = True
    vault.keep(customer)
    vault.emit("customer.deleted", customer)


def prefer(vault: Vault, customer: Wire, method: Wire) -> None:
    """Pay a customer's invoices with a payment method from now on, and tell so."""
    before = {"invoice_settings": dict(customer["invoice_settings"])}
    customer["invoice_settings"]["default_payment_method"] = method["id"]
    vault.keep(customer)
    vault.emit("customer.updated", customer, previous=before)


def living(vault: Vault, identifier: str, *, param: str | None = None) -> Wire:
    """Return a customer who was not deleted.

    Raises:
        ApiError: `resource_missing`.
    """
    customer = vault.get("customer", identifier, param=param)
    if vault.notes(customer["id"]).get("deleted"):
        message, status = f"No such customer: '{identifier}'; it was deleted", 404 if param is None else 400
        raise ApiError(message, status=status, code="resource_missing", param=param or "id")
    return customer


def list_all(vault: Vault, call: Call) -> Wire:
    """List customers."""

    def lives(customer: Wire) -> bool:
        return not vault.notes(customer["id"]).get("deleted")

    return paging.listed(vault, call, "customer", "email", "test_clock", where=lives)


def list_methods(vault: Vault, call: Call) -> Wire:
    """List a customer's payment methods."""
    customer = living(vault, call.identifier)

    def belongs(method: Wire) -> bool:
        return bool(method["customer"] == customer["id"])

    return paging.listed(vault, call, "payment_method", "type", where=belongs)


OPERATIONS: Final[Mapping[str, Handler]] = {
    "customers.create": create,
    "customers.retrieve": retrieve,
    "customers.update": update,
    "customers.del": delete,
    "customers.list": list_all,
    "customers.listPaymentMethods": list_methods,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "customers.create": frozenset(
        {
            "email",
            "name",
            "description",
            "phone",
            "preferred_locales",
            "tax_exempt",
            "address",
            "shipping",
            "business_name",
            "individual_name",
            "balance",
            "test_clock",
            "metadata",
            "payment_method",
            "invoice_settings",
        }
    ),
    "customers.retrieve": frozenset(),
    "customers.update": frozenset(
        {
            "email",
            "name",
            "description",
            "phone",
            "preferred_locales",
            "tax_exempt",
            "address",
            "shipping",
            "business_name",
            "individual_name",
            "metadata",
            "invoice_settings",
        }
    ),
    "customers.del": frozenset(),
    "customers.list": paging.PAGE | {"email", "test_clock"},
    "customers.listPaymentMethods": paging.PAGE | {"type"},
}


def _objects(vault: Vault, call: Call) -> Wire:
    named = [name for name in _OBJECTS if name in call.params]
    return {name: vault.spec.completed("customer", name, call.params[name]) for name in named}


def _gone(customer: Wire) -> Wire:
    return {"id": customer["id"], "object": "customer", "deleted": True}


def _prefer(vault: Vault, customer: Wire, call: Call) -> None:
    """Take over the payment method that invoices shall be paid with."""
    chosen = call.params.get("invoice_settings", {}).get("default_payment_method")
    if chosen:
        method = methods.named(vault, chosen, param="invoice_settings[default_payment_method]")
        if method["customer"] != customer["id"]:
            raise ApiError(
                "The customer does not have a payment method with this ID. The payment method must be attached first.",
                code="resource_missing",
                param="invoice_settings[default_payment_method]",
            )
        customer["invoice_settings"]["default_payment_method"] = method["id"]
        vault.keep(customer)
