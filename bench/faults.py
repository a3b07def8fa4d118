"""``python -m bench faults``: how quickly sessions are had, and had back, under faults.

Out:    F6: seconds of ``connect()`` on the loopback and through a lossy network; its round trips
        F7: seconds from "the server can serve again" to the first complete access unit, for each
        fault over UDP and TCP; and whether keep-alives keep every session

Facts the code leans on
- A run is a session with a camera of its own; a batch of them runs side by side in one process, and
  they are struck at different moments. What they wait for each other is in their figures.
- Who connects through the lossy network shares a processor with the camera, and nothing is sent
  again sooner than TCP's least retransmission time-out, 0.2 s, or 1 s for the first segment.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Sequence
from random import Random

import rtspkit
from bench.comeback import FAULTS, Fault, Run, open_camera, run
from bench.laboratory import connects, far_camera, lacking, swallowed
from bench.measure import percentile
from bench.program import finish, options_parser, say
from bench.result import Result, Target

__all__ = ["main"]

TRANSPORTS = ("udp", "tcp")
TITLES = {"udp": "UDP", "tcp": "TCP", "auto": "auto"}
BATCH = 25  # runs side by side
PLAY = 1.0  # seconds before the fault, and up to a second more
WITHIN = 1.0  # seconds of a recovery, and of a connect under loss
RUNS = 100
ENOUGH = 0.99  # share of them
ON_LOOPBACK = 0.5  # seconds
ROUND_TRIPS = 5
DELAY = 0.05  # seconds one way, where round trips are counted
LOSSES = ((0.05, 0.98), (0.1, 0.93))  # each way; share of connects within a second
UNDER_LOSS = 4  # times as many connects as runs: a share of 98 % needs more than a hundred
TOGETHER = 10  # sessions in one black hole
HOLES = (0.0, 5.0)  # seconds that a black hole lasts after it was noticed
KEPT = 2.0  # seconds of the server's session timeout …
KEPT_FOR = 10.0  # … and how long it is kept alive


# -- F7 ---------------------------------------------------------------------------------------


async def batch(fault: Fault, transport: str, count: int) -> list[Run]:
    """So many runs side by side, spread over a second."""
    plays = [PLAY + number / count for number in range(count)]
    return list(await asyncio.gather(*(run(fault, transport, play) for play in plays)))


def recoveries(result: Result, runs: int) -> None:
    """Every fault over every transport."""
    for fault in FAULTS.values():
        for transport in TRANSPORTS:
            done: list[Run] = []
            while len(done) < runs:
                count = min(BATCH, runs - len(done))
                done += rtspkit.run(batch(fault, transport, count))
            note_runs(result, fault.name, transport, done)
            worst = result.find("worst_recovery", fault.name, transport=transport)[0].samples[0]
            say(f"{fault.name} over {TITLES[transport]}: worst {worst} s of {len(done)}")


def black_holes(result: Result, runs: int) -> None:
    """Packets are lost by the kernel, those of new connections too."""
    name = "10: black hole of the kernel"
    chance = Random(name)
    for transport in TRANSPORTS:
        done: list[Run] = []
        while len(done) < runs:
            count = min(TOGETHER, runs - len(done))
            with far_camera() as (lab, url):
                done += rtspkit.run(swallowed(lab, url, transport, count, chance.uniform(*HOLES)))
        note_runs(result, name, transport, done)


def note_runs(result: Result, name: str, transport: str, done: Sequence[Run]) -> None:
    """The figures of one row, and the promise."""
    under = {"transport": transport}
    samples = [one.recovery for one in done]
    known = [sample for sample in samples if sample is not None]
    within = sum(sample < WITHIN for sample in known)
    result.add(name, "recovery", "s", under, *samples)
    result.add(name, "worst_recovery", "s", under, max(known, default=None))
    result.add(name, "of_recovery_waiting_for_an_attempt", "s", under, *(r.waited for r in done))
    result.add(name, "loss_noticed_after", "s", under, *(r.noticed for r in done))
    result.add(name, "attempts", "", under, *(float(r.attempts) for r in done))
    result.targets.append(
        Target(
            "F7",
            f"share of {len(done)} runs that recover within 1 s: {name}, {TITLES[transport]}",
            within / len(done),
            ENOUGH,
            at_most=False,
            note="" if len(known) == len(done) else f"{len(done) - len(known)} never came back",
        )
    )


async def keep_alive(transport: str, count: int, seconds: float) -> float:
    """The share of so many sessions that are there after so long; the server drops silent ones."""
    camera = await open_camera(session_timeout=KEPT)
    try:
        sessions = await asyncio.gather(
            *(rtspkit.connect(camera.url, transport=transport) for _ in range(count))
        )
        await asyncio.sleep(seconds)
        lost = camera.sessions_expired
        alive = sum(one.state == "playing" and not one.stats().reconnects for one in sessions)
        await asyncio.gather(*(session.aclose() for session in sessions))
    finally:
        await camera.aclose()
    return max(alive - lost, 0) / count


def kept_alive(result: Result, runs: int, seconds: float) -> None:
    """Keep-alives over both transports."""
    for transport in TRANSPORTS:
        share = rtspkit.run(keep_alive(transport, runs, seconds))
        result.targets.append(
            Target(
                "F7",
                f"share of {runs} sessions kept alive for {seconds:g} s, with a server that drops "
                f"them after {KEPT:g} s of silence, {TITLES[transport]}",
                share,
                1.0,
                at_most=False,
            )
        )


# -- F6 ---------------------------------------------------------------------------------------


async def loopback_connects(transport: str, count: int) -> tuple[list[float | None], int]:
    """Seconds of each connect, one after the other; and requests up to PLAY, with TCP's own."""
    camera = await open_camera()
    try:
        taken = await connects(camera.url, count, transport, at_once=1)
        methods = [request.method for request in camera.requests]
    finally:
        await camera.aclose()
    return taken, 1 + methods.index("PLAY") + 1


