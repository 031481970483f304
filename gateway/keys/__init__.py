"""The key room: secrets at rest, API keys, webhook secrets. A room without windows: no socket, no HTTP client."""
