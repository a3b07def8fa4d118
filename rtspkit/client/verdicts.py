"""What the numbers of a diagnosis mean, in plain words, and what to set.

Layer:  client (plain functions of values: no clock, no I/O)
In:     what was heard over each transport
Out:    findings
"""

from __future__ import annotations

from collections.abc import Iterable

from rtspkit.client.finding import Finding, Number
from rtspkit.client.heard import Heard, StreamHeard
from rtspkit.client.ports import NO_PORTS
from rtspkit.engine.keepalive import keepalive_interval
from rtspkit.engine.quirks import QUIRKS
from rtspkit.errors import DeadlineExceeded, TooManySessions, UnsupportedTransport
from rtspkit.wire.stream import Stream

__all__ = [
    "judge_clock",
    "judge_keep_alive",
    "judge_keyframes",
    "judge_loss",
    "judge_nat",
    "judge_quirks",
    "judge_streams",
    "judge_transport",
    "milliseconds",
]

WRONG_RATE = 0.01  # share that a stream's clock may run fast or slow
WRONG_WALL = 1.0  # seconds that the wall clocks may differ
SAME_TIME = 0.05  # seconds: what encoding and the way may take
TOO_SMALL = 0.0005  # share that nobody needs to be told of
LONG_GAP = 4.0  # seconds between keyframes
BUFFER = 8 * 1024 * 1024  # bytes for the kernel's queue that are advised
NO_MEDIA = "no media came"
USE_TCP = 'set transport="tcp" (--transport tcp)'


def judge_streams(streams: Iterable[Stream], supported: frozenset[str]) -> Finding:
    """What the server has to play."""
    streams = tuple(streams)
    names = ", ".join(_called(stream) for stream in streams)
    unknown = [s.encoding_name for s in streams if s.encoding_name.upper() not in supported]
    numbers: dict[str, Number] = {"streams": len(streams), "unsupported": len(unknown)}
    if not streams:
        return Finding("streams", "failed", "the description has no stream", numbers=numbers)
    if not unknown:
        return Finding("streams", "ok", names, numbers=numbers)
    advice = f"packets() works, access_units() leaves out {', '.join(unknown) or 'it'}"
    return Finding("streams", "warning", names, advice, numbers)


def judge_transport(heard: Heard, other: Heard | None = None) -> Finding:
    """Whether SETUP, PLAY and media work over one transport; ``other`` is what the other did."""
    stats = heard.stats
    bits = sum(stream.bitrate for stream in stats.streams)
    numbers: dict[str, Number] = {
        "set_up": heard.set_up,
        "first_packet": heard.first_packet,
        "packets": stats.packets,
        "seconds": heard.seconds,
        "bitrate": bits,
    }
    if not heard.works:
        return Finding(heard.kind, "failed", _silence(heard), _way_out(heard, other), numbers)
    seen = (
        f"first packet {milliseconds(heard.first_packet)} after PLAY; {stats.packets:,} packets"
        f" in {heard.seconds:.1f} s, {bits / 1000:,.0f} kbit/s"
    )
    silent = [_called(one.stream) for one in heard.streams if one.first is None]
    advice = ""
    if silent:
        seen += f"; nothing came of {', '.join(silent)}"
        advice = "choose streams that send: streams="
    if heard.error is not None:
        seen += f"; then: {heard.error}"
        advice = "leave retry on: the session comes back by itself"
    return Finding(heard.kind, "warning" if advice else "ok", seen, advice, numbers)


def _silence(heard: Heard) -> str:
    """Why nothing came."""
    error = heard.error
    if heard.played and isinstance(error, DeadlineExceeded):
        return f"SETUP and PLAY were accepted, and no packet came within {error.seconds:.1f} s"
    if isinstance(error, UnsupportedTransport):
        return f"refused by the server ({error.status_code})"
    if error is not None and error.phase == NO_PORTS:
        return f"this machine has no UDP ports to give ({error})"
    return str(error)


def _way_out(heard: Heard, other: Heard | None) -> str:
    """What to do about it."""
    if isinstance(heard.error, TooManySessions):
        return "close other viewers, or wait until the server has dropped their sessions"
    if other is not None and other.works:
        return f'set transport="{other.kind}" (--transport {other.kind})'
    if heard.played:
        return "check that the camera is sending: look at its own web page"
    return ""


