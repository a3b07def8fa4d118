import pytest
from raw_server import RawServer

import rtspkit
from rtspkit.testing.camera import Camera


async def test_smoke():
    async with RawServer() as server, rtspkit.connect(server.url, transport="tcp") as session:
        n = 0
        async for _packet in session.packets():
            n += 1
            if n == 3:
                break
    assert server.methods == ["DESCRIBE", "SETUP", "PLAY", "OPTIONS", "TEARDOWN"]


@pytest.mark.parametrize("t", ["udp", "tcp"])
async def test_camera(t):
    async with Camera(speed=10) as server:
        async with rtspkit.connect(server.url, transport=t) as session:
            n = 0
            async for _packet in session.packets():
                n += 1
                if n == 100:
                    break
        assert not server.sessions


@pytest.mark.virtual_clock
async def test_camera_v():
    async with Camera(transports=("tcp",)) as server:
        async with rtspkit.connect(server.url) as session:
            n = 0
            async for _packet in session.packets():
                n += 1
                if n == 1000:
                    break
            print(session.stats())
        assert not server.sessions
