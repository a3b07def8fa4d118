"""TLS in memory: whole and in pieces, both ways, and what breaks it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl

import pytest
from certificates import AUTHORITY, fingerprint, server_context

from rtspkit.errors import ConnectError, LocalProtocolError
from rtspkit.net.tls import tls_context
from rtspkit.net.tls_channel import TlsChannel
from rtspkit.options import TLS

TRUSTED = TLS(ca=AUTHORITY)


class Server:
    """The other end, in memory, behind one half of a pair of sockets."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    async def shake_hands(self, sock: socket.socket, *, piece: int = 65_536) -> None:
        """Answer the client, so many bytes at a time."""
        loop = asyncio.get_running_loop()
        done = False
        while not done:
            try:
                self.tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                await loop.sock_sendall(sock, self.outgoing.read())  # why
                raise
            answer = self.outgoing.read()
            for begin in range(0, len(answer), piece):
                await loop.sock_sendall(sock, answer[begin : begin + piece])
                if piece < 1000:
                    await asyncio.sleep(0)
            if not done:
                data = await loop.sock_recv(sock, 65_536)
                if not data:
                    return
                self.incoming.write(data)

    def say(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self.outgoing.read()

    def hear(self, data: bytes) -> bytes:
        self.incoming.write(data)
        heard = b""
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while piece := self.tls.read(65_536):
                heard += piece
        return heard


async def shaken(
    context: ssl.SSLContext | None = None,
    tls: TLS | ssl.SSLContext = TRUSTED,
    host: str = "camera.test",
    piece: int = 65_536,
) -> tuple[TlsChannel, Server]:
    """Both ends after the handshake; the server's failure, when it fails, is of no interest."""
    channel = TlsChannel(await tls_context(tls), host)
    server = Server(context or server_context())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for one in (ours, theirs):
            one.setblocking(False)
        answering = asyncio.ensure_future(server.shake_hands(theirs, piece=piece))
        try:
            async with asyncio.timeout(5):
                await channel.shake_hands(ours)
                while not answering.done():
                    await asyncio.sleep(0)
                    with contextlib.suppress(BlockingIOError):
                        channel.receive(ours.recv(65_536))  # tickets, of no handshake
        finally:
            answering.cancel()
            await asyncio.wait([answering])
            with contextlib.suppress(ssl.SSLError, OSError, asyncio.CancelledError):
                answering.result()
    return channel, server


def read_all(channel: TlsChannel, size: int = 4096) -> bytes:
    room = memoryview(bytearray(size))
    found = b""
    while count := channel.read_into(room):
        found += room[:count]
    return found


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("piece", [1, 100, 65_536])
async def test_both_ways_whole_and_in_pieces(version, piece):
    channel, server = await shaken(server_context(maximum_version=version), piece=piece)
    assert channel.version == {771: "TLSv1.2", 772: "TLSv1.3"}[version]
    data = random.Random(1).randbytes(100_000)
    channel.write(data)
    assert channel.waiting == len(data)
    assert server.hear(channel.to_send()) == data
    assert (channel.waiting, channel.to_send()) == (0, b"")
    records, found = server.say(data), b""
    for begin in range(0, len(records), 997):
        channel.receive(records[begin : begin + 997])
        found += read_all(channel)
    assert found == data
    assert not channel.ended


@pytest.mark.parametrize("room", [1, 100, 16_384, 16_385, 300_000])
async def test_fills_the_room_there_is_with_as_many_records_as_go_in(room):
    channel, server = await shaken()
    channel.receive(server.say(bytes(100_000)) + server.say(b"x" * 10))
    assert channel.read_into(memoryview(bytearray(room))) == min(room, 100_010)
    rest = 100_010 - min(room, 100_010)
    assert len(read_all(channel)) == rest


async def test_a_farewell_is_the_end_and_is_said_too():
    channel, server = await shaken()
    channel.receive(server.say(b"last words"))
    with contextlib.suppress(ssl.SSLWantReadError):
        server.tls.unwrap()
    channel.receive(server.outgoing.read())
    assert read_all(channel) == b"last words"
    assert (channel.ended, channel.error) == (True, None)
    channel.write(b"mine")
    assert server.hear(channel.end()) == b"mine"
    with pytest.raises(ssl.SSLZeroReturnError):
        server.tls.read(1)


async def test_a_record_that_was_tampered_with_breaks_it_after_what_came_before():
    channel, server = await shaken()
    records = bytearray(server.say(b"good") + server.say(b"bad"))
    records[-1] ^= 1
    channel.receive(bytes(records))
    assert read_all(channel) == b"good"
    assert channel.ended
    assert isinstance(channel.error, ssl.SSLError)
    channel.write(b"nobody reads this")
    channel.end()  # harmless


@pytest.mark.parametrize(
    ("name", "host", "words"),
    [
        ("self_signed", "localhost", r"not trusted \(self-signed certificate\): set TLS\(ca="),
        ("expired", "camera.test", r"'camera.test' is not trusted \(certificate has expired\)"),
        ("elsewhere", "camera.test", r"Hostname mismatch.*: set TLS\(server_name="),
        ("camera", "192.0.2.1", r"IP address mismatch.*: set TLS\(server_name="),
        ("camera", "fe80::1%eth0", r"'fe80::1' is not trusted \(IP address mismatch"),
    ],
)
async def test_a_certificate_that_is_not_right_is_final(name, host, words):
    with pytest.raises(ConnectError, match=words) as caught:
        await shaken(server_context(name), host=host)
    assert (caught.value.retryable, caught.value.phase) == (False, "tls")
    assert isinstance(caught.value.causes[0], ssl.SSLCertVerificationError)


@pytest.mark.parametrize(
    ("name", "tls", "host"),
    [
        ("camera", TRUSTED, "127.0.0.1"),
        ("camera", TRUSTED, "::1"),
        ("camera", TRUSTED, "camera.test."),
        ("elsewhere", TLS(ca=AUTHORITY, server_name="elsewhere.test"), "192.0.2.1"),
        ("self_signed", TLS(fingerprint=fingerprint("self_signed")), "camera.test"),
        ("expired", TLS(fingerprint=fingerprint("expired").upper()), "192.0.2.1"),
        ("expired", TLS(insecure=True), "camera.test"),
    ],
)
async def test_a_certificate_is_right_for_what_was_told(name, tls, host):
    channel, _ = await shaken(server_context(name), tls, host)
    assert channel.version


async def test_another_certificate_than_the_one_told_is_final():
    with pytest.raises(ConnectError, match=fingerprint("camera")) as caught:
        await shaken(tls=TLS(fingerprint=fingerprint("self_signed")))
    assert not caught.value.retryable


async def test_no_version_in_common_says_what_to_do():
    mine = ssl.create_default_context(cafile=AUTHORITY)
    mine.minimum_version = ssl.TLSVersion.TLSv1_3
    server = server_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    with pytest.raises(ConnectError, match=r"no TLS version.*an ssl.SSLContext of your own"):
        await shaken(server, mine)


@pytest.mark.parametrize("name", ["x" * 64 + ".test", ".test", "a..b"])
async def test_a_name_that_cannot_be_one_is_refused(name):
    with pytest.raises(LocalProtocolError, match=r"set TLS.server_name"):
        TlsChannel(await tls_context(TLS(insecure=True, server_name=name)), "camera.test")


@pytest.mark.parametrize("answer", [b"RTSP/1.0 400 Bad Request\r\n\r\n", b"HTTP/1.1 400 x\r\n\r\n"])
async def test_what_is_no_tls_is_said_to_be_none(answer):
    channel = TlsChannel(await tls_context(TRUSTED), "camera.test")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(answer)
        with pytest.raises(ConnectError, match="is no TLS") as caught:
            await channel.shake_hands(ours)
        assert not caught.value.retryable


async def test_a_server_that_closes_in_the_handshake_may_be_tried_again():
    channel = TlsChannel(await tls_context(TRUSTED), "camera.test")
    ours, theirs = socket.socketpair()
    with ours:
        ours.setblocking(False)
        with theirs:
            theirs.shutdown(socket.SHUT_WR)
            with pytest.raises(ConnectionResetError, match="in the TLS handshake"):
                await channel.shake_hands(ours)
