"""The table of states: what may be sent when, and where it leads."""

import pytest

from rtspkit.engine.state import TRANSITIONS, State, check_allowed, next_state
from rtspkit.errors import LocalProtocolError

INIT, READY, PLAYING = State.INIT, State.READY, State.PLAYING

TABLE = {  # state: where SETUP, PLAY, PAUSE, TEARDOWN lead; None is not allowed
    INIT: (READY, None, None, INIT),
    READY: (READY, PLAYING, READY, INIT),
    PLAYING: (PLAYING, PLAYING, READY, INIT),
}
METHODS = ("SETUP", "PLAY", "PAUSE", "TEARDOWN")
CASES = [
    (state, method, after)
    for state, row in TABLE.items()
    for method, after in zip(METHODS, row, strict=True)
]


@pytest.mark.parametrize(("state", "method", "after"), CASES)
def test_the_table(state, method, after):
    if after is None:
        with pytest.raises(LocalProtocolError, match=f"{method} is not possible in state {state}"):
            check_allowed(state, method)
    else:
        check_allowed(state, method)
        assert next_state(state, method) is after


def test_the_table_is_whole():
    assert set(TRANSITIONS) == {(s, m) for s, m, after in CASES if after is not None}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    "method", ["OPTIONS", "DESCRIBE", "GET_PARAMETER", "SET_PARAMETER", "X-NEW"]
)
def test_what_moves_nothing_is_allowed_everywhere(state, method):
    check_allowed(state, method)
    assert next_state(state, method) is state


def test_the_error_has_the_phase():
    with pytest.raises(LocalProtocolError) as caught:
        check_allowed(INIT, "PLAY")
    assert caught.value.phase == "play"
    assert not caught.value.retryable
