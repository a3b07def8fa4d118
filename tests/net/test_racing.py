"""Races decided on a virtual clock, from tables of what each attempt comes to and when."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from stepping import Stepped

from rtspkit.errors import ConnectError, DeadlineExceeded, RemoteProtocolError
from rtspkit.net.racing import race

NEVER = math.inf
REFUSED = ConnectionRefusedError(111, "Connect call failed ('192.0.2.1', 554)")
RESET = ConnectionResetError(104, "Connection reset by peer")
NO_ROUTE = OSError(113, "No route to host")
BAD_CERTIFICATE = ConnectError("bad certificate", retryable=False, phase="tls")
FAST = 0.01


async def pause(seconds: float) -> None:
    """Virtual seconds, or for ever."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    timer = None if seconds == NEVER else loop.call_later(seconds, over.set_result, None)
    try:
        await over
    finally:
        if timer is not None:
            timer.cancel()


@dataclass(frozen=True)
class Try:
    """What one attempt on an address comes to.

    Attributes:
        connects: Seconds until it stands, or fails with ``error``.
        error: What it fails with.
        answers: Seconds more until it is proven, or fails with ``proof_error``.
        proof_error: What the proof fails with.
    """

    connects: float = FAST
    error: BaseException | None = None
    answers: float = FAST
    proof_error: BaseException | None = None


@dataclass
class Connection:
    name: str
    plan: Try
    closed: bool = False


SILENT = Try(NEVER)
QUICK = Try()


def refused(after: float = FAST) -> Try:
    return Try(after, REFUSED)


class Network:
    """Addresses ``a``, ``b`` …, each with a plan for its attempts; the last one holds for more.

    Attributes:
        begun: Seconds and name of each attempt, ``b2`` for the second one on ``b``.
        made: Connections that stood.
        cancelled: Attempts that were cancelled before they stood.
        asked: Connections that were to prove themselves.
    """

    def __init__(self, addresses: list[list[Try]]) -> None:
        self.addresses = addresses
        self.begun: list[tuple[float, str]] = []
        self.made: list[Connection] = []
        self.cancelled: list[str] = []
        self.asked: list[str] = []
        self._counts: dict[int, int] = defaultdict(int)
        self._loop = asyncio.get_running_loop()
        self._origin = self._loop.time()

    @property
    def now(self) -> float:
        return round(self._loop.time() - self._origin, 4)

    @property
    def starts(self) -> list[Callable[[], Awaitable[Connection]]]:
        return [self._starter(place) for place in range(len(self.addresses))]

    def _starter(self, place: int) -> Callable[[], Awaitable[Connection]]:
        async def start() -> Connection:
            plans = self.addresses[place]
            self._counts[place] += 1
            number = self._counts[place]
            name = f"{'abcdefghij'[place]}{number}"
            plan = plans[min(number, len(plans)) - 1]
            self.begun.append((self.now, name))
            try:
                await pause(plan.connects)
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise
            if plan.error is not None:
                raise plan.error
            self.made.append(Connection(name, plan))
            return self.made[-1]

        return start

    async def prove(self, connection: Connection) -> None:
        self.asked.append(connection.name)
        await pause(connection.plan.answers)
        if connection.plan.proof_error is not None:
            raise connection.plan.proof_error

    def discard(self, connection: Connection) -> None:
        assert not connection.closed, f"{connection.name} is closed twice"
        connection.closed = True

    @property
    def open(self) -> list[str]:
        return [connection.name for connection in self.made if not connection.closed]

    async def race(self, mode: str, **options: object) -> Connection:
        options = {"delay": 0.25, "timeout": 5.0, "max_connections": 3, **options}
        return await race(self.starts, mode=mode, discard=self.discard, prove=self.prove, **options)


virtual = pytest.mark.virtual_clock

