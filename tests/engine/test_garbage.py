"""How long a connection may stay out of step."""

from rtspkit.engine.garbage import GarbageWatch


def test_in_step_there_is_nothing_to_wait_for():
    watch = GarbageWatch(2.0)
    assert watch.look(False, 5.0) is None
    assert watch.deadline is None


def test_out_of_step_for_too_long_is_an_error_with_both_numbers():
    watch = GarbageWatch(2.0)
    assert watch.look(True, 5.0) is None
    assert watch.deadline == 7.0
    assert watch.look(True, 6.9) is None
    error = watch.look(True, 7.0)
    assert str(error) == "limits.garbage_time is 2.0, met 2.0"
    assert (error.limit, error.phase) == ("garbage_time", "streaming")


def test_back_in_step_the_time_begins_anew():
    watch = GarbageWatch(2.0)
    watch.look(True, 5.0)
    watch.look(False, 6.0)
    assert watch.look(True, 6.5) is None
    assert watch.deadline == 8.5


def test_stopped_it_waits_for_nothing():
    watch = GarbageWatch(2.0)
    watch.look(True, 5.0)
    watch.stop()
    assert watch.deadline is None
