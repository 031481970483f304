"""Settings: every parser, every problem at once, and no start with what is unsafe outside this machine."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from gateway.settings import Settings, SettingsError, TokenSetting, load_settings, secret_keys

KEY = base64.b64encode(bytes(range(32))).decode()
MINT = "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU"
PUBLIC = {"BASE_URL": "https://pay.example.com", "SECRET_KEYS": KEY, "DATABASE_URL": "postgresql://u@db/streampay"}


def load(**values: str) -> Settings:
    return load_settings({f"STREAMPAY_{name}": value for name, value in values.items()})


def problems(**values: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(**values)
    return str(caught.value).splitlines()


def token(**changes: object) -> str:
    return json.dumps([{"code": "ABC", "title": "A coin", "mint": MINT, "decimals": 6} | changes])


def test_an_empty_environment_is_a_gateway_for_this_machine() -> None:
    settings = load()
    assert settings == Settings()
    assert (settings.is_loopback, settings.is_private, settings.is_embedded) == (True, True, True)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("DATABASE_URL", "sqlite:////var/x.db", "sqlite:////var/x.db"),
        ("BASE_URL", " http://LOCALHOST:8080/ ", "http://localhost:8080"),
        ("BASE_URL", "http://[::1]:8080", "http://[::1]:8080"),
        ("HOST", "::1", "::1"),
        ("PORT", "65535", 65535),
        ("THREADS", "4", 4),
        ("BACKGROUND", "No", False),
        ("BACKGROUND", "1", True),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("SECRET_KEYS", f"{KEY}, {KEY}", (bytes(range(32)),) * 2),
        ("SANDBOX_CHAIN_URL", "http://127.0.0.1:8899/", "http://127.0.0.1:8899"),
        ("SANDBOX_WALLET_SCRIPT", __file__, Path(__file__)),
        ("SOLANA_TEST_NETWORK", "", ""),
        ("SOLANA_LIVE_NETWORK", "solana:mainnet", "solana:mainnet"),
        ("SOLANA_TEST_RPC_URLS", "https://a.test/k, https://b.test", ("https://a.test/k", "https://b.test")),
        ("SOLANA_TEST_TOKENS", "[]", ()),
        ("SOLANA_TEST_TOKENS", token(), (TokenSetting(code="ABC", title="A coin", mint=MINT, decimals=6),)),
        ("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1:1 shop:2", frozenset({"127.0.0.1:1", "shop:2"})),
        ("API_READS_PER_MINUTE", "1", 1),
    ],
)
def test_a_good_value_is_read(name: str, text: str, value: object) -> None:
    assert getattr(load(**{name: text}), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text", "advice"),
    [
        *(("DATABASE_URL", text, "give sqlite:///FILE") for text in ("", "x", "oracle://h/d", "postgresql://h:no/d")),
        *(("DATABASE_URL", text, "SQLite needs a file") for text in ("sqlite://", "sqlite:///:memory:")),
        *(
            ("BASE_URL", text, "give an origin")
            for text in (
                "", "pay.example.com", "ftp://pay.example.com", "https://", "https://a/path", "https://a?x", "https://a#x",
                "https://u:p@a", "https://a:99999", "https://a:x", "https://[::1",
            )
        ),
        *(("PORT", text, "from 1 to 65535") for text in ("", "0", "65536", "-1", "+1", "1.0", "1e3", "٣", "9" * 5000)),
        ("PROCESSES", "65", "from 1 to 64"),
        ("THREADS", "257", "from 1 to 256"),
        ("BACKGROUND", "maybe", "say yes or no"),
        ("LOG_LEVEL", "LOUD", "use one of DEBUG, ERROR, INFO, WARNING"),
        ("SECRET_KEYS", "", "32 random bytes"),
        ("SECRET_KEYS", "c2hvcnQ=", "32 random bytes"),
        ("SECRET_KEYS", "not base64!", "base64"),
        ("SECRET_KEYS", "ключ", "base64"),
        ("SANDBOX", "2", "say yes or no"),
        ("SANDBOX_CHAIN_URL", "127.0.0.1:8899", "http:// or https://"),
        ("SANDBOX_WALLET_SCRIPT", "/no/such/file", "no such file"),
        ("SOLANA_TEST_NETWORK", "solana:moon", "or leave it empty for none"),
        ("SOLANA_LIVE_RPC_URLS", "https://a.test ws://b.test", "http:// or https://"),
        *(("SOLANA_TEST_TOKENS", text, "give JSON") for text in ("", "5", "[5]", '[{"code": "X"}]', '{"a": 1}')),
        ("SOLANA_TEST_TOKENS", "[" * 9999, "give JSON"),
        ("SOLANA_TEST_TOKENS", token(code="abc"), "capital letters"),
        ("SOLANA_TEST_TOKENS", token(code=7), "capital letters"),
        ("SOLANA_TEST_TOKENS", token(code="SOL"), "is not SOL"),
        ("SOLANA_TEST_TOKENS", token(title=" "), "what shoppers read"),
        ("SOLANA_TEST_TOKENS", token(mint="0OIl"), "base58"),
        ("SOLANA_TEST_TOKENS", token(decimals="6"), "whole number"),
        ("SOLANA_TEST_TOKENS", token(decimals=True), "whole number"),
        ("SOLANA_TEST_TOKENS", token(decimals=19), "whole number"),
        ("SOLANA_TEST_TOKENS", token(program="spl"), "spl-token, token-2022"),
        ("SOLANA_TEST_TOKENS", json.dumps(json.loads(token()) * 2), "one mint"),
        ("SOLANA_TEST_TOKENS", token(code="USDC", decimals=9), "USDC has 6 decimals here already"),
        ("SOLANA_SECOND_OPINION_ABOVE", "SOL", "atomic amounts"),
        ("SOLANA_SECOND_OPINION_ABOVE", "=5", "atomic amounts"),
        ("SOLANA_SECOND_OPINION_ABOVE", "SOL=-5", "atomic amounts"),
        ("SOLANA_SECOND_OPINION_ABOVE", "SOL=٣", "atomic amounts"),
        ("RATES_BASE_URL", "https://", "http:// or https://"),
        *(
            ("SMTP_URL", text, "give smtps://USER:PASSWORD@HOST:465")
            for text in ("", "mail.example", "http://mail.example:25", "smtp://", "smtp://h/x", "smtp://h:x", "smtp://h?a")
        ),
        ("SMTP_URL", "smtp://me@mail.example", "needs its password"),
        *(
            ("MAIL_FROM", text, "give an address")
            for text in ("", "me", "a@b@c", "Fund <me>", "me@b.example\nBcc: x@y.example", "a@b.example, c@d.example")
        ),
        ("WEBHOOK_ALLOWED_HOSTS", "http://127.0.0.1:1", "HOST:PORT"),
        ("WEBHOOK_ALLOWED_HOSTS", "127.0.0.1", "HOST:PORT"),
        ("API_WRITES_PER_MINUTE", "0", "from 1"),
        ("BASE_URI", "x", "no such setting"),
        ("", "x", "no such setting"),
    ],
)  # fmt: skip
def test_a_bad_value_is_named_with_what_to_do(name: str, text: str, advice: str) -> None:
    found = problems(**{name: text})
    assert len(found) == 1
    assert found[0].startswith(f"STREAMPAY_{name}")
    assert advice in found[0]


@pytest.mark.parametrize(
    ("text", "host", "port", "is_tls", "login"),
    [
        ("smtps://me:p%40ss@mail.example", "mail.example", 465, True, ("me", "p@ss")),
        ("smtp://mail.example", "mail.example", 587, False, (None, None)),
        ("smtp://[::1]:1025", "::1", 1025, False, (None, None)),
    ],
)
def test_a_mail_server_is_read(
    text: str,
    host: str,
    port: int,
    is_tls: bool,  # noqa: FBT001 - a row of the table
    login: tuple[str | None, str | None],
) -> None:
    server = load(SMTP_URL=text, MAIL_FROM="River Fund <receipts@river.example>").smtp_url
    assert server is not None
    assert (server.host, server.port, server.is_tls, (server.username, server.password)) == (host, port, is_tls, login)
    assert "p@ss" not in repr(server)


@pytest.mark.parametrize("alone", [{"SMTP_URL": "smtp://mail.example"}, {"MAIL_FROM": "me@river.example"}])
def test_mail_needs_a_server_and_a_sender(alone: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="mail needs both"):
        load(**alone)


def test_all_problems_are_reported_together() -> None:
    assert [line.partition(":")[0] for line in problems(PORT="0", THREADS="x", BASE_URI="x", LOG_LEVEL="x")] == [
        "STREAMPAY_PORT",
        "STREAMPAY_THREADS",
        "STREAMPAY_LOG_LEVEL",
        "STREAMPAY_BASE_URI",
    ]


def test_a_public_gateway_starts_with_https_a_key_and_a_server_database() -> None:
    settings = load(**PUBLIC, HOST="0.0.0.0", PROCESSES="4", BACKGROUND="no")  # noqa: S104 - a public gateway
    assert (settings.is_loopback, settings.is_private, settings.is_embedded) == (False, False, False)


@pytest.mark.parametrize(
    ("changes", "named", "advice"),
    [
        ({"BASE_URL": "http://pay.example.com"}, "BASE_URL", "https"),
        ({"SECRET_KEYS": None}, "SECRET_KEYS", "openssl"),
        ({"SECRET_KEYS": None, "DATABASE_URL": "sqlite:///x.db"}, "SECRET_KEYS", "openssl"),
        ({"SECRET_KEYS": None, "BASE_URL": "http://127.0.0.1"}, "SECRET_KEYS", "openssl"),
        (
            {"SANDBOX": "yes", "SANDBOX_CHAIN_URL": "http://127.0.0.1:1", "SANDBOX_WALLET_SCRIPT": __file__},
            "SANDBOX",
            "this machine only",
        ),
        ({"WEBHOOK_ALLOWED_HOSTS": "127.0.0.1:1"}, "WEBHOOK_ALLOWED_HOSTS", "loopback"),
        ({"WEBHOOK_ALLOWED_HOSTS": "127.0.0.1:1", "BASE_URL": "http://127.0.0.1", "HOST": "0.0.0.0"},  # noqa: S104 - it is refused
         "WEBHOOK_ALLOWED_HOSTS", "loopback"),
        ({"RATES_BASE_URL": "http://127.0.0.1:1"}, "RATES_BASE_URL", "loopback"),
        ({"SOLANA_LIVE_NETWORK": "solana:localnet"}, "SOLANA_LIVE_NETWORK", "real money"),
        ({"SOLANA_LIVE_NETWORK": "solana:devnet", "SOLANA_TEST_NETWORK": ""}, "SOLANA_LIVE_NETWORK", "real money"),
        ({"SOLANA_TEST_NETWORK": "solana:mainnet"}, "SOLANA_TEST_NETWORK", "never share"),
        ({"PROCESSES": "2"}, "BACKGROUND", "worker"),
        ({"PROCESSES": "2", "BACKGROUND": "no", "DATABASE_URL": "sqlite:///x.db"}, "PROCESSES", "one process"),
        ({"SOLANA_SECOND_OPINION_URL": "https://a.test"}, "SOLANA_SECOND_OPINION_URL", "set both"),
        ({"SOLANA_SECOND_OPINION_ABOVE": "SOL=1"}, "SOLANA_SECOND_OPINION_URL", "set both"),
        ({"SOLANA_SECOND_OPINION_ABOVE": "BTC=1", "SOLANA_SECOND_OPINION_URL": "https://a.test"},
         "SOLANA_SECOND_OPINION_ABOVE", "SOL, USDC"),
    ],
)  # fmt: skip
def test_an_unsafe_value_refuses_to_start(changes: dict[str, str | None], named: str, advice: str) -> None:
    values = {name: value for name, value in (PUBLIC | changes).items() if value is not None}
    found = problems(**values)
    assert len(found) == 1
    assert found[0].startswith(f"STREAMPAY_{named}")
    assert advice in found[0]


def test_nothing_secret_stands_in_the_repr() -> None:
    settings = load(
        **PUBLIC | {"DATABASE_URL": "postgresql://u:hunter2@db/s"},
        SOLANA_LIVE_RPC_URLS="https://rpc.test/?api-key=hunter2",
        SOLANA_TEST_RPC_URLS="https://rpc.test/hunter2",
        SOLANA_SECOND_OPINION_URL="https://rpc.test/hunter2",
        SOLANA_SECOND_OPINION_ABOVE="SOL=1",
    )
    shown = repr(settings)
    assert "hunter2" not in shown
    assert KEY not in shown
    assert repr(bytes(range(32))) not in shown
    assert "https://pay.example.com" in shown


def embedded(path: Path, **more: Any) -> Settings:
    return Settings(database_url=f"sqlite:///{path}", **more)


def test_the_key_of_an_embedded_gateway_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = embedded(tmp_path / "deep" / "gateway.db")
    keys = secret_keys(settings)
    file = tmp_path / "deep" / "gateway.db.key"
    assert [len(key) for key in keys] == [32]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert secret_keys(settings) == keys
    assert secret_keys(embedded(tmp_path / "other.db")) != keys


def test_keys_that_are_set_need_no_file(tmp_path: Path) -> None:
    assert secret_keys(embedded(tmp_path / "gateway.db", secret_keys=(b"k" * 32,))) == (b"k" * 32,)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damaged", ["", "c2hvcnQ=", "no!"])
def test_a_damaged_key_file_is_named_and_kept(tmp_path: Path, damaged: str) -> None:
    file = tmp_path / "gateway.db.key"
    file.write_text(damaged)
    with pytest.raises(SettingsError, match=r"gateway\.db\.key: .*restore the file"):
        secret_keys(embedded(tmp_path / "gateway.db"))
    assert file.read_text() == damaged


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"gateway\.db\.key: .*neither be read nor made"):
        secret_keys(embedded(tmp_path / "file" / "gateway.db"))
