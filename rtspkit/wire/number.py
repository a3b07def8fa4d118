"""Numbers in text from the network: ASCII digits, length-capped, or nothing.

Layer:  wire
In:     the text of one number, without blanks around it
Out:    the number, or None; nothing is ever raised
Source: RFC 2326 §3.6 (npt), §12; RFC 5234 B.1 (DIGIT, HEXDIG)

Facts the code leans on
- ``int()`` also takes ``1_0``, ``+5``, blanks and digits of other scripts, and spends
  quadratic time on long input: nothing reaches it here before its form and length are known.
"""

from __future__ import annotations

__all__ = ["parse_decimal", "parse_hexadecimal", "parse_seconds"]

HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
WHOLE_SECONDS = 999_999_999_999_999  # fifteen digits: exact in a float
FRACTION_DIGITS = 9  # nanoseconds; what is beyond is cut


def parse_decimal(text: str, *, maximum: int) -> int | None:
    """The whole number that ``text`` is, or None when it is none or above ``maximum``.

    Args:
        text: Digits only; leading zeros do no harm.
        maximum: The greatest number that is accepted, 0 or more.
    """
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0")
    if len(digits) > len(str(maximum)):
        return None
    number = int(digits or "0")
    return number if number <= maximum else None


def parse_hexadecimal(text: str, *, maximum: int) -> int | None:
    """The number that the hexadecimal digits of ``text`` make, or None.

    Args:
        text: Digits only, without ``0x``, in either case; leading zeros do no harm.
        maximum: The greatest number that is accepted, 0 or more.
    """
    if not text or not HEXADECIMAL.issuperset(text):
        return None
    digits = text.lstrip("0")
    if len(digits) > len(f"{maximum:x}"):
        return None
    number = int(digits or "0", 16)
    return number if number <= maximum else None


def parse_seconds(text: str) -> float | None:
    """The seconds that ``text`` is: ``5``, ``5.``, ``5.25``; None for anything else.

    Never negative, never infinite; at most fifteen digits before the point, and what is
    finer than a nanosecond is cut.
    """
    whole, point, fraction = text.partition(".")
    seconds = parse_decimal(whole, maximum=WHOLE_SECONDS)
    if seconds is None:
        return None
    if not fraction:
        return float(seconds)
    if not (fraction.isascii() and fraction.isdigit()):
        return None
    return float(f"{seconds}{point}{fraction[:FRACTION_DIGITS]}")
