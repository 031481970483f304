"""Where pretix asks its plugins for providers."""

from typing import Any

from django.dispatch import receiver
from pretix.base.signals import register_payment_providers

from streampay.adapters.pretix.payment import StreamPayProvider


@receiver(register_payment_providers, dispatch_uid="streampay_provider")
def provider(sender: Any, **_: Any) -> type[StreamPayProvider]:  # noqa: ARG001 - the signal's words
    """Offer ours."""
    return StreamPayProvider
