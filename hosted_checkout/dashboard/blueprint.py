"""The routes of the dashboard. A view parses, asks the engine or a report, renders; staff only."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from gateway.domain.donations import CommentStatus
from gateway.engine.engine import Engine
from gateway.engine.idempotency import Intent
from gateway.engine.paging import PageRequest
from gateway.kernel.clock import Clock
from gateway.kernel.errors import GatewayError
from gateway.kernel.ids import is_id
from gateway.reporting.donations import CSV_HEAD, DonationReports
from hosted_checkout.dashboard.charts import Point
from hosted_checkout.dashboard.presentation import (
    COMMENTS,
    SPANS,
    age_heads,
    attempt_rows,
    campaign_rows,
    campaign_view,
    comment_rows,
    debt_rows,
    every_day,
    span_named,
)
from hosted_checkout.dashboard.visits import add_visit_routes, owner, render

PAGE_SIZE = 50
BLOCKED_SHOWN = 500


def dashboard_blueprint(engine: Engine, reports: DonationReports, *, clock: Clock, is_secure: bool) -> Blueprint:
    """Return every route of the door, under `/dashboard`.

    Args:
        engine: the verbs.
        reports: what they cannot say.
        clock: the gateway's.
        is_secure: the gateway is reached by HTTPS alone.
    """
    blueprint = Blueprint("dashboard", __name__, url_prefix="/dashboard")
    add_visit_routes(blueprint, engine.staff, is_secure=is_secure)
    _add_lists(blueprint, engine, reports, clock)
    _add_campaign(blueprint, engine, reports, clock)
    _add_comments(blueprint, engine)
    blueprint.register_error_handler(GatewayError, _answer_error)
    return blueprint


def _add_lists(blueprint: Blueprint, engine: Engine, reports: DonationReports, clock: Clock) -> None:
    @blueprint.get("")
    def home() -> AnyResponse:
        return redirect(url_for("dashboard.donations"), HTTPStatus.SEE_OTHER)

    @blueprint.get("/donations")
    def donations() -> AnyResponse:
        after = request.args.get("after")
        asked = PageRequest(limit=PAGE_SIZE, starting_after=after if after and is_id(after, "cmp") else None)
        page = engine.campaigns.page(owner(), asked, charity_id=None, is_open=None)
        sums = reports.campaigns(owner().merchant_id, livemode=owner().livemode)
        debts = reports.overdue(clock.now(), older_than_days=0, merchant_id=owner().merchant_id)
        return render(
            "donations.html",
            campaigns=campaign_rows(page.data, sums, _charities(engine, page.data)),
            after=page.data[-1]["id"] if page.has_more else None,
            debts=debt_rows([one for one in debts if one.livemode == owner().livemode]),
            ages=age_heads(),
            waiting=engine.comments.waiting(owner()),
        )

    @blueprint.get("/donations/blocked")
    def blocked() -> AnyResponse:
        attempts = engine.guard.blocked(owner(), limit=BLOCKED_SHOWN)
        titles = _titles(engine, {one["campaign_id"] for one in attempts})
        return render("blocked.html", attempts=attempt_rows(attempts, titles), most=BLOCKED_SHOWN)


def _add_campaign(blueprint: Blueprint, engine: Engine, reports: DonationReports, clock: Clock) -> None:
    @blueprint.get("/donations/<campaign_id>")
    def campaign(campaign_id: str) -> AnyResponse:
        shown = engine.campaigns.retrieve(owner(), campaign_id)
        span, today = span_named(request.args.get("span")), clock.now().date()
        first = today - timedelta(days=span.days - 1)
        points = {
            one.day: Point(label=one.day.isoformat(), count=one.count, received=one.received, reversed_=one.reversed_)
            for one in engine.campaigns.by_day(owner(), campaign_id, first, today)
        }
        whole = reports.campaign(campaign_id).whole
        return render(
            "campaign.html",
            view=campaign_view(
                shown,
                engine.charities.retrieve(owner(), shown["charity"])["name"],
                whole,
                span,
                every_day(points, first, today, shown["currency"]),
            ),
            spans=SPANS,
        )

    @blueprint.get("/donations/<campaign_id>.csv")
    def campaign_csv(campaign_id: str) -> AnyResponse:
        engine.campaigns.retrieve(owner(), campaign_id)
        response = Response(_csv_lines(reports.rows(campaign_id=campaign_id)), mimetype="text/csv")
        response.headers["Content-Disposition"] = f'attachment; filename="{campaign_id}.csv"'
        return response


def _add_comments(blueprint: Blueprint, engine: Engine) -> None:
    @blueprint.get("/donations/comments")
    def comments() -> AnyResponse:
        status, after = _comment_status(request.args.get("status")), request.args.get("after")
        asked = PageRequest(limit=PAGE_SIZE, starting_after=after if after and is_id(after, "don") else None)
        page = engine.comments.page(owner(), asked, status=status)
        return render(
            "comments.html",
            comments=comment_rows(page.data, _titles(engine, {one["campaign"] for one in page.data})),
            after=page.data[-1]["id"] if page.has_more else None,
            standing=status,
            statuses=COMMENTS,
        )

    @blueprint.post("/donations/comments/<donation_id>")
    def moderate(donation_id: str) -> AnyResponse:
        status = CommentStatus.SHOWN if request.form.get("status") == "shown" else CommentStatus.HIDDEN
        intent = Intent(owner=owner(), route="dashboard comments", key=None, request_hash="")
        engine.comments.moderate(intent, donation_id, status)
        seen = _comment_status(request.args.get("status"))
        return redirect(url_for("dashboard.comments", status=seen.value), HTTPStatus.SEE_OTHER)


def _comment_status(name: str | None) -> CommentStatus:
    """Return the status of this name; those that wait for any other."""
    return next((one for one in COMMENTS if one.value == name), CommentStatus.PENDING)


def _csv_lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in (CSV_HEAD, *rows):
        line = io.StringIO()
        csv.writer(line).writerow(row)
        yield line.getvalue()


def _titles(engine: Engine, campaign_ids: Iterable[str]) -> dict[str, str]:
    return {one: engine.campaigns.retrieve(owner(), one)["title"] for one in campaign_ids}


def _charities(engine: Engine, campaigns: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    return {one: engine.charities.retrieve(owner(), one)["name"] for one in {row["charity"] for row in campaigns}}


def _answer_error(error: GatewayError) -> AnyResponse:
    return render("gone.html", status=HTTPStatus(error.status))
