"""The app as Django looks for it."""

from django.apps import AppConfig


class CharityConfig(AppConfig):
    """Listens to the library's signal."""

    name = "charity"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the receipts."""
        from charity import receipts  # noqa: F401, PLC0415 - it connects by being imported
