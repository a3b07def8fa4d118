from __future__ import annotations

import errno
import platform
import socket
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtspkit.net.sendmmsg import MESSAGES, MessageVector, is_supported, pack_address

LINUX = sys.platform.startswith("linux") and platform.machine() in ("x86_64", "aarch64")
needs_sendmmsg = pytest.mark.skipif(not LINUX, reason="sendmmsg is of Linux")


@pytest.fixture
def pair():
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for one in (near, far):
        one.setblocking(False)
    with near, far:
        yield near, far


def received(sock: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(sock.recv(65_536))
        except BlockingIOError:
            return found


@needs_sendmmsg
def test_it_is_there_on_linux():
    assert is_supported()


def test_it_is_only_said_to_be_there_on_linux():
    assert LINUX or not is_supported()


@needs_sendmmsg
@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=8))
def test_datagrams_arrive_whole_and_in_order(datagrams):
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    far.setblocking(False)
    with near, far:
        sizes = list(map(len, datagrams))
        assert MessageVector().send(near.fileno(), b"".join(datagrams), sizes) == len(sizes)
        assert received(far) == datagrams


@needs_sendmmsg
@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_a_full_vector_goes_to_its_address_again_and_again(family, host):
    with socket.socket(family, socket.SOCK_DGRAM) as far, socket.socket(family, far.type) as near:
        far.bind((host, 0))
        far.setblocking(False)
        name = pack_address(family, far.getsockname())
        assert name is not None
        vector = MessageVector(name)
        for turn in range(3):
            datagrams = [bytes([turn, place]) * place for place in range(MESSAGES)]
            sizes = list(map(len, datagrams))
            assert vector.send(near.fileno(), b"".join(datagrams), sizes) == MESSAGES
            assert received(far) == datagrams


@needs_sendmmsg
def test_a_full_queue_tells_how_many_went_and_then_why_none_does(pair):
    near, far = pair
    vector, sent, why = MessageVector(), 0, None
    while why is None:
        try:
            taken = vector.send(near.fileno(), bytes(MESSAGES), [1] * MESSAGES)
        except BlockingIOError as error:
            why = error.errno
        else:
            assert 0 < taken <= MESSAGES
            sent += taken
    assert why == errno.EAGAIN
    assert len(received(far)) == sent


@needs_sendmmsg
def test_an_error_has_its_number_and_its_words(pair):
    near, far = pair
    far.close()
    with pytest.raises(ConnectionRefusedError) as caught:
        MessageVector().send(near.fileno(), b"data", [4])
    assert caught.value.errno == errno.ECONNREFUSED
    assert caught.value.strerror == "Connection refused"
    with pytest.raises(OSError, match="Bad file descriptor"):
        MessageVector().send(-1, b"data", [4])


@needs_sendmmsg
@pytest.mark.parametrize(
    ("data", "sizes"), [(b"", []), (b"abc", [4]), (b"abc", [2]), (bytes(65), [1] * 65)]
)
def test_the_kernel_never_reads_beside_the_data(pair, data, sizes):
    with pytest.raises(AssertionError):
        MessageVector().send(pair[0].fileno(), data, sizes)


@pytest.mark.parametrize(
    ("family", "address", "packed"),
    [
        (socket.AF_INET, ("192.0.2.7", 0x1234), "1234c0000207 0000000000000000"),
        (
            socket.AF_INET6,
            ("2001:db8::7", 0x1234),
            "1234 00000000 20010db8000000000000000000000007 00000000",
        ),
        (
            socket.AF_INET6,
            ("fe80::1", 0x1234, 0xABCDE, 2),
            "1234 000abcde fe800000000000000000000000000001" + (2).to_bytes(4, sys.byteorder).hex(),
        ),
    ],
)
def test_addresses_are_packed_as_the_kernel_reads_them(family, address, packed):
    begin = int(family).to_bytes(2, sys.byteorder)
    assert pack_address(family, address) == begin + bytes.fromhex(packed)


@pytest.mark.parametrize(
    ("family", "host"),
    [
        (socket.AF_INET, "camera.example"),
        (socket.AF_INET, "::1"),
        (socket.AF_INET6, "fe80::1%eth0"),
        (socket.AF_UNIX, "/run/socket"),
    ],
)
def test_what_is_no_plain_address_is_not_packed(family, host):
    assert pack_address(family, (host, 554)) is None
