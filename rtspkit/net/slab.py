"""The memory that the network writes into: one pool of slabs for each event loop.

Layer:  net
In:     room for what is about to be read
Out:    read-only views of it, good for as long as anybody holds them

Rules
- A slab is filled from front to back, by any socket of the loop, and then left alone. It is used
  again only when no view of it is alive: what somebody holds is never overwritten.
- The pool is bounded. At its bound what arrives is read into scratch memory, and each packet is
  copied to memory of its own while the reserve lasts; what is left is dropped, and counted. So who
  keeps a few packets of each slab has new ones all the same, and lets the old ones go for them.

Facts the code leans on
- Every slice of a ``memoryview`` holds the one managed buffer of its root, and that buffer holds
  the memory: with the root let go, the memory's reference count tells whether a slice is alive.
  An interpreter whose counts do not tell gets a fresh slab each time.
- A loop runs one callback at a time: nobody else writes between asking for room and using it.
- The slab that was filled first is the likeliest to be free. When the one behind it is free too,
  time after time, there is one slab more than is needed, and it goes back to the system.
"""

from __future__ import annotations

import asyncio
import ctypes
import mmap
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from rtspkit.engine.statistics import PoolStats

__all__ = [
    "BYTES",
    "DATAGRAMS",
    "SizeClass",
    "Slab",
    "SlabPool",
    "address_of",
    "pool_of",
]

DEFAULT_LIMIT = 64 * 1024 * 1024  # bytes; ``limits.slab_memory``
RESERVE = 8  # one part in so many is for copies
FEW_LOOKS = 4  # at slabs, for a free one, before a fresh one is taken
MANY_LOOKS = 64  # the same at the bound
HOPELESS = 4  # times that only a few are looked at after that
LOOK_EVERY = 4  # slabs between two looks at all that are held
SURPLUS = 256  # times in a row that there was one slab too many, before it goes


class SizeClass:
    """How a kind of slab is laid out: ``slots`` of ``slot_size`` bytes each; ``size`` in all.

    One is told from another by its identity: they are looked up with every read.
    """

    __slots__ = ("name", "size", "slot_size", "slots")

    def __init__(self, name: str, slots: int, slot_size: int) -> None:
        self.name = name
        self.slots = slots
        self.slot_size = slot_size
        self.size = slots * slot_size


DATAGRAMS = SizeClass("datagrams", 64, 2048)
BYTES = SizeClass("bytes", 1, 256 * 1024)  # packed without gaps: TCP, joined and giant datagrams
SIZE_CLASSES = (DATAGRAMS, BYTES)


def _counts_tell() -> bool:
    gil: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return sys.implementation.name == "cpython" and gil()


COUNTS_TELL = _counts_tell()


class _Memory(bytearray):
    """Memory whose end can be noticed where reference counts do not tell."""

    __slots__ = ("__weakref__",)


