"""The REST API `/v1`: a door that checks what comes in, calls one verb of the engine, and writes the answer."""

from hosted_checkout.api.blueprint import create_api
from hosted_checkout.api.limits import Limit, Limits

__all__ = ["Limit", "Limits", "create_api"]