# mode, addresses, winner, seconds, what had been begun and when
WON = {
    "one address": ("first-wins", [[QUICK]], "a1", 0.01, {"a1": 0}),
    "the first is quick enough": ("first-wins", [[Try(0.2)], [QUICK]], "a1", 0.2, {"a1": 0}),
    "a dead address beside a live one": (
        "first-wins", [[SILENT], [QUICK]], "b1", 0.26, {"a1": 0, "b1": 0.25},
    ),
    "the second overtakes": (
        "first-wins", [[Try(0.6)], [Try(0.1)]], "b1", 0.35, {"a1": 0, "b1": 0.25},
    ),
    "the first comes all the same": (
        "first-wins", [[Try(0.3)], [Try(0.1)]], "a1", 0.3, {"a1": 0, "b1": 0.25},
    ),
    "after a failure the next one is begun at once": (
        "first-wins", [[refused()], [refused(0.02)], [QUICK]], "c1", 0.04,
        {"a1": 0, "b1": 0.01, "c1": 0.03},
    ),
    "the next but one after a failure is begun a delay after the next": (
        "first-wins", [[refused(0.1)], [SILENT], [QUICK]], "c1", 0.36,
        {"a1": 0, "b1": 0.1, "c1": 0.35},
    ),
    "a lost packet: the same address again": (
        "first-wins", [[SILENT, QUICK]], "a2", 0.26, {"a1": 0, "a2": 0.25},
    ),
    "two lost packets": (
        "first-wins", [[SILENT, SILENT, QUICK]], "a3", 0.51, {"a1": 0, "a2": 0.25, "a3": 0.5},
    ),
    "the system's own repetition is waited for": (
        "first-wins", [[Try(1.1), SILENT]], "a1", 1.1, {"a1": 0, "a2": 0.25, "a3": 0.5},
    ),
    "an address that refused is not tried again": (
        "first-wins", [[refused()], [SILENT, QUICK]], "b2", 0.27, {"a1": 0, "b1": 0.01, "b2": 0.26},
    ),
    "other addresses before the same again": (
        "first-wins", [[SILENT], [SILENT], [SILENT], [QUICK]], "d1", 2.76,
        {"a1": 0, "b1": 0.25, "c1": 0.5, "d1": 2.75},
    ),
    "both at the same moment: the one begun first": (
        "first-wins", [[Try(0.5)], [Try(0.25)]], "a1", 0.5, {"a1": 0, "b1": 0.25},
    ),
    "no proof is asked for": (
        "first-wins", [[Try(answers=NEVER)]], "a1", 0.01, {"a1": 0},
    ),
    "in turn": ("none", [[QUICK], [QUICK]], "a1", 0.01, {"a1": 0}),
    "in turn, after a failure": ("none", [[refused()], [QUICK]], "b1", 0.02, {"a1": 0, "b1": 0.01}),
    "in turn, each with its share": (
        "none", [[SILENT], [SILENT], [QUICK]], "c1", 3.3433, {"a1": 0, "b1": 1.6667, "c1": 3.3333},
    ),
    "in turn, what is left over is shared": (
        "none", [[refused(0.5)], [SILENT], [QUICK]], "c1", 2.76, {"a1": 0, "b1": 0.5, "c1": 2.75},
    ),
    "in turn, never twice": ("none", [[Try(4.9)]], "a1", 4.9, {"a1": 0}),
    "the newest is the only one": ("last-wins", [[QUICK]], "a1", 0.02, {"a1": 0}),
    "connected is not enough": (
        "last-wins", [[Try(answers=NEVER), QUICK]], "a2", 0.27, {"a1": 0, "a2": 0.25},
    ),
    "the newest answers: nobody waits for the older ones": (
        "last-wins", [[Try(0.6), Try(0.1), SILENT]], "a2", 0.36, {"a1": 0, "a2": 0.25},
    ),
    "an older one answers: the newer one has a while, and comes": (
        "last-wins", [[Try(0.3), Try(0.2)]], "a2", 0.46, {"a1": 0, "a2": 0.25},
    ),
    "an older one answers: the newer one has a while, and does not come": (
        "last-wins", [[Try(0.3), SILENT]], "a1", 0.56, {"a1": 0, "a2": 0.25},
    ),
    "an older one answers, the newer one fails": (
        "last-wins", [[Try(0.3), Try(0.1, answers=0.05, proof_error=RESET)]], "a1", 0.4,
        {"a1": 0, "a2": 0.25},
    ),
    "the middle one answers, then the newest": (
        "last-wins", [[SILENT, Try(0.3), Try(0.2)]], "a3", 0.71, {"a1": 0, "a2": 0.25, "a3": 0.5},
    ),
    "each in turn replaces the older one, and no time is added": (
        "last-wins", [[Try(0.5), Try(0.35), SILENT]], "a2", 0.76,
        {"a1": 0, "a2": 0.25, "a3": 0.5},
    ),
    "the older one is dropped by the camera": (
        "last-wins", [[Try(answers=0.3, proof_error=RESET), QUICK]], "a2", 0.27,
        {"a1": 0, "a2": 0.25},
    ),
    "the first comes alone": ("hybrid", [[Try(0.2, answers=NEVER)]], "a1", 0.2, {"a1": 0}),
    "the first comes when a second was begun": (
        "hybrid", [[Try(0.3), Try(0.2)]], "a2", 0.46, {"a1": 0, "a2": 0.25},
    ),
    "then it has to answer": (
        "hybrid", [[Try(0.3, answers=NEVER), QUICK]], "a2", 0.27, {"a1": 0, "a2": 0.25},
    ),
    "after a failure the second is proven": (
        "hybrid", [[refused()], [QUICK]], "b1", 0.03, {"a1": 0, "b1": 0.01},
    ),
}  # fmt: skip


