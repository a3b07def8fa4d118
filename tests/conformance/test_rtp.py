"""The shared RTP vectors, a foreign capture, and fuzz seeds, against ``parse_rtp``."""

import pytest
from rtspkit_vectors import cases, load, path, read

from rtspkit.errors import MalformedPacket
from rtspkit.wire.rtcp import is_rtcp, parse_rtcp
from rtspkit.wire.rtp import parse_rtp, serialize_rtp


def check(data, expect):
    packet = parse_rtp(data)
    extension = packet.extension
    elements = [] if extension is None else extension.elements()
    assert packet.marker == expect["marker"]
    assert packet.payload_type == expect["payload_type"]
    assert packet.sequence_number == expect["sequence_number"]
    assert packet.timestamp == expect["timestamp"]
    assert packet.ssrc == expect["ssrc"]
    assert list(packet.csrcs) == expect["csrc"]
    assert packet.padding_size == expect["padding_size"]
    assert packet.payload.hex() == expect["payload"]
    assert (extension is not None) == expect["extension"]
    assert (extension and extension.profile) == expect["extension_profile"]
    assert (extension and extension.data.hex()) == expect["extension_data"]
    items = elements if elements is None else [[i, d.hex()] for i, d in elements]
    assert items == expect["extension_items"]
    return packet


@pytest.mark.parametrize("case", cases("rtp/packet.json"))
def test_packet(case):
    data = bytes.fromhex(case["hex"])
    if not case["valid"]:
        with pytest.raises(MalformedPacket):
            parse_rtp(data)
        return
    packet = check(data, case["expect"])
    extension = packet.extension
    written = serialize_rtp(
        packet.payload,
        payload_type=packet.payload_type,
        sequence_number=packet.sequence_number,
        timestamp=packet.timestamp,
        ssrc=packet.ssrc,
        marker=packet.marker,
        csrcs=packet.csrcs,
        extension=extension and (extension.profile, bytes(extension.data)),
        padding=packet.padding_size,
    )
    # Of the padding only its count has a meaning; we write zeros before it.
    filled = len(data) - packet.padding_size
    assert written[:filled] + written[-1:] == data[:filled] + data[-1:]


@pytest.mark.parametrize("case", cases("rtp/aiortc.json"))
def test_file(case):
    data = bytearray(read(f"rtp/{case['file']}"))
    if "set_byte" in case:
        offset, value = case["set_byte"]
        data[offset] = value
    if case["valid"]:
        check(data, case["expect"])
        return
    for size in case.get("cut_to", [len(data)]):
        with pytest.raises(MalformedPacket):
            parse_rtp(data[:size])


def datagrams():
    """The UDP payloads of the capture."""
    dpkt = pytest.importorskip("dpkt")
    found = path("pcap/rtp.pcapng")
    if found is None:
        pytest.skip("test vectors not present: pcap/rtp.pcapng")
    with found.open("rb") as file:
        for _, frame in dpkt.pcapng.Reader(file):
            datagram = dpkt.ethernet.Ethernet(frame).data.data
            if isinstance(datagram, dpkt.udp.UDP):
                yield bytes(datagram.data)


def test_the_capture_reads_the_same_with_dpkt():
    dpkt = pytest.importorskip("dpkt")
    compared = 0
    for data in datagrams():
        if len(data) < 12 or data[0] >> 6 != 2 or is_rtcp(data):
            continue
        ours, theirs = parse_rtp(data), dpkt.rtp.RTP(data)
        assert ours.sequence_number == theirs.seq
        assert ours.timestamp == theirs.ts
        assert ours.ssrc == theirs.ssrc
        assert ours.payload_type == theirs.pt
        assert ours.marker == bool(theirs.m)
        assert len(ours.csrcs) == theirs.cc
        if not theirs.x and not theirs.p:  # dpkt leaves both in the payload
            assert ours.payload == theirs.data
        compared += 1
    assert compared > 60


def test_what_is_no_rtp_in_the_capture_is_refused():
    """STUN and the like; the RTCP in it is encrypted, so that only its first header can be read."""
    others = [data for data in datagrams() if data[0] >> 6 != 2]
    assert others
    for data in others:
        assert not is_rtcp(data)
        with pytest.raises(MalformedPacket):
            parse_rtp(data)
    encrypted = [data for data in datagrams() if is_rtcp(data)]
    assert encrypted
    for data in encrypted:
        with pytest.raises(MalformedPacket):
            parse_rtcp(data)


SEEDS = [
    name
    for name in load("seeds/index.json").get("groups", {})
    if name.startswith(("format_", "base_FuzzInterleaved"))
]


@pytest.mark.parametrize(
    "group", SEEDS or [pytest.param("", marks=pytest.mark.skip("test vectors not present: seeds"))]
)
def test_seeds_give_a_value_or_the_documented_error(group):
    folder = path(f"seeds/{group}")
    assert folder is not None
    files = sorted(folder.glob("*.bin"))
    assert files
    for file in files:
        data = file.read_bytes()
        for parse in (parse_rtp, parse_rtcp):
            for start in range(min(len(data), 16) + 1):
                try:
                    assert parse(data[start:])
                except MalformedPacket:
                    continue
