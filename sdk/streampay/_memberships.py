"""The API's resources of what goes on: customers, plans, subscriptions."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from streampay import models
from streampay._api import UNCHANGED, Unchanged, amount_text, changed, given, kept, path_with
from streampay._pages import Page
from streampay._resources import Resource

_CUSTOMERS: Final = "/v1/customers"
_PLANS: Final = "/v1/plans"
_SUBSCRIPTIONS: Final = "/v1/subscriptions"


class Customers(Resource):
    """`client.customers`: who pays again and again."""

    def create(
        self,
        *,
        email: str | None = None,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.Customer:
        """Make a customer."""
        body = given(email=email, name=name, metadata=None if metadata is None else dict(metadata))
        return self._api.post(models.Customer, _CUSTOMERS, body, idempotency_key)

    def retrieve(self, customer_id: str) -> models.Customer:
        """Read a customer."""
        return self._api.get(models.Customer, path_with(_CUSTOMERS, customer_id))

    def update(
        self,
        customer_id: str,
        *,
        email: str | Unchanged | None = UNCHANGED,
        name: str | Unchanged | None = UNCHANGED,
        metadata: Mapping[str, str] | Unchanged = UNCHANGED,
    ) -> models.Customer:
        """Change what is given; None empties it. `metadata` replaces all texts."""
        body = changed(email=email, name=name, metadata=kept(metadata, dict))
        return self._api.patch(models.Customer, path_with(_CUSTOMERS, customer_id), body)

    def delete(self, customer_id: str) -> models.DeletedObject:
        """Erase what is known of a person, here and at the providers; payments and books stay, nameless.

        Raises:
            Conflict: a subscription has not ended (`customer_in_use`).
        """
        return self._api.delete(models.DeletedObject, path_with(_CUSTOMERS, customer_id))

    def list(
        self,
        *,
        email: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.Customer]:
        """List customers, newest first."""
        query = given(email=email, limit=limit, starting_after=starting_after, ending_before=ending_before)
        return self._api.page(models.Customer, _CUSTOMERS, query)

    def create_portal_session(
        self, customer_id: str, *, return_url: str, idempotency_key: str | None = None
    ) -> models.PortalSession:
        """Make a short-lived link to the page on which the customer sees bills, changes cards and cancels.

        Raises:
            NotFound: the customer has never paid.
        """
        path = path_with(_CUSTOMERS, customer_id, "/portal_session")
        return self._api.post(models.PortalSession, path, {"return_url": return_url}, idempotency_key)


class Plans(Resource):
    """`client.plans`: what a subscription costs and how it repeats. A plan never changes."""

    def create(
        self,
        *,
        name: str,
        amount: str | Decimal,
        currency: str,
        interval: str,
        interval_count: int | None = None,
        trial_days: int | None = None,
        grace_days: int | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> models.Plan:
        """Make a plan.

        Args:
            name: what is bought, as the customer reads it.
            amount: major units as text or Decimal, of each period.
            currency: `"USD"`; one that the card provider takes.
            interval: `"day"`, `"week"`, `"month"` or `"year"`.
            interval_count: every so many intervals; three years at the most.
            trial_days: days before the first charge.
            grace_days: days to serve on while a renewal is due or was declined; the gateway's default is 3.
            metadata: texts of your own.
            idempotency_key: name it to make your own repetition safe as well; otherwise a random one is sent.
        """
        body = given(
            name=name,
            amount=amount_text(amount, "/amount"),
            currency=currency,
            interval=interval,
            interval_count=interval_count,
            trial_days=trial_days,
            grace_days=grace_days,
            metadata=None if metadata is None else dict(metadata),
        )
        return self._api.post(models.Plan, _PLANS, body, idempotency_key)

    def retrieve(self, plan_id: str) -> models.Plan:
        """Read a plan."""
        return self._api.get(models.Plan, path_with(_PLANS, plan_id))

    def archive(self, plan_id: str, *, idempotency_key: str | None = None) -> models.Plan:
        """Let nobody subscribe to it any more; subscriptions that exist go on."""
        return self._api.post(models.Plan, path_with(_PLANS, plan_id, "/archive"), {}, idempotency_key)

    def list(
        self,
        *,
        is_active: bool | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.Plan]:
        """List plans, newest first."""
        query = given(
            is_active=None if is_active is None else str(is_active).lower(),
            limit=limit,
            starting_after=starting_after,
            ending_before=ending_before,
        )
        return self._api.page(models.Plan, _PLANS, query)


class Subscriptions(Resource):
    """`client.subscriptions`: what goes on until somebody ends it; one begins by a checkout session."""

    def retrieve(self, subscription_id: str) -> models.Subscription:
        """Read a subscription with its newest periods."""
        return self._api.get(models.Subscription, path_with(_SUBSCRIPTIONS, subscription_id))

    def list(
        self,
        *,
        customer: str | None = None,
        plan: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
    ) -> Page[models.Subscription]:
        """List subscriptions, newest first."""
        query = given(
            customer=customer,
            plan=plan,
            status=status,
            limit=limit,
            starting_after=starting_after,
            ending_before=ending_before,
        )
        return self._api.page(models.Subscription, _SUBSCRIPTIONS, query)

    def pause(self, subscription_id: str, *, idempotency_key: str | None = None) -> models.Subscription:
        """Stop billing until it is resumed; periods that begin meanwhile are never billed.

        Raises:
            Conflict: it has ended (`subscription_ended`), or an earlier command has no outcome yet.
            PaymentDeclined: the provider refused; nothing changed.
            ServerError: with the code `outcome_unknown` it may have happened; `retrieve` tells within a minute.
        """
        return self._change(subscription_id, "/pause", {}, idempotency_key)

    def resume(self, subscription_id: str, *, idempotency_key: str | None = None) -> models.Subscription:
        """Bill again from the next period on, and lift an end that was set.

        Raises:
            Conflict, PaymentDeclined, ServerError: as `pause`.
        """
        return self._change(subscription_id, "/resume", {}, idempotency_key)

    def cancel(
        self, subscription_id: str, *, at_period_end: bool | None = None, idempotency_key: str | None = None
    ) -> models.Subscription:
        """End it when what is paid is over, or at once with `at_period_end` False; nothing is given back by itself.

        Raises:
            Conflict, PaymentDeclined, ServerError: as `pause`.
        """
        return self._change(subscription_id, "/cancel", given(at_period_end=at_period_end), idempotency_key)

    def _change(
        self, subscription_id: str, verb: str, body: dict[str, object], idempotency_key: str | None
    ) -> models.Subscription:
        path = path_with(_SUBSCRIPTIONS, subscription_id, verb)
        return self._api.post(models.Subscription, path, body, idempotency_key)
