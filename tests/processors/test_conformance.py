"""What every wallet processor promises the engine, run for each of them."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.domain.ports import RefundRequest, SignedBy
from gateway.domain.words import TransferStage
from gateway.kernel.currencies import currency
from gateway.kernel.errors import ErrorCode, InvalidRequestError, TemporaryError
from gateway.kernel.money import Money
from tests.processors.conformance import PROCESSORS, Subject

AMOUNT = 5_000_000


@pytest.fixture(params=sorted(PROCESSORS))
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    with PROCESSORS[request.param]() as subject:
        yield subject


def methods(subject: Subject) -> list[str]:
    return [method.id for method in subject.processor.methods(livemode=False)]


def test_methods_are_named_alike_everywhere(subject: Subject) -> None:
    found = subject.processor.methods(livemode=False)
    assert found
    assert len({method.id for method in found}) == len(found)
    for method in found:
        assert method.processor == subject.processor.name
        assert method.id == method.id.lower()
        assert method.asset is not None
        assert currency(method.asset).exponent > 0
        assert method.title


def test_a_mode_without_configuration_offers_nothing(subject: Subject) -> None:
    assert subject.processor.methods(livemode=True) == ()
    assert subject.processor.receiving_accounts(subject.merchant, livemode=True) == ()


def test_every_method_has_one_account_of_its_own(subject: Subject) -> None:
    accounts = subject.processor.receiving_accounts(subject.merchant, livemode=False)
    assert [one.asset for one in accounts] == [method.asset for method in subject.processor.methods(livemode=False)]
    assert len({one.account for one in accounts}) == len(accounts)
    assert {one.wallet for one in accounts} == {subject.merchant}


@pytest.mark.parametrize("wallet", ["", "x", "0x" + "0" * 40, "ü", " ", "a" * 10_000])
def test_a_wallet_that_is_none_is_refused_without_an_echo(subject: Subject, wallet: str) -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        subject.processor.receiving_accounts(wallet, livemode=False)
    assert refusal.value.code is ErrorCode.WALLET_ADDRESS_INVALID
    assert len(refusal.value.message) < 200


def test_references_are_fresh_and_fit_their_column(subject: Subject) -> None:
    found = {subject.processor.new_reference() for _ in range(200)}
    assert len(found) == 200
    assert max(map(len, found)) <= 90


def test_every_method_can_be_paid_from_link_to_final_fact(subject: Subject) -> None:
    for method in methods(subject):
        request = subject.request(method, AMOUNT)
        assert request.reference_key in subject.processor.pay_url(request)
        built = subject.processor.build(request, payer=subject.payer)
        assert built.last_valid_height > 0
        signed = subject.processor.check_signed(request, subject.sign(built.payload))
        assert signed.payer == subject.payer
        subject.processor.broadcast(request.network, signed.payload)
        subject.processor.broadcast(request.network, signed.payload)
        subject.confirm()
        state = subject.processor.signature_state(request.network, signed.signature)
        assert (state.stage, state.has_failed) == (TransferStage.CONFIRMED, False)
        accounts = {request.account: request.due.currency}
        (seen,) = subject.reader.read([signed.signature], accounts)[signed.signature] or ()
        assert (seen.net, seen.account, seen.references) == (AMOUNT, request.account, (request.reference_key,))


def test_a_signature_nobody_knows_is_unknown_everywhere(subject: Subject) -> None:
    strange = "5" * 87
    assert subject.processor.signature_state(subject.reader.network, strange).stage is None
    assert subject.reader.read([strange, "garbage", ""], {}) == {strange: None, "garbage": None, "": None}
    assert subject.reader.stages([strange]) == {strange: None}


def test_an_unsigned_payload_never_passes(subject: Subject) -> None:
    for method in methods(subject):
        request = subject.request(method, AMOUNT)
        with pytest.raises(InvalidRequestError) as refusal:
            subject.processor.check_signed(request, subject.processor.build(request, payer=subject.payer).payload)
        assert refusal.value.code is ErrorCode.WALLET_PAYLOAD_REFUSED


def test_a_provider_that_does_not_answer_is_temporary(subject: Subject) -> None:
    request = subject.request(methods(subject)[0], AMOUNT)
    payload = subject.sign(subject.processor.build(request, payer=subject.payer).payload)
    for question in (
        lambda: subject.unreachable.build(request, payer=subject.payer),
        lambda: subject.unreachable.check_signed(request, payload),
        lambda: subject.unreachable.broadcast(request.network, payload),
        lambda: subject.unreachable.signature_state(request.network, "5" * 87),
    ):
        with pytest.raises(TemporaryError) as failure:
            question()
        assert failure.value.retryable


def test_what_needs_no_provider_asks_none(subject: Subject) -> None:
    request = subject.request(methods(subject)[0], AMOUNT)
    assert subject.unreachable.methods(livemode=False)
    assert subject.unreachable.receiving_accounts(subject.merchant, livemode=False)
    assert subject.unreachable.pay_url(request) == subject.processor.pay_url(request)


def refund_of(subject: Subject, asset: str, *, to: str | None = None) -> RefundRequest:
    """Return a refund that the payer's wallet sends back."""
    return RefundRequest(
        network=subject.processor.methods(livemode=False)[0].network,
        payer=subject.payer,
        destination=to or subject.merchant,
        amount=Money(AMOUNT, asset),
        reference_key=subject.processor.new_reference(),
        memo="re_01jd4k00000000000000000000",
    )


