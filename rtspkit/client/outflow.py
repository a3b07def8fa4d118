"""What goes out on one connection: requests, and what its streams have to send.

Layer:  client
"""

from __future__ import annotations

from rtspkit.client.ports import MediaPorts
from rtspkit.engine.playback import Playback
from rtspkit.engine.session import SessionMachine
from rtspkit.errors import DeadlineExceeded, LimitExceeded
from rtspkit.net.tcp import TcpCircuit
from rtspkit.wire.message import serialize_frame

__all__ = ["Outflow"]


class Outflow:
    """The way out.

    Args:
        machine: Has requests and answers to send.
        playback: Has reports to send.
        ports: Where reports of streams over UDP go out; those over TCP go between the requests,
            all that are ready with one write.
    """

    def __init__(self, machine: SessionMachine, playback: Playback, ports: MediaPorts) -> None:
        self._machine = machine
        self._playback = playback
        self._ports = ports

    def send_reports(self) -> None:
        """Send what is ready for the streams; what goes over TCP waits for ``send``."""
        for stream, rtp, rtcp in self._playback.punches.data_to_send():
            self._ports.punch(stream, rtp, rtcp)
        for stream, data in self._playback.data_to_send():
            if self._ports.send_report(stream, data):
                continue
            if stream.transport is not None and stream.transport.interleaved is not None:
                self._machine.send_frame(serialize_frame(stream.transport.interleaved[1], data))

    def send(self, circuit: TcpCircuit | None) -> None:
        """Send everything that is ready.

        Raises:
            LimitExceeded: The peer takes nothing, and ``limits.output`` bytes wait already.
        """
        self.send_reports()
        data = self._machine.data_to_send()
        if not data or circuit is None:
            return
        limit, waiting = self._machine.limits.output, circuit.waiting + len(data)
        if waiting > limit:
            raise LimitExceeded("output", limit, waiting, phase="write")
        circuit.write(data)

    def deadline(self, circuit: TcpCircuit | None) -> float | None:
        """When the peer has taken nothing for too long; None while it takes."""
        if circuit is None or circuit.blocked_since is None:
            return None
        return circuit.blocked_since + self._machine.timeouts.write

    def handle_deadline(self, circuit: TcpCircuit | None, now: float) -> None:
        """Look at that deadline.

        Raises:
            DeadlineExceeded: It has passed.
        """
        deadline = self.deadline(circuit)
        if deadline is not None and now >= deadline:
            raise DeadlineExceeded("write", self._machine.timeouts.write)
