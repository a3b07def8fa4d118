"""The benchmark of faults: what it promises, and that it keeps count of what failed."""

from __future__ import annotations

import pytest

from bench import faults
from bench.comeback import FAULTS, Run
from bench.faults import keep_alive, loopback_connects, main, note_loss, note_runs
from bench.result import Result, read_result


def test_runs_are_counted_and_those_that_never_came_back_too():
    result = Result("faults")
    done = [Run(0.01, 0.1, 0.2, 2)] * 98 + [Run(0.01, 1.0, 1.5, 3), Run(0.01, None, None, 9)]
    note_runs(result, "reset", "udp", done)
    (target,) = result.targets
    assert (target.figure, target.value, target.limit, target.met) == ("F7", 0.98, 0.99, False)
    assert target.note == "1 never came back"
    assert result.find("worst_recovery", "reset", transport="udp")[0].values == [1.5]
    assert len(result.find("recovery", "reset")[0].values) == 99


def test_a_row_is_kept_with_99_of_100():
    result = Result("faults")
    note_runs(result, "reset", "tcp", [Run(0.01, 0.1, 0.2, 1)] * 99 + [Run(0.01, 0.1, 1.2, 1)])
    assert result.targets[0].met
    assert result.targets[0].note == ""


def test_a_connect_that_fails_is_not_within_a_second():
    result = Result("faults")
    note_loss(result, 0.05, 0.98, "auto", [0.1] * 97 + [1.1, 1.2, None])
    (target,) = result.targets
    assert (target.value, target.met, target.note) == (0.97, False, "1 failed")


def test_when_all_fail_there_is_a_verdict_and_no_figure():
    result = Result("faults")
    note_loss(result, 0.1, 0.93, "tcp", [None, None])
    assert result.targets[0].value == 0
    assert result.find("slowest_hundredth_of_connects") == []


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_round_trips_are_those_up_to_play_and_that_of_tcp(transport):
    taken, trips = await loopback_connects(transport, 2)
    assert trips == 5  # TCP, DESCRIBE, two of SETUP, PLAY
    assert all(one < 0.5 for one in taken)


async def test_sessions_that_the_server_drops_are_not_kept(monkeypatch):
    assert await keep_alive("tcp", 2, 0.1) == 1.0
    opened = faults.open_camera

    async def forgetful(**options):
        camera = await opened(**options)
        camera.sessions_expired = 1
        return camera

    monkeypatch.setattr(faults, "open_camera", forgetful)
    assert await keep_alive("tcp", 2, 0.1) == 0.5


def test_it_runs_in_short_and_writes_what_it_found(monkeypatch, tmp_path):
    reset = FAULTS["9: reset"]
    monkeypatch.setattr(faults, "FAULTS", {reset.name: reset})
    monkeypatch.setattr(faults, "PLAY", 0.1)
    monkeypatch.setattr(faults, "lacking", lambda: "network namespaces need root")
    arguments = ["--rounds", "2", "--seconds", "0.2", "--output", str(tmp_path)]
    assert main(arguments) == 0
    result = read_result(tmp_path / "faults.json")
    assert result.missing == {"a lossy network": "network namespaces need root"}
    assert [target.figure for target in result.targets].count("F7") == 4
    assert all(target.met for target in result.targets)
