"""The Flask app: doors hung into the house. No view stands here."""

from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Flask

from donation_widget import CATALOGUES, STATIC, Door, FormTokens, donation_blueprint, receipts_blueprint
from gateway.kernel.ids import RandomIds
from gateway.reporting.donations import DonationReports
from gateway.settings import Settings, secret_keys
from gateway.storage.migrate import current_revision, newest_revision
from gateway.wiring import House
from hosted_checkout.access import install_access_log
from hosted_checkout.api import create_api
from hosted_checkout.api.blueprint import ROUTES
from hosted_checkout.api.limits import Limit, Limits
from hosted_checkout.api.meanings import MEANINGS
from hosted_checkout.api.openapi import document
from hosted_checkout.assets import assets_blueprint
from hosted_checkout.checkout.blueprint import checkout_blueprint
from hosted_checkout.checkout.rendering import SandboxWallet
from hosted_checkout.compression import install_compression
from hosted_checkout.dashboard import dashboard_blueprint
from hosted_checkout.i18n import install_i18n
from hosted_checkout.inbound import inbound_blueprint
from hosted_checkout.reference import reference_blueprint
from hosted_checkout.security import install_security

MAX_BODY_BYTES: Final = 256 * 1024  # of a view that names no limit of its own; most do, and take less

STRIPE_PAGES: Final = "https://checkout.stripe.com"


def create_app(house: House) -> Flask:
    """Return the app of a connected house."""
    settings = house.settings
    app = Flask(__name__, static_folder=None)  # assets have a door of their own
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    install_access_log(app)
    sandbox = None
    if settings.sandbox:
        assert settings.sandbox_chain_url is not None, "settings refuse a sandbox without a chain"
        assert settings.sandbox_wallet_script is not None, "settings refuse a sandbox without a wallet"
        sandbox = SandboxWallet(
            script=settings.sandbox_wallet_script,
            rpc_url=settings.sandbox_chain_url,
            mints={token.code: token.mint for token in settings.solana_test_tokens or ()},
        )
    form_action = provider_origins(settings)
    install_security(
        app,
        sandbox_wallet=sandbox is not None,
        sandbox_rpc_origin=None if sandbox is None else _origin(sandbox.rpc_url),
        form_action=form_action,
    )
    install_i18n(app, CATALOGUES)
    install_compression(app)
    app.register_blueprint(assets_blueprint(STATIC))
    app.register_blueprint(
        checkout_blueprint(house.engine.checkout, clock=house.clock, sandbox_wallet=sandbox, form_action=form_action)
    )
    for door in (_donation_door, _receipts_door, _dashboard_door):
        app.register_blueprint(door(house))
    app.register_blueprint(inbound_blueprint(house.engine.inbound))
    app.register_blueprint(reference_blueprint(document(ROUTES, base_url=house.engine.core.base_url), MEANINGS))
    app.register_blueprint(
        create_api(
            house.engine,
            clock=house.clock,
            ids=RandomIds(house.clock),
            limits=_limits(settings),
            checks={"database": lambda: is_current(house)},
        )
    )
    return app


def _donation_door(house: House) -> Blueprint:
    engine, settings = house.engine, house.settings
    door = Door(
        showing=engine.showing,
        giving=engine.giving,
        pledges=engine.pledges,
        guard=engine.guard,
        tokens=FormTokens(secret_keys(settings), house.clock),
        clock=house.clock,
        proxies=settings.trusted_proxies,
    )
    return donation_blueprint(door, base_url=settings.base_url)


def _receipts_door(house: House) -> Blueprint:
    return receipts_blueprint(house.engine.receipts, house.engine.pledges, house.engine.stopping)


def _dashboard_door(house: House) -> Blueprint:
    reports = DonationReports(house.db, house.engine.core.journal)
    is_secure = house.settings.base_url.startswith("https://")
    return dashboard_blueprint(house.engine, reports, clock=house.clock, is_secure=is_secure)


def _limits(settings: Settings) -> Limits:
    reads = Limit(quota=settings.api_reads_per_minute, window_s=60)
    writes = Limit(quota=settings.api_writes_per_minute, window_s=60)
    return Limits(read=reads, write=writes, test=writes)


def provider_origins(settings: Settings) -> tuple[str, ...]:
    """Return where providers have their payment pages, to which a form of ours may lead."""
    origins = []
    if settings.stripe_test_base_url is not None:
        origins.append(_origin(settings.stripe_test_base_url))
    if settings.stripe_live_key is not None or (settings.stripe_test_key is not None and not origins):
        origins.append(STRIPE_PAGES)
    return tuple(origins)


def is_current(house: House) -> bool:
    """Tell whether the database answers and has the schema of this version."""
    return current_revision(house.db) == newest_revision()


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
