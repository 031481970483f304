"""QR codes as inline SVG: no request, no script, sharp at any size."""

import io
from functools import lru_cache
from typing import Final

import segno
from markupsafe import Markup

KEPT: Final = 512  # codes of 5 KB each: a page asks for the same one at every poll
QUIET_ZONE: Final = 4  # modules of white around the code, as ISO/IEC 18004 asks


@lru_cache(maxsize=KEPT)
def qr_svg(content: str, *, title: str) -> Markup:
    """Return the code of `content` at error correction M or better, dark on white whatever the page's scheme."""
    buffer = io.BytesIO()
    segno.make(content, error="m", micro=False).save(
        buffer,
        kind="svg",
        border=QUIET_ZONE,
        dark="#000",
        light="#fff",
        lineclass=None,
        omitsize=True,
        svgclass="qr",
        svgns=False,
        title=title,
        xmldecl=False,
    )
    svg = buffer.getvalue().decode().strip()
    # Segno escapes title and content; role and label make one picture of it for a screen reader.
    return Markup(svg.replace("<svg ", '<svg role="img" ', 1))  # noqa: S704 - segno's own output, text escaped by it
