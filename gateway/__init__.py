"""The payment engine: knows nothing of Flask, of HTTP servers or of pages."""

__version__ = "0.1.0"
