"""`path("streampay/", include("streampay.adapters.django.urls"))`: the webhook is `streampay:webhook`."""

from django.urls import path

from streampay.adapters.django.views import webhook

app_name = "streampay"
urlpatterns = [path("webhook/", webhook, name="webhook")]
