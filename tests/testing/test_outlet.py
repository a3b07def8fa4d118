from __future__ import annotations

import asyncio

from rtspkit.testing.outlet import InterleavedOutlet, UdpOutlet
from rtspkit.testing.ports import open_pair
from rtspkit.wire.transport import Transport


class Writer:
    def __init__(self) -> None:
        self.data = b""
        self.drained = 0
        self.writes = 0
        self.closing = False

    def write_frames(self, data: bytes) -> bool:
        self.writes += 1
        self.data += data
        return not self.closing

    async def drain(self) -> None:
        self.drained += 1

    def close(self) -> None:
        """Nothing is open."""


async def test_interleaved_packets_are_frames_on_their_channel():
    writer = Writer()
    outlet = InterleavedOutlet(writer, (4, 5), ssrc=7)
    assert outlet.send(b"rtp")
    assert outlet.send(b"rtcp", rtcp=True)
    await outlet.drain()
    outlet.close()
    assert writer.data == b"$\x04\x00\x03rtp$\x05\x00\x04rtcp"
    assert writer.drained == 1
    assert (outlet.transport.interleaved, outlet.transport.ssrc) == ((4, 5), 7)


async def test_packets_sent_together_are_written_at_once():
    writer = Writer()
    outlet = InterleavedOutlet(writer, (4, 5), ssrc=7)
    assert outlet.send_many([b"one", b"three"]) == 2
    assert writer.data == b"$\x04\x00\x03one$\x04\x00\x05three"
    assert writer.writes == 1
    writer.closing = True
    assert outlet.send_many([b"late", b"too late"]) == 0


async def test_datagrams_go_to_the_clients_ports_on_the_peers_host():
    got: asyncio.Queue[tuple] = asyncio.Queue()
    client = await open_pair("127.0.0.1", lambda *what: got.put_nowait(what))
    wanted = Transport("UDP", client_port=(client[0].port, client[1].port), destination="192.0.2.1")
    outlet = await UdpOutlet.open(
        wanted,
        local=("127.0.0.1", 554),
        peer=("127.0.0.1", 50_000),
        ssrc=7,
        on_datagram=lambda *what: got.put_nowait(what),
    )
    assert outlet.transport.server_port == (outlet.ports[0].port, outlet.ports[1].port)
    assert outlet.transport.destination is None
    await outlet.drain()
    assert outlet.send(b"rtp")
    assert outlet.send(b"rtcp", rtcp=True)
    seen = sorted([await asyncio.wait_for(got.get(), 5) for _ in range(2)])
    assert [(port, data, address[1]) for port, data, address in seen] == [
        (0, b"rtp", outlet.ports[0].port),
        (1, b"rtcp", outlet.ports[1].port),
    ]
    assert outlet.send_many([b"two", b"more"]) == 2
    assert [(await asyncio.wait_for(got.get(), 5))[:2] for _ in range(2)] == [
        (0, b"two"),
        (0, b"more"),
    ]
    client[1].send(b"report", ("127.0.0.1", outlet.ports[1].port))
    assert (await asyncio.wait_for(got.get(), 5))[:2] == (1, b"report")
    outlet.close()
    assert not outlet.send(b"late")
    assert outlet.send_many([b"late"]) == 0
    for port in (*client, *outlet.ports):
        port.close()
        await port.closed