def address_of(memory: bytearray | mmap.mmap) -> int:
    """Where it lies, for the kernel; it must not be resized."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


class _Copy(bytearray):
    """A packet by itself; its pool notices when it is gone."""

    __slots__ = ("pool",)
    pool: SlabPool

    def __del__(self) -> None:
        self.pool.forget_copy(len(self))


class Slab:
    """One piece of memory.

    Attributes:
        size_class: How it is laid out.
        memory: The memory itself.
        writable: For the network to write into.
        view: The root of what is handed out, read-only; None while the slab is not in use.
        used: Bytes from the front that were handed out, or that nobody may have.
        headers: What ``net.batch`` keeps beside it.
        address: Of the memory, for the kernel.
    """

    __slots__ = (
        "_baseline",
        "address",
        "headers",
        "memory",
        "size_class",
        "used",
        "view",
        "writable",
    )

    def __init__(self, size_class: SizeClass) -> None:
        self.size_class = size_class
        self.memory = _Memory(size_class.size)
        self.writable = memoryview(self.memory)
        self.view: memoryview | None = None
        self.used = 0
        self.headers: Any = None
        self.address = address_of(self.memory)
        self._baseline = sys.getrefcount(self.memory)

    @property
    def idle(self) -> bool:
        """Whether no view is alive; for a slab whose ``view`` was let go."""
        return sys.getrefcount(self.memory) == self._baseline

    def open(self) -> memoryview:
        """A fresh root; the slab is empty."""
        self.view = memoryview(self.memory).toreadonly()
        self.used = 0
        if self.headers is not None:
            self.headers.reset()
        return self.view


class _Ring:
    """The slabs of one kind that were filled, the oldest first; held ones step aside."""

    __slots__ = ("_surplus", "filled", "held")

    def __init__(self) -> None:
        self.filled: deque[Slab] = deque()
        self.held: deque[Slab] = deque()  # found not to be free, at least once
        self._surplus = 0

    def take(self, looks: int) -> Slab | None:
        """A free slab, if one is found in so many looks at each of the two."""
        held, filled = self.held, self.filled
        for _ in range(min(looks, len(held))):
            slab = held.popleft()
            if slab.idle:
                return slab
            held.append(slab)
        for _ in range(min(looks, len(filled))):
            slab = filled.popleft()
            if slab.idle:
                return slab
            held.append(slab)
        return None

    def trim(self) -> Slab | None:
        """Called once for each slab taken: one too many for a long time is given away."""
        if not self.filled or not self.filled[0].idle:
            self._surplus = 0
            return None
        self._surplus += 1
        if self._surplus < SURPLUS:
            return None
        self._surplus = 0
        return self.filled.popleft()

    def __iter__(self) -> Iterator[Slab]:
        yield from self.filled
        yield from self.held


class SlabPool:
    """The slabs of one event loop.

    Args:
        limit: Bytes that all slabs together may have.
        counts_tell: Whether reference counts say that a slab is free.

    Attributes:
        limit: May be raised at any time.
        copies: Packets copied out at the bound.
        drops: Packets dropped there.
        pressed: Whether memory is short: who only waits should take as little of it as possible.
        overflow: What ``net.batch`` keeps beside it.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT, *, counts_tell: bool = COUNTS_TELL) -> None:
        self.limit = limit
        self.copies = 0
        self.drops = 0
        self.pressed = False
        self.overflow: Any = None
        self._counts_tell = counts_tell
        self._current: dict[SizeClass, Slab] = {}
        self._rings = {size_class: _Ring() for size_class in SIZE_CLASSES}
        self._scratch: dict[SizeClass, Slab] = {}
        self._allocated = 0
        self._copied = 0  # bytes of copies that are alive
        self._look_in = 0  # slabs until it is
        self._hopeless = 0  # times that a free one is not looked for far and wide
        self._fresh = self._reuses = 0

    def current(self, size_class: SizeClass, room: int = 1) -> Slab | None:
        """The slab to read into, with so many bytes of room; None at the bound.

        Whoever uses some of it counts up ``used`` before anybody else is called.
        """
        slab = self._current.get(size_class)
        if slab is not None and size_class.size - slab.used >= room:
            return slab
        return self._next(size_class)

    def scratch(self, size_class: SizeClass) -> Slab:
        """Memory to read into at the bound; it is written over, so nothing of it is handed on."""
        slab = self._scratch.get(size_class)
        if slab is None:
            slab = self._scratch[size_class] = Slab(size_class)
        slab.open()
        return slab

    def copy_out(self, memory: memoryview) -> memoryview | None:
        """Copy a packet out of scratch memory; None, and a drop counted, without room for it."""
        copy = self.copy(memory)
        if copy is None:
            self.drops += 1
        return copy

    def copy(self, memory: memoryview) -> memoryview | None:
        """A read-only copy of a packet, by itself; None when the reserve is used up."""
        size = len(memory)
        if self._copied + size > self.limit // RESERVE:
            return None
        own = _Copy(memory)
        own.pool = self
        self._copied += size
        self.copies += 1
        return memoryview(own).toreadonly()

    def forget_copy(self, size: int) -> None:
        """A copy is gone."""
        self._copied -= size

    def stats(self) -> PoolStats:
        """What the pool has and does at this moment; looks at every slab."""
        pinned = [*self._held(), *self._current.values()]
        return PoolStats(
            limit=self.limit,
            allocated=self._allocated + self._copied,
            pinned=sum(slab.size_class.size for slab in pinned) + self._copied,
            pinned_slabs=len(pinned),
            fresh=self._fresh,
            reuses=self._reuses,
            copies=self.copies,
            drops=self.drops,
        )

    # -- inside -----------------------------------------------------------------------------

    def _next(self, size_class: SizeClass) -> Slab | None:
        """Retire the slab in use, and take another."""
        ring = self._rings[size_class]
        retired = self._current.pop(size_class, None)
        if retired is not None:
            retired.view = None
            if self._counts_tell:
                ring.filled.append(retired)
            del retired
        self._look_at_pins()
        slab = self._reuse(ring, FEW_LOOKS) or self._allocate(size_class)
        if slab is None and not self._hopeless:
            slab = self._reuse(ring, MANY_LOOKS)
        if slab is None and self._reclaim():
            slab = self._allocate(size_class)
        if slab is None:
            self._hopeless = (self._hopeless or HOPELESS + 1) - 1
            return None
        self._current[size_class] = slab
        slab.open()
        return slab

    def _look_at_pins(self) -> None:
        """Now and then, when there is much memory: whether it is held, or only was."""
        if self._allocated <= self.limit // 2:
            self.pressed = False
        elif self._look_in:
            self._look_in -= 1
        else:
            self._look_in = LOOK_EVERY
            pinned = sum(slab.size_class.size for slab in self._held())
            self.pressed = pinned > self.limit // 2

    def _held(self) -> Iterator[Slab]:
        """The slabs that were filled, and that somebody holds something of."""
        return (slab for ring in self._rings.values() for slab in ring if not slab.idle)

    def _reuse(self, ring: _Ring, looks: int) -> Slab | None:
        slab = ring.take(looks)
        if slab is not None:
            self._reuses += 1
            surplus = ring.trim()
            if surplus is not None:
                self._allocated -= surplus.size_class.size
        return slab

    def _allocate(self, size_class: SizeClass) -> Slab | None:
        """A fresh slab, while the bound allows it; what is left of it is for copies."""
        size = size_class.size
        if self._allocated + size > self.limit - self.limit // RESERVE:
            return None
        slab = Slab(size_class)
        self._allocated += size
        self._fresh += 1
        if not self._counts_tell:
            weakref.finalize(slab.memory, self._released, size).atexit = False
        return slab

    def _released(self, size: int) -> None:
        self._allocated -= size

    def _reclaim(self) -> bool:
        """Let go of free slabs, whatever their kind; whether there were any."""
        before = self._allocated
        for size_class, ring in self._rings.items():
            while (slab := ring.take(FEW_LOOKS)) is not None:
                self._allocated -= size_class.size
                del slab
        return self._allocated < before


_pools: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, SlabPool]
_pools = weakref.WeakKeyDictionary()


def pool_of(loop: asyncio.AbstractEventLoop, limit: int | None = None) -> SlabPool:
    """The pool of a loop; the largest limit that anybody asked for holds."""
    pool = _pools.get(loop)
    if pool is None:
        pool = _pools[loop] = SlabPool(DEFAULT_LIMIT if limit is None else limit)
    pool.limit = max(pool.limit, limit or 0)
    return pool
