"""Announce a show whose tickets are paid through StreamPay: `python open_show.py`.

A second run brings the plugin's settings up to date. They come from STREAMPAY_API_KEY, STREAMPAY_BASE_URL and
STREAMPAY_WEBHOOK_SECRET.
"""

import os
from datetime import timedelta
from decimal import Decimal

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "box_office")
django.setup()

from django.utils.timezone import now  # noqa: E402 - models need the apps
from django_scopes import scopes_disabled  # noqa: E402 - the same
from pretix.base.models import Event, Organizer  # noqa: E402 - the same
from pretix.multidomain.urlreverse import eventreverse_absolute  # noqa: E402 - the same

FACTS = {"name": "A show", "date_from": now() + timedelta(days=60), "currency": "USD", "live": True}


def main() -> None:
    """Make organizer, event, ticket and quota, unless they are there; then set the plugin up."""
    with scopes_disabled():
        organizer, _ = Organizer.objects.get_or_create(slug="theatre", defaults={"name": "A theatre"})
        event, is_new = Event.objects.get_or_create(organizer=organizer, slug="show", defaults=FACTS)
        if is_new:
            event.set_defaults()
            ticket = event.items.create(name="A seat", default_price=Decimal("12.30"), active=True)
            event.quotas.create(name="All seats", size=100).items.add(ticket)
        event.enable_plugin("streampay.adapters.pretix")
        event.save()
        set_up(event)
        print(eventreverse_absolute(event, "presale:event.index"))  # noqa: T201 - a command prints


def set_up(event: Event) -> None:
    """Do what an organizer does in Settings, Payment, StreamPay."""
    names = {"base_url": "BASE_URL", "api_key": "API_KEY", "webhook_secrets": "WEBHOOK_SECRET"}
    for name, variable in names.items():
        event.settings.set(f"payment_streampay_{name}", os.environ.get(f"STREAMPAY_{variable}", ""))
    event.settings.set("payment_streampay__enabled", value=True)


if __name__ == "__main__":
    main()
