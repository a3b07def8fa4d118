"""The shared audio vectors: AAC, G.711, L24, and the fuzz seeds of their readers."""

import pytest
from rtspkit_vectors import cases, load, read

from rtspkit.errors import MalformedPacket
from rtspkit.payload.registry import depacketizer, packetizer
from rtspkit.wire.rtp import parse_rtp, serialize_rtp

SSRC = 0x9DBB7812
OWN_SIZE = "AU-size is the fragment's own size there, and the unit's here (RFC 3640 3.2.1)"
SHARED = "units share a packet there, and have one each here"
WRITTEN_OTHERWISE = {
    "aggregated": SHARED,
    "fragmented": OWN_SIZE,
    "fragmented to the limit": OWN_SIZE,
    "aggregated followed by fragmented": SHARED,
    "aggregated, custom sized, padded": SHARED,
    "fragmented, custom sized": OWN_SIZE,
    "fragmented, custom sized, padded": OWN_SIZE,
}
AAC_PARAMETERS = ("sizelength", "indexlength", "indexdeltalength")


def packet(entry, place, last):
    """One packet of a vector; what the source does not give is filled in as its README says."""

    def given(name, otherwise):
        return otherwise if entry.get(name) is None else entry[name]

    data = serialize_rtp(
        bytes.fromhex(entry["payload"]),
        payload_type=given("payload_type", 96),
        sequence_number=given("sequence_number", place),
        timestamp=given("timestamp", 0),
        ssrc=given("ssrc", SSRC),
        marker=given("marker", place == last),
    )
    return data, parse_rtp(data)


def packets(case):
    entries = case["packets"]
    return [packet(entry, place, len(entries) - 1) for place, entry in enumerate(entries)]


def units(reader, found):
    made = [unit for _, one in found for unit in reader.push(one)]
    return made + reader.flush()


def aac(case):
    fmtp = {name: str(case["params"][name]) for name in AAC_PARAMETERS} | {"mode": "AAC-hbr"}
    return depacketizer("mpeg4-generic", 48_000, fmtp, 2)


@pytest.mark.parametrize("case", cases("payload/aac.json"))
def test_aac_units_are_those_of_the_vector(case):
    reader, found = aac(case), packets(case)
    made = units(reader, found)
    assert [unit.data.hex() for unit in made] == case["expect"]["access_units"]
    assert all(unit.complete and not unit.lost for unit in made)
    assert reader.counters.malformed == reader.counters.dropped_units == 0
    assert [bytes(one) for _, one in found] == [data for data, _ in found]


@pytest.mark.parametrize("case", cases("payload/aac.json"))
def test_aac_units_of_one_packet_are_1024_ticks_apart(case):
    times = {unit.timestamp for unit in units(aac(case), packets(case))}
    first = case["packets"][0]["timestamp"]
    assert times == {first + 1024 * i for i in range(len(case["expect"]["access_units"]))}


