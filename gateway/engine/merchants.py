"""Merchants: who is paid, where, by which rules, and with which keys his programs knock."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import RowMapping, bindparam, insert, select, update

from gateway.domain.merchants import Merchant, MerchantSettings, check_settings
from gateway.domain.ports import ReceivingAccount
from gateway.engine.api_keys import ROLL_GRACE, KeyRow, end_key, issue_key, living_keys, revoke_key, status_of
from gateway.engine.core import Core
from gateway.engine.records import Owner, load_merchant, not_found
from gateway.kernel.errors import (
    AuthenticationError,
    ConflictError,
    ErrorCode,
    InvalidRequestError,
    TemporaryError,
)
from gateway.kernel.log import Log
from gateway.keys.tokens import digest, is_well_formed
from gateway.monitor.watches import add_watch
from gateway.storage import schema
from gateway.storage.database import Tx
from gateway.storage.statements import insert_new

_BY_DIGEST: Final = (
    select(schema.api_key, schema.merchant.c.name, schema.merchant.c.settings)
    .join(schema.merchant, schema.merchant.c.id == schema.api_key.c.merchant_id)
    .where(schema.api_key.c.digest == bindparam("digest"))
)
log = Log("engine")

KNOWN_NS: Final = 1_000_000_000  # how long a key that another process revoked may still be believed
KNOWN_LIMIT: Final = 1000
NOTE_USE_EVERY: Final = timedelta(minutes=1)  # a busy key costs one small write a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who knocks: the owner whose data he may see, his key, and the merchant's rules."""

    owner: Owner
    key_id: str
    merchant: Merchant


