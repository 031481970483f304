"""`/v1/test/clock`: lets time pass, on a gateway that is for testing only."""

from datetime import timedelta

from pydantic import Field

from gateway.engine.clockwork import MAX_AHEAD
from gateway.kernel.errors import ErrorCode
from hosted_checkout.api.answers import MovedTime
from hosted_checkout.api.layer import Answer, Call, Empty, Rooms, Routes, Strict

routes = Routes("Test clock")


class Advance(Strict):
    """How far."""

    seconds: int = Field(ge=1, le=MAX_AHEAD // timedelta(seconds=1), description="Forward only.", examples=[86400])


@routes.get("/v1/test/clock", answers={200: MovedTime}, errors=(ErrorCode.TEST_CLOCK_OFF,))
def retrieve_test_clock(rooms: Rooms, call: Call[Empty, Empty]) -> Answer:
    """Read what time it is at the gateway."""
    return Answer.of(rooms.engine.clockwork.retrieve(livemode=call.owner.livemode))


@routes.post(
    "/v1/test/clock/advance",
    body=Advance,
    answers={200: MovedTime},
    errors=(ErrorCode.TEST_CLOCK_OFF, ErrorCode.TEST_CLOCK_LIMIT_REACHED),
)
def advance_test_clock(rooms: Rooms, call: Call[Advance, Empty]) -> Answer:
    """Let time pass.

    Every server and worker follows within a second. Move the clocks that `also_advance` names as far, with the same
    body: they are those of Test Banks. What stays real (signatures, rates, rate limits) is in docs/testing.md.
    """
    return Answer.reply(rooms.engine.clockwork.advance(call.intent, call.body.seconds))
