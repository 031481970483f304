"""Papers as PDF: one font for Latin, Greek, Cyrillic and Arabic names, text to search in, the same bytes always.

Scripts that the font lacks show as boxes; the page, which uses the reader's own fonts, shows them all.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from donation_widget.receipts_papers import Paper, Table

if TYPE_CHECKING:
    from fpdf import FPDF

FONT: Final = Path(__file__).parent / "fonts" / "DejaVuSans-subset.ttf"
MARGIN_MM: Final = 20
LABEL_MM: Final = 45
_WIDTHS: Final = (48, 46, 38, 38)
# Marks that steer text on pages; a PDF is laid out already, and the font has no sign for them.
_MARKS: Final = dict.fromkeys(map(ord, "\u200e\u200f\u2066\u2067\u2068\u2069"))
_INK, _SOFT, _ALERT = (21, 23, 28), (85, 91, 102), (165, 33, 26)


def pdf_of(paper: Paper, *, language: str, is_rtl: bool, issued_at: datetime) -> bytes:
    """Return a paper as A4; `issued_at` is the date that the file carries, so that its bytes never change."""
    from fpdf import FPDF  # noqa: PLC0415 - it loads for a while, and most processes print nothing

    pdf = FPDF(format="A4")
    pdf.set_creation_date(issued_at)
    pdf.set_producer("StreamPay")
    pdf.set_title(f"{paper.title} {paper.name}")
    pdf.set_lang(language)
    pdf.set_margins(MARGIN_MM, MARGIN_MM)
    pdf.add_font("house", fname=FONT)
    pdf.set_text_shaping(use_shaping_engine=True)
    pdf.add_page()
    _Sheet(pdf, is_rtl=is_rtl).print(paper)
    return bytes(pdf.output())


class _Sheet:
    """A paper in print."""

    def __init__(self, pdf: "FPDF", *, is_rtl: bool) -> None:
        self._pdf = pdf
        self._is_rtl = is_rtl
        self._align = "R" if is_rtl else "L"

    def print(self, paper: Paper) -> None:
        """Set everything, top to bottom."""
        for place, line in enumerate(paper.issuer):
            self._text(line, size=13 if place == 0 else 9, color=_INK if place == 0 else _SOFT)
        self._pdf.ln(14)
        self._text(paper.title, size=20)
        self._pdf.ln(3)
        for notice in paper.notices:
            self._text(notice, size=11, color=_ALERT)
        self._pdf.ln(3)
        for label, value in paper.rows:
            self._row(label, value)
        if paper.table is not None:
            self._table(paper.table)
        if paper.statement:
            self._pdf.ln(8)
            self._text(paper.statement, size=10)

    def _text(self, text: str, *, size: float, color: tuple[int, int, int] = _INK) -> None:
        self._pen(size, color)
        self._pdf.multi_cell(0, size * 0.55, _printable(text), align=self._align, new_x="LMARGIN", new_y="NEXT")

    def _row(self, label: str, value: str) -> None:
        """Set a name and its value side by side, the name where reading begins."""
        top, width = self._pdf.y, self._pdf.epw
        left, right = self._pdf.l_margin, self._pdf.l_margin + LABEL_MM
        if self._is_rtl:
            left, right = self._pdf.l_margin + width - LABEL_MM, self._pdf.l_margin
        self._cell(left, top, LABEL_MM, label, color=_SOFT)
        ends = self._pdf.y
        self._cell(right, top, width - LABEL_MM, value, color=_INK)
        self._pdf.set_y(max(ends, self._pdf.y) + 1.5)

    def _cell(self, left: float, top: float, width: float, text: str, *, color: tuple[int, int, int]) -> None:
        self._pen(11, color)
        self._pdf.set_xy(left, top)
        self._pdf.multi_cell(width, 6, _printable(text), align=self._align, new_x="LMARGIN", new_y="NEXT")

    def _table(self, table: Table) -> None:
        self._pdf.ln(6)
        self._line(table.heads, color=_SOFT)
        for line in table.lines:
            self._line(line, color=_INK)

    def _line(self, cells: Sequence[str], *, color: tuple[int, int, int]) -> None:
        """Set the cells of a line, the first where reading begins."""
        self._pen(9, color)
        columns = list(zip(cells, _WIDTHS, strict=True))
        for cell, width in reversed(columns) if self._is_rtl else columns:
            self._pdf.cell(width, 6, _printable(cell), align=self._align)
        self._pdf.ln(6)

    def _pen(self, size: float, color: tuple[int, int, int]) -> None:
        self._pdf.set_font("house", size=size)
        self._pdf.set_text_color(*color)


def _printable(text: str) -> str:
    return text.translate(_MARKS)
