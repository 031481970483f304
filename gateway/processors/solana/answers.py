"""Nodes' answers read into types; one that is not what the protocol promises is a `TemporaryError`."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from solders.hash import Hash

from gateway.kernel.errors import ErrorCode, TemporaryError

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAccount:
    """An account's lamports, owning program and bytes."""

    lamports: int
    owner: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockHash:
    """A recent block hash and the last block height at which the network takes it."""

    value: Hash
    last_valid_height: int


def raw_accounts(answer: Any) -> list[RawAccount | None]:
    """Read `getMultipleAccounts`, or the accounts of a simulation; None for an account that does not exist.

    Raises:
        TemporaryError: the answer is malformed.
    """
    return read(lambda: [_account(entry) for entry in answer["value"]])


def simulated_accounts(answer: Any, count: int) -> list[RawAccount | None]:
    """Read the accounts that a successful `simulateTransaction` was asked for.

    Raises:
        TemporaryError: the answer is malformed.
    """
    return read(lambda: [_account(answer["value"]["accounts"][place]) for place in range(count)])


def simulation_error(answer: Any) -> Any:
    """Read the `err` of `simulateTransaction`; None means that it would succeed.

    Raises:
        TemporaryError: the answer is malformed.
    """
    return read(lambda: answer["value"]["err"])


def block_hash(answer: Any) -> BlockHash:
    """Read `getLatestBlockhash`.

    Raises:
        TemporaryError: the answer is malformed.
    """
    return read(
        lambda: BlockHash(
            value=Hash.from_string(answer["value"]["blockhash"]),
            last_valid_height=whole(answer["value"]["lastValidBlockHeight"]),
        )
    )


def context_slot(answer: Any) -> int:
    """Read the slot at which an answer was true.

    Raises:
        TemporaryError: the answer is malformed.
    """
    return read(lambda: whole(answer["context"]["slot"]))


def whole(value: Any) -> int:
    """Return a JSON number that counts something.

    Raises:
        ValueError: it is no whole number, or negative.
    """
    if type(value) is not int or value < 0:
        raise ValueError("not a count")
    return value


def read(reader: Callable[[], Value]) -> Value:
    """Run a reader of an answer.

    Raises:
        TemporaryError: it did not find what the protocol promises.
    """
    try:
        return reader()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise TemporaryError(
            ErrorCode.PROVIDER_UNAVAILABLE,
            "The network's node gave an answer that makes no sense. Try again in a moment.",
        ) from error


def _account(entry: Any) -> RawAccount | None:
    if entry is None:
        return None
    text, encoding = entry["data"]
    if encoding != "base64":
        raise ValueError("not base64")
    return RawAccount(
        lamports=whole(entry["lamports"]), owner=str(entry["owner"]), data=base64.b64decode(text, validate=True)
    )
