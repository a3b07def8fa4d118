"""One TLS connection without its socket: bytes of the network on one side, ours on the other.

Layer:  net

Facts the code leans on
- OpenSSL writes to memory here, which always has room: what is written is ready to be sent at
  once, unless the peer negotiates anew at that moment; then it waits for what the peer sends.
- A record has at most 16 KiB; several of them are read into one piece of memory, so that what is
  behind it is woken once.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import cast

from rtspkit.errors import LocalProtocolError
from rtspkit.net.tls import TlsContext, check_fingerprint, handshake_failure

__all__ = ["TlsChannel"]

READ = 16 * 1024  # bytes: more than the whole of a handshake's flight


class TlsChannel:
    """Encrypts and decrypts for one connection.

    Args:
        tls: How the server is verified.
        host: Name or address that is connected to.

    Attributes:
        ended: Whether nothing more can be read: the peer has said so, or ``error`` tells why.
        error: What broke it.

    Raises:
        LocalProtocolError: The name cannot be one.
    """

    def __init__(self, tls: TlsContext, host: str) -> None:
        self._tls = tls
        self._name = tls.name_for(host)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._waiting = bytearray()  # not yet encrypted
        self.ended = False
        self.error: ssl.SSLError | None = None
        try:
            self._object = tls.context.wrap_bio(
                self._incoming, self._outgoing, server_hostname=self._name
            )
        except ValueError as error:  # of which UnicodeError is one
            raise LocalProtocolError(
                f"{self._name!r} is no name for a certificate: set TLS.server_name", phase="tls"
            ) from error

    async def shake_hands(self, sock: socket.socket) -> None:
        """Do the handshake on a connected socket, and verify the server.

        Raises:
            ConnectError: The server is not the right one, or speaks no TLS that we do. Final.
            OSError: The connection has ended, or the handshake failed in another way.
        """
        loop = asyncio.get_running_loop()
        while not self._step(sock):
            await loop.sock_sendall(sock, self.to_send())
            data = await loop.sock_recv(sock, READ)
            if not data:
                raise ConnectionResetError("the server closed the connection in the TLS handshake")
            self.receive(data)
        if self._tls.fingerprint is not None:
            check_fingerprint(self._tls.fingerprint, self._object.getpeercert(binary_form=True))
        await loop.sock_sendall(sock, self.to_send())

    def _step(self, sock: socket.socket) -> bool:
        """Go on with the handshake; whether it is done."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            with contextlib.suppress(OSError):  # the server is told why, if it goes at once
                sock.send(self.to_send())
            failure = handshake_failure(error, self._name)
            raise failure from (error if failure is not error else None)
        return True

    @property
    def version(self) -> str:
        """What was agreed on: ``"TLSv1.3"``."""
        return self._object.version() or ""

    # -- in -----------------------------------------------------------------------------------

    def receive(self, data: bytes | memoryview) -> None:
        """Take what came from the network."""
        self._incoming.write(data)

    def read_into(self, room: memoryview) -> int:
        """Decrypt what has come, as far as there is room; gives the bytes written, maybe none."""
        filled = 0
        try:
            while filled < len(room) and not self.ended:
                # given room, it tells a size
                count = cast(int, self._object.read(len(room) - filled, room[filled:]))
                filled += count
                self.ended = not count
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            self.ended, self.error = True, error
        return filled

    # -- out ----------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Bytes written that cannot be encrypted yet."""
        return len(self._waiting)

    def write(self, data: bytes) -> None:
        """Take what is to be sent."""
        self._waiting += data

    def to_send(self) -> bytes:
        """What is to go to the network now."""
        try:
            while self._waiting:
                with memoryview(self._waiting) as view:
                    count = self._object.write(view)
                del self._waiting[:count]
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self._waiting.clear()
            self.error = self.error or error
        return self._outgoing.read()

    def end(self) -> bytes:
        """Say that nothing more will be sent; gives what is to go to the network for it."""
        last = self.to_send()
        with contextlib.suppress(ssl.SSLError):
            self._object.unwrap()  # the peer's own farewell is not waited for
        return last + self._outgoing.read()
