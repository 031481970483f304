"""What the pages of the dashboard show: texts and shares, made of what the engine and the reports say."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from html import escape
from itertools import pairwise
from typing import Any, Final

from gateway.domain.ageing import EDGES
from gateway.domain.donations import CommentStatus
from gateway.domain.giving_limits import Admission
from gateway.kernel.money import Money, parse_money
from gateway.reporting.donations import Overdue, Sums
from hosted_checkout.dashboard.charts import BarChart, Point, bar_chart
from hosted_checkout.i18n import date_text, date_time_text, money_text

MONTHS_FROM_DAYS: Final = 100  # longer spans are drawn by month
WHOLE: Final = 100  # percent
# What the guard did, in words; a row's kind, or its reason when it was blocked.
_HAPPENED: Final = {
    "declined": "The bank refused the card.",
    Admission.PROOF_NEEDED.value: "Stopped: came under attack without the work that the form asks for.",
    Admission.TOO_OFTEN.value: "Stopped: began too many gifts from one address or e-mail.",
    Admission.PAUSED.value: "Stopped: the campaign was paused for a minute, because cards were being tried.",
}

# Where a comment stands, in the words of who reads them; `docs/widget.md` tells more of the snippet.
COMMENTS: Final = {
    CommentStatus.PENDING: "Waiting",
    CommentStatus.SHOWN: "On the wall",
    CommentStatus.HIDDEN: "Hidden",
    CommentStatus.PRIVATE: "To you alone",
}
_SNIPPET: Final = """\
<script type="module" src="{home}/embed/v1.js"></script>

<streampay-donate campaign="{id}" label="{title}">
  <a href="{url}">{title}</a>
