"""Test your shop without a gateway: signed sample events, a gateway in your process, and a storm for your webhook.

    from streampay import StreamPay
    from streampay.testing import FakeStreamPay

    fake = FakeStreamPay()
    client = StreamPay("sk_test_anything", base_url="http://fake.example", transport=fake)
    session = client.checkout.sessions.create(amount="12.30", currency="USD", reference="order-1", success_url="http://localhost/")
    fake.pay(session)

Names load when they are first used: events and signatures need the standard library only.
"""

TYPE_CHECKING = False  # as in `streampay`: type checkers take it for true
if TYPE_CHECKING:
    from streampay.testing._chaos import StormError, StormReport, chaos
    from streampay.testing._deliver import receiver
    from streampay.testing._events import SampleEvent, event, event_types, sign_headers
    from streampay.testing.fake import FakeStreamPay

__all__ = [
    "FakeStreamPay",
    "SampleEvent",
    "StormError",
    "StormReport",
    "chaos",
    "event",
    "event_types",
    "receiver",
    "sign_headers",
]
_HOMES = {
    "FakeStreamPay": "fake",
    "receiver": "_deliver",
    "StormError": "_chaos",
    "StormReport": "_chaos",
    "chaos": "_chaos",
}

if not TYPE_CHECKING:  # as in `streampay`: misspelt names must not pass the type checker

    def __getattr__(name):  # noqa: ANN001, ANN202 - invisible to type checkers, see above
        """Load the module in which a public name lives, once."""
        if name not in __all__:
            raise AttributeError(f"module 'streampay.testing' has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415 - the pytest plugin must cost a test run nothing

        value = getattr(import_module(f"streampay.testing.{_HOMES.get(name, '_events')}"), name)
        globals()[name] = value
        return value
