"""What the charity does when a gift is confirmed."""

from typing import Any

from django.dispatch import receiver
from payments import PaymentStatus
from payments.signals import status_changed

from charity.models import Gift, Receipt


@receiver(status_changed)
def owe_a_receipt(instance: Gift, **_: Any) -> None:
    """Write the receipt down, in the commit that confirms the gift; what raises here lets the webhook come again."""
    if instance.status == PaymentStatus.CONFIRMED:
        Receipt.objects.get_or_create(gift=instance)
