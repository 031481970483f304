"""The donation widget: a campaign's page and form, framed or alone, the thanks page, the embed script, receipts."""

from pathlib import Path
from typing import Final

from donation_widget.blueprint import Door, donation_blueprint
from donation_widget.receipts import receipts_blueprint
from donation_widget.receipts_mails import Scribe
from donation_widget.tokens import FormTokens

STATIC: Final = Path(__file__).parent / "static"
CATALOGUES: Final = Path(__file__).parent / "translations"

__all__ = ["CATALOGUES", "STATIC", "Door", "FormTokens", "Scribe", "donation_blueprint", "receipts_blueprint"]
