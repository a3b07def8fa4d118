"""One bound UDP socket under the event loop, and the way in that the system allows.

Layer:  net
In:     datagrams of the locked peer only
Out:    ``on_datagrams(datagrams)``: views that are never written again

Facts the code leans on
- ``connect()`` on a UDP socket makes the kernel drop what others send from then on. What they
  sent before it is still in the queue: senders are looked at until the queue was empty once.
- Linux tells ICMP errors to connected UDP sockets only, and libuv watches a socket no more that
  has one pending: it is watched anew when a read has met one. A port that sends much is not
  connected, and looks at every sender.
- A peer that did not name its ports is known by its address; the first datagram tells the port.
- What waited before ``connect()`` is at most what the queue holds: with so many bytes read, it is
  gone, also when the queue is never empty.
- A wake-up ends after some hundred datagrams, whatever still waits: other sockets have their turn
  (SECURITY M9), and the consumer takes packets that are still in the processor's cache.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable
from typing import Any, Literal, get_args

from rtspkit.errors import LocalProtocolError
from rtspkit.net.batch import BatchReader, join_datagrams, recvmmsg_works
from rtspkit.net.clock import monotonic_clock
from rtspkit.net.endpoint import Endpoint
from rtspkit.net.moderation import Moderation
from rtspkit.net.single import SingleReader
from rtspkit.net.slab import SlabPool
from rtspkit.net.tcp import numeric_host
from rtspkit.wire.datagrams import UNKNOWN, Datagrams

__all__ = ["OnDatagrams", "ReceiverName", "UdpPort", "choose_receiver"]

ReceiverName = Literal["auto", "recvmmsg", "recv_into", "datagram"]
OnDatagrams = Callable[[Datagrams], None]

SO_MEMINFO = 55  # Linux: a list of numbers, the ninth of which counts drops
WAKE_UP = 128  # datagrams after which other sockets, and the consumer, have their turn
READS = 8  # reads after which they have it, whatever was read


def choose_receiver(wish: str) -> str:
    """The way in that ``wish`` means here.

    Raises:
        LocalProtocolError: There is no such way, or not on this system.
    """
    if wish not in get_args(ReceiverName):
        known = ", ".join(map(repr, get_args(ReceiverName)))
        raise LocalProtocolError(f"receiver is one of {known}, not {wish!r}")
    if wish == "auto":
        return "recvmmsg" if recvmmsg_works() else "recv_into"
    if wish == "recvmmsg" and not recvmmsg_works():
        raise LocalProtocolError("this system has no recvmmsg; use receiver='auto'")
    return wish


class UdpPort:
    """One bound UDP socket.

    Args:
        sock: Bound, and not blocking; it is owned from here on.
        on_datagrams: Takes what arrived together.
        connects: Whether the kernel shall keep others out; not for a port that sends much.
        receiver: ``"recvmmsg"``, ``"recv_into"`` or ``"datagram"``; the last one is used where
            the loop cannot do the others.
        pool: The memory to read into.
        moderation: Reads this socket with others; None reads it when it has something.

    Attributes:
        port: Its number.
        receive_buffer: Bytes that the kernel keeps for it; Linux counts its own needs in.
        bytes_received: Since it was opened.
        datagrams: Since it was opened.
        wake_ups: Times that the loop has looked at it.
        largest_batch: Datagrams that one read has brought at most.
        refused: Datagrams of other hosts than the peer, dropped.
        send_errors: Datagrams that could not be sent.
    """

    def __init__(
        self,
        sock: socket.socket,
        on_datagrams: OnDatagrams,
        *,
        connects: bool,
        receiver: str,
        pool: SlabPool,
        moderation: Moderation | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._clock = monotonic_clock(self._loop)
        self._sock: socket.socket | None = sock
        self._on_datagrams = on_datagrams
        self._receiver = receiver
        self._pool = pool
        self._moderation = moderation
        self._connects = connects
        self._peer_host: str | None = None
        self._peer_port: int | None = None
        self._accepted: Any = None  # the address that was looked at and is the peer's
        self._connected = False  # the kernel drops what others send
        self._doubtful = 0  # bytes that may have come before that
        self._trusted = False  # and nothing of theirs is in the queue any more
        self._single = SingleReader(sock, pool, self._clock)
        self._reader: BatchReader | SingleReader = self._single
        self._endpoint: Endpoint | None = None
        self._watched = False
        self._started = False
        self._paused = False
        self.port: int = sock.getsockname()[1]
        self.receive_buffer: int = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        self.bytes_received = self.datagrams = self.wake_ups = self.largest_batch = 0
        self.refused = self.send_errors = 0
        self._dropped = 0
        self._errors = 0  # of the readers, up to which the socket was watched anew

    # -- the peer ---------------------------------------------------------------------------

    def lock(self, host: str, port: int | None) -> None:
        """Take datagrams of this peer only, also of those that have arrived already.

        Args:
            host: The peer's numeric address.
            port: None when it did not name it: then the first datagram tells.

        Raises:
            OSError: The system does not reach the peer from this port.
        """
        if self._sock is None:
            return
        if port is None and self._peer_port is not None:
            return  # a second SETUP: the port of the first one holds
        self._peer_host, self._peer_port = host, port
        self._accepted = None
        self._trusted = False
        if self._reader is not self._single:
            join_datagrams(self._sock, False)  # until it is trusted, each one is read by itself
        if port is not None:
            self._connect((host, port))

    def _connect(self, address: Any) -> None:
        if self._connects and self._sock is not None:
            self._sock.connect(address)
            self._connected = True
            self._doubtful = self.receive_buffer

    def _is_peer(self, address: Any) -> bool:
        """Whether a datagram is of the peer; the first one tells a port that we do not know."""
        if address == self._accepted:
            return True
        known = self._peer_host is not None and numeric_host(address) == self._peer_host
        if not known or self._peer_port not in (None, address[1]):
            self.refused += 1
            return False
        if self._peer_port is None:
            self._peer_port = address[1]
            self._connect(address)
        self._accepted = address
        return True

    def send(self, data: bytes) -> bool:
        """Send to the peer; whether the kernel took it. Loss is normal for UDP."""
        if self._sock is None or self._peer_port is None:
            return False
        try:
            if self._connected:
                self._sock.send(data)
            else:
                self._sock.sendto(data, (self._peer_host, self._peer_port))
        except OSError:
            self.send_errors += 1
            return False
        return True

    # -- reading ----------------------------------------------------------------------------

    @property
    def receiver(self) -> str:
        """The way in that is in use."""
        if self._endpoint is not None:
            return self._endpoint.name
        return self._receiver

    @property
    def readers(self) -> tuple[BatchReader | SingleReader | Endpoint, ...]:
        """What has read this socket; each has its counters."""
        readers = (self._single, self._reader, self._endpoint)
        return tuple(dict.fromkeys(reader for reader in readers if reader is not None))

    @property
    def kernel_dropped(self) -> int:
        """Datagrams that found the kernel's queue full, as far as the system tells."""
        told = max(reader.kernel_drops for reader in self.readers)
        if self._sock is not None:
            self._dropped = max(self._dropped, _drops_of(self._sock))
        return max(told, self._dropped)

    @property
    def errors(self) -> int:
        """Datagrams that could not be sent, and ICMP errors that came back."""
        return self.send_errors + sum(reader.errors for reader in self.readers)

    def start(self) -> None:
        """Begin to read."""
        if self._sock is None or self._started:
            return
        self._started = True
        if self._receiver != "datagram":
            try:
                self._watch()
            except NotImplementedError:  # Windows' own loop
                self._receiver = "datagram"
        if self._receiver == "datagram":
            self._endpoint = Endpoint(self._take_together, self._is_peer, self._clock)
            self._endpoint.start(self._sock)

    def _watch(self) -> None:
        """Wake up when there is something to read, alone or with others."""
        sock, moderation = self._sock, self._moderation
        if sock is None or self._watched or self._paused:
            return
        if moderation is not None and not moderation.add(sock, self):
            self._moderation = moderation = None
        if moderation is None:
            self._loop.add_reader(sock, self.read)
        self._watched = True

    def _unwatch(self) -> None:
        sock, moderation = self._sock, self._moderation
        if not self._watched or sock is None:
            return
        if moderation is not None:
            moderation.remove(sock)
        else:
            self._loop.remove_reader(sock)
        self._watched = False

    def _watch_anew(self) -> None:
        """A read has met an ICMP error."""
        if self._moderation is None and self._watched:
            self._unwatch()
            self._watch()

    def pause(self) -> None:
        """Read no more until ``resume``: the kernel keeps what fits into its queue.

        A loop's own datagram transport cannot be paused.
        """
        self._paused = True
        self._unwatch()

    def resume(self) -> None:
        """Read again."""
        self._paused = False
        if self._started and self._endpoint is None:
            self._watch()

    def close(self) -> None:
        """Close the socket; idempotent."""
        sock = self._sock
        if sock is None:
            return
        self._unwatch()
        self._dropped = self.kernel_dropped
        self._sock = None
        if self._endpoint is not None:
            self._endpoint.close()
        else:
            sock.close()

    def read_now(self) -> None:
        """Read what is there, although the loop has not said that there is anything."""
        for _ in range(READS):
            if not self._watched or not self.read():
                break

    def read(self) -> bool:
        """Read what is there, for a bounded time; whether there may be more."""
        self.wake_ups += 1
        enough = self.datagrams + WAKE_UP
        for _ in range(READS):
            if self._sock is None or self._paused:
                return False
            if self._trusted:
                reader = self._reader
                datagrams = reader.read()
            else:
                reader = self._single
                datagrams = self._read_doubtful()
            if datagrams is not None:
                self._take(datagrams)
            if reader.drained:
                if reader.errors != self._errors:
                    self._errors = reader.errors
                    self._watch_anew()
                return False
            if self.datagrams >= enough:
                break
        return True

    def _read_doubtful(self) -> Datagrams | None:
        """Read what may be of others, until nothing of theirs is left."""
        reader = self._single
        datagrams = reader.read_from(self._is_peer)
        if datagrams is not None:
            self._doubtful -= sum(datagrams.lengths)
        if self._connected and (reader.drained or self._doubtful < 0):
            self._trust()
        return datagrams

    def _take_together(self, datagrams: Datagrams) -> None:
        self.wake_ups += 1
        self._take(datagrams)

    def _take(self, datagrams: Datagrams) -> None:
        count = len(datagrams.lengths)
        self.datagrams += count
        if datagrams.size == UNKNOWN:
            datagrams.size = sum(datagrams.lengths)
        self.bytes_received += datagrams.size
        if count > self.largest_batch:
            self.largest_batch = count
        self._on_datagrams(datagrams)

    def _trust(self) -> None:
        """From now on the kernel hears the peer only: the fastest way in can be taken."""
        self._trusted = True
        if self._receiver != "recvmmsg":
            return
        assert self._sock is not None
        if self._reader is not self._single:
            join_datagrams(self._sock, True)
        else:
            moderated = self._moderation is not None
            self._reader = BatchReader(self._sock, self._pool, self._clock, to_the_end=moderated)


def _drops_of(sock: socket.socket) -> int:
    """What the kernel says that it has dropped; 0 where it does not tell."""
    if sys.platform != "linux":
        return 0
    try:
        numbers = memoryview(sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 64)).cast("I")
    except OSError:
        return 0
    return numbers[8] if len(numbers) > 8 else 0