def judge_nat(udp: Heard | None, tcp: Heard | None) -> Finding:
    """What is between us and the server's UDP ports."""
    if udp is None or not udp.played:
        return Finding("nat", "skipped", "UDP was not played")
    numbers: dict[str, Number] = {
        "punched": udp.punched,
        "rtcp_packets": sum(stream.rtcp_packets for stream in udp.stats.streams),
        "foreign_datagrams": udp.stats.foreign_datagrams,
    }
    if udp.works and not udp.punched:
        return Finding("nat", "ok", "UDP comes by itself", numbers=numbers)
    if udp.works:
        seen = "UDP came only after a packet of ours: a NAT or firewall is in between"
        advice = f'nat="punch", the default, opens the way and keeps it open; else, {USE_TCP}'
        return Finding("nat", "warning", seen, advice, numbers)
    if udp.stats.foreign_datagrams:
        seen = "datagrams came, from another address than the server's, and were refused"
        return Finding("nat", "failed", seen, USE_TCP, numbers)
    if tcp is not None and not tcp.works:
        return Finding("nat", "skipped", "no media over any transport", numbers=numbers)
    seen = "no UDP arrives, not even after a packet of ours: a firewall drops it"
    return Finding("nat", "failed", seen, f"{USE_TCP}, or let UDP of the server in", numbers)


def judge_keep_alive(heard: Heard) -> Finding:
    """Whether the session can be kept."""
    timeout, kept = heard.session_timeout, heard.kept_alive
    every = keepalive_interval(timeout)
    numbers: dict[str, Number] = {"session_timeout": timeout, "interval": every}
    if kept is None:
        return Finding("keep-alive", "skipped", "the session had ended before", numbers=numbers)
    numbers |= {"method": kept.method, "seconds": kept.seconds if kept.method else None}
    timing = f"session timeout {timeout:g} s, one every {every:g} s"
    if kept.method is None:
        reasons = "; ".join(f"{method}: {why}" for method, why in kept.refused.items())
        seen = f"no method works ({reasons}); {timing}"
        advice = "reports (RTCP) are all that is left to keep it; leave retry on"
        return Finding("keep-alive", "warning", seen, advice, numbers)
    seen = f"{kept.method} answered in {milliseconds(kept.seconds)}; {timing}"
    if kept.refused:
        seen += f"; {', '.join(kept.refused)} did not work"
    return Finding("keep-alive", "ok", seen, numbers=numbers)


def judge_clock(heard: Heard) -> Finding:
    """Whether the streams' clocks run as fast as ours, and what time they say it is."""
    if not heard.works:
        return Finding("clock", "skipped", NO_MEDIA)
    numbers: dict[str, Number] = {}
    said, advice = [], []
    for stream, stats in zip(heard.streams, heard.stats.streams, strict=False):
        name, rate = _name(stream), stream.drift.rate
        numbers[f"rate_{name}"] = rate
        numbers[f"jitter_{name}"] = stats.jitter
        if rate is None:
            continue
        sure = stream.drift.uncertainty or 0.0
        give = f" (± {sure:.1g})" if sure >= TOO_SMALL else ""
        said.append(f"{name} runs at {rate:.4f} of our time{give}")
        if abs(rate - 1) > WRONG_RATE + 3 * sure:
            advice.append(f"the timestamps of {name} are wrong: pace it by arrival")
    offsets = [s.wall_offset for s in heard.streams if s.wall_offset is not None]
    reports = sum(stats.sender_reports for stats in heard.stats.streams)
    offset = max(offsets, key=abs) if offsets else None
    numbers |= {"sender_reports": reports, "wall_offset": offset}
    if offset is None:
        said.append(f"{reports} sender reports, and no time of day in them")
        advice.append("wall_time stays unknown; --seconds 10 waits longer for a report")
    else:
        apart = f"is {_seconds(abs(offset))} {'ahead of' if offset > 0 else 'behind'} ours"
        agrees = abs(offset) < SAME_TIME
        said.append(f"the server's time of day {'agrees with ours' if agrees else apart}")
        if abs(offset) > WRONG_WALL:
            advice.append("set NTP on the camera, and here")
    return Finding(
        "clock", "warning" if advice else "ok", "; ".join(said), "; ".join(advice), numbers
    )


