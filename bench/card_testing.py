"""Card testing at a campaign: 400 stolen cards in five minutes, each from somebody new, and one donor among them.

The bank is the Test Bank, the gateway the real engine on SQLite; the clock is moved by hand: five minutes pass in
one. The attacker does every proof that he is asked for, and knows of no page before he has begun it; webhooks reach the
gateway one try late. The donor comes in the middle of it, and tries again every five seconds until he has given.
"""

import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final

from bench.harness import Table, parser
from gateway.domain.giving_limits import Admission, is_proof
from gateway.engine.donations.guard import Visitor
from gateway.engine.donations.records import CampaignRecord
from gateway.engine.records import SessionRecord
from gateway.kernel.errors import GatewayError
from gateway.storage.database import open_database
from gateway.storage.migrate import upgrade
from tests.cards.stage import DECLINED, GOOD, a_bank, a_card_shop
from tests.donations.stage import GivingShop

TRIES: Final = 400
PACE: Final = timedelta(seconds=0.75)  # 400 of them are five minutes
PATIENCE: Final = timedelta(seconds=5)
DONOR_AT: Final = TRIES // 2
SESSION_LIMIT: Final = 10
MINUTE_LIMIT: Final = 30


@dataclass
class Street:
    """A campaign, and who stands before it."""

    shop: GivingShop
    campaign: CampaignRecord
    refused_at: list[datetime] = field(default_factory=list)
    proof_s: list[float] = field(default_factory=list)
    stopped: int = 0
    _people: Iterator[int] = field(default_factory=count)

    def begin(self) -> SessionRecord | None:
        """Fill in the form as somebody new, and do the work that is asked for; None if one is not let in."""
        number = next(self._people)
        visitor = Visitor(address=f"198.51.{number // 250}.{number % 250}", email=f"t{number}@mail.example")
        guard = self.shop.engine.guard
        verdict = guard.admit(self.campaign, visitor)
        if verdict.admission is Admission.PROOF_NEEDED:
            self.proof_s.append(solved(f"{number}", verdict.bits))
            verdict = guard.admit(self.campaign, visitor, lambda _bits: True)
        if verdict.admission is not Admission.ADMITTED:
            return None
        session = self.shop.give(self.campaign, "1")
        guard.begun(verdict, session)
        return session

    def try_card(self, session: SessionRecord, number: str) -> bool:
        """Try a card on a session's page; return whether the bank was asked at all."""
        try:
            page = self.shop.shop.start(self.shop.shop.reload(session.token))
        except GatewayError:
            return False
        if self.shop.shop.bank.checkout_session(page)["status"] != "open":
            return False
        self.shop.shop.pay_at_bank(page, number)
        if number != GOOD:
            self.refused_at.append(self.shop.shop.clock.now())
        return True

    def busiest_minute(self) -> int:
        """Return the most refusals within any sixty seconds."""
        window: deque[datetime] = deque()
        most = 0
        for instant in self.refused_at:
            window.append(instant)
            while instant - window[0] >= timedelta(minutes=1):
                window.popleft()
            most = max(most, len(window))
        return most


def solved(challenge: str, bits: int) -> float:
    """Do the work of a proof; return the seconds of CPU that it took."""
    began = time.process_time()
    next(answer for answer in count() if is_proof(challenge, str(answer), bits))
    return time.process_time() - began


@contextmanager
def street() -> Iterator[Street]:
    """Open a shop with a campaign, on a database of its own."""
    with tempfile.TemporaryDirectory() as folder, a_bank() as bank:
        url = f"sqlite:///{Path(folder) / 'bench.db'}"
        database = open_database(url)
        upgrade(database)
        database.close()
        with a_card_shop(url, bank) as opened:
            shop = GivingShop(opened)
            yield Street(shop=shop, campaign=shop.add_campaign())


def one_session(scene: Street) -> int:
    """Try cards in one session until it lets none through; return how many it let."""
    session = scene.begin()
    assert session is not None, "nobody was refused yet"
    for _ in range(TRIES):
        if not scene.try_card(session, DECLINED):
            break
        scene.shop.shop.catch_up()
    return len(scene.refused_at)


def rotating(scene: Street) -> bool:
    """Try cards as somebody new each time, webhooks one try behind; return whether the donor gave meanwhile."""
    shop, news, has_given = scene.shop.shop, list[dict[str, object]](), False
    donor_at = shop.clock.now() + DONOR_AT * PACE
    for _ in range(TRIES):
        session = scene.begin()
        if session is None or not scene.try_card(session, DECLINED):
            scene.stopped += 1
        shop.deliver(news)
        news = shop.post_from_bank()
        shop.pass_time(PACE)
        if not has_given and shop.clock.now() >= donor_at:
            donor_at += PATIENCE
            donor = scene.begin()
            has_given = donor is not None and scene.try_card(donor, GOOD)
    shop.deliver(news)
    shop.catch_up()
    return has_given and scene.shop.owed() > 0


def main() -> int:
    """Run both attacks, and print what got through."""
    options = parser(__doc__).parse_args()
    with street() as scene:
        session = one_session(scene)
    with street() as scene:
        has_given = rotating(scene)
        table = Table("card-testing")
        table.add(
            "refusals through one session", session, "", beside=f"<= {SESSION_LIMIT}", key="declined_through_session"
        )
        table.add(
            f"refusals through the busiest minute, of {TRIES} tries",
            scene.busiest_minute(),
            "",
            beside=f"<= {MINUTE_LIMIT}",
            key="declined_through_campaign_minute",
        )
        table.add("a donor in the middle of it paid", int(has_given), "", beside="1", key="real_donor_paid")
        table.add(
            "refusals in all", len(scene.refused_at), "", beside=f"{TRIES} without a guard", key="declined_in_all"
        )
        table.add("tries that reached no bank", scene.stopped, "", beside=f"of {TRIES}", key="stopped")
        proofs = scene.proof_s or [0.0]
        table.add(
            f"CPU of a proof, mean of {len(scene.proof_s)}",
            sum(proofs) / len(proofs),
            "s",
            beside="its sender's",
            key="cpu_s_proof",
        )
        table.print(as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
