from __future__ import annotations

from rtspkit_raw import RawClient

from rtspkit.testing.actions import Delay, Drop
from rtspkit.testing.camera import Camera
from rtspkit.testing.camera_connection import MAX_WAITING, reset_on_close
from rtspkit.wire.message import Request


async def test_answers_in_the_order_of_the_requests():
    async with Camera() as camera, RawClient(camera.url) as client:
        camera.script("OPTIONS", Delay(0.02), nth=1)
        for _ in range(5):
            client.send("OPTIONS")
        assert [(await client.answer()).cseq for _ in range(5)] == [1, 2, 3, 4, 5]


async def test_reads_no_more_than_it_can_answer_for_now():
    async with Camera() as camera, RawClient(camera.url) as client:
        camera.script("OPTIONS", Delay(0.05), nth=1)
        for _ in range(3 * MAX_WAITING):
            client.send("OPTIONS")
        for number in range(3 * MAX_WAITING):
            assert (await client.answer()).cseq == number + 1


async def test_what_was_asked_before_the_client_ended_is_answered():
    async with Camera() as camera, RawClient(camera.url) as client:
        camera.script("OPTIONS", Delay(0.01))
        client.send("OPTIONS")
        client.output.write_eof()
        assert (await client.answer()).status_code == 200
        assert await client.event() is None


async def test_an_answer_to_nothing_is_let_pass():
    async with Camera() as camera, RawClient(camera.url) as client:
        client.output.write(b"RTSP/1.0 200 OK\r\nCSeq: 9\r\n\r\nRTSP/1.0 200 OK\r\n\r\n")
        assert (await client.request("OPTIONS")).status_code == 200


async def test_knows_both_ends():
    async with Camera() as camera, RawClient(camera.url) as client:
        await client.request("OPTIONS")
        (connection,) = camera.connections
        assert connection.local[1] == camera.port
        assert connection.peer == client.output.get_extra_info("sockname")
        assert connection.requests == 1


async def test_a_closed_connection_takes_nothing():
    async with Camera() as camera, RawClient(camera.url) as client:
        await client.request("OPTIONS")
        (connection,) = camera.connections
        connection.close()
        connection.close()
        assert connection.closing
        assert not connection.write(b"x")


async def test_an_action_that_waits_does_not_hold_up_closing():
    async with Camera() as camera, RawClient(camera.url) as client:
        camera.script("OPTIONS", Delay(3600))
        client.send("OPTIONS")
        await camera.wait_until(lambda: len(camera.requests) == 1)
        reset_on_close(client.output.transport)
        client.output.transport.abort()
        await camera.wait_until(lambda: camera.connections == [])
        assert camera.answered == 0


async def test_a_request_of_the_camera_and_one_of_the_client_may_cross():
    async with Camera() as camera, RawClient(camera.url) as client:
        camera.script("OPTIONS", Drop(), nth=1)
        client.send("OPTIONS")
        await camera.wait_until(lambda: camera.answered == 1)
        camera.inject(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", connection=camera.connections[0])
        event = await client.event()
        assert isinstance(event, Request)
        assert (await client.request("OPTIONS")).cseq == 2
