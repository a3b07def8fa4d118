"""``rtspkit probe``: what a server has and can do, without playing anything.

Layer:  cli
"""

from __future__ import annotations

import json
from argparse import Namespace

from rtspkit.cli.figures import NONE, count, one_line, shorten
from rtspkit.cli.play import timeouts_from
from rtspkit.cli.trust import trust_from
from rtspkit.client.probe import Probe
from rtspkit.client.probe import probe as probe_server
from rtspkit.wire.stream import Stream

__all__ = ["describe_probe", "probe", "probe_to_json"]

LABEL_WIDTH = 16
LIST_WIDTH = 80 - LABEL_WIDTH - 2


async def probe(arguments: Namespace) -> int:
    """Carry the command out; gives its exit code."""
    found = await probe_server(
        arguments.url,
        username=arguments.username,
        password=arguments.password,
        timeouts=timeouts_from(arguments.timeout),
        tls=trust_from(arguments),
    )
    if arguments.json:
        print(json.dumps(probe_to_json(found)), flush=True)
    else:
        print("\n".join(describe_probe(found)), flush=True)
    return 0


def probe_to_json(found: Probe) -> dict[str, object]:
    """The object that ``--json`` prints."""
    return {
        "url": found.url,
        "server": found.server,
        "authentication": found.authentication,
        "algorithm": found.algorithm,
        "transports": found.transports,
        "session_timeout": found.session_timeout,
        "methods": found.methods,
        "quirks": found.quirks,
        "title": found.description.session_name,
        "streams": [_stream_to_json(stream, found) for stream in found.streams],
    }


def _stream_to_json(stream: Stream, found: Probe) -> dict[str, object]:
    video = found.video.get(stream.index)
    return {
        "index": stream.index,
        "media": stream.media,
        "encoding_name": stream.encoding_name,
        "payload_type": stream.payload_type,
        "clock_rate": stream.clock_rate,
        "channels": stream.channels,
        "direction": stream.direction,
        "back_channel": stream.back_channel,
        "control_url": stream.control_url,
        "codec": video.codec if video else None,
        "width": video.width if video else None,
        "height": video.height if video else None,
        "frame_rate": _frame_rate(stream, found),
    }


def _frame_rate(stream: Stream, found: Probe) -> float | None:
    """What the description says, else the parameter sets."""
    video = found.video.get(stream.index)
    return stream.framerate or (video.frame_rate if video else None)


def describe_probe(found: Probe) -> list[str]:
    """The lines for a person."""
    authentication = found.authentication or "none asked for"
    if found.algorithm:
        authentication += f" ({found.algorithm})"
    timeout = NONE if found.session_timeout is None else f"{found.session_timeout:g} s"
    lines = [
        one_line(found.url),
        *_pair("server", found.server or NONE),
        *_pair("authentication", authentication),
        *_pair("transports", ", ".join(_transports(found))),
        *_pair("session timeout", timeout),
        *_pair("methods", ", ".join(found.methods) or NONE),
        *_pair("quirks", ", ".join(found.quirks) or "none"),
        "",
    ]
    rows: list[tuple[str, ...]] = [("#", "media", "encoding", "clock rate", "details")]
    rows += [_row(stream, found) for stream in found.streams]
    return lines + _aligned(rows)


def _transports(found: Probe) -> list[str]:
    words = {True: "yes", False: "refused", None: "not known: SETUP failed"}
    return [f"{name.upper()} {words[works]}" for name, works in found.transports.items()]


def _pair(label: str, value: str) -> list[str]:
    """A label with its value, which may take several lines."""
    lines = [""]
    for word in one_line(value).split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > LIST_WIDTH:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    labels = [label, *[""] * (len(lines) - 1)]
    return [f"  {name:<{LABEL_WIDTH}}{line}" for name, line in zip(labels, lines, strict=True)]


def _row(stream: Stream, found: Probe) -> tuple[str, ...]:
    video = found.video.get(stream.index)
    frame_rate = _frame_rate(stream, found)
    details = []
    if video is not None:
        details += [f"{video.width}x{video.height}", video.codec]
    if frame_rate:
        details.append(f"{frame_rate:.4g} frames/s")
    if stream.channels:
        details.append(f"{stream.channels} channel" + ("s" if stream.channels > 1 else ""))
    if stream.back_channel:
        details.append("from us to the server")
    return (
        str(stream.index),
        shorten(stream.media, 16),
        shorten(stream.encoding_name, 24) or NONE,
        f"{count(stream.clock_rate)} Hz",
        ", ".join(details),
    )


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Columns of equal width, the clock rate to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for row in rows:
        texts = [f"{text:<{width}}" for text, width in zip(row, widths, strict=True)]
        texts[3] = f"{row[3]:>{widths[3]}}"
        lines.append("  " + "  ".join(texts).rstrip())
    return lines
