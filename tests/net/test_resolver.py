"""Names to addresses: in turn, in time, and a resolver that hangs keeps nobody."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from rtspkit.errors import ConnectError, DeadlineExceeded
from rtspkit.net.resolver import resolve


async def test_a_numeric_address_needs_no_resolver():
    assert await resolve("127.0.0.1", 554) == [(socket.AF_INET, ("127.0.0.1", 554))]
    assert await resolve("::1", 554) == [(socket.AF_INET6, ("::1", 554, 0, 0))]


LOOPBACK = socket.if_nametoindex("lo") if "lo" in dict(socket.if_nameindex()).values() else 0
V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", (V4, ("192.0.2.1", 554))),
        ("2001:db8::1", (V6, ("2001:db8::1", 554, 0, 0))),
        ("::ffff:192.0.2.1", (V6, ("::ffff:192.0.2.1", 554, 0, 0))),
        pytest.param(
            "fe80::1%lo",
            (V6, ("fe80::1%lo", 554, 0, LOOPBACK)),
            marks=pytest.mark.skipif(not LOOPBACK, reason="no interface is called lo"),
        ),
    ],
)
async def test_a_numeric_address_is_taken_at_once_with_its_scope(monkeypatch, host, address):
    monkeypatch.setattr(threading, "Thread", None)  # whoever wants one fails
    ((family, (name, *rest)),) = await resolve(host, 554)
    assert (family, name.partition("%")[0], *rest) == (
        address[0],
        address[1][0].partition("%")[0],
        *address[1][1:],
    )


@pytest.mark.parametrize("host", ["fe80::1%no-such", "1:2", "::g", "1::2::3"])
async def test_what_has_a_colon_is_never_looked_up_as_a_name(monkeypatch, host):
    monkeypatch.setattr(threading, "Thread", None)
    with pytest.raises(ConnectError, match="is not known"):
        await resolve(host, 554)


def answers(monkeypatch, *hosts: str) -> None:
    """Have the system find these addresses for any name."""

    def found(host, port, *, flags=0, **options):
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not a numeric address")
        return [
            (V6, socket.SOCK_STREAM, 6, "", (one, port, 0, 0))
            if ":" in one
            else (V4, socket.SOCK_STREAM, 6, "", (one, port))
            for one in hosts
        ]

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.parametrize(
    ("found", "order"),
    [
        ("::1 ::2 ::3 1.1.1.1 1.1.1.2", "::1 1.1.1.1 ::2 1.1.1.2 ::3"),
        ("1.1.1.1 1.1.1.2 ::1", "1.1.1.1 ::1 1.1.1.2"),
        ("::1 1.1.1.1 ::1 1.1.1.1", "::1 1.1.1.1"),
        ("1.1.1.2 1.1.1.1", "1.1.1.2 1.1.1.1"),
        ("", ""),
    ],
)
async def test_the_families_take_turns_and_the_systems_favourite_is_first(
    monkeypatch, found, order
):
    answers(monkeypatch, *found.split())
    assert [address[0] for _, address in await resolve("camera.test", 554)] == order.split()


@pytest.mark.parametrize("host", ["camera.invalid", "a" * 300, "\u2603" * 80])
async def test_an_unknown_name_is_a_connect_error(host):
    with pytest.raises(ConnectError, match="is not known") as caught:
        await resolve(host, 554)
    assert caught.value.phase == "resolve"
    assert len(caught.value.causes) == 1


async def test_a_resolver_that_hangs_is_given_up_at_its_deadline(monkeypatch):
    released = threading.Event()

    def hangs(*arguments, flags=0, **options):
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror("not a numeric address")
        released.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    words = r"^resolve: no answer for 'slow.invalid' within 0.1 s$"
    with pytest.raises(DeadlineExceeded, match=words) as caught:
        await resolve("slow.invalid", 554, timeout=0.1)
    assert 0.09 < loop.time() - begun < 0.2
    assert (caught.value.phase, caught.value.seconds) == ("resolve", 0.1)
    released.set()


async def test_a_resolver_that_hangs_keeps_neither_the_caller_nor_the_program(monkeypatch):
    asked, released, done = threading.Event(), threading.Event(), threading.Event()
    threads = []

    def hangs(*arguments, flags=0, **options):
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror("not a numeric address")
        threads.append(threading.current_thread())
        asked.set()
        released.wait(10)
        done.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    waiting = asyncio.ensure_future(resolve("slow.invalid", 554))
    await asyncio.sleep(0)  # it has started its thread
    assert asked.wait(10)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    (thread,) = threads
    assert thread.daemon
    released.set()
    assert done.wait(10)
    thread.join(10)
    await asyncio.sleep(0)  # the answer that nobody waits for is dropped
