"""Card testing: stolen cards are tried where nothing is shipped. What is let through, and what it costs. Pure.

Addresses and e-mails are free to whoever rotates them, so they only slow the careless down. What holds are the counts
that an attacker cannot rotate: refusals of one session, and of one campaign in a minute. While a campaign is under
attack each further gift costs its sender some computing, which a donor's browser does in a second or two.
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

MINUTE: Final = timedelta(minutes=1)
ADDRESS_WINDOW: Final = timedelta(minutes=10)
EMAIL_WINDOW: Final = timedelta(hours=1)
CARD_WINDOW: Final = timedelta(hours=1)
ATTACK_WINDOW: Final = timedelta(minutes=5)
PER_ADDRESS: Final = 20  # gifts begun; a family, or a class room behind one address, still gives
PER_EMAIL: Final = 10
PER_CARD: Final = 5  # refusals, wherever this card was tried
PER_SESSION: Final = 5  # refusals; then its page closes
PER_SESSION_ATTACKED: Final = 1
ATTACKED_FROM: Final = 10  # refusals of a campaign within the attack window
CLOSING_FROM: Final = 15  # refusals a minute; from here on pages of unproved senders close before they are tried
PER_CAMPAIGN_MINUTE: Final = 25  # refusals, with those that open pages may still bring
EASIEST_BITS: Final = 14  # about 16,000 hashes: a second on a phone
HARDEST_BITS: Final = 18
MAX_ANSWER: Final = 32  # characters; it is a counter


class Admission(StrEnum):
    """What becomes of a gift that somebody wants to begin."""

    ADMITTED = "admitted"
    PROOF_NEEDED = "proof_needed"
    TOO_OFTEN = "too_often"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressure:
    """What is known when somebody wants to give.

    Attributes:
        by_address, by_email: gifts begun by them in their windows.
        refused_lately, refused_this_minute: refusals of the campaign.
        on_trial: gifts that were admitted under attack, and may still be refused.
    """

    by_address: int = 0
    by_email: int = 0
    refused_lately: int = 0
    refused_this_minute: int = 0
    on_trial: int = 0

    @property
    def is_attack(self) -> bool:
        """Whether somebody tries cards at this campaign now."""
        return self.refused_lately >= ATTACKED_FROM

    @property
    def bits(self) -> int:
        """How hard a proof must be."""
        return min(HARDEST_BITS, EASIEST_BITS + self.refused_lately // (4 * ATTACKED_FROM))


def admission(pressure: Pressure, *, is_proved: bool) -> Admission:
    """Decide on a gift; `is_proved`: its sender has done the work that an attack makes necessary."""
    if pressure.by_address >= PER_ADDRESS or pressure.by_email >= PER_EMAIL:
        return Admission.TOO_OFTEN
    if not pressure.is_attack:
        return Admission.ADMITTED
    if not is_proved:
        return Admission.PROOF_NEEDED
    has_room = pressure.refused_this_minute + pressure.on_trial < PER_CAMPAIGN_MINUTE
    return Admission.ADMITTED if has_room else Admission.PAUSED


def session_limit(pressure: Pressure, refused_card: int) -> int:
    """Return how many refusals close a session; a card that was refused all around closes it at once."""
    return PER_SESSION_ATTACKED if pressure.is_attack or refused_card >= PER_CARD else PER_SESSION


def is_proof(challenge: str, answer: str, bits: int) -> bool:
    """Tell whether SHA-256 of challenge and answer begins with so many zero bits."""
    if not answer.isascii() or len(answer) > MAX_ANSWER:
        return False
    digest = hashlib.sha256(f"{challenge}:{answer}".encode()).digest()
    return int.from_bytes(digest, "big") >> (256 - bits) == 0
