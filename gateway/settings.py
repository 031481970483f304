"""Settings: the environment, read once into one frozen object. Every problem is reported together.

Each field is the variable `STREAMPAY_<FIELD>`; `docs/settings.md` explains them. Values that are unsafe outside this
machine refuse to start.
"""

import base64
import json
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import getaddresses
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from gateway.domain.routing import Route
from gateway.kernel.currencies import all_currencies
from gateway.kernel.errors import InvalidRequestError
from gateway.kernel.money import Money, parse_money
from gateway.keys.secrets import KEY_BYTES
from gateway.outbox.smtp import SmtpServer

PREFIX: Final = "STREAMPAY_"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
_NETWORKS: Final = frozenset({"", "solana:mainnet", "solana:devnet", "solana:localnet"})
_LOG_LEVELS: Final = frozenset({"DEBUG", "INFO", "WARNING", "ERROR"})
_DATABASES: Final = frozenset({"sqlite", "postgresql", "mysql", "mariadb"})
_TOKEN_PROGRAMS: Final = frozenset({"spl-token", "token-2022"})
_PROCESSOR_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,19}", re.ASCII)
_TOKEN_CODE: Final = re.compile(r"[A-Z][A-Z0-9]{1,11}", re.ASCII)
_MINT: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}", re.ASCII)
_SMTP_PORTS: Final[Mapping[str, int]] = {"smtp": 587, "smtps": 465}
_MAIL_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)
_HOST_PORT: Final = re.compile(r"[A-Za-z0-9.\-]+:[0-9]{1,5}", re.ASCII)
_MAX_DECIMALS: Final = 18  # beyond it no exchange quotes and no page could show the amount
_MAX_DIGITS: Final = 30


