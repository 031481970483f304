"""What the shop does when something has happened to an order: once each, in the commit that notes it."""

from decimal import Decimal

from shop.models import Purchase, Shipment
from streampay.gateway import HookCall


def ship(call: HookCall) -> None:
    """Give the order to the warehouse."""
    Shipment.objects.create(purchase_id=call.order_id, payment_id=call.payment_id)


def note_refund(call: HookCall) -> None:
    """Write down how much of an order's money went back, all refunds together."""
    if call.order is not None:
        back = call.order.readings[call.payment_id].amount_refunded
        Purchase.objects.filter(id=call.order_id).update(refunded=Decimal(back))
