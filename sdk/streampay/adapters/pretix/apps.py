"""The plugin as pretix lists it."""

from django.apps import AppConfig

from streampay._version import __version__


class StreamPayPretix(AppConfig):
    """An app without tables of its own: what it knows stands in the payments of pretix."""

    name = "streampay.adapters.pretix"
    label = "streampay_pretix"
    verbose_name = "StreamPay"

    class PretixPluginMeta:
        """What an organizer reads in the list of plugins."""

        name = "StreamPay"
        author = "The StreamPay authors"
        version = __version__
        category = "PAYMENT"
        description = "Cards and crypto wallets through a payment gateway that you run yourself."
        visible = True

    def ready(self) -> None:
        """Connect the provider."""
        from streampay.adapters.pretix import signals  # noqa: F401, PLC0415 - it connects by being imported
