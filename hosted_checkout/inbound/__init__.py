"""The inbound door: providers report what happened."""

from hosted_checkout.inbound.blueprint import inbound_blueprint

__all__ = ["inbound_blueprint"]
