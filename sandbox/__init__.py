"""The outside world in a box: chains, banks and exchanges for development, demos and tests.

Everything here stands across the street from the gateway: it is reached over HTTP, as the real world is, imports no
room of the house and is imported by none. Nothing here holds real money, and nothing here may listen on anything but
loopback.
"""
