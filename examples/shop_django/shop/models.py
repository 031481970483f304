"""Orders, and what the warehouse works through."""

import secrets

from django.db import models
from django.urls import reverse


def new_id() -> str:
    """Return an id that is hard to guess: whoever knows it may see the order."""
    return secrets.token_hex(8)


class Purchase(models.Model):
    """One order of one thing."""

    id = models.CharField(max_length=16, primary_key=True, default=new_id)
    product = models.CharField(max_length=20)
    amount = models.DecimalField(max_digits=9, decimal_places=2)
    refunded = models.DecimalField(max_digits=9, decimal_places=2, default=0)

    def __str__(self) -> str:
        return f"{self.product} {self.id}"

    def get_absolute_url(self) -> str:
        """Return the order's page."""
        return reverse("order", args=[self.pk])


class Shipment(models.Model):
    """One parcel; there is one for an order, ever."""

    purchase = models.OneToOneField(Purchase, models.PROTECT, primary_key=True)
    payment_id = models.CharField(max_length=40, unique=True)

    def __str__(self) -> str:
        return self.payment_id
