"""All verbs of the house behind one object."""

from gateway.engine.api_keys import ApiKeys
from gateway.engine.attempts import Attempts
from gateway.engine.billing import Billing
from gateway.engine.charges import Charges
from gateway.engine.checkout import Checkout
from gateway.engine.clockwork import Clockwork
from gateway.engine.commands import Commands
from gateway.engine.core import Core
from gateway.engine.customers import Customers
from gateway.engine.disputes import Disputes
from gateway.engine.donations.campaigns import Campaigns
from gateway.engine.donations.charities import Charities
from gateway.engine.donations.comments import Comments
from gateway.engine.donations.configs import DonationConfigs
from gateway.engine.donations.donations import Donations
from gateway.engine.donations.donors import Donors
from gateway.engine.donations.gifts import Gifts
from gateway.engine.donations.giving import Giving
from gateway.engine.donations.guard import Guard
from gateway.engine.donations.mailroom import Mailing, Mailroom
from gateway.engine.donations.payouts import DonationPayouts
from gateway.engine.donations.pledges import Pledges
from gateway.engine.donations.receipts import Receipts
from gateway.engine.donations.showing import Showing
from gateway.engine.donations.stopping import Stopping
from gateway.engine.events import Events
from gateway.engine.expiry import expire_due
from gateway.engine.hosted import Hosted
from gateway.engine.idempotency import prune
from gateway.engine.inbound import Inbound
from gateway.engine.merchants import Merchants
from gateway.engine.observations import Observations
from gateway.engine.payments import Payments
from gateway.engine.payouts import Payouts
from gateway.engine.plans import Plans
from gateway.engine.reading import Reading
from gateway.engine.refund_transfers import RefundTransfers
from gateway.engine.refunds import Refunds
from gateway.engine.sessions import Sessions
from gateway.engine.staff import Staff
from gateway.engine.subscriptions import Subscriptions
from gateway.engine.unmatched import Unmatched
from gateway.engine.wallets import Wallets
from gateway.engine.webhooks import Webhooks
from gateway.outbox.endpoints import Endpoints


class Engine:
    """What doors and workers call; built once by the wiring."""

    def __init__(self, core: Core, endpoints: Endpoints, *, mailing: Mailing | None = None) -> None:
        self.core = core
        self.merchants = Merchants(core)
        self.api_keys = ApiKeys(core, endpoints.box, self.merchants.forget_known)
        self.staff = Staff(core)
        self.clockwork = Clockwork(core)
        self.reading = Reading(core)
        self.commands = Commands(core)
        self.billing = Billing(core, self.reading)
        self.hosted = Hosted(core, self.commands, self.reading)
        self.charges = Charges(core, self.commands, self.reading)
        self.refunds = Refunds(core, self.commands, self.reading)
        self.wallets = Wallets(core)
        self.refund_transfers = RefundTransfers(core, self.wallets)
        self.disputes = Disputes(core)
        self.payouts = Payouts(core, self.reading)
        self.customers = Customers(core)
        self.plans = Plans(core)
        self.subscriptions = Subscriptions(core, self.commands, self.billing)
        self.sessions = Sessions(core, self.hosted)
        self.guard = Guard(core, endpoints.box, self.sessions)
        self.inbound = Inbound(core, self.reading, self.billing, self.guard)
        self.gifts = Gifts(core, self.hosted)
        self.giving = Giving(core)
        self.showing = Showing(core)
        self.receipts = Receipts(core)
        self.pledges = Pledges(core)
        self.stopping = Stopping(core, self.pledges, self.subscriptions)
        self.donors = Donors(core, self.customers, self.stopping)
        self.mailroom = Mailroom(core, mailing)
        self.charities = Charities(core)
        self.campaigns = Campaigns(core)
        self.donation_configs = DonationConfigs(core, self.gifts)
        self.donations = Donations(core)
        self.comments = Comments(core)
        self.donation_payouts = DonationPayouts(core)
        self.payments = Payments(core)
        self.attempts = Attempts(core)
        self.observations = Observations(core)
        self.unmatched = Unmatched(core)
        self.webhooks = Webhooks(core, endpoints)
        self.events = Events(core)
        self.checkout = Checkout(core, self.sessions, self.attempts, self.wallets, self.hosted, self.gifts)

    def sweep(self) -> int:
        """Do everything that time asks for; return how much was done."""
        return self.ask_providers() + self.ask_chains() + self.close_windows()

    def ask_providers(self) -> int:
        """Close and read payment pages, read subscriptions that are due, close commands without an outcome."""
        return self.hosted.sweep() + self.billing.read_due() + self.commands.resolve()

    def ask_chains(self) -> int:
        """Close what wallets signed or sent, or send it again."""
        return self.wallets.reconcile()

    def close_windows(self) -> int:
        """Close the windows of payments that are over, and forget what is old; asks nobody outside."""
        return expire_due(self.core) + prune(self.core) + self.inbound.prune() + self.staff.prune()
