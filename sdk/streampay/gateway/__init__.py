"""A payment method for a shop, as WooCommerce made it familiar: start, webhook, reconcile, refund, self-test.

gateway = PaymentGateway(StreamPay(), SqliteOrderStore("orders.db"), hooks=Hooks(on_paid=ship))
redirect(gateway.start(Order("1001", "12.30", "EUR"), success_url=...).url)
answer = gateway.handle_webhook(request.get_data(), request.headers)  # answer.status_code
"""

from streampay.gateway.health import Check, Report
from streampay.gateway.orders import (
    SETTLED,
    Hook,
    HookCall,
    Order,
    OrderLine,
    OrderRecord,
    OrderStatus,
    PaymentReading,
)
from streampay.gateway.plugin import Availability, Hooks, PaymentGateway, Redirect, WebhookResult
from streampay.gateway.reducer import reduce
from streampay.gateway.settings import Field, SettingsError
from streampay.gateway.stores import OrderStore, OrderTx, SqliteOrderStore

__all__ = [
    "SETTLED",
    "Availability",
    "Check",
    "Field",
    "Hook",
    "HookCall",
    "Hooks",
    "Order",
    "OrderLine",
    "OrderRecord",
    "OrderStatus",
    "OrderStore",
    "OrderTx",
    "PaymentGateway",
    "PaymentReading",
    "Redirect",
    "Report",
    "SettingsError",
    "SqliteOrderStore",
    "WebhookResult",
    "reduce",
]
