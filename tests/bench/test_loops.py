"""The loops do what they are timed for."""

import pytest

from bench.loops import BATCH, CYCLE, LOOPS, Loop, Missing, make, time_calls


@pytest.mark.parametrize("name", sorted(LOOPS))
def test_each_loop_runs(name):
    if name == "columns":
        pytest.importorskip("numpy")
    loop = make(name)
    assert loop.packets > 0
    assert time_calls(loop, 1) > 0
    loop.close()


def test_every_batch_is_received_whole_across_the_end_of_the_cycle():
    loop = make("receive_batch")
    assert loop.packets == BATCH
    sizes = [len(loop.call()) for _ in range(CYCLE // BATCH + 2)]
    assert set(sizes) == {BATCH}


def test_a_loop_that_cannot_be_made_says_why(monkeypatch):
    def broken():
        raise ImportError("no such module")

    monkeypatch.setitem(LOOPS, "broken", broken)
    with pytest.raises(Missing, match="ImportError: no such module"):
        make("broken")


def test_time_is_per_packet():
    calls = []
    loop = Loop(lambda: calls.append(sum(range(20_000))), 1)
    slow = time_calls(loop, 20)
    assert len(calls) == 20
    many = time_calls(Loop(loop.call, 100), 20)
    assert many == pytest.approx(slow / 100, rel=0.9)
