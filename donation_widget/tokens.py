"""The token that a form carries: it names the form, so that sending it twice gives once, and soon runs out.

Signed, not secret, and tied to no browser: a framed form has no cookie. Whoever wants to give may have it.
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from itsdangerous import BadData, URLSafeSerializer

from gateway.kernel.clock import Clock
from gateway.kernel.errors import ErrorCode, InvalidRequestError
from gateway.kernel.ids import secret_token

LIFETIME: Final = timedelta(hours=1)
ASKABLE: Final = timedelta(days=1)  # for so long a form left open may ask what became of it
MAX_LENGTH: Final = 400  # ours have about 170 characters
_SALT: Final = "streampay donation form"


class FormTokens:
    """Issues and reads tokens; every process of a gateway has the same keys, and so the same tokens."""

    def __init__(self, secret_keys: Sequence[bytes], clock: Clock) -> None:
        """Take the gateway's secret keys, the newest first; what signs is derived from them."""
        derived = [hmac.digest(key, _SALT.encode(), hashlib.sha256) for key in reversed(secret_keys)]
        self._serializer = URLSafeSerializer(
            derived, salt=_SALT, signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        )
        self._clock = clock

    def issue(self, campaign_id: str) -> str:
        """Return the token of a new form."""
        return str(self._serializer.dumps([secret_token(), campaign_id, int(self._clock.now().timestamp())]))

    def read(self, token: str, campaign_id: str, *, lifetime: timedelta = LIFETIME) -> str:
        """Return the form's id.

        Raises:
            InvalidRequestError: `form_expired`: too old, changed, of another campaign, or none of ours.
        """
        refused = InvalidRequestError(ErrorCode.FORM_EXPIRED, "Open the form again.", param="/form")
        if len(token) > MAX_LENGTH:
            raise refused
        try:
            form_id, named, issued_s = self._serializer.loads(token)
        except BadData:
            raise refused from None
        age_s = self._clock.now().timestamp() - issued_s
        if named != campaign_id or age_s > lifetime.total_seconds():
            raise refused
        return str(form_id)
