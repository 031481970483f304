"""The test mode's own pages: every state of the checkout page to look at, and the browser test wallet's script."""

from flask import Blueprint, Response, abort, make_response, render_template, request, url_for

from gateway.kernel.clock import Clock
from hosted_checkout.assets import read_asset
from hosted_checkout.checkout.presentation import view_of
from hosted_checkout.checkout.rendering import SandboxWallet, page_language, render_page
from hosted_checkout.checkout.samples import SAMPLE_NAMES, sample
from hosted_checkout.theme import theme_name


def add_gallery_routes(blueprint: Blueprint, clock: Clock, sandbox_wallet: SandboxWallet) -> None:
    """Add `/dev/states`, each state under it, and `/sandbox/wallet.js`; called in test mode on a local chain only."""
    script = read_asset(sandbox_wallet.script)

    @blueprint.get("/sandbox/wallet.js")
    def sandbox_wallet_script() -> Response:
        return script.response("no-cache")

    @blueprint.get("/dev/states")
    def states() -> Response:
        return make_response(
            render_template(
                "checkout/gallery.html",
                names=SAMPLE_NAMES,
                theme_url=url_for("checkout.theme", name=theme_name(None)),
                **page_language(),
            )
        )

    @blueprint.get("/dev/states/<name>")
    def state(name: str) -> Response:
        if name not in SAMPLE_NAMES:
            abort(404)
        now = clock.now()
        page, client_state = sample(name, now)
        view = view_of(page, now, request.base_url)
        return render_page(view, sandbox_wallet=sandbox_wallet, client_state=client_state)
