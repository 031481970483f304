"""Reads for merchants and accountants; nothing here writes."""
