"""What goes out: with one write, within a bound, and not for ever to a peer that takes nothing."""

from __future__ import annotations

import pytest

from rtspkit.client.outflow import Outflow
from rtspkit.engine.punches import Punches
from rtspkit.errors import DeadlineExceeded, LimitExceeded
from rtspkit.options import Limits, Timeouts
from rtspkit.wire.header import Transport
from rtspkit.wire.message import serialize_frame
from rtspkit.wire.stream import Stream


def stream(index: int, channels: tuple[int, int] | None) -> Stream:
    made = Stream(index, "video", "H264", 96, 90_000)
    made.transport = Transport("TCP" if channels else "UDP", interleaved=channels)
    return made


class Machine:
    """Has bytes to send."""

    def __init__(self, output: int = 1000) -> None:
        self.limits = Limits(output=output)
        self.timeouts = Timeouts(write=3)
        self.data = b""

    def send_frame(self, data: bytes) -> None:
        self.data += data

    def data_to_send(self) -> bytes:
        data, self.data = self.data, b""
        return data


class Playback:
    """Has reports to send, and packets that open a NAT."""

    def __init__(self) -> None:
        self.punches = Punches(lambda index: 0)
        self.reports: list[tuple[Stream, bytes]] = []

    def data_to_send(self) -> list[tuple[Stream, bytes]]:
        reports, self.reports = self.reports, []
        return reports


class Ports:
    """Takes the reports of streams without channels."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.punched: list[tuple[Stream, bytes, bytes]] = []

    def punch(self, stream: Stream, rtp: bytes, rtcp: bytes) -> bool:
        self.punched.append((stream, rtp, rtcp))
        return True

    def send_report(self, stream: Stream, data: bytes) -> bool:
        if stream.transport is None or stream.transport.interleaved is not None:
            return False
        self.sent.append(data)
        return True


class Circuit:
    """Takes what is written, or nothing at all."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.waiting = 0
        self.blocked_since: float | None = None

    def write(self, data: bytes) -> None:
        self.written.append(data)


@pytest.fixture
def parts():
    return Machine(), Playback(), Ports()


def test_requests_and_reports_over_tcp_go_out_with_one_write(parts):
    machine, playback, ports = parts
    outflow, circuit = Outflow(*parts), Circuit()
    machine.data = b"OPTIONS"
    playback.reports = [(stream(0, (0, 1)), b"one"), (stream(1, (2, 3)), b"two")]
    outflow.send(circuit)
    assert circuit.written == [b"OPTIONS" + serialize_frame(1, b"one") + serialize_frame(3, b"two")]
    outflow.send(circuit)
    assert len(circuit.written) == 1
    assert ports.sent == []


def test_reports_over_udp_have_their_own_way(parts):
    _, playback, ports = parts
    outflow, circuit = Outflow(*parts), Circuit()
    playback.reports = [(stream(0, None), b"one")]
    outflow.send(circuit)
    assert (ports.sent, circuit.written) == ([b"one"], [])


def test_what_opens_a_nat_goes_out_before_the_request_that_plays(parts):
    machine, playback, ports = parts
    one = stream(0, None)
    playback.punches.add(one, ssrc=1, cname=b"me")
    playback.punches.start(0.0)
    machine.data = b"PLAY"
    seen = []

    class Watched(Circuit):
        def write(self, data: bytes) -> None:
            seen.append(len(ports.punched))
            super().write(data)

    circuit = Watched()
    outflow = Outflow(*parts)
    outflow.send(circuit)
    outflow.send(circuit)
    assert (seen, circuit.written) == ([1], [b"PLAY"])
    assert [each[0] for each in ports.punched] == [one]


def test_a_report_of_a_stream_that_was_not_set_up_goes_nowhere(parts):
    machine, playback, ports = parts
    playback.reports = [(Stream(0, "video", "H264", 96, 90_000), b"one")]
    Outflow(*parts).send_reports()
    assert (ports.sent, machine.data) == ([], b"")


def test_without_a_connection_nothing_is_sent_and_nothing_waits(parts):
    machine, *_ = parts
    machine.data = b"OPTIONS"
    Outflow(*parts).send(None)
    assert machine.data == b""


@pytest.mark.parametrize(("size", "waiting"), [(1001, 0), (1, 1000), (501, 500)])
def test_what_waits_to_be_sent_is_bounded(parts, size, waiting):
    machine, *_ = parts
    outflow, circuit = Outflow(*parts), Circuit()
    circuit.waiting = waiting
    machine.data = bytes(size)
    with pytest.raises(LimitExceeded) as caught:
        outflow.send(circuit)
    assert (caught.value.limit, caught.value.maximum) == ("output", 1000)
    assert caught.value.phase == "write"
    assert circuit.written == []
    machine.data = bytes(1000 - waiting)
    outflow.send(circuit)
    assert len(b"".join(circuit.written)) == 1000 - waiting


def test_a_peer_that_takes_nothing_has_a_deadline(parts):
    outflow, circuit = Outflow(*parts), Circuit()
    assert outflow.deadline(None) is None
    assert outflow.deadline(circuit) is None
    outflow.handle_deadline(None, 1e9)
    outflow.handle_deadline(circuit, 1e9)
    circuit.blocked_since = 100.0
    assert outflow.deadline(circuit) == 103.0
    outflow.handle_deadline(circuit, 102.9)
    with pytest.raises(DeadlineExceeded) as caught:
        outflow.handle_deadline(circuit, 103.0)
    assert (caught.value.phase, caught.value.seconds) == ("write", 3)