class _Known:
    """Who knocked within the last second: a busy shop is not looked up for every request. Safe among threads."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, datetime | None, Principal]] = {}

    def get(self, name: str, now: datetime) -> Principal | None:
        """Return a principal that was looked up less than a second ago and whose key has not ended since."""
        looked_up_ns, ends_at, principal = self._seen.get(name, (0, None, None))
        is_fresh = time.monotonic_ns() - looked_up_ns < KNOWN_NS
        return principal if is_fresh and (ends_at is None or now < ends_at) else None

    def put(self, name: str, ends_at: datetime | None, principal: Principal) -> None:
        """Know a principal for a second."""
        if len(self._seen) >= KNOWN_LIMIT:
            self.forget()
        self._seen[name] = (time.monotonic_ns(), ends_at, principal)

    def forget(self) -> None:
        """Know nobody: a key or a rule has changed."""
        self._seen = {}


class Merchants:
    """The verbs of accounts and keys."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._known = _Known()

    def create(self, name: str, settings: MerchantSettings) -> Merchant:
        """Open an account."""
        merchant = Merchant(id=self._core.ids.new("mer"), name=name, settings=settings)
        values = {
            "id": merchant.id,
            "name": name,
            "settings": settings.to_json(),
            "created_at": self._core.clock.now(),
        }
        self._core.db.write(lambda tx: tx.execute(insert(schema.merchant), values))
        return merchant

    def first(self) -> Merchant | None:
        """Return the oldest account: the only one of most installations."""
        query = select(schema.merchant.c.id).order_by(schema.merchant.c.id).limit(1)

        def find(tx: Tx) -> Merchant | None:
            merchant_id = tx.scalar(query)
            return None if merchant_id is None else load_merchant(tx, merchant_id)

        return self._core.db.read(find)

    def configure(self, merchant_id: str, *, name: str | None = None, **changes: Any) -> Merchant:
        """Change a merchant's name or rules; only the given fields of `MerchantSettings` change.

        Raises:
            InvalidRequestError: a rule makes no sense; nothing changed.
        """

        def verb(tx: Tx) -> Merchant:
            merchant = load_merchant(tx, merchant_id)
            changed = replace(merchant, name=name or merchant.name, settings=replace(merchant.settings, **changes))
            check_settings(changed.settings)
            values = {"name": changed.name, "settings": changed.settings.to_json()}
            tx.execute(update(schema.merchant).where(schema.merchant.c.id == merchant_id).values(values))
            return changed

        changed = self._core.db.write(verb)
        self._known.forget()
        return changed

    def set_wallet(self, owner: Owner, processor: str, wallet: str) -> Sequence[ReceivingAccount]:
        """Take money at `wallet` from now on; accounts used before stay watched, for what still arrives there.

        Raises:
            InvalidRequestError: the address is malformed, or money sent there would be out of reach.
            ConflictError: another merchant receives there.
        """
        accounts = self._core.processors[processor].receiving_accounts(wallet, livemode=owner.livemode)
        self._refuse_trap(processor, wallet, livemode=owner.livemode)

        def verb(tx: Tx) -> None:
            table = schema.receiving_account
            same = (table.c.merchant_id == owner.merchant_id) & (table.c.livemode == owner.livemode)
            tx.execute(update(table).where(same, table.c.processor == processor).values(is_active=False))
            for account in accounts:
                self._activate(tx, owner, processor, account)
                add_watch(
                    tx,
                    network=account.network,
                    account=account.account,
                    asset=account.asset,
                    now=self._core.clock.now(),
                )

        self._core.db.write(verb)
        return accounts

    def _refuse_trap(self, processor: str, wallet: str, *, livemode: bool) -> None:
        """Refuse an address that the chain knows as no wallet; an unreachable chain does not stop a merchant."""
        try:
            found = self._core.processors[processor].inspect(livemode=livemode, wallet=wallet)
        except TemporaryError:
            log.warning("wallet_not_inspected", processor=processor)
            return
        for one in found:
            if one.subject == wallet and not one.is_fit:
                raise InvalidRequestError(ErrorCode.WALLET_ADDRESS_INVALID, one.detail, param="/wallet")

    def wallets(self, owner: Owner) -> list[dict[str, str]]:
        """Return where money is taken: one `network` and `address` each."""
        table = schema.receiving_account
        query = (
            select(table.c.network, table.c.wallet.label("address"))
            .where(
                table.c.merchant_id == owner.merchant_id,
                table.c.livemode == owner.livemode,
                table.c.is_active.is_(True),
            )
            .distinct()
        )
        return self._core.db.read(lambda tx: [dict(row) for row in tx.execute(query).mappings()])

    def create_key(self, merchant_id: str, *, livemode: bool, description: str | None = None) -> str:
        """Return a new secret key, this once; only its hash is kept.

        Raises:
            ConflictError: `api_key_limit_reached`.
        """
        owner = Owner(merchant_id=merchant_id, livemode=livemode)

        def verb(tx: Tx) -> str:
            living = living_keys(tx, owner, self._core.clock.now())
            return issue_key(self._core, tx, owner, description, living).secret

        return self._core.db.write(verb)

    def roll_key(self, key_id: str, grace: timedelta = ROLL_GRACE) -> str:
        """Return a new key of the same account and mode; the old one ends after `grace`.

        Raises:
            NotFoundError: there is no such key.
            ConflictError: `api_key_limit_reached`.
        """

        def verb(tx: Tx) -> str:
            row = _any_key(tx, key_id)
            owner = Owner(merchant_id=row["merchant_id"], livemode=row["livemode"])
            living = living_keys(tx, owner, self._core.clock.now())
            fresh = issue_key(self._core, tx, owner, row["description"], living)
            end_key(self._core, tx, row, grace, fresh.id)
            return fresh.secret

        successor = self._core.db.write(verb)
        self.forget_known()
        return successor

    def revoke_key(self, key_id: str) -> None:
        """End a key at once.

        Raises:
            NotFoundError: there is no such key.
        """

        def verb(tx: Tx) -> None:
            revoke_key(self._core, tx, _any_key(tx, key_id)["id"])

        self._core.db.write(verb)
        self.forget_known()

    def forget_known(self) -> None:
        """Look every key up again: one has changed."""
        self._known.forget()

    def keys(self, merchant_id: str) -> list[KeyRow]:
        """Return the account's keys, oldest first, with what they may still do."""
        table = schema.api_key
        query = select(table).where(table.c.merchant_id == merchant_id).order_by(table.c.id)
        now = self._core.clock.now()
        return [KeyRow.of(row, now) for row in self._core.db.read(lambda tx: tx.execute(query).mappings().all())]

    def authenticate(self, key: str | None) -> Principal:
        """Return who a key belongs to.

        Raises:
            AuthenticationError: no key, or not a living key of ours; both read the same for a stranger.
        """
        if key is None:
            raise AuthenticationError(
                ErrorCode.API_KEY_MISSING, "Send your secret key in the header: Authorization: Bearer sk_test_…"
            )
        name = digest(key)
        known = self._known.get(name, self._core.clock.now())
        if known is not None:
            return known
        row = None
        if is_well_formed(key):
            row = self._core.db.read(lambda tx: tx.execute(_BY_DIGEST, {"digest": name}).mappings().one_or_none())
        if row is None or not status_of(row, self._core.clock.now()).is_living:
            raise AuthenticationError(
                ErrorCode.API_KEY_INVALID, "This key is not valid. Use an active secret key of this gateway."
            )
        self._note_use(row["id"], row["last_used_at"])
        settings = MerchantSettings.from_json(row["settings"])
        principal = Principal(
            owner=Owner(merchant_id=row["merchant_id"], livemode=row["livemode"]),
            key_id=row["id"],
            merchant=Merchant(id=row["merchant_id"], name=row["name"], settings=settings),
        )
        self._known.put(name, row["expires_at"], principal)
        return principal

    def _note_use(self, key_id: str, last_used_at: datetime | None) -> None:
        """Remember that a key is in use, at most once a minute: people ask which keys are still in use."""
        now = self._core.clock.now()
        if last_used_at is not None and now - last_used_at < NOTE_USE_EVERY:
            return
        statement = update(schema.api_key).where(schema.api_key.c.id == key_id).values(last_used_at=now)
        self._core.db.write(lambda tx: tx.execute(statement))

    def _activate(self, tx: Tx, owner: Owner, processor: str, account: ReceivingAccount) -> None:
        table = schema.receiving_account
        values = {
            "id": self._core.ids.new("addr"),
            "merchant_id": owner.merchant_id,
            "livemode": owner.livemode,
            "processor": processor,
            "network": account.network,
            "asset": account.asset,
            "wallet": account.wallet,
            "account": account.account,
            "is_active": True,
            "created_at": self._core.clock.now(),
        }
        if insert_new(tx, table, values):
            return
        is_same = (table.c.network == account.network) & (table.c.account == account.account)
        is_own = (table.c.merchant_id == owner.merchant_id) & (table.c.livemode == owner.livemode)
        if tx.execute(update(table).where(is_same, is_own).values(is_active=True)).rowcount == 0:
            raise ConflictError(
                ErrorCode.WALLET_ADDRESS_INVALID, "Another account of this gateway already receives at this address."
            )


def _any_key(tx: Tx, key_id: str) -> RowMapping:
    """Return a key of whichever account; for the operator, who may see all of them."""
    table = schema.api_key
    row = tx.execute(select(table).where(table.c.id == key_id)).mappings().one_or_none()
    if row is None:
        raise not_found("API key")
    return row
