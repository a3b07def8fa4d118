"""The shared RTCP vectors against ``parse_rtcp`` and ``serialize_rtcp``."""

import pytest
from rtspkit_vectors import cases, read

from rtspkit.errors import LocalProtocolError, MalformedPacket
from rtspkit.wire.rtcp import (
    Goodbye,
    RawRtcp,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
    parse_rtcp,
    serialize_rtcp,
)

KINDS = {"SR": SenderReport, "RR": ReceiverReport, "BYE": Goodbye, "SDES": SourceDescription}
FEEDBACK = {"RTPFB": 205, "PSFB": 206}


def blocks(expect):
    names = "ssrc", "fraction_lost", "packets_lost", "highest_sequence", "jitter", "lsr", "dlsr"
    return [ReportBlock(*(report[name] for name in names)) for report in expect["reports"]]


def check(packet, expect):
    kind = expect["type"]
    if kind in FEEDBACK:
        assert isinstance(packet, RawRtcp)
        assert packet.packet_type == FEEDBACK[kind]
        assert packet.count == expect["fmt"]
        ssrcs = expect["ssrc"].to_bytes(4, "big") + expect["media_ssrc"].to_bytes(4, "big")
        assert packet.data[:8] == ssrcs
        return
    assert isinstance(packet, KINDS[kind])
    if isinstance(packet, Goodbye):
        # A reason that is not there is None with us, "" with the source of these vectors.
        assert packet.ssrcs == expect["sources"]
        assert (packet.reason or b"").decode() == (expect["reason"] or "")
    elif isinstance(packet, SourceDescription):
        assert [
            {"ssrc": chunk.ssrc, "items": [[kind, text.decode()] for kind, text in chunk.items]}
            for chunk in packet.chunks
        ] == expect["chunks"]
    else:
        assert packet.ssrc == expect["ssrc"]
        assert packet.report_blocks == blocks(expect)
        assert packet.extension.hex() == expect.get("extension", "")
        if isinstance(packet, SenderReport):
            assert packet.ntp == expect["ntp"]
            assert packet.rtp_timestamp == expect["rtp"]
            assert packet.packet_count == expect["packet_count"]
            assert packet.octet_count == expect["octet_count"]


def write_what_cannot_be(group, fields):
    if "packets_lost" in fields:
        block = ReportBlock(1, packets_lost=fields["packets_lost"])
        return serialize_rtcp([ReceiverReport(1, [block])])
    if "reports" in fields:
        kind = SenderReport if group == "sender_report" else ReceiverReport
        return serialize_rtcp([kind(1, report_blocks=[ReportBlock(1)] * fields["reports"])])
    if "sources" in fields:
        return serialize_rtcp([Goodbye([1] * fields["sources"])])
    if "count" in fields:
        return serialize_rtcp([RawRtcp(201, fields["count"])])
    return serialize_rtcp([Goodbye([1], bytes(fields["reason_length"]))])


def run(group, case):
    if case["kind"] == "write_error":
        with pytest.raises(LocalProtocolError):
            write_what_cannot_be(group, case["fields"])
        return
    data = bytes.fromhex(case["hex"])
    if case["name"] == "with extension":
        # The length covers the report alone; what the source reads as an extension is a second
        # packet. The vector allows both readings; walking compounds gives this one.
        report, description = parse_rtcp(data)
        check(report, {**case["expect"], "extension": ""})
        assert isinstance(description, SourceDescription)
        return
    if not case["valid"] or not case["length_consistent"]:
        # We check the length that the header gives: bytes that contradict it are refused.
        with pytest.raises(MalformedPacket):
            parse_rtcp(data)
        if not case["valid"]:
            return
        data = bytes.fromhex(case["hex_fixed"])
    (packet,) = parse_rtcp(data)
    check(packet, case["expect"])
    if case["kind"] == "roundtrip":
        assert serialize_rtcp([packet]) == data


@pytest.mark.parametrize("case", cases("rtcp/sender_report.json"))
def test_sender_report(case):
    run("sender_report", case)


@pytest.mark.parametrize("case", cases("rtcp/receiver_report.json"))
def test_receiver_report(case):
    run("receiver_report", case)


@pytest.mark.parametrize("case", cases("rtcp/goodbye.json"))
def test_goodbye(case):
    run("goodbye", case)


@pytest.mark.parametrize("case", cases("rtcp/header.json"))
def test_header(case):
    """The vectors hold four bytes only: a body that fits the length is put behind them."""
    if case["kind"] == "write_error":
        run("header", case)
        return
    header = bytes.fromhex(case["hex"])
    if not case["valid"]:
        with pytest.raises(MalformedPacket):
            parse_rtcp(header)
        return
    expect = case["expect"]
    assert header[2:] == expect["length"].to_bytes(2, "big")
    body = bytes(4 * expect["length"] - 1) + (b"\x04" if expect["padding"] else b"\x00")
    # Of a type that is read raw, so that count and padding of the header can be looked at.
    (packet,) = parse_rtcp(header[:1] + b"\xdf" + header[2:] + body)
    assert isinstance(packet, RawRtcp)
    assert packet.count == expect["count"]
    assert len(packet.data) == len(body) - (4 if expect["padding"] else 0)


@pytest.mark.parametrize("case", cases("rtcp/aiortc.json"))
def test_file(case):
    data = read(f"rtcp/{case['file']}")
    (packet,) = parse_rtcp(data)
    check(packet, case["expect"])
    if not data[0] & 0x20:
        assert serialize_rtcp([packet]) == data


@pytest.mark.parametrize("case", cases("rtcp/aiortc.json"))
def test_file_cut_anywhere_is_malformed(case):
    data = read(f"rtcp/{case['file']}")
    for size in range(len(data)):
        with pytest.raises(MalformedPacket):
            parse_rtcp(data[:size])
