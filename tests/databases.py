"""Fresh databases for tests on SQLite, PostgreSQL and MariaDB: find the server, create, copy, drop."""

import getpass
import itertools
import os
import shutil
from pathlib import Path

import sqlalchemy as sa

SQLITE, POSTGRESQL, MARIADB = KINDS = ("sqlite", "postgresql", "mariadb")

CONNECT_TIMEOUT_S = 3  # a local server answers in milliseconds; a missing one must not hold the suite up

# A cluster made under the POSIX locale is SQL_ASCII, where psycopg answers bytes instead of text: never inherit it.
_ENCODING = {POSTGRESQL: "TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'", MARIADB: "CHARACTER SET utf8mb4"}
_HOW_TO_GET = {
    POSTGRESQL: "apt-get install postgresql and start it (or run python3 dev.py test --all), "
    "or set STREAMPAY_TEST_POSTGRES_URL",
    MARIADB: "apt-get install mariadb-server and start it (or run python3 dev.py test --all), "
    "or set STREAMPAY_TEST_MARIADB_URL",
}


class EngineMissingError(Exception):
    """No server of this kind answers."""

    def __init__(self, what: str, how_to_get: str) -> None:
        super().__init__(f"{what} is missing: {how_to_get}")
        self.what = what
        self.how_to_get = how_to_get


def candidate_urls(kind: str) -> list[str]:
    """Return where to look for a server: the override alone when it is set, else loopback and the usual sockets."""
    me = getpass.getuser()
    match kind:
        case "postgresql":
            override = os.environ.get("STREAMPAY_TEST_POSTGRES_URL")
            defaults = [
                "postgresql+psycopg://postgres@127.0.0.1:5432/postgres",
                "postgresql+psycopg://postgres@/postgres?host=/var/run/postgresql",
                f"postgresql+psycopg://{me}@/postgres?host=/var/run/postgresql",
            ]
        case "mariadb":
            override = os.environ.get("STREAMPAY_TEST_MARIADB_URL")
            defaults = [
                "mysql+pymysql://root@127.0.0.1:3306/mysql",
                "mysql+pymysql://root@localhost/mysql?unix_socket=/run/mysqld/mysqld.sock",
                f"mysql+pymysql://{me}@localhost/mysql?unix_socket=/run/mysqld/mysqld.sock",
            ]
        case _:
            raise AssertionError(kind)
    return [override] if override else list(dict.fromkeys(defaults))


def server_url(kind: str) -> sa.URL:
    """Return the first candidate that answers.

    Raises:
        EngineMissingError: none does; it says how to get one.
    """
    for candidate in candidate_urls(kind):
        try:
            with _admin(sa.make_url(candidate)) as connection:
                connection.exec_driver_sql("SELECT 1")
        except (sa.exc.OperationalError, sa.exc.ProgrammingError):
            continue
        return sa.make_url(candidate)
    what = {POSTGRESQL: "PostgreSQL", MARIADB: "MariaDB"}[kind]
    raise EngineMissingError(what, _HOW_TO_GET[kind])


class _Admin:
    """One autocommitting connection, closed with its engine."""

    def __init__(self, url: sa.URL) -> None:
        timeout = {"connect_timeout": CONNECT_TIMEOUT_S}
        self._engine = sa.create_engine(
            url, isolation_level="AUTOCOMMIT", poolclass=sa.pool.NullPool, connect_args=timeout
        )

    def __enter__(self) -> sa.Connection:
        self._connection = self._engine.connect()
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._engine.dispose()


def _admin(url: sa.URL) -> _Admin:
    return _Admin(url)


class DatabaseServers:
    """Creates, copies and drops databases; names carry the process id, so xdist workers never meet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._servers: dict[str, sa.URL | EngineMissingError] = {}
        self._created: list[tuple[str, str]] = []

    def create(self, kind: str) -> str:
        """Return the URL of a fresh empty database.

        Raises:
            EngineMissingError: no server of this kind answers (asked once a process).
        """
        name = self._new_name()
        if kind == SQLITE:
            return f"sqlite:///{self._folder / name}.db"
        server = self._server(kind)
        return self._run_create(kind, server, name, f"CREATE DATABASE {name} {_ENCODING[kind]}")

    def copy(self, url: str) -> str:
        """Return the URL of a fresh copy of the database behind ``url``."""
        source = sa.make_url(url)
        assert source.database is not None
        name = self._new_name()
        match source.get_backend_name():
            case "sqlite":
                target = self._folder / f"{name}.db"
                shutil.copyfile(source.database, target)
                return f"sqlite:///{target}"
            case "postgresql":
                create = f"CREATE DATABASE {name} TEMPLATE {source.database}"
                return self._run_create(POSTGRESQL, self._server(POSTGRESQL), name, create)
            case _:
                copied = self._run_create(MARIADB, self._server(MARIADB), name, f"CREATE DATABASE {name}")
                _copy_mariadb(self._server(MARIADB), source.database, name)
                return copied

    def drop_all(self) -> None:
        """Drop every database created on a server; SQLite files go with their temporary folder."""
        for kind in (POSTGRESQL, MARIADB):
            names = [name for created_kind, name in self._created if created_kind == kind]
            if not names:
                continue
            force = " WITH (FORCE)" if kind == POSTGRESQL else ""
            with _admin(self._server(kind)) as connection:
                for name in names:
                    connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}{force}")
        self._created.clear()

    def _new_name(self) -> str:
        return f"streampay_test_{os.getpid()}_{next(self._numbers)}"

    def _server(self, kind: str) -> sa.URL:
        if kind not in self._servers:
            try:
                self._servers[kind] = server_url(kind)
            except EngineMissingError as error:
                self._servers[kind] = error
        server = self._servers[kind]
        if isinstance(server, EngineMissingError):
            raise server
        return server

    def _run_create(self, kind: str, server: sa.URL, name: str, statement: str) -> str:
        with _admin(server) as connection:
            connection.exec_driver_sql(statement)
        self._created.append((kind, name))
        return server.set(database=name).render_as_string(hide_password=False)


def _copy_mariadb(server: sa.URL, source: str, target: str) -> None:
    """Copy tables, rows and triggers; MariaDB has no template databases."""
    with _admin(server.set(database=target)) as connection:
        connection.exec_driver_sql("SET foreign_key_checks = 0")
        tables = connection.exec_driver_sql(f"SHOW FULL TABLES FROM {source} WHERE Table_type = 'BASE TABLE'")
        for table, _ in tables.all():
            created = connection.exec_driver_sql(f"SHOW CREATE TABLE {source}.`{table}`").one()
            connection.exec_driver_sql(created[1].replace("%", "%%"))
            columns = _stored_columns(connection, source, table)
            connection.execute(
                sa.text(f"INSERT INTO {target}.`{table}` ({columns}) SELECT {columns} FROM {source}.`{table}`")  # noqa: S608 - names come from the server's own catalogue
            )
        for trigger in connection.exec_driver_sql(f"SHOW TRIGGERS FROM {source}").all():
            body = connection.exec_driver_sql(f"SHOW CREATE TRIGGER {source}.`{trigger[0]}`").one()[2]
            connection.exec_driver_sql(body.replace("%", "%%"))


def _stored_columns(connection: sa.Connection, source: str, table: str) -> str:
    """Return the columns that can be inserted: generated ones compute themselves."""
    rows = connection.exec_driver_sql(f"SHOW FULL COLUMNS FROM {source}.`{table}`").mappings()
    return ", ".join(f"`{row['Field']}`" for row in rows if "GENERATED" not in row["Extra"])
