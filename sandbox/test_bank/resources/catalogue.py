"""Products and prices, named in advance or made on the way by `price_data`."""

from collections.abc import Mapping
from typing import Any, Final

from sandbox.test_bank import money, paging
from sandbox.test_bank.errors import ApiError, missing
from sandbox.test_bank.store import Wire
from sandbox.test_bank.vault import Call, Handler, Vault, merged_metadata

_PRODUCT_TEXTS: Final = ("description", "statement_descriptor", "unit_label", "url", "tax_code")
_MAX_UNIT_AMOUNT: Final = 99_999_999


def make_product(vault: Vault, given: Mapping[str, Any], *, param: str = "") -> Wire:
    """Make a product and tell so."""
    if not given.get("name"):
        raise missing(f"{param}[name]" if param else "name")
    texts = {name: given[name] for name in _PRODUCT_TEXTS if given.get(name)}
    product = vault.new(
        "product",
        **{
            "active": given.get("active", True),
            "default_price": None,
            "images": list(given.get("images") or []),
            "metadata": merged_metadata({}, given.get("metadata", {})),
            "name": given["name"],
            "type": "service",
            "updated": vault.now(),
        }
        | texts,
    )
    vault.emit("product.created", product)
    return product


def make_price(vault: Vault, given: Mapping[str, Any], *, param: str = "", is_active: bool = True) -> Wire:
    """Make a price, and its product when `product_data` describes one."""

    def spelled(name: str) -> str:
        return f"{param}[{name}]" if param else name

    currency = money.checked_currency(given["currency"], param=spelled("currency"))
    amount = _unit_amount(given, spelled)
    if "product" in given:
        product = vault.get("product", given["product"], param=spelled("product"))
    elif "product_data" in given:
        product = make_product(vault, given["product_data"], param=spelled("product_data"))
    else:
        raise missing(spelled("product"))
    recurring = given.get("recurring")
    price = vault.new(
        "price",
        active=is_active,
        billing_scheme="per_unit",
        currency=currency,
        lookup_key=given.get("lookup_key"),
        metadata=merged_metadata({}, given.get("metadata", {})),
        nickname=given.get("nickname"),
        product=product["id"],
        recurring=None if recurring is None else _recurring(recurring),
        tax_behavior=given.get("tax_behavior", "unspecified"),
        type="one_time" if recurring is None else "recurring",
        unit_amount=amount,
        unit_amount_decimal=str(amount),
    )
    vault.emit("price.created", price)
    return price


def create_product(vault: Vault, call: Call) -> Wire:
    """Answer `products.create`."""
    product = make_product(vault, call.params)
    if "default_price_data" in call.params:
        given = {**call.params["default_price_data"], "product": product["id"]}
        product["default_price"] = make_price(vault, given, param="default_price_data")["id"]
        vault.keep(product)
    return product


def retrieve_product(vault: Vault, call: Call) -> Wire:
    """Return a product."""
    return vault.get("product", call.identifier)


def update_product(vault: Vault, call: Call) -> Wire:
    """Change a product."""
    product = vault.get("product", call.identifier)
    metadata = merged_metadata(product["metadata"], call.params.get("metadata", {}))
    if "default_price" in call.params:
        vault.get("price", call.params["default_price"], param="default_price")
    names = ("name", "active", "default_price", "images", "shippable", *_PRODUCT_TEXTS)
    product |= {name: call.params[name] if call.params[name] != "" else None for name in names if name in call.params}
    product |= {"metadata": metadata, "updated": vault.now(), "images": product["images"] or []}
    vault.keep(product)
    vault.emit("product.updated", product)
    return product


def delete_product(vault: Vault, call: Call) -> Wire:
    """Delete a product that has no price."""
    product = vault.get("product", call.identifier)
    if any(price["product"] == product["id"] for price in vault.every("price")):
        raise ApiError("This product cannot be deleted because it has one or more user-created prices.")
    vault.store.remove(product["id"])
    vault.emit("product.deleted", product)
    return {"id": product["id"], "object": "product", "deleted": True}