</streampay-donate>"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """How far back a chart looks."""

    name: str
    label: str
    days: int


SPANS: Final = (
    Span(name="30d", label="30 days", days=30),
    Span(name="90d", label="90 days", days=90),
    Span(name="12m", label="12 months", days=365),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRow:
    """A campaign in the list; `percent` of its goal, if it has one."""

    id: str
    title: str
    charity: str
    state: str
    gifts: int
    received: str
    percent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DebtRow:
    """What a charity is owed; `by_age` the youngest first, a text for each step of age."""

    charity: str
    owed: str
    by_age: Sequence[str]
    is_late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """Attempts of one minute that were stopped or refused."""

    at: str
    campaign: str
    happened: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentRow:
    """What a donor wrote; without a `text`, there is only a dedication, or a name that wishes to stand on the wall."""

    id: str
    campaign: str
    amount: str
    at: str
    name: str
    text: str
    tribute: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignView:
    """A campaign's own page.

    Attributes:
        figures: label and text.
        snippet: what a site's page needs to show the form, as HTML to copy.
        origins: the sites whose pages may.
    """

    id: str
    title: str
    charity: str
    url: str
    state: str
    percent: int | None
    figures: Sequence[tuple[str, str]]
    span: Span
    by: str
    chart: BarChart | None
    snippet: str
    origins: Sequence[str]


def span_named(name: str | None) -> Span:
    """Return the span of this name; the shortest for any other."""
    return next((span for span in SPANS if span.name == name), SPANS[0])


def campaign_rows(
    campaigns: Sequence[Mapping[str, Any]], sums: Mapping[str, Sums], charities: Mapping[str, str]
) -> list[CampaignRow]:
    """Return the rows of the list of campaigns."""
    rows = []
    for one in campaigns:
        found = sums.get(one["id"]) or _nothing(one["currency"])
        rows.append(
            CampaignRow(
                id=one["id"],
                title=one["title"],
                charity=charities[one["charity"]],
                state=_state(one),
                gifts=found.count,
                received=money_text(_kept(found)),
                percent=_percent(one, found),
            )
        )
    return rows


def campaign_view(
    campaign: Mapping[str, Any], charity: str, sums: Sums, span: Span, days: Sequence[Point]
) -> CampaignView:
    """Return a campaign's page; `days` are the span's, every one of them."""
    is_long = span.days >= MONTHS_FROM_DAYS
    figures = [
        ("Given", money_text(sums.received)),
        ("Gifts", str(sums.count)),
        ("Gone back", money_text(sums.reversed_)),
        ("Fees covered", money_text(sums.fee_cover)),
    ]
    if campaign["goal"] is not None:
        figures.append(("Goal", money_text(parse_money(campaign["goal"], campaign["currency"]))))
    return CampaignView(
        id=campaign["id"],
        title=campaign["title"],
        charity=charity,
        url=campaign["url"],
        state=_state(campaign),
        percent=_percent(campaign, sums),
        figures=figures,
        span=span,
        by="month" if is_long else "day",
        chart=bar_chart(by_month(days) if is_long else days, money_text),
        snippet=_snippet(campaign),
        origins=campaign["origins"],
    )


def _snippet(campaign: Mapping[str, Any]) -> str:
    home, title = campaign["url"].rpartition("/donate/")[0], escape(campaign["title"])
    return _SNIPPET.format(home=home, id=campaign["id"], title=title, url=campaign["url"])


def every_day(found: Mapping[date, Point], first: date, last: date, code: str) -> list[Point]:
    """Return a point for each day of a span, those without gifts included."""
    zero = Money.zero(code)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    empty = [Point(label=day.isoformat(), count=0, received=zero, reversed_=zero) for day in days]
    return [found.get(day, point) for day, point in zip(days, empty, strict=True)]


def by_month(days: Sequence[Point]) -> list[Point]:
    """Add days up to months, named `2026-11`."""
    months: dict[str, Point] = {}
    for day in days:
        name = day.label[: len("2026-11")]
        known = months.get(name)
        months[name] = Point(
            label=name,
            count=day.count + (known.count if known else 0),
            received=day.received + known.received if known else day.received,
            reversed_=day.reversed_ + known.reversed_ if known else day.reversed_,
        )
    return list(months.values())


def age_heads() -> list[str]:
    """Name the steps of age in `DebtRow.by_age`: each debt is in one of them."""
    between = [f"{first} to {last} days" for first, last in pairwise(EDGES)]
    return [f"Up to {EDGES[0]} days", *between, f"Over {EDGES[-1]} days"]


def debt_rows(debts: Sequence[Overdue]) -> list[DebtRow]:
    """Return what charities are owed, each charity and currency a row."""
    return [
        DebtRow(
            charity=one.charity_name,
            owed=money_text(one.amount),
            by_age=[money_text(Money(bucket.amount, one.amount.currency)) for bucket in one.ages],
            is_late=any(bucket.amount for bucket in one.ages[1:]),
        )
        for one in debts
    ]


def attempt_rows(attempts: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> list[AttemptRow]:
    """Return attempts as staff reads them: those of one minute, campaign and kind are one row."""
    counts = Counter(
        (
            date_time_text(one["occurred_at"]),
            titles[one["campaign_id"]],
            _HAPPENED[one["reason"] if one["kind"] == "blocked" else one["kind"]],
        )
        for one in attempts
    )
    return [
        AttemptRow(at=at, campaign=campaign, happened=happened, count=count)
        for (at, campaign, happened), count in counts.items()
    ]


def comment_rows(comments: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> list[CommentRow]:
    """Return comments as staff reads them, in plain text; a template escapes them."""
    return [
        CommentRow(
            id=one["id"],
            campaign=titles[one["campaign"]],
            amount=money_text(parse_money(one["amount"], one["currency"])),
            at=date_time_text(datetime.fromisoformat(one["received_at"])),
            name=one["name"] or "Somebody without a name",
            text=one["text"] or "",
            tribute=_tribute(one["tribute"]),
        )
        for one in comments
    ]


def _tribute(tribute: Mapping[str, str] | None) -> str:
    if tribute is None:
        return ""
    return f"In {'memory' if tribute['kind'] == 'memory' else 'honour'} of {tribute['name']}"


def _state(campaign: Mapping[str, Any]) -> str:
    if campaign["closed_at"] is not None:
        return "Closed"
    if not campaign["is_open"]:
        return "Ended"
    if campaign["ends_at"] is None:
        return "Open"
    return f"Open until {date_text(datetime.fromisoformat(campaign['ends_at']).astimezone(UTC))}"


def _percent(campaign: Mapping[str, Any], sums: Sums) -> int | None:
    if campaign["goal"] is None:
        return None
    goal = parse_money(campaign["goal"], campaign["currency"])
    return min(_kept(sums).atomic * WHOLE // goal.atomic, WHOLE) if goal else None


def _kept(sums: Sums) -> Money:
    return sums.received - sums.reversed_


def _nothing(code: str) -> Sums:
    zero = Money.zero(code)
    return Sums(count=0, received=zero, reversed_=zero, fee_cover=zero)
