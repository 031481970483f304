"""The one view that changes."""

from oscar.apps.checkout.views import PaymentDetailsView as OscarsPaymentDetailsView

from streampay.adapters.oscar import StreamPayMixin


class PaymentDetailsView(StreamPayMixin, OscarsPaymentDetailsView):
    """Sends the shopper to the gateway's page when the order is placed."""
