"""Print a view: the one place that knows the template's names."""

from dataclasses import dataclass
from pathlib import Path

from flask import Response, make_response, render_template, request, url_for

from hosted_checkout.checkout.presentation import PageView
from hosted_checkout.checkout.sentences import client_status, problem_sentence
from hosted_checkout.checkout.states import ClientState, Tone
from hosted_checkout.i18n import asked_language, direction, language_names, locale
from hosted_checkout.theme import theme_name


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxWallet:
    """The browser test wallet: its script, the dev chain it talks to, and the mints its faucet gives (code -> mint)."""

    script: Path
    rpc_url: str
    mints: dict[str, str]


def render_page(
    view: PageView, *, sandbox_wallet: SandboxWallet | None, client_state: ClientState | None = None
) -> Response:
    """Render the page; `client_state` draws what the script would show (the gallery asks for it)."""
    return make_response(
        render_template(
            "checkout/page.html",
            view=view,
            status=client_status(client_state) if client_state else view.status,
            problem=_problem(view),
            client_states=[client_status(state) for state in ClientState],
            theme_url=url_for("checkout.theme", name=theme_name(view.brand_color)),
            sandbox_wallet=sandbox_wallet,
            tones=list(Tone),
            **page_language(),
        )
    )


def _problem(view: PageView) -> str | None:
    """Return why the last request did not work, unless the page's state says the same."""
    code = request.args.get("problem")
    return None if code == view.status.state else problem_sentence(code)


def page_language() -> dict[str, object]:
    """Return what every page's frame needs to know of its language."""
    return {
        "language": str(locale().language),
        "direction": direction(),
        "languages": list(language_names()),
        "asked_language": asked_language(),
    }
