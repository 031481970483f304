"""Links that wallets understand. Source: https://docs.solanapay.com/spec and docs.phantom.com (browse deep link)."""

from urllib.parse import quote, urlsplit

from gateway.domain.ports import TransferRequest
from gateway.processors.solana.networks import Token, user_units


def transfer_link(request: TransferRequest, token: Token | None) -> str:
    """Return a Solana Pay transfer request: recipient is the wallet, the amount in user units without an exponent.

    It knows one recipient, so a gift is part of the amount, and owed by him.
    """
    fields = [("amount", user_units(request.asked))]
    if token is not None:
        fields.append(("spl-token", token.mint))
    fields.append(("reference", request.reference_key))
    fields += [("label", request.label), ("message", request.message), ("memo", request.memo)]
    # Percent signs for everything: `+` is a space to some readers and a plus to others.
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields if value)
    return f"solana:{request.wallet}?{query}"


def server_request_link(url: str) -> str:
    """Return the link that makes a wallet ask our server for the chain transfer; encoded if the URL has a query."""
    assert urlsplit(url).scheme in {"https", "http"}, "wallets take https; http serves a chain on this machine"
    return f"solana:{quote(url, safe='') if urlsplit(url).query else url}"


def phantom_browse_link(page_url: str) -> str:
    """Return the link that opens a page in Phantom's own browser; it must be tapped, not pasted."""
    parts = urlsplit(page_url)
    referrer = f"{parts.scheme}://{parts.netloc}"
    return f"https://phantom.app/ul/browse/{quote(page_url, safe='')}?ref={quote(referrer, safe='')}"
