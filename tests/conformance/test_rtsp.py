"""Replies of real devices and captured dialogues: the shared vectors, each case one test."""

import pytest
from rtspkit_vectors import cases, read

from rtspkit.errors import RemoteProtocolError
from rtspkit.wire.header import parse_public, parse_range, parse_rtp_info, parse_session
from rtspkit.wire.header import parse_transport as transport_of
from rtspkit.wire.message import MessageReader, Request, serialize_request, serialize_response
from rtspkit.wire.sdp import parse_sdp
from rtspkit.wire.stream import streams_from
from rtspkit.wire.url import choose_base, join_control

REPLIES = [
    case
    for case in cases("rtsp/index.json", "files", label="file")
    if case.values[0] is None or case.values[0]["kind"] != "sdp"  # those hold no reply
]
DIALOGUES = cases("pcap/index.json", "rtsp_dialogues", label="client")
BASE_SEEDS = ("Header", "InterleavedFrame", "Request", "Response")
SEEDS = [
    case
    for case in cases("seeds/index.json", "seeds", label="name")
    if case.values[0] is None
    or case.values[0]["group"] in [f"base_Fuzz{name}Unmarshal" for name in BASE_SEEDS]
]


def events_of(data, *, step=None):
    """What a fresh reader makes of ``data`` in pieces of ``step`` bytes, up to its end."""
    reader = MessageReader()
    events = []
    for start in range(0, len(data), step or len(data) or 1):
        reader.receive_data(data[start : start + (step or len(data))])
        events += reader.next_events()
    reader.receive_eof()
    return events


def reply_of(case):
    (reply,) = events_of(read(f"rtsp/{case['file']}"))
    return reply


@pytest.mark.parametrize("case", REPLIES)
def test_a_reply_of_a_real_device_is_read(case):
    expect = case["expect"]
    reply = reply_of(case)
    assert f"RTSP/{reply.version}" == expect["version"]
    assert (reply.status_code, reply.reason_phrase) == (expect["status"], expect["reason"])
    assert len(reply.headers) == expect["header_count"]
    assert reply.cseq == expect["cseq"]
    assert len(reply.body) == expect.get("content_length", 0)
    for name in ("Content-Type", "Content-Base", "Server"):
        assert reply.headers.get(name) == expect.get(name.lower().replace("-", "_"))
    assert reply.deviations == ()


@pytest.mark.parametrize("case", REPLIES)
def test_a_reply_of_a_real_device_is_the_same_in_pieces_of_any_size(case):
    data = read(f"rtsp/{case['file']}")
    whole = events_of(data)
    for step in (*range(1, 40), len(data) - 1):
        assert events_of(data, step=step) == whole


@pytest.mark.parametrize("case", REPLIES)
def test_a_reply_of_a_real_device_is_found_between_frames(case):
    data = read(f"rtsp/{case['file']}")
    frame = b"$\x00\x00\x0c\x80\x60" + bytes(10)
    reader = MessageReader(channels={0, 1})
    reader.receive_data(frame + data + frame)
    before, reply, after = reader.next_events()
    assert before == after
    assert reply == events_of(data)[0]


@pytest.mark.parametrize("case", REPLIES)
def test_a_reply_of_a_real_device_round_trips(case):
    reply = reply_of(case)
    assert events_of(serialize_response(reply)) == [reply]


@pytest.mark.parametrize("case", REPLIES)
def test_the_headers_of_a_real_device_are_read(case):
    expect, headers = case["expect"], reply_of(case).headers
    if "session" in expect:
        session = parse_session(headers.get("Session"))
        assert session.id == expect["session"]["id"]
        given = expect["session"]["timeout_given"]
        assert session.timeout == (expect["session"]["timeout"] if given else None)
    if "public" in expect:
        assert parse_public(headers.get_all("Public")) == frozenset(expect["public"])
    if "range" in expect:
        found = parse_range(headers.get("Range"))
        wanted = expect["range"]
        assert headers.get("Range") == wanted["raw"]
        assert (found.unit, found.start, found.end) == (
            wanted["unit"],
            wanted["start"],
            wanted["end"],
        )
    if "transport" in expect:
        check_transport(transport_of(headers.get("Transport")), expect["transport"])


def check_transport(found, wanted):
    assert found.protocol == ("TCP" if wanted["protocol"].endswith("/TCP") else "UDP")
    assert (found.delivery == "unicast") is wanted["unicast"]
    assert (found.delivery == "multicast") is wanted["multicast"]
    assert found.interleaved == tuple(wanted["interleaved"])
    for name in ("ssrc", "mode", "source", "destination"):
        assert getattr(found, name) == wanted.get(name)


