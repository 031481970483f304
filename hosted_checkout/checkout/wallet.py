"""What wallets ask: the page's own script as JSON, and Solana Pay's transfer-building request from any wallet.

A signature that a page posts is a hint. Only the chain says that money arrived.
Solana Pay: https://github.com/solana-foundation/solana-pay-spec (interactive requests).
"""

import json
import re
from typing import Any, Final

from flask import Blueprint, Response, request, url_for
from werkzeug.exceptions import RequestEntityTooLarge

from gateway.engine.page import CheckoutVerbs
from gateway.kernel.errors import ErrorCode, InvalidRequestError, PayloadTooLargeError
from hosted_checkout.i18n import gettext as _
from hosted_checkout.i18n import money_text, use_session_locale

MAX_BODY_BYTES: Final = 8 * 1024  # a Solana message is at most 1,232 bytes
_BASE58: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,90}", re.ASCII)  # 32-byte keys and 64-byte signatures
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{4,4096}={0,2}", re.ASCII)


def add_wallet_routes(blueprint: Blueprint, verbs: CheckoutVerbs) -> None:
    """Add the JSON routes of the page's script, and Solana Pay."""

    @blueprint.post("/pay/<token>/wallet/build")
    def wallet_build(token: str) -> Response:
        fields = _fields()
        payer = _text(fields, "account", _BASE58, ErrorCode.WALLET_ADDRESS_INVALID)
        unsigned = verbs.build_transfer(token, payer, legacy=fields.get("legacy") is True)
        return _json({"payload": unsigned.payload, "chain": unsigned.chain})

    @blueprint.post("/pay/<token>/wallet/submit")
    def wallet_submit(token: str) -> Response:
        payload = _text(_fields(), "payload", _BASE64, ErrorCode.WALLET_PAYLOAD_REFUSED)
        return _json({"signature": verbs.submit_signed(token, payload)})

    @blueprint.post("/pay/<token>/wallet/hint")
    def wallet_hint(token: str) -> Response:
        verbs.hint(token, _text(_fields(), "signature", _BASE58, ErrorCode.WALLET_PAYLOAD_REFUSED))
        return Response(status=204)

    _add_solana_pay(blueprint, verbs)


def _add_solana_pay(blueprint: Blueprint, verbs: CheckoutVerbs) -> None:
    @blueprint.get("/solana/<token>")
    def solana_pay(token: str) -> Response:
        page = verbs.page(token)
        icon = url_for("assets.icon", _external=True)
        return _for_every_origin(_json({"label": page.merchant_name, "icon": icon}))

    @blueprint.post("/solana/<token>")
    def solana_pay_build(token: str) -> Response:
        page = verbs.page(token)
        use_session_locale(page.locale)
        payer = _text(_fields(), "account", _BASE58, ErrorCode.WALLET_ADDRESS_INVALID)
        # Legacy form: older wallets and @solana/pay 0.2 refuse versioned messages.
        unsigned = verbs.build_transfer(token, payer, legacy=True)
        message = _(
            "%(amount)s to %(merchant)s, order %(reference)s",
            amount=money_text(page.amount),
            merchant=page.merchant_name,
            reference=page.reference,
        )
        return _for_every_origin(_json({"transaction": unsigned.payload, "message": message}))

    @blueprint.route("/solana/<token>", methods=["OPTIONS"], provide_automatic_options=False)
    def solana_pay_preflight(token: str) -> Response:
        assert token, "the route has no empty token"
        return _for_every_origin(Response(status=204))

    @blueprint.after_request
    def open_to_wallets(response: Response) -> Response:
        return _for_every_origin(response) if request.path.startswith("/solana/") else response


def _for_every_origin(response: Response) -> Response:
    """Let any wallet's page read the answer; nothing in it depends on who asks."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Allow-Headers"] = "Content-Type"
    response.headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _fields() -> dict[str, Any]:
    """Read a small JSON object.

    Raises:
        InvalidRequestError: `body_not_json`.
        PayloadTooLargeError: more than a wallet ever sends.
    """
    request.max_content_length = MAX_BODY_BYTES
    try:
        fields = request.get_json(silent=True)
    except RequestEntityTooLarge:
        raise PayloadTooLargeError(ErrorCode.BODY_TOO_LARGE, "A wallet's request is never this large.") from None
    if not isinstance(fields, dict):
        raise InvalidRequestError(ErrorCode.BODY_NOT_JSON, "Send a JSON object.")
    return fields


def _text(fields: dict[str, Any], name: str, form: re.Pattern[str], code: ErrorCode) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise InvalidRequestError(code, f"`{name}` is missing or malformed.", param=f"/{name}")
    return value


def _json(body: dict[str, object]) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), mimetype="application/json")
