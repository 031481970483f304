"""The app as Django's registry knows it."""

from django.apps import AppConfig
from django.core import checks


class StreamPayConfig(AppConfig):
    """Three tables: streampay_order, streampay_event, streampay_hook."""

    name = "streampay.adapters.django"
    label = "streampay"
    verbose_name = "StreamPay"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Let `manage.py check` look at the settings."""
        from streampay.adapters.django.conf import check_settings  # noqa: PLC0415 - models are loaded by now

        checks.register(check_settings)
