"""The hall: the verbs. Each is one database tx, or reserve, call the provider outside any tx, record the outcome."""
