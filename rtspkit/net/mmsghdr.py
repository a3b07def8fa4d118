"""The structures that ``recvmmsg`` and ``sendmmsg`` share, as Linux has them.

Layer:  net

     struct mmsghdr (64 bytes)
     0   name            void *
     8   name length     uint32, padding
     16  vector          struct iovec *
     24  vector length   size_t
     32  control         void *
     40  control length  size_t
     48  flags           int, padding
     56  length          uint32, padding

Fact the code leans on
- This is the layout of 64-bit little-endian Linux, for glibc and for musl: where glibc has a
  ``size_t``, musl has an ``int`` and four bytes of padding, which are zero here.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable
from typing import Any

__all__ = ["HEADER_SIZE", "LAYOUT_KNOWN", "IoVector", "MessageHeader", "c_function"]

MACHINES = ("x86_64", "aarch64")
HEADER_SIZE = 64  # bytes of one ``MessageHeader``


class IoVector(ctypes.Structure):
    """``struct iovec``."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class MessageHeader(ctypes.Structure):
    """``struct mmsghdr``; ``length`` is what was received, or sent."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vector", ctypes.c_void_p),
        ("vector_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("padding", ctypes.c_uint32),
        ("length", ctypes.c_uint32),
    )


LAYOUT_KNOWN = (
    sys.platform == "linux"
    and platform.machine() in MACHINES
    and sys.byteorder == "little"
    and ctypes.sizeof(IoVector) == 16
    and ctypes.sizeof(MessageHeader) == HEADER_SIZE
    and MessageHeader.control_length.offset == 40
    and MessageHeader.length.offset == 56
)


def c_function(name: str, argument_types: tuple[Any, ...] | None) -> Callable[..., int] | None:
    """A function of the C library that returns an int; None where we do not know its structures.

    It is called with the interpreter's lock kept, as what never waits may be.

    Args:
        name: Of the function.
        argument_types: What each argument is converted to; None when the caller brings every
            address as a ``c_void_p`` and everything else fits into an ``int``, which costs a
            fifth of the call less, and a third when it comes after a pause.
    """
    if not LAYOUT_KNOWN:
        return None
    try:
        function = getattr(ctypes.PyDLL(None, use_errno=True), name)
    except (AttributeError, OSError):
        return None
    if argument_types is not None:
        function.argtypes = argument_types
    function.restype = ctypes.c_int
    found: Callable[..., int] = function
    return found