def on_loopback(result: Result, runs: int) -> None:
    """Connect without any loss or delay."""
    for transport in TRANSPORTS:
        taken, trips = rtspkit.run(loopback_connects(transport, runs))
        under = {"transport": transport}
        result.add("on the loopback", "connect", "s", under, *taken)
        worst = max((one for one in taken if one is not None), default=None)
        result.add("on the loopback", "worst_connect", "s", under, worst)
        what = f"two streams without authentication, {TITLES[transport]}"
        failed = taken.count(None)
        note = f"{failed} failed" if failed else ""
        result.targets += [
            Target(
                "F6",
                f"worst of {runs} connects on the loopback, {what}",
                worst,
                ON_LOOPBACK,
                unit="s",
                note=note,
            ),
            Target(
                "F6",
                f"round trips of connect as counted, TCP's own included: {what}",
                float(trips),
                float(ROUND_TRIPS),
            ),
        ]


def with_delay(result: Result, runs: int) -> None:
    """How long connect takes, by the round trip."""
    for transport in TRANSPORTS:
        with far_camera(delay=DELAY) as (_, url):
            taken = rtspkit.run(connects(url, runs, transport, at_once=4))
        trips = [None if one is None else one / (2 * DELAY) for one in taken]
        under = {"transport": transport}
        result.add("50 ms one way", "connect_in_round_trips", "", under, *trips)


def under_loss(result: Result, runs: int) -> None:
    """Connect where packets are lost each way."""
    for loss, share in LOSSES:
        for transport in ("auto", "tcp"):
            with far_camera(loss=loss) as (_, url):
                taken = rtspkit.run(connects(url, runs, transport))
            note_loss(result, loss, share, transport, taken)


def note_loss(
    result: Result, loss: float, share: float, transport: str, taken: Iterable[float | None]
) -> None:
    """The figures of connects under one loss, and the promise."""
    samples = list(taken)
    known = sorted(one for one in samples if one is not None)
    name = f"{loss:.0%} loss each way"
    under = {"transport": transport}
    result.add(name, "connect", "s", under, *samples)
    if known:
        result.add(name, "slowest_hundredth_of_connects", "s", under, percentile(known, 0.99))
    within = sum(one < WITHIN for one in known) / len(samples)
    failed = len(samples) - len(known)
    result.targets.append(
        Target(
            "F6",
            f"share of {len(samples)} connects within 1 s at {loss:.0%} loss each way, "
            f"{TITLES[transport]}",
            within,
            share,
            at_most=False,
            note=f"{failed} failed" if failed else "",
        )
    )


def through_the_laboratory(result: Result, runs: int) -> None:
    """What needs two network namespaces."""
    reason = lacking()
    if reason is not None:
        result.missing["a lossy network"] = reason
        return
    with_delay(result, runs)
    say("round trips: counted")
    under_loss(result, runs * UNDER_LOSS)
    say("connects under loss: done")
    black_holes(result, runs)
    say("black holes: done")


# -- the program ------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, print."""
    parser = options_parser("faults", __doc__, rounds=RUNS, seconds=KEPT_FOR)
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 3, 3.0
    result = Result(
        "faults",
        "Faults: sessions had, and had back",
        options={"seconds": options.seconds, "rounds": options.rounds},
    )
    begun = time.monotonic()
    on_loopback(result, options.rounds)
    through_the_laboratory(result, options.rounds)
    recoveries(result, options.rounds)
    kept_alive(result, options.rounds, options.seconds)
    result.notes += [
        "Recovery runs from when the server can serve again to the first complete access unit; the "
        "pictures have a keyframe every 0.4 s. Attempts follow each other every 0.63 to 0.7 s in "
        "the first five seconds of an outage, so that is what is waited for when a server is back.",
        f"{BATCH} runs at a time share one process with their cameras. {TOGETHER} sessions at once "
        "go into the kernel's black hole; connects into it are lost, as on a real network, while "
        "the link of the other one lets them wait.",
    ]
    say(f"all of it took {time.monotonic() - begun:.0f} s")
    return finish(result, options)


if __name__ == "__main__":
    raise SystemExit(main())
