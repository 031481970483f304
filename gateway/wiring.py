"""Wiring: builds every part once and connects them. The only place that knows the processors by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.domain.ports import ChainReader
from gateway.engine.core import Core
from gateway.engine.crew import SIZE as CREW_SIZE
from gateway.engine.crew import Crew
from gateway.engine.donations.mailroom import Composer, Mailing
from gateway.engine.engine import Engine
from gateway.kernel.clock import Clock, MovedClock, SystemClock, real_clock
from gateway.kernel.currencies import Currency, CurrencyKind, register_token
from gateway.kernel.ids import RandomIds
from gateway.keys.secrets import SecretBox
from gateway.keys.tokens import new_webhook_secret
from gateway.ledger.journal import Journal
from gateway.monitor.monitor import Monitor
from gateway.monitor.moved_time import MovedTimeReader
from gateway.outbox.delivery import Dispatcher
from gateway.outbox.endpoints import Endpoints
from gateway.outbox.guard import OutboundPolicy
from gateway.outbox.http import GuardedHttp
from gateway.outbox.smtp import SmtpPost
from gateway.processors.solana.networks import NETWORKS, SolanaConfig, Token
from gateway.processors.solana.processor import SolanaProcessor
from gateway.processors.solana.programs import TokenProgram
from gateway.processors.stripe import StripeConfig, StripeProcessor
from gateway.rates.book import RateBook
from gateway.rates.sources import LIVE_ADDRESSES, all_sources
from gateway.settings import Settings, TokenSetting, secret_keys
from gateway.storage.database import Database, open_database
from gateway.workers.loops import Work
from gateway.workers.wakeups import Wakeups

_SANDBOX_SOURCES: Final = {name: f"/{name}" for name in LIVE_ADDRESSES}


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A connected gateway; `close()` it at the end."""

    settings: Settings
    clock: Clock
    db: Database
    engine: Engine
    work: Work
    http: GuardedHttp
    solana: SolanaProcessor
    stripes: Sequence[StripeProcessor]

    def close(self) -> None:
        """Finish writing and give connections back."""
        self.work.dispatcher.close()
        self.engine.core.crew.close()
        self.http.close()
        self.solana.close()
        for stripe in self.stripes:
            stripe.close()
        self.db.close()


def build_house(settings: Settings, *, clock: Clock | None = None, composer: Composer | None = None) -> House:
    """Open the database and connect all rooms; starts no thread and calls no network.

    Args:
        settings: what the operator decides.
        clock: the time; the system's by default.
        composer: who writes mails; without one, none goes out from here.
    """
    clock = clock or SystemClock()
    clock = MovedClock(clock) if settings.test_clock else clock
    ids = RandomIds(clock)
    db = open_database(settings.database_url)
    wakeups = Wakeups()
    box = SecretBox.from_keys(secret_keys(settings))
    policy = OutboundPolicy(allowed=settings.webhook_allowed_hosts)
    http = GuardedHttp(policy)
    solana = SolanaProcessor(_solana_configs(settings))
    stripes = _stripes(settings)
    rates = RateBook(all_sources(_rate_addresses(settings)), real_clock(clock), assets=_assets(solana))
    endpoints = Endpoints(box=box, clock=clock, ids=ids, new_secret=new_webhook_secret, policy=policy)
    dispatcher = Dispatcher(db, box, clock, ids, http=http)
    core = Core(
        db=db,
        clock=clock,
        ids=ids,
        journal=Journal(ids, clock),
        rates=rates,
        processors={solana.name: solana},
        hosted={stripe.name: stripe for stripe in stripes},
        routes=settings.routes,
        subscribing={stripe.name: stripe.subscriptions for stripe in stripes},
        base_url=settings.base_url,
        crew=Crew(CREW_SIZE) if stripes else Crew(),
        bank_urls=_banks(settings),
        wake_delivery=dispatcher.wake,
        wake_inbox=wakeups.inbox.set,
        wake_payouts=wakeups.payouts.set,
        wake_monitor=wakeups.wake_monitor,
    )
    engine = Engine(core, endpoints, mailing=_mailing(settings, composer))
    readers = _readers(solana, clock)
    work = Work(
        db=db,
        clock=clock,
        engine=engine,
        readers=readers,
        monitor=Monitor(db, readers, engine.observations, clock),
        rates=rates,
        dispatcher=dispatcher,
        wakeups=wakeups,
    )
    return House(
        settings=settings, clock=clock, db=db, engine=engine, work=work, http=http, solana=solana, stripes=stripes
    )


