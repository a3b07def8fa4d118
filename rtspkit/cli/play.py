"""``rtspkit play``: play a URL, show the numbers, and sum them up.

Layer:  cli
"""

from __future__ import annotations

import asyncio
from argparse import Namespace

from rtspkit.cli.exits import CommandError
from rtspkit.cli.figures import plural
from rtspkit.cli.measure import Meter, Reading
from rtspkit.cli.narrate import Narrator
from rtspkit.cli.report import JsonReport
from rtspkit.cli.table import Table, open_table
from rtspkit.cli.trust import trust_from
from rtspkit.client.connector import connect
from rtspkit.client.options import TransportName
from rtspkit.errors import RtspError
from rtspkit.net.clock import monotonic_clock
from rtspkit.options import Retry, Timeouts

__all__ = ["measure", "play", "summarize", "timeouts_from"]


def timeouts_from(seconds: float | None) -> Timeouts:
    """What ``--timeout`` means: the bound of connecting, of a response, and of silent media."""
    if seconds is None:
        return Timeouts()
    return Timeouts(
        connect=seconds,
        response=seconds,
        first_packet=min(Timeouts().first_packet, seconds / 3),
        first_packet_tcp=seconds,
        media_silence=seconds,
    )


def summarize(reading: Reading) -> str:
    """The whole in one sentence."""
    packets, lost = reading.total("packets"), reading.total("lost")
    words = [f"{plural(packets, 'packet')} in {reading.seconds:.1f} s"]
    if packets:
        words.append(f"{lost:,} lost" if lost else "none lost")
    if reading.kernel_dropped:
        words.append(f"{reading.kernel_dropped:,} found the kernel's queue full")
    for name in ("duplicates", "late", "malformed"):
        if number := reading.total(name):
            words.append(f"{number:,} {name}")
    if reading.consumer_dropped:
        words.append(f"{reading.consumer_dropped:,} not read in time")
    if reading.reconnects:
        words.append(f"{plural(reading.reconnects, 'reconnect')}, {reading.outage:.1f} s without")
    if keyframes := reading.total("keyframes"):
        words.append(plural(keyframes, "keyframe"))
    return f"{reading.transport.upper()}: {', '.join(words)}"


async def play(arguments: Namespace) -> int:
    """Carry the command out; gives its exit code."""
    reading = await measure(arguments, arguments.url, arguments.transport)
    if not reading.total("packets"):
        raise CommandError(
            f"no packet came in {reading.seconds:.1f} s; allow it more --seconds, or try another"
            " --transport",
            1,
        )
    return 0


async def measure(arguments: Namespace, url: str, transport: TransportName) -> Reading:
    """Connect, watch as long as the arguments say, and report.

    Args:
        arguments: ``json``, ``verbose``, ``timeout``, ``username``, ``password``, ``seconds``,
            ``packets``, ``retry``, ``remember``, and those of ``trust``.
        url: What to play.
        transport: As for ``connect()``.

    Raises:
        RtspError: No session could be had; or it was lost for good, and the numbers were
            reported.
    """
    report: Table = JsonReport() if arguments.json else open_table()
    began = monotonic_clock(asyncio.get_running_loop())()
    connecting = connect(
        url,
        username=arguments.username,
        password=arguments.password,
        transport=transport,
        timeouts=timeouts_from(arguments.timeout),
        retry=None if arguments.retry == "none" else Retry(strategy=arguments.retry),
        tls=trust_from(arguments),
        remember=arguments.remember,
    )
    narrator = Narrator(began, verbose=arguments.verbose)
    if arguments.verbose or not arguments.json:
        connecting.on_session = narrator.listen
    async with narrator, connecting as session:
        meter = Meter(session, began)
        with report as table:
            table.begin(session)
            error: RtspError | None = None
            try:
                await _watch(arguments, meter, table)
            except RtspError as failure:
                error = failure
                raise
            finally:
                reading = meter.reading()
                table.finish(reading, summarize(reading), error)
    return reading


async def _watch(arguments: Namespace, meter: Meter, table: Table) -> None:
    """Watch and show, until one of both ends."""
    tasks = [
        asyncio.create_task(meter.watch(seconds=arguments.seconds, packets=arguments.packets)),
        asyncio.create_task(_show(meter, table)),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        failures = [task.exception() for task in tasks if not task.cancelled()]
    for failure in failures:
        if failure is not None:
            raise failure


async def _show(meter: Meter, table: Table) -> None:
    while True:
        await asyncio.sleep(table.interval)
        table.show(meter.reading(live=True))