class SettingsError(Exception):
    """The environment does not add up; the message lists every problem, one line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSetting:
    """An allow-listed token, as the JSON of `STREAMPAY_SOLANA_*_TOKENS` gives it."""

    code: str
    title: str
    mint: str
    decimals: int
    program: str = "spl-token"


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeAccount:
    """A further Stripe account in one mode, as the JSON of `STREAMPAY_STRIPE_ACCOUNTS` gives it."""

    name: str
    key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    base_url: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether it moves real money."""
        return self.key.startswith(("sk_live_", "rk_live_"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decides. What may hold a secret stays out of `repr`: nodes' addresses carry access keys."""

    database_url: str = field(default="sqlite:///streampay.db", repr=False)
    base_url: str = "http://127.0.0.1:8080"
    host: str = "127.0.0.1"
    port: int = 8080
    processes: int = 1
    threads: int | None = None
    background: bool = True
    log_level: str = "INFO"
    secret_keys: tuple[bytes, ...] = field(default=(), repr=False)
    sandbox: bool = False
    sandbox_chain_url: str | None = None
    sandbox_wallet_script: Path | None = None
    test_clock: bool = False
    solana_test_network: str = "solana:devnet"
    solana_test_rpc_urls: tuple[str, ...] = field(default=(), repr=False)
    solana_test_tokens: tuple[TokenSetting, ...] | None = None
    solana_live_network: str = "solana:mainnet"
    solana_live_rpc_urls: tuple[str, ...] = field(default=(), repr=False)
    solana_live_tokens: tuple[TokenSetting, ...] | None = None
    solana_second_opinion_url: str | None = field(default=None, repr=False)
    solana_second_opinion_above: Mapping[str, int] = field(default_factory=dict)
    stripe_test_key: str | None = field(default=None, repr=False)
    stripe_test_webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    stripe_test_base_url: str | None = None
    stripe_live_key: str | None = field(default=None, repr=False)
    stripe_live_webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    stripe_accounts: tuple[StripeAccount, ...] = field(default=(), repr=False)
    routes: tuple[Route, ...] = ()
    rates_base_url: str | None = None
    webhook_allowed_hosts: frozenset[str] = frozenset()
    smtp_url: SmtpServer | None = field(default=None, repr=False)
    mail_from: str | None = None
    api_reads_per_minute: int = 6000
    api_writes_per_minute: int = 6000
    trusted_proxies: int = 0

    @property
    def serving_threads(self) -> int:
        """How many requests a process works on at once: with SQLite many wait for one commit, elsewhere few suffice.

        More threads than that only fight for the interpreter; `bench create` showed 16 and 6.
        """
        return self.threads or (16 if self.database_url.startswith("sqlite") else 6)

    @property
    def is_loopback(self) -> bool:
        """Whether shoppers' links lead to this machine only."""
        return urlsplit(self.base_url).hostname in _LOOPBACK

    @property
    def is_private(self) -> bool:
        """Whether nobody else can reach it at all: what is for development alone may be switched on."""
        return self.is_loopback and self.host in _LOOPBACK

    @property
    def is_embedded(self) -> bool:
        """Whether the database is an SQLite file of this process."""
        return self.database_url.startswith("sqlite:///")


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the environment.

    Raises:
        SettingsError: something is missing, malformed or unsafe.
    """
    found = os.environ if environment is None else environment
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, parse in _PARSERS.items():
        text = found.get(PREFIX + name.upper())
        if text is None:
            continue
        try:
            values[name] = parse(text.strip())
        except ValueError as error:
            problems.append(f"{PREFIX}{name.upper()}: {error}")
    ours = {PREFIX + name.upper() for name in _PARSERS} | _FOREIGN
    unknown = sorted(name for name in found if name.startswith(PREFIX) and name not in ours)
    problems += [f"{name}: there is no such setting" for name in unknown]
    settings = Settings(**values) if not problems else None
    if settings is not None:
        problems = _unsafe(settings)
    if problems or settings is None:
        raise SettingsError("\n".join(problems))
    return settings


def secret_keys(settings: Settings) -> tuple[bytes, ...]:
    """Return the keys that seal secrets at rest; on a loopback SQLite installation they live in a file beside it.

    Raises:
        SettingsError: the file cannot be used.
    """
    if settings.secret_keys:
        return settings.secret_keys
    path = Path(f"{make_url(settings.database_url).database}.key")
    try:
        if not path.exists():
            _make_key_file(path)
        return _keys(path.read_text())
    except OSError as error:
        raise SettingsError(f"{path}: the key file can neither be read nor made: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: {error}; restore the file, without it webhook secrets stay sealed") from error


def _make_key_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)))


# Variables of the test suite and of the SDK, which share the prefix.
_FOREIGN: Final = frozenset(
    {
        "STREAMPAY_API_KEY",
        "STREAMPAY_WEBHOOK_SECRET",
        "STREAMPAY_TEST_ALL",
        "STREAMPAY_TEST_LOCK",
        "STREAMPAY_TEST_POSTGRES_URL",
        "STREAMPAY_TEST_MARIADB_URL",
    }
)


def _unsafe(settings: Settings) -> list[str]:
    return [*_unsafe_in_public(settings), *_at_odds(settings), *_without_time(settings)]


def _unsafe_in_public(settings: Settings) -> list[str]:
    problems = []
    if not settings.is_loopback and not settings.base_url.startswith("https://"):
        problems.append("STREAMPAY_BASE_URL: a public gateway needs https")
    if not settings.secret_keys and not (settings.is_loopback and settings.is_embedded):
        problems.append("STREAMPAY_SECRET_KEYS: set one; `openssl rand -base64 32` makes it")
    if settings.sandbox and not settings.is_private:
        problems.append("STREAMPAY_SANDBOX: the sandbox wallet and its chain are for this machine only")
    if settings.webhook_allowed_hosts and not settings.is_private:
        problems.append("STREAMPAY_WEBHOOK_ALLOWED_HOSTS: only a gateway on loopback may call private addresses")
    if settings.rates_base_url is not None and not settings.is_private:
        problems.append("STREAMPAY_RATES_BASE_URL: a test exchange sets the prices of a gateway on loopback only")
    if settings.stripe_test_base_url is not None and not settings.is_private:
        problems.append("STREAMPAY_STRIPE_TEST_BASE_URL: a Test Bank takes the cards of a gateway on loopback only")
    if settings.solana_live_network not in {"", "solana:mainnet"} and not settings.is_private:
        problems.append(
            "STREAMPAY_SOLANA_LIVE_NETWORK: live keys take real money; use solana:mainnet, or leave it empty"
        )
    return problems


def _without_time(settings: Settings) -> list[str]:
    """A test clock tells deadlines of real money a wrong time, and a provider's own clock does not follow it."""
    if not settings.test_clock:
        return []
    problems = []
    is_live = settings.stripe_live_key is not None or any(account.is_live for account in settings.stripe_accounts)
    if is_live or settings.solana_live_network:
        problems.append(
            "STREAMPAY_TEST_CLOCK: never beside real money; set STREAMPAY_SOLANA_LIVE_NETWORK= and no live Stripe key"
        )
    tests = [(settings.stripe_test_key, settings.stripe_test_base_url)]
    tests += [(account.key, account.base_url) for account in settings.stripe_accounts if not account.is_live]
    if any(key is not None and base_url is None for key, base_url in tests):
        problems.append(
            "STREAMPAY_TEST_CLOCK: Stripe's own clock does not follow; let a Test Bank stand in for it "
            "(STREAMPAY_STRIPE_TEST_BASE_URL), or leave its key out"
        )
    return problems


def _at_odds(settings: Settings) -> list[str]:
    problems = []
    if settings.sandbox and (settings.sandbox_chain_url is None or settings.sandbox_wallet_script is None):
        problems.append("STREAMPAY_SANDBOX_CHAIN_URL, STREAMPAY_SANDBOX_WALLET_SCRIPT: the sandbox wallet needs both")
    if settings.is_embedded and settings.processes != 1:
        problems.append("STREAMPAY_PROCESSES: SQLite is served by one process; use PostgreSQL or MariaDB for more")
    if settings.background and settings.processes != 1:
        problems.append("STREAMPAY_BACKGROUND: with several processes set it to no, and run `streampay-server worker`")
    if settings.solana_test_network == settings.solana_live_network != "":
        problems.append("STREAMPAY_SOLANA_TEST_NETWORK: test and live money never share a network")
    if (settings.solana_second_opinion_url is None) != (not settings.solana_second_opinion_above):
        problems.append(
            "STREAMPAY_SOLANA_SECOND_OPINION_URL, STREAMPAY_SOLANA_SECOND_OPINION_ABOVE: one without the other "
            "protects nothing; set both"
        )
    if (settings.smtp_url is None) != (settings.mail_from is None):
        problems.append("STREAMPAY_SMTP_URL, STREAMPAY_MAIL_FROM: mail needs both: a server, and whom it comes from")
    accepted = {"SOL"} | ({"USDC"} if settings.solana_live_tokens is None else _codes(settings.solana_live_tokens))
    if not set(settings.solana_second_opinion_above) <= accepted:
        problems.append(
            f"STREAMPAY_SOLANA_SECOND_OPINION_ABOVE: name assets that are accepted: {', '.join(sorted(accepted))}"
        )
    return [*problems, *_half_connected(settings), *_ambiguous_tokens(settings)]


def _half_connected(settings: Settings) -> list[str]:
    """Without its secret a provider's webhooks are refused, and without them money is noticed late."""
    problems = []
    for mode in ("test", "live"):
        key, secrets_ = getattr(settings, f"stripe_{mode}_key"), getattr(settings, f"stripe_{mode}_webhook_secrets")
        if (key is None) != (not secrets_):
            prefix = f"{PREFIX}STRIPE_{mode.upper()}"
            problems.append(
                f"{prefix}_KEY, {prefix}_WEBHOOK_SECRETS: cards need both; docs/stripe.md says where they are"
            )
    if settings.stripe_test_base_url is not None and settings.stripe_test_key is None:
        problems.append(f"{PREFIX}STRIPE_TEST_BASE_URL: it is of no use without {PREFIX}STRIPE_TEST_KEY")
    if any(account.base_url is not None for account in settings.stripe_accounts) and not settings.is_private:
        problems.append(f"{PREFIX}STRIPE_ACCOUNTS: a Test Bank takes the cards of a gateway on loopback only")
    return [*problems, *_stray_routes(settings)]


def _stray_routes(settings: Settings) -> list[str]:
    """A route to a processor that is not there would turn payments away."""
    known = {account.name for account in settings.stripe_accounts}
    known |= {"stripe"} if settings.stripe_test_key or settings.stripe_live_key else set()
    stray = sorted({name for route in settings.routes for name in route.processors} - known)
    problems = [f"{PREFIX}ROUTES: there is no processor {name}" for name in stray]
    if any(account.name == "stripe" for account in settings.stripe_accounts):
        problems.append(f"{PREFIX}STRIPE_ACCOUNTS: `stripe` is the account of {PREFIX}STRIPE_TEST_KEY and …_LIVE_KEY")
    return problems


def _ambiguous_tokens(settings: Settings) -> list[str]:
    """A code with two exponents would make amounts mean two things."""
    known = {currency.code: currency.exponent for currency in all_currencies()}
    problems = []
    for mode, tokens in (("TEST", settings.solana_test_tokens), ("LIVE", settings.solana_live_tokens)):
        for token in tokens or ():
            exponent = known.setdefault(token.code, token.decimals)
            if exponent != token.decimals:
                problems.append(
                    f"STREAMPAY_SOLANA_{mode}_TOKENS: {token.code} has {exponent} decimals here already, "
                    f"not {token.decimals}; give the token another code"
                )
    return problems


def _codes(tokens: tuple[TokenSetting, ...]) -> set[str]:
    return {token.code for token in tokens}


def _database(text: str) -> str:
    """Refuse what could not be opened; the driver may be named, as in `postgresql+psycopg://`."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise ValueError(_DATABASE_FORMS) from error
    if url.get_backend_name() not in _DATABASES:
        raise ValueError(_DATABASE_FORMS)
    if url.get_backend_name() == "sqlite" and (url.database in {None, "", ":memory:"} or url.drivername != "sqlite"):
        raise ValueError("SQLite needs a file: sqlite:///streampay.db, or sqlite:////var/lib/streampay/streampay.db")
    return text


_DATABASE_FORMS: Final = (
    "give sqlite:///FILE, postgresql://USER:PASSWORD@HOST/NAME or mariadb://USER:PASSWORD@HOST/NAME"
)


def _split(text: str, advice: str) -> SplitResult:
    """Take an http(s) address apart; a wrong port shows only when it is asked for."""
    try:
        parts = urlsplit(text)
        is_sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError as error:
        raise ValueError(advice) from error
    if not is_sound:
        raise ValueError(advice)
    return parts


def _origin(text: str) -> str:
    advice = "give an origin such as https://pay.example.com, without a path"
    parts = _split(text, advice)
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError(advice)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _url(text: str) -> str:
    _split(text, "give a URL that starts with http:// or https://")
    return text.rstrip("/")


def _urls(text: str) -> tuple[str, ...]:
    return tuple(_url(part) for part in _words(text))


def _words(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.replace(",", " ").split() if part)


def _yes_no(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.lower() not in words:
        raise ValueError("say yes or no")
    return words[text.lower()]


def _between(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        is_number = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
        if not is_number or not low <= int(text) <= high:
            raise ValueError(f"give a whole number from {low} to {high}")
        return int(text)

    return parse


def _one_of(words: frozenset[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            advice = ", or leave it empty for none" if "" in words else ""
            raise ValueError(f"use one of {', '.join(sorted(word for word in words if word))}{advice}")
        return text

    return parse


def _keys(text: str) -> tuple[bytes, ...]:
    try:
        keys = tuple(base64.b64decode(part, validate=True) for part in _words(text))
    except ValueError as error:
        raise ValueError("give base64 keys, the newest first") from error
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        raise ValueError(f"a key is {KEY_BYTES} random bytes in base64")
    return keys


def _tokens(text: str) -> tuple[TokenSetting, ...]:
    try:
        tokens = tuple(TokenSetting(**row) for row in json.loads(text))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError('give JSON: [{"code": "USDC", "title": "USD Coin", "mint": "…", "decimals": 6}]') from error
    for token in tokens:
        _check_token(token)
    if len({token.code for token in tokens}) < len(tokens) or len({token.mint for token in tokens}) < len(tokens):
        raise ValueError("a code stands for one mint, and a mint for one code")
    return tokens


def _check_token(token: TokenSetting) -> None:
    if not isinstance(token.code, str) or not _TOKEN_CODE.fullmatch(token.code) or token.code == "SOL":
        raise ValueError("a token's code has 2 to 12 capital letters and digits, and is not SOL")
    if not isinstance(token.title, str) or not token.title.strip():
        raise ValueError(f"{token.code}: the title is what shoppers read")
    if not isinstance(token.mint, str) or not _MINT.fullmatch(token.mint):
        raise ValueError(f"{token.code}: the mint is an address on the chain, in base58")
    if type(token.decimals) is not int or not 0 <= token.decimals <= _MAX_DECIMALS:
        raise ValueError(f"{token.code}: decimals is a whole number from 0 to {_MAX_DECIMALS}, as the mint has it")
    if token.program not in _TOKEN_PROGRAMS:
        raise ValueError(f"{token.code}: program is one of {', '.join(sorted(_TOKEN_PROGRAMS))}")


def _thresholds(text: str) -> dict[str, int]:
    pairs = [part.partition("=") for part in _words(text)]
    if any(
        not name or not value.isascii() or not value.isdigit() or len(value) > _MAX_DIGITS for name, _, value in pairs
    ):
        raise ValueError("give atomic amounts by asset: SOL=1000000000 USDC=100000000")
    return {name: int(value) for name, _, value in pairs}


def _stripe_key(mode: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        is_key = text.isascii() and text.isprintable() and " " not in text
        if not is_key or not text.startswith((f"sk_{mode}_", f"rk_{mode}_")):
            raise ValueError(f"give a secret or restricted key of this mode: sk_{mode}_… or rk_{mode}_…")
        return text

    return parse


def _stripe_accounts(text: str) -> tuple[StripeAccount, ...]:
    try:
        accounts = tuple(
            StripeAccount(**{**row, "webhook_secrets": tuple(row["webhook_secrets"])}) for row in json.loads(text)
        )
    except (TypeError, KeyError, ValueError, RecursionError) as error:
        raise ValueError('give JSON: [{"name": "stripe_eu", "key": "sk_…", "webhook_secrets": ["whsec_…"]}]') from error
    for account in accounts:
        if not isinstance(account.name, str) or not _PROCESSOR_NAME.fullmatch(account.name):
            raise ValueError("an account's name has up to 20 small letters, digits and underscores")
        _stripe_key("live" if account.is_live else "test")(account.key)
        if not account.webhook_secrets:
            raise ValueError(f"{account.name}: it needs its webhook_secrets")
    names = [(account.name, account.is_live) for account in accounts]
    if len(set(names)) < len(names):
        raise ValueError("a name stands for one account in each mode")
    return accounts


def _routes(text: str) -> tuple[Route, ...]:
    try:
        return tuple(_route(row) for row in json.loads(text))
    except (TypeError, KeyError, AttributeError, InvalidRequestError, RecursionError) as error:
        raise ValueError(
            'give JSON: [{"processors": ["stripe_eu", "stripe"], "currencies": ["EUR"], "at_least": "100.00 EUR"}]'
        ) from error


def _route(row: dict[str, Any]) -> Route:
    def words(name: str) -> frozenset[str] | None:
        found = row.get(name)
        return None if found is None else frozenset(str(one) for one in found)

    def money(name: str) -> Money | None:
        found = row.get(name)
        return None if found is None else parse_money(*found.split(" ", 1))

    unknown = row.keys() - {"processors", "methods", "currencies", "countries", "at_least", "below"}
    if unknown or not row["processors"]:
        raise TypeError("a route names processors and nothing unknown")
    return Route(
        processors=tuple(str(name) for name in row["processors"]),
        methods=words("methods"),
        currencies=words("currencies"),
        countries=words("countries"),
        at_least=money("at_least"),
        below=money("below"),
    )


def _smtp(text: str) -> SmtpServer:
    advice = "give smtps://USER:PASSWORD@HOST:465, or smtp://USER:PASSWORD@HOST:587 for STARTTLS; escape as in a URL"
    try:
        parts = urlsplit(text)
        port = parts.port or _SMTP_PORTS[parts.scheme]
        is_known = parts.scheme in _SMTP_PORTS
    except (ValueError, KeyError) as error:
        raise ValueError(advice) from error
    if not is_known or not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(advice)
    if (parts.username is None) != (parts.password is None):
        raise ValueError("a user name needs its password")
    return SmtpServer(
        host=parts.hostname,
        port=port,
        is_tls=parts.scheme == "smtps",
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def _sender(text: str) -> str:
    found = getaddresses([text])
    if not text.isprintable() or len(found) != 1 or not _MAIL_ADDRESS.fullmatch(found[0][1]):
        raise ValueError("give an address: receipts@example.org, or River Fund <receipts@example.org>")
    return text


def _hosts(text: str) -> frozenset[str]:
    hosts = _words(text)
    if any(not _HOST_PORT.fullmatch(host) for host in hosts):
        raise ValueError("give HOST:PORT entries, such as 127.0.0.1:8081")
    return frozenset(hosts)


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise ValueError("there is no such file")
    return Path(text)


_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "database_url": _database,
    "base_url": _origin,
    "host": str,
    "port": _between(1, 65535),
    "processes": _between(1, 64),
    "threads": _between(1, 256),
    "background": _yes_no,
    "log_level": lambda text: _one_of(_LOG_LEVELS)(text.upper()),
    "secret_keys": _keys,
    "sandbox": _yes_no,
    "sandbox_chain_url": _url,
    "sandbox_wallet_script": _file,
    "test_clock": _yes_no,
    "solana_test_network": _one_of(_NETWORKS),
    "solana_test_rpc_urls": _urls,
    "solana_test_tokens": _tokens,
    "solana_live_network": _one_of(_NETWORKS),
    "solana_live_rpc_urls": _urls,
    "solana_live_tokens": _tokens,
    "solana_second_opinion_url": _url,
    "solana_second_opinion_above": _thresholds,
    "stripe_test_key": _stripe_key("test"),
    "stripe_test_webhook_secrets": _words,
    "stripe_test_base_url": _url,
    "stripe_live_key": _stripe_key("live"),
    "stripe_live_webhook_secrets": _words,
    "stripe_accounts": _stripe_accounts,
    "routes": _routes,
    "rates_base_url": _url,
    "webhook_allowed_hosts": _hosts,
    "smtp_url": _smtp,
    "mail_from": _sender,
    "api_reads_per_minute": _between(1, 10_000_000),
    "api_writes_per_minute": _between(1, 10_000_000),
    "trusted_proxies": _between(0, 9),
}
