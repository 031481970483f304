"""Stands in for a package of streampay-extras; once that is installed, Python prefers it to this file (PEP 420)."""

raise ModuleNotFoundError('streampay.testing comes with an extra: pip install "streampay[testing]"')
