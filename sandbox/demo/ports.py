"""Where everything of the demo listens, and what to say when somebody else listens there already."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.demo.processes import DemoError

HOST: Final = "127.0.0.1"
DEFAULT_BASE: Final = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where everything listens."""

    gateway: int
    shop: int
    charity: int
    sandbox: int
    chain: int

    @classmethod
    def from_base(cls, base: int) -> "Ports":
        """Return the ports of a demo whose gateway listens on `base`: 8080 gives 8080 to 8082, 8090, 8899 and 8900."""
        return cls(gateway=base, shop=base + 1, charity=base + 2, sandbox=base + 10, chain=base + 819)

    @property
    def chain_socket(self) -> int:
        """The WebSocket port of the dev chain."""
        return self.chain + 1

    @property
    def gateway_url(self) -> str:
        """Where the gateway answers."""
        return _url(self.gateway)

    @property
    def shop_url(self) -> str:
        """Where the shop answers."""
        return _url(self.shop)

    @property
    def charity_url(self) -> str:
        """Where the charity's page answers."""
        return _url(self.charity)

    @property
    def bank_url(self) -> str:
        """Where the Test Bank answers, and the test exchange beside it."""
        return _url(self.sandbox)

    @property
    def chain_url(self) -> str:
        """Where the dev chain answers."""
        return _url(self.chain)

    def names(self) -> Mapping[str, int]:
        """Return every port by what it is for."""
        return {
            "gateway": self.gateway,
            "shop": self.shop,
            "charity's page": self.charity,
            "sandbox services": self.sandbox,
            "dev chain": self.chain,
            "dev chain's WebSocket": self.chain_socket,
        }


def refuse_busy_ports(ports: Ports) -> None:
    """Raise `DemoError` naming every port that somebody else holds."""
    busy = [f"{port} ({name})" for name, port in ports.names().items() if _is_busy(port)]
    if busy:
        raise DemoError(f"These ports are busy: {', '.join(busy)}. Use --port-base to move all of them.")


def _is_busy(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"
