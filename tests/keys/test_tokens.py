"""Keys are long, recognisable and checked offline."""

import base64
import hashlib
import string

import pytest

from gateway.kernel.log import mask_secrets
from gateway.keys.tokens import digest, hint, is_live, is_well_formed, new_api_key, new_webhook_secret


@pytest.mark.parametrize(("livemode", "prefix"), [(False, "sk_test_"), (True, "sk_live_")])
def test_a_new_key_has_its_prefix_its_length_and_a_right_checksum(livemode: bool, prefix: str) -> None:  # noqa: FBT001 - it is a column of a table
    key = new_api_key(livemode=livemode)
    assert key.startswith(prefix)
    assert len(key) == len(prefix) + 43 + 6
    assert is_well_formed(key)
    assert is_live(key) is livemode


def test_keys_and_secrets_do_not_repeat() -> None:
    assert len({new_api_key(livemode=True) for _ in range(1000)}) == 1000
    assert len({new_webhook_secret() for _ in range(1000)}) == 1000


def test_every_single_typing_error_is_seen_offline() -> None:
    key = new_api_key(livemode=False)
    alphabet = string.ascii_letters + string.digits + "-_"
    for place in range(len(key)):
        for other in alphabet:
            changed = key[:place] + other + key[place + 1 :]
            assert is_well_formed(changed) is (changed == key)


def test_swapped_neighbours_are_seen_offline() -> None:
    key = new_api_key(livemode=False)
    for place in range(8, len(key) - 1):
        swapped = key[:place] + key[place + 1] + key[place] + key[place + 2 :]
        assert is_well_formed(swapped) is (swapped == key)


@pytest.mark.parametrize("text", ["", "sk_test_", "sk_test_" + "a" * 49, "pk_test_" + "a" * 49, "é" * 57, "\0"])
def test_what_is_no_key_is_not_well_formed(text: str) -> None:
    assert not is_well_formed(text)


def test_a_mode_cannot_be_changed_by_its_prefix() -> None:
    assert not is_well_formed(new_api_key(livemode=False).replace("sk_test_", "sk_live_"))


def test_the_digest_is_sha256_and_the_hint_shows_three_characters() -> None:
    key = new_api_key(livemode=False)
    assert digest(key) == hashlib.sha256(key.encode()).hexdigest()
    assert hint(key) == f"sk_test_…{key[-3:]}"


def test_a_webhook_secret_is_32_bytes_in_base64() -> None:
    secret = new_webhook_secret()
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


def test_logs_mask_both() -> None:
    key, secret = new_api_key(livemode=True), new_webhook_secret()
    assert mask_secrets(f"{key} and {secret}") == "sk_live_*** and whsec_***"
