"""An RTSP server in a thread of its own: each GET_PARAMETER brings a burst of packets.

Every payload has a running number and a checksum, so that whoever holds one can tell at any time
whether it is still what was sent.
"""

from __future__ import annotations

import random
import socket
import struct
import threading
import zlib
from collections.abc import Sequence

from raw_server import SDP, SESSION, SSRC, reply

from rtspkit.net.datagram_sender import DatagramSender, Engine
from rtspkit.wire.header import parse_transport
from rtspkit.wire.message import MessageReader, Request, serialize_frame
from rtspkit.wire.rtp import serialize_rtp

HOST = "127.0.0.1"
PATIENCE = 30.0  # seconds without a byte of the client
CHECKED = struct.Struct("!II")  # the number; the checksum of what follows, begun with the number
SIZES = (12, 40, 160, 400, 1200, 1200, 1400)  # bytes of a payload
GIANT = 3000  # more than fits into a slot
BODY = random.Random(1).randbytes(2 * GIANT)


def packet_of(number: int, size: int) -> bytes:
    """The packet with this number; one in sixteen has a header extension."""
    body = BODY[number % 997 :][: size - CHECKED.size]
    return serialize_rtp(
        CHECKED.pack(number, zlib.crc32(body, number)) + body,
        payload_type=0,
        sequence_number=number & 0xFFFF,
        timestamp=number * 160 & 0xFFFFFFFF,
        ssrc=SSRC,
        extension=(0xBEDE, b"\x10\x01\x00\x00") if number % 16 == 0 else None,
    )


def number_in(payload: memoryview) -> int:
    """The number in a payload, or -1 when it is not what was sent."""
    number, checksum = CHECKED.unpack_from(payload)
    return number if zlib.crc32(payload[CHECKED.size :], number) == checksum else -1


class FloodServer(threading.Thread):
    """Serves one client; a context manager that starts and ends the thread.

    Args:
        engines: How bursts of datagrams are sent, one by chance each time.
        seed: Of the sizes and of that chance.

    Attributes:
        burst: Packets that the next GET_PARAMETER brings; set it before asking.
        sent: Packets so far; the last one has the number before.
        failure: What ended the thread too early.
    """

    def __init__(self, engines: Sequence[Engine], seed: int) -> None:
        super().__init__(daemon=True)
        self.burst = self.sent = 0
        self.failure: Exception | None = None
        self._engines = engines
        self._generator = random.Random(seed)
        self._senders: list[DatagramSender] = []
        self._listener = socket.create_server((HOST, 0))
        self._media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._media.bind((HOST, 0))
        self._media.setblocking(False)
        self.url = f"rtsp://{HOST}:{self._listener.getsockname()[1]}/flood"

    def __enter__(self) -> FloodServer:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.is_alive():
            self._listener.shutdown(socket.SHUT_RDWR)  # nobody is accepted any more
        self.join(PATIENCE)
        self._listener.close()
        self._media.close()

    def run(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(PATIENCE)
            try:
                self._serve(connection)
            except Exception as failure:
                self.failure = failure

    def _serve(self, connection: socket.socket) -> None:
        reader = MessageReader()
        while data := connection.recv(65_536):
            reader.receive_data(data)
            while (event := reader.next_event()) is not None:
                if isinstance(event, Request):
                    connection.sendall(self._answer(event, connection))

    def _answer(self, request: Request, connection: socket.socket) -> bytes:
        if request.method == "DESCRIBE":
            return reply(request, body=SDP, Content_Type="application/sdp")
        if request.method == "SETUP":
            return reply(request, Session=SESSION, Transport=self._set_up(request))
        if request.method == "GET_PARAMETER":
            self._send(connection)
        return reply(request, Session=SESSION)

    def _set_up(self, request: Request) -> str:
        wanted = request.headers.get("Transport") or ""
        ports = parse_transport(wanted).client_port
        if ports is None:
            return wanted
        address = (HOST, ports[0])
        self._senders = [
            DatagramSender(self._media, address, engine=engine) for engine in self._engines
        ]
        own = self._media.getsockname()[1]
        return f"{wanted};server_port={own}-{own}"

    def _send(self, connection: socket.socket) -> None:
        """A burst: packets of one size mostly, as those of a picture are."""
        generator, packets = self._generator, []
        while len(packets) < self.burst:
            size = GIANT if generator.random() < 0.02 else generator.choice(SIZES)
            count = min(generator.randrange(1, 100), self.burst - len(packets))
            first = self.sent + len(packets)
            packets += [packet_of(number, size) for number in range(first, first + count)]
        if not self._senders:
            connection.sendall(b"".join(serialize_frame(0, packet) for packet in packets))
        else:
            sender, done = generator.choice(self._senders), 0
            while done < len(packets):
                done += sender.send_many(packets[done:])
            assert sender.errors == sender.refused == 0
        self.sent += len(packets)
