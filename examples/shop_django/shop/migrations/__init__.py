"""The shop's schema, in steps."""
