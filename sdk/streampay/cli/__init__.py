"""The command `streampay`: webhooks on your own machine, samples, checks. `pip install "streampay[cli]"`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0 for ok, 1 when it found a problem, 2 when it was not understood."""
    try:
        import rich  # noqa: F401, PLC0415 - the extra may be missing, and then one line says so
    except ImportError:
        sys.stderr.write('the command line needs its extra: pip install "streampay[cli]"\n')
        return 2
    from streampay.cli.commands import run  # noqa: PLC0415 - needs the extra

    return run(sys.argv[1:] if argv is None else argv)
