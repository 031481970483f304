"""The demo's clocks: when the gateway's is moved, the Test Bank's follows, as one world would."""

from typing import Final

import requests

HTTP_S: Final = 30  # the bank lives through every day on the way


def follow(gateway_url: str, bank_url: str, key: str) -> int:
    """Bring the Test Bank's clock up to the gateway's; return by how many seconds it was behind.

    A bank that was moved further at its own panel stays ahead.

    Raises:
        requests.RequestException: one of them does not answer.
    """
    headers = {"Authorization": f"Bearer {key}"}
    time = requests.get(f"{gateway_url}/v1/test/clock", headers=headers, timeout=HTTP_S)
    bank = requests.get(f"{bank_url}/_sandbox", timeout=HTTP_S)
    time.raise_for_status()
    bank.raise_for_status()
    behind = int(time.json()["ahead_s"]) - int(bank.json()["offset_s"])
    if behind > 0:
        moved = requests.post(f"{bank_url}/_sandbox/clock/advance", json={"seconds": behind}, timeout=HTTP_S)
        moved.raise_for_status()
    return max(0, behind)
