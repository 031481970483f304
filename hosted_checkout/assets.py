"""Static files, read and compressed once at the start, under an address that changes with their content.

`/assets/<version>/<name>`: one version for all folders, so modules and styles find each other by relative paths,
and browsers may keep each file for ever.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flask import Blueprint, Response, abort, url_for

from hosted_checkout.compression import accepts_gzip, compress

FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file, plain and compressed."""

    name: str
    mimetype: str
    plain: bytes
    gzipped: bytes

    def response(self, cache_control: str) -> Response:
        """Return the file in the form that the client takes."""
        gzipped = accepts_gzip()
        response = Response(self.gzipped if gzipped else self.plain, mimetype=self.mimetype)
        response.vary.add("Accept-Encoding")
        response.headers["Cache-Control"] = cache_control
        if gzipped:
            response.headers["Content-Encoding"] = "gzip"
        return response


def read_asset(path: Path) -> Asset:
    """Read one file; its suffix says its type."""
    plain = path.read_bytes()
    return Asset(name=path.name, mimetype=_TYPES[path.suffix], plain=plain, gzipped=compress(plain, level=9))


def read_assets(*folders: Path) -> dict[str, Asset]:
    """Read every file that a page may ask for; no two have one name."""
    paths = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in _TYPES]
    assert len({path.name for path in paths}) == len(paths), "a file's name is its address"
    return {path.name: read_asset(path) for path in paths}


def version_of(assets: dict[str, Asset]) -> str:
    """Return twelve letters that change with any content."""
    digest = hashlib.sha256()
    for name, asset in sorted(assets.items()):
        digest.update(f"{name}\0{len(asset.plain)}\0".encode() + asset.plain)
    return digest.hexdigest()[:12]


def assets_blueprint(*folders: Path) -> Blueprint:
    """Return the blueprint, with the files of other doors' `folders`; templates get `asset_url(name)`."""
    blueprint = Blueprint("assets", __name__)
    assets = read_assets(FOLDER, *folders)
    current = version_of(assets)

    @blueprint.get("/assets/<version>/<name>")
    def asset(version: str, name: str) -> Response:
        found = assets.get(name)
        if found is None or version != current:
            abort(404)
        return found.response(_FOR_EVER)

    @blueprint.get("/icon.svg")
    def icon() -> Response:
        """Wallets keep this address in their history, so it must not change with the content."""
        return assets["icon-idle.svg"].response("public, max-age=86400")

    @blueprint.app_template_global()
    def asset_url(name: str) -> str:
        assert name in assets, f"there is no static file {name}"
        return url_for("assets.asset", version=current, name=name)

    return blueprint
