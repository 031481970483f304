"""The guard against requests that we must not make for a stranger (SSRF): which URLs and addresses webhooks may reach.

An endpoint's URL is text from outside. Its form is checked when it is stored; its addresses are checked when we
connect, once, and we connect to exactly the addresses that were checked, so a name that changes its answer between
check and use gains nothing. `ipaddress.is_global` alone is not enough: it says yes to multicast, NAT64 and 6to4 forms
of 127.0.0.1 and to `::127.0.0.1` (measured on Python 3.11).
"""

import functools
import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.kernel.errors import ErrorCode, InvalidRequestError

MAX_URL: Final = 2048  # what browsers and proxies agree on
DEFAULT_PORTS: Final = frozenset({80, 443, 8443})
# One strict form that every parser reads the same way: no userinfo, no fragment, no backslash, no control character.
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?P<query>\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?",
    re.ASCII,
)
_NAME: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?\.?", re.ASCII)
_NUMERIC_LABEL: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*", re.ASCII)
_LOCAL_NAMES: Final = ("localhost", ".localhost", ".local", ".internal", ".home.arpa")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
# Global by the registry, or by some Python versions, yet never a merchant's server.
_REFUSED: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("192.88.99.0/24", "64:ff9b:1::/48", "fec0::/10", "5f00::/16", "3fff::/20", "100:0:0:1::/64")
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[..., Sequence[tuple[Any, ...]]]


class DestinationRefusedError(Exception):
    """The destination may not be reached for a merchant; the message names the rule, never an inner address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundPolicy:
    """Where webhooks may go: `allowed` holds `host:port` entries that skip every address and port rule.

    They are for development. An allow-listed host may also be reached by plain http in test mode.
    """

    allowed: frozenset[str] = frozenset()
    ports: frozenset[int] = field(default=DEFAULT_PORTS)

    def permits(self, host: str, port: int) -> bool:
        """Tell whether this exact host and port are allow-listed."""
        return f"{host}:{port}" in self.allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A URL taken apart; `target` is path and query as they go into the request line."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def is_tls(self) -> bool:
        """Tell whether the connection is encrypted and its certificate checked."""
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """Return the `Host` header: the port is left out when it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"


@functools.lru_cache(4096)  # every delivery asks for its endpoint's
def split_url(url: str) -> Destination:
    """Take a stored URL apart.

    Raises:
        DestinationRefusedError: it is not in the one strict form.
    """
    matched = _URL.fullmatch(url) if len(url) <= MAX_URL else None
    if matched is None:
        raise DestinationRefusedError("Send a plain absolute URL without user name, password or fragment.")
    host = matched["host"].lower().strip("[]")
    if ":" not in host and not _NAME.fullmatch(host):
        raise DestinationRefusedError("The host name is malformed.")
    port = int(matched["port"] or (443 if matched["scheme"] == "https" else 80))
    target = (matched["path"] or "/") + (matched["query"] or "")
    return Destination(scheme=matched["scheme"], host=host, port=port, target=target)


def check_url(url: str, *, livemode: bool, policy: OutboundPolicy) -> None:
    """Check the URL of an endpoint as a merchant sends it; no I/O.

    Raises:
        InvalidRequestError: `url_invalid` for its form, `endpoint_url_refused` for where it leads.
    """
    try:
        destination = split_url(url)
    except DestinationRefusedError as error:
        raise InvalidRequestError(ErrorCode.URL_INVALID, str(error), param="/url") from None
    try:
        check_destination(destination, livemode=livemode, policy=policy)
    except DestinationRefusedError as error:
        raise InvalidRequestError(ErrorCode.ENDPOINT_URL_REFUSED, str(error), param="/url") from None


def check_destination(destination: Destination, *, livemode: bool, policy: OutboundPolicy) -> None:
    """Check scheme, port and whatever the host itself shows; asked again before every try.

    Raises:
        DestinationRefusedError: a rule forbids it.
    """
    is_allowed = policy.permits(destination.host, destination.port)
    if not destination.is_tls and (livemode or not is_allowed):
        raise DestinationRefusedError("Use https; plain http is only for allow-listed hosts in test mode.")
    if is_allowed:
        return
    if destination.port not in policy.ports:
        raise DestinationRefusedError("Use port 443, 80 or 8443.")
    name = destination.host.rstrip(".")
    if name == _LOCAL_NAMES[0] or name.endswith(_LOCAL_NAMES[1:]):
        raise DestinationRefusedError("The host is not on the public internet.")
    address = _literal(name)
    if address is not None and not is_public(address):
        raise DestinationRefusedError("The address is not on the public internet.")


def _literal(host: str) -> Address | None:
    """Return the address that a host literally is; None for a name.

    Raises:
        DestinationRefusedError: a number in a form that only some parsers take for an address (127.1, 0x7f.1).
    """
    if ":" not in host and not _NUMERIC_LABEL.fullmatch(host.rpartition(".")[2]):
        return None
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        raise DestinationRefusedError("Write the address as four decimal numbers, or use a name.") from None


def is_public(address: Address) -> bool:
    """Tell whether an address, and every address hidden within it, is a server on the public internet."""
    hidden = _hidden(address)
    if hidden:
        return all(is_public(inner) for inner in hidden)
    if any(address in network for network in _REFUSED if network.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _hidden(address: Address) -> tuple[ipaddress.IPv4Address, ...]:
    """Return the IPv4 addresses that an IPv6 form carries: mapped, 6to4, Teredo, NAT64, IPv4-compatible."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    number = int(address)
    if address in _NAT64 or number >> 32 == 0:
        return (ipaddress.IPv4Address(number & 0xFFFFFFFF),)
    return ()


def resolve(
    destination: Destination, policy: OutboundPolicy, resolver: Resolver = socket.getaddrinfo
) -> tuple[tuple[int, tuple[Any, ...]], ...]:
    """Resolve the host once; return (family, socket address) of each answer, all of them checked.

    Raises:
        DestinationRefusedError: one answer is not public; a mixed answer is refused as a whole.
        OSError: the name does not resolve.
    """
    answers = resolver(destination.host, destination.port, type=socket.SOCK_STREAM)
    found = tuple((family, sockaddr) for family, _, _, _, sockaddr in answers)
    if not found:
        raise socket.gaierror(socket.EAI_NONAME, "the name has no address")
    if not policy.permits(destination.host, destination.port):
        for _, sockaddr in found:
            if not is_public(ipaddress.ip_address(str(sockaddr[0]).partition("%")[0])):
                raise DestinationRefusedError("The host leads to an address that is not on the public internet.")
    return found