def judge_loss(heard: Heard) -> Finding:
    """What was lost, and who lost it."""
    stats = heard.stats
    expected = sum(stream.expected for stream in stats.streams)
    kernel = min(stats.kernel_dropped, max(stats.lost, 0))
    network = max(stats.lost, 0) - kernel
    numbers: dict[str, Number] = {
        "expected": expected,
        "lost": stats.lost,
        "network": network,
        "kernel": stats.kernel_dropped,
        "receive_buffer": stats.receive_buffer,
        "jitter": max((stream.jitter for stream in stats.streams), default=0.0),
    }
    late = f"jitter {milliseconds(max((s.jitter for s in stats.streams), default=0.0))}"
    if not expected:
        return Finding("loss", "skipped", NO_MEDIA, numbers=numbers)
    if stats.lost <= 0 and not stats.kernel_dropped:
        seen = f"none of {expected:,} packets over {heard.kind.upper()}; {late}"
        return Finding("loss", "ok", seen, numbers=numbers)
    share = 100 * max(stats.lost, 0) / expected
    seen = (
        f"{max(stats.lost, 0):,} of {expected:,} packets over {heard.kind.upper()} ({share:.2g} %):"
        f" {network:,} in the network, {kernel:,} in this machine's queue; {late}"
    )
    advice = []
    if stats.kernel_dropped:
        advice.append(f"give the queue room: sysctl -w net.core.rmem_max={BUFFER}")
    if network and heard.kind == "udp":
        advice.append(f"{USE_TCP}, or look at the cable or the Wi-Fi")
    elif network:
        advice.append("over TCP it is the server that leaves packets out: lower its bit rate")
    return Finding("loss", "warning", seen, "; ".join(advice), numbers)


def judge_keyframes(heard: Heard) -> Finding:
    """How long one has to wait for a picture."""
    pictures = [stream for stream in heard.streams if stream.pictures and stream.units]
    if not pictures:
        return Finding("keyframes", "skipped", "no video that can be looked into")
    stream = min(pictures, key=lambda one: one.keyframes)
    gap = stream.longest_gap
    numbers: dict[str, Number] = {
        "keyframes": stream.keyframes,
        "pictures": stream.units,
        "longest_gap": gap,
    }
    advice = "set the camera's keyframe interval (GOP, I-frame) to 1 or 2 s"
    if not stream.keyframes:
        seen = f"none in {heard.seconds:.1f} s: no picture can begin"
        return Finding("keyframes", "warning", seen, f"{advice}, or allow more --seconds", numbers)
    if gap is None:
        seen = f"one in {heard.seconds:.1f} s"
        if heard.seconds < LONG_GAP:
            return Finding("keyframes", "ok", seen, numbers=numbers)
        return Finding("keyframes", "warning", seen, advice, numbers)
    seen = f"one every {gap:.2f} s, or more often"
    if gap > LONG_GAP:
        return Finding("keyframes", "warning", seen, advice, numbers)
    return Finding("keyframes", "ok", seen, numbers=numbers)


def judge_quirks(counts: dict[str, int]) -> Finding:
    """What the server does against its RFC, and that we put up with."""
    if not counts:
        return Finding("quirks", "ok", "none", numbers={"kinds": 0})
    seen = "; ".join(f"{name} ({QUIRKS.get(name, name)})" for name in sorted(counts))
    return Finding("quirks", "ok", f"put up with: {seen}", numbers={"kinds": len(counts)})


def milliseconds(seconds: float | None) -> str:
    """A short time, in words."""
    if seconds is None:
        return "?"
    return f"{seconds * 1000:.3g} ms" if seconds < 0.9995 else f"{seconds:.2f} s"


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def _called(stream: Stream) -> str:
    return f"{stream.media} {stream.encoding_name}".strip() or f"stream {stream.index}"


def _name(stream: StreamHeard) -> str:
    return stream.stream.media or f"stream {stream.stream.index}"
