"""The script that charities put into their pages, and the code that they print.

`/embed/v1.js` is the newest of version 1 and may change; `/embed/v1.0.0.js` never does, so a site may pin it by hash
(Subresource Integrity, https://www.w3.org/TR/SRI/).
"""

import base64
import hashlib
import io
from pathlib import Path
from typing import Final

import segno
from flask import Blueprint, Response, abort

from gateway.engine.donations.showing import Showing
from hosted_checkout.assets import read_asset

FOLDER: Final = Path(__file__).parent / "static" / "embed"
NEWEST: Final = "v1.0.0.js"
EVERGREEN: Final = "v1.js"
_FOR_MINUTES: Final = "public, max-age=600"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
QUIET_ZONE: Final = 4  # modules of white around the code, as ISO/IEC 18004 asks


def integrity(name: str = NEWEST) -> str:
    """Return what a page's `integrity` attribute says of a script that never changes."""
    digest = hashlib.sha384((FOLDER / name).read_bytes()).digest()
    return f"sha384-{base64.b64encode(digest).decode()}"


def add_embed_routes(blueprint: Blueprint, showing: Showing, base_url: str) -> None:
    """Add the scripts, and a campaign's code for print."""
    scripts = {path.name: read_asset(path) for path in FOLDER.glob("v*.js")}

    @blueprint.get("/embed/<name>")
    def embed(name: str) -> Response:
        found = scripts.get(NEWEST if name == EVERGREEN else name)
        if found is None:
            abort(404)
        response = found.response(_FOR_MINUTES if name == EVERGREEN else _FOR_EVER)
        # A module is fetched with CORS, and this one is for every site.
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    @blueprint.get("/donate/<campaign_id>/qr.svg")
    def code(campaign_id: str) -> Response:
        campaign = showing.campaign(campaign_id).campaign
        address = f"{base_url}/donate/{campaign.id}"
        buffer = io.BytesIO()
        drawn = segno.make(address, error="m", micro=False)
        drawn.save(buffer, kind="svg", border=QUIET_ZONE, dark="#000", light="#fff", scale=8, title=campaign.title)
        response = Response(buffer.getvalue(), mimetype="image/svg+xml")
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response
