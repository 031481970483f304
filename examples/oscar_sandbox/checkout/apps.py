"""The app as oscar looks for it."""

from oscar.apps.checkout.apps import CheckoutConfig as OscarsCheckoutConfig


class CheckoutConfig(OscarsCheckoutConfig):
    """Takes its classes from this folder first."""

    name = "checkout"
