"""The processor `stripe`: cards and every other method that Stripe's own page offers.

It opens pages at Stripe, reads what came of them, and commands captures, refunds and their like. The same code speaks
to Stripe and, by another base address, to the Test Bank. It is the only room that imports stripe-python.
"""

from gateway.processors.stripe.config import StripeConfig
from gateway.processors.stripe.inspection import MANDATORY_EVENTS
from gateway.processors.stripe.processor import StripeProcessor
from gateway.processors.stripe.wire import API_VERSION

__all__ = ["API_VERSION", "MANDATORY_EVENTS", "StripeConfig", "StripeProcessor"]