def test_every_method_can_be_refunded_to_the_last_atom(subject: Subject) -> None:
    for method in subject.processor.methods(livemode=False):
        request = refund_of(subject, str(method.asset))
        payload = subject.sign(subject.processor.build_refund(request).payload)
        signed = subject.processor.check_refund(request, payload)
        assert subject.processor.signed_by(payload) == SignedBy(payer=subject.payer, signature=signed.signature)
        subject.processor.broadcast(request.network, signed.payload)
        subject.confirm()
        owned = subject.processor.receiving_accounts(subject.payer, livemode=False)
        accounts = {one.account: one.asset for one in owned}
        found = subject.reader.read([signed.signature], accounts)[signed.signature]
        (left,) = [one for one in found or () if one.asset == method.asset]
        assert left.net == -AMOUNT
        assert left.memo == request.memo
        assert request.reference_key in left.references


def test_a_refund_for_somebody_else_or_of_another_sum_is_refused(subject: Subject) -> None:
    for method in subject.processor.methods(livemode=False):
        request = refund_of(subject, str(method.asset))
        payload = subject.sign(subject.processor.build_refund(request).payload)
        for other in (
            replace(request, amount=Money(AMOUNT - 1, str(method.asset))),
            replace(request, amount=Money(AMOUNT + 1, str(method.asset))),
            replace(request, destination=subject.processor.new_reference()),
            replace(request, memo="re_01jd4k00000000000000000001"),
            replace(request, payer=subject.merchant),
        ):
            with pytest.raises(InvalidRequestError) as refusal:
                subject.processor.check_refund(other, payload)
            assert refusal.value.code is ErrorCode.WALLET_PAYLOAD_REFUSED


@pytest.mark.parametrize("payload", ["", "AAAA", "x" * 100_000, "\u00fc"])
def test_a_signed_refund_that_is_none_is_refused(subject: Subject, payload: str) -> None:
    asset = str(subject.processor.methods(livemode=False)[0].asset)
    unsigned = subject.processor.build_refund(refund_of(subject, asset)).payload
    for bad in (payload, unsigned):
        with pytest.raises(InvalidRequestError) as refusal:
            subject.processor.signed_by(bad)
        assert refusal.value.code is ErrorCode.WALLET_PAYLOAD_REFUSED


def test_a_destination_is_a_wallet_and_its_key_is_known_or_not(subject: Subject) -> None:
    assert subject.processor.refund_destination(subject.payer) == subject.payer
    assert subject.processor.has_own_key(subject.payer)
    for bad in ("", "x", "a" * 10_000):
        assert not subject.processor.has_own_key(bad)
        with pytest.raises(InvalidRequestError) as refusal:
            subject.processor.refund_destination(bad)
        assert refusal.value.code is ErrorCode.WALLET_ADDRESS_INVALID
