"""Schema changes, by Alembic: `upgrade` brings a database of any age to this version."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from gateway.storage.database import Database, answering

_LOCK: Final = 7_305_812_406  # any number that nobody else locks in this database
_SCRIPTS: Final = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Create or upgrade every table; safe to run again.

    Raises:
        DatabaseUnavailableError: it does not answer, or may not be written.
    """
    config = _config()
    with answering(), database.engine.execution_options(sqlite_immediate=True).begin() as tx:
        if database.dialect == "postgresql":  # several machines may start at once; the others find the work done
            tx.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        config.attributes["connection"] = tx
        command.upgrade(config, "head")


def current_revision(database: Database) -> str | None:
    """Return the revision that the database stands at; None for an empty one."""
    return database.read(lambda tx: MigrationContext.configure(tx).get_current_revision())


def knows(revision: str) -> bool:
    """Tell whether this version of the code has such a revision; a newer version's is unknown to it."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def newest_revision() -> str:
    """Return the revision that this version of the code wants."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None, "migrations ship with the package"
    return head


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    return config