def list_products(vault: Vault, call: Call) -> Wire:
    """List products."""
    wanted = call.params.get("ids")

    def is_wanted(product: Wire) -> bool:
        return wanted is None or product["id"] in wanted

    return paging.listed(vault, call, "product", "active", "shippable", "url", "type", where=is_wanted)


def create_price(vault: Vault, call: Call) -> Wire:
    """Answer `prices.create`."""
    return make_price(vault, call.params, is_active=call.params.get("active", True))


def retrieve_price(vault: Vault, call: Call) -> Wire:
    """Return a price."""
    return vault.get("price", call.identifier)


def update_price(vault: Vault, call: Call) -> Wire:
    """Change what may be changed of a price: never its amount."""
    price = vault.get("price", call.identifier)
    metadata = merged_metadata(price["metadata"], call.params.get("metadata", {}))
    names = ("active", "nickname", "lookup_key", "tax_behavior")
    price |= {name: call.params[name] if call.params[name] != "" else None for name in names if name in call.params}
    price["metadata"] = metadata
    vault.keep(price)
    vault.emit("price.updated", price)
    return price


def list_prices(vault: Vault, call: Call) -> Wire:
    """List prices."""
    keys, recurring = call.params.get("lookup_keys"), call.params.get("recurring", {})

    def fits(price: Wire) -> bool:
        terms = price["recurring"] or {}
        return (keys is None or price["lookup_key"] in keys) and all(
            terms.get(name) == value for name, value in recurring.items()
        )

    return paging.listed(vault, call, "price", "active", "currency", "product", "type", where=fits)


OPERATIONS: Final[Mapping[str, Handler]] = {
    "products.create": create_product,
    "products.retrieve": retrieve_product,
    "products.update": update_product,
    "products.del": delete_product,
    "products.list": list_products,
    "prices.create": create_price,
    "prices.retrieve": retrieve_price,
    "prices.update": update_price,
    "prices.list": list_prices,
}
TAKES: Final[Mapping[str, frozenset[str]]] = {
    "products.create": frozenset(
        {
            "name",
            "active",
            "images",
            "metadata",
            "description",
            "statement_descriptor",
            "unit_label",
            "url",
            "tax_code",
            "default_price_data",
        }
    ),
    "products.retrieve": frozenset(),
    "products.update": frozenset(
        {
            "name",
            "active",
            "images",
            "metadata",
            "default_price",
            "shippable",
            "description",
            "statement_descriptor",
            "unit_label",
            "url",
            "tax_code",
        }
    ),
    "products.del": frozenset(),
    "products.list": paging.PAGE | {"active", "shippable", "url", "type", "ids"},
    "prices.create": frozenset(
        {
            "currency",
            "unit_amount",
            "unit_amount_decimal",
            "product",
            "product_data",
            "recurring",
            "lookup_key",
            "metadata",
            "nickname",
            "tax_behavior",
            "active",
            "billing_scheme",
        }
    ),
    "prices.retrieve": frozenset(),
    "prices.update": frozenset({"active", "nickname", "lookup_key", "tax_behavior", "metadata"}),
    "prices.list": paging.PAGE | {"active", "currency", "product", "type", "lookup_keys", "recurring"},
}


def _unit_amount(given: Mapping[str, Any], spelled: Any) -> int:
    if "unit_amount" in given:
        amount: int = given["unit_amount"]
    elif "unit_amount_decimal" in given and str(given["unit_amount_decimal"]).isdecimal():
        amount = int(given["unit_amount_decimal"])
    else:
        raise missing(spelled("unit_amount"))
    if not 0 <= amount <= _MAX_UNIT_AMOUNT:
        raise ApiError("Invalid non-negative integer", code="parameter_invalid_integer", param=spelled("unit_amount"))
    return amount


def _recurring(given: Mapping[str, Any]) -> Wire:
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "meter": None,
        "trial_period_days": given.get("trial_period_days"),
        "usage_type": "licensed",
    }
