"""Frames out of memory that is about to be written over."""

from __future__ import annotations

from rtspkit.client.frame_copies import copied_frames
from rtspkit.net.slab import SlabPool
from rtspkit.wire.frame_run import read_frames
from rtspkit.wire.interleaved import serialize_frame


def test_what_is_copied_stays_when_the_memory_is_written_over():
    memory = bytearray(b"".join(serialize_frame(n % 2, b"frame %d" % n) for n in range(6)))
    frames, _ = read_frames(memoryview(memory).toreadonly(), {0, 1}, 5.0)
    copies = copied_frames(frames, SlabPool())
    memory[:] = bytes(len(memory))
    found = [(run.channel, list(map(bytes, run.datagrams))) for run in copies]
    assert found == [(n % 2, [b"frame %d" % n]) for n in range(6)]
    assert {run.datagrams.latest for run in copies} == {5.0}


def test_what_there_is_no_room_for_is_dropped_and_counted_and_leaves_a_sign_of_life():
    data = memoryview(b"".join(serialize_frame(0, bytes(1000)) for _ in range(10)))
    frames, _ = read_frames(data, {0}, 5.0)
    pool = SlabPool(8 * 4000)
    (run,) = copied_frames(frames, pool)
    assert len(run.datagrams) == 4
    assert (pool.copies, pool.drops) == (4, 6)
    (rest,) = copied_frames(frames, pool)
    assert len(rest.datagrams) == 0
    assert rest.datagrams.latest == 5.0
