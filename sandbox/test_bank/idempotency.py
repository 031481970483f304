"""Idempotency keys as Stripe keeps them: the first answer is the answer, for 24 hours, even when it was an error."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.test_bank.clock import DAY_S
from sandbox.test_bank.errors import IDEMPOTENCY_ERROR, ApiError
from sandbox.test_bank.vault import Vault

KEPT_S: Final = DAY_S
MAX_KEY: Final = 255
_KIND: Final = "idempotency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The answer that a key stands for."""

    status: int
    body: str
    request_id: str


class IdempotencyKeys:
    """Answers by key. The caller holds the bank's lock."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._running: dict[str, str] = {}

    def begin(self, key: str, fingerprint: str) -> Saved | None:
        """Claim a key for a request, or return the answer that it already has.

        Raises:
            ApiError: 409 while another request with this key runs; 400 when the key meant something else.
        """
        if len(key) > MAX_KEY:
            raise ApiError(f"Idempotency keys can be at most {MAX_KEY} characters.", kind=IDEMPOTENCY_ERROR)
        if key in self._running:
            raise ApiError(
                "There is currently another in-progress request using this Idempotent Key (that probably means you "
                f"submitted twice, and the other request is still going through): {key}. Please try again later.",
                status=409,
                kind=IDEMPOTENCY_ERROR,
                code="idempotency_key_in_use",
            )
        record = self._vault.store.find(_name(key))
        if record is None or record.body["created"] + KEPT_S <= self._vault.now():
            self._running[key] = fingerprint
            return None
        if record.body["fingerprint"] != fingerprint:
            raise ApiError(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
                kind=IDEMPOTENCY_ERROR,
            )
        return Saved(status=record.body["status"], body=record.body["body"], request_id=record.body["request_id"])

    def save(self, key: str, saved: Saved) -> None:
        """Keep the answer of the request that runs under a key."""
        name = _name(key)
        if self._vault.store.find(name) is not None:
            self._vault.store.remove(name)
        kept = {
            "id": name,
            "created": self._vault.now(),
            "fingerprint": self._running[key],
            "status": saved.status,
            "body": saved.body,
            "request_id": saved.request_id,
        }
        self._vault.store.add(_KIND, kept)

    def end(self, key: str) -> None:
        """Let go of a key: its request is over."""
        self._running.pop(key, None)


def fingerprint_of(method: str, path: str, fields: Mapping[str, Any]) -> str:
    """Return what two requests with one key must share."""
    return hashlib.sha256(json.dumps([method, path, fields], sort_keys=True).encode()).hexdigest()


def is_kept(error: ApiError) -> bool:
    """Return whether an error is an answer to keep: what failed validation was never begun."""
    is_validation = error.code is not None and error.code.startswith(("parameter_", "parameters_"))
    return not is_validation and error.status not in {401, 409, 429, 501}


def _name(key: str) -> str:
    return f"idempotency/{key}"
