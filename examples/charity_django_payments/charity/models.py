"""Gifts, and the receipts that are owed for them."""

from collections.abc import Iterator

from django.conf import settings
from django.db import models
from django.urls import reverse
from payments import PurchasedItem
from payments.models import BasePayment


class Gift(BasePayment):
    """One gift; whoever knows its `token` may see it."""

    def get_purchased_items(self) -> Iterator[PurchasedItem]:
        """Tell the payment page what it is for."""
        yield PurchasedItem(name="A gift", quantity=1, price=self.total, currency=self.currency, sku="gift")

    def get_success_url(self) -> str:
        """Return the gift's page, which tells the truth whatever happened."""
        return f"http://{settings.PAYMENT_HOST}{reverse('gift', args=[self.token])}"

    get_failure_url = get_success_url


class Receipt(models.Model):
    """One receipt; there is one for a gift, ever."""

    gift = models.OneToOneField(Gift, models.PROTECT, primary_key=True)

    def __str__(self) -> str:
        return f"{self.gift.total} {self.gift.currency}"
