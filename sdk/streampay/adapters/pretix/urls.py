"""Two addresses for each event."""

from pretix.multidomain import event_url

from streampay.adapters.pretix.views import back, webhook

event_patterns = [
    event_url(r"^streampay/webhook/$", webhook, name="webhook", require_live=False),  # money also comes after the show
    event_url(r"^streampay/return/(?P<signed>[^/]+)/$", back, name="return", require_live=False),
]
