"""The floor of UDP: ``recvmmsg`` into 64 slots of 2 KiB, nothing per packet.

With ``--gro`` the kernel puts segments together again (UDP_GRO): fewer, larger messages. How many
packets they are is then told from their bytes, by the size of the first.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys

from bench.receivers.common import make_parser, parse
from bench.receivers.drain import drain

__all__: list[str] = []

SLOTS = 64
SLOT = 2048  # bytes
GRO_SLOTS = 16
GRO_SLOT = 65_536  # bytes
UDP_GRO = 104  # linux/udp.h
CONTROL = 64  # bytes: room for one control message with an int
CONTROL_DATA = ctypes.sizeof(ctypes.c_size_t) + 8  # size of a cmsghdr

C = ctypes


class _Vector(ctypes.Structure):
    _fields_ = (("base", C.c_void_p), ("length", C.c_size_t))


class _Header(ctypes.Structure):
    _fields_ = (
        ("name", C.c_void_p),
        ("name_length", C.c_uint32),
        ("vectors", C.POINTER(_Vector)),
        ("vector_count", C.c_size_t),
        ("control", C.c_void_p),
        ("control_length", C.c_size_t),
        ("flags", C.c_int),
    )


class _Message(ctypes.Structure):
    _fields_ = (("header", _Header), ("length", C.c_uint))


class _Slots:
    """Message headers over one piece of memory."""

    def __init__(self, count: int, size: int, *, control: bool) -> None:
        self.count = count
        self.memory = (C.c_char * (count * size))()
        self.vectors = (_Vector * count)()
        self.messages = (_Message * count)()
        self.controls = (C.c_char * (count * CONTROL))()
        for index in range(count):
            self.vectors[index].base = C.addressof(self.memory) + index * size
            self.vectors[index].length = size
            header = self.messages[index].header
            header.vectors = C.pointer(self.vectors[index])
            header.vector_count = 1
            if control:
                header.control = C.addressof(self.controls) + index * CONTROL
                header.control_length = CONTROL
        self.receive = C.CDLL(None, use_errno=True).recvmmsg
        self.receive.argtypes = (C.c_int, C.c_void_p, C.c_uint, C.c_int, C.c_void_p)
        self.receive.restype = C.c_int

    def fill(self, number: int) -> int:
        """Messages that were there; 0 when there was none."""
        count: int = self.receive(number, self.messages, self.count, socket.MSG_DONTWAIT, None)
        if count < 0:
            code = C.get_errno()
            if code not in (errno.EAGAIN, errno.EINTR, errno.ECONNREFUSED):
                raise OSError(code, os.strerror(code))
            return 0
        return count


class _Plain:
    def __init__(self) -> None:
        self.slots = _Slots(SLOTS, SLOT, control=False)

    def empty(self, sock: socket.socket) -> tuple[int, int]:
        fill, number = self.slots.fill, sock.fileno()
        packets = 0
        while (count := fill(number)) == SLOTS:
            packets += count
        return packets + count, 0


class _Segmented:
    def __init__(self) -> None:
        self.slots = _Slots(GRO_SLOTS, GRO_SLOT, control=True)
        self.ready: set[int] = set()

    def empty(self, sock: socket.socket) -> tuple[int, int]:
        slots, number = self.slots, sock.fileno()
        if number not in self.ready:
            sock.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
            self.ready.add(number)
        packets = size = 0
        while True:
            count = slots.fill(number)
            for index in range(count):
                message = slots.messages[index]
                length = message.length
                packets += -(-length // self._segment(index, message.header, length))
                size += length
                message.header.control_length = CONTROL
            if count < GRO_SLOTS:
                return packets, size

    def _segment(self, index: int, header: _Header, length: int) -> int:
        """Size of the segments of a message, from its control message."""
        if header.control_length < CONTROL_DATA + 4:
            return length or 1
        begin = index * CONTROL + CONTROL_DATA
        return (
            int.from_bytes(memoryview(self.slots.controls)[begin : begin + 4], sys.byteorder) or 1
        )


def main() -> None:
    """Run the drain."""
    parser = make_parser(__doc__)
    parser.add_argument("--gro", action="store_true", help="let the kernel join segments")
    options = parse(parser)
    if options.transport == "tcp":
        parser.error("recvmmsg is for UDP")
    if options.gro:
        drain(options, _Segmented().empty, "packet", "recvmmsg, UDP_GRO")
    else:
        drain(options, _Plain().empty, "", "recvmmsg")


if __name__ == "__main__":
    main()
