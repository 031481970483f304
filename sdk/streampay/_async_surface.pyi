"""The async client's resources. Written by tests/sdk/async_surface.py: change the resources, and run that."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from streampay import models
from streampay._api import Unchanged
from streampay._async import AsyncApi
from streampay._pages import AsyncPages

class AsyncApiKeys:
    def __init__(self, api: AsyncApi) -> None: ...
    async def create(self, *, description: str | None = None, idempotency_key: str | None = None) -> models.ApiKey: ...
    async def retrieve(self, key_id: str) -> models.ApiKey: ...
    def list(
        self, *, limit: int | None = None, starting_after: str | None = None, ending_before: str | None = None
    ) -> AsyncPages[models.ApiKey]: ...
    async def roll(
        self, key_id: str, *, grace_s: int | None = None, force: bool | None = None, idempotency_key: str | None = None
    ) -> models.ApiKey: ...
    async def revoke(
        self, key_id: str, *, force: bool | None = None, idempotency_key: str | None = None
    ) -> models.ApiKey: ...

class AsyncGatewayClock:
    def __init__(self, api: AsyncApi) -> None: ...
    async def retrieve(self) -> models.GatewayTime: ...
    async def advance(self, seconds: int, *, idempotency_key: str | None = None) -> models.GatewayTime: ...

class AsyncCharities:
    def __init__(self, api: AsyncApi) -> None: ...
    async def create(
        self,
        *,
        name: str,
        legal_name: str,
        receipt_prefix: str,
        tax_id: str | None = None,
        address: str | None = None,
        country: str | None = None,
        tax_statement: str | None = None,
        website: str | None = None,
        email: str | None = None,
        solana_address: str | None = None,
        is_own: bool | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.Charity: ...
    async def retrieve(self, charity_id: str) -> models.Charity: ...
    async def update(
        self,
        charity_id: str,
        *,
        name: str | Unchanged = ...,
        legal_name: str | Unchanged = ...,
        tax_id: str | Unchanged | None = ...,
        address: str | Unchanged | None = ...,
        country: str | Unchanged | None = ...,
        tax_statement: str | Unchanged | None = ...,
        website: str | Unchanged | None = ...,
        email: str | Unchanged | None = ...,
        solana_address: str | Unchanged | None = ...,
        metadata: Mapping[str, str] | Unchanged = ...,
    ) -> models.Charity: ...
    async def archive(self, charity_id: str, *, idempotency_key: str | None = None) -> models.Charity: ...
    def list(
        self,
        *,
        is_active: bool | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.Charity]: ...
    async def statement(self, charity_id: str) -> models.CharityStatement: ...

class AsyncCampaigns:
    def __init__(self, api: AsyncApi) -> None: ...
    async def create(
        self,
        *,
        charity: str,
        title: str,
        currency: str,
        min_amount: str | Decimal,
        max_amount: str | Decimal,
        story: str | None = None,
        presets: Iterable[str | Decimal] | None = None,
        frequencies: Iterable[str] | None = None,
        goal: str | Decimal | None = None,
        offers_fee_cover: bool | None = None,
        fee_bps: int | None = None,
        fee_fixed: str | Decimal | None = None,
        offers_tribute: bool | None = None,
        offers_comment: bool | None = None,
        shows_wall: bool | None = None,
        locales: Iterable[str] | None = None,
        origins: Iterable[str] | None = None,
        ends_at: datetime | str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.DonationCampaign: ...
    async def retrieve(self, campaign_id: str) -> models.DonationCampaign: ...
    async def update(
        self,
        campaign_id: str,
        *,
        title: str | Unchanged = ...,
        min_amount: str | Decimal | Unchanged = ...,
        max_amount: str | Decimal | Unchanged = ...,
        story: str | Unchanged = ...,
        presets: Iterable[str | Decimal] | Unchanged = ...,
        frequencies: Iterable[str] | Unchanged = ...,
        goal: str | Decimal | Unchanged | None = ...,
        offers_fee_cover: bool | Unchanged = ...,
        fee_bps: int | Unchanged = ...,
        fee_fixed: str | Decimal | Unchanged | None = ...,
        offers_tribute: bool | Unchanged = ...,
        offers_comment: bool | Unchanged = ...,
        shows_wall: bool | Unchanged = ...,
        locales: Iterable[str] | Unchanged = ...,
        origins: Iterable[str] | Unchanged = ...,
        ends_at: datetime | str | Unchanged | None = ...,
        metadata: Mapping[str, str] | Unchanged = ...,
    ) -> models.DonationCampaign: ...
    async def close(self, campaign_id: str, *, idempotency_key: str | None = None) -> models.DonationCampaign: ...
    def list(
        self,
        *,
        charity: str | None = None,
        is_open: bool | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.DonationCampaign]: ...
    async def report(self, campaign_id: str) -> models.CampaignReport: ...

class AsyncDonationPayouts:
    def __init__(self, api: AsyncApi) -> None: ...
    async def record(
        self,
        *,
        charity: str,
        amount: str | Decimal,
        currency: str,
        paid_at: datetime | str,
        reference: str,
        evidence: str,
        idempotency_key: str | None = None,
    ) -> models.DonationPayout: ...
    async def cancel(
        self, payout_id: str, *, reason: str, idempotency_key: str | None = None
    ) -> models.DonationPayout: ...
    async def retrieve(self, payout_id: str) -> models.DonationPayout: ...
    def list(
        self,
        *,
        charity: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.DonationPayout]: ...

class AsyncDonationComments:
    def __init__(self, api: AsyncApi) -> None: ...
    def list(
        self,
        *,
        campaign: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.DonationComment]: ...
    async def retrieve(self, donation_id: str) -> models.DonationComment: ...
    async def moderate(
        self, donation_id: str, *, status: str, idempotency_key: str | None = None
    ) -> models.DonationComment: ...

class AsyncDonations:
    campaigns: AsyncCampaigns
    comments: AsyncDonationComments
    payouts: AsyncDonationPayouts
    def __init__(self, api: AsyncApi) -> None: ...
    async def retrieve(self, donation_id: str) -> models.Donation: ...
    def list(
        self,
        *,
        charity: str | None = None,
        campaign: str | None = None,
        pledge: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.Donation]: ...
    async def receipt(self, donation_id: str) -> models.DonationReceipt: ...
    async def resend_receipt(
        self, donation_id: str, *, email: str | None = None, idempotency_key: str | None = None
    ) -> models.ReceiptMail: ...
    async def statement(self, *, charity: str, email: str, year: int) -> models.DonationStatement: ...
    async def erase(self, *, email: str, idempotency_key: str | None = None) -> models.DonorErasure: ...

class AsyncDonationConfigs:
    def __init__(self, api: AsyncApi) -> None: ...
    async def create(
        self,
        *,
        charity: str,
        currency: str,
        mode: str,
        cap: str | Decimal,
        disclosure: str,
        unit: str | Decimal | None = None,
        amounts: Iterable[str | Decimal] | None = None,
        whole_totals: str | None = None,
        payout_terms: str | None = None,
        starts_at: datetime | str | None = None,
        ends_at: datetime | str | None = None,
        idempotency_key: str | None = None,
    ) -> models.DonationConfig: ...
    async def retrieve(self, config_id: str) -> models.DonationConfig: ...
    async def archive(self, config_id: str, *, idempotency_key: str | None = None) -> models.DonationConfig: ...
    def list(
        self,
        *,
        charity: str | None = None,
        is_active: bool | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.DonationConfig]: ...
    async def active(self, *, amount: str | Decimal, currency: str) -> models.DonationOffer: ...

class AsyncCustomers:
    def __init__(self, api: AsyncApi) -> None: ...
    async def create(
        self,
        *,
        email: str | None = None,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.Customer: ...
    async def retrieve(self, customer_id: str) -> models.Customer: ...
    async def update(
        self,
        customer_id: str,
        *,
        email: str | Unchanged | None = ...,
        name: str | Unchanged | None = ...,
        metadata: Mapping[str, str] | Unchanged = ...,
    ) -> models.Customer: ...
    async def delete(self, customer_id: str) -> models.DeletedObject: ...
    def list(
        self,
        *,
        email: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.Customer]: ...
    async def create_portal_session(
        self, customer_id: str, *, return_url: str, idempotency_key: str | None = None
    ) -> models.PortalSession: ...

class AsyncPlans:
    def __init__(self, api: AsyncApi) -> None: ...
    async def create(
        self,
        *,
        name: str,
        amount: str | Decimal,
        currency: str,
        interval: str,
        interval_count: int | None = None,
        trial_days: int | None = None,
        grace_days: int | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.Plan: ...
    async def retrieve(self, plan_id: str) -> models.Plan: ...
    async def archive(self, plan_id: str, *, idempotency_key: str | None = None) -> models.Plan: ...
    def list(
        self,
        *,
        is_active: bool | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.Plan]: ...

class AsyncSubscriptions:
    def __init__(self, api: AsyncApi) -> None: ...
    async def retrieve(self, subscription_id: str) -> models.Subscription: ...
    def list(
        self,
        *,
        customer: str | None = None,
        plan: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.Subscription]: ...
    async def pause(self, subscription_id: str, *, idempotency_key: str | None = None) -> models.Subscription: ...
    async def resume(self, subscription_id: str, *, idempotency_key: str | None = None) -> models.Subscription: ...
    async def cancel(
        self, subscription_id: str, *, at_period_end: bool | None = None, idempotency_key: str | None = None
    ) -> models.Subscription: ...

class AsyncSessions:
    def __init__(self, api: AsyncApi) -> None: ...
    async def create(
        self,
        *,
        amount: str | Decimal | None = None,
        currency: str | None = None,
        reference: str,
        success_url: str,
        cancel_url: str | None = None,
        customer_email: str | None = None,
        customer_country: str | None = None,
        locale: str | None = None,
        line_items: Iterable[models.LineItem | Mapping[str, object]] = (),
        methods: Iterable[str] | None = None,
        expires_in: int | None = None,
        mode: str | None = None,
        plan: str | None = None,
        customer: str | None = None,
        capture_method: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.CheckoutSession: ...
    async def retrieve(self, session_id: str) -> models.CheckoutSession: ...
    def list(
        self,
        *,
        status: str | None = None,
        reference: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.CheckoutSession]: ...
    async def expire(self, session_id: str, *, idempotency_key: str | None = None) -> models.CheckoutSession: ...
    async def wait(
        self,
        session_id: str,
        *,
        until: Callable[[models.CheckoutSession], bool] | None = None,
        timeout_s: float = 60,
        poll_s: float = 1,
    ) -> models.CheckoutSession: ...

class AsyncCheckout:
    sessions: AsyncSessions
    def __init__(self, api: AsyncApi) -> None: ...

class AsyncPayments:
    def __init__(self, api: AsyncApi) -> None: ...
    async def retrieve(self, payment_id: str) -> models.Payment: ...
    async def capture(
        self,
        payment_id: str,
        *,
        amount: str | Decimal | None = None,
        final_capture: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.Payment: ...
    async def cancel(self, payment_id: str, *, idempotency_key: str | None = None) -> models.Payment: ...
    def list(
        self,
        *,
        status: str | None = None,
        reference: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.Payment]: ...

class AsyncRefunds:
    def __init__(self, api: AsyncApi) -> None: ...
    async def create(
        self,
        *,
        payment: str,
        amount: str | Decimal | None = None,
        currency: str | None = None,
        source: str | None = None,
        destination: str | None = None,
        donation: str | None = None,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.Refund: ...
    async def retrieve(self, refund_id: str) -> models.Refund: ...
    def list(
        self,
        *,
        payment: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.Refund]: ...
    async def transfer(self, refund_id: str, *, payer: str | None = None) -> models.RefundTransfer: ...
    async def submit(self, refund_id: str, payload: str, *, idempotency_key: str | None = None) -> models.Refund: ...
    async def cancel(self, refund_id: str, *, idempotency_key: str | None = None) -> models.Refund: ...

class AsyncDisputes:
    def __init__(self, api: AsyncApi) -> None: ...
    async def retrieve(self, dispute_id: str) -> models.Dispute: ...
    def list(
        self,
        *,
        payment: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.Dispute]: ...

class AsyncPayouts:
    def __init__(self, api: AsyncApi) -> None: ...
    async def retrieve(self, payout_id: str) -> models.Payout: ...
    def list(
        self, *, limit: int | None = None, starting_after: str | None = None, ending_before: str | None = None
    ) -> AsyncPages[models.Payout]: ...
    async def settlement(self, payout_id: str) -> models.Settlement: ...

class AsyncEvents:
    def __init__(self, api: AsyncApi) -> None: ...
    async def retrieve(self, event_id: str) -> models.Event: ...
    def list(
        self,
        *,
        types: Iterable[str] | None = None,
        after: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.Event]: ...

class AsyncDeliveries:
    def __init__(self, api: AsyncApi) -> None: ...
    def list(
        self,
        endpoint_id: str,
        *,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.Delivery]: ...

class AsyncWebhookEndpoints:
    deliveries: AsyncDeliveries
    def __init__(self, api: AsyncApi) -> None: ...
    async def create(
        self,
        *,
        url: str,
        enabled_events: Iterable[str] | None = None,
        description: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.WebhookEndpoint: ...
    async def retrieve(self, endpoint_id: str) -> models.WebhookEndpoint: ...
    async def update(
        self,
        endpoint_id: str,
        *,
        url: str | None = None,
        enabled_events: Iterable[str] | None = None,
        description: str | None = None,
        status: str | None = None,
    ) -> models.WebhookEndpoint: ...
    async def delete(self, endpoint_id: str) -> models.DeletedObject: ...
    def list(
        self, *, limit: int | None = None, starting_after: str | None = None, ending_before: str | None = None
    ) -> AsyncPages[models.WebhookEndpoint]: ...
    async def rotate_secret(
        self, endpoint_id: str, *, grace_s: int | None = None, idempotency_key: str | None = None
    ) -> models.WebhookEndpoint: ...
    async def test(self, endpoint_id: str, *, idempotency_key: str | None = None) -> models.Event: ...
    async def resend(self, endpoint_id: str, *, event: str, idempotency_key: str | None = None) -> models.Event: ...

class AsyncAccountResource:
    def __init__(self, api: AsyncApi) -> None: ...
    async def retrieve(self) -> models.Account: ...

class AsyncBalances:
    def __init__(self, api: AsyncApi) -> None: ...
    def list(self) -> AsyncPages[models.Balance]: ...

class AsyncLedgerEntries:
    def __init__(self, api: AsyncApi) -> None: ...
    def list(
        self,
        *,
        payment: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.LedgerEntry]: ...

class AsyncRates:
    def __init__(self, api: AsyncApi) -> None: ...
    async def retrieve(self, *, base: str, quote: str) -> models.Rate: ...

class AsyncQuotes:
    def __init__(self, api: AsyncApi) -> None: ...
    async def create(
        self, *, amount: str | Decimal, currency: str, method: str, idempotency_key: str | None = None
    ) -> models.Quote: ...

class AsyncMethods:
    def __init__(self, api: AsyncApi) -> None: ...
    def list(
        self, *, amount: str | Decimal | None = None, currency: str | None = None
    ) -> AsyncPages[models.PaymentMethod]: ...

class AsyncChainTransfers:
    def __init__(self, api: AsyncApi) -> None: ...
    def list(
        self,
        *,
        status: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> AsyncPages[models.ChainTransfer]: ...
    async def match(
        self, transfer_id: str, *, payment: str, idempotency_key: str | None = None
    ) -> models.ChainTransfer: ...

class AsyncSurface:
    checkout: AsyncCheckout
    payments: AsyncPayments
    refunds: AsyncRefunds
    disputes: AsyncDisputes
    payouts: AsyncPayouts
    customers: AsyncCustomers
    plans: AsyncPlans
    subscriptions: AsyncSubscriptions
    charities: AsyncCharities
    donations: AsyncDonations
    donation_configs: AsyncDonationConfigs
    events: AsyncEvents
    webhook_endpoints: AsyncWebhookEndpoints
    account: AsyncAccountResource
    balances: AsyncBalances
    ledger_entries: AsyncLedgerEntries
    rates: AsyncRates
    quotes: AsyncQuotes
    methods: AsyncMethods
    chain_transfers: AsyncChainTransfers
    api_keys: AsyncApiKeys
    test_clock: AsyncGatewayClock
    def __init__(self, api: AsyncApi) -> None: ...
