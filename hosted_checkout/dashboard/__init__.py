"""The door for staff: what campaigns collected, what charities are owed, what donors wrote, and who was stopped."""

from hosted_checkout.dashboard.blueprint import dashboard_blueprint

__all__ = ["dashboard_blueprint"]
