"""A Django app around `PaymentGateway`: `pip install "streampay[django]"`, then docs/django.md.

INSTALLED_APPS += ["streampay.adapters.django"]
STREAMPAY = {"hooks": "shop.payments.hooks"}
path("streampay/", include("streampay.adapters.django.urls"))
redirect(gateway().start(Order("1001", "12.30", "EUR"), success_url=...).url)
"""

from streampay.adapters.django.conf import gateway

__all__ = ["gateway"]
