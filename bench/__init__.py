"""Benches: each prints a table with the peer or limit beside every figure; run with ``python3 dev.py bench NAME``."""
