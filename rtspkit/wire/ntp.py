"""NTP timestamps, as RTCP carries them: 32 bits of seconds since 1900, 32 bits of fraction.

Layer:  wire
In/Out: plain numbers; Unix time is seconds since 1970 in UTC, without leap seconds
Source: RFC 3550 §4; RFC 5905 §6 (eras)

Facts the code leans on
- The seconds wrap in 2036. A timestamp alone does not tell its era: the one nearest to a known
  time is taken, or else the 136 years from 1968 to 2104 (highest bit set: before 2036).
"""

from __future__ import annotations

import math

__all__ = ["middle_32", "ntp_to_unix", "unix_to_ntp"]

UNIX_EPOCH_NTP = 2_208_988_800  # seconds from 1900 to 1970: (70 * 365 + 17) * 86_400
ERA = 1 << 32  # seconds


def ntp_to_unix(ntp: int, *, near: float | None = None) -> float:
    """Unix seconds of a 64-bit NTP timestamp.

    Args:
        ntp: 0 to 2**64 - 1.
        near: Unix seconds that the result lies within 68 years of; without, the result lies
            between 1968 and 2104.
    """
    seconds, fraction = ntp >> 32, ntp & 0xFFFFFFFF
    if near is not None:
        offset = math.floor(near) + UNIX_EPOCH_NTP - seconds
        seconds += (offset + ERA // 2) // ERA * ERA
    elif not seconds & 0x80000000:
        seconds += ERA
    return seconds - UNIX_EPOCH_NTP + fraction / ERA


def unix_to_ntp(wall: float) -> int:
    """The 64-bit NTP timestamp of ``wall`` Unix seconds; its era is lost."""
    seconds = math.floor(wall)
    fraction = round((wall - seconds) * ERA)
    return ((seconds + UNIX_EPOCH_NTP << 32) + fraction) & 0xFFFFFFFFFFFFFFFF


def middle_32(ntp: int) -> int:
    """The middle 32 bits of a 64-bit timestamp, in 1/65,536 s, as in LSR (RFC 3550 §6.4.1)."""
    return (ntp >> 16) & 0xFFFFFFFF
