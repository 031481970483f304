"""The bank as a WSGI application: the API under `/v1`, control under `/_sandbox`, and the pages when they are there."""

from typing import Final

from flask import Blueprint, Flask, Response, jsonify, request

from sandbox.test_bank import control, pages
from sandbox.test_bank.bank import Bank
from sandbox.test_bank.door import Door, Reply, Request
from sandbox.test_bank.errors import ApiError, not_emulated
from sandbox.test_bank.portal_desk import PortalDesk

DROPPED: Final = "test_bank.is_dropped"
"""Set in the WSGI environment where the server shall end the connection without an answer."""
MAX_BODY_BYTES: Final = 1_000_000
_METHODS: Final = ("GET", "POST", "DELETE", "PUT", "PATCH")


def create_app(bank: Bank) -> Flask:
    """Return the bank as an application of its own."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.register_blueprint(api_blueprint(bank))
    portal = PortalDesk(bank)
    app.register_blueprint(
        pages.build(bank, command=lambda path, body: control.command(bank, path, body), portal=portal)
    )
    return app


def api_blueprint(bank: Bank) -> Blueprint:
    """Return `/v1` and `/_sandbox`, to be mounted in this application or in one that serves more."""
    blueprint = Blueprint("test_bank_api", __name__)
    door = Door(bank)

    def call(rest: str) -> Response:
        return _response(door.answer(_request(f"/v1/{rest}")))

    def command(rest: str) -> Response:
        try:
            return jsonify(control.command(bank, rest, request.get_json(force=True, silent=True)))
        except ApiError as error:
            return _with_status(jsonify(error.body("req_sandbox")), error.status)

    blueprint.add_url_rule("/v1/<path:rest>", "call", call, methods=_METHODS)
    blueprint.add_url_rule("/v2/<path:rest>", "call_v2", lambda rest: _unknown(f"/v2/{rest}"), methods=_METHODS)
    blueprint.add_url_rule("/_sandbox", "state", lambda: jsonify(control.describe(bank)))
    blueprint.add_url_rule("/_sandbox/<path:rest>", "command", command, methods=["POST"])
    return blueprint


def _request(path: str) -> Request:
    return Request(
        method=request.method,
        path=path,
        query=request.query_string.decode("ascii", "replace"),
        body=request.get_data(cache=False),
        headers={name.lower(): value for name, value in request.headers.items()},
        base_url=request.host_url.rstrip("/"),
    )


def _response(reply: Reply) -> Response:
    if reply.is_dropped:
        request.environ[DROPPED] = True
    return Response(reply.body, status=reply.status, headers=reply.headers, content_type="application/json")


def _unknown(path: str) -> Response:
    error = not_emulated(path[:200])
    return _with_status(jsonify(error.body("req_sandbox")), error.status)


def _with_status(response: Response, status: int) -> Response:
    response.status_code = status
    return response
