"""The test exchange as a Flask blueprint: four sources under their prefixes, and `/exchange/control` for faults."""

from collections.abc import Callable, Iterator

from flask import Blueprint, Flask, Response, jsonify, request

from sandbox.exchange import formats
from sandbox.exchange.control import ControlError, apply, describe
from sandbox.exchange.market import SOURCES, Fault, FaultKind, Market

_DRIP_PAUSE_S = 0.05


def create_app(market: Market | None = None) -> Flask:
    """Return the test exchange as an application of its own, with its control at `/control` as well."""
    app = Flask(__name__)
    exchange = market or Market()
    app.register_blueprint(exchange_blueprint(exchange))
    app.add_url_rule("/control", "control", lambda: _control(exchange), methods=["GET", "POST"])
    return app


def exchange_blueprint(market: Market) -> Blueprint:
    """Return the blueprint: `/kraken`, `/coinbase`, `/bitstamp`, `/ecb` and `/exchange/control`."""
    blueprint = Blueprint("exchange", __name__)

    def view(rule: str, name: str, answer: Callable[..., Response]) -> None:
        blueprint.add_url_rule(rule, name, lambda **path: _broken(market, name) or answer(market, **path))

    view("/kraken/0/public/Ticker", "kraken", _kraken)
    view("/coinbase/products/<product>/ticker", "coinbase", _coinbase)
    view("/bitstamp/api/v2/ticker/<name>/", "bitstamp", _bitstamp)
    view("/ecb/stats/eurofxref/eurofxref-daily.xml", "ecb", _ecb)
    blueprint.add_url_rule("/exchange/control", "control", lambda: _control(market), methods=["GET", "POST"])
    return blueprint


def addresses(base_url: str) -> dict[str, str]:
    """Return each source's address below the exchange's own, as the gateway's `all_sources` takes them."""
    return {name: f"{base_url.rstrip('/')}/{name}" for name in SOURCES}


def _kraken(market: Market) -> Response:
    names = [name for name in request.args.get("pair", "").split(",") if name]
    return jsonify(formats.kraken_ticker(market, [] if _is_missing(market, "kraken") else names))


def _coinbase(market: Market, product: str) -> Response:
    if product not in formats.COINBASE_MARKETS or _is_missing(market, "coinbase"):
        return _with_status(jsonify({"message": "NotFound"}), 404)
    return jsonify(formats.coinbase_ticker(market, product))


def _bitstamp(market: Market, name: str) -> Response:
    if name not in formats.BITSTAMP_MARKETS or _is_missing(market, "bitstamp"):
        return Response("<html><title>Page not found</title></html>", status=404)
    return jsonify(formats.bitstamp_ticker(market, name))


def _ecb(market: Market) -> Response:
    return Response(formats.ecb_table(market), mimetype="text/xml")


def _control(market: Market) -> Response:
    if request.method == "POST":
        try:
            apply(market, request.get_json(force=True, silent=True))
        except ControlError as error:
            return _with_status(jsonify({"error": str(error)}), 400)
    return jsonify(describe(market))


def _is_missing(market: Market, source: str) -> bool:
    fault = market.fault(source)
    return fault is not None and fault.kind is FaultKind.MISSING


def _broken(market: Market, source: str) -> Response | None:
    """Return the answer of a source that is down, hanging or talking nonsense."""
    fault = market.fault(source)
    if fault is None:
        return None
    match fault.kind:
        case FaultKind.STATUS:
            return Response("<html>upstream error</html>", status=fault.status)
        case FaultKind.BODY:
            return Response(fault.body, mimetype="application/json")
        case FaultKind.HANG:
            market.stopping.wait(fault.seconds)
            return Response(status=504)
        case FaultKind.DRIP:
            return Response(_drip(market, fault), mimetype="application/json")
        case FaultKind.SKEW | FaultKind.AGE | FaultKind.MISSING:
            return None


def _drip(market: Market, fault: Fault) -> Iterator[bytes]:
    """Send a space now and then: enough to keep a reader's time-out from ever passing."""
    for _ in range(int(fault.seconds / _DRIP_PAUSE_S)):
        if market.stopping.wait(_DRIP_PAUSE_S):
            return
        yield b" "


def _with_status(response: Response, status: int) -> Response:
    response.status_code = status
    return response