@pytest.mark.parametrize("case", cases("payload/aac.json"))
def test_aac_units_are_written_as_in_the_vector_or_otherwise_with_a_reason(case):
    packet_size = 12 + max(len(entry["payload"]) // 2 for entry in case["packets"])
    writer = packetizer(
        "MPEG4-GENERIC",
        payload_type=96,
        ssrc=SSRC,
        sequence_number=case["packets"][0]["sequence_number"],
        max_packet_size=max(packet_size, 28),
        size_length=case["params"]["sizelength"],
        index_length=case["params"]["indexlength"],
    )
    timestamp = case["packets"][0]["timestamp"]
    expected = case["expect"]["access_units"]
    written = [
        data
        for place, unit in enumerate(expected)
        for data in writer.push(bytes.fromhex(unit), timestamp + 1024 * place)
    ]
    vector = [data for data, _ in packets(case)]
    assert (written == vector) is (case["name"] not in WRITTEN_OTHERWISE)
    made = units(aac(case), [(data, parse_rtp(data)) for data in written])
    assert [unit.data.hex() for unit in made] == expected


@pytest.mark.parametrize("case", cases("payload/g711.json"))
@pytest.mark.parametrize("name", ["PCMU", "PCMA"])
def test_g711_samples_are_those_of_the_vector(name, case):
    made = units(depacketizer(name, 8000, None, 1), packets(case))
    assert b"".join(unit.data for unit in made).hex() == "".join(case["expect"]["samples"])
    assert [len(unit.data) for unit in made] == [len(e["payload"]) // 2 for e in case["packets"]]


@pytest.mark.parametrize("case", cases("payload/g711.json"))
def test_g711_samples_are_cut_as_in_the_vector(case):
    size = max(len(entry["payload"]) // 2 for entry in case["packets"])
    writer = packetizer(
        "PCMU", payload_type=0, ssrc=1, sequence_number=1000, max_packet_size=12 + max(size, 16)
    )
    written = [
        parse_rtp(one) for one in writer.push(bytes.fromhex(case["expect"]["samples"][0]), 0)
    ]
    assert [bytes(one.payload).hex() for one in written] == [e["payload"] for e in case["packets"]]
    for one, entry in zip(written, case["packets"], strict=True):
        assert entry["timestamp"] in (None, one.timestamp)
        assert entry["sequence_number"] in (None, one.sequence_number)


@pytest.mark.parametrize("case", cases("payload/lpcm.json"))
def test_linear_samples_are_those_of_the_vector_and_are_cut_alike(case):
    params, found = case["params"], packets(case)
    name = f"L{params['bit_depth']}"
    made = units(depacketizer(name, 48_000, None, params["channels"]), found)
    samples = b"".join(unit.data for unit in made)
    assert samples.hex() == "".join(case["expect"]["samples"])
    assert all(unit.complete for unit in made)
    writer = packetizer(
        name,
        payload_type=case["packets"][0]["payload_type"],
        ssrc=case["packets"][0]["ssrc"],
        sequence_number=case["packets"][0]["sequence_number"],
        max_packet_size=12 + 1000,
        channels=params["channels"],
    )
    assert writer.push(samples, 0) == [data for data, _ in found]


def seeds(group):
    found = [seed for seed in load("seeds/index.json").get("seeds", []) if seed["group"] == group]
    if not found:
        skip = pytest.mark.skip(reason="test vectors not present: seeds/index.json")
        return [pytest.param(None, id="absent", marks=skip)]
    return [pytest.param(seed, id=seed["name"]) for seed in found]


def sized(data):
    """The packets of a seed: each behind its size, four bytes, the least significant first."""
    position = 0
    while position + 4 <= len(data):
        size = int.from_bytes(data[position : position + 4], "little")
        yield data[position + 4 : position + 4 + size]
        position += 4 + size


@pytest.mark.parametrize(
    ("seed", "name"),
    [
        pytest.param(*param.values, name, id=f"{name}-{param.id}", marks=param.marks)
        for group, name in [
            ("format_rtpmpeg4audio_FuzzDecoder", "MPEG4-GENERIC"),
            ("format_rtplpcm_FuzzDecoder", "L24"),
        ]
        for param in seeds(group)
    ],
)
def test_seeds_give_units_or_are_counted(seed, name):
    data = read(f"seeds/{seed['args'][0]['file']}")
    for fmtp in ("mode=AAC-hbr;sizelength=13;indexlength=3", "mode=AAC-lbr", None):
        reader = depacketizer(name, 48_000, fmtp, 2)
        fed = made = 0
        for body in bodies(data):
            try:
                one = parse_rtp(body)
            except MalformedPacket:
                continue
            made += sum(len(unit.data) for unit in reader.push(one))
            fed += 1
        made += sum(len(unit.data) for unit in reader.flush())
        assert fed
        assert made or reader.counters.malformed or reader.counters.dropped_units
        assert made <= 2 * len(data)


def bodies(data):
    """The packets of a seed, and each as the payload of a packet that is good."""
    for number, piece in enumerate(sized(data)):
        yield piece
        yield serialize_rtp(piece, payload_type=96, sequence_number=number, timestamp=0, ssrc=1)


@pytest.mark.parametrize("case", cases("payload/simple_audio.json"))
def test_a_frame_without_payload_header_is_the_payload(case):
    reader = depacketizer("PCMU", 8000)
    units = []
    for place, entry in enumerate(case["packets"]):
        units += reader.push(packet(entry, place, len(case["packets"]) - 1)[1])
    units += reader.flush()
    assert [unit.data.hex() for unit in units] == case["expect"]["frames"]
