"""The test exchange: Kraken, Coinbase, Bitstamp and the ECB in their own wire formats, with faults.

The gateway meets it with the very code that meets the real ones; only the addresses differ.
"""

from sandbox.exchange.app import create_app, exchange_blueprint
from sandbox.exchange.market import Fault, FaultKind, Market
from sandbox.exchange.server import RunningExchange, serve

__all__ = ["Fault", "FaultKind", "Market", "RunningExchange", "create_app", "exchange_blueprint", "serve"]
