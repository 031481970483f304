"""A Django project inside the suite's process: settings once, a database of its own for each test."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import django
import pymysql
import sqlalchemy as sa
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.test import override_settings

from streampay.gateway import Order, OrderRecord, OrderTx
from streampay.gateway.stores import Run
from tests.sdk.objects import SECRET

KEY = "sk_test_0123456789abcdef"
_numbers = itertools.count(1)
T = TypeVar("T")


def set_up() -> None:
    """Configure Django, once a process."""
    if settings.configured:
        return
    settings.configure(
        SECRET_KEY="a test's key",
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        INSTALLED_APPS=[
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "streampay.adapters.django",
            "tests.plugin.donations",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        ROOT_URLCONF="tests.plugin.django_urls",
        STREAMPAY={"api_key": KEY, "base_url": "http://127.0.0.1:1", "webhook_secrets": [SECRET]},
        PAYMENT_HOST="shop.example",
        PAYMENT_MODEL="donations.Gift",
        PAYMENT_VARIANTS={},
        LOGGING_CONFIG=None,
        USE_TZ=True,
    )
    django.setup()


def _settings_of(url: str) -> dict[str, Any]:
    parsed = sa.make_url(url)
    where: dict[str, Any] = {"NAME": parsed.database, "USER": parsed.username, "PASSWORD": parsed.password or ""}
    where["PORT"] = parsed.port or ""
    match parsed.get_backend_name():
        case "sqlite":
            return {"ENGINE": "django.db.backends.sqlite3", "NAME": parsed.database, "OPTIONS": {"timeout": 30}}
        case "mysql":
            pymysql.install_as_MySQLdb()  # Django knows mysqlclient alone, which needs a compiler
            host = parsed.query.get("unix_socket") or parsed.host
            return {"ENGINE": "django.db.backends.mysql", "HOST": host, **where}
        case _:
            host = parsed.host or parsed.query.get("host")
            return {"ENGINE": "django.db.backends.postgresql", "HOST": host, **where}


@contextmanager
def a_database(url: str, *apps: str) -> Iterator[str]:
    """Open a database, migrated for some apps, and return its alias."""
    set_up()
    alias = f"test_{next(_numbers)}"
    connections.databases[alias] = connections.configure_settings({"default": {}, alias: _settings_of(url)})[alias]
    try:
        for app in apps:
            call_command("migrate", app, database=alias, verbosity=0)
        yield alias
    finally:
        connections[alias].close()
        del connections[alias]
        del connections.databases[alias]


@contextmanager
def only(alias: str) -> Iterator[None]:
    """Let the ORM speak to one database wherever nobody names another."""
    router = type("Router", (), {"db_for_read": lambda *_, **__: alias, "db_for_write": lambda *_, **__: alias})()
    with override_settings(DATABASE_ROUTERS=[router]):
        yield


def a_store(alias: str) -> Any:
    """Return a store whose threads close their connection, as a server does after each request."""
    from streampay.adapters.django.store import DjangoOrderStore

    class ThreadedStore(DjangoOrderStore):
        def load(self, order_id: str) -> OrderRecord | None:
            return self._closing(lambda: super(ThreadedStore, self).load(order_id))

        def add(self, order: Order) -> OrderRecord:
            return self._closing(lambda: super(ThreadedStore, self).add(order))

        @contextmanager
        def locked(self, order_id: str) -> Iterator[OrderTx]:
            try:
                with super().locked(order_id) as tx:
                    yield tx
            finally:
                self._close()

        def run_due(self, run: Run, limit: int) -> int:
            return self._closing(lambda: super(ThreadedStore, self).run_due(run, limit))

        def _closing(self, ask: Callable[[], T]) -> T:
            try:
                return ask()
            finally:
                self._close()

        def _close(self) -> None:
            connection = connections[self.using]
            if threading.current_thread() is not threading.main_thread() and not connection.in_atomic_block:
                connection.close()

    return ThreadedStore(using=alias)
