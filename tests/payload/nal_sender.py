"""NAL units of a small H.264 stream, and a sender of them with running numbers."""

from rtspkit.payload.h264 import H264Depacketizer
from rtspkit.payload.nal import split_annex_b
from rtspkit.wire.rtp import parse_rtp, serialize_rtp

SPS = bytes.fromhex("6742c00cd901419f9f011000000300100000030320f142a480")
OTHER_SPS = bytes.fromhex("67640028acd94078044fde022000007d20001d4c03e2c5b2c0")
PPS = bytes.fromhex("68cb83cb20")
SPROP = "Z0LADNkBQZ+fARAAAAMAEAAAAwMg8UKkgA==,aMuDyyA="
AUD, MESSAGE, END_OF_SEQUENCE = b"\x09\x10", b"\x06\x05\x01\x00\x80", b"\x0a"
# First slices (first_mb_in_slice 0) and slices that continue a picture.
IDR, IDR_2 = b"\x65\x88\x01\x02", b"\x65\x02\x03\x04"
P, P_2, P_3 = b"\x41\x9a\x05\x06", b"\x41\x02\x07\x08", b"\x41\x01\x07\x09"
PICTURES = [[SPS, PPS, MESSAGE, IDR, IDR_2], [P, P_2], [AUD, P], [AUD, SPS, PPS, IDR], [P] * 1]


class Sender:
    """Packets with running numbers; ``drop`` loses some."""

    def __init__(self, depacketizer=None, *, first=65_533):
        self.depacketizer = depacketizer or H264Depacketizer(90_000)
        self.number = first
        self.units = []

    def send(self, payload, timestamp=0, marker=False, **fields):
        packet = self.packet(payload, timestamp, marker, **fields)
        given = self.depacketizer.push(packet)
        self.units += given
        return given

    def packet(self, payload, timestamp=0, marker=False, **fields):
        packet = parse_rtp(
            serialize_rtp(
                payload,
                payload_type=96,
                sequence_number=self.number & 0xFFFF,
                timestamp=timestamp,
                ssrc=1,
                marker=marker,
            )
        )
        self.number += 1
        for name, value in fields.items():
            setattr(packet, name, value)
        return packet

    def drop(self, count=1):
        self.number += count

    def flush(self):
        given = self.depacketizer.flush()
        self.units += given
        return given


def nal_units(unit):
    return split_annex_b(unit.data)


def fragments(nal_unit, count=3):
    """FU-A payloads of one NAL unit."""
    body = nal_unit[1:]
    size = -(-len(body) // count)
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    made = []
    for index, piece in enumerate(pieces):
        flags = 0x80 * (index == 0) | 0x40 * (index == len(pieces) - 1)
        made.append(bytes((nal_unit[0] & 0xE0 | 28, flags | nal_unit[0] & 0x1F)) + piece)
    return made
