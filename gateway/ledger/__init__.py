"""The ledger: accounts, an append-only journal, balances that can be proved. Knows neither payments nor providers."""
