"""StreamPay Test Bank: Stripe's wire, test cards, webhooks and a clock of its own, on one machine without money.

The gateway meets it with the very code that meets Stripe; only the address differs.
"""

from sandbox.test_bank.app import api_blueprint, create_app
from sandbox.test_bank.bank import Bank
from sandbox.test_bank.checkout import PayResult
from sandbox.test_bank.server import RunningBank, serve

__all__ = ["Bank", "PayResult", "RunningBank", "api_blueprint", "create_app", "serve"]
