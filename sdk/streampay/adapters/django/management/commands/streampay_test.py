"""`manage.py streampay_test`: the self-test."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from streampay.adapters.django.conf import gateway


class Command(BaseCommand):
    """Prints what was looked at; ends with an error if something must be done."""

    help = "Check key, methods, clock and a whole webhook round trip."

    def handle(self, *_: Any, **__: Any) -> None:
        """Run it."""
        report = gateway().self_test()
        self.stdout.write(str(report))
        if not report:
            raise CommandError("Something must be done first.")
