"""The UDP ports of one connection's streams.

Layer:  client
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rtspkit.client.reading import Reading, measure
from rtspkit.errors import LocalProtocolError, RemoteProtocolError
from rtspkit.net.slab import SlabPool
from rtspkit.net.tcp import TcpCircuit
from rtspkit.net.udp import Receiving, UdpPair, open_pair
from rtspkit.wire.datagrams import Datagrams
from rtspkit.wire.stream import Stream

__all__ = ["NO_PORTS", "MediaPorts"]

NO_PORTS = "udp ports"  # the phase of the error when we have none

OnDatagrams = Callable[[int, Datagrams], None]


class MediaPorts:
    """One pair of ports for each stream that comes over UDP.

    Args:
        on_rtp: Takes a stream's index and its RTP datagrams.
        on_rtcp: The same for RTCP.
        how: How the ports receive.
        client_ports: First and last port that may be used; None leaves it to the system.
    """

    def __init__(
        self,
        on_rtp: OnDatagrams,
        on_rtcp: OnDatagrams,
        how: Receiving,
        client_ports: tuple[int, int] | None,
    ) -> None:
        self._on_rtp = on_rtp
        self._on_rtcp = on_rtcp
        self._how = how
        self._client_ports = client_ports
        self._pairs: dict[int, UdpPair] = {}

    def open_pair(self, stream: Stream, local_host: str) -> tuple[int, int]:
        """The ports for SETUP; those of an earlier SETUP are kept.

        Raises:
            LocalProtocolError: There are none to be had; its phase is ``NO_PORTS``.
        """
        index = stream.index
        if index in self._pairs:
            return self._pairs[index].ports
        try:
            self._pairs[index] = open_pair(
                local_host,
                partial(self._on_rtp, index),
                partial(self._on_rtcp, index),
                how=self._how,
                client_ports=self._client_ports,
            )
        except OSError as error:
            raise LocalProtocolError(
                f"the system gives no UDP ports ({error.strerror or error}); try transport='tcp'",
                phase=NO_PORTS,
                retryable=True,
            ) from error
        except LocalProtocolError as error:
            error.phase = NO_PORTS
            raise
        return self._pairs[index].ports

    def lock(self, stream: Stream, peer_host: str, server_port: tuple[int, int] | None) -> None:
        """Take datagrams of the peer only, and begin to read.

        Raises:
            RemoteProtocolError: The system cannot send to the ports that the server named.
        """
        try:
            self._pairs[stream.index].lock(peer_host, server_port)
        except OSError as error:
            raise RemoteProtocolError(
                f"the server's UDP ports {server_port} are out of reach "
                f"({error.strerror or error}); try transport='tcp'",
                phase="setup",
            ) from error

    def send_report(self, stream: Stream, data: bytes) -> bool:
        """Send RTCP; whether the stream has ports at all."""
        pair = self._pairs.get(stream.index)
        if pair is None:
            return False
        pair.rtcp.send(data)
        return True

    def punch(self, stream: Stream, rtp: bytes, rtcp: bytes) -> bool:
        """Send a packet from each of the two ports; whether the server has told where to."""
        pair = self._pairs.get(stream.index)
        if pair is None:
            return False
        pair.rtcp.send(rtcp)
        return pair.rtp.send(rtp)

    def close_pair(self, stream: Stream) -> None:
        """The stream comes over TCP after all."""
        pair = self._pairs.pop(stream.index, None)
        if pair is not None:
            pair.close()

    def close(self) -> None:
        """Close every socket; idempotent."""
        for pair in self._pairs.values():
            pair.close()

    def hold(self, held: bool) -> None:
        """Read no media, or read on; RTCP is read all the same."""
        for pair in self._pairs.values():
            if held:
                pair.rtp.pause()
            else:
                pair.rtp.resume()

    def read(self) -> None:
        """Read what has come for the streams, for a bounded time."""
        for pair in tuple(self._pairs.values()):
            pair.rtp.read_now()

    @property
    def pool(self) -> SlabPool:
        """The memory that the ports read into."""
        return self._how.pool

    def measure(self, circuit: TcpCircuit | None) -> Reading:
        """How the bytes came in: over these ports, and over the control connection."""
        return measure({index: pair.rtp for index, pair in self._pairs.items()}, circuit, self.pool)

    @property
    def foreign_datagrams(self) -> int:
        """Datagrams of others than the peer."""
        return sum(pair.rtp.refused + pair.rtcp.refused for pair in self._pairs.values())
