"""A charity's app: the payment model that django-payments asks for."""
