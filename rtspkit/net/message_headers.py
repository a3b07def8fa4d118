"""What ``recvmmsg`` is told and tells: one message header for each slot of a slab.

Layer:  net (structures of the Linux kernel, in memory of ours)
In:     a slab
Out:    ``address`` for the call; afterwards its answers in columns, each read in one go

     control buffer of one message (96 bytes)
     0   SCM_TIMESTAMPNS  16 + 16 (seconds, nanoseconds)
     32  SO_RXQ_OVFL      16 + 4 + 4, once it is not zero
     ..  UDP_GRO          16 + 4 + 4, when datagrams were joined

Fact the code leans on
- The kernel writes the lengths of control buffers over; they are set back before a slot is used
  again. Nothing else of a header changes.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from struct import Struct

from rtspkit.net.mmsghdr import IoVector, MessageHeader
from rtspkit.net.slab import Slab, address_of

__all__ = ["ANSWER", "LoneHeader", "MessageHeaders", "Overflow", "control_messages"]

CONTROL_SIZE = 96
SLOT_LARGEST = 64 * 1024  # bytes that any datagram fits into
_CMSG = Struct("QII")  # length with this header, level, type
# Of a message header: the size of the control messages, and that of the message
ANSWER = Struct("40xQ8xI").unpack_from


class Overflow:
    """Where the rest of a datagram goes that is larger than its slot; read at once or lost."""

    def __init__(self, slots: int) -> None:
        size = slots * SLOT_LARGEST  # virtual: what is never touched costs nothing
        self.memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.address = address_of(self.memory)


class MessageHeaders:
    """The headers of one slab; built once.

    Args:
        slab: Of ``DATAGRAMS``.
        overflow: Shared by all slabs of a pool.

    Attributes:
        address: Of the first header.
        lengths: Sizes of what was received, one for each slot.
        control_lengths: Sizes of what the kernel told beside it.
        seconds: Times of arrival, where the kernel tells them, in Unix time.
        nanoseconds: The rest of them.
        second_kinds: What is told after the time: the type of that control message.
        second_values: And its value.
    """

    def __init__(self, slab: Slab, overflow: Overflow) -> None:
        slots, size = slab.size_class.slots, slab.size_class.slot_size
        self._vectors = (IoVector * (slots * 2))()
        self._headers = (MessageHeader * slots)()
        self._control = bytearray(slots * CONTROL_SIZE)
        self.overflow = overflow
        control = address_of(self._control)
        vectors = ctypes.addressof(self._vectors)
        for i, header in enumerate(self._headers):
            self._vectors[i * 2] = IoVector(slab.address + i * size, size)
            rest = SLOT_LARGEST - size
            self._vectors[i * 2 + 1] = IoVector(overflow.address + i * SLOT_LARGEST, rest)
            header.vector = vectors + i * 32
            header.vector_length = 2
            header.control = control + i * CONTROL_SIZE
        self.address = ctypes.addressof(self._headers)
        headers = memoryview(self._headers).cast("B")
        self.lengths = headers.cast("I")[14::16]
        self.control_lengths = headers.cast("Q")[5::8]
        times = memoryview(self._control).cast("q")
        self.seconds = times[2 :: CONTROL_SIZE // 8]
        self.nanoseconds = times[3 :: CONTROL_SIZE // 8]
        words = memoryview(self._control).cast("I")
        self.second_kinds = words[11 :: CONTROL_SIZE // 4]
        self.second_values = words[12 :: CONTROL_SIZE // 4]
        self._pristine = memoryview(bytes(CONTROL_SIZE.to_bytes(8, "little") * slots)).cast("Q")
        self.reset()

    def reset(self) -> None:
        """Every slot may be used again."""
        self.control_lengths[:] = self._pristine

    def control(self, slot: int) -> memoryview:
        """What the kernel told beside one message."""
        start = slot * CONTROL_SIZE
        return memoryview(self._control)[start : start + self.control_lengths[slot]]


class LoneHeader:
    """The header of one message that may be as large as any; made once for a socket.

    Attributes:
        address: Of the header.
        control: What the kernel told beside the message, and room behind it.
        answer: For ``ANSWER``: how much the kernel told beside the message, and its size.
    """

    def __init__(self) -> None:
        self._vector = IoVector(0, SLOT_LARGEST)
        self.control = bytearray(CONTROL_SIZE)
        self._header = MessageHeader(
            vector=ctypes.addressof(self._vector),
            vector_length=1,
            control=address_of(self.control),
        )
        self.address = ctypes.c_void_p(ctypes.addressof(self._header))
        self.answer = memoryview(self._header).cast("B")
        # memoryviews are read and written in a third of the time that ctypes' fields take
        self._base = memoryview(self._vector).cast("B").cast("Q")
        self._words = memoryview(self._header).cast("B").cast("Q")

    def point_at(self, address: int) -> None:
        """The next message goes there; there must be room for 64 KiB."""
        self._base[0] = address
        self._words[5] = CONTROL_SIZE


def control_messages(control: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """The level, the type and the data of each control message."""
    position = 0
    while position + _CMSG.size <= len(control):
        length, level, kind = _CMSG.unpack_from(control, position)
        if length < _CMSG.size or position + length > len(control):
            return
        yield level, kind, control[position + _CMSG.size : position + length]
        position += (length + 7) & ~7
