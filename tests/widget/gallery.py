"""The widget's door over samples: the real routes, views and templates; the name in an address says which sample."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from flask import Flask

import hosted_checkout
from donation_widget import CATALOGUES, STATIC, Door, FormTokens, donation_blueprint, receipts_blueprint
from gateway.domain.giving_limits import Admission
from gateway.engine.donations.giving import Giving, NewGift
from gateway.engine.donations.guard import Guard, Proof, Verdict, Visitor
from gateway.engine.donations.pledges import PledgeRecord, Pledges, PledgeView
from gateway.engine.donations.receipts import Receipts, ReceiptView, StatementView
from gateway.engine.donations.records import CampaignRecord
from gateway.engine.donations.showing import CampaignPage, GiftPage, Showing
from gateway.engine.donations.stopping import Stopping
from gateway.engine.records import SessionRecord, not_found
from gateway.kernel.clock import Clock
from gateway.kernel.errors import ErrorCode, TemporaryError
from hosted_checkout.assets import assets_blueprint
from hosted_checkout.checkout import checkout_blueprint
from hosted_checkout.compression import install_compression
from hosted_checkout.i18n import install_i18n
from hosted_checkout.security import install_security
from tests.checkout.house import StatesGallery
from tests.widget.samples import CAMPAIGNS, GIFTS, PLEDGES, RECEIPTS, STATEMENTS

HARDEST: Final = 32  # bits of work: some hours of a browser
_ADMISSIONS: Final = {"attacked": Admission.PROOF_NEEDED, "paused": Admission.PAUSED}


Sample = TypeVar("Sample")


def _found(samples: Mapping[str, Callable[[datetime], Sample]], name: str, clock: Clock) -> Sample:
    if name not in samples:
        raise not_found("sample")
    return samples[name](clock.now())


class SampleShowing(Showing):
    """Shows campaigns and gifts by their names."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def campaign(self, campaign_id: str) -> CampaignPage:
        page = _found(CAMPAIGNS, campaign_id, self._clock)
        # A sample's id is its name, so that its form is sent to where it came from.
        return replace(page, campaign=replace(page.campaign, id=campaign_id))

    def gift(self, campaign_id: str, token: str) -> GiftPage:
        del campaign_id  # a gift's sample brings its own
        return _found(GIFTS, token, self._clock)

    def gift_of_form(self, campaign_id: str, form_id: str) -> None:
        del campaign_id, form_id

    def sent(self, form_id: str) -> None:
        del form_id


class SampleGiving(Giving):
    """Takes no gift."""

    def __init__(self) -> None:
        pass

    def give(self, campaign: CampaignRecord, gift: NewGift) -> SessionRecord:
        raise AssertionError(f"a sample gives nothing: {campaign.id}, {gift.amount}")


class SampleGuard(Guard):
    """Stands where a campaign's name says."""

    def __init__(self) -> None:
        pass

    def admit(self, campaign: CampaignRecord, visitor: Visitor, proof: Proof | None = None) -> Verdict:
        del visitor, proof
        return Verdict(admission=_ADMISSIONS[campaign.id], bits=HARDEST, signal_id="sig_sample")


class SampleReceipts(Receipts):
    """Shows papers by their names."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def by_token(self, token: str) -> ReceiptView:
        return _found(RECEIPTS, token, self._clock)

    def statement(self, token: str, year: int) -> StatementView:
        del year
        return _found(STATEMENTS, token, self._clock)


class SamplePledges(Pledges):
    """Shows promises by their names."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def by_token(self, token: str) -> PledgeView:
        return _found(PLEDGES, token, self._clock)

    def by_link(self, link: str, campaign_id: str) -> PledgeRecord:
        del campaign_id
        return self.by_token(link).pledge


class SampleStopping(Stopping):
    """Cannot stop anything now."""

    def __init__(self) -> None:
        pass

    def stop(self, token: str) -> PledgeView:
        raise TemporaryError(ErrorCode.PROVIDER_UNAVAILABLE, f"The provider of {token} does not answer.")


def a_samples_app(clock: Clock) -> Flask:
    """Build the app as production does, with nothing behind its doors but samples."""
    package = Path(hosted_checkout.__file__).parent
    app = Flask("samples", template_folder=str(package / "templates"), static_folder=None)
    install_i18n(app, CATALOGUES)
    install_compression(app)
    install_security(app, sandbox_wallet=False)
    app.register_blueprint(assets_blueprint(STATIC))
    app.register_blueprint(checkout_blueprint(StatesGallery(clock), clock=clock, sandbox_wallet=None))
    door = Door(
        showing=SampleShowing(clock),
        giving=SampleGiving(),
        guard=SampleGuard(),
        pledges=SamplePledges(clock),
        tokens=FormTokens([b"samples"], clock),
        clock=clock,
        proxies=0,
    )
    app.register_blueprint(donation_blueprint(door, base_url="http://127.0.0.1"))
    app.register_blueprint(receipts_blueprint(SampleReceipts(clock), SamplePledges(clock), SampleStopping()))
    return app
