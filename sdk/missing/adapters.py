"""Stands in for a package of streampay-extras; once that is installed, Python prefers it to this file (PEP 420)."""

raise ModuleNotFoundError('streampay.adapters comes with the extra of your framework: pip install "streampay[flask]"')
