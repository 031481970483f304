"""What all answers are made of: ids, instants, money, and the rule that an object shows exactly its fields."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from hosted_checkout.api.fields import INSTANT_PATTERN, id_schema

Instant = Annotated[
    str,
    Field(pattern=INSTANT_PATTERN),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "pattern": INSTANT_PATTERN,
            "examples": ["2026-11-20T09:21:00.123Z"],
            "description": "RFC 3339, UTC, milliseconds.",
        }
    ),
]
MajorUnits = Annotated[
    str,
    Field(
        pattern=r"^-?[0-9]+(\.[0-9]+)?$",
        description="Major units, every decimal of the currency.",
        examples=["12.30"],
    ),
]
Currency = Annotated[str, Field(description="ISO 4217 or a coin: `USD`, `SOL`.", examples=["USD"])]
SessionId = Annotated[str, Field(pattern="^cs_[0-9a-z]{26}$"), WithJsonSchema(id_schema("cs"))]
PaymentId = Annotated[str, Field(pattern="^pay_[0-9a-z]{26}$"), WithJsonSchema(id_schema("pay"))]
AttemptId = Annotated[str, Field(pattern="^att_[0-9a-z]{26}$"), WithJsonSchema(id_schema("att"))]
TransferId = Annotated[str, Field(pattern="^xfer_[0-9a-z]{26}$"), WithJsonSchema(id_schema("xfer"))]
ChargeId = Annotated[str, Field(pattern="^ch_[0-9a-z]{26}$"), WithJsonSchema(id_schema("ch"))]
RefundId = Annotated[str, Field(pattern="^re_[0-9a-z]{26}$"), WithJsonSchema(id_schema("re"))]
DisputeId = Annotated[str, Field(pattern="^dsp_[0-9a-z]{26}$"), WithJsonSchema(id_schema("dsp"))]
PayoutId = Annotated[str, Field(pattern="^po_[0-9a-z]{26}$"), WithJsonSchema(id_schema("po"))]
PlanId = Annotated[str, Field(pattern="^plan_[0-9a-z]{26}$"), WithJsonSchema(id_schema("plan"))]
CustomerId = Annotated[str, Field(pattern="^cus_[0-9a-z]{26}$"), WithJsonSchema(id_schema("cus"))]
SubscriptionId = Annotated[str, Field(pattern="^sub_[0-9a-z]{26}$"), WithJsonSchema(id_schema("sub"))]
QuoteId = Annotated[str, Field(pattern="^quo_[0-9a-z]{26}$"), WithJsonSchema(id_schema("quo"))]
EventId = Annotated[str, Field(pattern="^evt_[0-9a-z]{26}$"), WithJsonSchema(id_schema("evt"))]
EndpointId = Annotated[str, Field(pattern="^we_[0-9a-z]{26}$"), WithJsonSchema(id_schema("we"))]
DeliveryId = Annotated[str, Field(pattern="^dlv_[0-9a-z]{26}$"), WithJsonSchema(id_schema("dlv"))]
EntryId = Annotated[str, Field(pattern="^je_[0-9a-z]{26}$"), WithJsonSchema(id_schema("je"))]
KeyId = Annotated[str, Field(pattern="^key_[0-9a-z]{26}$"), WithJsonSchema(id_schema("key"))]
CharityId = Annotated[str, Field(pattern="^cha_[0-9a-z]{26}$"), WithJsonSchema(id_schema("cha"))]
CampaignId = Annotated[str, Field(pattern="^cmp_[0-9a-z]{26}$"), WithJsonSchema(id_schema("cmp"))]
ConfigId = Annotated[str, Field(pattern="^dcf_[0-9a-z]{26}$"), WithJsonSchema(id_schema("dcf"))]
PledgeId = Annotated[str, Field(pattern="^plg_[0-9a-z]{26}$"), WithJsonSchema(id_schema("plg"))]
DonationId = Annotated[str, Field(pattern="^don_[0-9a-z]{26}$"), WithJsonSchema(id_schema("don"))]
CharityPayoutId = Annotated[str, Field(pattern="^dpo_[0-9a-z]{26}$"), WithJsonSchema(id_schema("dpo"))]
MerchantId = Annotated[str, Field(pattern="^mer_[0-9a-z]{26}$"), WithJsonSchema(id_schema("mer"))]


class Shown(BaseModel):
    """An object of ours: exactly these fields. Later versions may add some; clients ignore what they do not know."""

    model_config = ConfigDict(extra="forbid")
