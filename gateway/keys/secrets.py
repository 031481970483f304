"""Secrets at rest: AES-256-GCM with the owner bound in, and a key ring for rotation.

A sealed text is `v1.<key id>.<base64url(nonce + ciphertext + tag)>`. The additional data (`merchant:mer_…|field`) is
not stored: a row that is copied to another owner or field no longer opens. Nonces are 96 random bits, which is safe for
2^32 seals under one key (NIST SP 800-38D, section 8.3); webhook secrets stay far below.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
MAX_SECRET_BYTES: Final = 4096  # small secrets only; anything longer is not a secret but a document
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_VERSION: Final = "v1"


class UnreadableSecretError(Exception):
    """A sealed secret does not open: its key is not on the ring, or it was changed or moved. Says nothing of it."""


class SecretBox:
    """Seals with the newest key and opens with any key on the ring; safe among threads."""

    def __init__(self, key: bytes, *older: bytes) -> None:
        """Take the key that seals, then the keys that only open.

        Raises:
            ValueError: a key is not 32 bytes long.
        """
        if any(len(each) != KEY_BYTES for each in (key, *older)):
            raise ValueError(f"A key has {KEY_BYTES} bytes.")
        self._newest = _key_id(key)
        self._digest_key = hashlib.sha256(b"streampay digest key\0" + key).digest()
        self._ring = {_key_id(each): AESGCM(each) for each in (*older, key)}

    @classmethod
    def from_keys(cls, keys: Sequence[bytes]) -> Self:
        """Return a box of several keys, the newest first.

        Raises:
            ValueError: there is no key, or one is not 32 bytes long.
        """
        if not keys:
            raise ValueError("At least one key is needed.")
        return cls(keys[0], *keys[1:])

    def __repr__(self) -> str:
        return f"SecretBox(keys={len(self._ring)})"

    def seal(self, secret: str, *, aad: str) -> str:
        """Return `secret` sealed for its owner and field, named by `aad`.

        Raises:
            ValueError: the secret is longer than 4,096 bytes.
        """
        plain = secret.encode()
        if len(plain) > MAX_SECRET_BYTES:
            raise ValueError(f"A secret has at most {MAX_SECRET_BYTES} bytes.")
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._ring[self._newest].encrypt(nonce, plain, _bound(self._newest, aad))
        return f"{_VERSION}.{self._newest}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, *, aad: str) -> str:
        """Return the secret.

        Raises:
            UnreadableSecretError: wrong key, wrong owner or field, changed text, or an unknown format.
        """
        key_id, blob = _parse(sealed)
        key = self._ring.get(key_id)
        if key is None:
            raise UnreadableSecretError("The key that sealed this secret is not on the ring. Add it as an older key.")
        try:
            return key.decrypt(blob[:_NONCE_BYTES], blob[_NONCE_BYTES:], _bound(key_id, aad)).decode()
        except InvalidTag:
            raise UnreadableSecretError(
                "This secret was changed, or belongs to another owner or field. Issue a new one."
            ) from None

    def digest(self, text: str, *, purpose: str) -> str:
        """Return 64 hex digits that tell equal texts apart from others, and nothing else without the newest key."""
        key, message = self._digest_key, f"{purpose}\0{text}".encode()
        return hmac.new(key, message, hashlib.sha256).hexdigest()

    def is_current(self, sealed: str) -> bool:
        """Tell whether the newest key sealed this text; if not, open it and seal it again."""
        return _parse(sealed)[0] == self._newest


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"streampay key id\0" + key).hexdigest()[:8]


def _bound(key_id: str, aad: str) -> bytes:
    return f"{_VERSION}.{key_id}|{aad}".encode()


def _parse(sealed: str) -> tuple[str, bytes]:
    parts = sealed.split(".")
    try:
        version, key_id, text = parts
        blob = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise UnreadableSecretError("This is not a sealed secret.") from None
    if base64.urlsafe_b64encode(blob).decode() != text:
        raise UnreadableSecretError("This is not a sealed secret.")  # base64 has spare bits; one secret has one text
    if version == _VERSION and len(blob) < _NONCE_BYTES + _TAG_BYTES:
        raise UnreadableSecretError("This sealed secret was cut short.")
    if version != _VERSION:
        raise UnreadableSecretError("This secret was sealed in a format that this version does not know.")
    return key_id, blob
