"""Who sends a form, as far as the network tells: one address of a person, or one block that a person has."""

from ipaddress import IPv4Address, ip_address, ip_network
from typing import Final

from flask import Request

_HOME: Final = 64  # bits of an IPv6 address that name a connection; its owner has all that follow


def client_address(request: Request, proxies: int) -> str | None:
    """Return the sender's address behind so many proxies of ours; None if it cannot be known.

    A forwarded address that no proxy of ours has written is a stranger's word. Then the connection's own may be that of
    a proxy that nobody told us of, and all donors would share it: so it counts for nothing.
    """
    forwarded = [one.strip() for one in request.headers.get("X-Forwarded-For", "").split(",") if one.strip()]
    if not proxies:
        return None if forwarded else _block(request.remote_addr)
    return _block(forwarded[-proxies]) if len(forwarded) >= proxies else None


def _block(text: str | None) -> str | None:
    try:
        address = ip_address(text or "")
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return str(address)
    mapped = address.ipv4_mapped
    return str(mapped) if mapped is not None else str(ip_network((address, _HOME), strict=False))
