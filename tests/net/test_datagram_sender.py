"""Every engine passes the same tests; those that the system lacks are left out."""

from __future__ import annotations

import errno
import os
import platform
import socket
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtspkit.net.datagram_sender import ENGINES, RUN_BYTES, SEGMENTS, DatagramSender

HOSTS = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
SO_NO_CHECK = 11  # Linux: UDP without a checksum; the kernel segments no such run
LINUX = sys.platform.startswith("linux") and platform.machine() in ("x86_64", "aarch64")
only_linux = pytest.mark.skipif(not LINUX, reason="an engine of Linux")


class ScriptedSocket(socket.socket):
    """A real socket; the system refuses as the script says before it sends anything."""

    def __init__(self, *what: int) -> None:
        super().__init__(*what)
        self.script: list[int] = []
        self.runs = 0

    def _refuse(self) -> None:
        if self.script:
            number = self.script.pop(0)
            if number:
                raise OSError(number, os.strerror(number))

    def sendmsg(self, buffers, ancdata=(), flags=0, address=None):  # type: ignore[override]
        self.runs += bool(ancdata)
        self._refuse()
        return super().sendmsg(buffers, ancdata, flags, address)

    def sendto(self, *what):  # type: ignore[override]
        self._refuse()
        return super().sendto(*what)


class Link:
    """A sender and the socket that it sends to."""

    def __init__(self, engine: str, *, connected: bool = False, family: int = socket.AF_INET):
        self.far = socket.socket(family, socket.SOCK_DGRAM)
        self.far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.far.bind((HOSTS[socket.AddressFamily(family)], 0))
        self.far.setblocking(False)
        self.near = ScriptedSocket(family, socket.SOCK_DGRAM)
        self.near.setblocking(False)
        self.address = self.far.getsockname()
        if connected:
            self.near.connect(self.address)
        self.sender = DatagramSender(self.near, None if connected else self.address, engine=engine)

    def received(self) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(self.far.recv(65_536))
            except BlockingIOError:
                return found

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.near.close()
        self.far.close()


def available() -> Iterator[str]:
    for engine in ENGINES:
        with Link(engine) as link:
            if link.sender.engine == engine:
                yield engine


AVAILABLE = list(available())
each_engine = pytest.mark.parametrize("engine", AVAILABLE)


def joined(datagram) -> bytes:
    return b"".join(datagram) if isinstance(datagram, tuple) else bytes(datagram)


def parts():
    data = st.binary(max_size=20) | st.sampled_from([b"x" * 20, b"y" * 1200])
    return st.one_of(data, data.map(bytearray), data.map(memoryview))


def datagrams():
    return st.lists(st.one_of(parts(), st.tuples(parts(), parts())), max_size=90)


@only_linux
def test_linux_has_all_engines_and_begins_with_runs():
    assert tuple(AVAILABLE) == ENGINES
    with Link("gso") as link:
        assert DatagramSender(link.near, link.address).engine == "gso"


def test_any_system_has_the_plain_engine():
    assert AVAILABLE[-1] == "sendto"


@each_engine
@settings(max_examples=40, deadline=None)
@given(what=datagrams(), connected=st.booleans(), family=st.sampled_from(sorted(HOSTS)))
def test_the_same_bytes_are_on_the_wire(engine, what, connected, family):
    expected = [joined(one) for one in what]
    with Link(engine, connected=connected, family=family) as link:
        sender = link.sender
        assert sender.send_many(what) == len(what)
        assert link.received() == expected
        assert (sender.datagrams, sender.bytes) == (len(what), sum(map(len, expected)))
        assert sender.system_calls <= len(what)
        assert (sender.full, sender.refused, sender.errors) == (0, 0, 0)
        assert sender.engine == engine


@each_engine
def test_what_was_handed_in_may_change_after_the_call(engine):
    header, payload = bytearray(b"head"), bytearray(b"payload")
    with Link(engine) as link:
        assert link.sender.send_many([(header, memoryview(payload).toreadonly())] * 8) == 8
        header[:], payload[:] = b"HEAD", b"PAYLOAD"
        header.append(0)  # a buffer that is still lent cannot grow
        payload.append(0)
        assert link.received() == [b"headpayload"] * 8


@each_engine
@pytest.mark.parametrize("sizes", [[0], [0, 0, 0], [9, 0], [9, 9, 0, 9], [0, 9, 9], [1] * 65])
def test_no_datagram_is_too_small(engine, sizes):
    with Link(engine) as link:
        link.sender.send_many([bytes(size) for size in sizes])
        assert list(map(len, link.received())) == sizes


CALLS = {  # of 100 datagrams of 1000 bytes
    "gso": 2,
    "sendmmsg": 2,
    "sendmsg": 100,
    "sendto": 100,
}


@each_engine
@pytest.mark.parametrize("pairs", [False, True])
def test_many_go_by_few_system_calls(engine, pairs):
    one = (bytes(12), bytes(988)) if pairs else bytes(1000)
    with Link(engine) as link:
        link.sender.send_many([one] * 100)
        assert link.sender.system_calls == CALLS[engine]
        assert len(link.received()) == 100


