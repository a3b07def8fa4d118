"""``sendmmsg``: up to 64 datagrams of one socket in one system call, through ``ctypes``.

Layer:  net
In:     the bytes of several datagrams behind each other, and their sizes
Out:    how many of them the kernel took
Source: sendmmsg(2), sendmsg(2), ip(7), ipv6(7) of Linux

Facts the code leans on
- One join and one iovec for each datagram cost less than an iovec for each part: finding the
  address of 128 Python buffers takes longer than copying 77 KB. A read-only buffer is as good as
  any other to a join, and the one ``bytes`` it makes outlives the call.
- The kernel names an error only when it concerns the first datagram; else it tells how many went.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from array import array
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from typing import Any

from rtspkit.net.mmsghdr import IoVector, MessageHeader, c_function

__all__ = ["MESSAGES", "MessageVector", "is_supported", "pack_address"]

MESSAGES = 64  # datagrams in one call

_IPV4 = struct.Struct("!H4s8x")  # behind the family: port, address (ip(7))
_IPV6 = struct.Struct("!HI16s")  # port, flow label, address; the scope behind it is native
_NATIVE_16 = struct.Struct("=H")
_NATIVE_32 = struct.Struct("=I")


_sendmmsg = c_function("sendmmsg", (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int))


def pack_address(family: int, address: tuple[Any, ...]) -> bytes | None:
    """A ``sockaddr`` as the kernel reads it.

    Args:
        family: ``AF_INET`` or ``AF_INET6``.
        address: ``(host, port)``, or ``(host, port, flow, scope)``; the host is numeric.

    Returns:
        None for another family, and for a host that is a name or has a scope in its text.
    """
    try:
        host = socket.inet_pton(family, address[0])
    except OSError:
        return None
    begin, port = _NATIVE_16.pack(family), address[1]
    if family == socket.AF_INET:
        return begin + _IPV4.pack(port, host)
    flow, scope = (*address[2:], 0, 0)[:2]
    return begin + _IPV6.pack(port, flow, host) + _NATIVE_32.pack(scope)


class MessageVector:
    """The headers of 64 datagrams to one address, made once.

    Args:
        name: A packed address, or nothing for a socket that is connected.
    """

    __slots__ = ("_messages", "_name", "_vectors", "_words")

    def __init__(self, name: bytes = b"") -> None:
        self._name = ctypes.create_string_buffer(name, max(len(name), 1))
        self._vectors = (IoVector * MESSAGES)()
        self._messages = (MessageHeader * MESSAGES)()
        self._words = memoryview(self._vectors).cast("B").cast("Q")
        first = ctypes.addressof(self._vectors)
        for place, header in enumerate(self._messages):
            if name:
                header.name, header.name_length = ctypes.addressof(self._name), len(name)
            header.vector = first + place * ctypes.sizeof(IoVector)
            header.vector_length = 1

    def send(self, descriptor: int, data: bytes, sizes: Sequence[int]) -> int:
        """Send without blocking.

        Args:
            descriptor: Of the socket.
            data: The datagrams behind each other; kept alive here while the kernel reads.
            sizes: Of each, in bytes; 1 to 64 of them, with the length of ``data`` as their sum.

        Returns:
            How many the kernel took, from the front; at least one.

        Raises:
            OSError: It took none, and why.
        """
        count = len(sizes)
        assert 0 < count <= MESSAGES
        assert sum(sizes) == len(data)
        assert _sendmmsg is not None
        pointer = ctypes.c_char_p(data)
        begin = ctypes.c_void_p.from_buffer(pointer).value or 0
        places = array("Q", accumulate(sizes, initial=begin))
        self._words[0 : 2 * count : 2] = memoryview(places)[:count]
        self._words[1 : 2 * count : 2] = array("Q", sizes)
        taken = _sendmmsg(descriptor, ctypes.addressof(self._messages), count, socket.MSG_DONTWAIT)
        if taken < 1:
            number = ctypes.get_errno() if taken < 0 else errno.EIO
            raise OSError(number, os.strerror(number))
        return taken


@cache
def is_supported() -> bool:
    """Whether two datagrams really went through it as they should, tried once."""
    if _sendmmsg is None:
        return False
    expected = [b"first", b"", b"the third"]
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, far:
        far.setblocking(False)
        try:
            taken = MessageVector().send(near.fileno(), b"".join(expected), [5, 0, 9])
            return [far.recv(16) for _ in range(taken)] == expected
        except OSError:
            return False