@virtual
@pytest.mark.parametrize("row", WON.values(), ids=WON)
async def test_who_wins_and_when(row):
    mode, addresses, winner, seconds, begun = row
    network = Network(addresses)
    won = await network.race(mode)
    assert (won.name, network.now) == (winner, seconds)
    assert {name: at for at, name in network.begun} == begun
    assert network.open == [winner]
    others = {name for name in begun if name != winner}
    failed = {name for name in others if plan_of(network, name).error is not None}
    closed = {connection.name for connection in network.made if connection.closed}
    assert set(network.cancelled) | closed == others - failed


def plan_of(network: Network, name: str) -> Try:
    plans = network.addresses["abcdefghij".index(name[0])]
    return plans[min(int(name[1:]), len(plans)) - 1]


# mode, addresses, error, seconds, causes
LOST = {
    "one refuses": ("first-wins", [[refused()]], ConnectError, 0.01, [REFUSED]),
    "all refuse": (
        "first-wins", [[refused()], [Try(0, NO_ROUTE)], [refused()]], ConnectError, 0.02,
        [REFUSED, NO_ROUTE, REFUSED],
    ),
    "one refuses after the other has": (
        "first-wins", [[refused(0.3)], [refused(0.2)]], ConnectError, 0.45, [REFUSED, REFUSED],
    ),
    "an attempt beside the first fails": (
        "first-wins", [[Try(0.4, RESET), refused(0.1)]], ConnectError, 0.4, [REFUSED, RESET],
    ),
    "silence": ("first-wins", [[SILENT]], DeadlineExceeded, 5.0, []),
    "silence and a refusal": (
        "first-wins", [[refused()], [SILENT]], DeadlineExceeded, 5.0, [REFUSED],
    ),
    "silence in turn": (
        "none", [[SILENT], [SILENT]], DeadlineExceeded, 5.0, [TimeoutError(110, "")],
    ),
    "silence, a refusal, and what was silent again": (
        "none", [[SILENT, refused()], [refused()]], ConnectError, 2.52,
        [TimeoutError(110, ""), REFUSED, REFUSED],
    ),
    "nobody answers": ("last-wins", [[Try(answers=NEVER)]], DeadlineExceeded, 5.0, []),
    "a bad certificate": (
        "first-wins", [[Try(0.02, BAD_CERTIFICATE)], [QUICK]], ConnectError, 0.02, None,
    ),
    "a bad certificate beside others": (
        "last-wins", [[Try(0.3)], [Try(0.1, BAD_CERTIFICATE)]], ConnectError, 0.35, None,
    ),
    "a bad certificate when one was kept": (
        "last-wins", [[Try(0.26)], [Try(0.1, BAD_CERTIFICATE)]], ConnectError, 0.35, None,
    ),
    "no RTSP in the proof": (
        "last-wins", [[Try(proof_error=RemoteProtocolError("SSH"))]], RemoteProtocolError, 0.02,
        None,
    ),
    "a defect": ("first-wins", [[Try(0.3)], [Try(0.01, ZeroDivisionError())]],
        ZeroDivisionError, 0.26, None,
    ),
}  # fmt: skip


@virtual
@pytest.mark.parametrize("row", LOST.values(), ids=LOST)
async def test_why_nobody_wins_and_when(row):
    mode, addresses, kind, seconds, causes = row
    network = Network(addresses)
    with pytest.raises(kind) as caught:
        await network.race(mode)
    assert network.now == pytest.approx(seconds)
    assert network.open == []
    error = caught.value
    if causes is None:
        return
    holder = error.__cause__ if isinstance(error, DeadlineExceeded) and causes else error
    found = getattr(holder, "causes", ())
    assert [(type(e), e.errno) for e in found] == [(type(e), e.errno) for e in causes]
    if isinstance(error, DeadlineExceeded):
        assert (error.phase, error.seconds) == ("connect", 5.0)
    for cause in causes:
        assert (cause is REFUSED) <= ("connection refused" in str(error))