def _mailing(settings: Settings, composer: Composer | None) -> Mailing | None:
    if settings.smtp_url is None or settings.mail_from is None or composer is None:
        return None
    return Mailing(post=SmtpPost(settings.smtp_url, sender=settings.mail_from), composer=composer)


def _readers(solana: SolanaProcessor, clock: Clock) -> Mapping[str, ChainReader]:
    readers: dict[str, ChainReader] = {network: solana.reader(network) for network in solana.networks}
    if isinstance(clock, MovedClock):
        return {network: MovedTimeReader(reader, clock) for network, reader in readers.items()}
    return readers


def _banks(settings: Settings) -> tuple[str, ...]:
    """Return the addresses of Test Banks, each once."""
    named = [settings.stripe_test_base_url, *(account.base_url for account in settings.stripe_accounts)]
    return tuple(dict.fromkeys(url for url in named if url is not None))


def _solana_configs(settings: Settings) -> Mapping[bool, SolanaConfig]:
    configs = {}
    if settings.solana_test_network:
        configs[False] = SolanaConfig(
            network=settings.solana_test_network,
            rpc_urls=settings.solana_test_rpc_urls,
            tokens=_tokens(settings.solana_test_network, settings.solana_test_tokens),
        )
    if settings.solana_live_network:
        configs[True] = SolanaConfig(
            network=settings.solana_live_network,
            rpc_urls=settings.solana_live_rpc_urls,
            tokens=_tokens(settings.solana_live_network, settings.solana_live_tokens),
            second_opinion_url=settings.solana_second_opinion_url,
            second_opinion_above=settings.solana_second_opinion_above,
        )
    return configs


def _tokens(network: str, rows: tuple[TokenSetting, ...] | None) -> tuple[Token, ...]:
    """Return the allow-list, and make its currencies known."""
    if rows is None:
        return NETWORKS[network].default_tokens
    for row in rows:
        register_token(Currency(code=row.code, exponent=row.decimals, kind=CurrencyKind.CRYPTO, name=row.title))
    return tuple(
        Token(
            code=row.code,
            title=row.title,
            mint=row.mint,
            decimals=row.decimals,
            program=TokenProgram(row.program),
        )
        for row in rows
    )


def _rate_addresses(settings: Settings) -> Mapping[str, str]:
    if settings.rates_base_url is None:
        return LIVE_ADDRESSES
    return {name: settings.rates_base_url + path for name, path in _SANDBOX_SOURCES.items()}


def _assets(solana: SolanaProcessor) -> list[str]:
    methods = [*solana.methods(livemode=False), *solana.methods(livemode=True)]
    return sorted({method.asset for method in methods if method.asset is not None})


def _stripes(settings: Settings) -> list[StripeProcessor]:
    """Return a card processor for each Stripe account, the main one first; none where no mode has a key."""
    configs: dict[str, dict[bool, StripeConfig]] = {}
    main = (
        (False, settings.stripe_test_key, settings.stripe_test_webhook_secrets, settings.stripe_test_base_url),
        (True, settings.stripe_live_key, settings.stripe_live_webhook_secrets, None),
    )
    for livemode, key, secrets, base_url in main:
        if key is not None:
            config = StripeConfig(livemode=livemode, secret_key=key, webhook_secrets=secrets, base_url=base_url)
            configs.setdefault("stripe", {})[livemode] = config
    for account in settings.stripe_accounts:
        configs.setdefault(account.name, {})[account.is_live] = StripeConfig(
            livemode=account.is_live,
            secret_key=account.key,
            webhook_secrets=account.webhook_secrets,
            base_url=account.base_url,
            account_name=account.name,
        )
    return [StripeProcessor(name, modes) for name, modes in configs.items()]
