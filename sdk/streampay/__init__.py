"""StreamPay for Python shops: checkout sessions, payments and signed webhooks.

    from streampay import StreamPay

    client = StreamPay()  # STREAMPAY_API_KEY and STREAMPAY_BASE_URL
    session = client.checkout.sessions.create(
        amount="12.30", currency="USD", reference="order-1001", success_url="https://shop.example/orders/1001"
    )

Importing this package loads nothing else (PEP 562): `streampay.client` brings `requests`, `streampay.async_client` adds
httpx to it, and `streampay.webhooks` needs the standard library alone; each comes when its first name is used.
"""

from streampay._version import API_VERSION, __version__

TYPE_CHECKING = False  # type checkers take this name for true; importing it from `typing` would double the import time
if TYPE_CHECKING:
    from streampay import errors, models, webhooks
    from streampay._order_key import order_key
    from streampay.async_client import AsyncStreamPay
    from streampay.client import StreamPay
    from streampay.errors import (
        ApiError,
        AuthenticationFailed,
        ConfigurationError,
        Conflict,
        ConnectionFailed,
        IdempotencyMismatch,
        InvalidRequest,
        NotFound,
        PaymentDeclined,
        PermissionDenied,
        RateLimited,
        ServerError,
        SignatureVerificationError,
        StreamPayError,
        Timeout,
    )
    from streampay.models import (
        ChainTransfer,
        CheckoutSession,
        Dispute,
        Event,
        Payment,
        Refund,
        Subscription,
        WebhookEndpoint,
    )
    from streampay.webhooks import Webhook

__all__ = [
    "API_VERSION",
    "ApiError",
    "AsyncStreamPay",
    "AuthenticationFailed",
    "ChainTransfer",
    "CheckoutSession",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "Dispute",
    "Event",
    "IdempotencyMismatch",
    "InvalidRequest",
    "NotFound",
    "Payment",
    "PaymentDeclined",
    "PermissionDenied",
    "RateLimited",
    "Refund",
    "ServerError",
    "SignatureVerificationError",
    "StreamPay",
    "StreamPayError",
    "Subscription",
    "Timeout",
    "Webhook",
    "WebhookEndpoint",
    "__version__",
    "errors",
    "models",
    "order_key",
    "webhooks",
]

_HOMES = {
    "AsyncStreamPay": "async_client",
    "StreamPay": "client",
    "Webhook": "webhooks",
    "order_key": "_order_key",
}
_MODULES = ("errors", "models", "webhooks")
_MODELS = (
    "ChainTransfer",
    "CheckoutSession",
    "Dispute",
    "Event",
    "Payment",
    "Refund",
    "Subscription",
    "WebhookEndpoint",
)

if not TYPE_CHECKING:  # a visible __getattr__ would make every misspelt name pass the type checker

    def __getattr__(name):  # noqa: ANN001, ANN202 - invisible to type checkers, see above
        """Load the module in which a public name lives, once."""
        if name not in __all__:
            raise AttributeError(f"module 'streampay' has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415 - `import streampay` loads nothing

        if name in _MODULES:
            return import_module(f"streampay.{name}")
        home = _HOMES.get(name, "models" if name in _MODELS else "errors")
        try:
            value = getattr(import_module(f"streampay.{home}"), name)
        except ModuleNotFoundError as error:
            if error.name != "streampay.async_client":
                raise
            message = 'AsyncStreamPay comes with an extra: pip install "streampay[async]"'
            raise ModuleNotFoundError(message, name=error.name) from None
        globals()[name] = value
        return value

    def __dir__():  # noqa: ANN202 - as above
        """List the public names, loaded or not."""
        return sorted({*globals(), *__all__})
