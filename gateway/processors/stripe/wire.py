"""Calls to Stripe's API through stripe-python: pinned version, explicit keys, bounded waits, no foreign exception.

Answers stay plain JSON objects: they are read defensively by `snapshots` and friends, and nothing of them leaves the
room. The library's own retries are off, because they hide a time-out behind the refused connection that followed it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import requests
import stripe
import stripe._util as stripe_util
from requests.adapters import HTTPAdapter

from gateway.domain.declines import Decline, ProviderDeclinedError
from gateway.kernel.errors import ErrorCode, TemporaryError
from gateway.processors.stripe import errors
from gateway.processors.stripe.config import StripeConfig

API_VERSION: Final = "2026-10-28.endive"  # webhook endpoints are made with the same, or their payloads differ
CONNECT_TIMEOUT_S: Final = 3
READ_TIMEOUT_S: Final = 20  # Stripe's slowest ordinary answers, a bank's authorization among them
PAGE_SIZE: Final = 100  # Stripe's largest
_POOL_SIZE: Final = 16  # threads that may call at once without opening a connection each time
# AmountError is a ValueError; times beyond the calendar are an OverflowError or an OSError.
_READ_ERRORS: Final = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, OSError)

Json = Mapping[str, Any]
Value = TypeVar("Value")


class StripeApi:
    """One account in one mode; safe among threads."""

    def __init__(self, config: StripeConfig) -> None:
        _silence_library()
        self._session: Final = _session()
        url = config.base_url
        self._client: Final = stripe.StripeClient(
            config.secret_key,
            stripe_version=API_VERSION,
            base_addresses={} if url is None else {"api": url, "connect": url, "files": url, "meter_events": url},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S), session=self._session),
        )

    def get(self, path: str, **params: Any) -> Json:
        """Read an object.

        Raises:
            NotFoundError: there is none.
            TemporaryError: Stripe did not answer.
            ProviderDeclinedError: Stripe refused the question.
        """
        return self._twice("get", path, params, has_effect=False, refuses_by_state=False)

    def post(self, path: str, *, key: str, params: Json, refuses_by_state: bool = False) -> Json:
        """Send a command under an idempotency key.

        Args:
            path: of the API.
            key: the operation's id.
            params: the body; byte for byte the same under the same key.
            refuses_by_state: only the object's state can make Stripe refuse this command.

        Raises:
            ProviderDeclinedError: refused for good.
            ConflictError: the object's state forbids it.
            TemporaryError: nothing happened.
            UnknownOutcomeError: it may have happened; `RepeatedFailureError`: not under this key any more.
        """
        options = {**params, "idempotency_key": key}
        return self._twice("post", path, options, has_effect=True, refuses_by_state=refuses_by_state)

    def delete(self, path: str, *, key: str) -> Json:
        """End an object; sending it again ends nothing else.

        Raises:
            ProviderDeclinedError: refused for good; one that was ended before may be refused like one that never was.
            TemporaryError: nothing happened.
            UnknownOutcomeError: it may have happened.
        """
        return self._twice("delete", path, {"idempotency_key": key}, has_effect=True, refuses_by_state=False)

    def listed(self, path: str, *, max_pages: int, **params: Any) -> Iterator[Json]:
        """Yield the objects of a list, newest first, page after page.

        Raises:
            TemporaryError: Stripe did not answer, or there are more than `max_pages` pages: what was not seen might
                matter, so a cut list is no answer.
        """
        after: dict[str, str] = {}
        for _ in range(max_pages):
            page = self.get(path, limit=PAGE_SIZE, **params, **after)
            objects, last = _page(page)
            yield from objects
            if last is None:
                return
            after = {"starting_after": last}
        errors.log.error("stripe_list_too_long", path=path, pages=max_pages)
        raise TemporaryError(
            ErrorCode.PROVIDER_UNAVAILABLE, "The payment provider's list is longer than can be read at once."
        )

    def close(self) -> None:
        """Give kept connections back; used at the end of a process."""
        self._session.close()

    def _twice(self, method: str, path: str, params: Json, *, has_effect: bool, refuses_by_state: bool) -> Json:
        """Call, and once more if that is worth it; the second answer speaks for both, except about certainty."""
        try:
            return self._once(method, path, params, has_effect=has_effect)
        except stripe.StripeError as first:
            if not errors.is_worth_repeating(first):
                raise errors.translated(first, has_effect=has_effect, refuses_by_state=refuses_by_state) from first
            is_open = has_effect and errors.may_have_happened(first)
        try:
            return self._once(method, path, params, has_effect=has_effect)
        except stripe.StripeError as second:
            failure = errors.translated(second, has_effect=has_effect, refuses_by_state=refuses_by_state)
            if is_open and isinstance(failure, TemporaryError):
                raise errors.unknown() from second
            raise failure from second

    def _once(self, method: str, path: str, params: Json, *, has_effect: bool) -> Json:
        try:
            answer = self._client.raw_request(method, path, **params)
        except AttributeError as error:  # stripe-python's, over an error object that is none
            raise errors.unreadable(has_effect=has_effect) from error
        found = getattr(answer, "data", None)
        if not isinstance(found, dict):
            raise errors.unreadable(has_effect=has_effect)
        return found


def read(parse: Callable[[], Value], *, has_effect: bool = False) -> Value:
    """Return what `parse` makes of an answer.

    Raises:
        TemporaryError: the answer does not have Stripe's shape; with `has_effect` an `UnknownOutcomeError`.
    """
    try:
        return parse()
    except _READ_ERRORS as error:
        raise errors.unreadable(has_effect=has_effect) from error


def text(value: object) -> str:
    """Return a value that must be text.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, str):
        raise TypeError("not text")
    return value


