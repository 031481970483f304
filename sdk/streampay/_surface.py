"""All resources, by the names under which both clients have them. A new resource is a line here."""

from __future__ import annotations

from streampay import _admin as admin
from streampay import _donations as donations
from streampay import _memberships as memberships
from streampay import _resources as resources
from streampay._api import Api


class Surface:
    """What a client offers."""

    def __init__(self, api: Api) -> None:
        self.checkout = resources.Checkout(api)
        self.payments = resources.Payments(api)
        self.refunds = resources.Refunds(api)
        self.disputes = resources.Disputes(api)
        self.payouts = resources.Payouts(api)
        self.customers = memberships.Customers(api)
        self.plans = memberships.Plans(api)
        self.subscriptions = memberships.Subscriptions(api)
        self.charities = donations.Charities(api)
        self.donations = donations.Donations(api)
        self.donation_configs = donations.DonationConfigs(api)
        self.events = resources.Events(api)
        self.webhook_endpoints = resources.WebhookEndpoints(api)
        self.account = resources.AccountResource(api)
        self.balances = resources.Balances(api)
        self.ledger_entries = resources.LedgerEntries(api)
        self.rates = resources.Rates(api)
        self.quotes = resources.Quotes(api)
        self.methods = resources.Methods(api)
        self.chain_transfers = resources.ChainTransfers(api)
        self.api_keys = admin.ApiKeys(api)
        self.test_clock = admin.GatewayClock(api)
