"""Stands in for a package of streampay-extras; once that is installed, Python prefers it to this file (PEP 420)."""

raise ModuleNotFoundError('streampay.cli comes with an extra: pip install "streampay[cli]"')
