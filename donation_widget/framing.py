"""Where a page stands: alone, or in a frame of one of the campaign's sites."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, request

from gateway.engine.donations.records import CampaignRecord
from hosted_checkout.security import content_security_policy

_ORIGIN: Final = re.compile(r"https?://[a-z0-9.:\[\]-]+", re.ASCII)  # nothing that could end a directive


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page stands.

    Attributes:
        is_framed: it was asked for as a frame's content.
        host: the site that frames it, to which the frame may talk; one of the campaign's, or None.
        origins: the sites that may frame it.
    """

    is_framed: bool = False
    host: str | None = None
    origins: Sequence[str] = ()

    @property
    def query(self) -> dict[str, Any]:
        """What `url_for` needs so that a page of ours stands in the same place."""
        return {"embed": "1" if self.is_framed else None, "host": self.host}

    def allow_framing(self, response: Response) -> None:
        """Let the campaign's sites, and nobody else, frame a page that was asked for as a frame's content."""
        if self.is_framed and self.origins:
            response.headers["Content-Security-Policy"] = content_security_policy(frame_ancestors=self.origins)
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"


def place_of(campaign: CampaignRecord) -> Place:
    """Return where this request's page stands."""
    origins = tuple(one for one in campaign.origins if _ORIGIN.fullmatch(one))
    host = request.args.get("host")
    is_framed = request.args.get("embed") == "1"
    return Place(is_framed=is_framed, host=host if is_framed and host in origins else None, origins=origins)
