"""One timer for many sockets."""

from __future__ import annotations

import asyncio
import selectors
import socket

from rtspkit.net.moderation import QUIET_TICKS, Moderation, moderation_of


class Port:
    """A socket, and a way to write to it."""

    def __init__(self, moderation: Moderation) -> None:
        self.moderation = moderation
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ours.setblocking(False)
        self.reads: list[tuple[int, bytes]] = []
        self.changed = asyncio.Event()
        self.closes: Port | None = None
        self.more = 0

    def read(self) -> bool:
        self.reads.append((self.moderation.ticks, self.ours.recv(100)))
        self.changed.set()
        if self.closes is not None:
            self.closes.close()
        self.more -= 1
        return self.more > 0

    async def until(self, number: int) -> None:
        async with asyncio.timeout(5):
            while len(self.reads) < number:
                self.changed.clear()
                await self.changed.wait()

    def close(self) -> None:
        self.moderation.remove(self.ours)
        self.ours.close()
        self.theirs.close()


async def test_one_tick_reads_all_that_have_something_and_nobody_else():
    moderation = Moderation(0.001)
    one, other, quiet = (Port(moderation) for _ in range(3))
    for port in (one, other, quiet):
        assert moderation.add(port.ours, port)
    one.theirs.send(b"1")
    other.theirs.send(b"2")
    await one.until(1)
    await other.until(1)
    assert one.reads == [(1, b"1")]
    assert other.reads == [(1, b"2")]
    assert quiet.reads == []
    for port in (one, other, quiet):
        port.close()


async def test_who_has_more_than_its_share_goes_on_before_the_next_tick():
    moderation = Moderation(0.1)  # longer than a busy machine stands still
    port = Port(moderation)
    port.more = 3
    for number in range(3):
        port.theirs.send(b"%d" % number)
    moderation.add(port.ours, port)
    await port.until(3)
    assert port.reads == [(1, b"0"), (1, b"1"), (1, b"2")]
    port.close()


async def test_a_loop_is_not_kept_by_its_timer():
    loop = asyncio.get_running_loop()
    moderation = moderation_of(loop, 0.004)
    port = Port(moderation)
    moderation.add(port.ours, port)
    assert moderation._loop is loop
    port.close()
    assert moderation._loop is None


async def test_a_quiet_time_leaves_no_timer_and_the_next_packet_wakes_again():
    moderation = Moderation(0.0005)
    port = Port(moderation)
    moderation.add(port.ours, port)
    watch, watched = moderation._watch, asyncio.Event()
    moderation._watch = lambda selector: (watch(selector), watched.set())
    for round_ in range(3):
        watched.clear()
        before = moderation.ticks
        port.theirs.send(b"x")
        await port.until(round_ + 1)
        async with asyncio.timeout(5):
            await watched.wait()
        assert moderation._timer is None
        assert moderation.ticks - before == 1 + QUIET_TICKS
    port.close()


async def test_with_the_last_socket_everything_is_gone_and_it_can_begin_again():
    moderation = Moderation(0.0005)
    for ticking in (False, True):
        port = Port(moderation)
        moderation.add(port.ours, port)
        if ticking:
            port.theirs.send(b"x")
            await port.until(1)
            assert moderation._timer is not None
        port.close()
        assert moderation._selector is None
        assert moderation._timer is None
        moderation.remove(port.ours)  # harmless


async def test_a_socket_that_another_one_closes_is_read_no_more():
    moderation = Moderation(0.001)
    ports = [Port(moderation) for _ in range(2)]
    for port, other in zip(ports, reversed(ports), strict=True):
        port.closes = other
        moderation.add(port.ours, port)
        port.theirs.send(b"x")
    ports[1].changed = ports[0].changed
    async with asyncio.timeout(5):
        await ports[0].changed.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    assert sorted(len(port.reads) for port in ports) == [0, 1]
    for port in ports:
        port.close()


async def test_a_system_without_such_selectors_says_so(monkeypatch):
    monkeypatch.setattr(selectors, "DefaultSelector", selectors.SelectSelector)
    moderation = Moderation(0.001)
    port = Port(moderation)
    assert not moderation.add(port.ours, port)
    port.close()


async def test_the_same_interval_is_the_same_timer():
    loop = asyncio.get_running_loop()
    assert moderation_of(loop, 0.002) is moderation_of(loop, 0.002)
    assert moderation_of(loop, 0.002) is not moderation_of(loop, 0.003)