@only_linux
@pytest.mark.parametrize(
    ("sizes", "calls"),
    [
        ([8, 8, 8, 5], 1),  # the last of a run may be shorter
        ([8, 8, 5, 5], 2),
        ([8, 5, 8, 5], 2),
        ([5, 8, 13], 3),
        ([8, 8, 8, 0], 2),  # a shorter one that is empty would be lost in a run
        ([100] * SEGMENTS, 1),
        ([100] * SEGMENTS + [50], 2),
        ([RUN_BYTES // 4] * 4, 1),
        ([RUN_BYTES // 4] * 4 + [1], 2),
        ([RUN_BYTES // 2 + 1] * 2, 2),
        ([65_000, 65_000], 2),
    ],
)
def test_a_run_is_as_long_as_one_message_may_hold(sizes, calls):
    for family in HOSTS:
        with Link("gso", family=family) as link:
            link.sender.send_many([bytes(size) for size in sizes])
            assert link.sender.system_calls == calls
            assert link.sender.engine == "gso"
            assert list(map(len, link.received())) == sizes


@only_linux
@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.EOPNOTSUPP])
def test_a_refused_run_goes_another_way_and_runs_are_not_tried_again(number):
    with Link("gso") as link:
        link.near.script = [number]
        for _ in range(2):
            assert link.sender.send_many([b"data"] * 10) == 10
        assert link.received() == [b"data"] * 20
        assert link.near.runs == 1
        assert link.sender.engine == "sendmmsg"
        assert (link.sender.errors, link.sender.datagrams) == (0, 20)


@only_linux
def test_a_run_that_the_kernel_itself_refuses_goes_another_way():
    with Link("gso") as link:
        link.near.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        assert link.sender.send_many([b"data"] * 10) == 10
        assert link.received() == [b"data"] * 10
        assert link.sender.engine == "sendmmsg"


@each_engine
def test_a_full_queue_tells_how_many_were_taken(engine):
    """A queue in the kernel that is really full: that of two sockets of one machine."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        sender = DatagramSender(near, engine=engine)
        what = [number.to_bytes(4, "big") for number in range(2000)]
        done, found = 0, []
        while done < len(what):
            taken = sender.send_many(what[done:])
            assert taken > 0
            done += taken
            assert sender.datagrams == done
            found += [far.recv(16) for _ in range(taken)]
        assert found == what
        assert sender.full > 0
        assert sender.errors == 0


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOBUFS])
@pytest.mark.parametrize("engine", [one for one in AVAILABLE if one != "sendmmsg"])
def test_no_room_ends_the_call_and_nothing_is_lost(engine, number):
    what = [bytes(20)] * 10 + [bytes(30)] * 10
    with Link(engine) as link:
        link.near.script = [0, number]
        taken = link.sender.send_many(what)
        assert taken == len(link.received()) == (10 if engine == "gso" else 1)
        assert (link.sender.full, link.sender.errors) == (1, 0)
        assert link.sender.send_many(what[taken:]) == 20 - taken
        assert link.sender.engine == engine


@each_engine
def test_an_error_of_an_earlier_datagram_costs_none(engine):
    with Link(engine, connected=True) as link:
        link.far.close()
        assert link.sender.send_many([b"lost"]) == 1
        link.far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        link.far.bind(link.address)
        link.far.setblocking(False)
        assert link.sender.send_many([b"data"] * 8) == 8
        assert link.received() == [b"data"] * 8
        assert (link.sender.refused, link.sender.errors) == (1, 0)


@each_engine
def test_a_peer_that_is_gone_is_no_error_of_ours(engine):
    with Link(engine, connected=True) as link:
        link.far.close()
        for _ in range(3):
            assert link.sender.send_many([bytes(size) for size in range(1, 21)]) == 20
        assert link.sender.refused > 0
        assert link.sender.errors == 0
        assert link.sender.datagrams <= 60
        assert link.sender.engine == engine


@pytest.mark.parametrize("engine", [one for one in AVAILABLE if one != "sendmmsg"])
def test_a_datagram_is_offered_again_once(engine):
    with Link(engine) as link:
        link.near.script = [errno.ECONNREFUSED] * 2
        assert link.sender.send_many([b"lost"]) == 1
        assert link.sender.send_many([b"sent"]) == 1
        assert link.received() == [b"sent"]
        assert (link.sender.refused, link.sender.datagrams) == (2, 1)
        assert link.sender.system_calls == 3


@each_engine
def test_a_datagram_that_the_system_refuses_is_lost_alone(engine):
    """In the engine of runs too: a single datagram tells nothing of them."""
    what = [b"before"] * 6 + [bytes(65_600)] + [b"after"] * 6
    with Link(engine) as link:
        assert link.sender.send_many(what) == 13
        assert link.received() == [b"before"] * 6 + [b"after"] * 6
        assert (link.sender.errors, link.sender.datagrams) == (1, 12)
        assert link.sender.bytes == 6 * len("before") + 6 * len("after")
        assert link.sender.engine == engine


@each_engine
def test_a_closed_socket_loses_and_counts(engine):
    with Link(engine) as link:
        link.near.close()
        assert link.sender.send_many([b"data"] * 6) == 6
        assert link.sender.datagrams == 0
        assert link.sender.errors == 6


class PlainSocket:
    """What a socket of Windows has: no ``sendmsg``."""

    family = socket.AF_INET

    def __init__(self, sock: socket.socket) -> None:
        self.send = sock.send
        self.sendto = sock.sendto


@pytest.mark.parametrize("connected", [False, True])
def test_pairs_are_joined_where_nothing_gathers(connected):
    with Link("sendto", connected=connected) as link:
        address = None if connected else link.address
        sender = DatagramSender(PlainSocket(link.near), address, engine="sendmsg")
        assert sender.engine == "sendto"
        assert sender.send_many([(b"header ", b"payload"), b"whole"]) == 2
        assert link.received() == [b"header payload", b"whole"]


def test_a_name_is_not_packed_and_still_reached():
    with Link("sendmmsg") as link:
        sender = DatagramSender(link.near, ("localhost", link.address[1]), engine="sendmmsg")
        assert sender.engine in ("sendmsg", "sendto")
        assert sender.send_many([b"data"] * 6) == 6
        assert link.received() == [b"data"] * 6
