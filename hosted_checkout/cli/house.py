"""What every command of `streampay-server` shares: a house for one command, its refusals, its place in the parser."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final, Protocol

from donation_widget import Scribe
from gateway.domain.merchants import Merchant
from gateway.engine.records import Owner
from gateway.kernel.errors import NotFoundError
from gateway.settings import Settings
from gateway.storage.migrate import current_revision, knows, newest_revision, upgrade
from gateway.wiring import House, build_house

Command = Callable[[argparse.Namespace, Settings], int]
OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2


def complain(message: str, status: int) -> int:
    """Print what went wrong; return the status."""
    print(message, file=sys.stderr)
    return status


class RefusedError(Exception):
    """The command cannot be done; the message says why and what to do."""


@contextmanager
def opened(settings: Settings) -> Iterator[House]:
    """Open a house for one command; an embedded database is made first if it is not there."""
    with closing(built(settings)) as house:
        revision = known_revision(house)
        if revision != newest_revision():
            # An embedded database is brought up to date by itself; a shared one only by its operator.
            if house.db.dialect != "sqlite":
                raise RefusedError(
                    "The database is not at this version's schema: run `streampay-server migrate` first."
                )
            upgrade(house.db)
        house.engine.clockwork.follow()
        yield house


def built(settings: Settings) -> House:
    """Connect the rooms; what the machine lacks is said in one line."""
    try:
        return build_house(settings, composer=Scribe())
    except ModuleNotFoundError as error:
        extra = "mariadb" if "pymysql" in str(error.name).lower() else "postgres"
        raise RefusedError(
            f"The database's driver {error.name} is not installed: pip install 'streampay-server[{extra}]'"
        ) from error
    except OSError as error:
        raise RefusedError(f"The database's folder cannot be used: {error.filename}: {error.strerror}") from error


def known_revision(house: House) -> str | None:
    """Return the database's revision; a newer version's schema is nothing to work on."""
    found = current_revision(house.db)
    if found is not None and not knows(found):
        raise RefusedError(
            f"The database is at revision {found}, which a newer streampay-server made (this one knows "
            f"{newest_revision()}): install that version again, or restore a backup."
        )
    return found


def the_merchant(house: House) -> Merchant:
    """Return the account; a gateway of one merchant has one."""
    merchant = house.engine.merchants.first()
    if merchant is None:
        raise RefusedError('There is no account yet: run `streampay-server account create --name "My shop"`.')
    return merchant


def owner_of(house: House, options: argparse.Namespace) -> Owner:
    """Return whose objects a command with `--test` is about."""
    return Owner(merchant_id=the_merchant(house).id, livemode=not options.test)


class Readable(Protocol):
    """Verbs of objects that are read by their id."""

    def retrieve(self, owner: Owner, object_id: str, /) -> dict[str, Any]:
        """Return one, or raise NotFoundError."""
        ...


def is_found(verbs: Readable, owner: Owner, object_id: str) -> bool:
    """Tell whether an object is there and theirs."""
    try:
        verbs.retrieve(owner, object_id)
    except NotFoundError:
        return False
    return True


def group(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, about: str
) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    """Add a group of commands."""
    return commands.add_parser(name, help=about, description=about).add_subparsers(required=True, metavar="COMMAND")


def add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, command: Command
) -> argparse.ArgumentParser:
    """Add a command; its docstring is its help."""
    about = (command.__doc__ or "").strip().rstrip(".")
    parser = commands.add_parser(name, help=about, description=f"{about}.")
    parser.set_defaults(command=command)
    return parser
