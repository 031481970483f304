"""The addresses of the suite's Django project."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("streampay/", include("streampay.adapters.django.urls")),
    path("payments/", include("payments.urls")),
]
