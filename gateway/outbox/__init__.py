"""Events, endpoints and their delivery to merchants: at least once, signed, with the same bytes on every try."""
