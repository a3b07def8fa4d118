"""Random bytes of a control connection: frames of several channels, messages, garbage."""

from __future__ import annotations

from hypothesis import strategies as st

from rtspkit.wire.interleaved import serialize_frame

CHANNELS = (0, 1, 2)
RTP = b"\x80\x60" + bytes(range(30))
RTCP = b"\x80\xc9\x00\x01ssrc"
OK = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"
SDP = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 5\r\n\r\nv=0\r\n"
OPTIONS = b"OPTIONS rtsp://camera/ RTSP/1.0\r\nCSeq: 8\r\n\r\n"

FRAMES = st.builds(
    serialize_frame,
    st.sampled_from((*CHANNELS, 0, 0)),
    st.one_of(
        st.sampled_from([RTP, RTP, RTCP, b"", bytes(700), b"$\x00\x00\x02ab", RTP + b"$$$"]),
        st.binary(max_size=60),
    ),
)
BURSTS = st.builds(lambda frame, times: frame * times, FRAMES, st.integers(2, 12))
MESSAGES = st.sampled_from([OK, SDP, OPTIONS, OK.replace(b"\r\n", b"\n"), b"\r\n", b"\r\n\r\n"])
STRANGE = st.sampled_from([serialize_frame(9, RTP), serialize_frame(7, RTCP)])
GARBAGE = st.one_of(
    st.sampled_from([b"junk", b"$", b"$\x00", b"\x00\x00\x01", b"RTSP/", serialize_frame(9, b"x")]),
    st.binary(min_size=1, max_size=30),
)
CUT_SHORT = st.builds(  # a reply was written into the middle of a frame
    lambda kept, reply: serialize_frame(0, bytes(range(128, 228)))[: 4 + kept] + reply,
    st.integers(0, 90),
    st.sampled_from([OK, SDP]),
)

SOUND = st.lists(st.one_of(FRAMES, BURSTS, BURSTS, MESSAGES, STRANGE), max_size=8).map(b"".join)
ANY = st.lists(st.one_of(FRAMES, BURSTS, MESSAGES, STRANGE, GARBAGE, CUT_SHORT), max_size=8).map(
    b"".join
)
SIZES = st.lists(st.one_of(st.integers(1, 40), st.integers(1, 2000)), max_size=30)


def pieces_of(data: bytes, sizes: list[int]) -> list[bytes]:
    """The data in pieces of these sizes; what is left is the last one."""
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [piece for piece in (*pieces, data) if piece]
