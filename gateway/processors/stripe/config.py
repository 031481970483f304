"""What one mode of a gateway knows of a Stripe account."""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

# Secret and restricted keys; a publishable key (`pk_`) can do nothing that this room needs.
_PREFIXES: Final = {False: ("sk_test_", "rk_test_"), True: ("sk_live_", "rk_live_")}


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeConfig:
    """One Stripe account in one mode; its representation shows no secret.

    Attributes:
        livemode: whether real money moves; the key must be of the same mode.
        secret_key: a secret or restricted key.
        webhook_secrets: signing secrets of the webhook endpoint, newest first; several during a rotation.
        base_url: where the API is, if not at Stripe: the Test Bank. Only with a test key.
        account_name: how people call this account, for logs and `doctor`; no secret.
    """

    livemode: bool
    secret_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False, default=())
    base_url: str | None = None
    account_name: str = "stripe"

    def __post_init__(self) -> None:
        assert self.secret_key.startswith(_PREFIXES[self.livemode]), "the key is of the other mode, or no secret key"
        assert all(secret.strip() == secret and secret for secret in self.webhook_secrets), "a webhook secret is empty"
        assert self.base_url is None or not self.livemode, "only test keys may go to another address than Stripe's"
        if self.base_url is not None:
            parts = urlsplit(self.base_url)
            assert parts.scheme in {"http", "https"}, "the base URL is absolute"
            assert parts.hostname, "the base URL names a host"
            assert not self.base_url.endswith("/"), "the base URL has no final slash"
