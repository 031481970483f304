"""Base 58 in Bitcoin's alphabet, for instruction data of any length; solders decodes fixed lengths only."""

from typing import Final

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {digit: value for value, digit in enumerate(_ALPHABET)}
MAX_DIGITS: Final = 1_700  # 1232 bytes, the longest memo; the decoder is quadratic, and strangers choose the length


def b58decode(text: str) -> bytes:
    """Return the bytes of base-58 text.

    Raises:
        ValueError: a character is not of the alphabet, or the text is too long.
    """
    if len(text) > MAX_DIGITS:
        raise ValueError("base 58 text is too long")
    number = 0
    for digit in text:
        value = _VALUES.get(digit)
        if value is None:
            raise ValueError("not base 58")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
