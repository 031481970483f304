"""The API's resources of the gateway itself: API keys, and the test clock."""

from __future__ import annotations

from typing import Final

from streampay import models
from streampay._api import given, path_with
from streampay._pages import Page
from streampay._resources import Resource

_KEYS: Final = "/v1/api_keys"
_CLOCK: Final = "/v1/test/clock"


class ApiKeys(Resource):
    """`client.api_keys`: the keys of the account and mode of this client's key."""

    def create(self, *, description: str | None = None, idempotency_key: str | None = None) -> models.ApiKey:
        """Make a key; only this answer has its `secret`.

        Raises:
            Conflict: there are a hundred already.
            PermissionDenied: the client's own key is ending.
        """
        return self._api.post(models.ApiKey, _KEYS, given(description=description), idempotency_key)

    def retrieve(self, key_id: str) -> models.ApiKey:
        """Read a key, without its secret."""
        return self._api.get(models.ApiKey, path_with(_KEYS, key_id))

    def list(
        self, *, limit: int | None = None, starting_after: str | None = None, ending_before: str | None = None
    ) -> Page[models.ApiKey]:
        """List keys, newest first, those that have ended included."""
        query = given(limit=limit, starting_after=starting_after, ending_before=ending_before)
        return self._api.page(models.ApiKey, _KEYS, query)

    def roll(
        self,
        key_id: str,
        *,
        grace_s: int | None = None,
        force: bool | None = None,
        idempotency_key: str | None = None,
    ) -> models.ApiKey:
        """Make a successor; only this answer has its `secret`. The old key works for `grace_s` seconds more.

        Args:
            key_id: the key to replace.
            grace_s: 0 to 604800; the gateway's default is a day. For the client's own key at least 60.
            force: take less than 60 for the client's own key: if the answer is lost, you are locked out.
            idempotency_key: name it to make your own repetition safe as well; otherwise a random one is sent.

        Raises:
            Conflict: it is not active (`api_key_not_active`), or the grace is too short (`api_key_needed`).
            PermissionDenied: the client's own key is ending.
        """
        body = given(grace_s=grace_s, force=force)
        return self._api.post(models.ApiKey, path_with(_KEYS, key_id, "/roll"), body, idempotency_key)

    def revoke(self, key_id: str, *, force: bool | None = None, idempotency_key: str | None = None) -> models.ApiKey:
        """End a key within a second.

        Raises:
            Conflict: it is the client's own key, or the last one, and `force` is not True (`api_key_needed`).
            PermissionDenied: the client's own key is ending.
        """
        return self._api.post(models.ApiKey, path_with(_KEYS, key_id, "/revoke"), given(force=force), idempotency_key)


class GatewayClock(Resource):
    """`client.test_clock`: lets time pass on a gateway for testing (`STREAMPAY_TEST_CLOCK=yes`)."""

    def retrieve(self) -> models.GatewayTime:
        """Read what time it is there.

        Raises:
            NotFound: it has no test clock, or this is a live key (`test_clock_off`).
        """
        return self._api.get(models.GatewayTime, _CLOCK)

    def advance(self, seconds: int, *, idempotency_key: str | None = None) -> models.GatewayTime:
        """Let time pass, forward only; every process of the gateway follows within a second.

        Raises:
            NotFound: it has no test clock, or this is a live key (`test_clock_off`).
            Conflict: it is 400 days ahead already (`test_clock_limit_reached`).
        """
        return self._api.post(models.GatewayTime, f"{_CLOCK}/advance", {"seconds": seconds}, idempotency_key)
