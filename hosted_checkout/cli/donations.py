"""The commands `streampay-server donations`: what charities are owed, receipts, and what donors ask for."""

import argparse
import csv
import json
import sys
from pathlib import Path

from donation_widget import Scribe
from gateway.domain.ageing import EDGES
from gateway.engine.donations.receipts import statement_object
from gateway.engine.idempotency import Intent
from gateway.engine.records import Owner
from gateway.reporting.donations import CSV_HEAD, DonationReports
from gateway.settings import Settings
from hosted_checkout.cli.house import (
    FAILED,
    OK,
    Readable,
    RefusedError,
    add,
    complain,
    is_found,
    opened,
    owner_of,
    the_merchant,
)


def donations_owed(options: argparse.Namespace, settings: Settings) -> int:
    """List what charities have been owed for long."""
    with opened(settings) as house:
        reports = DonationReports(house.db, house.engine.core.journal)
        days, merchant = options.older_than_days, the_merchant(house)
        found = reports.overdue(house.clock.now(), older_than_days=days, merchant_id=merchant.id)
    for one in found:
        print(f"{one.charity_id}  {'live' if one.livemode else 'test'}  {one.amount}  {one.charity_name}")
    print(f"{len(found)} debts older than {days} days" if found else "no charity waits", file=sys.stderr)
    return FAILED if found else OK


def donations_report(options: argparse.Namespace, settings: Settings) -> int:
    """Write every gift of a charity or a campaign as CSV."""
    with opened(settings) as house:
        merchant = the_merchant(house)
        owners = [Owner(merchant_id=merchant.id, livemode=mode) for mode in (True, False)]
        is_charity = options.subject.startswith("cha_")
        verbs: Readable = house.engine.charities if is_charity else house.engine.campaigns
        if not any(is_found(verbs, owner, options.subject) for owner in owners):
            return complain("There is no such charity or campaign; the API lists them.", FAILED)
        name = "charity_id" if is_charity else "campaign_id"
        table = csv.writer(sys.stdout)
        table.writerow(CSV_HEAD)
        table.writerows(DonationReports(house.db, house.engine.core.journal).rows(**{name: options.subject}))
    return OK


def donations_resend(options: argparse.Namespace, settings: Settings) -> int:
    """Send the receipt of a donation once more."""
    with opened(settings) as house:
        intent = Intent(owner=owner_of(house, options), route="donations resend", key=None, request_hash="")
        receipt = json.loads(house.engine.receipts.resend(intent, options.donation, email=options.email).body)
        print(f"{receipt['receipt']} waits to be sent")
        if not house.engine.mailroom.is_open:
            raise RefusedError("No mail goes out: set STREAMPAY_SMTP_URL and STREAMPAY_MAIL_FROM within three days.")
    return OK


def donations_statement(options: argparse.Namespace, settings: Settings) -> int:
    """Print what somebody gave to a charity in a year, as JSON or as PDF."""
    with opened(settings) as house:
        owner = owner_of(house, options)
        view = house.engine.receipts.statement_of(owner, options.charity, options.email, options.year)
    if options.pdf is None:
        print(json.dumps(statement_object(view), indent=2, ensure_ascii=False))
    else:
        options.pdf.write_bytes(Scribe().statement_pdf(view, options.locale))
        print(options.pdf)
    return OK


def donations_erase(options: argparse.Namespace, settings: Settings) -> int:
    """Forget the person behind an address, and end what they promised; gifts and books stay."""
    with opened(settings) as house:
        found = house.engine.donors.erase(owner_of(house, options), options.email)
        print(f"{found['donations']} donations are nameless now, {found['pledges']} promises ended")
    return OK


def add_donations(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the group."""
    add(commands, "owed", donations_owed).add_argument(
        "--older-than-days", type=int, choices=(0, *EDGES), default=EDGES[0], help="how long (default 30)"
    )
    add(commands, "report", donations_report).add_argument("subject", help="a charity (cha_…) or campaign (cmp_…)")
    resend = add(commands, "resend", donations_resend)
    resend.add_argument("donation", help="don_… as `GET /v1/donations` lists it")
    resend.add_argument("--email", help="another address than the donor left")
    statement = add(commands, "statement", donations_statement)
    statement.add_argument("charity", help="cha_… as `GET /v1/charities` lists it")
    statement.add_argument("email", help="the donor's address")
    statement.add_argument("year", type=int)
    statement.add_argument("--pdf", type=Path, metavar="FILE", help="write a PDF instead of JSON")
    statement.add_argument("--locale", help="the PDF's language: en, de or ar")
    erase = add(commands, "erase", donations_erase)
    erase.add_argument("email", help="the donor's address")
    for command in (resend, statement, erase):
        command.add_argument("--test", action="store_true", help="of test money")
