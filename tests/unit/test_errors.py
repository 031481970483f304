"""The error tree: which status, and who may try again."""

import pytest

from gateway.kernel import errors
from gateway.kernel.errors import CallerError, ErrorCode, GatewayError, WorldError

# (class, HTTP status, may the same request be sent again)
TREE = {
    errors.InvalidRequestError: (400, False),
    errors.AuthenticationError: (401, False),
    errors.PermissionDeniedError: (403, False),
    errors.NotFoundError: (404, False),
    errors.ConflictError: (409, False),
    errors.InFlightError: (409, True),
    errors.PayloadTooLargeError: (413, False),
    errors.UnsupportedMediaError: (415, False),
    errors.IdempotencyMismatchError: (422, False),
    errors.RateLimitedError: (429, True),
    errors.DeclinedError: (402, False),
    errors.TemporaryError: (503, True),
    errors.UnknownOutcomeError: (503, False),
    errors.RepeatedFailureError: (503, False),
}


@pytest.mark.parametrize(("kind", "expected"), TREE.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_each_error_has_its_status_and_says_whether_to_send_again(
    kind: type[GatewayError], expected: tuple[int, bool]
) -> None:
    assert (kind.status, kind.retryable) == expected
    assert issubclass(kind, WorldError if kind.status in {402, 503} else CallerError)


def test_no_class_of_the_tree_is_missing_here_or_in_its_picture() -> None:
    found = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, GatewayError)}
    assert found == {GatewayError, CallerError, WorldError, *TREE}
    assert errors.__doc__ is not None
    assert not [kind.__name__ for kind in found if kind.__name__ not in errors.__doc__]


def test_an_error_carries_facts_beside_its_sentence() -> None:
    error = errors.ConflictError(
        ErrorCode.SESSION_NOT_OPEN, "It is over.", param="/id", object_id="cs_1", retry_after_s=3
    )
    assert (str(error), error.message, error.code.value) == ("It is over.", "It is over.", "session_not_open")
    assert (error.param, error.object_id, error.retry_after_s) == ("/id", "cs_1", 3)


def test_codes_are_words_that_a_program_can_compare() -> None:
    assert all(code.value == code.name.lower() for code in ErrorCode)
