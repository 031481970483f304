"""What would keep a payment from arriving: examined one by one, each with what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from gateway.domain.ports import ChainReader, Method
from gateway.engine.records import Owner
from gateway.kernel.errors import WorldError
from gateway.outbox.smtp import MailDelayedError
from gateway.storage.database import DatabaseUnavailableError
from gateway.storage.migrate import current_revision, knows, newest_revision
from gateway.wiring import House


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    is_ok: bool
    detail: str


def examine(house: House) -> list[Finding]:
    """Look at database, account, keys, addresses, chains and rates."""
    schema = _schema(house)
    if not schema.is_ok:
        return [schema]
    house.work.rates.refresh()
    return [schema, *_account(house), *_chains(house), *_tokens(house), *_rates(house), *_cards(house), *_mail(house)]


def _schema(house: House) -> Finding:
    try:
        found, wanted = current_revision(house.db), newest_revision()
    except DatabaseUnavailableError as error:
        return Finding(subject="database", is_ok=False, detail=f"does not answer: {error.reason}")
    detail = f"{house.db.dialect}, {f'at revision {found}' if found else 'empty'}"
    if found is not None and not knows(found):
        detail = f"{detail}, made by a newer version than this one, which knows {wanted}: install that version"
    elif found != wanted:
        detail = f"{detail}; this version wants {wanted}: run `streampay-server migrate`"
    return Finding(subject="database", is_ok=found == wanted, detail=detail)


def _account(house: House) -> Iterator[Finding]:
    merchant = house.engine.merchants.first()
    if merchant is None:
        detail = 'none: run `streampay-server account create --name "My shop"`'
        yield Finding(subject="account", is_ok=False, detail=detail)
        return
    yield Finding(subject="account", is_ok=True, detail=f"{merchant.name} ({merchant.id})")
    keys = [key for key in house.engine.merchants.keys(merchant.id) if key.status.is_living]
    detail = f"{len(keys)} active" if keys else "none: run `streampay-server keys create`"
    yield Finding(subject="API keys", is_ok=bool(keys), detail=detail)
    for mode in sorted({key.livemode for key in keys}):
        wallets = house.engine.merchants.wallets(Owner(merchant_id=merchant.id, livemode=mode))
        word = "live" if mode else "test"
        missing = f"none: run `streampay-server account set --solana-{word}-address ADDRESS`"
        detail = ", ".join(f"{one['address']} on {one['network']}" for one in wallets) or missing
        yield Finding(subject=f"{word} receiving address", is_ok=bool(wallets), detail=detail)


def _chains(house: House) -> Iterator[Finding]:
    for network in sorted({method.network for method in _coins(house)}):
        reader = house.work.readers[network]
        yield _reachable(f"chain {reader.network}", partial(_probe, reader))


def _rates(house: House) -> Iterator[Finding]:
    for asset in sorted({method.asset for method in _coins(house) if method.asset is not None}):
        yield _reachable(f"rate {asset}/USD", partial(_rate, house, asset))


def _coins(house: House) -> list[Method]:
    """Return the methods that are paid from a wallet, in every mode that somebody uses."""
    everything = [method for mode in _modes(house) for method in house.engine.core.methods(livemode=mode)]
    return [method for method in everything if method.processor in house.engine.core.processors]


def _modes(house: House) -> set[bool]:
    """Return the modes that somebody has a key for; a chain that nobody uses may be out of reach."""
    merchant = house.engine.merchants.first()
    keys = [] if merchant is None else house.engine.merchants.keys(merchant.id)
    return {key.livemode for key in keys if key.status.is_living} or {False, True}


_PROBE: Final = "11111111111111111111111111111111"


def _probe(reader: ChainReader) -> str:
    reader.balances({_PROBE: "SOL"})
    return "answers"


def _rate(house: House, asset: str) -> str:
    rate = house.work.rates.rate(asset, "USD")
    return f"from {', '.join(sorted({word.source for word in rate.sources}))}"


def _tokens(house: House) -> Iterator[Finding]:
    for mode in sorted(_modes(house)):
        for processor in house.engine.core.processors.values():
            try:
                inspections = processor.inspect(livemode=mode)
            except WorldError:
                continue  # the chain's own finding says so already
            for one in inspections:
                yield Finding(subject=one.subject, is_ok=one.is_fit, detail=one.detail)


def _cards(house: House) -> Iterator[Finding]:
    for mode in sorted(_modes(house)):
        for name, processor in house.engine.core.hosted.items():
            if not processor.methods(livemode=mode):
                continue
            subject = f"{name} {'live' if mode else 'test'}"
            try:
                found = processor.inspect(livemode=mode, url=f"{house.settings.base_url}/inbound/{name}")
            except WorldError as error:
                yield Finding(subject=subject, is_ok=False, detail=error.message)
                continue
            for one in found:
                yield Finding(subject=f"{subject}: {one.subject}", is_ok=one.is_fit, detail=one.detail)


def _mail(house: House) -> Iterator[Finding]:
    """Look at the mail server; without one, only mails that wait are worth a word."""
    room, waiting = house.engine.mailroom, house.engine.mailroom.waiting()
    if not room.is_open:
        if waiting:
            detail = f"{waiting} wait, and nobody sends them: set STREAMPAY_SMTP_URL and STREAMPAY_MAIL_FROM"
            yield Finding(subject="mail", is_ok=False, detail=detail)
        return
    try:
        room.probe()
    except MailDelayedError as error:
        yield Finding(subject="mail", is_ok=False, detail=f"{error.reason} Check STREAMPAY_SMTP_URL; {waiting} wait")
    else:
        yield Finding(subject="mail", is_ok=True, detail=f"the server answers, {waiting} wait")


def _reachable(subject: str, ask: Callable[[], str]) -> Finding:
    try:
        return Finding(subject=subject, is_ok=True, detail=ask())
    except WorldError as error:
        return Finding(subject=subject, is_ok=False, detail=error.message)
