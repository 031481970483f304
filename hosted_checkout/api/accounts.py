"""`/v1/account`: whose key this is."""

from hosted_checkout.api.answers import Account
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes

routes = Routes("Account")


@routes.get("/v1/account", answers={200: Account})
def retrieve_account(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read the merchant to whom the key belongs."""
    merchant, settings = call.principal.merchant, call.principal.merchant.settings
    return Answer.of(
        {
            "id": merchant.id,
            "object": "account",
            "name": merchant.name,
            "livemode": call.owner.livemode,
            "origins": list(settings.origins),
            "receiving_addresses": rooms.engine.merchants.wallets(call.owner),
            "brand_color": settings.brand_color,
            "logo_url": settings.logo_url,
            "late_policy": settings.late_policy.value,
            "tolerance_bps": settings.tolerance_bps,
        }
    )
