"""Errors as a Solana node gives them (Agave ``rpc-client-api/src/custom_error.rs`` and JSON-RPC 2.0)."""

from typing import Any


class RpcError(Exception):
    """An answer with an ``error`` member; ``data`` is left out when None."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, Any]:
        """Return the ``error`` member."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        return body if self.data is None else {**body, "data": self.data}


def invalid_params(reason: str) -> RpcError:
    """Return the error for parameters that cannot be used."""
    return RpcError(-32602, f"Invalid params: {reason}.")
