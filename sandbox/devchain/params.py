"""Reading the parameters of a JSON-RPC call; every bad one becomes the error that a node would give."""

import base64
import binascii
from typing import Any

from solders.hash import Hash
from solders.message import MessageV1
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from sandbox.devchain.errors import RpcError, invalid_params
from sandbox.devchain.layouts import b58decode
from sandbox.devchain.records import Level

PACKET_BYTES = 1232
"""Longest tx that the network carries."""
_TX_TYPE = "solana_transaction::versioned::VersionedTransaction"


class Params:
    """The positional parameters of one call; the last may be a configuration object."""

    def __init__(self, raw: Any) -> None:
        if raw is not None and not isinstance(raw, list | dict):
            raise invalid_params("expected an array")
        self._raw: list[Any] = raw if isinstance(raw, list) else [raw] if raw else []

    def at(self, index: int) -> Any:
        """Return a parameter, None when it is missing."""
        return self._raw[index] if index < len(self._raw) else None

    def need(self, index: int) -> Any:
        """Return a parameter that must be there."""
        if index >= len(self._raw):
            raise RpcError(-32602, "`params` should have at least " + f"{index + 1} argument(s)")
        return self._raw[index]

    def key(self, index: int) -> Pubkey:
        """Return an address."""
        return read_key(self.need(index))

    def signature(self, index: int) -> Signature:
        """Return a signature."""
        return read_signature(self.need(index))

    def number(self, index: int) -> int:
        """Return an unsigned integer."""
        return read_number(self.need(index), f"parameter {index}")

    def config(self, index: int) -> "Config":
        """Return the configuration object at this place, an empty one when it is missing."""
        raw = self.at(index)
        if isinstance(raw, str):
            raw = {"encoding": raw} if raw not in set(Level) else {"commitment": raw}
        if raw is not None and not isinstance(raw, dict):
            raise invalid_params("expected a configuration object")
        return Config(raw or {})


class Config:
    """The configuration object of a call."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw

    def level(self, name: str = "commitment") -> Level:
        """Return the commitment level; nodes default to finalized."""
        return read_level(self.raw.get(name))

    def encoding(self) -> str | None:
        """Return the encoding, None when the caller leaves it to the node."""
        return self.text("encoding")

    def text(self, name: str) -> str | None:
        """Return an optional text."""
        value = self.raw.get(name)
        if value is not None and not isinstance(value, str):
            raise invalid_params(f"invalid type for `{name}`, expected a string")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean."""
        value = self.raw.get(name)
        value = default if value is None else value
        if not isinstance(value, bool):
            raise invalid_params(f"invalid type for `{name}`, expected a boolean")
        return value

    def number(self, name: str, *, default: int | None = None) -> int | None:
        """Return an unsigned integer."""
        value = self.raw.get(name)
        return default if value is None else read_number(value, name)

    def table(self, name: str) -> dict[str, Any] | None:
        """Return an optional object."""
        value = self.raw.get(name)
        if value is not None and not isinstance(value, dict):
            raise invalid_params(f"invalid type for `{name}`, expected an object")
        return value

    def data_slice(self) -> dict[str, Any] | None:
        """Return the checked ``dataSlice``."""
        cut = self.table("dataSlice")
        return None if cut is None else {name: read_number(cut.get(name), name) for name in ("offset", "length")}


def read_level(value: Any) -> Level:
    """Return a commitment level; missing means finalized."""
    try:
        return Level.FINALIZED if value is None else Level(value)
    except ValueError:
        known = "`processed`, `confirmed`, `finalized`"
        raise invalid_params(f"unknown variant `{value}`, expected one of {known}") from None


def read_number(value: Any, name: str) -> int:
    """Return an unsigned 64-bit integer."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**64:
        raise invalid_params(f"invalid value for `{name}`, expected u64")
    return value


def read_key(value: Any) -> Pubkey:
    """Return an address from base58."""
    try:
        return Pubkey.from_string(_text(value))
    except ValueError as error:
        raise RpcError(-32602, f"Invalid param: {_reason(error)}") from None


def read_signature(value: Any) -> Signature:
    """Return a signature from base58."""
    try:
        return Signature.from_string(_text(value))
    except ValueError as error:
        raise RpcError(-32602, f"Invalid param: {_reason(error)}") from None


def read_hash(value: Any) -> Hash:
    """Return a block hash from base58."""
    try:
        return Hash.from_string(_text(value))
    except ValueError as error:
        raise RpcError(-32602, f"Invalid param: {_reason(error)}") from None


def read_wire(text: Any, encoding: str | None) -> bytes:
    """Return the bytes of an encoded tx or message; nodes default to base58."""
    try:
        match encoding:
            case None | "base58":
                return b58decode(_text(text))
            case "base64":
                return base64.b64decode(_text(text), validate=True)
            case _:
                raise RpcError(-32602, f"unsupported encoding: {encoding}. Supported encodings: base58, base64")
    except (binascii.Error, ValueError) as error:
        raise RpcError(-32602, f"invalid {encoding or 'base58'} encoding: {error}") from None


def read_tx(text: Any, encoding: str | None) -> VersionedTransaction:
    """Return a well-formed tx."""
    wire = read_wire(text, encoding)
    if len(wire) > PACKET_BYTES:
        raise RpcError(-32602, f"decoded {_TX_TYPE} too large: {len(wire)} bytes (max: {PACKET_BYTES} bytes)")
    try:
        tx = VersionedTransaction.from_bytes(wire)
    except ValueError as error:
        raise RpcError(-32602, f"failed to deserialize {_TX_TYPE}: {error}") from None
    try:
        if isinstance(tx.message, MessageV1):
            raise RpcError(-32602, "invalid transaction: Transaction version is not supported")
        tx.sanitize()
    except ValueError:
        message = "invalid transaction: Transaction failed to sanitize accounts offsets correctly"
        raise RpcError(-32602, message) from None
    return tx


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise invalid_params("invalid type, expected a string")
    return value


def _reason(error: ValueError) -> str:
    return "WrongSize" if "size" in str(error) else "Invalid"
