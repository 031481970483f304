"""Rates: what exchanges and the European Central Bank say, and what may be quoted from it."""
