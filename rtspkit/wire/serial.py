"""Modular arithmetic, the only place for it: engines see unwrapped numbers.

Layer:  wire
In/Out: plain integers
Source: RFC 1982 §3.2 (serial numbers); RFC 3550 A.1 (extended sequence numbers)
"""

from __future__ import annotations

__all__ = ["difference_16", "difference_32", "unwrap_16", "unwrap_32"]


def difference_16(new: int, old: int) -> int:
    """How far ``new`` is ahead of ``old`` on a circle of 2**16: -32,768 to 32,767."""
    return ((new - old + 0x8000) & 0xFFFF) - 0x8000


def difference_32(new: int, old: int) -> int:
    """How far ``new`` is ahead of ``old`` on a circle of 2**32: -2**31 to 2**31 - 1."""
    return ((new - old + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def unwrap_16(value: int, reference: int) -> int:
    """The number nearest to ``reference`` that is ``value`` modulo 2**16."""
    return reference + ((value - reference + 0x8000) & 0xFFFF) - 0x8000


def unwrap_32(value: int, reference: int) -> int:
    """The number nearest to ``reference`` that is ``value`` modulo 2**32."""
    return reference + ((value - reference + 0x80000000) & 0xFFFFFFFF) - 0x80000000
