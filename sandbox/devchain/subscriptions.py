"""What a WebSocket client can subscribe to, without I/O: each subscription is asked for what is new."""

from typing import Any, Protocol

from sandbox.devchain.answers import Json
from sandbox.devchain.chain import DevChain
from sandbox.devchain.errors import RpcError, invalid_params
from sandbox.devchain.params import Params, read_key
from sandbox.devchain.reads import print_account, with_context
from sandbox.devchain.records import Level


class Subscription(Protocol):
    """One subscription of one connection."""

    name: str
    """The notification's method, for example ``slotNotification``."""
    is_done: bool
    """It has sent its last notification."""

    def news(self, chain: DevChain) -> list[Any]:
        """Return the ``result`` of every notification that is due, oldest first."""
        ...


class SlotSubscription:
    """Every new slot."""

    name = "slotNotification"
    is_done = False

    def __init__(self, chain: DevChain, _params: Params) -> None:
        self._last = chain.slot()

    def news(self, chain: DevChain) -> list[Any]:
        """Return one notification a slot."""
        root, blocks = chain.slot(Level.FINALIZED), chain.blocks_after(self._last, Level.PROCESSED)
        if blocks:
            self._last = blocks[-1].slot
        return [{"slot": block.slot, "parent": block.parent_slot, "root": root} for block in blocks]


class RootSubscription:
    """Every slot that becomes final."""

    name = "rootNotification"
    is_done = False

    def __init__(self, chain: DevChain, _params: Params) -> None:
        self._last = chain.slot(Level.FINALIZED)

    def news(self, chain: DevChain) -> list[Any]:
        """Return one notification a slot."""
        blocks = chain.blocks_after(self._last, Level.FINALIZED)
        if blocks:
            self._last = blocks[-1].slot
        return [block.slot for block in blocks]


class AccountSubscription:
    """An account whose lamports or data change."""

    name = "accountNotification"
    is_done = False

    def __init__(self, chain: DevChain, params: Params) -> None:
        self._key, self._config = params.key(0), params.config(1)
        self._level = self._config.level()
        self._last = chain.account(self._key, self._level)

    def news(self, chain: DevChain) -> list[Any]:
        """Return the account when it differs from the last notification."""
        now = chain.account(self._key, self._level)
        if now == self._last:
            return []
        self._last = now
        empty = {
            "data": ["", "base64"],
            "executable": False,
            "lamports": 0,
            "owner": "1" * 32,
            "rentEpoch": 0,
            "space": 0,
        }
        return [with_context(chain, self._level, print_account(chain, now, self._config) or empty)]


class LogsSubscription:
    """The logs of every tx, or of those that mention one address."""

    name = "logsNotification"
    is_done = False

    def __init__(self, chain: DevChain, params: Params) -> None:
        match params.need(0):
            case "all" | "allWithVotes":
                self._key = None
            case {"mentions": [str(address)]}:
                self._key = read_key(address)
            case _:
                raise RpcError(-32602, "Invalid Request: Only 1 address supported")
        self._level = params.config(1).level()
        self._last = max((record.sequence for record in chain.records_after(0, self._level)[-1:]), default=0)

    def news(self, chain: DevChain) -> list[Any]:
        """Return one notification a tx."""
        records = chain.records_after(self._last, self._level)
        if records:
            self._last = records[-1].sequence
        return [
            {
                "context": {"slot": record.slot},
                "value": {"signature": str(record.signature), "err": record.err, "logs": record.meta.logs()},
            }
            for record in records
            if self._key is None or self._key in record.keys.every
        ]


class SignatureSubscription:
    """One signature until it has reached the level; then it ends by itself."""

    name = "signatureNotification"

    def __init__(self, _chain: DevChain, params: Params) -> None:
        config = params.config(1)
        self._signature, self._level = params.signature(0), config.level()
        self._is_receipt_due = config.flag("enableReceivedNotification")
        self.is_done = False

    def news(self, chain: DevChain) -> list[Any]:
        """Return the receipt once, when it was asked for, and the result at the end."""
        record = chain.record(self._signature)
        if record is None:
            return []
        found: list[Json] = []
        if self._is_receipt_due:
            self._is_receipt_due = False
            found.append(with_context(chain, Level.PROCESSED, "receivedSignature"))
        if record.slot <= chain.slot(self._level):
            self.is_done = True
            found.append(with_context(chain, self._level, {"err": record.err}))
        return found


KINDS: dict[str, type[Subscription]] = {
    "slot": SlotSubscription,
    "root": RootSubscription,
    "account": AccountSubscription,
    "logs": LogsSubscription,
    "signature": SignatureSubscription,
}


def open_subscription(chain: DevChain, kind: str, params: Params) -> Subscription:
    """Return a subscription of a kind.

    Raises:
        RpcError: the parameters are bad.
    """
    with chain.lock:
        chosen: Any = KINDS[kind]
        opened: Subscription = chosen(chain, params)
        return opened


def subscription_id(params: Params) -> int:
    """Return the id to unsubscribe from."""
    value = params.need(0)
    if not isinstance(value, int):
        raise invalid_params("expected a subscription id")
    return value
