"""`manage.py streampay_hooks`: run hooks that failed before and are due again; for cron, every minute."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from streampay.adapters.django.conf import gateway


class Command(BaseCommand):
    """Prints how many were run."""

    help = "Run the hooks that are due."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add a limit."""
        parser.add_argument("--limit", type=int, default=1_000)

    def handle(self, *_: Any, **options: Any) -> None:
        """Run them."""
        self.stdout.write(f"{gateway().run_hooks(options['limit'])} hooks were run.")
