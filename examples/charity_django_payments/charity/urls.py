"""The charity's addresses, and the library's, where webhooks and donors come in."""

from django.urls import include, path

from charity import views

urlpatterns = [
    path("", views.home, name="home"),
    path("give/", views.give, name="give"),
    path("gifts/<uuid:token>/", views.gift, name="gift"),
    path("gifts/<uuid:token>/pay/", views.pay, name="pay"),
    path("payments/", include("payments.urls")),
]
