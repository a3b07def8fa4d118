"""TLS between the loop's transport and a protocol that has its own memory.

Layer:  net
In:     records of the network, into memory that all connections of a loop share
Out:    what they hold, straight into the memory that the protocol gives

Facts the code leans on
- The loop asks for room and tells what it wrote without anybody between: what comes is given to
  OpenSSL at once, so that one piece of memory serves all.
- The loops' own TLS waits for the peer's farewell when it closes, for as long as 30 seconds; here
  ours is sent, and that is all (RFC 8446 §6.1 asks for no more).
"""

from __future__ import annotations

import asyncio
import weakref
from typing import cast

from rtspkit.net.tls_channel import TlsChannel

__all__ = ["TlsTransport"]

ROOM = 256 * 1024  # bytes of one read of the network

_rooms: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, memoryview]
_rooms = weakref.WeakKeyDictionary()


class TlsTransport(asyncio.Transport, asyncio.BufferedProtocol):
    """The protocol of a connected socket, and the transport of what is behind it.

    Args:
        inner: The protocol that is given what was decrypted.
        channel: After its handshake.
    """

    def __init__(self, inner: asyncio.BufferedProtocol, channel: TlsChannel) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._inner = inner
        self._channel = channel
        self._transport: asyncio.Transport | None = None
        self._paused = False  # by what is behind
        self._closing = False
        if self._loop not in _rooms:
            _rooms[self._loop] = memoryview(bytearray(ROOM))
        self._room = _rooms[self._loop]

    # -- called by the loop -------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The loop has the socket; more than the handshake may have come already."""
        self._transport = cast(asyncio.Transport, transport)
        self._inner.connection_made(self)
        self._loop.call_soon(self._deliver)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Room for records."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """``nbytes`` were written to where ``get_buffer`` pointed."""
        self._channel.receive(self._room[:nbytes])
        self._deliver()

    def _deliver(self) -> None:
        """Hand on what can be decrypted, until there is no more or it is enough."""
        channel = self._channel
        while not self._paused and not self.is_closing():
            room = cast(memoryview, self._inner.get_buffer(-1))
            filled = channel.read_into(room)
            if filled:
                self._inner.buffer_updated(filled)
            if channel.ended:
                self._end()
            if filled < len(room):
                break
        if not self.is_closing():
            self._send(channel.to_send())  # what the protocol itself has to say

    def _end(self) -> None:
        """The peer sends no more, or nothing that can be read."""
        if self._channel.error is not None:
            self.abort()
        else:
            self.close()

    def eof_received(self) -> bool:
        """The peer has closed without a farewell: RTSP's messages tell whether that is whole."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The loop has closed the socket."""
        self._closing = True
        self._transport = None
        self._inner.connection_lost(exc or self._channel.error)

    def pause_writing(self) -> None:
        """The peer takes nothing at the moment."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The peer takes again."""
        self._inner.resume_writing()

    # -- called by what is behind -------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        self._channel.write(bytes(data))
        self._send(self._channel.to_send())

    def _send(self, data: bytes) -> None:
        if data and self._transport is not None:
            self._transport.write(data)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """What is decrypted goes to another protocol from now on."""
        self._inner = cast(asyncio.BufferedProtocol, protocol)

    def pause_reading(self) -> None:
        """Hand on nothing more, and read no more."""
        self._paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Hand on what waits, and read on."""
        if not self._paused:
            return
        self._paused = False
        if self._transport is not None:
            self._transport.resume_reading()
            self._loop.call_soon(self._deliver)

    def is_reading(self) -> bool:
        """Whether what comes is handed on."""
        return not self._paused and not self.is_closing()

    def is_closing(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closing or self._transport is None or self._transport.is_closing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When the protocol is told that the peer takes nothing."""
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=high, low=low)

    def get_write_buffer_size(self) -> int:
        """Bytes that the kernel has not taken."""
        size = 0 if self._transport is None else self._transport.get_write_buffer_size()
        return size + self._channel.waiting

    def close(self) -> None:
        """Send what was written and a farewell, then close."""
        if self._closing or self._transport is None:
            return
        self._closing = True
        self._send(self._channel.end())
        self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()
