"""A pool: so many connections and no more, and each used again where that is safe."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Collection

import pytest
from certificates import AUTHORITY, server_context
from faulty import wait
from leaks import Inventory
from raw_server import Peer, RawServer, reply
from stepping import Stepped

import rtspkit
from rtspkit import (
    TLS,
    ConnectionPool,
    DeadlineExceeded,
    LocalProtocolError,
    Racing,
    Retry,
    Timeouts,
    TooManySessions,
)
from rtspkit.client.session import Session
from rtspkit.net.budget import budget_of
from rtspkit.testing.actions import Close, EditHeaders, Reply
from rtspkit.testing.authenticator import Authentication
from rtspkit.testing.camera import Camera
from rtspkit.wire.message import Request, serialize_frame

virtual_clock = pytest.mark.virtual_clock
SERVER = ("camera", 554)
BEARS_TWO = "the server has answered 453 (too many sessions) when it had 2 of ours"


async def play(url: str, pool: ConnectionPool | None, **options: object) -> Session:
    """A session from its beginning to its end."""
    options.setdefault("transport", "tcp")
    async with rtspkit.connect(url, pool=pool, **options) as session:
        await anext(session.packets())
    return session


def methods(camera: Camera) -> list[str]:
    return [request.method for request in camera.requests]


async def turns(number: int = 20) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


# -- one after the other ----------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["tcp", "udp"])
async def test_the_next_session_goes_on_with_the_connection(transport):
    async with Camera(speed=20) as camera, ConnectionPool() as pool:
        for number in range(4):
            await play(camera.url, pool, transport=transport)
            assert pool.idle_connections == pool.connections == 1
            assert pool.reused == number
        assert camera.connections_made == 1
        assert camera.sessions_made == 4
        assert camera.protocol_errors == []


async def test_a_connection_that_goes_on_is_asked_first_and_goes_on_counting():
    async with Camera(speed=20) as camera, ConnectionPool() as pool:
        await play(camera.url, pool)
        before = len(camera.requests)
        await play(camera.url, pool)
        assert methods(camera)[before : before + 2] == ["OPTIONS", "DESCRIBE"]
        assert [r.cseq for r in camera.requests] == list(range(1, len(camera.requests) + 1))


async def test_a_session_counts_what_is_its_own():
    async with Camera(speed=20) as camera, ConnectionPool() as pool:
        first = await play(camera.url, pool)
        told = first.stats()
        second = await play(camera.url, pool)
        assert first.stats().requests == told.requests == told.responses
        assert first.stats().wake_ups == told.wake_ups > 0
        assert second.stats().requests == second.stats().responses <= told.requests


async def test_a_nonce_goes_on_with_its_connection():
    async with Camera(speed=20, authentication=Authentication()) as camera:
        url = camera.url.replace("rtsp://", "rtsp://user:secret@")
        async with ConnectionPool() as pool:
            for _ in range(3):
                session = await play(url, pool)
                assert session.authentication == "digest"
        assert (camera.challenged, camera.refused) == (1, 0)
        counts = [r.headers.get("Authorization") or "" for r in camera.requests]
        assert len(set(counts)) == len(counts)  # no nonce count twice


async def test_over_tls_there_is_one_handshake():
    async with Camera(speed=20, tls=server_context()) as camera, ConnectionPool() as pool:
        for _ in range(3):
            await play(camera.url, pool, tls=TLS(ca=AUTHORITY))
        assert (camera.connections_made, pool.reused) == (1, 2)


async def test_a_session_over_udp_after_one_over_tcp_has_its_packets_from_there():
    async with Camera(speed=20) as camera, ConnectionPool() as pool:
        await play(camera.url, pool, transport="tcp")
        session = await play(camera.url, pool, transport="udp")
        assert session.transport == "udp"
        assert session.stats().receiver != "stream"


# -- what is not used again -------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        {"username": "other", "password": "secret"},
        {"username": "user", "password": "other"},
        {"headers": {"X-Mine": "1"}},
        {"user_agent": "mine"},
    ],
    ids=["user", "password", "headers", "user agent"],
)
async def test_a_connection_does_not_go_on_to_what_the_server_sees_as_another(other):
    async with Camera(speed=20) as camera, ConnectionPool() as pool:
        same = {"username": "user", "password": "secret"}
        await play(camera.url, pool, **same)
        await play(camera.url, pool, **(same | other))
        assert (camera.connections_made, pool.reused) == (2, 0)
        await play(camera.url, pool, **same)
        assert (camera.connections_made, pool.reused) == (2, 1)


async def test_a_connection_does_not_go_on_to_another_server():
    async with Camera(speed=20) as one, Camera(speed=20) as other, ConnectionPool() as pool:
        await play(one.url, pool)
        await play(other.url, pool)
        assert (one.connections_made, other.connections_made, pool.reused) == (1, 1, 0)


async def test_what_was_verified_otherwise_does_not_go_on():
    async with Camera(speed=20, tls=server_context()) as camera, ConnectionPool() as pool:
        await play(camera.url, pool, tls=TLS(insecure=True))
        await play(camera.url, pool, tls=TLS(ca=AUTHORITY))
        assert (camera.connections_made, pool.reused) == (2, 0)


async def test_a_connection_that_the_server_closes_is_not_kept():
    async with Camera(speed=20) as camera, ConnectionPool() as pool:
        camera.script("TEARDOWN", Close())
        await play(camera.url, pool)
        await camera.wait_until(lambda: not camera.connections)
        await turns()
        assert pool.connections == 0


async def test_a_connection_that_the_server_will_close_is_not_kept():
    async with Camera(speed=20) as camera, ConnectionPool() as pool:
        camera.script("TEARDOWN", EditHeaders(set={"Connection": "close"}))
        await play(camera.url, pool)
        assert pool.idle_connections == 0


async def test_a_connection_whose_teardown_was_refused_is_not_kept():
    async with Camera(speed=20) as camera, ConnectionPool() as pool:
        camera.script("TEARDOWN", Reply(500))
        await play(camera.url, pool)
        assert pool.idle_connections == 0


async def test_a_connection_on_which_an_answer_may_still_come_is_not_kept():
    async with RawServer({"OPTIONS": b""}) as server, ConnectionPool() as pool:
        await play(server.url, pool)
        assert pool.idle_connections == 0


async def test_a_connection_without_media_is_not_kept():
    def plain(request: Request, peer: Peer) -> bytes:
        return reply(request, Session="12345678")

    timeouts = Timeouts(first_packet_tcp=0.05)
    async with RawServer({"PLAY": plain}) as server, ConnectionPool() as pool:
        session = await rtspkit.connect(
            server.url, pool=pool, transport="tcp", timeouts=timeouts, retry=None
        )
        with pytest.raises(DeadlineExceeded):
            await anext(session.packets())
        await session.aclose()
        assert pool.idle_connections == 0


async def test_a_connection_that_has_died_is_forgotten():
    async with Camera(speed=20) as camera, ConnectionPool() as pool:
        await play(camera.url, pool)
        camera.kill()
        await camera.wait_until(lambda: not camera.connections)
        await turns()
        assert pool.connections == 0
        await play(camera.url, pool)
        assert (camera.connections_made, pool.reused) == (2, 0)


@virtual_clock
async def test_a_connection_that_answers_nothing_gives_way_to_a_fresh_one_after_a_second():
    loop = asyncio.get_running_loop()
    async with RawServer() as server, ConnectionPool() as pool:
        await play(server.url, pool)
        began = loop.time()
        dead = server.peers[0]
        plain = server.plain
        server.plain = lambda request, peer: b"" if peer is dead else plain(request, peer)
        await play(server.url, pool)
        assert loop.time() - began == pytest.approx(1.0, abs=0.1)
        assert (len(server.peers), pool.reused) == (2, 0)


async def test_a_connection_that_answers_with_a_refusal_is_there():
    async with Camera(speed=20) as camera, ConnectionPool() as pool:
        await play(camera.url, pool)
        camera.script("OPTIONS", Reply(501), nth=1)
        await play(camera.url, pool)
        assert (camera.connections_made, pool.reused) == (1, 1)


async def test_whoever_is_not_welcome_any_more_begins_afresh():
    async with Camera(speed=20) as camera, ConnectionPool() as pool:
        await play(camera.url, pool)
        camera.script("OPTIONS", Reply(401), nth=1)
        await play(camera.url, pool)
        assert (camera.connections_made, pool.reused) == (2, 0)


async def test_media_that_trails_behind_teardown_is_dropped():
    async with RawServer() as server, ConnectionPool() as pool:
        await play(server.url, pool)
        server.peers[0].write(server.peers[0].media(3))
        await play(server.url, pool)
        assert (len(server.peers), pool.reused) == (1, 1)


async def test_media_that_never_ends_is_not_kept_up_with():
    async with RawServer() as server, ConnectionPool() as pool:
        await play(server.url, pool)
        server.peers[0].write(serialize_frame(0, bytes([0x80, 0]) + bytes(1400)) * 60)
        await server.until(lambda: server.peers[0].closed.done())
        await turns()
        assert pool.connections == 0


async def test_garbage_between_two_sessions_ends_the_connection():
    async with RawServer() as server, ConnectionPool() as pool:
        await play(server.url, pool)
        server.peers[0].write(bytes(70_000))
        await server.until(lambda: server.peers[0].closed.done())
        await play(server.url, pool)
        assert len(server.peers) == 2


async def test_a_session_that_was_lost_comes_back_on_a_fresh_connection():
    async with Camera(speed=20) as camera, ConnectionPool() as pool:
        await play(camera.url, pool)
        async with rtspkit.connect(camera.url, transport="tcp", pool=pool) as session:
            packets = session.packets()
            await anext(packets)
            await play(camera.url, pool)  # leaves an idle one
            camera.connections[0].close(reset=True)
            while session.stats().reconnects == 0:
                await anext(packets)
            assert pool.reused == 1
        assert camera.connections_made == 3


# -- how long, and to the end -----------------------------------------------------------------


@virtual_clock
async def test_a_connection_is_kept_as_long_as_was_said():
    loop = asyncio.get_running_loop()
    async with Camera(speed=20) as camera, ConnectionPool(idle=30) as pool:
        await play(camera.url, pool)
        began = loop.time()
        await camera.wait_until(lambda: not camera.connections, timeout=100)
        assert loop.time() - began == pytest.approx(30, abs=0.1)
        assert pool.connections == 0


@virtual_clock
async def test_each_connection_has_its_own_time():
    async with Camera(tracks=["MPEG4-GENERIC"]) as camera, ConnectionPool(idle=30) as pool:
        one = rtspkit.connect(camera.url, transport="tcp", pool=pool)
        other = rtspkit.connect(camera.url, transport="tcp", pool=pool)
        async with one as session:
            await anext(session.packets())
            async with other as later:
                await anext(later.packets())
            assert pool.idle_connections == 1
            await wait(4)
        assert pool.idle_connections == 2
        await camera.wait_until(lambda: len(camera.connections) == 1, timeout=100)
        assert pool.idle_connections == 1
        await camera.wait_until(lambda: not camera.connections, timeout=100)
        assert pool.idle_connections == 0


async def test_with_no_time_nothing_is_kept():
    async with Camera(speed=20) as camera, ConnectionPool(idle=0) as pool:
        await play(camera.url, pool)
        assert (pool.connections, pool.idle_connections) == (0, 0)


async def test_closing_closes_what_is_idle_and_leaves_what_plays():
    async with Camera(speed=20) as camera:
        pool = ConnectionPool()
        async with rtspkit.connect(camera.url, transport="tcp", pool=pool) as session:
            await play(camera.url, pool)
            assert (pool.connections, pool.idle_connections) == (2, 1)
            await pool.aclose()
            await pool.aclose()
            assert pool.closed
            assert (pool.connections, pool.idle_connections) == (1, 0)
            await anext(session.packets())
        assert pool.connections == 0
        await camera.wait_until(lambda: not camera.connections)


async def test_a_session_comes_back_though_its_pool_was_closed():
    async with Camera(speed=20) as camera:
        pool = ConnectionPool()
        async with rtspkit.connect(camera.url, transport="tcp", pool=pool) as session:
            await pool.aclose()
            packets = session.packets()
            await anext(packets)
            camera.kill()
            while session.stats().reconnects == 0:
                await anext(packets)
        assert pool.connections == 0


async def test_a_closed_pool_gives_nothing():
    pool = ConnectionPool()
    await pool.aclose()
    async with Camera() as camera:
        with pytest.raises(LocalProtocolError, match="the ConnectionPool is closed"):
            await rtspkit.connect(camera.url, pool=pool)
        assert camera.connections_made == 0


def test_a_pool_belongs_to_one_loop():
    pool = ConnectionPool()

    async def use() -> None:
        async with Camera(speed=20) as camera:
            await play(camera.url, pool)

    async def close() -> None:
        await pool.aclose()

    async def both() -> None:
        await use()
        await close()

    asyncio.run(both())
    for again in (use, close):
        with pytest.raises(LocalProtocolError, match="belongs to one event loop"):
            asyncio.run(again())


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_connections_per_host": 0}, ValueError),
        ({"max_connections_per_host": 1.5}, TypeError),
        ({"max_connections_per_host": True}, TypeError),
        ({"idle": -1}, ValueError),
        ({"idle": float("inf")}, ValueError),
        ({"idle": float("nan")}, ValueError),
        ({"idle": "60"}, TypeError),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(options, error):
    with pytest.raises(error, match=next(iter(options))):
        ConnectionPool(**options)


def test_what_is_no_pool_is_refused():
    with pytest.raises(TypeError, match=r"pool is a rtspkit.ConnectionPool, not 4"):
        rtspkit.connect("rtsp://camera/", pool=4)


async def test_prints_what_it_holds():
    async with ConnectionPool() as pool:
        assert repr(pool) == "<ConnectionPool 0 connections, 0 idle>"
    assert repr(pool) == "<ConnectionPool closed, 0 idle>"


# -- so many and no more ----------------------------------------------------------------------


async def test_no_more_connections_than_there_may_be():
    most = 0

    def count(request: Request) -> None:
        nonlocal most
        most = max(most, len(camera.connections))

    async with (
        Camera(speed=20, on_request=count) as camera,
        ConnectionPool(max_connections_per_host=3) as pool,
    ):
        await asyncio.gather(*(play(camera.url, pool) for _ in range(12)))
        assert pool.waiting == 0
        assert pool.connections == pool.idle_connections <= 3
    assert most == 3
    assert camera.sessions_made == 12
    assert camera.connections_made <= 3


@virtual_clock
@pytest.mark.parametrize("mode", ["none", "first-wins", "last-wins", "hybrid"])
async def test_connections_of_a_race_count(mode):
    """A server that accepts, and says nothing: races go on for as long as they may."""
    async with RawServer({"OPTIONS": b"", "DESCRIBE": b""}) as server:
        racing = Racing(mode, max_connections=3, delay=0.1, timeout=3)
        timeouts = Timeouts(connect=2)
        async with ConnectionPool(max_connections_per_host=2) as pool:
            tasks = [
                asyncio.create_task(
                    play(server.url, pool, racing=racing, timeouts=timeouts, retry=None)
                )
                for _ in range(3)
            ]
            await server.until(lambda: bool(server.requests))
            assert pool.connections <= 2
            await asyncio.wait(tasks)
            assert all(isinstance(t.exception(), DeadlineExceeded) for t in tasks)
            await turns()
            assert len(server.peers) <= 2 + 2  # as soon as one has ended, there is room again
            assert pool.connections == 0


@virtual_clock
async def test_waiting_for_room_has_the_deadline_of_connect_and_names_the_limit():
    loop = asyncio.get_running_loop()
    async with (
        Camera(tracks=["MPEG4-GENERIC"]) as camera,
        ConnectionPool(max_connections_per_host=1) as pool,
    ):
        async with rtspkit.connect(camera.url, transport="tcp", pool=pool):
            began = loop.time()
            with pytest.raises(DeadlineExceeded) as caught:
                await play(camera.url, pool, timeouts=Timeouts(connect=3))
            assert loop.time() - began == pytest.approx(3, abs=0.1)
            assert caught.value.phase == "pool"
            assert caught.value.retryable
            assert str(caught.value) == (
                f"pool: no room for a connection to 127.0.0.1:{camera.port} within 3 s: "
                "ConnectionPool.max_connections_per_host is 1"
            )
            assert pool.waiting == 0
        assert camera.connections_made == 1


async def test_whoever_waits_has_the_connection_of_the_one_that_leaves():
    async with Camera(speed=20) as camera, ConnectionPool(max_connections_per_host=1) as pool:
        async with rtspkit.connect(camera.url, transport="tcp", pool=pool) as session:
            waiting = asyncio.create_task(play(camera.url, pool))
            await turns()
            assert pool.waiting == 1
            await anext(session.packets())
        await waiting
        assert (camera.connections_made, pool.reused) == (1, 1)


async def test_whoever_waits_for_another_origin_has_an_idle_connection_closed():
    async with Camera(speed=20) as camera, ConnectionPool(max_connections_per_host=1) as pool:
        await play(camera.url, pool)
        await play(camera.url, pool, user_agent="other")
        assert (camera.connections_made, pool.connections) == (2, 1)


async def test_those_who_wait_are_served_in_their_order():
    order = []

    async def use(number: int) -> None:
        async with rtspkit.connect(camera.url, transport="tcp", pool=pool):
            order.append(number)

    async with Camera(speed=20) as camera, ConnectionPool(max_connections_per_host=1) as pool:
        tasks = []
        for number in range(6):
            tasks.append(asyncio.create_task(use(number)))
            await turns(2)
        tasks[2].cancel()
        await asyncio.wait(tasks)
        assert order == [0, 1, 3, 4, 5]


async def test_whoever_comes_when_there_is_room_again_goes_behind_those_who_wait():
    async with ConnectionPool(max_connections_per_host=1) as pool:
        held = await pool.lease("origin", SERVER, "rtsp://camera/", 3)
        first = asyncio.create_task(pool.lease("origin", SERVER, "rtsp://camera/", 3))
        await turns()
        second = asyncio.create_task(pool.lease("origin", SERVER, "rtsp://camera/", 3))
        held.places.shrink(0)
        await turns()
        assert (first.done(), second.done()) == (True, False)
        first.result().places.shrink(0)
        (await second).places.shrink(0)
        assert pool.connections == 0


async def test_all_have_their_turn_when_much_room_comes_at_once():
    async with ConnectionPool(max_connections_per_host=3) as pool:
        held = await pool.lease("origin", SERVER, "rtsp://camera/", 3)
        waiting = [
            asyncio.create_task(pool.lease("origin", SERVER, "rtsp://camera/", 1)) for _ in range(3)
        ]
        await turns()
        assert pool.waiting == 3
        held.places.shrink(0)
        await turns()
        for task in waiting:
            task.result().places.shrink(0)


async def test_closing_the_pool_ends_those_who_wait():
    async with Camera(speed=20) as camera:
        pool = ConnectionPool(max_connections_per_host=1)
        async with rtspkit.connect(camera.url, transport="tcp", pool=pool):
            waiting = asyncio.create_task(play(camera.url, pool))
            await turns()
            await pool.aclose()
            with pytest.raises(LocalProtocolError, match="closed"):
                await waiting


async def test_other_hosts_do_not_wait():
    async with (
        Camera(speed=20) as one,
        Camera(speed=20) as other,
        ConnectionPool(max_connections_per_host=1) as pool,
        rtspkit.connect(one.url, pool=pool),
    ):
        await play(other.url, pool)


async def test_what_fails_gives_its_room_back():
    async with Camera(speed=20) as camera, ConnectionPool(max_connections_per_host=1) as pool:
        camera.script("DESCRIBE", Reply(404), nth=(1, 2, 3))
        for _ in range(3):
            with pytest.raises(rtspkit.NotFound):
                await play(camera.url, pool)
        await play(camera.url, pool)
        url = camera.url
        await camera.aclose()
        for _ in range(2):
            with pytest.raises(rtspkit.ConnectError):
                await play(url, pool, retry=None)
        assert pool.connections == 0


# -- what 453 teaches -------------------------------------------------------------------------


@virtual_clock
async def test_453_teaches_the_pool_how_many_sessions_there_may_be():
    retry = Retry(initial_delay=0.1, strategy="linear")
    async with Camera(tracks=["MPEG4-GENERIC"], max_sessions=2) as camera, ConnectionPool() as pool:
        async with (
            rtspkit.connect(camera.url, transport="tcp", pool=pool),
            rtspkit.connect(camera.url, transport="tcp", pool=pool),
        ):
            with pytest.raises(DeadlineExceeded) as caught:
                await play(camera.url, pool, timeouts=Timeouts(connect=3), retry=retry)
            assert str(caught.value).endswith(BEARS_TWO)
            assert isinstance(caught.value.__cause__, TooManySessions)
            setups = methods(camera).count("SETUP")
            assert setups == 3  # one for each session, and the one that was refused
            with pytest.raises(DeadlineExceeded) as caught:
                await play(camera.url, pool, timeouts=Timeouts(connect=3))
            assert str(caught.value).endswith(BEARS_TWO)
            assert methods(camera).count("SETUP") == setups  # it was not asked again
        await play(camera.url, pool)


async def test_without_a_pool_453_narrows_races_and_keeps_nobody_waiting():
    budget = budget_of(asyncio.get_running_loop())
    async with Camera(speed=20, max_sessions=1) as camera:
        server = ("127.0.0.1", camera.port)
        async with rtspkit.connect(camera.url, transport="tcp"):
            assert budget.bears(server) is None
            with pytest.raises(TooManySessions):
                await play(camera.url, None, retry=None)
            assert budget.bears(server) == 1
            with pytest.raises(TooManySessions):  # it is asked all the same
                await play(camera.url, None, retry=None)
        await play(camera.url, None)
        camera.max_sessions = None
        async with rtspkit.connect(camera.url, transport="tcp"):
            await play(camera.url, None)
        assert budget.bears(server) is None  # it bears more


async def test_a_session_is_not_refused_by_what_it_has_of_itself():
    """453 to the second SETUP of a session: its own does not count."""
    budget = budget_of(asyncio.get_running_loop())
    async with Camera(speed=20) as camera:
        async with rtspkit.connect(camera.url, transport="tcp"):
            camera.script("SETUP", Reply(453), nth=2)
            with pytest.raises(TooManySessions):
                await play(camera.url, None, retry=None, require_all=True)
        assert budget.bears(("127.0.0.1", camera.port)) == 1


# -- cancellation -----------------------------------------------------------------------------


async def play_twice(url: str, pool: ConnectionPool) -> None:
    """One that connects, one that goes on with it, and one that has to wait for room."""
    await play(url, pool)
    session = await rtspkit.connect(url, transport="tcp", pool=pool)
    try:
        await anext(session.packets())
    finally:
        await session.aclose()


async def run_cancelled(url: str, pool: ConnectionPool, at: Collection[int], *, late: bool) -> int:
    stepped = Stepped(play_twice(url, pool), at, late=late)

    async def run() -> None:
        await stepped

    task = asyncio.create_task(run())
    await asyncio.wait([task], timeout=5)
    assert task.done()
    assert task.cancelled() == bool(at)
    return stepped.suspensions


@pytest.mark.parametrize("late", [False, True], ids=["at-once", "with-the-answer"])
@pytest.mark.parametrize("gap", [None, 1])
async def test_cancelled_anywhere_a_place_is_never_lost(late, gap):
    async with Camera(speed=20, authentication=Authentication()) as camera:
        url = camera.url.replace("rtsp://", "rtsp://user:secret@")
        inventory = Inventory()
        async with ConnectionPool(max_connections_per_host=1) as pool:
            number = await run_cancelled(url, pool, (), late=late)
        for k in range(1, number + 1):
            async with ConnectionPool(max_connections_per_host=1) as pool:
                at = (k,) if gap is None else (k, k + gap)
                await run_cancelled(url, pool, at, late=late)
                await turns()
                assert pool.connections == pool.idle_connections <= 1
                assert pool.waiting == 0
                await play(url, pool)  # there is room
            await camera.wait_until(lambda: not camera.sessions and not camera.connections)
            await inventory.assert_nothing_left()
        assert inventory.failures == []


async def test_cancelled_while_waiting_the_next_one_has_its_turn():
    async with Camera(speed=20) as camera, ConnectionPool(max_connections_per_host=1) as pool:
        async with rtspkit.connect(camera.url, transport="tcp", pool=pool) as session:
            first, second = (asyncio.create_task(play(camera.url, pool)) for _ in range(2))
            await turns()
            assert pool.waiting == 2
            await anext(session.packets())
        await turns(1)
        first.cancel()
        await asyncio.wait([first, second])
        assert second.exception() is None


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_becomes_of_sessions_the_bound_holds_and_no_place_is_lost(seed):
    chance, most = random.Random(seed), 0
    retry = Retry(strategy="linear", initial_delay=0.01, maximum_delay=0.01)

    def look(request: Request) -> None:
        nonlocal most
        most = max(most, len(camera.connections))

    async def live(packets: int, **options: object) -> None:
        with contextlib.suppress(rtspkit.RtspError):
            async with rtspkit.connect(camera.url, pool=pool, retry=retry, **options) as session:
                iterator = session.packets()
                for _ in range(packets):
                    await anext(iterator)

    async with Camera(speed=20, on_request=look) as camera:
        async with ConnectionPool(max_connections_per_host=3) as pool:
            tasks: list[asyncio.Task[None]] = []
            for _ in range(60):
                options = {"transport": "tcp", "user_agent": chance.choice("aab")}
                options["share"] = options["user_agent"] == "a" and chance.random() < 0.3
                tasks.append(asyncio.create_task(live(chance.randrange(6), **options)))
                await turns(chance.randrange(20))
                if chance.random() < 0.3:
                    chance.choice(tasks).cancel()
                if chance.random() < 0.05:
                    camera.kill()
            await asyncio.wait(tasks)
            await turns()
            assert pool.connections == pool.idle_connections
            assert pool.waiting == 0
        await camera.wait_until(lambda: not camera.connections and not camera.sessions)
        assert most == 3
        assert {type(task.exception()) for task in tasks if not task.cancelled()} == {type(None)}
        await turns()
        assert (pool.connections, budget_of(asyncio.get_running_loop())._bound) == (0, {})
