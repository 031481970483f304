"""The ground floor: money, currencies, ids, clock, errors and primitives. Imports nothing of ours."""
