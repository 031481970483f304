"""A charity's own site, of another origin than the gateway, under a strict Content Security Policy.

    python examples/charity_page/charity.py --gateway http://127.0.0.1:8080 --campaign cmp_… --port 8082

Four pages show the four ways to embed a campaign: inline, in a window over the page, by a button, and without script.
Register this site's origin (http://127.0.0.1:8082) with the campaign, else browsers refuse to frame its form.
"""

import argparse
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template

PAGES = Path(__file__).parent / "pages"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Site(ThreadingHTTPServer):
    """The site, and which campaign of which gateway it collects for."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], *, gateway: str, campaign: str) -> None:
        super().__init__(address, Visit)
        self.words = {"GATEWAY": gateway.rstrip("/"), "CAMPAIGN": campaign}
        # Nothing inline and nothing from strangers: the gateway may bring its script and its frame, and take the form.
        self.policy = (
            f"default-src 'none'; style-src 'self'; script-src 'self' {self.words['GATEWAY']}; "
            f"img-src 'self' {self.words['GATEWAY']}; frame-src {self.words['GATEWAY']}; "
            f"form-action {self.words['GATEWAY']}; base-uri 'none'; frame-ancestors 'none'"
        )


class Visit(BaseHTTPRequestHandler):
    """One request for a page, a style or a script."""

    server: Site

    def do_GET(self) -> None:
        """Answer with the file, its placeholders filled in."""
        name = self.path.partition("?")[0].strip("/") or "index.html"
        found = {path.name: path for path in PAGES.iterdir()}.get(name)
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body = Template(found.read_text(encoding="utf-8")).safe_substitute(self.server.words).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", TYPES[found.suffix])
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", self.server.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "strict-origin")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Log nothing: an example has no use for it."""


def main(arguments: list[str] | None = None) -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A charity's page that embeds a donation form.")
    parser.add_argument("--gateway", required=True, help="the gateway's origin")
    parser.add_argument("--campaign", required=True, help="the campaign's id, cmp_…")
    parser.add_argument("--port", type=int, default=8082)
    options = parser.parse_args(arguments)
    site = Site(("127.0.0.1", options.port), gateway=options.gateway, campaign=options.campaign)
    sys.stdout.write(f"http://127.0.0.1:{site.server_port}\n")
    sys.stdout.flush()
    try:
        site.serve_forever()
    except KeyboardInterrupt:
        site.server_close()


if __name__ == "__main__":
    main()
