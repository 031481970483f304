"""An offline Solana development chain: a real Solana VM behind a Solana JSON-RPC and WebSocket server.

The VM is LiteSVM (``solders.litesvm``): it runs the genuine System, SPL Token, Token-2022, associated token account
and memo programs. What a VM lacks beside a node (slots, commitment levels, many block hashes that expire, an address
index, forks, faults, subscriptions) is added by ``chain``; ``rpc`` speaks JSON-RPC without I/O; ``server`` and
``websocket`` put it on two loopback ports.

Run it with ``python -m sandbox.devchain``; README.md in this folder says what it can and cannot do.
"""