def described(case):
    """Base URL, presentation URL and streams of a DESCRIBE case."""
    reply = reply_of(case)
    headers = reply.headers
    base, deviations = choose_base(
        headers.get("Content-Base"), headers.get("Content-Location"), case["request_url"]
    )
    description = parse_sdp(reply.body)
    presentation = join_control(base, description.control)
    return base, deviations, presentation, streams_from(description, base)


DESCRIPTIONS = [c for c in REPLIES if c.values[0] is None or c.values[0]["kind"] == "describe"]
PLAYS = [c for c in REPLIES if c.values[0] is None or c.values[0]["kind"] == "play"]


@pytest.mark.parametrize("case", DESCRIPTIONS)
def test_the_urls_of_a_real_description_are_joined_the_way_devices_need(case):
    base, _, presentation, streams = described(case)
    assert base == case["expect"]["base_url"]
    assert presentation == case["expect"]["presentation_url"]
    wanted = case["expect"]["streams"]
    assert [stream.control_url for stream in streams] == [s["control_url"] for s in wanted]


@pytest.mark.parametrize("case", PLAYS)
def test_the_rtp_info_of_a_real_device_is_read_and_its_urls_resolve(case):
    entries = parse_rtp_info(reply_of(case).headers.get("RTP-Info"))
    wanted = case["expect"]["rtp_info"]
    assert [(e.url, e.sequence_number, e.rtptime) for e in entries] == [
        (w["url"], w["seq"], w["rtptime"]) for w in wanted
    ]
    if "describe_file" not in case:
        return
    every = {c.values[0]["file"]: c.values[0] for c in DESCRIPTIONS}
    base = described(every[case["describe_file"]])[0]
    resolved = [join_control(base, entry.url) for entry in entries]
    assert resolved == [w["resolved_url"] for w in wanted]


def check_message(message, wanted):
    if isinstance(message, Request):
        assert f"{message.method} {message.uri} RTSP/{message.version}" == wanted["start"]
    else:
        start = f"RTSP/{message.version} {message.status_code} {message.reason_phrase}"
        assert start == wanted["start"]
    assert message.cseq == wanted["cseq"]
    assert len(message.body) == wanted["body_bytes"]
    for key, value in wanted.items():
        if key not in ("start", "cseq", "body_bytes"):
            assert message.headers.get(key.replace("_", "-")) == value
    assert message.deviations == ()


@pytest.mark.parametrize("case", DIALOGUES)
def test_a_captured_dialogue_is_read_on_both_sides(case):
    for side, key in (("client", "requests"), ("server", "replies")):
        if case[side] is None:
            continue
        data = read(f"pcap/{case[side]}")
        messages = events_of(data)
        for message, wanted in zip(messages, case[key], strict=True):
            check_message(message, wanted)
        for step in (1, 3, 100):
            assert events_of(data, step=step) == messages


@pytest.mark.parametrize("case", DIALOGUES)
def test_a_captured_dialogue_round_trips(case):
    for side in ("client", "server"):
        if case[side] is None:
            continue
        messages = events_of(read(f"pcap/{case[side]}"))
        written = b"".join(
            serialize_request(m) if isinstance(m, Request) else serialize_response(m)
            for m in messages
        )
        assert events_of(written) == messages


@pytest.mark.parametrize("case", SEEDS)
@pytest.mark.parametrize("channels", [(), (0, 0x30)])
def test_a_fuzz_seed_gives_events_or_the_documented_error(case, channels):
    for argument in case["args"]:
        data = read(f"seeds/{argument['file']}")
        for prefix in (b"", b"RTSP/1.0 200 OK\r\n"):
            fed = bytearray(prefix + data)
            outcomes = {outcome(fed, channels, step) for step in (1, 2, len(fed) or 1)}
            assert fed == prefix + data
            assert len(outcomes) == 1


def outcome(data, channels, step):
    """All that a reader says of ``data``, as text."""
    reader = MessageReader(channels=channels)
    events = []
    try:
        for start in range(0, len(data), step):
            reader.receive_data(memoryview(data)[start : start + step])
            while (event := reader.next_event()) is not None:
                events.append(repr(event).split(" at 0x")[0])
        reader.receive_eof()
    except RemoteProtocolError as error:
        events.append(type(error).__name__)
    return tuple(events)
