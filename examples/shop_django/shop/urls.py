"""The shop's addresses, and the webhook's."""

from django.contrib import admin
from django.urls import include, path

from shop import views

urlpatterns = [
    path("", views.home, name="home"),
    path("buy/", views.buy, name="buy"),
    path("orders/<str:order_id>/", views.order, name="order"),
    path("orders/<str:order_id>/pay/", views.pay, name="pay"),
    path("admin/", admin.site.urls),
    path("streampay/", include("streampay.adapters.django.urls")),
]
