"""Oscar's addresses and ours."""

from django.apps import apps
from django.contrib import admin
from django.urls import include, path

from streampay.adapters import oscar

urlpatterns = [
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("streampay/", include("streampay.adapters.django.urls")),
    path("checkout/streampay/", include(oscar.urls)),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
