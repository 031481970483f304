"""The payments of a charity."""

from django.db import models
from payments.models import BasePayment


class Gift(BasePayment):
    """One gift."""

    note = models.CharField(max_length=50, blank=True)

    def get_success_url(self) -> str:
        return "https://shop.example/thanks"

    def get_failure_url(self) -> str:
        return "https://shop.example/sorry"
