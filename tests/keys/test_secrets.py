"""Secrets at rest open for their owner and with their key, and for nobody else."""

import base64

import pytest

from gateway.keys.secrets import SecretBox, UnreadableSecretError

OLD, NEW = bytes(range(32)), bytes(range(1, 33))
AAD = "merchant:mer_1|webhook_secret"
SECRET = "whsec_c3RyZWFtcGF5"


def test_what_was_sealed_opens_and_the_text_shows_nothing_of_it() -> None:
    sealed = SecretBox(NEW).seal(SECRET, aad=AAD)
    assert SecretBox(NEW).open(sealed, aad=AAD) == SECRET
    assert sealed.startswith("v1.")
    assert SECRET not in sealed
    assert SECRET.encode() not in base64.urlsafe_b64decode(sealed.split(".")[2])


def test_the_same_secret_never_seals_to_the_same_text() -> None:
    box = SecretBox(NEW)
    assert len({box.seal(SECRET, aad=AAD) for _ in range(100)}) == 100


def test_rotation_opens_old_texts_and_seals_with_the_new_key() -> None:
    sealed_before = SecretBox(OLD).seal(SECRET, aad=AAD)
    ring = SecretBox.from_keys([NEW, OLD])
    assert ring.open(sealed_before, aad=AAD) == SECRET
    assert not ring.is_current(sealed_before)
    sealed_after = ring.seal(ring.open(sealed_before, aad=AAD), aad=AAD)
    assert ring.is_current(sealed_after)
    assert SecretBox(NEW).open(sealed_after, aad=AAD) == SECRET


def test_a_key_that_left_the_ring_is_named_as_the_reason() -> None:
    sealed = SecretBox(OLD).seal(SECRET, aad=AAD)
    with pytest.raises(UnreadableSecretError, match="not on the ring"):
        SecretBox(NEW).open(sealed, aad=AAD)


@pytest.mark.parametrize("aad", ["merchant:mer_2|webhook_secret", "merchant:mer_1|other", ""])
def test_a_text_moved_to_another_owner_or_field_does_not_open(aad: str) -> None:
    sealed = SecretBox(NEW).seal(SECRET, aad=AAD)
    with pytest.raises(UnreadableSecretError, match="another owner or field"):
        SecretBox(NEW).open(sealed, aad=aad)


def test_every_flipped_character_is_refused() -> None:
    box = SecretBox(NEW)
    sealed = box.seal(SECRET, aad=AAD)
    for place, character in enumerate(sealed):
        changed = sealed[:place] + ("A" if character != "A" else "B") + sealed[place + 1 :]
        if place == len(sealed) - 1 and changed.endswith("="):
            continue
        with pytest.raises(UnreadableSecretError):
            box.open(changed, aad=AAD)


@pytest.mark.parametrize("text", ["", "v1", "v1..", "v1.a.b.c", "v1.00000000.é", "v1.00000000.%%", "\0.\0.\0"])
def test_garbage_is_refused_by_our_own_error(text: str) -> None:
    with pytest.raises(UnreadableSecretError):
        SecretBox(NEW).open(text, aad=AAD)


def test_a_text_too_short_for_its_nonce_is_refused() -> None:
    box = SecretBox(NEW)
    version, key_id, _ = box.seal(SECRET, aad=AAD).split(".")
    for blob in (b"", b"short", b"x" * 12, b"x" * 27):
        with pytest.raises(UnreadableSecretError):
            box.open(f"{version}.{key_id}.{base64.urlsafe_b64encode(blob).decode()}", aad=AAD)


def test_an_unknown_format_is_named_as_the_reason() -> None:
    sealed = SecretBox(NEW).seal(SECRET, aad=AAD)
    with pytest.raises(UnreadableSecretError, match="format"):
        SecretBox(NEW).open("v2" + sealed[2:], aad=AAD)


@pytest.mark.parametrize("key", [b"", b"x" * 16, b"x" * 31, b"x" * 33])
def test_a_key_of_another_length_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SecretBox(key)
    with pytest.raises(ValueError, match="32 bytes"):
        SecretBox(NEW, key)


def test_an_empty_ring_and_an_oversized_secret_are_refused() -> None:
    with pytest.raises(ValueError, match="At least one key"):
        SecretBox.from_keys([])
    with pytest.raises(ValueError, match="4096"):
        SecretBox(NEW).seal("x" * 4097, aad=AAD)


def test_a_box_and_its_errors_show_no_key() -> None:
    box = SecretBox(NEW)
    assert repr(box) == "SecretBox(keys=1)"
    with pytest.raises(UnreadableSecretError) as caught:
        box.open(box.seal(SECRET, aad=AAD), aad="x")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
