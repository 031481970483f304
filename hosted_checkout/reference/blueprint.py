"""Two pages, each printed at its first visit and kept: nothing on them changes while the process lives."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from flask import Blueprint, Response, render_template

from gateway.kernel.errors import ErrorCode
from hosted_checkout.reference.content import reference_of, rich

_FRESH: Final = "public, max-age=300"  # what a new version says is seen within five minutes


def reference_blueprint(document: Mapping[str, Any], meanings: Mapping[ErrorCode, str]) -> Blueprint:
    """Return the blueprint of `/docs` for an OpenAPI document, and of `/docs/errors` for what each code means."""
    blueprint = Blueprint("reference", __name__)

    @cache
    def printed() -> str:
        return render_template("reference/page.html", reference=reference_of(document))

    @cache
    def printed_errors() -> str:
        told = {code.value: rich(meaning) for code, meaning in meanings.items()}
        return render_template("reference/errors.html", info=document["info"], meanings=told)

    @blueprint.get("/docs")
    def docs() -> Response:
        return _page(printed())

    @blueprint.get("/docs/errors")
    def errors() -> Response:
        return _page(printed_errors())

    return blueprint


def _page(text: str) -> Response:
    return Response(text, mimetype="text/html", headers={"Cache-Control": _FRESH})
