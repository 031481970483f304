"""`/docs`: the API reference, printed once from the OpenAPI document, and `/docs/errors`. Knows no route by name."""

from hosted_checkout.reference.blueprint import reference_blueprint

__all__ = ["reference_blueprint"]
