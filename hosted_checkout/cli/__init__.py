"""The command `streampay-server`."""

from hosted_checkout.cli.commands import main, parser
from hosted_checkout.cli.house import FAILED, OK, USAGE

__all__ = ["FAILED", "OK", "USAGE", "main", "parser"]