@virtual
@pytest.mark.parametrize("mode", ["first-wins", "last-wins", "hybrid", "none"])
async def test_a_port_that_refuses_is_knocked_at_once(mode):
    network = Network([[refused()]])
    with pytest.raises(ConnectError, match=r"^no connection to .* \(connection refused\)$"):
        await network.race(mode)
    assert len(network.begun) == 1


@virtual
@pytest.mark.parametrize("number", [1, 2, 3, 10])
@pytest.mark.parametrize("connections", [1, 2, 3])
async def test_never_more_under_way_than_allowed_and_no_address_is_left_out(number, connections):
    network = Network([[SILENT]] * number)
    with pytest.raises(DeadlineExceeded):
        await network.race("first-wins", max_connections=connections)
    assert network.now == 5.0
    assert {name[0] for _, name in network.begun} == set("abcdefghij"[:number])
    assert len(network.begun) == max(number, connections)
    given_up = len(network.cancelled) - connections
    assert given_up == max(number - connections, 0)


@virtual
async def test_a_slow_address_among_many_has_its_share_of_the_time():
    network = Network([[Try(1.0)], *([[SILENT]] * 9)])
    won = await network.race("first-wins")
    assert (won.name, network.now) == ("a1", 1.0)


@virtual
async def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="first-wins"):
        await Network([[QUICK]]).race("auto")


SCENES = {
    "first-wins": [[Try(0.3), SILENT], [Try(0.2)]],
    "last-wins": [[Try(0.3), Try(0.2), Try(0.3)], [Try(answers=0.1, proof_error=RESET)]],
    "hybrid": [[Try(0.26), Try(0.3)], [refused()]],
    "none": [[refused()], [SILENT], [Try(0.2)]],
}


@virtual
@pytest.mark.parametrize("late", [False, True], ids=["at-once", "with-the-answer"])
@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("mode", SCENES)
async def test_cancelled_at_any_suspension_nothing_is_left(mode, twice, late):
    async def cancelled(at: tuple[int, ...]) -> tuple[Network, Stepped, asyncio.Task[object]]:
        network = Network(SCENES[mode])
        stepped = Stepped(network.race(mode), at, late=late)

        async def run() -> object:
            return await stepped

        task = asyncio.ensure_future(run())
        await asyncio.wait([task])
        return network, stepped, task

    network, uncancelled, task = await cancelled(())
    assert [task.result().name] == network.open
    for k in range(1, uncancelled.suspensions + 1):
        network, stepped, task = await cancelled((k, k + 1) if twice else (k,))
        assert stepped.suspensions >= k
        assert task.cancelled(), f"the cancellation at suspension {k} was swallowed"
        for _ in range(5):  # cancelled twice, the race did not wait for the last of the losers
            await asyncio.sleep(0)
        assert network.open == []


@virtual
@pytest.mark.parametrize("mode", SCENES)
async def test_cancelled_at_any_moment_nothing_is_left(mode):
    for hundredth in range(80):
        network = Network(SCENES[mode])
        task = asyncio.ensure_future(network.race(mode))
        timer = asyncio.get_running_loop().call_later(hundredth / 100, task.cancel)
        await asyncio.wait([task])
        timer.cancel()
        assert network.open == ([] if task.cancelled() else [task.result().name])


@virtual
async def test_what_has_come_while_the_loop_was_held_up_is_not_given_up():
    loop = asyncio.get_running_loop()
    kept = Connection("a1", QUICK)

    async def start() -> Connection:
        await pause(0.1)
        for _ in range(3):  # each step of a handshake takes a turn of the loop
            await asyncio.sleep(0)
        return kept

    stall = loop.call_later(0.05, loop.pass_time, 10)
    won = await race(
        [start],
        mode="first-wins",
        delay=0.25,
        timeout=5.0,
        max_connections=1,
        discard=lambda connection: None,
    )
    assert won is kept
    stall.cancel()


async def test_on_a_real_clock_the_budget_is_kept():
    network = Network([[SILENT], [refused()]])
    with pytest.raises(DeadlineExceeded):
        await network.race("first-wins", delay=0.02, timeout=0.15)
    assert 0.14 < network.now < 0.25