def optional_text(value: object) -> str | None:
    """Return a value that is text or missing.

    Raises:
        TypeError: it is something else.
    """
    return None if value is None else text(value)


def whole(value: object) -> int:
    """Return a value that must be a whole number.

    Raises:
        TypeError: it is not.
    """
    if type(value) is not int:
        raise TypeError("not a whole number")
    return value


def id_of(value: object) -> str | None:
    """Return the id of an object that Stripe gives as an id, expanded, or not at all.

    Raises:
        KeyError: an expanded object has no id.
        TypeError: it is something else.
    """
    return optional_text(value["id"] if isinstance(value, dict) else value)


def expanded(value: object) -> Json | None:
    """Return an object that was asked for in full; None where Stripe has none, or has an id alone."""
    return cast("Json", value) if isinstance(value, dict) else None


def is_reference(reference: str, *prefixes: str) -> bool:
    """Tell whether a reference is Stripe's by its form, so that it may stand in a path."""
    return reference.startswith(prefixes) and reference.isascii() and reference.replace("_", "").isalnum()


def safe_reference(reference: str, *prefixes: str) -> str:
    """Return a reference that may stand in a path.

    Raises:
        ProviderDeclinedError: it is none of Stripe's.
    """
    if is_reference(reference, *prefixes):
        return reference
    raise ProviderDeclinedError(Decline.REQUEST_REFUSED)


def _page(page: Json) -> tuple[Sequence[Json], str | None]:
    """Return a page's objects and, if more follow, the id after which they do."""

    def parsed() -> tuple[Sequence[Json], str | None]:
        objects = [dict(one) for one in page["data"]]
        has_more = page["has_more"] is True and bool(objects)
        return objects, text(objects[-1]["id"]) if has_more else None

    return read(parsed)


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no proxy and no .netrc decides about money, or puts another key into the header
    session.max_redirects = 0  # an API does not redirect
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=_POOL_SIZE))
    return session


def _silence_library() -> None:
    """Keep the library from writing bodies, messages and figures about this machine anywhere."""
    logging.getLogger("stripe").setLevel(logging.WARNING)
    stripe.log = None
    stripe_util.STRIPE_LOG = None  # its environment variable would print bodies to standard error
    stripe.enable_telemetry = False  # it writes an id into the home directory and sends timings
