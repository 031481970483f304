"""A plugin for pretix, which finds it by itself once both are installed: docs/pretix.md.

pretix imports this package; it is never the other way round. Written against pretix 2026.8.
"""
