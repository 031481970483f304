"""What the gateway answers, as frozen typed objects.

Money stays the exact decimal string of the wire (`"12.30"`): `Decimal(payment.amount)` when you calculate. Times are
aware `datetime` objects in UTC. Words such as `status` are plain strings, so that a word which a newer gateway adds
breaks nothing; fields which this version does not know are kept in `extra`. `to_dict()` gives the wire's form back.
"""

from __future__ import annotations

from streampay import _events
from streampay._account import Account, ApiKey, DeletedObject, Delivery, GatewayTime, ReceivingAddress, WebhookEndpoint
from streampay._books import Balance, LedgerEntry, Payout, Posting, Settlement, SettlementLine, SettlementTotal
from streampay._decoding import M, Model, ResponseMeta, WireError, decode
from streampay._events import Event, EventData, UnknownObject, decode_object
from streampay._giving import (
    CampaignMonth,
    CampaignReport,
    Charity,
    CharityStanding,
    CharityStatement,
    Donation,
    DonationCampaign,
    DonationComment,
    DonationConfig,
    DonationOffer,
    DonationPayout,
    DonationReceipt,
    DonationStatement,
    DonorErasure,
    GiftOption,
    OwedAge,
    ReceiptIssuer,
    ReceiptMail,
    StatementTotal,
    Tribute,
)
from streampay._payments import (
    Attempt,
    ChainTransfer,
    Charge,
    CheckoutSession,
    Dispute,
    Instrument,
    LineItem,
    Payment,
    Refund,
    RefundTransfer,
    SavedMethod,
    SessionGift,
)
from streampay._prices import PaymentMethod, Quote, Rate, RateSource
from streampay._subscribers import Customer, Period, Plan, PortalSession, Subscription

__all__ = [
    "Account",
    "ApiKey",
    "Attempt",
    "Balance",
    "CampaignMonth",
    "CampaignReport",
    "ChainTransfer",
    "Charge",
    "Charity",
    "CharityStanding",
    "CharityStatement",
    "CheckoutSession",
    "Customer",
    "DeletedObject",
    "Delivery",
    "Dispute",
    "Donation",
    "DonationCampaign",
    "DonationComment",
    "DonationConfig",
    "DonationOffer",
    "DonationPayout",
    "DonationReceipt",
    "DonationStatement",
    "DonorErasure",
    "Event",
    "EventData",
    "EventObject",
    "GatewayTime",
    "GiftOption",
    "Instrument",
    "LedgerEntry",
    "LineItem",
    "M",
    "Model",
    "OwedAge",
    "Payment",
    "PaymentMethod",
    "Payout",
    "Period",
    "Plan",
    "PortalSession",
    "Posting",
    "Quote",
    "Rate",
    "RateSource",
    "ReceiptIssuer",
    "ReceiptMail",
    "ReceivingAddress",
    "Refund",
    "RefundTransfer",
    "ResponseMeta",
    "SavedMethod",
    "SessionGift",
    "Settlement",
    "SettlementLine",
    "SettlementTotal",
    "StatementTotal",
    "Subscription",
    "Tribute",
    "UnknownObject",
    "WebhookEndpoint",
    "WireError",
    "decode",
    "decode_object",
]

EventObject = (
    CheckoutSession
    | Payment
    | Refund
    | Dispute
    | Payout
    | Subscription
    | Donation
    | DonationPayout
    | ChainTransfer
    | WebhookEndpoint
    | UnknownObject
)
vars(_events)["EventObject"] = EventObject  # for `typing.get_type_hints`, which asks the module of the annotation
