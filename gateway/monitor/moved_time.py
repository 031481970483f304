"""A chain seen from a gateway whose clock was moved: block times are brought into the gateway's time.

Without it a chain's transfers would seem older than the accounts that are watched for them, and none would be late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from gateway.domain.chain import AccountBalance, ChainObservation, ListedSignature
from gateway.domain.ports import ChainReader
from gateway.domain.words import TransferStage
from gateway.kernel.clock import MovedClock


class MovedTimeReader:
    """A reader whose every block time is told in the time of a moved clock."""

    def __init__(self, reader: ChainReader, clock: MovedClock) -> None:
        self._reader = reader
        self._clock = clock

    @property
    def network(self) -> str:
        """The network's name."""
        return self._reader.network

    def accepts(self, asset: str) -> bool:
        """Tell whether this asset can be read."""
        return self._reader.accepts(asset)

    def signatures(
        self, account: str, *, until: str | None, before: str | None, limit: int
    ) -> Sequence[ListedSignature]:
        """List signatures that touch `account`, newest first."""
        listed = self._reader.signatures(account, until=until, before=before, limit=limit)
        return [replace(one, occurred_at=self._moved(one.occurred_at)) for one in listed]

    def read(
        self, signatures: Sequence[str], accounts: Mapping[str, str]
    ) -> Mapping[str, Sequence[ChainObservation] | None]:
        """Read and verify signatures."""
        found = self._reader.read(signatures, accounts)
        return {signature: effects and self._all_moved(effects) for signature, effects in found.items()}

    def stages(self, signatures: Sequence[str], *, reached: int = 0) -> Mapping[str, TransferStage | None]:
        """Return the stages of signatures."""
        return self._reader.stages(signatures, reached=reached)

    def balances(self, accounts: Mapping[str, str]) -> Sequence[AccountBalance]:
        """Return finalized balances."""
        return self._reader.balances(accounts)

    def _all_moved(self, effects: Sequence[ChainObservation]) -> Sequence[ChainObservation]:
        return [replace(one, occurred_at=self._moved(one.occurred_at)) for one in effects]

    def _moved(self, moment: datetime | None) -> datetime | None:
        return None if moment is None else self._clock.of(moment)
