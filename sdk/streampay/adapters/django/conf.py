"""`STREAMPAY = {...}` of the Django settings, and the one `PaymentGateway` that is made of it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from streampay.errors import StreamPayError
from streampay.gateway import Hooks, PaymentGateway, SettingsError

OWN = frozenset({"hooks", "prefix", "webhook_url", "using"})


@functools.cache
def gateway() -> PaymentGateway:
    """Return the plugin of this project.

    `STREAMPAY` holds values of `PaymentGateway.fields`, and `hooks` (a `Hooks`, or a mapping such as
    `{"on_paid": ship}`; dotted names are imported), `prefix`, `webhook_url`, and `using`, the alias of a database.
    `api_key`, `base_url` and `webhook_secrets` may stay in the environment.

    Raises:
        ImproperlyConfigured: something is missing, unknown or cannot be used.
    """
    from streampay.adapters.django.store import DjangoOrderStore  # noqa: PLC0415 - models need the app registry

    given = dict(getattr(settings, "STREAMPAY", {}))
    own = {name: given.pop(name) for name in OWN & given.keys()}
    unknown = given.keys() - {field.name for field in PaymentGateway.fields}
    if unknown:
        raise ImproperlyConfigured(f"STREAMPAY knows no {', '.join(sorted(unknown))}")
    try:
        return PaymentGateway.from_settings(
            given,
            DjangoOrderStore(using=own.get("using")),
            hooks=_hooks(own.get("hooks")),
            prefix=own.get("prefix", ""),
            webhook_url=own.get("webhook_url"),
        )
    except (SettingsError, StreamPayError, ImportError, TypeError) as error:
        raise ImproperlyConfigured(f"STREAMPAY: {error}") from error


def _hooks(given: object) -> Hooks:
    found = import_string(given) if isinstance(given, str) else given
    if isinstance(found, Mapping):
        return Hooks(**{name: import_string(one) if isinstance(one, str) else one for name, one in found.items()})
    if found is not None and not isinstance(found, Hooks):
        raise TypeError("hooks is a streampay.gateway.Hooks, a mapping, or the dotted name of either")
    return found or Hooks()


def check_settings(**_: object) -> list[CheckMessage]:
    """Tell `manage.py check` what is wrong."""
    try:
        gateway()
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="docs/django.md lists the settings.", id="streampay.E001")]
    return []


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "STREAMPAY":
        gateway.cache_clear()


setting_changed.connect(_forget, dispatch_uid="streampay")
