"""A plain Django project; PAYMENT_… at the end is what this example is about."""

import os
from pathlib import Path

HERE = Path(__file__).parent.parent
HOST = os.environ.get("CHARITY_HOST", "127.0.0.1:8000")
SECRET_KEY = os.environ.get("CHARITY_SECRET_KEY", "an example keeps no secrets")
DEBUG = os.environ.get("CHARITY_DEBUG") == "1"
ALLOWED_HOSTS = [HOST.partition(":")[0]]
ROOT_URLCONF = "charity.urls"
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("CHARITY_DATABASE", str(HERE / "charity.db")),
        # The library reads before it writes, in one transaction: two doors wait for each other only from its beginning.
        "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
    }
}
INSTALLED_APPS = ["payments", "charity.apps.CharityConfig"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

PAYMENT_HOST = HOST
PAYMENT_USES_SSL = False
PAYMENT_MODEL = "charity.Gift"
PAYMENT_VARIANTS = {  # keys and secrets come from STREAMPAY_API_KEY, STREAMPAY_BASE_URL and STREAMPAY_WEBHOOK_SECRET
    "streampay": ("streampay.adapters.django_payments.StreamPayProvider", {"prefix": "gift-"})
}
