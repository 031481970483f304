"""Donations: charities, campaigns, gifts at checkout, what became of them, receipts, and what is owed."""
